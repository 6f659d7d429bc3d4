//! The report of a demo, as JSON (`report.json`) and as a table.

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

/// All measurements. Amounts are decimal strings in the token's smallest unit, accuracies are in parts per million.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DemoReport {
    /// Name of the data set.
    pub dataset: String,
    /// Regime.
    pub regime: Regime,
    /// Number of weights of the model.
    pub weights: usize,
    /// How the rows were divided among the Mines.
    pub split: Split,
    /// Number of Mines.
    pub mines: usize,
    /// Id of the campaign.
    pub campaign: CampaignId,
    /// Warnings of the launch.
    pub warnings: Vec<String>,
    /// Number of versions that the audit found honest.
    pub audited_versions: usize,
    /// Attested starting accuracy.
    pub start_accuracy_ppm: Ppm,
    /// Target accuracy.
    pub target_accuracy_ppm: Ppm,
    /// The accuracy grid.
    pub grid_ppm: Ppm,
    /// Attested accuracy of the final model, on the grid.
    pub attested_accuracy_ppm: Ppm,
    /// Accuracy of the delivered file, as measured by the data scientist.
    pub final_accuracy_ppm: Ppm,
    /// Accuracy of the same training without encryption (the plaintext twin); `None` in the clear regime.
    pub clear_accuracy_ppm: Option<Ppm>,
    /// Why the campaign closed.
    pub close_reason: CloseReason,
    /// The token of all amounts.
    pub token: TokenUnit,
    /// The bounty in escrow.
    pub bounty: Amount,
    /// Amount that miners earned and withdrew.
    pub paid: Amount,
    /// Amount that miners earned and did not withdraw.
    pub owed: Amount,
    /// Amount returned to the data scientist.
    pub refunded: Amount,
    /// Bounty and deposited fee.
    pub deposited: Amount,
    /// The Capsule's fee; what it did not earn is refunded.
    pub fee: Amount,
    /// One entry for each accepted update, in order.
    pub payouts: Vec<Payout>,
    /// Submissions and earnings of each Mine.
    pub miners: Vec<MinerReport>,
    /// Number of settled windows.
    pub windows: u32,
    /// Bits that the public verdicts can disclose about the model, or in the clear regime about the validation set.
    pub leak_bits: f64,
    /// Gas used on chain.
    pub gas: Gas,
    /// Bytes of models and key material that one Mine fetched in all.
    pub bytes_down_per_mine: u64,
    /// Size of a sealed update in bytes.
    pub bytes_up_per_update: u64,
    /// Wall-clock times in seconds.
    pub seconds: Seconds,
    /// Path of the delivered model.
    pub model: PathBuf,
}

/// Payout of an accepted update.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payout {
    /// Account of the miner.
    pub miner: Address,
    /// Digest of the sealed update.
    pub submission: Digest,
    /// Improvement of the attested accuracy, in parts per million.
    pub accuracy_delta_ppm: Ppm,
    /// Payout.
    pub amount: Amount,
}

/// Submissions and earnings of a Mine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MinerReport {
    /// Its name in the local network.
    pub name: String,
    /// Its account.
    pub address: Address,
    /// Number of rows of its data.
    pub rows: usize,
    /// Number of its submissions.
    pub submitted: usize,
    /// Number of its accepted updates.
    pub accepted: usize,
    /// Its earnings.
    pub earned: Amount,
}

/// Gas used on chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gas {
    /// Gas of `open`.
    pub open: u64,
    /// Gas of the most expensive submission.
    pub submit: u64,
    /// Gas of all settlements, divided by the number of evaluated updates.
    pub settle_per_evaluation: u64,
}

/// Wall-clock times in seconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Seconds {
    /// Duration of the demo.
    pub total: f64,
    /// Key generation and encryption of one version of the model; `None` in the clear regime.
    pub encrypt_model: Option<f64>,
    /// Training of one update, and its encryption or compression.
    pub train_per_update: f64,
    /// Decryption (if encrypted) and evaluation of one update.
    pub evaluate_per_update: f64,
}

impl DemoReport {
    /// Writes the report as JSON.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, path: &Path) -> io::Result<()> {
        let text = serde_json::to_string_pretty(self).map_err(io::Error::from)?;
        fs::write(path, text + "\n")
    }

    /// Checks that the ledger of the campaign adds up.
    #[must_use]
    pub fn balances(&self) -> bool {
        let ends = [self.paid, self.owed, self.refunded, self.fee];
        let ends = ends.into_iter().fold(Amount::ZERO, Amount::saturating_add);
        ends == self.deposited
    }

    /// The report as a table.
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
        let clear = self.clear_accuracy_ppm.map_or_else(|| "no twin in the clear regime".into(), percent);
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
            ("returned to the data scientist", amount(self.refunded)),
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
