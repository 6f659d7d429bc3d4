//! What is said of a campaign, to programs and to people.

use alloy::primitives::Address;
use serde::Serialize;
use sonar_contracts::{CloseReason, Ledger, Outcome, State};
use sonar_protocol::{
    ids::{CampaignId, Digest},
    method::Regime,
    refusal::Refusal,
    units::{Amount, TokenUnit, percent},
    view::{CampaignView, SettledWindow, StakeFate, Stakes},
    wire::TermsJson,
};

use super::owed::Owed;

pub use sonar_protocol::units::time;

/// A campaign in a list.
#[derive(Serialize)]
pub struct Summary {
    pub id: CampaignId,
    pub state: State,
    pub reason: Option<CloseReason>,
    /// From the manifest, if Sonar has it.
    pub regime: Option<Regime>,
    pub owner: Address,
    pub token: Address,
    pub bounty: Amount,
    pub start_ppm: Option<u32>,
    pub best_ppm: Option<u32>,
    pub target_ppm: u32,
    pub version: u32,
    pub submissions: u32,
    pub accepts: u32,
    pub deadline: u64,
    pub opened_at: u64,
}

impl Summary {
    pub fn new(view: &CampaignView, regime: Option<Regime>) -> Self {
        Self {
            id: view.id,
            state: view.state,
            reason: (view.reason != CloseReason::None).then_some(view.reason),
            regime,
            owner: view.terms.owner,
            token: view.terms.token,
            bounty: view.terms.bounty.into(),
            start_ppm: view.start_ppm,
            best_ppm: view.start_ppm.map(|_| view.best_ppm),
            target_ppm: view.terms.targetPpm,
            version: view.version().0,
            submissions: view.submissions,
            accepts: view.accepts,
            deadline: view.terms.deadline,
            opened_at: view.opened.timestamp,
        }
    }
}

/// Everything about a campaign.
#[derive(Serialize)]
pub struct Detail {
    #[serde(flatten)]
    pub summary: Summary,
    pub terms: TermsJson,
    pub ledger: Money,
    /// What the owner can withdraw now.
    pub owed_to_owner: Owed,
    pub stakes: Stakes,
    pub window: Window,
    pub settled: Vec<Settled>,
    pub material: Option<Digest>,
    pub result: Option<Digest>,
    pub stake_fate: Option<StakeFate>,
    pub declined: Option<u8>,
    /// The same in words.
    pub declined_because: Option<String>,
}

/// Where the money is: `deposited = paid + owed + refunded + fee + escrowed`.
#[derive(Serialize)]
pub struct Money {
    pub deposited: Amount,
    pub paid: Amount,
    pub owed: Amount,
    pub refunded: Amount,
    pub fee: Amount,
    pub escrowed: Amount,
}

/// The present window.
#[derive(Serialize)]
pub struct Window {
    pub index: u32,
    pub version: u32,
    pub submissions: usize,
    pub closes_at: Option<u64>,
}

/// A window that was settled.
#[derive(Serialize)]
pub struct Settled {
    pub index: u32,
    pub version: u32,
    pub best_ppm: u32,
    pub submissions: Vec<Submission>,
}

/// What became of a submission. Nothing is ever said about one that did not improve the model but that.
#[derive(Serialize)]
pub struct Submission {
    pub miner: Address,
    pub content: Digest,
    pub outcome: &'static str,
    pub delta_ppm: Option<u32>,
    pub amount: Option<Amount>,
}

impl Detail {
    pub fn new(view: &CampaignView, regime: Option<Regime>, owed_to_owner: Owed) -> Self {
        let window = &view.window;
        Self {
            summary: Summary::new(view, regime),
            terms: (&view.terms).into(),
            ledger: view.ledger().into(),
            owed_to_owner,
            stakes: view.all_stakes(),
            window: Window {
                index: window.index.0,
                version: window.version.0,
                submissions: window.submissions.len(),
                closes_at: (!window.submissions.is_empty()).then_some(window.closes_at),
            },
            settled: view.settled.iter().map(Settled::from).collect(),
            material: view.material(),
            result: view.result,
            stake_fate: view.stake_fate,
            declined: view.declined,
            declined_because: view.declined.map(Refusal::words),
        }
    }
}

impl From<Ledger> for Money {
    fn from(ledger: Ledger) -> Self {
        Self {
            deposited: ledger.deposited.into(),
            paid: ledger.paid.into(),
            owed: ledger.owed.into(),
            refunded: ledger.refunded.into(),
            fee: ledger.fee.into(),
            escrowed: ledger.escrowed.into(),
        }
    }
}

impl From<&SettledWindow> for Settled {
    fn from(window: &SettledWindow) -> Self {
        let submission = |s: &sonar_protocol::view::SettledSubmission| Submission {
            miner: s.miner,
            content: s.content,
            outcome: outcome(s.outcome),
            delta_ppm: s.award.map(|award| award.delta_ppm),
            amount: s.award.map(|award| award.amount),
        };
        Self {
            index: window.index.0,
            version: window.version.0,
            best_ppm: window.best_ppm,
            submissions: window.submissions.iter().map(submission).collect(),
        }
    }
}

fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Accepted(_) => "accepted",
        Outcome::NotImproved => "not_improved",
        Outcome::Rejected(_) => "rejected",
    }
}

/// State and reason in words: `closed (target reached)`.
pub fn state(view: &CampaignView) -> String {
    let state = match view.state {
        State::None => "unknown",
        State::Proposed => "proposed",
        State::Open => "open",
        State::Closed => "closed",
        State::Finalized => "delivered",
        State::Refunded => "refunded",
    };
    let reason = match view.reason {
        CloseReason::None => return state.into(),
        CloseReason::Target => "target reached",
        CloseReason::Deadline => "deadline passed",
        CloseReason::LeakBudget => "leak budget spent",
        CloseReason::Owner => "owner's wish",
        CloseReason::Limit => "all submissions used",
        CloseReason::CapsuleTimeout => "the Capsule missed its time",
    };
    format!("{state} ({reason})")
}

/// `10 % → 92.5 % (target 95 %)`.
pub fn accuracy(view: &CampaignView) -> String {
    let target = percent(view.terms.targetPpm);
    match view.start_ppm {
        Some(start) => format!("{} → {} (target {target})", percent(start), percent(view.best_ppm)),
        None => format!("claimed {} (target {target})", percent(view.terms.startPpm)),
    }
}

/// A campaign on one page.
pub fn page(view: &CampaignView, token: &TokenUnit, regime: Option<Regime>, owed: &Owed) -> String {
    let ledger = Money::from(view.ledger());
    let money = |amount: Amount| token.format(amount);
    let mut page = format!(
        "campaign     {}\nstate        {}\nregime       {}\naccuracy     {}\nsubmissions  {} of {} ({} accepted, {} windows settled)\n",
        view.id,
        state(view),
        super::regime::words(regime),
        accuracy(view),
        view.submissions,
        view.terms.maxSubmissions,
        view.accepts,
        view.settled.len(),
    );
    page += &format!(
        "version      {}\ndeadline     {}\nowner        {}\ncapsule      {}\n",
        view.version(),
        time(view.terms.deadline),
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
    page += &format!("owner        can withdraw {}\n", owed.describe(token));
    if let Some(code) = view.declined {
        page += &format!("declined     by the Capsule: {}\n", Refusal::words(code));
    }
    for (miner, account) in &view.accounts {
        if account.earned > Amount::ZERO {
            page += &format!("miner        {miner}  earned {}\n", money(account.earned));
        }
    }
    page
}

fn stakes(view: &CampaignView) -> String {
    let stakes = view.all_stakes();
    let [each, deposited, held, free, withdrawn, forfeited] = [
        view.terms.submissionStake.into(),
        stakes.deposited,
        stakes.held,
        stakes.free,
        stakes.withdrawn,
        stakes.forfeited,
    ]
    .map(|amount| TokenUnit::eth().format(amount));
    format!(
        "stakes       {each} a submission: {deposited} deposited = {held} held + {free} free + {withdrawn} withdrawn ({forfeited} forfeited)\n"
    )
}

/// What became of the stake that the Capsule locked, or when it will be free.
fn capsule_stake(view: &CampaignView) -> String {
    if view.terms.stake == 0 {
        return String::new();
    }
    let stake = TokenUnit::eth().format(view.terms.stake.into());
    let fate = match (view.stake_fate, view.state) {
        (Some(StakeFate::Released), _) => "free again".into(),
        (Some(StakeFate::Convicted { version }), _) => {
            format!("taken from it and given to the owner, for what it published for version {version}")
        }
        (None, State::Finalized) => {
            let end = view.changed_at.saturating_add(view.terms.audit.period.into());
            format!("locked for the owner's audit; from {} the Capsule may free it", time(end))
        }
        (None, State::Proposed) => "to be locked when it activates the campaign".into(),
        (None, State::Closed) if view.reason == CloseReason::CapsuleTimeout => "taken from it: it was late".into(),
        (None, State::Open | State::Closed) => "locked".into(),
        (None, State::None | State::Refunded) => return String::new(),
    };
    format!("its stake    {stake}: {fate}\n")
}

/// A length of time as people read it.
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
