//! `mine campaigns`

use std::collections::BTreeMap;

use crate::{
    planner::Action,
    reasons::Trouble,
    repository::Fit,
    run::{Journal, JournalLine},
};
use alloy::primitives::Address;
use serde::Serialize;
use sonar_contracts::State;
use sonar_node::cli::{self, Ask, Failure, Report};
use sonar_protocol::{
    ids::{CampaignId, Version},
    organisation::Organisation,
    regime::Regime,
    units::{Amount, TokenUnit, percent},
};
use syft::Ppm;

use super::{Context, store_failure};

/// What an owner should know before an update is accepted.
const HANDOVER: &str = "Whoever launched a campaign learns accepted updates: its audit hands every version of the model over to them, and the \
difference of two versions is often one Mine's update. With one accepted window, the result minus the start is those updates, whatever the audit \
does.";

#[derive(Serialize)]
struct Line {
    campaign: CampaignId,
    name: Option<String>,
    /// As the owner names it, unverified.
    organisation: Option<Organisation>,
    regime: Option<Regime>,
    state: State,
    owner: Address,
    bounty: Amount,
    token: TokenUnit,
    submission_stake: Amount,
    best_ppm: Ppm,
    target_ppm: Ppm,
    version: Version,
    action: Option<Action>,
    next: Option<String>,
    trouble: Option<Trouble>,
    fits: Vec<Fit>,
}

/// The name, with the organisation that the owner names.
fn titled(name: Option<&str>, organisation: Option<&Organisation>) -> String {
    let name = name.unwrap_or_default();
    match organisation {
        Some(Organisation { name: organisation, .. }) => format!("{name} ({organisation}, unverified)"),
        None => name.into(),
    }
}

pub async fn run(context: &Context) -> Result<Report, Failure> {
    let store = context.home.store(&context.passphrase(Ask::Existing)?)?;
    let journal = Journal::load(&*store).map_err(store_failure)?;
    let mut known: BTreeMap<CampaignId, JournalLine> =
        journal.campaigns.into_iter().map(|line| (line.campaign, line)).collect();
    let client = context.client(None).await?;
    let world = context.world(&client).await?;
    let mut lines = Vec::new();
    for campaign in world.in_order() {
        let known = known.remove(&campaign.id);
        let token = client.token(campaign.terms.token).await?;
        let next = known.as_ref().map(JournalLine::describe);
        let (name, organisation, regime, action, trouble, fits) = known.map_or_else(Default::default, |line| {
            (line.name, line.organisation, line.regime, Some(line.action), line.trouble, line.fits)
        });
        lines.push(Line {
            campaign: campaign.id,
            name,
            organisation,
            regime,
            state: campaign.state,
            owner: campaign.terms.owner,
            bounty: campaign.terms.bounty.into(),
            token,
            submission_stake: campaign.terms.submissionStake.into(),
            best_ppm: campaign.best_ppm,
            target_ppm: campaign.terms.target(),
            version: campaign.version(),
            action,
            next,
            trouble,
            fits,
        });
    }
    Report::new(&lines, human(&lines))
}

fn human(lines: &[Line]) -> String {
    if lines.is_empty() {
        return "there are no campaigns".into();
    }
    let mut table = cli::table(["CAMPAIGN", "NAME", "REGIME", "STATE", "BOUNTY", "STAKE", "BEST", "TARGET", "NEXT"]);
    for line in lines {
        table.add_row([
            line.campaign.short(),
            titled(line.name.as_deref(), line.organisation.as_ref()),
            line.regime.map_or_else(String::new, |regime| regime.to_string()),
            format!("{:?}", line.state).to_lowercase(),
            line.token.format(line.bounty),
            TokenUnit::eth().format(line.submission_stake),
            percent(line.best_ppm),
            percent(line.target_ppm),
            line.next.clone().unwrap_or_else(|| "`mine run` has not examined it yet".into()),
        ]);
    }
    let misfits: String = lines
        .iter()
        .flat_map(|line| line.fits.iter().map(move |fit| (line.campaign, fit)))
        .filter_map(|(campaign, fit)| {
            let problems = fit.problems.as_ref()?;
            Some(format!("\n{} does not fit {}:\n{problems}\n", fit.data, campaign.short()))
        })
        .collect();
    format!("{table}\n{HANDOVER}\n{misfits}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_organisation_is_named_as_unverified() {
        let clinic = Organisation { name: "Clinic".into(), link: None };
        assert_eq!(titled(Some("Tumours"), Some(&clinic)), "Tumours (Clinic, unverified)");
        assert_eq!((titled(Some("Tumours"), None), titled(None, None)), ("Tumours".into(), String::new()));
    }
}
