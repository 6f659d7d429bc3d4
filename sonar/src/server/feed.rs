//! An Atom feed (RFC 4287) of a campaign's milestones.
//!
//! Ids of feed and entries follow from chain, contract, campaign and milestone, so that every server gives the same ids,
//! and a reader shows no entry twice.

use std::{fmt::Write, sync::Arc};

use alloy::primitives::{Keccak256, hex};
use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use sonar_contracts::{Deployment, Outcome, State as CampaignState};
use sonar_protocol::{
    event::LogPosition,
    projection::Label,
    text::escape_markup,
    units::percent,
    view::{CampaignView, SettledWindow, StakeFate},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{App, api::campaign_of, extract::Segment, problem::Problem};

/// Maximum number of entries, the newest.
const MAX_ENTRIES: usize = 50;

/// A milestone of a campaign.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    /// Name of the milestone, unique within the campaign.
    key: String,
    title: String,
    at: LogPosition,
}

impl Entry {
    fn new(key: impl Into<String>, title: impl Into<String>, at: LogPosition) -> Self {
        Self { key: key.into(), title: title.into(), at }
    }

    fn improvement(window: &SettledWindow) -> Option<Self> {
        let accepted = window.submissions.iter().filter(|s| matches!(s.outcome, Outcome::Accepted(_))).count();
        let title = format!(
            "Accuracy {}: {accepted} of {} submissions of window {} were accepted",
            percent(window.best_ppm),
            window.submissions.len(),
            window.index
        );
        (accepted > 0).then(|| Self::new(format!("window/{}", window.index), title, window.at))
    }
}

/// The milestones, newest first.
fn entries(view: &CampaignView) -> Vec<Entry> {
    let activated = view.versions.first().map(|first| {
        let start = view.start_ppm.unwrap_or_default();
        Entry::new("activated", format!("Open for submissions; starting accuracy {}", percent(start)), first.at)
    });
    let delivered = view.delivered.map(|at| Entry::new("delivered", "The model was delivered", at));
    // An entry is never empty: there is always the launch.
    let improvements = view.settled.iter().rev().filter_map(Entry::improvement).take(MAX_ENTRIES);
    let mut entries = vec![Entry::new("opened", "Launched: the bounty is in escrow", view.opened)];
    entries.extend(activated);
    entries.extend(improvements);
    entries.extend(view.closed.map(|at| ended(view, at)));
    entries.extend(delivered);
    entries.extend(view.judged.map(|at| judged(view, at)));
    entries.sort_by_key(|entry| std::cmp::Reverse((entry.at.block, entry.at.index)));
    entries.truncate(MAX_ENTRIES);
    entries
}

fn ended(view: &CampaignView, at: LogPosition) -> Entry {
    match (view.state, view.declined) {
        (CampaignState::Refunded, Some(reason)) => {
            Entry::new("refunded", format!("Refunded; the Capsule declined: {reason}"), at)
        }
        (CampaignState::Refunded, None) => Entry::new("refunded", "Refunded; the Capsule did not answer in time", at),
        // A later time-out has replaced the reason.
        _ if view.judged.is_some() && view.delivered.is_none() => Entry::new("closed", "Closed", at),
        _ => Entry::new("closed", format!("Closed: {}", view.reason), at),
    }
}

fn judged(view: &CampaignView, at: LogPosition) -> Entry {
    let title = match view.stake_fate {
        Some(StakeFate::Released) => "The audit period is over; the Capsule's fee and stake are free".into(),
        Some(StakeFate::Convicted { version }) => {
            format!("The Capsule was convicted of misconduct in version {version}")
        }
        None => "The Capsule did not deliver in time".into(),
    };
    Entry::new("judged", title, at)
}

/// A UUID (version 8) from the hash of what it names.
fn id(deployment: &Deployment, view: &CampaignView, key: &str) -> String {
    let mut hasher = Keccak256::new();
    hasher.update(b"sonar/feed/1");
    hasher.update(deployment.chain_id.to_be_bytes());
    hasher.update(deployment.campaigns);
    hasher.update(view.id.as_bytes());
    hasher.update(key);
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hasher.finalize()[..16]);
    bytes[6] = bytes[6] & 0x0F | 0x80;
    bytes[8] = bytes[8] & 0x3F | 0x80;
    let text = hex::encode(bytes);
    format!("urn:uuid:{}-{}-{}-{}-{}", &text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..])
}

/// The feed. Links are relative, because a server does not know under which name it is reached.
fn feed(deployment: &Deployment, view: &CampaignView, label: Option<&Label>) -> String {
    let entries = entries(view);
    let campaign = view.id;
    let name = label.map_or_else(|| format!("Campaign {}", campaign.short()), |label| label.name.clone());
    let updated = entries.first().map_or(view.opened.timestamp, |entry| entry.at.timestamp);
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n\
         <feed xmlns=\"http://www.w3.org/2005/Atom\">\n\
         <id>{}</id>\n<title>{}</title>\n<updated>{updated}</updated>\n\
         <author><name>Sonar</name></author>\n\
         <link rel=\"self\" type=\"application/atom+xml\" href=\"/api/v1/campaigns/{campaign}/feed.atom\"/>\n\
         <link rel=\"alternate\" href=\"/campaigns/{campaign}\"/>\n",
        id(deployment, view, ""),
        escape_markup(&name),
    );
    for Entry { key, title, at } in &entries {
        // Writing to a string cannot fail.
        let _ = write!(
            out,
            "<entry>\n<id>{}</id>\n<title>{}</title>\n<updated>{}</updated>\n\
             <link rel=\"alternate\" href=\"/campaigns/{campaign}\"/>\n\
             <content type=\"text\">{} (block {}, transaction {})</content>\n</entry>\n",
            id(deployment, view, key),
            escape_markup(title),
            at.timestamp,
            escape_markup(title),
            at.block,
            at.transaction,
        );
    }
    out.push_str("</feed>\n");
    out
}

/// The routes of this module.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(feed_atom))
}

/// A campaign's milestones as an Atom feed: launch, improvements, end, delivery. The newest 50.
#[utoipa::path(
    get, path = "/api/v1/campaigns/{id}/feed.atom", params(("id" = String, Path, description = "Campaign id")),
    responses(
        (status = OK, body = String, content_type = "application/atom+xml"),
        (status = BAD_REQUEST, body = Problem),
        (status = NOT_FOUND, body = Problem)
    )
)]
async fn feed_atom(State(app): State<Arc<App>>, Segment(id): Segment<String>) -> Result<Response, Problem> {
    let view = campaign_of(&app, &id)?;
    let feed = feed(app.chain.deployment(), &view, app.label(&view).as_ref());
    Ok(([(header::CONTENT_TYPE, "application/atom+xml; charset=utf-8")], feed).into_response())
}

#[cfg(test)]
mod tests {
    use alloy::primitives::Address;

    use super::{
        super::fixture::{EVIL_NAME, Story, assert_well_formed, label, mixed},
        *,
    };

    fn deployment(chain_id: u64) -> Deployment {
        let address = Address::repeat_byte(9);
        Deployment { chain_id, campaigns: address, registry: address, datacoin: address, block: 1 }
    }

    fn ids(feed: &str) -> Vec<&str> {
        feed.lines().filter_map(|line| line.strip_prefix("<id>")?.strip_suffix("</id>")).collect()
    }

    #[test]
    fn a_feed_has_every_milestone_newest_first() {
        let (mut story, id) = mixed();
        story.settle(id, &[Outcome::NotImproved]);
        story.end(id);
        let feed = feed(&deployment(1), story.view(id), Some(&label("Tumours")));
        assert_well_formed(&feed);
        let titles: Vec<_> = feed.lines().filter_map(|line| line.split("<title>").nth(1)?.split('<').next()).collect();
        let expected = [
            "Tumours",
            "The Capsule was convicted of misconduct in version 1",
            "The model was delivered",
            "Closed: closed by its owner",
            "Accuracy 30 %: 1 of 3 submissions of window 0 were accepted",
            "Open for submissions; starting accuracy 1 %",
            "Launched: the bounty is in escrow",
        ];
        assert_eq!(titles, expected);
        assert!(feed.contains("<updated>2027-01-15T08:00:12Z</updated>"), "{feed}");
    }

    #[test]
    fn ids_stay_and_differ() {
        let (mut story, id) = mixed();
        let before = feed(&deployment(1), story.view(id), None);
        story.end(id);
        let after = feed(&deployment(1), story.view(id), Some(&label("named since")));
        let (before, mut after) = (ids(&before), ids(&after));
        assert!(before.iter().all(|id| after.contains(id)), "{before:?} {after:?}");
        assert!(before[0].starts_with("urn:uuid:") && before[0].len() == 45);
        let count = after.len();
        after.sort_unstable();
        after.dedup();
        assert_eq!(after.len(), count);
        let elsewhere = feed(&deployment(2), story.view(id), None);
        assert!(ids(&elsewhere).iter().all(|id| !after.contains(id)), "another chain");
    }

    #[test]
    fn a_name_cannot_leave_its_place() {
        let (story, id) = mixed();
        let feed = feed(&deployment(1), story.view(id), Some(&label(EVIL_NAME)));
        assert_well_formed(&feed);
        assert!(!feed.contains("<script"), "{feed}");
    }

    #[test]
    fn a_long_campaign_has_its_newest_milestones() {
        let mut story = Story::new();
        let id = story.open(1);
        for step in 2..80 {
            story.submit(id, &[1]);
            story.settle(id, &[Outcome::Accepted(step)]);
        }
        let entries = entries(story.view(id));
        assert_eq!((entries.len(), entries[0].key.as_str()), (MAX_ENTRIES, "window/77"));
    }
}
