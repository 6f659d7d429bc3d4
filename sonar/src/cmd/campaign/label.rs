//! Names and regimes of campaigns. They are in the manifests, which Sonar keeps, and not on the chain.

use std::{collections::HashMap, time::Duration};

use serde::{Deserialize, de::DeserializeOwned};
use sonar_protocol::{
    campaign::template::TaskKind, ids::CampaignId, lineage::ParentClaim, organisation::Organisation, projection::Label,
    regime::Regime,
};

use super::Context;

/// Short, because a label is not worth waiting for.
const PATIENCE: Duration = Duration::from_secs(3);

#[derive(Deserialize)]
struct Campaign {
    id: CampaignId,
    name: Option<String>,
    regime: Option<Regime>,
    /// Absent from the answers of older servers, like the next two.
    #[serde(default)]
    task: Option<TaskKind>,
    #[serde(default)]
    organisation: Option<Organisation>,
    #[serde(default)]
    parent: Option<ParentClaim>,
}

#[derive(Deserialize)]
struct Page {
    items: Vec<Campaign>,
}

impl Campaign {
    fn label(self) -> Option<Label> {
        // Whatever Sonar says is a stranger's text.
        let organisation = self.organisation.filter(|organisation| organisation.check().is_ok());
        let (name, regime, task) = (self.name?, self.regime?, self.task?);
        Some(Label { name, regime, task, organisation, parent: self.parent })
    }
}

/// Labels of the newest campaigns; empty if Sonar does not answer.
pub async fn all(context: &Context) -> HashMap<CampaignId, Label> {
    let page: Option<Page> = ask(context, "campaigns?limit=500").await;
    let campaigns = page.map(|page| page.items).unwrap_or_default();
    campaigns.into_iter().filter_map(|campaign| Some((campaign.id, campaign.label()?))).collect()
}

/// The label of one campaign; `None` if Sonar does not have the manifest or does not answer.
pub async fn of(context: &Context, id: CampaignId) -> Option<Label> {
    ask::<Campaign>(context, &format!("campaigns/{id}")).await?.label()
}

async fn ask<T: DeserializeOwned>(context: &Context, what: &str) -> Option<T> {
    let sonar = context.config.sonar.as_deref()?.trim_end_matches('/');
    let http = sonar_node::http::client(sonar, PATIENCE).ok()?;
    http.get(format!("{sonar}/api/v1/{what}")).send().await.ok()?.json().await.ok()
}

/// In words.
pub fn words(regime: Option<Regime>) -> String {
    regime.map_or_else(|| "unknown (Sonar has no manifest)".into(), |regime| regime.to_string())
}
