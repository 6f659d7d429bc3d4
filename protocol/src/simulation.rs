//! The report of a simulated campaign, which `localnet simulate` writes and `sonar campaign simulate` reads.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use sonar_contracts::CloseReason;
use syft::Ppm;

use crate::{
    regime::Regime,
    units::{Amount, TokenUnit, percent},
};

/// What a campaign brought on a local network, with virtual money.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SimulationReport {
    /// Name of the campaign.
    pub name: String,
    /// Regime.
    pub regime: Regime,
    /// How the training rows were shared: `even` or `by-label`.
    pub split: String,
    /// Attested starting accuracy.
    pub start_ppm: Ppm,
    /// Target accuracy.
    pub target_ppm: Ppm,
    /// Attested accuracy at the end, on the grid.
    pub best_ppm: Ppm,
    /// Accuracy of the delivered model on the validation set.
    pub final_ppm: Ppm,
    /// Why the campaign closed.
    pub close_reason: CloseReason,
    /// The token of all amounts.
    pub token: TokenUnit,
    /// The bounty.
    pub bounty: Amount,
    /// Amount that the Mines earned together.
    pub awarded: Amount,
    /// Amount of the bounty that returned to the data scientist.
    pub returned: Amount,
    /// Number of submissions.
    pub submissions: u32,
    /// Number of accepted submissions.
    pub accepts: u32,
    /// Number of settled windows.
    pub windows: u32,
    /// The accepted submissions, in order.
    pub steps: Vec<SimulatedStep>,
    /// The Mines.
    pub mines: Vec<SimulatedMine>,
    /// Duration from the launch to the delivery, in seconds.
    pub seconds: f64,
    /// Differences between the simulation and a real campaign from the same file.
    pub assumptions: Vec<String>,
    /// Directory of all homes, logs and the chain, if it was kept.
    pub kept: Option<PathBuf>,
}

/// An accepted submission.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SimulatedStep {
    /// Number among the submissions; the first is 1.
    pub number: u32,
    /// Name of the Mine.
    pub mine: String,
    /// Best accuracy after it.
    pub best_ppm: Ppm,
    /// Improvement towards the target.
    pub delta_ppm: Ppm,
    /// Payout.
    pub amount: Amount,
}

/// Submissions and earnings of a Mine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SimulatedMine {
    /// Its name.
    pub name: String,
    /// Number of its rows.
    pub rows: usize,
    /// Number of its submissions.
    pub submitted: u32,
    /// Number of its accepted submissions.
    pub accepted: u32,
    /// Its earnings.
    pub earned: Amount,
}

impl SimulationReport {
    /// The result in sentences.
    #[must_use]
    pub fn summary(&self) -> String {
        let money = |amount: Amount| self.token.format(amount);
        let reached = if self.best_ppm >= self.target_ppm { "reached" } else { "not reached" };
        let mut text = format!(
            "accuracy     {} → {} (target {}: {reached}); the delivered model has {}\n",
            percent(self.start_ppm),
            percent(self.best_ppm),
            percent(self.target_ppm),
            percent(self.final_ppm)
        );
        text += &format!(
            "bounty       {} = {} earned by Mines + {} returned to you\n",
            money(self.bounty),
            money(self.awarded),
            money(self.returned)
        );
        text += &format!(
            "submissions  {}, of which {} were accepted; closed: {}\n",
            self.submissions, self.accepts, self.close_reason
        );
        text += &format!("time         {:.0} s on this machine\n", self.seconds);
        for step in &self.steps {
            text += &format!(
                "  {:>4}. {} by {}: +{} points, {}\n",
                step.number,
                percent(step.best_ppm),
                step.mine,
                percent(step.delta_ppm).trim_end_matches(" %"),
                money(step.amount)
            );
        }
        for assumption in &self.assumptions {
            text += &format!("note         {assumption}\n");
        }
        if let Some(directory) = &self.kept {
            text += &format!("kept         {}\n", directory.display());
        }
        text.truncate(text.trim_end().len());
        text
    }
}
