//! Checks the money rules from outside: every campaign's ledger adds up, and the contract holds what it should.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use alloy::primitives::{Address, U256};
use sonar_protocol::units::Timestamp;
use tokio::sync::watch;

use super::{App, live};

/// Longest time between two checks.
const INTERVAL: Duration = Duration::from_secs(10);
/// Maximum number of tokens that are measured: anyone can create tokens, and each costs memory in Prometheus.
const MAX_TOKENS: usize = 50;

/// Runs until `stopping` becomes true.
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
    // Only tokens that are known to report honest balances are checked; a stranger's token may return anything.
    for token in [Address::ZERO, deployment.datacoin] {
        let expected = held.get(&token).copied().unwrap_or_default();
        // No conclusion if the chain does not answer; the next check decides.
        let Ok(balance) = app.chain.token_balance(token, deployment.campaigns).await else {
            return;
        };
        // Anyone can send the contract more than it asked for, so only a smaller balance is a fault.
        conserved &= balance.0 >= expected;
    }
    let escrow = held
        .into_iter()
        .map(|(token, amount)| (token_name(token, deployment.datacoin), approximate(amount)))
        .take(MAX_TOKENS)
        .collect();
    // The balance is that of the newest block, so a difference counts only if no event came meanwhile.
    let unchanged = app.index.progress().borrow().indexed == block && is_head(app, block).await;
    if !conserved && unchanged {
        tracing::error!(
            "the contract holds less than the ledgers of its campaigns require, or a ledger does not add up"
        );
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

/// Prometheus has only floating point numbers.
fn approximate(amount: U256) -> f64 {
    f64::from(amount)
}
