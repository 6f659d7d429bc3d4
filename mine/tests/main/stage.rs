//! A chain, a hub, and a Capsule whose keys the test holds.

use std::{path::PathBuf, sync::Arc, time::Duration};

use alloy::{
    primitives::{Address, B256, U256},
    providers::Provider,
    signers::{SignerSync, local::PrivateKeySigner},
};
use sonar_anvil::{Anvil, AnvilConfig};
use sonar_contracts::{
    Activation, Attestation, CloseReason, Deployment, Outcome, Publication, Settlement, Terms, Tree,
};
use sonar_node::{
    chain::{Client, SignedSettlement},
    ipfs::{Node, NodeConfig, loopback},
};
use sonar_protocol::{
    campaign::CampaignFile,
    families::Linear,
    fingerprint::Fingerprint,
    handover::{AuditSecret, Published},
    ids::{CampaignId, Digest},
    launch::{self, CapsuleTerms, Inputs, Recipient},
    manifest::Manifest,
    pgp::{CampaignKey, Identity},
    units::Amount,
    view::CampaignView,
};
use syft::{Binding, Ppm, SecretKey, VersionSeed, Weights};
use syft_nets::Model;

use testkit::{
    stage::{OPTIONS, deployed, limits},
    yes_or_no,
};

pub struct Stage {
    pub anvil: Anvil,
    pub deployment: Deployment,
    pub hub: Node,
    pub capsule: Identity,
    owner: Client,
    operator: Client,
    attester: PrivateKeySigner,
    directory: tempfile::TempDir,
}

/// An open campaign with its secrets.
pub struct Campaign {
    pub id: CampaignId,
    pub manifest: Manifest,
    pub terms: Terms,
    /// What its updates are sealed to.
    pub key: CampaignKey,
}

impl Campaign {
    pub fn linear(&self) -> &Linear {
        self.manifest.method.linear().unwrap()
    }
}

impl Stage {
    pub async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let anvil = Anvil::spawn(AnvilConfig::default()).await.unwrap();
        let signers = anvil.signers();
        let deployment = deployed(&anvil, U256::from(1)).await;
        let account = Some(signers[0].clone());
        let owner = Client::connect_with(&anvil.endpoint(), deployment, account, OPTIONS).await.unwrap();
        let operator = owner.with_signer(signers[1].clone());
        let hub = Node::start(NodeConfig::hub(directory.path().join("hub"), loopback())).await.unwrap();
        let capsule = Identity::generate("Capsule <capsule@example.org>", "secret").unwrap();
        let certificate = hub.add(capsule.certificate().encode()).await.unwrap();
        let attester = signers[9].clone();
        let fingerprint = capsule.fingerprint().word();
        let stake = Amount::from(10_u128.pow(18));
        operator
            .register(attester.address(), fingerprint, certificate, "http://127.0.0.1:1", Ppm::of(1, 100), stake)
            .await
            .unwrap();
        operator.authorize(true).await.unwrap();
        operator.set_limits(limits()).await.unwrap();
        operator.set_token(Address::ZERO, Some(0)).await.unwrap();
        Self { deployment, hub, capsule, owner, operator, attester, directory, anvil }
    }

    /// A client for the Mine's account.
    pub fn client(&self, signer: PrivateKeySigner) -> Client {
        self.owner.with_signer(signer)
    }

    /// An IPFS node that knows the hub.
    pub async fn node(&self, repo: PathBuf) -> Arc<Node> {
        let peers = self.hub.addresses().to_vec();
        Arc::new(Node::start(NodeConfig::client(repo, peers)).await.unwrap())
    }

    /// Where `mine` finds the contracts.
    pub fn contracts(&self) -> String {
        let path = self.directory.path().join("contracts.json");
        std::fs::write(&path, serde_json::to_vec(&self.deployment).unwrap()).unwrap();
        path.display().to_string()
    }

    /// Opens a campaign; `change` may spoil its terms after the manifest was made from them.
    pub async fn open(&self, change: impl FnOnce(&mut Terms)) -> Campaign {
        self.open_with("", None, change).await
    }

    /// The same, of a campaign whose file says more, or whose model reads through a public network.
    pub async fn open_with(
        &self,
        more: &str,
        backbone: Option<(Model, Digest)>,
        change: impl FnOnce(&mut Terms),
    ) -> Campaign {
        let inputs = Inputs {
            chain_id: self.deployment.chain_id,
            contract: self.deployment.campaigns,
            validation: yes_or_no::csv(100).into_bytes().into(),
            initial: None,
            backbone,
            owner: self.owner.address().unwrap(),
            scientist: Recipient {
                certificate: b"certificate".to_vec(),
                fingerprint: Fingerprint::V4([0xAB; 20]),
                expires: None,
            },
            token: Address::ZERO,
            bounty: Amount::from(10_u128.pow(18)),
            capsule: CapsuleTerms {
                operator: self.operator.address().unwrap(),
                fee_ppm: Ppm::of(1, 100),
                stake: Amount::ZERO,
                fingerprint: self.capsule.fingerprint(),
            },
            now: self.owner.now().await.unwrap(),
            bundle_salt: [5; 32].into(),
            salt: B256::from(self.anvil.provider().get_block_number().await.map(U256::from).unwrap()),
            audit: AuditSecret::of(&PrivateKeySigner::random(), B256::ZERO),
        };
        let file = yes_or_no::campaign("submissions = 6\naccepts = 2\nwindow = 3") + more;
        let plan = launch::plan(&CampaignFile::parse(&file).unwrap(), inputs).unwrap();
        let manifest = plan.manifest(Digest([9; 32]));
        let digest = self.hub.add(manifest.encode().unwrap()).await.unwrap();
        let mut terms = Terms::clone(&plan.terms(digest));
        change(&mut terms);
        self.owner.open(&terms).await.unwrap();
        let id = self.owner.id(&terms);
        Campaign { id, manifest, terms, key: CampaignKey::generate(id, &self.capsule).unwrap() }
    }

    /// The binding of the campaign's next version.
    pub async fn binding(&self, campaign: &Campaign) -> Binding {
        let view = self.view(campaign.id).await;
        Binding {
            chain_id: self.deployment.chain_id,
            contract: self.deployment.campaigns.into(),
            campaign: *campaign.id.as_bytes(),
            version: view.version().0 + 1,
            beacon: view.next_beacon().0,
        }
    }

    /// Publishes a model of zeros for a version.
    pub async fn publish(&self, campaign: &Campaign, binding: &Binding) -> (SecretKey, Digest) {
        let seed = VersionSeed::generate().unwrap();
        let key = SecretKey::derive(&seed, &campaign.linear().parameters, binding);
        let material = key.publish(&Weights::zeros(campaign.linear().shape));
        let digest = self.hub.add(material.encode()).await.unwrap();
        (key, digest)
    }

    pub async fn activate(&self, campaign: &Campaign, material: Digest) {
        self.activate_with(campaign, self.published(material).await).await;
    }

    pub async fn activate_with(&self, campaign: &Campaign, first: Published) {
        let start_ppm = campaign.terms.startPpm / campaign.terms.gridPpm * campaign.terms.gridPpm;
        let Publication { material, root, handover } = first.into();
        let certificate = self.hub.add(campaign.key.certificate().unwrap()).await.unwrap();
        let signature = self.sign(&Activation {
            campaign: campaign.id.0,
            startPpm: start_ppm,
            windowHash: self.owner.status(campaign.id).await.unwrap().windowHash,
            material,
            root,
            handover,
            certificate: certificate.into(),
        });
        let sent =
            self.operator.activate(&campaign.terms, start_ppm.try_into().unwrap(), first, certificate, &signature);
        sent.await.unwrap();
    }

    /// What the Capsule binds itself to with a material on IPFS.
    pub async fn published(&self, material: Digest) -> Published {
        let bytes = self.hub.get(material, 1 << 22, Duration::from_secs(20)).await.unwrap();
        Published { material, root: Tree::of_material(&bytes).root(), handover: B256::repeat_byte(7) }
    }

    /// Lets the window's time pass and settles it.
    pub async fn settle(&self, id: CampaignId, outcomes: &[Outcome], next: Option<Digest>) {
        self.pass(61).await;
        let view = self.view(id).await;
        let next = match next {
            Some(material) => Some(self.published(material).await),
            None => None,
        };
        let Publication { material, root, handover } = next.map(Into::into).unwrap_or_default();
        let signature = self.sign(&Settlement {
            campaign: id.0,
            version: view.version().0,
            window: view.window.index.0,
            windowHash: view.window_hash(),
            outcomes: outcomes.iter().map(|o| o.encode().unwrap()).collect(),
            material,
            root,
            handover,
            close: 0,
        });
        let settlement = SignedSettlement {
            terms: &view.terms,
            window_start: view.window.start,
            submissions: &view.window.submissions,
            outcomes,
            next,
            close: CloseReason::None,
            signature: &signature,
        };
        self.operator.settle(settlement).await.unwrap();
    }

    /// Closes a campaign as its owner.
    pub async fn close(&self, campaign: &Campaign) {
        self.owner.close(&campaign.terms).await.unwrap();
    }

    /// A campaign as the chain tells it now.
    pub async fn view(&self, id: CampaignId) -> CampaignView {
        self.owner.world(0, None).await.unwrap().campaign(id).unwrap().clone()
    }

    /// What the chain would go back to.
    pub async fn snapshot(&self) -> String {
        let provider = self.anvil.provider();
        provider.raw_request("evm_snapshot".into(), ()).await.unwrap()
    }

    pub async fn go_back(&self, snapshot: String) {
        let provider = self.anvil.provider();
        let done: bool = provider.raw_request("evm_revert".into(), (snapshot,)).await.unwrap();
        assert!(done);
    }

    async fn pass(&self, seconds: u64) {
        let provider = self.anvil.provider();
        let _: serde_json::Value = provider.raw_request("evm_increaseTime".into(), (seconds,)).await.unwrap();
        let _: serde_json::Value = provider.raw_request("evm_mine".into(), ()).await.unwrap();
    }

    fn sign(&self, statement: &impl Attestation) -> Vec<u8> {
        let hash = statement.signing_hash(self.deployment.chain_id, self.deployment.campaigns);
        self.attester.sign_hash_sync(&hash).unwrap().as_bytes().to_vec()
    }
}
