//! What operators of Capsules do with their commands, while campaigns run.

use std::time::{Duration, Instant};

use alloy::primitives::Address;
use localnet::{
    follow::Observer,
    network::{CAPSULE, Network},
    programs::CommandError,
};
use serde_json::Value;
use sonar_contracts::State;
use sonar_protocol::{
    event::{Event, Record},
    pgp::Certificate,
    view::CampaignView,
};

use crate::support::{coarse, network, pass, run_in_order, runtime};

const DAY: u64 = 86_400;

fn call(network: &Network, arguments: &[&str]) -> Result<Value, CommandError> {
    let call = network.capsule_program().call(arguments);
    tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(call))
}

/// Replaces the attestation key when the first update arrives.
#[derive(Default)]
struct Rotator {
    replaced: Option<(Address, Address)>,
}

impl Observer for Rotator {
    fn happened(&mut self, record: &Record, _: &CampaignView, network: &mut Network) {
        if self.replaced.is_none() && matches!(record.event, Event::Submitted { .. }) {
            let busy = call(network, &["keys", "rotate"]).unwrap_err();
            assert_eq!(busy.name(), Some("IN_USE"), "the running Capsule would go on signing with the old key: {busy}");
            let address = |value: &Value| value.as_str().unwrap().parse().unwrap();
            network.kill9(CAPSULE).unwrap();
            let rotated = call(network, &["keys", "rotate"]).unwrap();
            self.replaced = Some((address(&rotated["replaced"]), address(&rotated["attester"])));
        }
    }

    fn revived(&mut self, _: &str) {}
}

/// After a week the Capsule registers another launch key. The old one is destroyed a day later, because no campaign waits
/// for it any more.
async fn replaces_its_launch_key(network: &Network) {
    let keys = || call(network, &["keys", "list"]).unwrap()["launch_keys"].as_array().unwrap().clone();
    let [old] = keys().try_into().unwrap();
    pass(network, 7 * DAY).await;
    until("another launch key is registered", || {
        let keys = keys();
        keys.len() == 2 && keys[1]["registered_at"].is_u64()
    });
    let exported = network.capsule_certificate().await.unwrap();
    Certificate::decode(exported.as_bytes(), network.client().now().await.unwrap()).expect("a key to seal to");
    pass(network, DAY).await;
    until("the old launch key is destroyed", || keys().len() == 1);
    assert_ne!(keys()[0]["key"], old["key"]);
}

/// Asks the Capsule's commands, which take their time, until it is so.
fn until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}");
    }
}

#[test]
fn an_operator_replaces_the_key_of_a_running_campaign_and_takes_the_fee() {
    runtime().block_on(async {
        let prepared = coarse(2, 2);
        let mut network = network(&prepared, "operator").await;
        let file = prepared.write(network.directory()).unwrap();
        let mut rotator = Rotator::default();
        let campaign = run_in_order(&mut network, &file, &mut rotator).await.unwrap();
        assert_eq!(campaign.followed.view.state, State::Released);
        let (old, new) = rotator.replaced.expect("the key was replaced");
        assert_ne!(old, new);
        let keys = call(&network, &["keys", "list"]).unwrap();
        assert_eq!(keys["attester"], keys["registered_attester"]);
        replaces_its_launch_key(&network).await;

        let rows = call(&network, &["campaigns"]).unwrap();
        let fee = campaign.ledger.fee.to_string();
        assert_eq!(
            (&rows["campaigns"][0]["state"], &rows["campaigns"][0]["fee"]),
            (&"released".into(), &fee.clone().into())
        );
        assert_eq!(call(&network, &["status"]).unwrap()["campaigns"], serde_json::json!({ "released": 1 }));
        let taken = call(&network, &["withdraw"]).unwrap();
        assert_eq!(
            (&taken["withdrawals"][0]["from"], &taken["withdrawals"][0]["amount"]),
            (&"fee".into(), &fee.into())
        );
        assert_eq!(call(&network, &["withdraw"]).unwrap()["withdrawals"], Value::Array(Vec::new()));

        let stake = |arguments: &[&str]| call(&network, arguments).unwrap()["stake"].as_str().unwrap().to_owned();
        assert_eq!(stake(&["stake", "add", "0.5ETH"]), "1500000000000000000");
        assert_eq!(stake(&["stake", "remove", "1.5ETH"]), "0", "no campaign has locked any of it");
        let limits = call(&network, &["limits", "--max-submissions", "7", "--refuse", "ETH"]).unwrap();
        assert_eq!(limits["limits"]["max_submissions"], 7);
        assert_eq!(call(&network, &["limits"]).unwrap(), limits);
        let wrong = call(&network, &["limits", "--token", "ETH"]).unwrap_err();
        assert_eq!(wrong.name(), Some("TOKEN"), "{wrong}");
        network.stop().await;
    });
}
