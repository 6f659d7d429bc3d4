//! The record of a campaign: everything that an export shows, as a pure function of chain and manifest.

use alloy::primitives::{Address, U256};
use serde::Serialize;
use serde_json::{Value, json};
use sonar_contracts::Deployment;
use sonar_protocol::{
    envelope::ProtocolReject,
    event::Head,
    manifest::Manifest,
    projection::{CampaignDetail, Label, LedgerJson, SettledJson, SubmissionView, Verdict},
    statement::{CampaignProgress, PrivacyStatement},
    units::{Amount, TokenUnit},
    view::{CampaignView, World},
};
use syft::Ppm;

use super::sheet::Sheet;

/// Name and version of the form of `campaign.json`.
const FORM: &str = "sonar.campaign.archive/1";

/// Everything about a campaign up to a block.
pub struct CampaignRecord<'a> {
    pub view: &'a CampaignView,
    pub detail: CampaignDetail,
    pub manifest: Option<&'a Manifest>,
    pub privacy: Option<PrivacyStatement>,
    pub token: &'a TokenUnit,
    pub deployment: Deployment,
    pub head: Head,
    pub points: Vec<Point>,
    pub ranking: Vec<Rank>,
}

/// A submission with the state of the campaign after it.
pub struct Point {
    pub submission: SubmissionView,
    pub best: Ppm,
    /// Amount of the bounty that was awarded until then.
    pub spent: Amount,
}

/// An account that has submitted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rank {
    pub rank: usize,
    pub miner: Address,
    pub submitted: u32,
    pub accepted: u32,
    pub delta_ppm: Ppm,
    pub earned: Amount,
    /// Share of everything that was awarded.
    pub share_ppm: Ppm,
}

/// The money of a campaign, which adds up: `deposited = paid + owed + refunded + fee + escrowed`.
pub struct Money(LedgerJson);

impl Money {
    pub fn of(view: &CampaignView) -> Self {
        Self(LedgerJson::from(&view.ledger()))
    }

    /// What became of the deposit.
    pub fn parts(&self) -> [(&'static str, Amount); 5] {
        let ledger = &self.0;
        [
            ("paid to miners", ledger.paid),
            ("owed to miners", ledger.owed),
            ("returned to the owner", ledger.refunded),
            ("fee of the Capsule", ledger.fee),
            ("in escrow", ledger.escrowed),
        ]
    }

    pub fn deposited(&self) -> Amount {
        self.0.deposited
    }

    pub fn adds_up(&self) -> bool {
        let parts = self.parts().into_iter();
        parts.fold(Amount::ZERO, |sum, (_, amount)| sum.saturating_add(amount)) == self.deposited()
    }
}

impl<'a> CampaignRecord<'a> {
    pub fn new(
        view: &'a CampaignView,
        world: &World,
        manifest: Option<&'a Manifest>,
        token: &'a TokenUnit,
        deployment: Deployment,
    ) -> Self {
        let mut detail = CampaignDetail::new(view, manifest.map(Label::from));
        detail.summary.verify_parent(world);
        let privacy = manifest.and_then(|manifest| PrivacyStatement::new(manifest, CampaignProgress::from(view)).ok());
        let (points, ranking) = (points(view), ranking(view));
        Self { view, detail, manifest, privacy, token, deployment, head: world.head, points, ranking }
    }

    /// Name of the campaign, or its id if the manifest is missing.
    pub fn title(&self) -> String {
        self.manifest.map_or_else(|| self.view.id.to_string(), |manifest| manifest.name.clone())
    }

    /// The amount with its unit, exactly.
    pub fn amount(&self, amount: Amount) -> String {
        self.token.format(amount)
    }

    /// `campaign.json`
    pub fn document(&self) -> serde_json::Result<Vec<u8>> {
        let money = Money::of(self.view);
        let ledger = LedgerJson::from(&self.view.ledger());
        let settled: Vec<SettledJson> = self.view.settled.iter().map(SettledJson::from).collect();
        let document = json!({
            "form": FORM,
            "version": env!("CARGO_PKG_VERSION"),
            "read_at": {
                "chain_id": self.deployment.chain_id,
                "contract": self.deployment.campaigns,
                "block": self.head.number,
                "time": self.head.now,
            },
            "campaign": self.detail,
            "manifest": self.manifest,
            "privacy": self.privacy,
            "money": {
                "token": self.token,
                "smallest_units": ledger,
                "deposited": self.amount(money.deposited()),
                "parts": money.parts().map(|(name, amount)| json!({"name": name, "amount": self.amount(amount)})),
                "adds_up": money.adds_up(),
            },
            "windows": settled,
            "leaderboard": self.ranking,
        });
        serde_json::to_vec_pretty::<Value>(&document)
    }

    /// `submissions.csv`
    pub fn submissions(&self) -> Vec<u8> {
        let mut sheet = Sheet::new(&[
            "number",
            "window",
            "index",
            "version",
            "miner",
            "verdict",
            "reason",
            "best_ppm",
            "delta_ppm",
            "amount",
            "token",
            "content",
            "block",
            "time",
            "transaction",
        ]);
        for Point { submission, .. } in &self.points {
            let (best, delta, amount) = match submission.verdict {
                Verdict::Accepted { best_ppm, delta_ppm, amount } => {
                    (best_ppm.get().to_string(), delta_ppm.get().to_string(), self.plain(amount))
                }
                _ => Default::default(),
            };
            sheet.row([
                submission.number.to_string(),
                submission.window.to_string(),
                submission.index.to_string(),
                submission.version.to_string(),
                submission.miner.to_checksum(None),
                verdict(submission.verdict).into(),
                reason(submission.verdict),
                best,
                delta,
                amount,
                self.token.symbol.clone(),
                submission.content.to_string(),
                submission.at.block.to_string(),
                submission.at.time.to_string(),
                submission.at.transaction.to_string(),
            ]);
        }
        sheet.into_bytes()
    }

    /// `series.csv`
    pub fn series(&self) -> Vec<u8> {
        let mut sheet =
            Sheet::new(&["number", "time", "best_ppm", "spent", "token", "verdict", "delta_ppm", "amount", "miner"]);
        for Point { submission, best, spent } in &self.points {
            let (delta, amount) = match submission.verdict {
                Verdict::Accepted { delta_ppm, amount, .. } => (delta_ppm, amount),
                _ => (Ppm::ZERO, Amount::ZERO),
            };
            sheet.row([
                submission.number.to_string(),
                submission.at.time.to_string(),
                best.get().to_string(),
                self.plain(*spent),
                self.token.symbol.clone(),
                verdict(submission.verdict).into(),
                delta.get().to_string(),
                self.plain(amount),
                submission.miner.to_checksum(None),
            ]);
        }
        sheet.into_bytes()
    }

    /// The exact amount in whole tokens, without the unit, which has a column of its own.
    fn plain(&self, amount: Amount) -> String {
        let text = self.token.format(amount);
        text.split_once(' ').map_or_else(|| text.clone(), |(number, _)| number.to_owned())
    }
}

/// The submissions, with the best accuracy and the spend after each.
fn points(view: &CampaignView) -> Vec<Point> {
    let (mut best, mut spent) = (view.start_ppm.unwrap_or(Ppm::ZERO), Amount::ZERO);
    let point = |submission: SubmissionView| {
        if let Verdict::Accepted { best_ppm, amount, .. } = submission.verdict {
            best = best.max(best_ppm);
            spent = spent.saturating_add(amount);
        }
        Point { submission, best, spent }
    };
    SubmissionView::all(view).map(point).collect()
}

/// The accounts by what they earned.
fn ranking(view: &CampaignView) -> Vec<Rank> {
    let mut accounts: Vec<_> = view.accounts.iter().filter(|(_, account)| account.submitted > 0).collect();
    accounts.sort_by_key(|(miner, account)| (std::cmp::Reverse((account.earned, account.accepted)), **miner));
    let share = |earned: Amount| {
        let share = earned.0.saturating_mul(U256::from(1_000_000)).checked_div(view.awarded.0).unwrap_or_default();
        Ppm::new(share.saturating_to()).unwrap_or(Ppm::ONE)
    };
    let rank = |(rank, (&miner, account)): (usize, (&Address, &sonar_protocol::view::Account))| Rank {
        rank,
        miner,
        submitted: account.submitted,
        accepted: account.accepted,
        delta_ppm: account.delta_ppm,
        earned: account.earned,
        share_ppm: share(account.earned),
    };
    (1..).zip(accounts).map(rank).collect()
}

/// A verdict in one word.
pub fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pending => "pending",
        Verdict::NotImproved => "not_improved",
        Verdict::Accepted { .. } => "accepted",
        Verdict::Rejected { .. } => "rejected",
    }
}

/// Why a submission was rejected; empty for other verdicts.
pub fn reason(verdict: Verdict) -> String {
    let Verdict::Rejected { reason } = verdict else { return String::new() };
    ProtocolReject::try_from(reason).map_or_else(|_| format!("unknown reason {reason}"), |reason| reason.to_string())
}
