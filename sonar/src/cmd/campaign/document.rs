//! A campaign as text and as JSON.

use serde::Serialize;
use sonar_contracts::{CloseReason, State};
use sonar_protocol::{
    lineage::ParentClaim,
    organisation::Organisation,
    projection::{CampaignDetail, Label, LedgerJson, SettledJson, SubmissionView},
    units::{Amount, TokenUnit, percent},
    view::{CampaignView, StakeFate, World},
};

use crate::scientist::{credits::Credits, state};

/// Everything about a campaign, with its whole history.
#[derive(Serialize)]
pub struct Detail {
    #[serde(flatten)]
    detail: CampaignDetail,
    /// What the owner can withdraw now.
    owed_to_owner: Credits,
    settled: Vec<SettledJson>,
    submissions: Vec<SubmissionView>,
}

impl Detail {
    pub fn new(view: &CampaignView, world: &World, label: Option<Label>, owed_to_owner: Credits) -> Self {
        let mut detail = CampaignDetail::new(view, label);
        detail.summary.verify_parent(world);
        Self {
            detail,
            owed_to_owner,
            settled: view.settled.iter().map(SettledJson::from).collect(),
            submissions: SubmissionView::all(view).collect(),
        }
    }
}

/// `10 % → 92.5 % (target 95 %)`.
pub fn accuracy(view: &CampaignView) -> String {
    let target = percent(view.terms.target());
    match view.start_ppm {
        Some(start) => format!("{} → {} (target {target})", percent(start), percent(view.best_ppm)),
        None => format!("claimed {} (target {target})", percent(view.terms.start())),
    }
}

/// A campaign on one page.
pub fn page(view: &CampaignView, world: &World, token: &TokenUnit, label: Option<&Label>, owed: &Credits) -> String {
    let ledger = LedgerJson::from(&view.ledger());
    let money = |amount: Amount| token.format(amount);
    let mut page = format!("campaign     {}\n", view.id);
    page += &label.map(|label| said_by_owner(label, view, world)).unwrap_or_default();
    page += &format!(
        "state        {}\nregime       {}\naccuracy     {}\nsubmissions  {} of {} ({} accepted, {} windows settled)\n",
        state(view),
        super::label::words(label.map(|label| label.regime)),
        accuracy(view),
        view.submissions,
        view.terms.maxSubmissions,
        view.accepts,
        view.settled.len(),
    );
    page += &format!(
        "version      {}\ndeadline     {}\nowner        {}\ncapsule      {}\n",
        view.version(),
        view.terms.deadline(),
        view.terms.owner,
        view.terms.capsule,
    );
    page += &capsule_stake(view);
    page += &format!(
        "money        {} deposited = {} paid + {} owed + {} refunded + {} fee + {} in escrow\n",
        money(ledger.deposited),
        money(ledger.paid),
        money(ledger.owed),
        money(ledger.refunded),
        money(ledger.fee),
        money(ledger.escrowed),
    );
    page += &stakes(view);
    page += &format!("withdrawable {}\n", owed.describe(token));
    if let Some(reason) = view.declined {
        page += &format!("declined     by the Capsule: {reason}\n");
    }
    for (miner, account) in &view.accounts {
        if account.earned > Amount::ZERO {
            page += &format!("miner        {miner}  earned {}\n", money(account.earned));
        }
    }
    page
}

/// What only the owner says about a campaign.
fn said_by_owner(label: &Label, view: &CampaignView, world: &World) -> String {
    let mut lines = format!("name         {}\n", label.name);
    if let Some(organisation) = &label.organisation {
        lines += &format!("organisation {} (named by the owner, unverified)\n", described(organisation));
    }
    if let Some(claim) = label.parent {
        let claim = ParentClaim::new(claim.id, view, world);
        let note = if claim.verified {
            "a delivered campaign of the same owner"
        } else {
            "unverified: no campaign of this owner that had delivered before"
        };
        lines += &format!("starts from  {} ({note})\n", claim.id);
    }
    lines
}

/// `Example Hospital, https://example.org`
pub fn described(organisation: &Organisation) -> String {
    let link = organisation.link.as_ref().map(|link| format!(", {link}")).unwrap_or_default();
    format!("{}{link}", organisation.name)
}

fn stakes(view: &CampaignView) -> String {
    let stakes = view.all_stakes();
    let [each, deposited, held, free, withdrawn, charged] = [
        view.terms.submissionStake.into(),
        stakes.deposited,
        stakes.held,
        stakes.free,
        stakes.withdrawn,
        stakes.charged,
    ]
    .map(|amount| TokenUnit::eth().format(amount));
    format!(
        "stakes       {each} a submission: {deposited} deposited = {held} held + {free} free + {withdrawn} withdrawn + {charged} paid\n"
    )
}

/// Whether the Capsule's locked stake was freed or slashed, or when it will be free.
fn capsule_stake(view: &CampaignView) -> String {
    if view.terms.stake == 0 {
        return String::new();
    }
    let stake = TokenUnit::eth().format(view.terms.stake.into());
    let fate = match (view.stake_fate, view.state) {
        (Some(StakeFate::Released), _) => "free".into(),
        (Some(StakeFate::Convicted { version }), _) => {
            format!("slashed, for misconduct in version {version}")
        }
        (None, State::Finalized) => {
            let end = view.changed_at.plus(view.terms.audit.period);
            format!("locked for the owner's audit; anyone may free it from {end}")
        }
        (None, State::Proposed) => "will be locked when the Capsule activates the campaign".into(),
        (None, State::Closed) if view.reason == CloseReason::CapsuleTimeout => {
            "slashed: the Capsule missed a deadline".into()
        }
        (None, State::Open | State::Closed) => "locked".into(),
        (None, State::None | State::Refunded | State::Released | State::Convicted) => return String::new(),
    };
    format!("its stake    {stake}: {fate}\n")
}

/// A duration in its largest whole unit, as in `3 days`.
pub fn span(seconds: u32) -> String {
    const DAY: u32 = 86_400;
    const HOUR: u32 = 3_600;
    match seconds {
        DAY => "a day".into(),
        HOUR => "an hour".into(),
        days if days % DAY == 0 => format!("{} days", days / DAY),
        hours if hours % HOUR == 0 => format!("{} hours", hours / HOUR),
        seconds => format!("{seconds} s"),
    }
}
