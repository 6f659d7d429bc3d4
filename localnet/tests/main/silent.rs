//! A Capsule that falls silent, at each of its duties: it loses the stake that the campaign has locked, and nobody else
//! loses anything.

use alloy::primitives::U256;
use localnet::network::{CAPSULE, MineNode, Network};
use serde_json::Value;
use sonar_contracts::{CloseReason, State};
use sonar_protocol::{ids::CampaignId, units::Amount, view::CampaignView};

use crate::{
    refused::until,
    support::{coarse, network, pass, runtime},
};

/// A network with a campaign file, in which the Mines wait.
struct Scene {
    network: Network,
    file: String,
    mines: Vec<String>,
}

impl Scene {
    async fn set() -> Self {
        let prepared = coarse(2, 2);
        let network = network(&prepared, "silent").await;
        let file = prepared.write(network.directory()).unwrap().display().to_string();
        let mines: Vec<String> = network.mines().iter().map(|mine| mine.name.clone()).collect();
        let mut scene = Self { network, file, mines };
        scene.mines.iter().for_each(|mine| scene.network.pause(mine).unwrap());
        scene
    }

    async fn launch(&self) -> CampaignView {
        let launched: Value = self.owner(&["campaign", "launch", &self.file, "--again"]).await;
        let id: CampaignId = launched["id"].as_str().unwrap().parse().unwrap();
        self.shown(id, |view| view.state == State::Proposed || view.state == State::Open).await
    }

    /// A campaign that the Capsule has activated.
    async fn launch_and_activate(&self) -> CampaignView {
        let id = self.launch().await.id;
        self.shown(id, |view| view.state == State::Open).await
    }

    fn silence(&mut self) {
        self.network.kill9(CAPSULE).unwrap();
    }

    async fn shown(&self, id: CampaignId, is_so: impl Fn(&CampaignView) -> bool) -> CampaignView {
        until(self.network.client(), id, is_so).await
    }

    /// A command of the data scientist.
    async fn owner(&self, arguments: &[&str]) -> Value {
        self.network.scientist().call(arguments).await.unwrap()
    }

    async fn close(&self, id: CampaignId) {
        self.owner(&["campaign", "close", &id.to_string()]).await;
    }

    /// The stake in the registry, and what campaigns have locked of it.
    async fn stake(&self) -> (U256, U256) {
        let known = self.network.client().capsule(self.network.capsule()).await.unwrap().unwrap();
        (known.stake, known.locked)
    }

    /// The data scientist's money in the token of the campaigns.
    async fn money(&self) -> Amount {
        let token = self.network.client().deployment().datacoin;
        self.network.client().token_balance(token, self.network.owner()).await.unwrap()
    }

    /// What the data scientist has, after taking all that this campaign owes them.
    async fn money_after(&self, id: CampaignId) -> Amount {
        self.owner(&["campaign", "withdraw", &id.to_string()]).await;
        self.money().await
    }
}

/// What a Mine withdraws: returned stakes, and all else.
async fn withdrawn(mine: &MineNode) -> (U256, U256) {
    let taken: Value = mine.program.call(&["withdraw"]).await.unwrap();
    let amount = |row: &Value| row["amount"].as_str().unwrap().parse::<U256>().unwrap();
    let rows = taken["withdrawals"].as_array().unwrap();
    let sum = |stake: bool| rows.iter().filter(|row| row["stake"] == stake).map(amount).sum();
    (sum(true), sum(false))
}

#[test]
fn a_silent_capsule_loses_its_stake_and_nobody_else_anything() {
    runtime().block_on(async {
        let mut scene = Scene::set().await;
        let (stake, _) = scene.stake().await;
        let money = scene.money().await;

        // It never answers the launch: nothing of its stake is locked yet.
        scene.silence();
        let view = scene.launch().await;
        assert!(scene.money().await < money);
        pass(&scene.network, view.terms.activationSeconds.into()).await;
        scene.close(view.id).await;
        scene.shown(view.id, |view| view.state == State::Refunded).await;
        assert_eq!((scene.money_after(view.id).await, scene.stake().await), (money, (stake, U256::ZERO)));

        // It delivers nothing: nobody had submitted anything, so the data scientist gets everything back.
        scene.network.revive().await.unwrap();
        let view = scene.launch_and_activate().await;
        scene.silence();
        let locked = U256::from(view.terms.stake);
        assert_eq!(scene.stake().await, (stake, locked));
        scene.close(view.id).await;
        scene.shown(view.id, |view| view.state == State::Closed).await;
        pass(&scene.network, view.terms.deliverySeconds.into()).await;
        scene.close(view.id).await;
        scene.shown(view.id, |view| view.reason == CloseReason::CapsuleTimeout).await;
        assert_eq!((scene.money_after(view.id).await, scene.stake().await), (money, (stake - locked, U256::ZERO)));

        // It never evaluates: Mines get their stakes back, and a share of what it loses.
        scene.network.revive().await.unwrap();
        let view = scene.launch_and_activate().await;
        assert_eq!(scene.stake().await, (stake - locked, locked));
        scene.network.resume(&scene.mines[0].clone()).unwrap();
        scene.shown(view.id, |view| view.window.submissions.len() == 1).await;
        scene.silence();
        scene.network.resume(&scene.mines[1].clone()).unwrap();
        let view = scene.shown(view.id, |view| view.window.submissions.len() == 2).await;
        pass(&scene.network, view.terms.evaluationSeconds.into()).await;
        scene.close(view.id).await;
        let view = scene.shown(view.id, |view| view.state == State::Closed).await;
        assert_eq!(view.reason, CloseReason::CapsuleTimeout);
        assert_eq!(
            (scene.money_after(view.id).await, scene.stake().await),
            (money, (stake - locked * U256::from(2), U256::ZERO))
        );
        // A tenth, for two places in the window.
        let share = locked / U256::from(20);
        for mine in scene.network.mines() {
            assert_eq!(withdrawn(mine).await, (U256::from(view.terms.submissionStake), share), "{}", mine.name);
        }
        scene.network.stop().await;
    });
}
