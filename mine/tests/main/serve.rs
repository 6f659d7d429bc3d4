//! A running Mine.

use std::{sync::Arc, time::Duration};

use alloy::{hex, primitives::B256};
use mine::{
    home::{MineHome, UnlockedMine},
    outbox,
    run::{Journal, MineLoop, Setup},
};
use sonar_contracts::Outcome;
use sonar_node::ipfs::Node;
use sonar_protocol::{
    envelope::{EnvelopeHeader, open_update},
    families::plain_network,
    handover::Published,
    ids::{Digest, Version},
};
use syft::{Column, EncryptedUpdate, SecretKey};
use syft_nets::{Input, Model, NetworkKind};
use testkit::yes_or_no::csv;

use crate::{
    cli::Cli,
    stage::{Campaign, Stage},
};

/// Nothing here takes so long.
const PATIENCE: Duration = Duration::from_secs(120);

struct Mine {
    cli: Cli,
    opened: UnlockedMine,
    home: MineHome,
}

impl Mine {
    /// With the key of an account that has gas.
    fn new(stage: &Stage) -> Self {
        let cli = Cli::new();
        let key = hex::encode(stage.anvil.signers()[5].to_bytes());
        let key = cli.file("key", key.as_bytes());
        let contracts = stage.contracts();
        let rpc = stage.anvil.endpoint();
        cli.good(&["init", "--key-file", &key, "--rpc", &rpc, "--contracts", &contracts]);
        // The Capsule of these tests locks no stake.
        cli.good(&["policy", "set", "--least-stake-share", "0"]);
        let home = MineHome::new(cli.home());
        let opened = home.open("right").unwrap();
        Self { cli, opened, home }
    }

    fn add_data(&self, name: &str, content: &str) {
        let file = self.cli.file(name, content.as_bytes());
        self.cli.good(&["data", "add", name, &file]);
    }

    async fn node(&self, stage: &Stage) -> Arc<Node> {
        stage.node(self.home.ipfs()).await
    }

    fn miner(&self, stage: &Stage, node: &Arc<Node>, once: bool) -> MineLoop {
        let signer = self.opened.signer.clone();
        let setup = Setup {
            me: signer.address(),
            client: stage.client(signer),
            node: node.clone(),
            home: self.home.path().to_owned(),
            policy: self.home.policy(),
            pause: self.home.pause(),
            poll: Duration::from_millis(20),
            confirmations: 0,
            once,
        };
        MineLoop::new(setup, self.opened.store.clone()).unwrap()
    }

    /// Works until the chain shows that many submissions in all, and is then killed.
    async fn work_until(&self, stage: &Stage, node: &Arc<Node>, campaign: &Campaign, count: u32) {
        let enough = async {
            while stage.view(campaign.id).await.submissions < count {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let mut miner = self.miner(stage, node, false);
        tokio::time::timeout(PATIENCE, miner.run(Box::pin(enough))).await.unwrap().unwrap();
    }

    /// Works until its journal says so, and is then killed.
    async fn work_until_it_says(&self, stage: &Stage, node: &Arc<Node>, what: &str) {
        let said = async {
            let says = || {
                let journal = Journal::load(&*self.opened.store).unwrap();
                journal.campaigns.iter().any(|line| line.describe().contains(what))
            };
            while !says() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let mut miner = self.miner(stage, node, false);
        tokio::time::timeout(PATIENCE, miner.run(Box::pin(said))).await.unwrap().unwrap();
    }

    /// What the Capsule would find in a submission.
    async fn check(&self, stage: &Stage, campaign: &Campaign, key: &SecretKey, content: Digest) {
        let parameters = &campaign.linear().parameters;
        let sealed = stage.hub.get(content, 1 << 24, PATIENCE).await.unwrap();
        let version = Version(key.binding().version);
        let deployment = stage.deployment;
        let expected = EnvelopeHeader::new(
            deployment.chain_id,
            deployment.campaigns,
            campaign.id,
            version,
            self.opened.signer.address(),
        );
        let payload = EncryptedUpdate::encoded_len(parameters);
        let update = open_update(&sealed, &campaign.key, &expected, payload).unwrap();
        let material = key.publish(&syft::Weights::zeros(campaign.linear().shape));
        let update = EncryptedUpdate::decode(&update, parameters, &material.digest()).unwrap();
        let delta = key.decrypt(&update);
        assert!(delta.value(0, 1) > 0.1, "a large `a` speaks for yes");
        assert!(delta.value(1, 1) < -0.1, "a large `b` speaks against it");
    }
}

fn contents(view: &sonar_protocol::view::CampaignView) -> Vec<Digest> {
    view.window.submissions.iter().map(|submission| submission.content.into()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mine_serves_a_campaign_through_crashes_and_is_paid() {
    let stage = Stage::new().await;
    let mine = Mine::new(&stage);
    mine.add_data("other", "a,b\n1,2\n");
    mine.add_data("own", &csv(200));
    let node = mine.node(&stage).await;
    let campaign = stage.open(|_| {}).await;
    let binding = stage.binding(&campaign).await;
    let (key, material) = stage.publish(&campaign, &binding).await;
    stage.activate(&campaign, material).await;

    // One update, however often it is killed, and it is what the Capsule can use.
    let before = stage.snapshot().await;
    mine.work_until(&stage, &node, &campaign, 1).await;
    let first = contents(&stage.view(campaign.id).await);
    mine.check(&stage, &campaign, &key, first[0]).await;
    mine.work_until_it_says(&stage, &node, "wait for the settlement").await;
    assert_eq!(contents(&stage.view(campaign.id).await), first);

    // A chain that was rolled back gets the same bytes again.
    stage.go_back(before).await;
    assert_eq!(stage.view(campaign.id).await.submissions, 0);
    mine.work_until(&stage, &node, &campaign, 1).await;
    assert_eq!(contents(&stage.view(campaign.id).await), first);

    // A settled window that did not change the model gives nothing more to do.
    let snapshot = stage.snapshot().await;
    stage.settle(campaign.id, &[Outcome::NotImproved], None).await;
    let mut once = mine.miner(&stage, &node, true);
    tokio::time::timeout(PATIENCE, once.run(Box::pin(std::future::pending()))).await.unwrap().unwrap();
    assert_eq!(stage.view(campaign.id).await.submissions, 1);
    stage.go_back(snapshot).await;

    // A new version gets a new update.
    let binding = stage.binding(&campaign).await;
    let (key, next) = stage.publish(&campaign, &binding).await;
    // Three quarters, in steps of one: the target is not reached yet.
    stage.settle(campaign.id, &[Outcome::Accepted(3)], Some(next)).await;
    mine.work_until(&stage, &node, &campaign, 2).await;
    let second = contents(&stage.view(campaign.id).await);
    assert_ne!(first, second);
    mine.check(&stage, &campaign, &key, second[0]).await;
    let records = outbox::records(&*mine.opened.store).unwrap();
    let made: Vec<_> = records.iter().map(|record| (record.version.0, record.rows)).collect();
    assert_eq!(made, [(1, 200), (2, 200)]);

    paid(&stage, &mine, &campaign).await;
}

/// What the command line tells of it.
async fn paid(stage: &Stage, mine: &Mine, campaign: &Campaign) {
    let cli = &mine.cli;
    let status = cli.good(&["status"]);
    let fits = &status["campaigns"][0]["fits"];
    assert_eq!(fits[1]["rows"], 200);
    assert!(fits[0]["problems"].as_str().unwrap().contains("`y`"), "{fits}");

    let account = mine.opened.signer.address();
    let owed = stage.view(campaign.id).await.owed(account).to_string();
    let earnings = cli.good(&["earnings"]);
    let eth = &earnings["tokens"][0];
    assert_eq!(eth["claimable"], owed);
    assert_eq!(eth["awards"][0]["amount"], owed);
    assert_eq!(eth["awards"][0]["agrees"], true);
    assert_eq!(earnings["pending"].as_array().unwrap().len(), 1);
    assert_eq!(earnings["gas"]["rows"].as_array().unwrap().len(), 2);

    let (code, _) = cli.run(&["withdraw"]);
    assert_eq!(code, 3, "nothing is sent without a yes");
    let made = cli.good(&["withdraw", "--yes"]);
    assert_eq!(made["withdrawals"][0]["amount"], owed);
    let earnings = cli.good(&["earnings"]);
    assert_eq!(earnings["tokens"][0]["claimable"], "0");
    assert_eq!(earnings["tokens"][0]["withdrawn"], owed);
    assert_eq!(cli.good(&["withdraw", "--yes"])["withdrawals"], serde_json::json!([]));

    // One stake stood behind both submissions; it can be taken when the campaign is over.
    let stake = campaign.terms.submissionStake.to_string();
    let total = &earnings["stakes"]["total"];
    assert_eq!((&total["deposited"], &total["held"]), (&serde_json::json!(stake), &serde_json::json!(stake)));
    stage.settle(campaign.id, &[Outcome::NotImproved], None).await;
    // What was not accepted pays an eighth.
    let left = (campaign.terms.submissionStake / 8 * 7).to_string();
    assert_eq!(cli.good(&["earnings"])["stakes"]["total"]["free"], left);
    assert_eq!(cli.good(&["withdraw", "--yes"])["withdrawals"], serde_json::json!([]));
    stage.close(campaign).await;
    let made = cli.good(&["withdraw", "--yes"])["withdrawals"][0].clone();
    assert_eq!((&made["amount"], &made["stake"]), (&serde_json::json!(left), &serde_json::json!(true)));
}

/// A pause is noticed by a running Mine, and survives a restart. What was sent is still followed.
#[tokio::test(flavor = "multi_thread")]
async fn a_pause_stops_new_work_until_it_ends() {
    let stage = Stage::new().await;
    let mine = Mine::new(&stage);
    mine.add_data("own", &csv(200));
    let node = mine.node(&stage).await;
    let campaign = stage.open(|_| {}).await;
    let (_, material) = stage.publish(&campaign, &stage.binding(&campaign).await).await;
    stage.activate(&campaign, material).await;
    assert!(mine.cli.good(&["pause", "--for", "1h"])["until"].is_u64());
    for _ in 0..2 {
        let mut once = mine.miner(&stage, &node, true);
        tokio::time::timeout(PATIENCE, once.run(Box::pin(std::future::pending()))).await.unwrap().unwrap();
        assert_eq!(stage.view(campaign.id).await.submissions, 0);
    }
    let status = mine.cli.good(&["status"]);
    assert_eq!(status["campaigns"][0]["action"]["reason"], "paused");
    assert!(
        status["campaigns"][0]["next"].as_str().unwrap().contains("`mine resume` ends the pause earlier"),
        "{status}"
    );

    // A running Mine notices the end, and another pause.
    let (mine, stage) = (&mine, &stage);
    let says = async |what: &str| {
        let journal = || Journal::load(&*mine.opened.store).unwrap();
        while !journal().campaigns.iter().any(|line| line.describe().contains(what)) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let story = async {
        mine.cli.good(&["resume"]);
        says("wait for the settlement").await;
        mine.cli.good(&["pause"]);
        let (_, next) = stage.publish(&campaign, &stage.binding(&campaign).await).await;
        stage.settle(campaign.id, &[Outcome::Accepted(3)], Some(next)).await;
        says("paused; `mine resume` ends the pause").await;
    };
    let mut miner = mine.miner(stage, &node, false);
    tokio::time::timeout(PATIENCE, miner.run(Box::pin(story))).await.unwrap().unwrap();
    assert_eq!(stage.view(campaign.id).await.submissions, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_what_it_should_be_is_refused_and_nothing_is_sent() {
    let stage = Stage::new().await;
    let mine = Mine::new(&stage);
    mine.add_data("own", &csv(50));
    let node = mine.node(&stage).await;

    // A manifest that promises another grid than the contract keeps.
    let spoilt = stage.open(|terms| terms.gridPpm *= 2).await;
    let binding = stage.binding(&spoilt).await;
    let (_, material) = stage.publish(&spoilt, &binding).await;
    stage.activate(&spoilt, material).await;
    mine.work_until_it_says(&stage, &node, "unusable manifest").await;

    // Material that was made for another version, with keys that somebody could have prepared.
    let stale = stage.open(|_| {}).await;
    let mut binding = stage.binding(&stale).await;
    binding.beacon = [7; 32];
    let (_, material) = stage.publish(&stale, &binding).await;
    stage.activate(&stale, material).await;
    mine.work_until_it_says(&stage, &node, "unusable model").await;

    // Good material, but the Capsule bound itself to another: nobody could hold it to what the Mine would train on.
    let unbound = stage.open(|_| {}).await;
    let (_, material) = stage.publish(&unbound, &stage.binding(&unbound).await).await;
    let root = B256::repeat_byte(1);
    stage.activate_with(&unbound, Published { root, ..stage.published(material).await }).await;
    let why = "unusable model: it is not the key material that the Capsule committed to on chain";
    mine.work_until_it_says(&stage, &node, why).await;
    let told = mine.cli.good(&["status"])["campaigns"].as_array().unwrap().clone();
    let told = told.iter().find(|line| line["campaign"] == unbound.id.to_string()).unwrap();
    assert!(told["next"].as_str().unwrap().contains(why), "{told}");

    // A stake above the default limit of a Mine.
    let dear = stage.open(|terms| terms.submissionStake *= 2).await;
    let (_, material) = stage.publish(&dear, &stage.binding(&dear).await).await;
    stage.activate(&dear, material).await;
    mine.work_until_it_says(&stage, &node, "the stake of a submission is 0.002 ETH").await;

    for campaign in [&spoilt, &stale, &unbound, &dear] {
        assert_eq!(stage.view(campaign.id).await.submissions, 0);
    }
    assert!(outbox::records(&*mine.opened.store).unwrap().is_empty());
    // There is nothing left to do.
    let mut once = mine.miner(&stage, &node, true);
    tokio::time::timeout(PATIENCE, once.run(Box::pin(std::future::pending()))).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backbone_must_be_the_one_that_the_manifest_describes() {
    let stage = Stage::new().await;
    let mine = Mine::new(&stage);
    mine.add_data("own", &csv(200));
    mine.cli.good(&["policy", "set", "--backbone", "allow"]);
    let node = mine.node(&stage).await;
    let model = |width: usize| {
        let input = Input::Columns(vec![Column { center: 0.5, spread: 0.5 }; 2]);
        Model::initial(&NetworkKind::Mlp(vec![width]).network(input, 2).unwrap(), &[1; 32])
    };
    let file = async |model: &Model| stage.hub.add(plain_network(model).unwrap().to_vec()).await.unwrap();
    let (promised, other) = (model(30), model(31));
    let open = async |weights: Digest| {
        let campaign = stage.open_with("", Some((promised.clone(), weights)), |_| {}).await;
        let (_, material) = stage.publish(&campaign, &stage.binding(&campaign).await).await;
        stage.activate(&campaign, material).await;
        campaign
    };

    let spoilt = open(file(&other).await).await;
    mine.work_until_it_says(&stage, &node, "its backbone: cannot read the model file: tensor `layers.0.weight`").await;
    assert_eq!(stage.view(spoilt.id).await.submissions, 0);
    let honest = open(file(&promised).await).await;
    mine.work_until(&stage, &node, &honest, 1).await;
    assert_eq!(stage.view(spoilt.id).await.submissions, 0);
}

/// A network that the Capsule chose could be built to single out a row.
#[tokio::test(flavor = "multi_thread")]
async fn attack_a_public_start_of_the_capsules_choice_is_not_trained() {
    let stage = Stage::new().await;
    let mine = Mine::new(&stage);
    mine.add_data("own", &csv(200));
    mine.cli.good(&["policy", "set", "--clear", "allow"]);
    let node = mine.node(&stage).await;
    let campaign = stage.open_with("[model]\nregime = \"clear\"\n", None, |_| {}).await;
    let promised = campaign.manifest.method.clear().unwrap().initial();
    let chosen = Model::initial(promised.network(), &[9; 32]);
    let material = stage.hub.add(plain_network(&chosen).unwrap().to_vec()).await.unwrap();
    stage.activate(&campaign, material).await;
    mine.work_until_it_says(&stage, &node, "it is not the default starting model").await;
    assert_eq!(stage.view(campaign.id).await.submissions, 0);
    assert!(outbox::records(&*mine.opened.store).unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn how_far_a_training_is_can_be_seen() {
    let stage = Stage::new().await;
    let mine = Mine::new(&stage);
    mine.add_data("own", &csv(2_000));
    mine.cli.good(&["policy", "set", "--clear", "allow"]);
    let node = mine.node(&stage).await;
    // Far more steps than are made before it is killed.
    let long = "[model]\nregime = \"clear\"\n[training]\nepochs = 1000\nbatch = 1\n";
    let campaign = stage.open_with(long, None, |_| {}).await;
    let start = campaign.manifest.method.clear().unwrap().initial();
    let material = stage.hub.add(plain_network(&start).unwrap().to_vec()).await.unwrap();
    stage.activate(&campaign, material).await;
    mine.work_until_it_says(&stage, &node, "of 1000, step ").await;
    let progress = Journal::load(&*mine.opened.store).unwrap().campaigns[0].progress.unwrap();
    assert!((1..2_000_000).contains(&progress.step), "{progress:?}");
    assert_eq!((progress.epochs, progress.steps), (1_000, 2_000_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spent_privacy_budget_ends_the_work() {
    let stage = Stage::new().await;
    let mine = Mine::new(&stage);
    mine.add_data("own", &csv(20_000));
    mine.cli.good(&["policy", "set", "--epsilon", "0.01", "--uploads", "1"]);
    let node = mine.node(&stage).await;
    let campaign = stage.open(|_| {}).await;
    let binding = stage.binding(&campaign).await;
    let (_, material) = stage.publish(&campaign, &binding).await;
    stage.activate(&campaign, material).await;
    mine.work_until_it_says(&stage, &node, "nothing would be learnt").await;
    assert!(outbox::records(&*mine.opened.store).unwrap().is_empty());

    mine.cli.good(&["policy", "set", "--epsilon", "8"]);
    mine.work_until(&stage, &node, &campaign, 1).await;
    let binding = stage.binding(&campaign).await;
    let (_, next) = stage.publish(&campaign, &binding).await;
    stage.settle(campaign.id, &[Outcome::Accepted(3)], Some(next)).await;
    mine.work_until_it_says(&stage, &node, "the privacy budget of data set `own` is spent").await;
    let mut once = mine.miner(&stage, &node, true);
    tokio::time::timeout(PATIENCE, once.run(Box::pin(std::future::pending()))).await.unwrap().unwrap();
    assert_eq!(stage.view(campaign.id).await.submissions, 1);
    let privacy = mine.cli.good(&["privacy"]);
    let account = &privacy["data"][0];
    assert_eq!((&account["private"], &account["exact"], &account["left"]), (&1.into(), &0.into(), &0.into()));
    let told = account["epsilon"].as_f64().unwrap();
    assert!(told > 7.9 && told <= 8.0, "{told}");
}
