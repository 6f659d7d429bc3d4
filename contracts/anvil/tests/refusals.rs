//! Refusals arrive as typed errors and read as sentences.

use alloy::primitives::{B256, U256, keccak256};
use sonar_contracts::{
    Attestation, Campaigns::CampaignsErrors, CapsuleRegistry::CapsuleRegistryErrors, DataCoin::DataCoinErrors,
    MAX_SUBMISSION_STAKE, Outcome, Revert, STAKE_UNIT, Submission, Terms, decode_revert, max_submission_stake,
};

use crate::support::{ATTESTER, FEE_PPM, FIRST_MINER, OWNER, STAKE, SUBMISSION_STAKE, World, refusal, settle};

#[tokio::test(flavor = "multi_thread")]
async fn of_launches() {
    let world = World::new().await;
    let refused = async |change: fn(&mut Terms)| {
        let mut terms = world.terms();
        change(&mut terms);
        let deposit = U256::from(terms.bounty) + sonar_contracts::fee(terms.bounty, terms.feePpm);
        refusal(world.campaigns(OWNER).open(terms).value(deposit)).await
    };
    let text = async |change: fn(&mut Terms)| refused(change).await.to_string();

    assert!(
        matches!(refused(|t| t.bounty = 0).await, Revert::Campaigns(CampaignsErrors::OutOfRange(e)) if e.field == "bounty")
    );
    assert_eq!(text(|t| t.gridPpm = 10).await, "gridPpm is 10, outside 1000 to 1000000");
    assert_eq!(text(|t| t.startPpm = t.targetPpm).await, "the target (900000 ppm) is not above the start (900000 ppm)");
    assert_eq!(text(|t| t.deadline = 1).await, "the deadline (unix time 1) has passed");
    assert!(text(|t| t.feePpm = 1).await.contains(&format!("fee is {FEE_PPM} ppm, not 1 ppm")));
    assert!(matches!(refused(|t| t.audit.mode = 1).await, Revert::Campaigns(CampaignsErrors::UnknownMode(_))));
    assert!(matches!(refused(|t| t.capsule = t.owner).await, Revert::Campaigns(CampaignsErrors::UnknownCapsule(_))));

    let uneven = text(|t| t.submissionStake += 1).await;
    assert_eq!(uneven, format!("submissionStake is {}, not a multiple of {STAKE_UNIT}", SUBMISSION_STAKE + 1));
    let terms = world.terms();
    let most = max_submission_stake(true, terms.bounty, terms.gridPpm, terms.targetPpm);
    let dear = text(|t| t.submissionStake = MAX_SUBMISSION_STAKE).await;
    assert_eq!(dear, format!("submissionStake is {MAX_SUBMISSION_STAKE}, outside 0 to {most}"));

    let tokens = Terms { token: world.deployment.datacoin, ..world.terms() };
    let refused = refusal(world.campaigns(OWNER).open(tokens)).await;
    assert!(matches!(refused, Revert::Token(DataCoinErrors::ERC20InsufficientAllowance(_))), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_submissions() {
    let world = World::new().await;
    let submit = async |id: B256, version: u32| {
        refusal(world.campaigns(FIRST_MINER).submit(id, version, keccak256("update"))).await
    };
    let unknown = submit(B256::repeat_byte(9), 1).await;
    assert!(unknown.to_string().starts_with("there is no campaign 0x0909"), "{unknown}");
    let id = world.opened(&world.terms()).await;
    let stale = submit(id, 2).await;
    assert!(matches!(&stale, Revert::Campaigns(CampaignsErrors::StaleVersion(e)) if e.current == 1));
    assert_eq!(stale.to_string(), "the submission is for another version; the current version is 1");
    let staked = submit(id, 1).await;
    assert!(matches!(&staked, Revert::Campaigns(CampaignsErrors::WrongValue(_))));
    assert_eq!(staked.to_string(), format!("0 wei were sent instead of {SUBMISSION_STAKE}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_attestations() {
    let world = World::new().await;
    let terms = world.terms();
    let id = world.opened(&terms).await;
    let submissions: Vec<Submission> =
        world.submitted(id, 1, 10).await.into_iter().map(|(submission, _)| submission).collect();
    let settlement = world.settlement(id, &[Outcome::NotImproved; 10], B256::ZERO).await;

    use alloy::signers::SignerSync;
    let sign = |who: usize, chain_id: u64, contract| {
        let hash = settlement.signing_hash(chain_id, contract);
        world.signer(who).sign_hash_sync(&hash).unwrap().as_bytes().into()
    };
    let (chain, campaigns) = (world.deployment.chain_id, world.deployment.campaigns);
    for signature in [
        sign(OWNER, chain, campaigns),
        sign(ATTESTER, chain + 1, campaigns),
        sign(ATTESTER, chain, world.deployment.registry),
    ] {
        let refused =
            refusal(settle(&world.campaigns(ATTESTER), &terms, &submissions, &settlement, signature).await).await;
        assert!(matches!(refused, Revert::Campaigns(CampaignsErrors::WrongSigner(_))), "{refused}");
    }
    let mut swapped = submissions.clone();
    swapped.swap(3, 4);
    let refused =
        settle(&world.campaigns(ATTESTER), &terms, &swapped, &settlement, sign(ATTESTER, chain, campaigns)).await;
    let refused = refusal(refused).await;
    assert!(matches!(refused, Revert::Campaigns(CampaignsErrors::WrongWindow(_))), "{refused}");
    settle(&world.campaigns(ATTESTER), &terms, &submissions, &settlement, sign(ATTESTER, chain, campaigns))
        .await
        .call()
        .await
        .expect("is right");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_stakes() {
    let world = World::new().await;
    let refused = refusal(world.registry(crate::support::CAPSULE).unstake(U256::from(11 * STAKE))).await;
    assert!(matches!(refused, Revert::Registry(CapsuleRegistryErrors::InsufficientStake(_))));
    assert!(refused.to_string().contains("wei of free stake, not"), "{refused}");
}

#[test]
fn of_others_are_not_ours() {
    assert_eq!(decode_revert(&[]), None);
    assert_eq!(decode_revert(&[1, 2, 3, 4]), None);
    let message = alloy::sol_types::Revert::from("no");
    let data = alloy::sol_types::SolError::abi_encode(&message);
    assert_eq!(decode_revert(&data).unwrap().to_string(), "the contract refused: no");
}
