//! The operator's page: what it shows of a campaign at each stage, and that it needs a session.

use std::{sync::Arc, time::Duration};

use alloy::primitives::{Address, U256};
use axum::Router;
use serde_json::{Value, json};
use sonar_contracts::{CloseReason, State, Submission};
use sonar_protocol::{
    units::{Amount, Timestamp},
    view::{CampaignView, CapsuleView, World},
};
use sonar_web::{
    Face,
    guard::{Guard, UiFile},
};
use syft::Ppm;
use tokio::net::TcpListener;

use super::stage::{NOW, REGISTERED, Stage};
use crate::{
    http::{
        self,
        operator::{self, OperatorPage},
    },
    launch_keys::LaunchKeyEntry,
    overview::{AlertKind, DeadlineKind, DutyDeadline, Overview, OverviewFeed, OwnKeys, Purse, Severity},
    service::{CampaignStatus, CapsuleStatus, SharedStatus},
};

const SECOND: Duration = Duration::from_secs(1);

/// A proposed campaign with round numbers.
fn campaign() -> CampaignView {
    let mut view = Stage::proposed(|_, _, terms| {
        (terms.activationSeconds, terms.evaluationSeconds, terms.deliverySeconds) = (1_000, 2_000, 4_000);
        terms.audit.period = 8_000;
        terms.stake = 77;
    })
    .view();
    view.changed_at = NOW;
    view
}

fn in_state(state: State, reason: CloseReason) -> CampaignView {
    CampaignView { state, reason, ..campaign() }
}

fn with_window(mut view: CampaignView, closes_at: Timestamp) -> CampaignView {
    view.window.submissions.push(Submission { miner: Address::repeat_byte(9), content: [1; 32].into() });
    view.window.closes_at = closes_at;
    view
}

#[test]
fn the_next_deadline_follows_from_the_campaign_alone() {
    let of = |view: &CampaignView| DutyDeadline::of(view).map(|next| (next.kind, next.at.since(NOW)));
    assert_eq!(of(&campaign()), Some((DeadlineKind::Activate, 1_000)));
    let mut late = campaign();
    late.changed_at = late.terms.deadline().minus(10_u32);
    assert_eq!(DutyDeadline::of(&late).unwrap().at, late.terms.deadline(), "nothing is activated after the end");

    let open = in_state(State::Open, CloseReason::None);
    assert_eq!(of(&open), None, "no window, no duty");
    assert_eq!(of(&with_window(open, NOW.plus(300_u32))), Some((DeadlineKind::Settle, 2_300)));
    assert_eq!(of(&in_state(State::Closed, CloseReason::Target)), Some((DeadlineKind::Deliver, 4_000)));
    assert_eq!(of(&in_state(State::Closed, CloseReason::CapsuleTimeout)), None);
    assert_eq!(of(&in_state(State::Finalized, CloseReason::Target)), Some((DeadlineKind::Audit, 8_000)));
    for state in [State::Refunded, State::Released, State::Convicted] {
        assert_eq!(of(&in_state(state, CloseReason::None)), None, "{state}");
    }
}

fn status_of(view: &CampaignView, problem: Option<&str>) -> CampaignStatus {
    CampaignStatus {
        state: view.state,
        version: 1,
        windows: 0,
        best_ppm: Ppm::ZERO,
        last: "wait",
        leak_bits: 1.5,
        leak_bits_allowed: 20.0,
        problem: problem.map(Into::into),
    }
}

/// The overview of a Capsule with these campaigns, read at `NOW`.
fn overview(views: &[CampaignView], problem: Option<&str>) -> (Overview, OwnKeys) {
    let stage = Stage::proposed(|_, _, _| {});
    let operator = stage.view().terms.capsule;
    let certificate = REGISTERED.clone();
    let keys = OwnKeys {
        operator,
        attester: stage.signer.address(),
        fingerprint: certificate.fingerprint(),
        created: certificate.created(),
    };
    let mut world = World::default();
    world.head.number = 7;
    world.head.now = NOW;
    let registered = CapsuleView {
        attester: keys.attester,
        fingerprint: keys.fingerprint.word(),
        fee_ppm: Ppm::of(1, 100),
        stake: Amount(U256::from(1_000)),
        locked: Amount(U256::from(600)),
        ..CapsuleView::default()
    };
    world.capsules.insert(operator, registered);
    let mut status = CapsuleStatus { chain: true, caught_up: true, ..CapsuleStatus::default() };
    for (number, view) in (1..).zip(views) {
        let mut view = view.clone();
        view.id = [number; 32].into();
        status.campaigns.insert(view.id, status_of(&view, problem));
        world.order.push(view.id);
        world.campaigns.insert(view.id, Arc::new(view));
    }
    let mut overview = Overview::default();
    overview.set_world(&world, operator, &status, &[]);
    (overview, keys)
}

fn alerts(overview: &Overview, keys: &OwnKeys, age: Duration) -> Vec<(AlertKind, Severity)> {
    overview.status(keys, Some(age)).alerts.iter().map(|alert| (alert.kind, alert.severity)).collect()
}

#[test]
fn the_next_deadline_comes_first() {
    let mut later = in_state(State::Closed, CloseReason::Target);
    later.changed_at = NOW.plus(10_u32);
    let views = [
        in_state(State::Released, CloseReason::Target),
        later,
        in_state(State::Closed, CloseReason::Target),
        campaign(),
    ];
    let (overview, _) = overview(&views, None);
    let order: Vec<_> = overview.campaigns().items.iter().map(|item| item.campaign.0[0]).collect();
    assert_eq!(order, [4, 3, 2, 1]);
    let first = json!(overview.campaigns().items[0]);
    assert_eq!(first["next_deadline"], json!({ "kind": "activate", "at": NOW.plus(1_000_u32).unix() }));
    assert_eq!((&first["stake_locked"], &first["leak_bits"]), (&json!("0"), &json!(1.5)));
}

#[test]
fn stake_is_at_risk_while_the_time_of_a_duty_runs() {
    let at_risk = |view: CampaignView| {
        let stake = Amount::from(view.terms.stake);
        let (overview, keys) = overview(&[view], None);
        let sum = overview.status(&keys, Some(Duration::ZERO)).stake.at_risk;
        assert!(sum == Amount::ZERO || sum == stake);
        sum > Amount::ZERO
    };
    assert!(!at_risk(campaign()), "nothing is locked yet");
    let open = in_state(State::Open, CloseReason::None);
    assert!(!at_risk(open.clone()));
    assert!(!at_risk(with_window(open.clone(), NOW.plus(1_u32))), "the window is open");
    assert!(at_risk(with_window(open, NOW)));
    assert!(at_risk(in_state(State::Closed, CloseReason::Target)));
    assert!(!at_risk(in_state(State::Closed, CloseReason::CapsuleTimeout)), "it is lost already");
    assert!(!at_risk(in_state(State::Finalized, CloseReason::Target)));
}

#[test]
fn figures_add_up() {
    let mut paid = in_state(State::Released, CloseReason::Target);
    let operator = paid.terms.capsule;
    let account = paid.accounts.entry(operator).or_default();
    (account.credited, account.withdrawn) = (Amount(U256::from(50)), Amount(U256::from(20)));
    paid.gas_credit = Amount(U256::from(5));
    let (mut overview, keys) = overview(&[paid, in_state(State::Closed, CloseReason::Target)], None);
    overview.purse = Some(Purse { claimable: Amount(U256::from(7)), ..Purse::default() });
    let status = json!(overview.status(&keys, Some(3 * SECOND)));
    assert_eq!(
        status["stake"],
        json!({ "total": "1000", "free": "400", "locked": "600", "at_risk": status["stake"]["at_risk"] })
    );
    let zero = json!(Address::ZERO);
    assert_eq!(status["fees"]["earned"], json!([{ "token": zero, "amount": "50" }]));
    assert_eq!(status["fees"]["owed"], json!([{ "token": zero, "amount": "42" }]), "50 - 20 + 5 + 7");
    assert!(status["fees"]["pending"][0]["amount"].is_string());
    assert_eq!(status["chain"], json!({ "ok": true, "block": 7, "age_seconds": 3, "problem": null }));
    let keys: Vec<_> = status["keys"].as_array().unwrap().iter().map(|key| (&key["kind"], &key["state"])).collect();
    assert_eq!(keys, [(&json!("attestation"), &json!("registered")), (&json!("openpgp"), &json!("registered"))]);
}

#[test]
fn alerts_name_what_needs_the_operator() {
    let (mut overview, keys) = overview(&[], None);
    assert_eq!(alerts(&overview, &keys, SECOND), [], "a healthy Capsule");
    assert_eq!(alerts(&overview, &keys, 61 * SECOND), [(AlertKind::Chain, Severity::Warning)]);
    for (wei, severity) in [(4, Some(Severity::Error)), (5, Some(Severity::Warning)), (50, None)] {
        let balance = Amount(U256::from(wei) * U256::from(10).pow(U256::from(15)));
        overview.purse = Some(Purse { balance, ..Purse::default() });
        let expected: Vec<_> = severity.into_iter().map(|severity| (AlertKind::Balance, severity)).collect();
        assert_eq!(alerts(&overview, &keys, SECOND), expected);
    }
    overview.capsule = None;
    assert_eq!(alerts(&overview, &keys, SECOND), [(AlertKind::Registration, Severity::Error)]);
    overview.set_problem("connection refused".into());
    assert_eq!(alerts(&overview, &keys, SECOND), [(AlertKind::Chain, Severity::Error)]);
}

#[test]
fn deadlines_warn_in_their_last_quarter() {
    let (overview, keys) = overview(&[in_state(State::Closed, CloseReason::Target)], None);
    for (age, severity) in [
        (2_999, None),
        (3_000, Some(Severity::Warning)),
        (3_999, Some(Severity::Warning)),
        (4_000, Some(Severity::Error)),
    ] {
        let found = alerts(&overview, &keys, age * SECOND);
        let found = found.iter().find(|(kind, _)| *kind == AlertKind::Deadline).map(|(_, severity)| *severity);
        assert_eq!(found, severity, "after {age} s");
    }
}

#[test]
fn problems_of_campaigns_are_alerts_after_errors() {
    let (mut overview, keys) = overview(&[campaign()], Some("no peer has the bundle"));
    overview.purse = Some(Purse::default());
    assert_eq!(
        alerts(&overview, &keys, SECOND),
        [(AlertKind::Balance, Severity::Error), (AlertKind::Campaign, Severity::Warning)]
    );
    let status = json!(overview.status(&keys, Some(SECOND)));
    assert!(status["alerts"][1]["text"].as_str().unwrap().contains("no peer has the bundle"));
    assert_eq!(status["alerts"][1]["campaign"], json!(overview.campaigns[0].id));
}

#[test]
fn a_launch_key_that_was_not_replaced_is_an_alert() {
    let (mut overview, keys) = overview(&[], None);
    let entry = LaunchKeyEntry {
        key: keys.fingerprint,
        made_at: NOW,
        expires_at: NOW.plus(1_000_u32),
        registered_at: Some(NOW),
    };
    overview.launch_keys = vec![entry];
    let severity = |overview: &Overview, age: u32| {
        alerts(overview, &keys, age * SECOND)
            .iter()
            .find(|(kind, _)| *kind == AlertKind::LaunchKey)
            .map(|(_, severity)| *severity)
    };
    assert_eq!(severity(&overview, 700), None);
    assert_eq!(severity(&overview, 751), Some(Severity::Warning));
    assert_eq!(severity(&overview, 1_000), Some(Severity::Error));
    overview.launch_keys = vec![LaunchKeyEntry { registered_at: None, ..entry }];
    assert_eq!((severity(&overview, 250), severity(&overview, 251)), (None, Some(Severity::Warning)));
}

/// A server as `capsule serve` starts it.
async fn serve(feed: Arc<OverviewFeed>, keys: OwnKeys) -> (String, tempfile::TempDir) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let home = tempfile::tempdir().unwrap();
    let guard = Guard::new(Face::Capsule, address).unwrap().with_public(http::PUBLIC);
    guard.publish(home.path()).unwrap();
    let router: Router = http::router(SharedStatus::default()).merge(operator::router(OperatorPage { keys, feed }));
    let router = Arc::new(guard).protect(router);
    tokio::spawn(async move { axum::serve(listener, router).await });
    (format!("http://{address}"), home)
}

#[tokio::test]
async fn the_page_needs_a_session_and_the_public_facts_need_none() {
    let (first, keys) = overview(&[campaign()], None);
    let feed = Arc::new(OverviewFeed::default());
    feed.update(|overview| *overview = first);
    feed.chain_answered();
    let (base, home) = serve(feed.clone(), keys).await;
    let client = testkit::http();
    let get = |path: &str| client.get(format!("{base}{path}"));
    for path in ["/healthz", "/api/v1/status", "/metrics"] {
        assert_eq!(get(path).send().await.unwrap().status(), 200, "{path}");
    }
    for path in ["/api/capsule/status", "/api/capsule/campaigns", "/api/capsule/events"] {
        assert_eq!(get(path).send().await.unwrap().status(), 401, "{path}");
    }
    let token = UiFile::read(home.path()).unwrap().token;
    let opened =
        client.post(format!("{base}/api/session")).header("Origin", &base).header("X-Requested-With", "sonar-ui");
    let opened = opened.json(&json!({ "token": token })).send().await.unwrap();
    assert_eq!(opened.status(), 204);
    let cookie = opened.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let read =
        async |path: &str| -> Value { get(path).header("Cookie", &cookie).send().await.unwrap().json().await.unwrap() };
    assert_eq!(read("/api/session").await, json!({ "face": "capsule", "unlocked_until": null }));
    assert_eq!(read("/api/capsule/status").await["operator"], json!(keys.operator));
    assert_eq!(read("/api/capsule/campaigns").await["items"][0]["next_deadline"]["kind"], "activate");

    let mut stream = get("/api/capsule/events").header("Cookie", &cookie).send().await.unwrap();
    let mut text = String::from_utf8(stream.chunk().await.unwrap().unwrap().to_vec()).unwrap();
    assert!(text.contains("event: open"), "{text}");
    feed.update(|overview| overview.block += 1);
    feed.update(|_| {});
    feed.update(|overview| overview.campaigns.clear());
    while !text.contains("event: campaigns") {
        text += std::str::from_utf8(&stream.chunk().await.unwrap().unwrap()).unwrap();
    }
    assert!(text.contains("event: status"), "{text}");
    let last = text.lines().rev().find_map(|line| line.strip_prefix("id: ")).unwrap().to_owned();

    let reopen = async |last: &str| {
        let request = get("/api/capsule/events").header("Cookie", &cookie).header("Last-Event-ID", last);
        let chunk = request.send().await.unwrap().chunk().await.unwrap().unwrap();
        String::from_utf8(chunk.to_vec()).unwrap()
    };
    assert!(!reopen(&last).await.contains("event: status"), "nothing was missed");
    assert!(reopen("ffff-1").await.contains("event: open"));
}

#[test]
fn openapi_document_is_committed() {
    testkit::openapi::check("capsule", &operator::document().to_pretty_json().unwrap());
}
