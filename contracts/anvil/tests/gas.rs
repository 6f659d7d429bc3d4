//! What people pay, as anvil charges it, against ceilings and the committed snapshot.

use std::{collections::BTreeMap, fs, path::Path};

use alloy::{
    network::TransactionBuilder,
    primitives::{Address, U256, keccak256},
    providers::Provider,
    rpc::types::TransactionRequest,
};
use sonar_contracts::{Outcome, Submission, Terms, fee};

use crate::support::{ATTESTER, DEPLOYER, FIRST_MINER, OWNER, World, sent, settle};

const OPEN: u64 = 200_000;
const SUBMIT: u64 = 62_000;
const SETTLE_PER_EVALUATION: u64 = 20_000;

#[tokio::test(flavor = "multi_thread")]
async fn costs_stay_under_their_ceilings_and_as_they_were() {
    let world = World::new().await;
    let mut costs = BTreeMap::new();
    // As on any chain in use: the first burn of all would pay for the account of nobody.
    let dust = TransactionRequest::default().with_to(Address::ZERO).with_value(U256::from(1));
    world.provider(DEPLOYER).send_transaction(dust).await.unwrap().get_receipt().await.unwrap();

    let terms = world.terms();
    let deposit = U256::from(terms.bounty) + fee(terms.bounty, terms.feePpm);
    costs.insert("open in ETH", sent(world.campaigns(OWNER).open(terms.clone()).value(deposit)).await.gas_used);
    let tokens = Terms { token: world.deployment.datacoin, ..world.terms() };
    sent(world.datacoin(DEPLOYER).transfer(world.address(OWNER), deposit)).await;
    sent(world.datacoin(OWNER).approve(world.deployment.campaigns, deposit)).await;
    costs.insert("open in tokens", sent(world.campaigns(OWNER).open(tokens)).await.gas_used);

    world.activate(&terms).await;
    let id = world.id(&terms);
    let ten = world.submitted(id, 1, 10).await;
    let gas: Vec<u64> = ten.iter().map(|(_, gas)| *gas).collect();
    costs.insert("submit, first of a window", gas[0]);
    costs.insert("submit, dearest of ten", *gas.iter().max().unwrap());

    let submissions: Vec<Submission> = ten.into_iter().map(|(submission, _)| submission).collect();
    let mut outcomes = [Outcome::NotImproved; 10];
    for (place, step) in [(0, 40), (3, 60), (6, 80), (9, 100)] {
        outcomes[place] = Outcome::Accepted(step);
    }
    outcomes[4] = Outcome::Rejected(7);
    let settlement = world.settlement(id, &outcomes, keccak256("version 2")).await;
    let signature = world.attest(&settlement);
    let settled = sent(settle(&world.campaigns(ATTESTER), &terms, &submissions, &settlement, signature).await).await;
    costs.insert("settle ten, four accepted, per evaluation", settled.gas_used / 10);

    let later = world.submitted(id, 2, 1).await;
    costs.insert("submit, to a later version", later[0].1);
    let withdrawn = sent(world.campaigns(FIRST_MINER).withdraw(terms.clone(), world.address(FIRST_MINER))).await;
    costs.insert("withdraw ETH", withdrawn.gas_used);
    let returned = sent(world.campaigns(FIRST_MINER + 1).withdrawStake(terms, world.address(FIRST_MINER + 1))).await;
    costs.insert("withdraw stake", returned.gas_used);

    for (name, gas) in &costs {
        let ceiling = match *name {
            open if open.starts_with("open") => OPEN,
            submit if submit.starts_with("submit") => SUBMIT,
            settle if settle.starts_with("settle") => SETTLE_PER_EVALUATION,
            _ => u64::MAX,
        };
        assert!(*gas <= ceiling, "{name} costs {gas}, more than {ceiling}");
    }
    check_snapshot(&costs);
}

/// `SONAR_UPDATE_SNAPSHOTS=1` writes the snapshot instead.
fn check_snapshot(costs: &BTreeMap<&str, u64>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../snapshots/anvil.json");
    if std::env::var_os("SONAR_UPDATE_SNAPSHOTS").is_some() {
        fs::write(&path, serde_json::to_string_pretty(costs).unwrap() + "\n").unwrap();
    }
    let kept = fs::read_to_string(&path).expect("a committed snapshot");
    let kept: BTreeMap<String, u64> = serde_json::from_str(&kept).unwrap();
    assert!(costs.keys().copied().eq(kept.keys().map(String::as_str)), "the snapshot has other entries");
    // Hashes of windows depend on the chain's blocks, and a zero byte costs 12 gas less than another.
    let differs = |(name, gas): (&&str, &u64)| gas.abs_diff(kept[*name]) > 60;
    let changed: Vec<_> = costs.iter().filter(|cost| differs(*cost)).collect();
    assert!(
        changed.is_empty(),
        "costs changed: {changed:?}; if that is meant, run with SONAR_UPDATE_SNAPSHOTS=1 and commit"
    );
}
