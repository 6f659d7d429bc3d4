//! The list of campaigns by what their manifests say, and in an order other than that of their launch.
//!
//! Manifests are not part of the world, so the campaigns that fit otherwise are shared first, and are searched and
//! sorted after the world is unlocked.

use std::{cmp::Reverse, sync::Arc};

use alloy::primitives::{U256, hex};
use serde::Deserialize;
use sonar_protocol::{campaign::template::TaskKind, projection::Label, regime::Regime, view::CampaignView};
use utoipa::ToSchema;

use super::dto::Page;

/// What a campaign's manifest must say; a field that is `None` does not restrict.
#[derive(Clone, Debug, Default)]
pub struct Search {
    /// Part of name, id, or address of owner or Capsule, in lower case.
    text: Option<String>,
    regime: Option<Regime>,
    task: Option<TaskKind>,
}

/// Order of campaigns; equal ones are listed newest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CampaignSort {
    /// Newest first.
    #[default]
    New,
    /// Oldest first.
    Old,
    /// Nearest deadline first.
    Deadline,
    /// Highest bounty first, in the tokens' smallest units: sensible within one token.
    Bounty,
    /// Highest best accuracy first.
    Accuracy,
    /// Most submissions first.
    Submissions,
    /// Most miners first.
    Miners,
    /// Best accuracy nearest to the target first.
    Progress,
}

impl Search {
    /// A search for a text, and for what the manifest says.
    pub fn new(text: Option<&str>, regime: Option<Regime>, task: Option<TaskKind>) -> Self {
        let text = text.map(|text| text.trim().to_lowercase()).filter(|text| !text.is_empty());
        Self { text, regime, task }
    }

    /// Whether every campaign matches.
    pub fn is_empty(&self) -> bool {
        self.text.is_none() && self.regime.is_none() && self.task.is_none()
    }

    /// Whether a campaign with this label matches. One whose manifest is not available has neither name nor regime.
    fn matches(&self, view: &CampaignView, label: Option<&Label>) -> bool {
        self.regime.is_none_or(|regime| label.is_some_and(|label| label.regime == regime))
            && self.task.is_none_or(|task| label.is_some_and(|label| label.task == task))
            && self.text.as_deref().is_none_or(|text| has_text(view, label, text))
    }
}

fn has_text(view: &CampaignView, label: Option<&Label>, text: &str) -> bool {
    if label.is_some_and(|label| label.name.to_lowercase().contains(text)) {
        return true;
    }
    // Only a text that can be a part of them is compared with id and addresses, because writing those takes longest.
    let is_hex = text.strip_prefix("0x").unwrap_or(text).bytes().all(|c| c.is_ascii_hexdigit());
    let has = |bytes: &[u8]| hex::encode_prefixed(bytes).contains(text);
    is_hex && (has(view.id.as_bytes()) || has(view.terms.owner.as_slice()) || has(view.terms.capsule.as_slice()))
}

impl CampaignSort {
    /// What campaigns are sorted by, smallest first. The second part is the order of the launch, so that no two are
    /// equal.
    fn key(self, view: &CampaignView, launch: usize) -> (U256, Reverse<usize>) {
        let ascending = U256::from::<u64>;
        let descending = |value: U256| U256::MAX - value;
        let progress = || u64::from(view.best_ppm.get()) * 1_000_000 / u64::from(view.terms.targetPpm.max(1));
        let key = match self {
            Self::New => U256::ZERO,
            Self::Old => ascending(launch as u64),
            Self::Deadline => ascending(view.terms.deadline),
            Self::Bounty => descending(U256::from(view.terms.bounty)),
            Self::Accuracy => descending(ascending(view.best_ppm.get().into())),
            Self::Submissions => descending(ascending(view.submissions.into())),
            Self::Miners => descending(ascending(view.miners.into())),
            Self::Progress => descending(ascending(progress())),
        };
        (key, Reverse(launch))
    }
}

/// A campaign, and its place in the order of launches.
pub type Launched = (usize, Arc<CampaignView>);

/// At most `limit` of the matching campaigns after the campaign `after`, in this order. The campaign `after` need not
/// match any more: what counts is its place in the order.
pub fn page(
    campaigns: &[Launched],
    (search, sort): (&Search, CampaignSort),
    label: impl Fn(&CampaignView) -> Option<Label>,
    after: Option<&Launched>,
    limit: usize,
) -> Page<Arc<CampaignView>> {
    let mut found: Vec<_> = campaigns
        .iter()
        .filter(|(_, view)| search.is_empty() || search.matches(view, label(view).as_ref()))
        .map(|(launch, view)| (sort.key(view, *launch), view))
        .collect();
    found.sort_unstable_by_key(|(key, _)| *key);
    let total = found.len() as u64;
    let after = after.map(|(launch, view)| sort.key(view, *launch));
    let mut rest = found.into_iter().filter(|(key, _)| after.is_none_or(|after| *key > after));
    let items: Vec<_> = rest.by_ref().take(limit).map(|(_, view)| Arc::clone(view)).collect();
    let next = items.last().filter(|_| rest.next().is_some()).map(|view| view.id.to_string());
    Page { items, next, total: Some(total) }
}

#[cfg(test)]
mod tests {
    use super::{
        super::fixture::{Story, label, miner},
        *,
    };
    use sonar_contracts::Outcome;
    use sonar_protocol::{ids::CampaignId, view::World};

    fn launched(world: &World) -> Vec<Launched> {
        world.order.iter().map(|id| Arc::clone(&world.campaigns[id])).enumerate().collect()
    }

    /// Four campaigns; the second has submissions and is more accurate.
    fn story() -> Story {
        let mut story = Story::new();
        let ids: Vec<CampaignId> = (1..5).map(|salt| story.open(salt)).collect();
        story.submit(ids[1], &[1, 2]);
        story.settle(ids[1], &[Outcome::Accepted(30), Outcome::NotImproved]);
        story
    }

    /// The first has no manifest.
    fn named(view: &CampaignView) -> Option<Label> {
        match view.id.as_bytes()[0] {
            1 => None,
            2 => Some(Label { regime: Regime::Clear, task: TaskKind::Regression, ..label("Diabetes") }),
            salt => Some(label(&format!("Tumours {salt}"))),
        }
    }

    /// The first bytes of the found ids.
    fn found(story: &Story, search: &Search, sort: CampaignSort) -> Vec<u8> {
        let page = page(&launched(&story.world), (search, sort), named, None, 100);
        page.items.iter().map(|view| view.id.as_bytes()[0]).collect()
    }

    #[test]
    fn campaigns_are_found_by_name_id_address_regime_and_task() {
        let story = story();
        let find = |text: &str| found(&story, &Search::new(Some(text), None, None), CampaignSort::New);
        assert_eq!(find("tumour"), [4, 3]);
        assert_eq!(find(" DIABETES "), [2]);
        assert_eq!(find("0x0101"), [1]);
        assert_eq!(find(&story.view(CampaignId::from([1; 32])).terms.owner.to_string()), [4, 3, 2, 1]);
        assert_eq!(find(&miner(1).to_string()), [0; 0], "miners are not searched");
        let by = |regime, task| found(&story, &Search::new(None, regime, task), CampaignSort::New);
        assert_eq!(by(Some(Regime::Clear), None), [2]);
        assert_eq!(by(None, Some(TaskKind::Classification)), [4, 3]);
        assert_eq!(by(Some(Regime::Encrypted), Some(TaskKind::Regression)), [0; 0]);
        assert!(Search::new(Some("  "), None, None).is_empty());
    }

    #[test]
    fn campaigns_are_sorted_and_equal_ones_are_newest_first() {
        let story = story();
        let sorted = |sort| found(&story, &Search::default(), sort);
        assert_eq!(sorted(CampaignSort::New), [4, 3, 2, 1]);
        assert_eq!(sorted(CampaignSort::Old), [1, 2, 3, 4]);
        assert_eq!(sorted(CampaignSort::Deadline), [4, 3, 2, 1]);
        assert_eq!(sorted(CampaignSort::Bounty), [4, 3, 2, 1]);
        for sort in [CampaignSort::Accuracy, CampaignSort::Submissions, CampaignSort::Miners, CampaignSort::Progress] {
            assert_eq!(sorted(sort), [2, 4, 3, 1], "{sort:?}");
        }
    }

    #[test]
    fn pages_join_to_the_whole_list_even_after_a_campaign_that_no_longer_matches() {
        let story = story();
        let all = launched(&story.world);
        let (search, sort) = (Search::default(), CampaignSort::Accuracy);
        let mut listed = Vec::new();
        let mut after: Option<&Launched> = None;
        loop {
            let page = page(&all, (&search, sort), named, after, 1);
            listed.extend(page.items.iter().map(|view| view.id.as_bytes()[0]));
            assert_eq!(page.total, Some(4));
            let Some(next) = page.next else { break };
            after = all.iter().find(|(_, view)| view.id.to_string() == next);
        }
        assert_eq!(listed, [2, 4, 3, 1]);
        let tumours = Search::new(Some("tumours"), None, None);
        let rest = page(&all, (&tumours, sort), named, Some(&all[1]), 10);
        assert_eq!(rest.items.len(), 2);
    }
}
