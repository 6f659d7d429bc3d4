//! A chain with everything deployed, and a Capsule and people on it.

use alloy::{
    network::TransactionBuilder,
    primitives::{Address, B256, Bytes, U256, keccak256, utils::parse_ether},
    providers::{DynProvider, Provider},
    rpc::types::{TransactionReceipt, TransactionRequest},
    signers::{SignerSync, local::PrivateKeySigner},
};
use sonar_contracts::{
    Attestation, CapsuleRegistry, DataCoin, Deployment, Revert, Sonar, Submission, Terms,
    anvil::{Anvil, AnvilConfig},
    campaign_id, decode_revert, deploy,
};

pub const FEE_PPM: u32 = 20_000;
pub const STAKE: u128 = 1_000_000_000_000_000_000;

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
        Self::on(AnvilConfig {
            accounts: 20,
            ..AnvilConfig::default()
        })
        .await
    }

    pub async fn on(config: AnvilConfig) -> Self {
        let anvil = Anvil::spawn(config).await.expect("anvil starts");
        let deployer = anvil.provider_as(anvil.signers()[DEPLOYER].clone());
        let deployment = deploy(deployer, parse_ether("1000000").unwrap())
            .await
            .expect("deploys");
        let world = Self { anvil, deployment };
        world.register().await;
        world
    }

    async fn register(&self) {
        let registry = self.registry(CAPSULE);
        let attester = self.address(ATTESTER);
        let describe = registry
            .register(
                attester,
                B256::repeat_byte(1),
                B256::repeat_byte(2),
                "http://127.0.0.1:1".into(),
                FEE_PPM,
            )
            .value(U256::from(10 * STAKE));
        done(describe.send().await.unwrap().get_receipt().await.unwrap());
        let authorize = registry.authorize(self.deployment.sonar, true);
        done(authorize.send().await.unwrap().get_receipt().await.unwrap());
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

    pub async fn now(&self) -> u64 {
        let latest = alloy::eips::BlockNumberOrTag::Latest;
        self.anvil
            .provider()
            .get_block_by_number(latest)
            .await
            .unwrap()
            .unwrap()
            .header
            .timestamp
    }

    /// Terms that the contract takes, with a bounty in ETH.
    pub async fn terms(&self) -> Terms {
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
            deadline: self.now().await + 86_400,
            activationSeconds: 600,
            evaluationSeconds: 600,
            deliverySeconds: 600,
            capsule: self.address(CAPSULE),
            attester: self.address(ATTESTER),
            feePpm: FEE_PPM,
            stake: STAKE,
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
        self.signer(ATTESTER)
            .sign_hash_sync(&hash)
            .unwrap()
            .as_bytes()
            .into()
    }

    pub async fn balance(&self, who: Address) -> U256 {
        self.anvil.provider().get_balance(who).await.unwrap()
    }

    pub async fn pay(&self, from: usize, to: Address, wei: u128) -> TransactionReceipt {
        let payment = TransactionRequest::default()
            .with_to(to)
            .with_value(U256::from(wei));
        done(
            self.provider(from)
                .send_transaction(payment)
                .await
                .unwrap()
                .get_receipt()
                .await
                .unwrap(),
        )
    }
}

/// Sends a call and waits for its success.
#[macro_export]
macro_rules! send {
    ($call:expr) => {
        $crate::support::done(
            $call
                .send()
                .await
                .expect("is sent")
                .get_receipt()
                .await
                .expect("arrives"),
        )
    };
}

pub fn done(receipt: TransactionReceipt) -> TransactionReceipt {
    assert!(
        receipt.status(),
        "transaction {} was reverted",
        receipt.transaction_hash
    );
    receipt
}

/// Why the contract refuses a call.
pub async fn refusal<D: alloy::contract::CallDecoder>(
    call: alloy::contract::CallBuilder<DynProvider, D>,
) -> Revert {
    let Err(error) = call.call().await else {
        panic!("the contract took what it should refuse")
    };
    let data = error
        .as_revert_data()
        .unwrap_or_else(|| panic!("not a revert: {error}"));
    decode_revert(&data).unwrap_or_else(|| panic!("an unknown error: {data}"))
}

/// A submission with content that nobody else has.
pub fn submission(miner: Address, label: &str) -> Submission {
    Submission {
        miner,
        content: keccak256(label),
    }
}
