//! Metrics of a model's scores against targets. A campaign can pay by those that lie between 0 and 1.

use crate::data::Targets;
use crate::model::Scores;
use crate::units::Ppm;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A metric that cannot be computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum MetricError {
    /// The metric is for the other kind of task.
    #[error("metric {0:?} does not fit targets of this kind")]
    WrongTargets(Metric),
    /// Scores and targets differ in number.
    #[error("{scores} rows of scores for {targets} targets")]
    Length {
        /// Rows of scores.
        scores: usize,
        /// Number of targets.
        targets: usize,
    },
    /// A class without an output.
    #[error("class {class} in row {row}, but the model has {outputs} outputs")]
    Class {
        /// Index of the class.
        class: usize,
        /// Index of the row, from 0.
        row: usize,
        /// Outputs of the model.
        outputs: usize,
    },
    /// A campaign cannot pay by this metric.
    #[error("metric {0:?} is not between 0 and 1, so no bounty can be paid by it; use accuracy, r2 or auc")]
    NotPayable(Metric),
}

/// A metric of a model on examples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Metric {
    /// Share of the examples whose class is right.
    Accuracy,
    /// Coefficient of determination: share of the variance that is explained.
    R2,
    /// Area under the receiver operating characteristic. For more than two classes: the mean of each class against the rest.
    Auc,
    /// Mean negative log-likelihood of the right class, with the scores as logits, in nats.
    LogLoss,
    /// Mean squared error, on the scale of the given targets.
    Mse,
}

impl Metric {
    /// True for metrics that a campaign can pay by: between 0 and 1, and a higher value is better.
    pub const fn is_payable(self) -> bool {
        matches!(self, Self::Accuracy | Self::R2 | Self::Auc)
    }

    /// The metric of one row of scores per target.
    pub fn score(self, scores: &Scores, targets: &Targets) -> Result<f64, MetricError> {
        check_length(scores, targets)?;
        match (self, targets) {
            (Self::Accuracy, Targets::Classes(classes)) => {
                Ok(correct(scores, classes) as f64 / classes.len().max(1) as f64)
            }
            (Self::Auc, Targets::Classes(classes)) => Ok(auc(scores, classes)),
            (Self::LogLoss, Targets::Classes(classes)) => log_loss(scores, classes),
            (Self::R2, Targets::Values(values)) => Ok(r2(scores, values)),
            (Self::Mse, Targets::Values(values)) => Ok(squared_errors(scores, values) / values.len().max(1) as f64),
            _ => Err(MetricError::WrongTargets(self)),
        }
    }

    /// The metric in parts per million, rounded down. Fails for metrics that a campaign cannot pay by.
    pub fn ppm(self, scores: &Scores, targets: &Targets) -> Result<Ppm, MetricError> {
        match (self, targets) {
            (Self::Accuracy, Targets::Classes(classes)) => {
                check_length(scores, targets)?;
                Ok(Ppm::of(correct(scores, classes), classes.len() as u64))
            }
            _ if self.is_payable() => Ok(Ppm::from_fraction(self.score(scores, targets)?)),
            _ => Err(MetricError::NotPayable(self)),
        }
    }
}

fn check_length(scores: &Scores, targets: &Targets) -> Result<(), MetricError> {
    let rows = scores.rows().len();
    if rows == targets.len() { Ok(()) } else { Err(MetricError::Length { scores: rows, targets: targets.len() }) }
}

fn correct(scores: &Scores, classes: &[usize]) -> u64 {
    scores.classes().zip(classes).filter(|(said, right)| said == *right).count() as u64
}

fn squared_errors(scores: &Scores, values: &[f64]) -> f64 {
    scores.rows().zip(values).map(|(score, y)| (score[0] - y) * (score[0] - y)).sum()
}

/// A constant target has no variance to explain: the result is 1 if every score is right, else 0.
fn r2(scores: &Scores, values: &[f64]) -> f64 {
    let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
    let total: f64 = values.iter().map(|y| (y - mean) * (y - mean)).sum();
    let errors = squared_errors(scores, values);
    if total > 0.0 { 1.0 - errors / total } else { f64::from(errors == 0.0) }
}

fn log_loss(scores: &Scores, classes: &[usize]) -> Result<f64, MetricError> {
    let mut total = 0.0;
    for (row, (logits, &class)) in scores.rows().zip(classes).enumerate() {
        let right = logits.get(class).ok_or(MetricError::Class { class, row, outputs: scores.outputs() })?;
        let most = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        total += most + logits.iter().map(|logit| (logit - most).exp()).sum::<f64>().ln() - right;
    }
    Ok(total / classes.len().max(1) as f64)
}

fn auc(scores: &Scores, classes: &[usize]) -> f64 {
    let areas: Vec<f64> = match scores.outputs() {
        2 => one_area(scores.rows().map(|row| row[1] - row[0]), classes, 1).into_iter().collect(),
        outputs => {
            (0..outputs).filter_map(|class| one_area(scores.rows().map(|row| row[class]), classes, class)).collect()
        }
    };
    if areas.is_empty() { 0.5 } else { areas.iter().sum::<f64>() / areas.len() as f64 }
}

/// The probability that an example of the class scores above one of the rest, ties counting half. None without examples of both kinds.
fn one_area(scores: impl Iterator<Item = f64>, classes: &[usize], class: usize) -> Option<f64> {
    let mut ranked: Vec<(f64, bool)> = scores.zip(classes).map(|(score, &is)| (score, is == class)).collect();
    ranked.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut negatives, mut positives, mut doubled) = (0_u64, 0_u64, 0_u64);
    for ties in ranked.chunk_by(|a, b| a.0 == b.0) {
        let inside = ties.iter().filter(|tie| tie.1).count() as u64;
        let outside = ties.len() as u64 - inside;
        doubled += inside * (2 * negatives + outside);
        negatives += outside;
        positives += inside;
    }
    (negatives > 0 && positives > 0).then(|| doubled as f64 / (2 * negatives * positives) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes(list: &[usize]) -> Targets {
        Targets::Classes(list.to_vec())
    }

    #[test]
    fn accuracy_counts_exactly() {
        let scores = Scores::new(2, vec![1.0, 0.0, 0.0, 1.0, 0.0, 1.0]);
        assert_eq!(Metric::Accuracy.ppm(&scores, &classes(&[0, 1, 0])).unwrap().get(), 666_666);
    }

    #[test]
    fn regression_by_hand() {
        let scores = Scores::new(1, vec![1.0, 2.0, 4.0]);
        let targets = Targets::Values(vec![1.0, 2.0, 3.0]);
        assert_eq!(Metric::Mse.score(&scores, &targets).unwrap(), 1.0 / 3.0);
        assert_eq!(Metric::R2.score(&scores, &targets).unwrap(), 0.5);
        assert_eq!(Metric::R2.ppm(&scores, &targets).unwrap().get(), 500_000);
        let worse = Scores::new(1, vec![9.0, 9.0, 9.0]);
        assert_eq!(Metric::R2.ppm(&worse, &targets).unwrap(), Ppm::ZERO);
    }

    #[test]
    fn auc_by_hand() {
        // Positives 0.35 and 0.8, negatives 0.1 and 0.4: three of four pairs in the right order.
        let binary = Scores::new(2, vec![0.0, 0.1, 0.0, 0.4, 0.0, 0.35, 0.0, 0.8]);
        assert_eq!(Metric::Auc.score(&binary, &classes(&[0, 0, 1, 1])).unwrap(), 0.75);
        let flat = Scores::new(2, vec![0.0; 8]);
        assert_eq!(Metric::Auc.score(&flat, &classes(&[0, 0, 1, 1])).unwrap(), 0.5);
        // One against the rest: classes 0 and 1 perfect, class 2 has 1.5 of 2 pairs.
        let three = Scores::new(3, vec![2.0, 0.0, 0.5, 0.0, 2.0, 0.0, 0.0, 0.0, 0.5]);
        let area = Metric::Auc.score(&three, &classes(&[0, 1, 2])).unwrap();
        assert!((area - (1.0 + 1.0 + 0.75) / 3.0).abs() < 1e-15);
    }

    #[test]
    fn log_loss_by_hand() {
        let scores = Scores::new(2, vec![0.0, 0.0, 0.0, 3.0_f64.ln()]);
        let loss = Metric::LogLoss.score(&scores, &classes(&[0, 1])).unwrap();
        assert!((loss - (2.0_f64.ln() + (4.0_f64 / 3.0).ln()) / 2.0).abs() < 1e-15);
    }

    #[test]
    fn misfits_are_named() {
        let scores = Scores::new(2, vec![0.0; 4]);
        assert_eq!(Metric::R2.score(&scores, &classes(&[0, 1])), Err(MetricError::WrongTargets(Metric::R2)));
        assert_eq!(Metric::Mse.ppm(&scores, &classes(&[0, 1])), Err(MetricError::NotPayable(Metric::Mse)));
        assert!(matches!(Metric::Accuracy.score(&scores, &classes(&[0])), Err(MetricError::Length { .. })));
        assert!(matches!(Metric::LogLoss.score(&scores, &classes(&[0, 7])), Err(MetricError::Class { class: 7, .. })));
        assert_eq!(serde_json::to_string(&Metric::LogLoss).unwrap(), "\"log-loss\"");
    }
}
