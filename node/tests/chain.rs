//! What the program makes of the chain's events is what the contracts say themselves.

use std::time::Duration;

use alloy::{
    network::TransactionBuilder, primitives::U256, providers::Provider, rpc::types::TransactionRequest,
    sol_types::SolCall,
};
use sonar_contracts::{
    Campaigns::{CampaignsErrors, MAX_ACCEPTS_PER_WINDOWCall},
    CloseReason, Outcome, Revert, State, payout,
};
use sonar_node::chain::{Client, Error, Follower, Options, WorldReader};
use sonar_protocol::{
    event::{Batch, Event},
    ids::{CampaignId, Digest, Version},
    view::{CampaignView, World},
};
use syft::MAX_ACCEPTS_PER_WINDOW;

use testkit::stage::{OPTIONS, Stage};

const POLL: Duration = Duration::from_millis(1);
/// For nodes that do not answer.
const HASTY: Options = Options { patience: Duration::from_millis(500), ..OPTIONS };

async fn catch_up(follower: &mut Follower, world: &mut World) -> Batch {
    let batch = follower.next().await.unwrap();
    world.absorb(&batch).unwrap();
    batch
}

async fn assert_equal_to_chain(stage: &Stage, view: &CampaignView) {
    let chain = &stage.owner;
    assert_eq!(view.status(), chain.status(view.id).await.unwrap());
    assert_eq!(view.ledger(), chain.ledger(&view.terms).await.unwrap());
    let accounts = [&stage.owner, &stage.capsule].into_iter().chain(&stage.miners);
    for account in accounts.filter_map(Client::address) {
        assert_eq!(view.owed(account), chain.owed(view.id, account).await.unwrap());
        let (ours, theirs) = (view.stakes(account), chain.stakes(view.id, account).await.unwrap());
        assert_eq!((ours.held.0, ours.free.0), (theirs.held, theirs.free));
        assert_eq!(view.stake_due(account).0, theirs.due);
    }
    let all = view.all_stakes();
    let there = all.held.saturating_add(all.free);
    assert_eq!(all.deposited, there.saturating_add(all.charged).saturating_add(all.withdrawn));
}

/// A small generator of its own, so that a history is the same everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % sides
    }
}

/// Outcomes that the contract takes, with accepts about a third of the time.
fn outcomes(dice: &mut Dice, view: &CampaignView) -> Vec<Outcome> {
    let terms = &view.terms;
    let mut step = view.best_ppm.get() / terms.gridPpm;
    let mut left = MAX_ACCEPTS_PER_WINDOW.min(u32::from(terms.maxAccepts) - view.accepts);
    let one = |_: &_| match dice.roll(3) {
        0 if left > 0 && step < 190 => {
            left -= 1;
            step += 1 + dice.roll(30) as u32;
            Outcome::Accepted(step.min(199) as u16)
        }
        1 => Outcome::Rejected(1 + dice.roll(255) as u8),
        _ => Outcome::NotImproved,
    };
    view.window.submissions.iter().map(one).collect()
}

/// The material of the next version, if an update was accepted.
fn next_material(view: &CampaignView, outcomes: &[Outcome]) -> Option<Digest> {
    let accepts = outcomes.iter().any(|outcome| matches!(outcome, Outcome::Accepted(_)));
    accepts.then_some(Digest([view.version().0 as u8 + 1; 32]))
}

async fn random_step(stage: &Stage, dice: &mut Dice, view: &CampaignView, nonce: u8) {
    let miner = &stage.miners[dice.roll(3) as usize];
    // What the contract refuses is a step too: nothing may change.
    let _ = match dice.roll(11) {
        0..5 => miner.submit(view.id, view.version(), Digest([nonce; 32])).await.map(drop),
        5 | 6 => {
            let outcomes = outcomes(dice, view);
            let close = if dice.roll(8) == 0 { CloseReason::LeakBudget as u8 } else { 0 };
            let next = next_material(view, &outcomes);
            stage.settle(view, &outcomes, next, close).await
        }
        7 => {
            stage.pass(20 + dice.roll(60)).await;
            Ok(())
        }
        8 => miner.withdraw(&view.terms, miner.address().unwrap()).await.map(drop),
        9 => [miner, &stage.capsule][dice.roll(2) as usize]
            .withdraw_stake(&view.terms, miner.address().unwrap())
            .await
            .map(drop),
        _ if view.settled.len() > 3 => stage.owner.close(&view.terms).await.map(drop),
        _ => Ok(()),
    };
}

#[tokio::test]
async fn the_fold_of_events_is_the_contracts_state_after_random_histories() {
    let stage = Stage::new().await;
    let mut follower = Follower::new(stage.owner.clone(), POLL, 0);
    let mut world = World::default();
    for salt in 0..4 {
        let mut dice = Dice(u64::from(salt));
        let terms = stage.terms(salt).await;
        let id = stage.owner.id(&terms);
        stage.owner.open(&terms).await.unwrap();
        catch_up(&mut follower, &mut world).await;
        assert_equal_to_chain(&stage, world.campaign(id).unwrap()).await;
        stage.activate(&terms, 105_000).await;
        for nonce in 0..40 {
            catch_up(&mut follower, &mut world).await;
            let view = world.campaign(id).unwrap();
            assert_equal_to_chain(&stage, view).await;
            if view.state != State::Open {
                break;
            }
            random_step(&stage, &mut dice, view, nonce).await;
        }
        end(&stage, &terms, &mut follower, &mut world, salt).await;
    }
    assert_eq!(world.order.len(), 4);
    assert!(world.campaigns.values().any(|view| view.accepts > 0));
    let capsule = &world.capsules[&stage.capsule.address().unwrap()];
    let known = stage.owner.capsule(stage.capsule.address().unwrap()).await;
    let known = known.unwrap().unwrap();
    assert_eq!((capsule.stake.0, capsule.locked.0), (known.stake, known.locked));
}

/// Settles what is left, closes, and lets the Capsule deliver or not.
async fn end(stage: &Stage, terms: &sonar_contracts::Terms, follower: &mut Follower, world: &mut World, salt: u8) {
    let id = stage.owner.id(terms);
    stage.pass(100).await;
    catch_up(follower, world).await;
    let view = world.campaign(id).unwrap();
    if view.window.is_closed(world.head.now) && view.state == State::Open {
        if salt == 1 {
            stage.pass(200).await;
            let pending = &view.window.submissions;
            stage.miners[0].abandon(terms, view.window.start, pending).await.unwrap();
        } else {
            let nothing = vec![Outcome::NotImproved; view.window.submissions.len()];
            stage.settle(view, &nothing, None, 0).await.unwrap();
        }
    }
    let _ = stage.owner.close(terms).await;
    catch_up(follower, world).await;
    assert_equal_to_chain(stage, world.campaign(id).unwrap()).await;
    if salt == 2 {
        stage.pass(300).await;
        stage.miners[0].expire(terms).await.unwrap();
    } else {
        let _ = stage.finalize(terms, Digest([0xDD; 32])).await;
        assert!(stage.owner.release(terms).await.is_err(), "not even the owner may end the audit at once");
        stage.pass(400).await;
        let _ = stage.miners[0].release(terms).await;
    }
    let _ = stage.owner.withdraw(terms, stage.owner.address().unwrap()).await;
    catch_up(follower, world).await;
    assert_equal_to_chain(stage, world.campaign(id).unwrap()).await;
}

#[tokio::test]
async fn awards_are_the_formula_and_time_closes_windows() {
    let stage = Stage::new().await;
    let mut follower = Follower::new(stage.owner.clone(), POLL, 0);
    let mut world = World::default();
    let terms = stage.terms(1).await;
    let id = stage.owner.id(&terms);
    stage.owner.open(&terms).await.unwrap();
    stage.activate(&terms, 100_000).await;
    let miner = &stage.miners[0];
    let content = Digest([5; 32]);
    miner.submit(id, Version(1), content).await.unwrap();
    catch_up(&mut follower, &mut world).await;
    assert!(!world.campaign(id).unwrap().window.is_closed(world.head.now));
    assert_eq!(world.campaign(id).unwrap().uploads(miner.address().unwrap()), 1);

    stage.pass(60).await;
    catch_up(&mut follower, &mut world).await;
    let view = world.campaign(id).unwrap().clone();
    assert!(view.window.is_closed(world.head.now));
    assert!(!view.takes_submissions(world.head.now));
    let next = Some(Digest([2; 32]));
    stage.settle(&view, &[Outcome::Accepted(110)], next, 0).await.unwrap();
    catch_up(&mut follower, &mut world).await;
    let view = world.campaign(id).unwrap();
    let submission = view.outcome(miner.address().unwrap(), content).unwrap();
    let expected = payout(terms.bounty, terms.targetPpm, 100_000, 550_000);
    assert_eq!(submission.award.unwrap().amount.0, U256::from(expected));
    assert_eq!(view.best_ppm.get(), 550_000);
    assert_eq!(view.version(), Version(2));
    assert_eq!(view.versions[1].beacon, view.versions[0].beacon, "the window that the first settlement ended");
    assert_ne!(view.next_beacon(), view.versions[1].beacon);
}

#[tokio::test]
async fn a_rolled_back_chain_is_read_anew() {
    let stage = Stage::new().await;
    let provider = stage.anvil.provider();
    let mut follower = Follower::new(stage.owner.clone(), POLL, 0);
    let mut world = World::default();
    let terms = stage.terms(1).await;
    let id = stage.owner.id(&terms);
    stage.owner.open(&terms).await.unwrap();
    assert!(catch_up(&mut follower, &mut world).await.restarted);

    let snapshot: U256 = provider.raw_request("evm_snapshot".into(), ()).await.unwrap();
    stage.activate(&terms, 100_000).await;
    let batch = catch_up(&mut follower, &mut world).await;
    assert!(!batch.restarted);
    assert!(
        matches!(batch.records[..], [ref r, ..] if matches!(r.event, Event::Activated { .. } | Event::Capsule { .. }))
    );
    assert_eq!(world.campaign(id).unwrap().state, State::Open);

    let _: bool = provider.raw_request("evm_revert".into(), (snapshot,)).await.unwrap();
    let batch = catch_up(&mut follower, &mut world).await;
    assert!(batch.restarted);
    assert_eq!(world.campaign(id).unwrap().state, State::Proposed);

    // The other history is longer than the first.
    stage.activate(&terms, 105_000).await;
    stage.pass(1).await;
    catch_up(&mut follower, &mut world).await;
    assert_eq!(world.campaign(id).unwrap().best_ppm.get(), 105_000);
    assert_equal_to_chain(&stage, world.campaign(id).unwrap()).await;
}

#[tokio::test]
async fn a_window_is_evaluated_with_the_contracts_limit_of_accepts() {
    let stage = Stage::new().await;
    let call = TransactionRequest::default()
        .with_to(stage.deployment.campaigns)
        .with_input(MAX_ACCEPTS_PER_WINDOWCall {}.abi_encode());
    let answer = stage.anvil.provider().call(call).await.unwrap();
    let limit = MAX_ACCEPTS_PER_WINDOWCall::abi_decode_returns(&answer).unwrap();
    assert_eq!(limit, U256::from(MAX_ACCEPTS_PER_WINDOW));
}

#[tokio::test]
async fn a_chain_that_was_replaced_is_not_taken_for_an_empty_one() {
    let stage = Stage::new().await;
    let mut follower = Follower::new(stage.owner.clone(), POLL, 0);
    follower.next().await.unwrap();
    // As a node that restarts without its state.
    let _: serde_json::Value = stage.anvil.provider().raw_request("anvil_reset".into(), ()).await.unwrap();
    for _ in 0..2 {
        let error = follower.next().await.unwrap_err();
        assert!(matches!(error, Error::NoContract { .. }), "{error}");
        assert!(error.to_string().contains("sonar deploy"), "{error}");
    }
}

#[tokio::test]
async fn unconfirmed_blocks_are_not_believed() {
    let stage = Stage::new().await;
    let mut reader = WorldReader::new(stage.owner.clone(), POLL, 2);
    let terms = stage.terms(1).await;
    let id = stage.owner.id(&terms);
    stage.owner.open(&terms).await.unwrap();
    reader.next().await.unwrap();
    assert!(reader.world().campaign(id).is_none());
    assert!(stage.owner.world(2, None).await.unwrap().campaign(id).is_none());
    assert!(stage.owner.world(0, None).await.unwrap().campaign(id).is_some());
    stage.pass(1).await;
    stage.pass(1).await;
    reader.next().await.unwrap();
    assert!(reader.world().campaign(id).is_some());
    assert_eq!(stage.owner.world(2, None).await.unwrap().campaigns, reader.world().campaigns);
}

#[tokio::test]
async fn refusals_have_names_and_cost_nothing() {
    let stage = Stage::new().await;
    let miner = &stage.miners[0];
    let before = stage.owner.balance(miner.address().unwrap()).await.unwrap();
    let unknown = CampaignId::from([7; 32]);
    let error = miner.submit(unknown, Version(1), Digest([1; 32])).await.unwrap_err();
    assert!(matches!(error.revert(), Some(Revert::Campaigns(CampaignsErrors::UnknownCampaign(_)))));
    assert!(matches!(stage.owner.terms(unknown).await, Err(Error::UnknownCampaign(_))));
    let after = stage.owner.balance(miner.address().unwrap()).await.unwrap();
    assert_eq!(before, after);

    let reader = Client::connect_with(&stage.anvil.endpoint(), stage.deployment, None, OPTIONS).await.unwrap();
    let terms = stage.terms(1).await;
    assert!(matches!(reader.open(&terms).await, Err(Error::NoSigner { .. })));
}

#[tokio::test]
async fn a_bounty_in_a_token_comes_with_its_permit() {
    let stage = Stage::new().await;
    let mut terms = stage.terms(1).await;
    terms.token = stage.deployment.datacoin;
    let id = stage.owner.id(&terms);
    let count = |client: Client| async move {
        let address = client.address().unwrap();
        stage_nonce(&client, address).await
    };
    let before = count(stage.owner.clone()).await;
    stage.owner.open(&terms).await.unwrap();
    assert_eq!(count(stage.owner.clone()).await, before + 1, "one transaction");
    assert_eq!(*stage.owner.terms(id).await.unwrap(), terms);
    assert_eq!(stage.owner.ledger(&terms).await.unwrap().deposited, U256::from(1_010_000_000_000_003_u64));
    let token = stage.owner.token(terms.token).await.unwrap();
    assert_eq!((token.symbol.as_str(), token.decimals), ("DATA", 18));
}

async fn stage_nonce(client: &Client, address: alloy::primitives::Address) -> u64 {
    alloy::providers::ProviderBuilder::new()
        .connect_http(client.url().parse().unwrap())
        .get_transaction_count(address)
        .await
        .unwrap()
}

#[tokio::test]
async fn another_chain_no_contract_and_silence_are_told_apart() {
    let stage = Stage::new().await;
    let url = stage.anvil.endpoint();
    let mut other = stage.deployment;
    other.chain_id = 1;
    let error = Client::connect_with(&url, other, None, OPTIONS).await;
    assert!(matches!(error, Err(Error::WrongChain { found: 31_337, .. })));
    let mut nowhere = stage.deployment;
    nowhere.campaigns = alloy::primitives::Address::repeat_byte(1);
    let error = Client::connect_with(&url, nowhere, None, OPTIONS).await;
    assert!(matches!(error, Err(Error::NoContract { .. })));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = listener.local_addr().unwrap();
    drop(listener);
    let error = Client::connect_with(&format!("http://{closed}"), stage.deployment, None, HASTY).await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
    assert!(matches!(Client::connect_with("not a url", stage.deployment, None, OPTIONS).await, Err(Error::Url(_))));
}

#[tokio::test]
async fn a_node_that_accepts_and_never_answers_is_given_up_in_time() {
    // The system accepts for the listener; nobody reads.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://user:s3cret@{}/s3cret", listener.local_addr().unwrap());
    let node = sonar_node::chain::RpcNode::new(&url, HASTY.patience).unwrap();
    // A request alone may take much longer than that.
    let error = tokio::time::timeout(Duration::from_secs(10), node.chain_id()).await.unwrap().unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, Error::Unreachable { .. }) && text.contains("no answer within 0.5 s"), "{text}");
    assert!(!text.contains("s3cret"), "{text}");
}

#[tokio::test]
async fn transactions_of_one_account_at_the_same_time_all_arrive() {
    let stage = Stage::new().await;
    let mut terms = stage.terms(1).await;
    terms.windowSize = 20;
    terms.capPerVersion = 20;
    let id = stage.owner.id(&terms);
    stage.owner.open(&terms).await.unwrap();
    stage.activate(&terms, 100_000).await;
    let url = stage.anvil.endpoint();
    // Three clients share the key without knowing of each other, as processes would.
    let key = stage.anvil.signers()[2].clone();
    let mut tasks = tokio::task::JoinSet::new();
    for index in 0..3_u8 {
        let client = Client::connect_with(&url, stage.deployment, Some(key.clone()), OPTIONS).await.unwrap();
        tasks.spawn(async move {
            for round in 0..3 {
                let content = Digest([16 * index + round; 32]);
                client.submit(id, Version(1), content).await.unwrap();
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    assert_eq!(stage.owner.status(id).await.unwrap().submissions, 9);
}
