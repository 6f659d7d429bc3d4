//! What the harness is made of, against the real client of the chain and the real fold of its events.

mod sample;

use std::{
    collections::BTreeSet,
    sync::{Arc, RwLock},
};

use sonar_contracts::{Deployment, State};
use sonar_node::chain::Client;
use sonar_protocol::{event::Batch, view::World};
use sonar_scale::{
    contract,
    history::{History, Size},
    rpc::{Node, NodeLimits, RefusalStyle, SharedChain},
};

const SIZE: Size = Size { campaigns: 40, submissions: 4_000, miners: 64 };
const CHAIN_ID: u64 = 7;
const SEED: u64 = 1;

fn history() -> (History, SharedChain) {
    let (history, chain) = History::generate(SIZE, SEED, contract::made_up(CHAIN_ID));
    (history, Arc::new(RwLock::new(chain)))
}

/// What a client of the chain folds from a node.
async fn world(url: &str, contracts: Deployment) -> World {
    let client = Client::connect(url, contracts, None).await.unwrap();
    let head = client.head().await.unwrap();
    let mut world = World::default();
    let records = client.logs(contracts.block, head.number).await.unwrap();
    world.absorb(&Batch { restarted: true, records, head }).unwrap();
    world
}

/// The same from our node with these limits.
async fn folded(chain: &SharedChain, limits: NodeLimits) -> World {
    let node = Node::start(chain.clone(), limits).await.unwrap();
    let contracts = *chain.read().unwrap().contracts();
    let folded = world(&node.url(), contracts).await;
    let head = chain.read().unwrap().head();
    assert_eq!(folded.head.number, head);
    assert_eq!(node.followed(), 0, "the head was not asked for after the events");
    world(&node.url(), contracts).await;
    assert_eq!(node.followed(), head);
    folded
}

#[tokio::test]
async fn the_fold_accepts_the_history_and_what_is_appended() {
    let (mut history, chain) = history();
    let world = folded(&chain, NodeLimits::default()).await;
    assert_eq!(world.campaigns.len(), 40);
    assert_eq!(world.campaigns.values().map(|campaign| campaign.submissions).sum::<u32>(), SIZE.submissions);
    let states: BTreeSet<_> = world.campaigns.values().map(|campaign| campaign.state as u8).collect();
    let every = [State::Open, State::Closed, State::Finalized, State::Refunded, State::Released];
    let every = every.map(|state| state as u8);
    assert_eq!(states, every.into());
    for campaign in world.campaigns.values() {
        let ledger = campaign.ledger();
        let parts = ledger.paid + ledger.owed + ledger.refunded + ledger.fee + ledger.escrowed;
        assert_eq!(parts, ledger.deposited, "campaign {}", campaign.id);
    }

    for _ in 0..20 {
        history.append_submission(&mut chain.write().unwrap());
    }
    history.append_empty(3, &mut chain.write().unwrap());
    let longer = folded(&chain, NodeLimits::default()).await;
    let submissions: u32 = longer.campaigns.values().map(|campaign| campaign.submissions).sum();
    assert_eq!(submissions, SIZE.submissions + 20);
}

#[tokio::test]
async fn a_node_that_refuses_large_requests_gives_the_same_history() {
    let (_, chain) = history();
    let limits = NodeLimits { max_span: Some(500), max_results: Some(300), refusal: RefusalStyle::InvalidParams };
    assert_eq!(folded(&chain, limits).await, folded(&chain, NodeLimits::default()).await);
}
