//! Real transactions: campaigns on anvil, read from anvil and from a copy of its blocks behind our node.

use std::sync::{Arc, RwLock};

use alloy::{
    eips::BlockNumberOrTag,
    network::TransactionBuilder as _,
    primitives::{Address, B256, Bytes, U256, keccak256},
    providers::{DynProvider, Provider as _},
    rpc::types::{Filter, TransactionReceipt, TransactionRequest},
    signers::{SignerSync as _, local::PrivateKeySigner},
    sol_types::{SolCall, SolConstructor as _, SolValue as _},
};
use sonar_anvil::{Anvil, AnvilConfig};
use sonar_contracts::{
    Activation, Assessor, Attestation, AuditTerms, CapsuleRegistry, CloseReason, Decline, Delivery, Deployment,
    Handover, Limits, Outcome, Publication, Settlement, Submission, Terms, TermsChecker, campaign_id, fee,
    handover_hash, local_bounds, window_hash,
};
use sonar_scale::{
    chain::Chain,
    contract::{self, Campaigns},
    rpc::NodeLimits,
};

use crate::folded;

const COIN: u128 = 1_000_000_000_000_000_000;
const FEE_PPM: u32 = 20_000;
const START_PPM: u32 = 100_000;
const GRID_PPM: u32 = 5_000;
const WINDOW: usize = 12;
const WINDOWS: u32 = 8;

struct Sample {
    // Dropping it kills it.
    _anvil: Anvil,
    provider: DynProvider,
    accounts: Vec<Address>,
    attester: PrivateKeySigner,
    contracts: Deployment,
}

/// Something that hides the seed of a version.
fn handover(version: u32) -> Handover {
    let word = |name: &str| keccak256(format!("{name} {version}"));
    Handover {
        root: word("root"),
        commitment: word("commitment"),
        point: word("point"),
        ciphertext: word("ciphertext"),
    }
}

fn published(version: u32) -> Publication {
    let handover = handover(version);
    let material = keccak256(format!("material {version}"));
    Publication { material, root: handover.root, handover: handover_hash(&handover) }
}

impl Sample {
    const OWNER: usize = 1;
    const CAPSULE: usize = 2;
    const FIRST_MINER: usize = 4;

    async fn new() -> Self {
        let config = AnvilConfig { accounts: 20, ..AnvilConfig::default() };
        let anvil = Anvil::spawn(config).await.expect("anvil starts");
        let accounts = anvil.signers().iter().map(PrivateKeySigner::address).collect();
        let mut sample = Self {
            provider: anvil.provider(),
            accounts,
            attester: PrivateKeySigner::random(),
            contracts: contract::deployment(anvil.chain_id(), [Address::ZERO; 3], 1),
            _anvil: anvil,
        };
        let registry = sample.create(&CapsuleRegistry::BYTECODE, Vec::new()).await;
        let assessor = sample.create(&Assessor::BYTECODE, Vec::new()).await;
        let arguments = TermsChecker::constructorCall { registry, bounds_: local_bounds() }.abi_encode();
        let checker = sample.create(&TermsChecker::BYTECODE, arguments).await;
        let arguments = (registry, assessor, checker).abi_encode_params();
        let campaigns = sample.create(&Campaigns::BYTECODE, arguments).await;
        sample.contracts = contract::deployment(sample.contracts.chain_id, [campaigns, registry, Address::ZERO], 1);
        sample.register().await;
        sample
    }

    async fn create(&self, code: &Bytes, arguments: Vec<u8>) -> Address {
        let request = TransactionRequest::default().with_deploy_code([code.as_ref(), &arguments].concat());
        self.sent(0, request).await.contract_address.unwrap()
    }

    async fn sent(&self, who: usize, request: TransactionRequest) -> TransactionReceipt {
        let request = request.with_from(self.accounts[who]).with_gas_limit(8_000_000);
        let pending = self.provider.send_transaction(request).await.unwrap();
        let receipt = pending.get_receipt().await.unwrap();
        assert!(receipt.status(), "transaction {} was reverted", receipt.transaction_hash);
        receipt
    }

    async fn call(&self, who: usize, to: Address, value: U256, call: impl SolCall) {
        let request = TransactionRequest::default().with_to(to).with_value(value).with_input(call.abi_encode());
        self.sent(who, request).await;
    }

    async fn campaigns(&self, who: usize, call: impl SolCall) {
        self.call(who, contract::campaigns(&self.contracts), U256::ZERO, call).await;
    }

    async fn register(&self) {
        let describe = CapsuleRegistry::registerCall {
            attester: self.attester.address(),
            fingerprint: B256::repeat_byte(1),
            certificate: B256::repeat_byte(2),
            endpoint: "http://127.0.0.1:1".into(),
            feePpm: FEE_PPM,
        };
        self.call(Self::CAPSULE, self.contracts.registry, U256::from(10 * COIN), describe).await;
        let allow = CapsuleRegistry::authorizeCall::new((contract::campaigns(&self.contracts), true));
        self.call(Self::CAPSULE, self.contracts.registry, U256::ZERO, allow).await;
        let limits = CapsuleRegistry::setLimitsCall {
            limits_: Limits {
                stakePerCampaign: u128::MAX,
                stakeInAll: u128::MAX,
                longestRun: u32::MAX,
                longestAudit: u32::MAX,
                shortestEvaluation: 1,
                shortestDelivery: 1,
                maxSubmissions: u32::MAX,
            },
        };
        self.call(Self::CAPSULE, self.contracts.registry, U256::ZERO, limits).await;
        let token = CapsuleRegistry::setTokenCall { token: Address::ZERO, accepted: true, leastFee: 0 };
        self.call(Self::CAPSULE, self.contracts.registry, U256::ZERO, token).await;
    }

    fn sign(&self, attestation: &impl Attestation) -> Bytes {
        let campaigns = contract::campaigns(&self.contracts);
        let hash = attestation.signing_hash(self.contracts.chain_id, campaigns);
        self.attester.sign_hash_sync(&hash).unwrap().as_bytes().into()
    }

    async fn open(&self, salt: u8) -> (B256, Terms) {
        let terms = Terms {
            owner: self.accounts[Self::OWNER],
            token: Address::ZERO,
            bounty: COIN,
            startPpm: START_PPM,
            tolerancePpm: 20_000,
            targetPpm: 900_000,
            gridPpm: GRID_PPM,
            maxSubmissions: 1_000,
            maxAccepts: 20,
            windowSize: WINDOW as u16,
            windowSeconds: 600,
            capPerVersion: 10,
            deadline: 4_000_000_000,
            activationSeconds: 600,
            evaluationSeconds: 600,
            deliverySeconds: 600,
            audit: AuditTerms { period: 600, keys: keccak256("audit keys"), ..AuditTerms::default() },
            capsule: self.accounts[Self::CAPSULE],
            feePpm: FEE_PPM,
            stake: COIN,
            submissionStake: COIN / 2_000,
            manifest: keccak256("manifest"),
            salt: B256::repeat_byte(salt),
        };
        let campaigns = contract::campaigns(&self.contracts);
        let deposit = U256::from(terms.bounty) + fee(terms.bounty, terms.feePpm);
        self.call(Self::OWNER, campaigns, deposit, Campaigns::openCall { t: terms.clone() }).await;
        (campaign_id(self.contracts.chain_id, campaigns, &terms), terms)
    }

    async fn activate(&self, id: B256, terms: &Terms) {
        let first = published(1);
        let Publication { material, root, handover } = first;
        let (window_hash, certificate) = (self.window_hash(id).await, keccak256("certificate"));
        let sig = self.sign(&Activation {
            campaign: id,
            startPpm: START_PPM,
            windowHash: window_hash,
            material,
            root,
            handover,
            certificate,
        });
        let t = terms.clone();
        self.campaigns(3, Campaigns::activateCall { t, startPpm: START_PPM, first, certificate, sig }).await;
    }

    async fn read<C: SolCall>(&self, call: C) -> C::Return {
        let to = contract::campaigns(&self.contracts);
        let request = TransactionRequest::default().with_to(to).with_input(call.abi_encode());
        C::abi_decode_returns(&self.provider.call(request).await.unwrap()).unwrap()
    }

    async fn window_hash(&self, id: B256) -> B256 {
        self.read(Campaigns::statusCall { id }).await.windowHash
    }

    /// A full window: the first submission is accepted, the second rejected.
    async fn window(&self, id: B256, terms: &Terms, window: u32) {
        let version = window + 1;
        let window_start = self.window_hash(id).await;
        let mut subs = Vec::new();
        for place in 0..WINDOW {
            let who = Self::FIRST_MINER + place;
            let content = keccak256(format!("update {place} to {version} of {id}"));
            let submit = Campaigns::submitCall { id, version, content };
            // A returned stake stands behind the next submission; what earlier ones were charged is sent along.
            let value = self.read(Campaigns::stakesOfCall { id, account: self.accounts[who] }).await.due;
            self.call(who, contract::campaigns(&self.contracts), value, submit).await;
            subs.push(Submission { miner: self.accounts[who], content });
        }
        let step = u16::try_from((START_PPM / GRID_PPM) + version).unwrap();
        let mut outcomes = vec![Outcome::NotImproved.encode().unwrap(); WINDOW];
        outcomes[0] = Outcome::Accepted(step).encode().unwrap();
        outcomes[1] = Outcome::Rejected(10).encode().unwrap();
        let next = published(version + 1);
        let Publication { material, root, handover } = next;
        let attestation = Settlement {
            campaign: id,
            version,
            window,
            windowHash: window_hash(window_start, &subs),
            outcomes: outcomes.clone(),
            material,
            root,
            handover,
            close: CloseReason::None as u8,
        };
        let sig = self.sign(&attestation);
        let t = terms.clone();
        let settled = Campaigns::settleCall { t, windowStart: window_start, subs, outcomes, next, close_: 0, sig };
        self.campaigns(3, settled).await;
    }

    async fn deliver(&self, id: B256, terms: &Terms) {
        let t = || terms.clone();
        self.campaigns(Self::OWNER, Campaigns::closeCall { t: t() }).await;
        let result = keccak256("result");
        let sig = self.sign(&Delivery { campaign: id, windowHash: self.window_hash(id).await, result });
        let handovers = (1..=WINDOWS + 1).map(handover).collect();
        self.campaigns(3, Campaigns::finalizeCall { t: t(), result, handovers, sig }).await;
        let period = u64::from(terms.audit.period);
        let _: serde_json::Value = self.provider.raw_request("evm_increaseTime".into(), (period,)).await.unwrap();
        self.campaigns(Self::OWNER, Campaigns::releaseCall { t: t() }).await;
        for who in [Self::FIRST_MINER, Self::OWNER, Self::CAPSULE] {
            self.campaigns(who, Campaigns::withdrawCall { t: t(), to: self.accounts[who] }).await;
        }
    }

    async fn decline(&self, id: B256, terms: &Terms) {
        let sig = self.sign(&Decline { campaign: id, reason: 1 });
        self.campaigns(3, Campaigns::declineCall { t: terms.clone(), reason: 1, sig }).await;
    }

    /// All blocks and logs of anvil's chain.
    async fn copied(&self) -> Chain {
        let mut chain = Chain::new(self.contracts, Vec::new());
        for number in 0..=self.provider.get_block_number().await.unwrap() {
            let block = self.provider.get_block_by_number(BlockNumberOrTag::Number(number)).await.unwrap().unwrap();
            let logs = self.provider.get_logs(&Filter::new().select(number)).await.unwrap();
            chain.copy(block, logs).unwrap();
        }
        chain
    }
}

#[tokio::test]
async fn a_copy_of_real_transactions_reads_as_the_real_chain_does() {
    let sample = Sample::new().await;
    for salt in 0..3 {
        let (id, terms) = sample.open(salt).await;
        if salt == 2 {
            sample.decline(id, &terms).await;
            continue;
        }
        sample.activate(id, &terms).await;
        for window in 0..WINDOWS {
            sample.window(id, &terms, window).await;
        }
        if salt == 0 {
            sample.deliver(id, &terms).await;
        }
    }
    let real = crate::world(&sample._anvil.endpoint(), sample.contracts).await;
    assert_eq!(real.campaigns.len(), 3);
    let submissions: u32 = real.campaigns.values().map(|campaign| campaign.submissions).sum();
    assert_eq!(submissions as usize, 2 * WINDOW * WINDOWS as usize);
    let chain = Arc::new(RwLock::new(sample.copied().await));
    let copy = folded(&chain, NodeLimits::default()).await;
    assert_eq!(real.campaigns, copy.campaigns);
    assert_eq!(real.capsules, copy.capsules);
    assert_eq!(real.head.hash, copy.head.hash);
}
