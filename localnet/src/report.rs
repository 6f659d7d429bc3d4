//! What a demo says at its end, for programs (`report.json`) and people (a table).

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use alloy::primitives::Address;
use comfy_table::{CellAlignment, Table, presets};
use serde::{Deserialize, Serialize};
use sonar_contracts::CloseReason;
use sonar_protocol::{
    ids::{CampaignId, Digest},
    regime::Regime,
    units::{Amount, TokenUnit, percent},
};
use syft::Ppm;

use crate::split::Split;

/// Everything that was measured. Amounts are decimal strings in the token's smallest unit, accuracies parts per million.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// The data set.
    pub dataset: String,
    /// Who may see the model.
    pub regime: Regime,
    /// Weights of the model.
    pub weights: usize,
    /// How its rows were dealt to the Mines.
    pub split: Split,
    /// Number of Mines.
    pub mines: usize,
    /// The campaign.
    pub campaign: CampaignId,
    /// What the data scientist was warned of at the launch.
    pub warnings: Vec<String>,
    /// Versions of the model that the data scientist recomputed and found honest.
    pub audited_versions: usize,
    /// Accuracy of the starting model, attested.
    pub start_accuracy_ppm: Ppm,
    /// Accuracy at which the campaign ends.
    pub target_accuracy_ppm: Ppm,
    /// The accuracy grid.
    pub grid_ppm: Ppm,
    /// Accuracy of the final model as the chain has it, on the grid.
    pub attested_accuracy_ppm: Ppm,
    /// Accuracy of the delivered file, recomputed by the data scientist's side.
    pub final_accuracy_ppm: Ppm,
    /// Accuracy of the same procedure without encryption; none in the clear regime, where nothing is encrypted that it could differ by.
    pub clear_accuracy_ppm: Option<Ppm>,
    /// Why the campaign closed.
    pub close_reason: CloseReason,
    /// The token of all amounts.
    pub token: TokenUnit,
    /// The bounty in escrow.
    pub bounty: Amount,
    /// Earned and withdrawn by miners.
    pub paid: Amount,
    /// Earned and not withdrawn.
    pub owed: Amount,
    /// Given back to the data scientist.
    pub refunded: Amount,
    /// The Capsule's fee.
    pub fee: Amount,
    /// One entry for each accepted update, in order.
    pub payouts: Vec<Payout>,
    /// What each Mine did and got.
    pub miners: Vec<Miner>,
    /// Windows that were settled.
    pub windows: u32,
    /// Bits that public verdicts of this campaign can carry about the model, or in the clear regime about the validation set.
    pub leak_bits: f64,
    /// Gas as the chain charged it.
    pub gas: Gas,
    /// Bytes of the model, and of its keys if it is encrypted, that one Mine fetched in all.
    pub bytes_down_per_mine: u64,
    /// Bytes of a sealed update.
    pub bytes_up_per_update: u64,
    /// Wall-clock times.
    pub seconds: Seconds,
    /// The delivered model.
    pub model: PathBuf,
}

/// The pay of an accepted update.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payout {
    /// Who is paid.
    pub miner: Address,
    /// The sealed update.
    pub submission: Digest,
    /// How far it moved the attested accuracy towards the target.
    pub accuracy_delta_ppm: Ppm,
    /// The pay.
    pub amount: Amount,
}

/// One Mine's part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Miner {
    /// Its name here.
    pub name: String,
    /// Its account.
    pub address: Address,
    /// Rows of data that it holds.
    pub rows: usize,
    /// Updates that it submitted.
    pub submitted: usize,
    /// Updates that were accepted.
    pub accepted: usize,
    /// What it earned.
    pub earned: Amount,
}

/// Gas as the chain charged it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gas {
    /// Putting the campaign into escrow.
    pub open: u64,
    /// One submission (the dearest).
    pub submit: u64,
    /// Settling all windows, divided by all evaluated updates.
    pub settle_per_evaluation: u64,
}

/// Wall-clock times.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Seconds {
    /// The whole demo.
    pub total: f64,
    /// Key generation and encryption of one version of the model; none in the clear regime.
    pub encrypt_model: Option<f64>,
    /// One Mine's training, and encryption or compression.
    pub train_per_update: f64,
    /// Decryption, if it is encrypted, and evaluation of one update.
    pub evaluate_per_update: f64,
}

impl Report {
    /// Writes the report as JSON.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, path: &Path) -> io::Result<()> {
        let text = serde_json::to_string_pretty(self).map_err(io::Error::from)?;
        fs::write(path, text + "\n")
    }

    /// The money of the campaign adds up: what was escrowed is somewhere, and exactly once.
    #[must_use]
    pub fn balances(&self) -> bool {
        let ends = [self.paid, self.owed, self.refunded, self.fee];
        let ends = ends.into_iter().fold(Amount::ZERO, Amount::saturating_add);
        ends == self.bounty.saturating_add(self.fee)
    }

    /// The report for people.
    #[must_use]
    pub fn table(&self) -> String {
        let amount = |amount: Amount| self.token.format(amount);
        let mut miners = Table::new();
        miners.load_style(presets::UTF8_FULL_CONDENSED).set_header(["Mine", "rows", "updates", "accepted", "earned"]);
        for miner in &self.miners {
            miners.add_row([
                miner.name.clone(),
                miner.rows.to_string(),
                miner.submitted.to_string(),
                miner.accepted.to_string(),
                amount(miner.earned),
            ]);
        }
        let mut facts = Table::new();
        facts.load_style(presets::UTF8_FULL_CONDENSED);
        let gas = &self.gas;
        let seconds = &self.seconds;
        let clear = self.clear_accuracy_ppm.map_or_else(|| "no twin: it is in the clear".into(), percent);
        let encrypt = seconds.encrypt_model.map_or_else(|| "not encrypted".into(), milliseconds);
        for (name, value) in [
            ("regime", self.regime.to_string()),
            ("weights of the model", self.weights.to_string()),
            ("accuracy at the start", percent(self.start_accuracy_ppm)),
            ("target", percent(self.target_accuracy_ppm)),
            ("attested on chain", percent(self.attested_accuracy_ppm)),
            ("of the delivered model", percent(self.final_accuracy_ppm)),
            ("without encryption", clear),
            ("bounty", amount(self.bounty)),
            ("paid to miners", amount(self.paid)),
            ("owed to miners", amount(self.owed)),
            ("back to the data scientist", amount(self.refunded)),
            ("fee of the Capsule", amount(self.fee)),
            ("windows", self.windows.to_string()),
            ("public leak", format!("at most {:.1} bits", self.leak_bits)),
            ("gas: open", gas.open.to_string()),
            ("gas: submit", gas.submit.to_string()),
            ("gas: settle, an evaluation", gas.settle_per_evaluation.to_string()),
            ("down, a Mine", bytes(self.bytes_down_per_mine)),
            ("up, an update", bytes(self.bytes_up_per_update)),
            ("encrypt the model", encrypt),
            ("train, an update", milliseconds(seconds.train_per_update)),
            ("evaluate, an update", milliseconds(seconds.evaluate_per_update)),
            ("everything", format!("{:.1} s", seconds.total)),
        ] {
            facts.add_row([name.to_owned(), value]);
        }
        if let Some(column) = facts.column_mut(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        for index in 1..5 {
            if let Some(column) = miners.column_mut(index) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        format!("{miners}\n{facts}")
    }
}

fn milliseconds(seconds: f64) -> String {
    format!("{:.1} ms", seconds * 1000.0)
}

fn bytes(count: u64) -> String {
    format!("{:.1} kB", count as f64 / 1000.0)
}
