//! A real chain with the contracts and a registered Capsule whose keys the test has.

use std::time::Duration;

use alloy::{
    primitives::{Address, B256, U256},
    providers::Provider,
    signers::{SignerSync, local::PrivateKeySigner},
};
use sonar_anvil::{Anvil, AnvilConfig};
use sonar_contracts::{
    Activation, Attestation, AuditTerms, Delivery, Deployment, Outcome, Publication, STAKE_UNIT, Settlement, Terms,
    local_bounds,
};
use sonar_node::chain::{Client, Options, RpcNode, Sender, SignedSettlement, deploy};
use sonar_protocol::{
    event::CapsuleLimits,
    handover::{Handover, Published},
    ids::{CampaignId, Digest},
    units::Amount,
    view::CampaignView,
};

/// The hand-over of a placeholder material.
pub fn handover(material: Digest) -> Handover {
    let word = |mark: u8| B256::repeat_byte(material.0[0] ^ mark);
    Handover { root: word(1), commitment: word(2), point: word(3), ciphertext: word(4) }
}

/// The published form of the placeholder.
pub fn published(material: Digest) -> Published {
    Published::new(material, &handover(material))
}

pub struct Stage {
    pub anvil: Anvil,
    pub deployment: Deployment,
    pub owner: Client,
    pub miners: Vec<Client>,
    pub capsule: Client,
    pub attester: PrivateKeySigner,
}

pub const OPTIONS: Options = Options {
    patience: Duration::from_secs(10),
    receipt: Duration::from_secs(20),
    stuck: Duration::from_secs(10),
    poll: Duration::from_millis(5),
};

/// Digest of the Capsule's certificate.
pub const CERTIFICATE: Digest = Digest([0xCE; 32]);

/// Limits that admit every campaign.
pub fn limits() -> CapsuleLimits {
    CapsuleLimits {
        stake_per_campaign: u128::MAX.into(),
        stake_in_all: u128::MAX.into(),
        longest_run: u32::MAX,
        longest_audit: u32::MAX,
        shortest_evaluation: 1,
        shortest_delivery: 1,
        max_submissions: u32::MAX,
    }
}

/// Deploys the contracts to a new chain.
pub async fn deployed(anvil: &Anvil, supply: U256) -> Deployment {
    let node = RpcNode::new(&anvil.endpoint(), OPTIONS.patience).unwrap();
    deploy(&Sender::new(node, anvil.signers()[0].clone(), OPTIONS), supply, local_bounds()).await.unwrap()
}

impl Stage {
    pub async fn new() -> Self {
        let anvil = Anvil::spawn(AnvilConfig::default()).await.unwrap();
        let signers = anvil.signers();
        let supply = U256::from(10).pow(U256::from(27));
        let deployment = deployed(&anvil, supply).await;
        let owner =
            Client::connect_with(&anvil.endpoint(), deployment, Some(signers[0].clone()), OPTIONS).await.unwrap();
        let capsule = owner.with_signer(signers[1].clone());
        let miners = signers[2..5].iter().map(|signer| owner.with_signer(signer.clone())).collect();
        let attester = signers[9].clone();
        capsule
            .register(
                attester.address(),
                B256::repeat_byte(0xFA),
                CERTIFICATE,
                "http://127.0.0.1:1",
                10_000_u32.try_into().unwrap(),
                Amount::from(10_u128.pow(18)),
            )
            .await
            .unwrap();
        capsule.authorize(true).await.unwrap();
        capsule.set_limits(limits()).await.unwrap();
        for token in [Address::ZERO, deployment.datacoin] {
            capsule.set_token(token, Some(0)).await.unwrap();
        }
        Self { deployment, owner, miners, capsule, attester, anvil }
    }

    pub async fn terms(&self, salt: u8) -> Terms {
        Terms {
            owner: self.owner.address().unwrap(),
            token: Address::ZERO,
            bounty: 1_000_000_000_000_003,
            startPpm: 100_000,
            tolerancePpm: 20_000,
            targetPpm: 800_000,
            gridPpm: 5_000,
            maxSubmissions: 40,
            maxAccepts: 12,
            windowSize: 3,
            windowSeconds: 60,
            capPerVersion: 2,
            deadline: self.owner.now().await.unwrap().plus(3_000_u32).unix(),
            activationSeconds: 100,
            evaluationSeconds: 200,
            deliverySeconds: 300,
            audit: AuditTerms { period: 400, keys: B256::repeat_byte(8), ..AuditTerms::default() },
            capsule: self.capsule.address().unwrap(),
            feePpm: 10_000,
            stake: 1_000,
            submissionStake: 5 * STAKE_UNIT,
            manifest: B256::repeat_byte(9),
            salt: B256::repeat_byte(salt),
        }
    }

    pub fn sign(&self, statement: &impl Attestation) -> Vec<u8> {
        let hash = statement.signing_hash(self.deployment.chain_id, self.deployment.campaigns);
        self.attester.sign_hash_sync(&hash).unwrap().as_bytes().to_vec()
    }

    pub async fn activate(&self, terms: &Terms, start_ppm: u32) {
        self.activate_with(terms, start_ppm, published(Digest([1; 32]))).await;
    }

    pub async fn activate_with(&self, terms: &Terms, start_ppm: u32, first: Published) {
        let Publication { material, root, handover } = first.into();
        let campaign = self.owner.id(terms).0;
        let window_hash = self.owner.status(campaign.into()).await.unwrap().windowHash;
        let certificate = CERTIFICATE.into();
        let signature = self.sign(&Activation {
            campaign,
            startPpm: start_ppm,
            windowHash: window_hash,
            material,
            root,
            handover,
            certificate,
        });
        self.capsule.activate(terms, start_ppm.try_into().unwrap(), first, CERTIFICATE, &signature).await.unwrap();
    }

    /// What the Capsule signs about a delivery.
    pub async fn delivery(&self, id: CampaignId, result: Digest) -> Delivery {
        let window_hash = self.owner.status(id).await.unwrap().windowHash;
        Delivery { campaign: id.0, windowHash: window_hash, result: result.into() }
    }

    /// Delivers, with the sealed hand-overs.
    pub async fn finalize(&self, terms: &Terms, result: Digest) -> Result<(), sonar_node::chain::Error> {
        let id = self.owner.id(terms);
        let handovers: Vec<_> =
            self.view(id).await.versions.iter().map(|version| handover(version.published.material)).collect();
        let signature = self.sign(&self.delivery(id, result).await);
        self.capsule.finalize(terms, result, &handovers, &signature).await.map(drop)
    }

    /// Input of a settlement of the current window: codes, next material, signature.
    pub fn settlement(
        &self,
        view: &CampaignView,
        outcomes: &[Outcome],
        next: Option<Digest>,
        close: u8,
    ) -> (Vec<u16>, Vec<u8>) {
        let codes: Vec<u16> = outcomes.iter().map(|o| o.encode().unwrap()).collect();
        let Publication { material, root, handover } = next.map(published).map(Into::into).unwrap_or_default();
        let signature = self.sign(&Settlement {
            campaign: view.id.0,
            version: view.version().0,
            window: view.window.index.0,
            windowHash: view.window_hash(),
            outcomes: codes.clone(),
            material,
            root,
            handover,
            close,
        });
        (codes, signature)
    }

    pub async fn settle(
        &self,
        view: &CampaignView,
        outcomes: &[Outcome],
        next: Option<Digest>,
        close: u8,
    ) -> Result<(), sonar_node::chain::Error> {
        let (_, signature) = self.settlement(view, outcomes, next, close);
        let settlement = SignedSettlement {
            terms: &view.terms,
            window_start: view.window.start,
            submissions: &view.window.submissions,
            outcomes,
            next: next.map(published),
            close: close.try_into().unwrap(),
            signature: &signature,
        };
        self.capsule.settle(settlement).await.map(drop)
    }

    /// Reads the current state of a campaign from the chain.
    pub async fn view(&self, id: CampaignId) -> CampaignView {
        self.owner.world(0, None).await.unwrap().campaign(id).unwrap().clone()
    }

    pub async fn pass(&self, seconds: u64) {
        let provider = self.anvil.provider();
        let _: serde_json::Value = provider.raw_request("evm_increaseTime".into(), (seconds,)).await.unwrap();
        let _: serde_json::Value = provider.raw_request("evm_mine".into(), ()).await.unwrap();
    }
}
