//! What is left of a campaign: its export, and campaigns that start from its result.

use std::{collections::HashMap, fs, path::Path};

use serde_json::Value;
use sonar_contracts::{Outcome, State};
use sonar_node::account::{AccountName, Keystore};
use sonar_protocol::{
    data::{TableLimits, read_csv},
    ids::{CampaignId, Digest, Version},
    pgp::{self, Certificate},
    units::Timestamp,
};
use syft::Weights;
use testkit::stage::{Stage, handover};

use crate::{
    campaign::{Capsule, FILE, Served, id_of, launch, scientist},
    commands::{User, aside},
};

/// A name that is a script where names are not escaped.
const NAME: &str = "<script>alert(1)</script> & Söhne";
const LINK: &str = "https://clinic.example/about?a=1&b=2";

fn organisation() -> String {
    format!("{FILE}[organisation]\nname = \"{NAME}\"\nlink = \"{LINK}\"\n")
}

/// Runs a launched campaign to its delivery: one update is accepted, one is not.
async fn delivered(stage: &Stage, capsule: &Capsule, id: CampaignId) -> Weights {
    let (manifest, bundle) = capsule.open(&stage.owner, id).await;
    let terms = stage.owner.terms(id).await.unwrap();
    stage.activate(&terms, 100_000).await;
    for (miner, nonce) in stage.miners.iter().zip([5, 6]) {
        miner.submit(id, Version(1), Digest([nonce; 32])).await.unwrap();
    }
    stage.pass(600).await;
    let view = stage.view(id).await;
    let outcomes = [Outcome::NotImproved, Outcome::Accepted(6)];
    stage.settle(&view, &outcomes, Some(Digest([2; 32])), 0).await.unwrap();
    // The leak budget of so small a model may be spent.
    if stage.view(id).await.state == State::Open {
        stage.owner.close(&terms).await.unwrap();
    }
    let shape = manifest.method.linear().unwrap().shape;
    let mut values = vec![0.0; shape.weights()];
    values[0] = 0.25;
    let model = Weights::new(shape, &values).unwrap();
    let file = model.to_safetensors(HashMap::from([("sonar.campaign".into(), id.to_string())])).unwrap();
    let certificate = Certificate::decode(&bundle.certificate, Timestamp::EPOCH).unwrap();
    let message = pgp::seal_signed(&file, &certificate, &capsule.identity).unwrap();
    let result = capsule.node.add(message).await.unwrap();
    let signature = stage.sign(&stage.delivery(id, result).await);
    let view = stage.view(id).await;
    let handovers: Vec<_> = view.versions.iter().map(|version| handover(version.published.material)).collect();
    stage.capsule.finalize(&terms, result, &handovers, &signature).await.unwrap();
    model
}

fn text(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name)).unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

const PUBLIC: [&str; 6] =
    ["README.txt", "campaign.json", "events.ndjson", "report.html", "series.csv", "submissions.csv"];

#[tokio::test]
async fn an_export_has_everything_about_a_campaign_and_loses_nothing() {
    let stage = Stage::new().await;
    let served = Served::start(&stage);
    let capsule = Capsule::register(&stage, &served).await;
    let user = scientist(&stage, &served);
    let (user, id) = aside(move || {
        fs::write(user.path("campaign.toml"), organisation()).unwrap();
        let id = id_of(&launch(&user, &["--yes"]).data());
        (user, id)
    })
    .await;
    let model = delivered(&stage, &capsule, id).await;
    let other = User::on(&stage);
    fs::copy(user.path("config.toml"), other.path("config.toml")).unwrap();
    fs::remove_dir_all(other.path("keystore")).unwrap();
    let stranger: AccountName = "stranger".parse().unwrap();
    Keystore::new(other.home.path()).store(&stranger, &stage.anvil.signers()[3], "correct horse").unwrap();

    aside(move || {
        let id_text = id.to_string();
        let folder = user.path("archive/tumours");
        let to = folder.display().to_string();
        let export = |user: &User, more: &[&str]| user.json(&[&["campaign", "export", &id_text][..], more].concat());
        let unknown = user.json(&["campaign", "export", "0xffff", "--to", &to]);
        assert_eq!((unknown.code, unknown.error().as_str()), (6, "UNKNOWN_CAMPAIGN"));
        assert!(!folder.exists(), "bad input changes nothing");

        let exported = export(&user, &["--to", &to]).data();
        let models = ["model.npz", "model.onnx", "model.safetensors"];
        let mut all = [&PUBLIC[..], &models].concat();
        all.sort_unstable();
        assert_eq!(names(&folder), all);
        assert_eq!((exported["notes"].as_array().unwrap().len(), &exported["id"]), (0, &id_text.as_str().into()));
        assert_eq!(Weights::from_safetensors(&fs::read(folder.join("model.safetensors")).unwrap()).unwrap(), model);

        let document: Value = serde_json::from_str(&text(&folder, "campaign.json")).unwrap();
        assert_eq!(document["campaign"]["organisation"]["name"], NAME);
        assert_eq!(document["manifest"]["organisation"]["link"], LINK);
        assert_eq!(document["privacy"]["regime"], "encrypted");
        let money = &document["money"];
        assert_eq!((&money["adds_up"], &money["deposited"]), (&true.into(), &"12.625 DATA".into()));
        assert_eq!(document["leaderboard"][0]["accepted"], 1);

        let table = |name: &str| read_csv(text(&folder, name).as_bytes(), &TableLimits::default()).unwrap();
        let submissions = table("submissions.csv");
        assert_eq!(submissions.rows(), 2);
        let cell = |column: &str| {
            let place = submissions.columns().iter().position(|name| name == column).unwrap();
            [submissions.cell(0, place).to_owned(), submissions.cell(1, place).to_owned()]
        };
        assert_eq!(cell("verdict"), ["not_improved", "accepted"]);
        // 0.2 of 0.9: floor(12.5 × 200,000 / 900,000) DATA.
        assert_eq!((cell("amount")[1].as_str(), cell("token")[1].as_str()), ("2.777777777777777777", "DATA"));
        assert_eq!(table("series.csv").rows(), 2);
        let events = text(&folder, "events.ndjson");
        let kinds: Vec<String> = events
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap()["event"]["kind"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(kinds.first().map(String::as_str), Some("opened"));
        assert_eq!(kinds.last().map(String::as_str), Some("finalized"));

        let page = text(&folder, "report.html");
        assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt; &amp; Söhne"));
        assert!(page.contains("href=\"https://clinic.example/about?a=1&amp;b=2\""));
        for needs in ["<script", "src=", "url(", "@import", "<link", "<iframe", "<img", " onload", " onclick"] {
            assert!(!page.contains(needs), "{needs}: the page needs nothing else and runs nothing");
        }
        for part in [
            "12.625 DATA deposited = 0 DATA paid to miners + 2.777777777777777777 DATA owed to miners",
            "class=\"accepted\"",
            "class=\"refused\"",
            "class=\"target\"",
            "prefers-color-scheme",
        ] {
            assert!(page.contains(part), "{part}");
        }

        fs::write(folder.join("notes.md"), "my own").unwrap();
        let again = export(&user, &["--to", &to]);
        assert_eq!((again.code, again.error().as_str()), (5, "FILE_EXISTS"));
        export(&user, &["--to", &to, "--force", "--no-model"]).data();
        assert_eq!(text(&folder, "notes.md"), "my own");
        let mut kept = [&PUBLIC[..], &["notes.md"]].concat();
        kept.sort_unstable();
        assert_eq!(names(&folder), kept, "no model of an earlier export is left beside a new report");
        assert!(text(&folder, "README.txt").contains("The model is missing: it was left out"));

        // Whoever cannot open the model gets everything else, and is told so.
        let theirs = other.path("theirs");
        let exported = export(&other, &["--to", &theirs.display().to_string()]).data();
        assert_eq!(names(&theirs), PUBLIC);
        assert!(exported["notes"][0].as_str().unwrap().contains("only its owner can decrypt it"), "{exported}");
        assert!(text(&theirs, "README.txt").contains("only its owner can decrypt it"));
    })
    .await;
}

#[tokio::test]
async fn an_organisation_is_shown_as_the_owners_word() {
    let stage = Stage::new().await;
    let served = Served::start(&stage);
    let _capsule = Capsule::register(&stage, &served).await;
    let user = scientist(&stage, &served);
    let url = served.ready.http.clone().unwrap();
    let id = aside(move || {
        let bad = organisation().replace(LINK, "javascript:alert(1)");
        fs::write(user.path("campaign.toml"), bad).unwrap();
        let refused = launch(&user, &["--yes"]);
        assert_eq!((refused.code, refused.error().as_str()), (5, "CAMPAIGN_FILE"));
        assert!(refused.stderr.contains("organisation.link is not a link"), "{}", refused.stderr);

        fs::write(user.path("campaign.toml"), organisation()).unwrap();
        let id = id_of(&launch(&user, &["--yes"]).data()).to_string();
        let shown = user.run(&["campaign", "show", &id]);
        assert!(shown.stdout.contains(&format!("{NAME}, {LINK} (named by the owner, unverified)")), "{}", shown.stdout);
        assert_eq!(user.json(&["campaign", "show", &id]).data()["organisation"]["name"], NAME);
        assert_eq!(user.json(&["campaign", "list"]).data()[0]["organisation"]["link"], LINK);
        id
    })
    .await;
    let get = async |path: String| -> Value {
        testkit::http().get(format!("{url}/api/v1/{path}")).send().await.unwrap().json().await.unwrap()
    };
    assert_eq!(get("campaigns".into()).await["items"][0]["organisation"]["name"], NAME);
    let detail = get(format!("campaigns/{id}")).await;
    assert_eq!((&detail["organisation"]["link"], &detail["parent"]), (&LINK.into(), &Value::Null));
}

#[tokio::test]
async fn a_campaign_starts_from_the_result_of_an_own_earlier_one() {
    let stage = Stage::new().await;
    let served = Served::start(&stage);
    let capsule = Capsule::register(&stage, &served).await;
    let user = scientist(&stage, &served);
    let (user, parent, early) = aside(move || {
        let parent = id_of(&launch(&user, &["--yes"]).data());
        let child = FILE
            .replace("start = 0.1\n", "")
            .replace("[reward]", &format!("[model]\ninitial = \"campaign:{parent}\"\n[reward]"));
        fs::write(user.path("campaign.toml"), &child).unwrap();
        let early = launch(&user, &["--dry-run"]);
        (user, parent, early)
    })
    .await;
    assert_eq!((early.code, early.error().as_str()), (6, "NOT_DELIVERED"));
    let model = delivered(&stage, &capsule, parent).await;

    let (user, child) = aside(move || {
        let file = fs::read_to_string(user.path("campaign.toml")).unwrap();
        for (from, to, code, reason) in [
            ("max = 10", "max = 11", "MODEL", "`a` ranges from 0 to 11 in this file and from 0 to 10 in campaign"),
            (
                "[\"no\", \"yes\"]",
                "[\"no\", \"yes\", \"maybe\"]",
                "MODEL",
                "the classes are no, yes, maybe in this file",
            ),
            ("[model]", "[model]\nfeatures = \"polynomial\"", "MODEL", "model.features is not that of campaign"),
            ("[model]", "[model]\nregime = \"clear\"", "MODEL", "set regime = \"encrypted\""),
            ("campaign:0x", "campaign:0xzz", "CAMPAIGN_FILE", "is not a campaign id"),
        ] {
            assert!(file.contains(from), "{from}");
            fs::write(user.path("campaign.toml"), file.replacen(from, to, 1)).unwrap();
            let refused = launch(&user, &["--yes"]);
            assert_eq!((refused.code, refused.error().as_str()), (5, code), "{to}");
            assert!(refused.stderr.contains(reason), "{to}: {}", refused.stderr);
        }
        let nowhere = file.replace(&parent.to_string(), &CampaignId::from([7; 32]).to_string());
        fs::write(user.path("campaign.toml"), nowhere).unwrap();
        assert_eq!(launch(&user, &["--yes"]).error(), "UNKNOWN_CAMPAIGN");
        fs::write(user.path("campaign.toml"), file).unwrap();
        // Stopped before the money moved, and run again: the same campaign.
        assert_eq!(launch(&user, &[]).code, 3);
        let launched = launch(&user, &["--yes"]).data();
        assert!(launched["model"].as_str().unwrap().contains(&parent.short()), "{launched}");
        let child = id_of(&launched);
        let shown = user.run(&["campaign", "show", &child.to_string()]);
        assert!(
            shown.stdout.contains(&format!("starts from  {parent} (a delivered campaign of the same owner)")),
            "{}",
            shown.stdout
        );
        (user, child)
    })
    .await;

    // The Capsule starts from exactly the delivered weights.
    let (manifest, bundle) = capsule.open(&stage.owner, child).await;
    assert_eq!(manifest.parent, Some(parent));
    assert_eq!(Weights::from_safetensors(&bundle.start.file().unwrap()).unwrap(), model);
    let url = format!("{}/api/v1/campaigns/{child}", served.ready.http.as_deref().unwrap());
    let detail: Value = testkit::http().get(url).send().await.unwrap().json().await.unwrap();
    assert_eq!((&detail["parent"]["id"], &detail["parent"]["verified"]), (&parent.to_string().into(), &true.into()));

    // Another account cannot start from it.
    aside(move || {
        let stranger: AccountName = "stranger".parse().unwrap();
        Keystore::new(user.home.path()).store(&stranger, &stage.anvil.signers()[3], "correct horse").unwrap();
        let refused = launch(&user, &["--yes", "--account", "stranger"]);
        assert_eq!((refused.code, refused.error().as_str()), (5, "NOT_OWNER"));
        assert!(refused.stderr.contains("not by this account"), "{}", refused.stderr);
    })
    .await;
}

#[tokio::test]
async fn a_campaign_explains_why_nobody_joins() {
    let stage = Stage::new().await;
    let served = Served::start(&stage);
    let capsule = Capsule::register(&stage, &served).await;
    let user = scientist(&stage, &served);
    let (user, id) = aside(move || {
        let clear = FILE.replace("[reward]", "[model]\nregime = \"clear\"\nnetwork = \"mlp:4\"\n[reward]");
        fs::write(user.path("campaign.toml"), clear).unwrap();
        let id = id_of(&launch(&user, &["--yes"]).data());
        (user, id)
    })
    .await;
    let kinds = |explained: &Value| -> Vec<String> {
        let found = explained["obstacles"].as_array().unwrap().iter();
        found.map(|obstacle| obstacle["kind"].as_str().unwrap().to_owned()).collect()
    };
    let (user, proposed) = aside(move || {
        let explained = user.json(&["campaign", "explain", &id.to_string()]).data();
        (user, explained)
    })
    .await;
    assert_eq!(kinds(&proposed)[0], "state", "{proposed}");
    for kind in ["token", "regime"] {
        assert!(kinds(&proposed).contains(&kind.to_owned()), "{kind}: {proposed}");
    }
    drop(capsule);
    let terms = stage.owner.terms(id).await.unwrap();
    stage.activate(&terms, 100_000).await;
    stage.pass(7 * 3_600).await;
    aside(move || {
        let id = id.to_string();
        let open = user.json(&["campaign", "explain", &id]).data();
        assert!(kinds(&open).contains(&"quiet".to_owned()) && !kinds(&open).contains(&"state".to_owned()), "{open}");
        let told = user.run(&["campaign", "explain", &id]);
        assert!(told.stdout.contains("mine policy set --clear allow"), "{}", told.stdout);
    })
    .await;
}
