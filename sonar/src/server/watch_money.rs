//! Watches the money rules from outside: every campaign's ledger adds up, and the contract holds what it should.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use alloy::primitives::{Address, U256};
use sonar_protocol::units::Timestamp;
use tokio::sync::watch;

use super::{App, live};

/// Time between looks when nothing happens.
const INTERVAL: Duration = Duration::from_secs(10);
/// Tokens that are measured: anybody can make tokens, and each costs Prometheus memory.
const MAX_TOKENS: usize = 50;

/// Works until `stopping` becomes true.
pub async fn run(app: Arc<App>, mut stopping: watch::Receiver<bool>) {
    let mut progress = app.index.progress();
    while !*stopping.borrow() {
        let seen = *progress.borrow_and_update();
        if let Some(head) = seen.head {
            let age = Duration::from_secs(Timestamp::from(SystemTime::now()).since(head.time));
            app.metrics.blocks(head.number, age, seen.indexed.map(|block| block.number));
        }
        app.metrics.follows(seen.follows);
        app.metrics.campaigns(&app.index.read(live::by_state));
        if seen.caught_up() {
            check(&app).await;
        }
        tokio::select! {
            _ = progress.changed() => {}
            () = tokio::time::sleep(INTERVAL) => {}
            _ = stopping.changed() => {}
        }
    }
}

async fn check(app: &App) {
    let block = app.index.progress().borrow().indexed;
    let (mut conserved, held) = app.index.read(|world| (live::ledgers_add_up(world), live::held(world)));
    let deployment = app.chain.deployment();
    // A stranger's token may say what it likes, so only those that are known to count honestly are asked.
    for token in [Address::ZERO, deployment.datacoin] {
        let expected = held.get(&token).copied().unwrap_or_default();
        // A chain that does not answer proves nothing; the next look does.
        let Ok(balance) = app.chain.token_balance(token, deployment.campaigns).await else {
            return;
        };
        // Anybody can give the contract more than it asked for, so less is the fault.
        conserved &= balance.0 >= expected;
    }
    let escrow = held
        .into_iter()
        .map(|(token, amount)| (token_name(token, deployment.datacoin), approximate(amount)))
        .take(MAX_TOKENS)
        .collect();
    // The balance belongs to the newest block; a difference counts only if nothing happened meanwhile.
    let unchanged = app.index.progress().borrow().indexed == block && is_head(app, block).await;
    if !conserved && unchanged {
        tracing::error!("the contract holds less than the campaigns' ledgers say, or a ledger does not add up");
    }
    if conserved || unchanged {
        app.metrics.money(&escrow, conserved);
    }
}

async fn is_head(app: &App, block: Option<crate::index::BlockRef>) -> bool {
    let head = app.chain.head().await.ok();
    head.map(|head| (head.number, head.hash)) == block.map(|block| (block.number, block.hash))
}

fn token_name(token: Address, datacoin: Address) -> String {
    if token.is_zero() {
        "ETH".into()
    } else if token == datacoin {
        "DATA".into()
    } else {
        token.to_string()
    }
}

/// Prometheus knows only floating point numbers.
fn approximate(amount: U256) -> f64 {
    f64::from(amount)
}
