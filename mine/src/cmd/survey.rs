//! How many of the open campaigns each policy would serve. Best effort: a Sonar that does not answer keeps nobody from
//! `mine init`.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sonar_node::discovery::{self, DiscoveryError};
use sonar_protocol::{ids::CampaignId, manifest::Manifest, terms::CampaignTerms, units::Timestamp};

use crate::{
    planner,
    policy::{Decision, Facts, Preset},
};

/// Time limit for all requests.
const PATIENCE: Duration = Duration::from_secs(5);
/// Maximum number of campaigns that are looked at.
const MOST: usize = 100;

/// Number of open campaigns that each preset would serve, whatever data the Mine has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Survey {
    /// Number of open campaigns.
    pub open: usize,
    /// Number that each of [`Preset::ALL`] would serve.
    pub served: [usize; 3],
}

#[derive(Deserialize)]
struct List {
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    id: CampaignId,
}

/// The part of Sonar's description of a campaign that policies decide by.
#[derive(Deserialize)]
struct Page {
    terms: CampaignTerms,
    manifest: Option<serde_json::Value>,
}

/// Asks Sonar; `None` if it does not answer in time, or not with campaigns.
pub async fn survey(sonar: &str, now: Timestamp) -> Option<Survey> {
    let pages = tokio::time::timeout(PATIENCE, open_campaigns(sonar)).await.ok()?.ok()?;
    Some(count(&pages, now))
}

async fn open_campaigns(sonar: &str) -> Result<Vec<Page>, DiscoveryError> {
    let path = format!("campaigns?state=open&limit={MOST}");
    let list: List = discovery::get(sonar, &path, PATIENCE).await?;
    let mut pages = Vec::new();
    for Item { id } in list.items.into_iter().take(MOST) {
        pages.push(discovery::get(sonar, &format!("campaigns/{id}"), PATIENCE).await?);
    }
    Ok(pages)
}

fn count(pages: &[Page], now: Timestamp) -> Survey {
    let facts: Vec<Facts> = pages.iter().filter_map(|page| facts(page, now)).collect();
    let served = Preset::ALL.map(|preset| {
        let policy = preset.policy();
        facts.iter().filter(|facts| policy.decide(facts) == Decision::Allowed).count()
    });
    Survey { open: pages.len(), served }
}

/// What the Mine would decide by, if the manifest is available and valid.
fn facts(page: &Page, now: Timestamp) -> Option<Facts> {
    let manifest = Manifest::decode(&serde_json::to_vec(page.manifest.as_ref()?).ok()?).ok()?;
    let facts = planner::facts_of(&page.terms, now);
    let (algorithm, transformation) = (Some(manifest.method.algorithm()), manifest.check_constants().into());
    Some(Facts { algorithm, transformation, ..facts })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_campaign_without_a_manifest_is_open_and_counted_for_nobody() {
        let terms = crate::testing::terms().try_into().unwrap();
        let survey = count(&[Page { terms, manifest: None }], Timestamp::from_unix(1_000));
        assert_eq!(survey, Survey { open: 1, served: [0; 3] });
    }

    #[tokio::test]
    async fn a_sonar_that_does_not_answer_is_no_failure() {
        assert_eq!(survey("http://127.0.0.1:1", Timestamp::from_unix(1_000)).await, None);
        assert_eq!(survey("not a url", Timestamp::from_unix(1_000)).await, None);
    }
}
