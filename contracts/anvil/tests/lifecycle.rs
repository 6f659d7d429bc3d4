//! Campaigns from launch to delivery, and the twins of the contract's formulas.

use alloy::{
    primitives::{Address, B256, U256, keccak256},
    providers::Provider,
    rpc::types::Filter,
    signers::SignerSync,
    sol,
    sol_types::{SolEvent, SolStruct, eip712_domain},
};
use sonar_contracts::{
    Campaigns, CloseReason, Delivery, EIGHTHS, Ledger, Outcome, State, Submission, Terms, campaign_id, domain,
    earned_fee, fee, payout, window_fold, window_hash,
};

use crate::support::{
    ATTESTER, CAPSULE, DEPLOYER, FIRST_MINER, OWNER, SUBMISSION_STAKE, World, handover, sent, settle, window_start,
};

sol! {
    /// EIP-2612.
    struct Permit {
        address owner;
        address spender;
        uint256 value;
        uint256 nonce;
        uint256 deadline;
    }
}

async fn open_in_eth(world: &World, terms: &Terms) {
    let deposit = U256::from(terms.bounty) + fee(terms.bounty, terms.feePpm);
    sent(world.campaigns(OWNER).open(terms.clone()).value(deposit)).await;
}

async fn open_with_permit(world: &World, terms: &Terms) {
    let deposit = U256::from(terms.bounty) + fee(terms.bounty, terms.feePpm);
    sent(world.datacoin(DEPLOYER).transfer(world.address(OWNER), deposit)).await;
    let permit = Permit {
        owner: world.address(OWNER),
        spender: world.deployment.campaigns,
        value: deposit,
        nonce: U256::ZERO,
        deadline: U256::from(terms.deadline),
    };
    let domain = eip712_domain! {
        name: "DataCoin",
        version: "1",
        chain_id: world.deployment.chain_id,
        verifying_contract: world.deployment.datacoin,
    };
    let signature = world.signer(OWNER).sign_hash_sync(&permit.eip712_signing_hash(&domain)).unwrap();
    let [r, s] = [signature.r(), signature.s()].map(B256::from);
    let v = 27 + u8::from(signature.v());
    sent(world.campaigns(OWNER).openWithPermit(terms.clone(), permit.deadline, v, r, s)).await;
}

/// What an account has of the bounty's token.
async fn holding(world: &World, terms: &Terms, account: Address) -> U256 {
    if terms.token.is_zero() {
        world.balance(account).await
    } else {
        world.datacoin(DEPLOYER).balanceOf(account).call().await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_campaign_in_eth() {
    let world = World::new().await;
    let terms = world.terms();
    open_in_eth(&world, &terms).await;
    runs_from_launch_to_delivery(&world, &terms).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_campaign_in_datacoin_with_a_permit() {
    let world = World::new().await;
    let terms = Terms { token: world.deployment.datacoin, bounty: u128::MAX / 1_000_000_000_000_000, ..world.terms() };
    open_with_permit(&world, &terms).await;
    runs_from_launch_to_delivery(&world, &terms).await;
}

async fn runs_from_launch_to_delivery(world: &World, terms: &Terms) {
    let id = world.id(terms);
    world.activate(terms).await;
    let status = world.campaigns(OWNER).status(id).call().await.unwrap();
    assert_eq!(State::try_from(status.state), Ok(State::Open));
    assert_eq!(status.windowHash, window_start(&world.campaigns(OWNER), id).await);

    // Two windows: the first improves twice, the second passes the target.
    let mut earned = [0u128; 10];
    let mut best = 100_000;
    for (version, steps) in [(1, [(2usize, 90u16), (7, 150)]), (2, [(0, 151), (5, 190)])] {
        let submissions: Vec<Submission> =
            world.submitted(id, version, 10).await.into_iter().map(|(submission, _)| submission).collect();
        let mut outcomes = [Outcome::NotImproved; 10];
        outcomes[9] = Outcome::Rejected(3);
        for (place, step) in steps {
            outcomes[place] = Outcome::Accepted(step);
            let reached = u32::from(step) * terms.gridPpm;
            earned[place] += payout(terms.bounty, terms.targetPpm, best, reached);
            best = reached;
        }
        // Also the version that ends the campaign.
        let next = keccak256(format!("version {}", version + 1));
        let settlement = world.settlement(id, &outcomes, next).await;
        let start = window_start(&world.campaigns(OWNER), id).await;
        assert_eq!(settlement.windowHash, window_hash(start, &submissions));
        let signature = world.attest(&settlement);
        sent(settle(&world.campaigns(ATTESTER), terms, &submissions, &settlement, signature).await).await;
    }
    let status = world.campaigns(OWNER).status(id).call().await.unwrap();
    assert_eq!(State::try_from(status.state), Ok(State::Closed));
    assert_eq!(CloseReason::try_from(status.reason), Ok(CloseReason::Target));
    assert_eq!(status.bestPpm, 950_000);

    let delivery = Delivery { campaign: id, windowHash: status.windowHash, result: keccak256("the model") };
    let signature = world.attest(&delivery);
    let handovers = ["version 1", "version 2", "version 3"].map(|version| handover(keccak256(version))).to_vec();
    sent(world.campaigns(FIRST_MINER).finalize(terms.clone(), delivery.result, handovers, signature)).await;

    world.pass(terms.audit.period).await;
    sent(world.campaigns(FIRST_MINER).release(terms.clone())).await;
    everyone_is_paid_what_the_twin_says(world, terms, &earned).await;
    the_events_tell_the_same_story(world, id, &earned).await;
}

async fn everyone_is_paid_what_the_twin_says(world: &World, terms: &Terms, earned: &[u128; 10]) {
    let id = world.id(terms);
    let campaigns = world.campaigns(OWNER);
    let elsewhere = Address::repeat_byte(0x77);
    let mut total = U256::ZERO;
    for (place, amount) in earned.iter().enumerate() {
        let miner = FIRST_MINER + place;
        assert_eq!(campaigns.owed(id, world.address(miner)).call().await.unwrap(), U256::from(*amount));
        if *amount == 0 {
            continue;
        }
        let before = holding(world, terms, elsewhere).await;
        sent(world.campaigns(miner).withdraw(terms.clone(), elsewhere)).await;
        assert_eq!(holding(world, terms, elsewhere).await - before, U256::from(*amount));
        total += U256::from(*amount);
    }
    let deposited = U256::from(terms.bounty) + fee(terms.bounty, terms.feePpm);
    let fee = earned_fee(terms.bounty, terms.feePpm, total.to());
    let refunded = deposited - total - fee;
    let expected = Ledger { deposited, paid: total, owed: U256::ZERO, refunded, fee, escrowed: U256::ZERO };
    assert_eq!(campaigns.ledger(terms.clone()).call().await.unwrap(), expected);
    sent(world.campaigns(CAPSULE).withdraw(terms.clone(), elsewhere)).await;
    if !refunded.is_zero() {
        sent(world.campaigns(OWNER).withdraw(terms.clone(), elsewhere)).await;
    }
    stakes_come_back(world, terms).await;
    assert_eq!(holding(world, terms, world.deployment.campaigns).await, U256::ZERO);
}

/// One stake a miner served for both windows. What submissions that were not accepted pay is gone: to the Capsule for its
/// gas, or burned.
async fn stakes_come_back(world: &World, terms: &Terms) {
    let id = world.id(terms);
    let eighth = U256::from(SUBMISSION_STAKE) / U256::from(EIGHTHS);
    let elsewhere = Address::repeat_byte(0x78);
    for place in 0..10 {
        let miner = FIRST_MINER + place;
        let stakes = world.campaigns(OWNER).stakesOf(id, world.address(miner)).call().await.unwrap();
        let left = match place {
            0 | 5 => EIGHTHS,
            9 => 0,
            _ => EIGHTHS - 1,
        };
        assert_eq!((stakes.held, stakes.free), (U256::ZERO, U256::from(left) * eighth), "miner {place}");
        if left > 0 {
            sent(world.campaigns(miner).withdrawStake(terms.clone(), elsewhere)).await;
        }
    }
    sent(world.campaigns(CAPSULE).withdrawStake(terms.clone(), elsewhere)).await;
    assert_eq!(world.balance(world.deployment.campaigns).await, U256::ZERO);
}

async fn the_events_tell_the_same_story(world: &World, id: B256, earned: &[u128; 10]) {
    let filter = Filter::new().address(world.deployment.campaigns).from_block(world.deployment.block);
    let logs = world.anvil.provider().get_logs(&filter).await.unwrap();
    let mut awarded = [U256::ZERO; 10];
    let (mut opened, mut submitted, mut charged, mut hash) = (0, 0, U256::ZERO, B256::ZERO);
    for log in &logs {
        assert_eq!(log.topics()[1], id);
        match log.topics()[0] {
            Campaigns::Opened::SIGNATURE_HASH => {
                let event = log.log_decode::<Campaigns::Opened>().unwrap().inner.data;
                let deployment = world.deployment;
                assert_eq!(campaign_id(deployment.chain_id, deployment.campaigns, &event.terms), id);
                hash = event.windowStart;
                opened += 1;
            }
            Campaigns::Submitted::SIGNATURE_HASH => {
                let event = log.log_decode::<Campaigns::Submitted>().unwrap().inner.data;
                assert_eq!(event.index, submitted % 10);
                hash = window_fold(hash, &Submission { miner: event.miner, content: event.content });
                submitted += 1;
            }
            Campaigns::Settled::SIGNATURE_HASH => {
                let event = log.log_decode::<Campaigns::Settled>().unwrap().inner.data;
                assert!(event.outcomes.iter().all(|code| Outcome::decode(*code).is_ok()));
                hash = event.windowStart;
            }
            Campaigns::Awarded::SIGNATURE_HASH => {
                let event = log.log_decode::<Campaigns::Awarded>().unwrap().inner.data;
                awarded[event.index as usize] += event.amount;
            }
            Campaigns::Charged::SIGNATURE_HASH => {
                let event = log.log_decode::<Campaigns::Charged>().unwrap().inner.data;
                charged += event.toCapsule + event.burned;
            }
            _ => {}
        }
    }
    assert_eq!((opened, submitted), (1, 20));
    // In each window seven were not improved, and one was rejected for its form.
    assert_eq!(charged, U256::from(2 * (7 + 8)) * U256::from(SUBMISSION_STAKE) / U256::from(8));
    assert_ne!(hash, B256::ZERO);
    assert_eq!(awarded, earned.map(U256::from));
}

#[tokio::test(flavor = "multi_thread")]
async fn twins_compute_what_the_contract_computes() {
    let world = World::new().await;
    let campaigns = world.campaigns(OWNER);
    let terms = world.terms();
    assert_eq!(campaigns.campaignId(terms.clone()).call().await.unwrap(), world.id(&terms));
    let separator = domain(world.deployment.chain_id, world.deployment.campaigns).separator();
    assert_eq!(campaigns.DOMAIN_SEPARATOR().call().await.unwrap(), separator);
    assert_eq!(campaigns.REGISTRY().call().await.unwrap(), world.deployment.registry);

    let text = serde_json::to_string(&world.deployment).unwrap();
    assert_eq!(serde_json::from_str::<sonar_contracts::Deployment>(&text).unwrap(), world.deployment);
    assert!(serde_json::from_str::<sonar_contracts::Deployment>(&text.replace("campaigns", "radar")).is_err());
}
