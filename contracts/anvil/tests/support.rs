//! A chain with everything deployed, and a Capsule and people on it.

use std::time::Duration;

use alloy::{
    network::TransactionBuilder,
    primitives::{Address, B256, Bytes, U256, keccak256, utils::parse_ether},
    providers::{DynProvider, Provider},
    rpc::types::{Filter, TransactionReceipt, TransactionRequest},
    signers::{SignerSync, local::PrivateKeySigner},
    sol_types::{SolCall, SolEvent},
    transports::TransportError,
};
use sonar_anvil::{Anvil, AnvilConfig};
use sonar_contracts::{
    Activation, Attestation, AuditTerms, Campaigns, CapsuleRegistry, DataCoin, Deployment, Handover, Limits, Outcome,
    Publication, Revert, Settlement, Submission, Terms, campaign_id, decode_revert, fee, handover_hash, local_bounds,
};
use sonar_node::chain::{Options, RpcNode, Sender, deploy};

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
        let options = Options { poll: Duration::from_millis(5), ..Options::default() };
        let node = RpcNode::new(&anvil.endpoint(), options.patience).expect("a URL");
        let deployer = Sender::new(node, anvil.signers()[DEPLOYER].clone(), options);
        let deployment = deploy(&deployer, parse_ether("1000000").unwrap(), local_bounds()).await.expect("deploys");
        let world = Self { anvil, deployment };
        world.register().await;
        world
    }

    async fn register(&self) {
        let registry = self.registry(CAPSULE);
        let attester = self.address(ATTESTER);
        let describe = registry
            .with(CapsuleRegistry::registerCall {
                attester,
                fingerprint: B256::repeat_byte(1),
                certificate: B256::repeat_byte(2),
                endpoint: "http://127.0.0.1:1".into(),
                feePpm: FEE_PPM,
            })
            .value(U256::from(10 * STAKE));
        sent(describe).await;
        let authorize = registry.authorize(self.deployment.campaigns, true);
        sent(authorize).await;
        let most = Limits {
            stakePerCampaign: u128::MAX,
            stakeInAll: u128::MAX,
            longestRun: u32::MAX,
            longestAudit: u32::MAX,
            shortestEvaluation: 1,
            shortestDelivery: 1,
            maxSubmissions: u32::MAX,
        };
        sent(registry.setLimits(most)).await;
        for token in [Address::ZERO, self.deployment.datacoin] {
            sent(registry.setToken(token, true, 0)).await;
        }
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

    pub fn campaigns(&self, who: usize) -> Contract {
        Contract { address: self.deployment.campaigns, provider: self.provider(who) }
    }

    pub fn registry(&self, who: usize) -> Contract {
        Contract { address: self.deployment.registry, provider: self.provider(who) }
    }

    pub fn datacoin(&self, who: usize) -> Contract {
        Contract { address: self.deployment.datacoin, provider: self.provider(who) }
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
            audit: AuditTerms { period: 600, keys: keccak256("audit keys"), ..AuditTerms::default() },
            capsule: self.address(CAPSULE),
            feePpm: FEE_PPM,
            stake: STAKE,
            submissionStake: SUBMISSION_STAKE,
            manifest: keccak256("manifest"),
            salt: B256::ZERO,
        }
    }

    pub fn id(&self, terms: &Terms) -> B256 {
        campaign_id(self.deployment.chain_id, self.deployment.campaigns, terms)
    }

    /// The Capsule's signature.
    pub fn attest(&self, attestation: &impl Attestation) -> Bytes {
        let hash = attestation.signing_hash(self.deployment.chain_id, self.deployment.campaigns);
        self.signer(ATTESTER).sign_hash_sync(&hash).unwrap().as_bytes().into()
    }

    /// A campaign that takes submissions.
    pub async fn opened(&self, terms: &Terms) -> B256 {
        let deposit = U256::from(terms.bounty) + fee(terms.bounty, terms.feePpm);
        sent(self.campaigns(OWNER).open(terms.clone()).value(deposit)).await;
        self.activate(terms).await;
        self.id(terms)
    }

    pub async fn activate(&self, terms: &Terms) {
        self.activate_with(terms, published(keccak256("version 1"))).await;
    }

    pub async fn activate_with(&self, terms: &Terms, first: Publication) {
        let Publication { material, root, handover } = first;
        let (campaign, certificate) = (self.id(terms), keccak256("certificate"));
        let window = self.campaigns(ATTESTER).window(campaign).call().await.unwrap().hash;
        let signature = self.attest(&Activation {
            campaign,
            startPpm: 100_000,
            windowHash: window,
            material,
            root,
            handover,
            certificate,
        });
        sent(self.campaigns(ATTESTER).activate(terms.clone(), 100_000, first, certificate, signature)).await;
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
        let campaigns = self.campaigns(miner);
        let due = campaigns.stakesOf(id, self.address(miner)).call().await.unwrap().due;
        sent(campaigns.submit(id, version, content).value(due)).await
    }

    /// What the Capsule signs about the present window.
    pub async fn settlement(&self, id: B256, outcomes: &[Outcome], next: B256) -> Settlement {
        let window = self.campaigns(ATTESTER).window(id).call().await.unwrap();
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

    /// Advances the chain's time.
    pub async fn pass(&self, seconds: u32) {
        let provider = self.anvil.provider();
        let _: serde_json::Value = provider.raw_request("evm_increaseTime".into(), (seconds,)).await.unwrap();
        let _: serde_json::Value = provider.raw_request("evm_mine".into(), ()).await.unwrap();
    }

    pub async fn balance(&self, who: Address) -> U256 {
        self.anvil.provider().get_balance(who).await.unwrap()
    }
}

/// A contract, seen by an account.
#[derive(Clone)]
pub struct Contract {
    pub address: Address,
    pub provider: DynProvider,
}

impl Contract {
    pub fn with<C: SolCall>(&self, call: C) -> Call<C> {
        Call { contract: self.clone(), call, value: U256::ZERO }
    }
}

/// Methods of a contract by name.
macro_rules! methods {
    ($($contract:ident :: $name:ident => $call:ident { $($field:ident : $kind:ty),* };)*) => {
        #[allow(non_snake_case)]
        impl Contract {
            $(pub fn $name(&self, $($field: $kind),*) -> Call<$contract::$call> {
                self.with($contract::$call { $($field),* })
            })*
        }
    };
}

methods! {
    Campaigns::open => openCall { t: Terms };
    Campaigns::openWithPermit => openWithPermitCall { t: Terms, permitDeadline: U256, v: u8, r: B256, s: B256 };
    Campaigns::activate => activateCall { t: Terms, startPpm: u32, first: Publication, certificate: B256, sig: Bytes };
    Campaigns::release => releaseCall { t: Terms };
    Campaigns::submit => submitCall { id: B256, version: u32, content: B256 };
    Campaigns::finalize => finalizeCall { t: Terms, result: B256, handovers: Vec<Handover>, sig: Bytes };
    Campaigns::withdraw => withdrawCall { t: Terms, to: Address };
    Campaigns::withdrawStake => withdrawStakeCall { t: Terms, to: Address };
    Campaigns::status => statusCall { id: B256 };
    Campaigns::stakesOf => stakesOfCall { id: B256, account: Address };
    Campaigns::window => windowCall { id: B256 };
    Campaigns::owed => owedCall { id: B256, account: Address };
    Campaigns::ledger => ledgerCall { t: Terms };
    Campaigns::campaignId => campaignIdCall { t: Terms };
    Campaigns::REGISTRY => REGISTRYCall {};
    CapsuleRegistry::setLimits => setLimitsCall { limits_: Limits };
    CapsuleRegistry::setToken => setTokenCall { token: Address, accepted: bool, leastFee: u128 };
    CapsuleRegistry::unstake => unstakeCall { amount: U256 };
    CapsuleRegistry::authorize => authorizeCall { campaigns: Address, allowed: bool };
    DataCoin::transfer => transferCall { to: Address, value: U256 };
    DataCoin::approve => approveCall { spender: Address, value: U256 };
    DataCoin::balanceOf => balanceOfCall { account: Address };
    DataCoin::totalSupply => totalSupplyCall {};
    DataCoin::DOMAIN_SEPARATOR => DOMAIN_SEPARATORCall {};
}

/// A call of a contract that was not made yet.
pub struct Call<C> {
    contract: Contract,
    call: C,
    value: U256,
}

impl<C: SolCall> Call<C> {
    pub fn value(self, value: U256) -> Self {
        Self { value, ..self }
    }

    fn request(&self) -> TransactionRequest {
        TransactionRequest::default()
            .with_to(self.contract.address)
            .with_value(self.value)
            .with_input(self.call.abi_encode())
    }

    pub async fn call(&self) -> Result<C::Return, TransportError> {
        let data = self.contract.provider.call(self.request()).await?;
        Ok(C::abi_decode_returns(&data).expect("an answer of this method"))
    }
}

/// Sends a call and waits for its success. It may use more gas than was estimated: to write the time of a change is free within the second
/// of the change before, and the block may be of the next one.
pub async fn sent<C: SolCall>(call: Call<C>) -> TransactionReceipt {
    let (request, provider) = (call.request(), &call.contract.provider);
    let estimate = provider.estimate_gas(request.clone()).await.expect("the call succeeds");
    let pending = provider.send_transaction(request.with_gas_limit(estimate + estimate / 2)).await.expect("is sent");
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

/// The hash of the present window while it was empty, as the last event says.
pub async fn window_start(campaigns: &Contract, id: B256) -> B256 {
    let starts = vec![Campaigns::Opened::SIGNATURE_HASH, Campaigns::Settled::SIGNATURE_HASH];
    let filter = Filter::new().address(campaigns.address).from_block(0).event_signature(starts).topic1(id);
    let logs = campaigns.provider.get_logs(&filter).await.unwrap();
    let last = logs.last().expect("the campaign was opened");
    match last.topics()[0] {
        Campaigns::Opened::SIGNATURE_HASH => last.log_decode::<Campaigns::Opened>().unwrap().inner.windowStart,
        _ => last.log_decode::<Campaigns::Settled>().unwrap().inner.windowStart,
    }
}

/// The call that settles the present window.
pub async fn settle(
    campaigns: &Contract,
    terms: &Terms,
    submissions: &[Submission],
    settlement: &Settlement,
    signature: Bytes,
) -> Call<Campaigns::settleCall> {
    campaigns.with(Campaigns::settleCall {
        t: terms.clone(),
        windowStart: window_start(campaigns, settlement.campaign).await,
        subs: submissions.to_vec(),
        outcomes: settlement.outcomes.clone(),
        next: published(settlement.material),
        close_: settlement.close,
        sig: signature,
    })
}

/// Why the contract refuses a call.
pub async fn refusal<C: SolCall>(call: Call<C>) -> Revert {
    let Err(error) = call.call().await else { panic!("the contract took what it should refuse") };
    let data = error.as_error_resp().and_then(|payload| payload.as_revert_data());
    let data = data.unwrap_or_else(|| panic!("not a revert: {error}"));
    decode_revert(&data).unwrap_or_else(|| panic!("an unknown error: {data}"))
}
