//! A chain with everything deployed, and a Capsule and people on it.

use alloy::{
    contract::{CallBuilder, CallDecoder, SolCallBuilder},
    primitives::{Address, B256, Bytes, U256, keccak256, utils::parse_ether},
    providers::{DynProvider, Provider},
    rpc::types::TransactionReceipt,
    signers::{SignerSync, local::PrivateKeySigner},
};
use sonar_contracts::{
    Activation, Attestation, AuditTerms, CapsuleRegistry, DataCoin, Deployment, Handover, Outcome, Publication, Revert,
    Settlement, Sonar, Submission, Terms,
    anvil::{Anvil, AnvilConfig},
    campaign_id, decode_revert, deploy, fee, handover_hash,
};

pub const FEE_PPM: u32 = 20_000;
pub const STAKE: u128 = 1_000_000_000_000_000_000;
pub const SUBMISSION_STAKE: u128 = 500_000_000_000_000;

/// Accounts by their place among anvil's.
pub const DEPLOYER: usize = 0;
pub const OWNER: usize = 1;
pub const CAPSULE: usize = 2;
pub const ATTESTER: usize = 3;
pub const FIRST_MINER: usize = 4;

pub struct World {
    pub anvil: Anvil,
    pub deployment: Deployment,
}

impl World {
    pub async fn new() -> Self {
        Self::on(AnvilConfig { accounts: 20, ..AnvilConfig::default() }).await
    }

    pub async fn on(config: AnvilConfig) -> Self {
        let anvil = Anvil::spawn(config).await.expect("anvil starts");
        let deployer = anvil.provider_as(anvil.signers()[DEPLOYER].clone());
        let deployment = deploy(deployer, parse_ether("1000000").unwrap()).await.expect("deploys");
        let world = Self { anvil, deployment };
        world.register().await;
        world
    }

    async fn register(&self) {
        let registry = self.registry(CAPSULE);
        let attester = self.address(ATTESTER);
        let describe = registry
            .register(attester, B256::repeat_byte(1), B256::repeat_byte(2), "http://127.0.0.1:1".into(), FEE_PPM)
            .value(U256::from(10 * STAKE));
        sent(describe).await;
        let authorize = registry.authorize(self.deployment.sonar, true);
        sent(authorize).await;
    }

    pub fn signer(&self, who: usize) -> &PrivateKeySigner {
        &self.anvil.signers()[who]
    }

    pub fn address(&self, who: usize) -> Address {
        self.signer(who).address()
    }

    pub fn provider(&self, who: usize) -> DynProvider {
        self.anvil.provider_as(self.signer(who).clone())
    }

    pub fn sonar(&self, who: usize) -> Sonar::SonarInstance<DynProvider> {
        Sonar::new(self.deployment.sonar, self.provider(who))
    }

    pub fn registry(&self, who: usize) -> CapsuleRegistry::CapsuleRegistryInstance<DynProvider> {
        CapsuleRegistry::new(self.deployment.registry, self.provider(who))
    }

    pub fn datacoin(&self, who: usize) -> DataCoin::DataCoinInstance<DynProvider> {
        DataCoin::new(self.deployment.datacoin, self.provider(who))
    }

    /// Terms that the contract takes, with a bounty in ETH.
    pub fn terms(&self) -> Terms {
        Terms {
            owner: self.address(OWNER),
            token: Address::ZERO,
            bounty: parse_ether("1").unwrap().to(),
            startPpm: 100_000,
            tolerancePpm: 20_000,
            targetPpm: 900_000,
            gridPpm: 5_000,
            maxSubmissions: 200,
            maxAccepts: 20,
            windowSize: 10,
            windowSeconds: 600,
            capPerVersion: 10,
            // Far away, and always the same: what calldata costs depends on its bytes.
            deadline: 4_000_000_000,
            activationSeconds: 600,
            evaluationSeconds: 600,
            deliverySeconds: 600,
            audit: AuditTerms { period: 600, keys: keccak256("audit keys") },
            capsule: self.address(CAPSULE),
            attester: self.address(ATTESTER),
            feePpm: FEE_PPM,
            stake: STAKE,
            submissionStake: SUBMISSION_STAKE,
            manifest: keccak256("manifest"),
            salt: B256::ZERO,
        }
    }

    pub fn id(&self, terms: &Terms) -> B256 {
        campaign_id(self.deployment.chain_id, self.deployment.sonar, terms)
    }

    /// The Capsule's signature.
    pub fn attest(&self, attestation: &impl Attestation) -> Bytes {
        let hash = attestation.signing_hash(self.deployment.chain_id, self.deployment.sonar);
        self.signer(ATTESTER).sign_hash_sync(&hash).unwrap().as_bytes().into()
    }

    /// A campaign that takes submissions.
    pub async fn opened(&self, terms: &Terms) -> B256 {
        let deposit = U256::from(terms.bounty) + fee(terms.bounty, terms.feePpm);
        sent(self.sonar(OWNER).open(terms.clone()).value(deposit)).await;
        self.activate(terms).await;
        self.id(terms)
    }

    pub async fn activate(&self, terms: &Terms) {
        self.activate_with(terms, published(keccak256("version 1"))).await;
    }

    pub async fn activate_with(&self, terms: &Terms, first: Publication) {
        let Publication { material, root, handover } = first;
        let signature =
            self.attest(&Activation { campaign: self.id(terms), startPpm: 100_000, material, root, handover });
        sent(self.sonar(ATTESTER).activate(terms.clone(), 100_000, first, signature)).await;
    }

    /// `count` miners submit an update each.
    pub async fn submitted(&self, id: B256, version: u32, count: usize) -> Vec<(Submission, u64)> {
        let mut submissions = Vec::new();
        for place in 0..count {
            let miner = FIRST_MINER + place;
            let content = keccak256(format!("update {place} to version {version}"));
            let receipt = self.submit(miner, id, version, content).await;
            submissions.push((Submission { miner: self.address(miner), content }, receipt.gas_used));
        }
        submissions
    }

    /// Submits with the stake that is due.
    pub async fn submit(&self, miner: usize, id: B256, version: u32, content: B256) -> TransactionReceipt {
        let sonar = self.sonar(miner);
        let due = sonar.stakesOf(id, self.address(miner)).call().await.unwrap().due;
        sent(sonar.submit(id, version, content).value(due)).await
    }

    /// What the Capsule signs about the present window.
    pub async fn settlement(&self, id: B256, outcomes: &[Outcome], next: B256) -> Settlement {
        let window = self.sonar(ATTESTER).window(id).call().await.unwrap();
        let Publication { material, root, handover } = published(next);
        Settlement {
            campaign: id,
            version: window.version,
            window: window.index,
            windowHash: window.hash,
            outcomes: outcomes.iter().map(|outcome| outcome.encode().unwrap()).collect(),
            material,
            root,
            handover,
            close: 0,
        }
    }

    pub async fn balance(&self, who: Address) -> U256 {
        self.anvil.provider().get_balance(who).await.unwrap()
    }
}

/// Sends a call and waits for its success. It may use more gas than was estimated: to write the time of a change is free within the second
/// of the change before, and the block may be of the next one.
pub async fn sent<P: Provider, D: CallDecoder>(call: CallBuilder<P, D>) -> TransactionReceipt {
    let estimate = call.estimate_gas().await.expect("is no revert");
    let pending = call.gas(estimate + estimate / 2).send().await.expect("is sent");
    let receipt = pending.get_receipt().await.expect("arrives");
    assert!(receipt.status(), "transaction {} was reverted", receipt.transaction_hash);
    receipt
}

/// What is published with a material, nothing with none.
pub fn published(material: B256) -> Publication {
    if material.is_zero() {
        return Publication::default();
    }
    let handover = handover(material);
    Publication { material, root: handover.root, handover: handover_hash(&handover) }
}

/// The hand-over that was sealed with it.
pub fn handover(material: B256) -> Handover {
    let word = |name: &str| keccak256([material.as_slice(), name.as_bytes()].concat());
    Handover {
        root: word("root"),
        commitment: word("commitment"),
        point: word("point"),
        ciphertext: word("ciphertext"),
    }
}

/// The call that settles the present window.
pub fn settle<'a>(
    sonar: &'a Sonar::SonarInstance<DynProvider>,
    terms: &Terms,
    submissions: &[Submission],
    settlement: &Settlement,
    signature: Bytes,
) -> SolCallBuilder<&'a DynProvider, Sonar::settleCall> {
    let outcomes = settlement.outcomes.clone();
    let next = published(settlement.material);
    sonar.settle(terms.clone(), submissions.to_vec(), outcomes, next, settlement.close, signature)
}

/// Why the contract refuses a call.
pub async fn refusal<P: Provider, D: CallDecoder>(call: CallBuilder<P, D>) -> Revert {
    let Err(error) = call.call().await else { panic!("the contract took what it should refuse") };
    let data = error.as_revert_data().unwrap_or_else(|| panic!("not a revert: {error}"));
    decode_revert(&data).unwrap_or_else(|| panic!("an unknown error: {data}"))
}
