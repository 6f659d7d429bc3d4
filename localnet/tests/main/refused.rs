//! An attacker with an account, an IPFS node and our own library gets nothing.

use std::time::Duration;

use alloy::signers::local::PrivateKeySigner;
use localnet::{demo::DemoInputs, network::Network, twin::Twin};
use sonar_contracts::{Campaigns::CampaignsErrors, Outcome, Revert};
use sonar_node::{
    chain::{Client, Error, WorldReader},
    discovery,
    ipfs::{Node, NodeConfig},
};
use sonar_protocol::{
    envelope::{EnvelopeHeader, ProtocolReject, seal_update},
    ids::{CampaignId, Digest, Version},
    limits,
    manifest::Manifest,
    pgp::{CampaignCertificate, Certificate},
    units::{Amount, Timestamp},
    view::CampaignView,
};
use syft::{Binding, EncryptedUpdate, SecretKey, VersionSeed, Weights, encrypt_update};

use crate::support::{coarse, network, runtime};

/// Updates that break the protocol in as many ways.
const FORGERIES: usize = 5;

/// An attacker: he knows what everybody knows, and has some accounts.
pub struct Attacker {
    node: Node,
    client: Client,
    pub accounts: Vec<PrivateKeySigner>,
    pub certificate: CampaignCertificate,
    pub manifest: Manifest,
}

impl Attacker {
    pub async fn enter(network: &Network, id: CampaignId) -> Self {
        let info = discovery::info(network.sonar_url()).await.unwrap();
        let hub = info.ipfs.iter().map(|address| address.parse().unwrap()).collect();
        let repo = network.directory().join("homes/attacker");
        let node = Node::start(NodeConfig::client(repo, hub)).await.unwrap();
        let capsule = network.capsule_certificate().await.unwrap();
        let capsule = Certificate::decode_signer(capsule.as_bytes(), Timestamp::EPOCH).unwrap();
        let certificate = until(network.client(), id, |view| view.certificate.is_some()).await.certificate.unwrap();
        let certificate = node.get(certificate, limits::CERTIFICATE, Duration::from_secs(20)).await.unwrap();
        Self {
            node,
            client: network.client().clone(),
            accounts: network.anvil().signers()[2..][..FORGERIES].to_vec(),
            certificate: CampaignCertificate::decode(&certificate, id, &capsule, Timestamp::EPOCH).unwrap(),
            manifest: network.manifest(id).await.unwrap(),
        }
    }

    pub fn header(&self, account: usize, id: CampaignId) -> EnvelopeHeader {
        let deployment = self.client.deployment();
        let miner = self.accounts[account].address();
        EnvelopeHeader::new(deployment.chain_id, deployment.campaigns, id, Version(1), miner)
    }

    /// A well-formed update under a key of his own.
    fn foreign_update(&self, id: CampaignId) -> Vec<u8> {
        let linear = self.manifest.method.linear().unwrap();
        let params = &linear.parameters;
        let binding = Binding {
            chain_id: self.client.deployment().chain_id,
            contract: self.client.deployment().campaigns.into(),
            campaign: id.0.0,
            version: 1,
            beacon: [1; 32],
        };
        let key = SecretKey::derive(&VersionSeed::generate().unwrap(), params, &binding);
        let material = key.publish(&Weights::zeros(linear.shape));
        let DemoInputs { validation, data, embedding, .. } = coarse(1, 1);
        let twin = Twin::new(&self.manifest, linear, &embedding, &validation).unwrap();
        let update = twin.updates(&data).unwrap().remove(0);
        let encrypted = encrypt_update(&material, &update).unwrap().encode();
        assert_eq!(encrypted.len(), EncryptedUpdate::encoded_len(params));
        encrypted
    }

    pub async fn submit(&self, account: usize, id: CampaignId, version: u32, content: Digest) -> Result<(), Error> {
        let client = self.client.with_signer(self.accounts[account].clone());
        client.submit(id, Version(version), content).await.map(drop)
    }

    pub async fn submit_bytes(&self, account: usize, id: CampaignId, bytes: Vec<u8>) {
        let content = self.node.add(bytes).await.unwrap();
        self.submit(account, id, 1, content).await.unwrap();
    }
}

/// Waits until the chain shows it.
pub async fn until(client: &Client, id: CampaignId, shown: impl Fn(&CampaignView) -> bool) -> CampaignView {
    let mut reader = WorldReader::new(client.clone(), Duration::from_millis(50), 0);
    let wait = async {
        loop {
            reader.next().await.unwrap();
            if let Some(view) = reader.world().campaign(id).filter(|view| shown(view)) {
                return view.clone();
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), wait).await.expect("the campaign goes on")
}

fn revert(result: Result<(), Error>) -> CampaignsErrors {
    match result.unwrap_err().revert() {
        Some(Revert::Campaigns(error)) => error.clone(),
        other => panic!("refused by something else: {other:?}"),
    }
}

#[test]
fn copied_forged_and_stale_submissions_earn_nothing() {
    runtime().block_on(async {
        let prepared = coarse(1, 1 + FORGERIES);
        let network = network(&prepared, "refused").await;
        let file = prepared.write(network.directory()).unwrap().display().to_string();
        let launched: serde_json::Value = network.scientist().call(&["campaign", "launch", &file]).await.unwrap();
        let id: CampaignId = launched["id"].as_str().unwrap().parse().unwrap();
        let view = until(network.client(), id, |view| view.window.submissions.len() == 1).await;
        let honest = &view.window.submissions[0];

        let attacker = Attacker::enter(&network, id).await;
        attacker.submit(0, id, 1, honest.content.into()).await.unwrap();
        attacker.submit_bytes(1, id, vec![0x5A; 10_000]).await;
        let elsewhere = attacker.header(2, CampaignId::from([7; 32]));
        let forgeries = [
            (2, elsewhere, attacker.foreign_update(id)),
            (3, attacker.header(3, id), attacker.foreign_update(id)[1..].to_vec()),
            (4, attacker.header(4, id), attacker.foreign_update(id)),
        ];
        for (account, header, update) in forgeries {
            let sealed = seal_update(&header, &update, &[&attacker.certificate]).unwrap();
            attacker.submit_bytes(account, id, sealed).await;
        }

        let view = until(network.client(), id, |view| !view.settled.is_empty()).await;
        let outcomes: Vec<_> = view.settled[0].submissions.iter().map(|submission| submission.outcome).collect();
        assert!(matches!(outcomes[0], Outcome::Accepted(_)), "{outcomes:?}");
        let refused = [
            ProtocolReject::WrongMiner,
            ProtocolReject::Unreadable,
            ProtocolReject::WrongCampaign,
            ProtocolReject::Conformance,
            ProtocolReject::Conformance,
        ];
        assert_eq!(outcomes[1..], refused.map(|reason| Outcome::Rejected(reason.code())));
        for account in &attacker.accounts {
            assert_eq!(view.owed(account.address()), Amount::ZERO);
        }

        let content = honest.content.into();
        let stale = revert(attacker.submit(0, id, 1, content).await);
        assert!(matches!(stale, CampaignsErrors::StaleVersion(_)), "{stale:?}");
        let unknown = revert(attacker.submit(0, CampaignId::from([7; 32]), 1, content).await);
        assert!(matches!(unknown, CampaignsErrors::UnknownCampaign(_)), "{unknown:?}");
        attacker.submit(0, id, 2, content).await.unwrap();
        let again = revert(attacker.submit(0, id, 2, content).await);
        assert!(matches!(again, CampaignsErrors::CapReached(_)), "{again:?}");
        let ledger = network.client().ledger(&view.terms).await.unwrap();
        assert_eq!(ledger.owed + ledger.escrowed, ledger.deposited, "nothing was paid to anybody else");
        network.stop().await;
    });
}
