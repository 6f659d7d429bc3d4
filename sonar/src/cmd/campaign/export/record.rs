//! The record of a campaign: everything that an export shows, as a pure function of chain and manifest.

use serde_json::{Value, json};
use sonar_contracts::Deployment;
use sonar_protocol::{
    course::{LeaderboardRow, Step, VerdictKind, course, ranked},
    envelope::ProtocolReject,
    event::Head,
    manifest::Manifest,
    projection::{CampaignDetail, Label, LedgerJson, SettledJson, Verdict},
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
    pub points: Vec<Step>,
    pub ranking: Vec<LeaderboardRow>,
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
        let (points, ranking) = (course(view).collect(), ranked(view));
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
        for Step { submission, .. } in &self.points {
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
                VerdictKind::from(submission.verdict).name().into(),
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
        for Step { submission, best, spent } in &self.points {
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
                VerdictKind::from(submission.verdict).name().into(),
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

/// Why a submission was rejected; empty for other verdicts.
pub fn reason(verdict: Verdict) -> String {
    let Verdict::Rejected { reason } = verdict else { return String::new() };
    ProtocolReject::try_from(reason).map_or_else(|_| format!("unknown reason {reason}"), |reason| reason.to_string())
}
