//! The plaintext twin: the same campaign without encryption. Also the data scientist's own measurement of the delivered
//! model.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Instant,
};

use alloy::primitives::Address;
use sonar_protocol::{
    backbone::Embedding,
    data::{self, FitReport, TableError},
    families::{Linear, Trial, TrialError},
    manifest::Manifest,
    view::{CampaignView, SettledWindow},
};
use syft::{
    AffineUpdate, Binding, DataError, EncryptError, LadderError, Ppm, SecretKey, TrainError, Validation,
    ValidationError, VersionSeed, Weights, encrypt_update, evaluate_window,
};

/// Why the twin or the measurement failed.
#[derive(Debug, thiserror::Error)]
pub enum TwinError {
    /// The data is not a table.
    #[error("the data of {whose} is not a table: {source}")]
    Table {
        /// Owner of the data.
        whose: String,
        /// The cause.
        source: TableError,
    },
    /// The data does not fit the campaign.
    #[error("the data of {whose} does not fit the campaign: {source}")]
    Misfit {
        /// Owner of the data.
        whose: String,
        /// The cause.
        source: FitReport,
    },
    /// The features cannot be computed.
    #[error(transparent)]
    Features(#[from] DataError),
    /// The accuracy cannot be measured.
    #[error(transparent)]
    Validation(#[from] ValidationError),
    /// Training failed.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// Encryption failed.
    #[error(transparent)]
    Encrypt(#[from] EncryptError),
    /// The accuracies are inconsistent.
    #[error(transparent)]
    Ladder(#[from] LadderError),
    /// The campaign was never activated.
    #[error("the campaign has no start accuracy: its Capsule did not activate it")]
    NotActivated,
    /// The delivered file cannot be read.
    #[error("{}: {source}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The delivered file is not a model, or cannot be measured.
    #[error("{}: {source}", .path.display())]
    Model {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: TrialError,
    },
}

type Result<T> = std::result::Result<T, TwinError>;

/// The starting accuracy of a campaign.
///
/// # Errors
/// When it was not activated.
pub fn start_accuracy(view: &CampaignView) -> Result<Ppm> {
    view.start_ppm.ok_or(TwinError::NotActivated)
}

/// Unencrypted inputs of the comparison.
#[derive(Debug)]
pub struct Twin<'a> {
    /// The campaign's manifest.
    pub manifest: &'a Manifest,
    /// The model's family and parameters from the manifest.
    pub linear: &'a Linear,
    /// The backbone that transforms raw columns first.
    pub embedding: &'a Embedding,
    /// The data scientist's validation set.
    pub validation: Validation,
}

impl<'a> Twin<'a> {
    /// Reads the validation set.
    ///
    /// # Errors
    /// When it does not fit.
    pub fn new(manifest: &'a Manifest, linear: &'a Linear, embedding: &'a Embedding, validation: &str) -> Result<Self> {
        let examples = examples(manifest, embedding, validation, "the data scientist")?;
        let features = linear.features.apply(examples.features())?;
        let validation = Validation::new(features, manifest.targets(&examples)?, manifest.metric)?;
        Ok(Self { validation, linear, embedding, manifest })
    }

    /// The update of each Mine as an affine map of the model.
    ///
    /// # Errors
    /// When data does not fit, or cannot be trained on.
    pub fn updates(&self, data: &[String]) -> Result<Vec<AffineUpdate>> {
        let update = |(index, csv): (usize, &String)| {
            let examples = examples(self.manifest, self.embedding, csv, &format!("Mine {}", index + 1))?;
            let (features, targets) =
                (self.linear.features.apply(examples.features())?, self.manifest.targets(&examples)?);
            let Linear { rule, labels, parameters, .. } = self.linear;
            Ok(syft::train(&features, &targets, rule, labels, parameters, &mut rand::rng())?)
        };
        data.iter().enumerate().map(update).collect()
    }

    /// The accuracy that the same training reaches without encryption: windows of the same Mines in the same order, and
    /// then the last window repeated as long as it improves the model. `mines` are the accounts of the owners of
    /// `data`.
    ///
    /// # Errors
    /// When data does not fit, or cannot be trained on.
    pub fn clear_accuracy(&self, data: &[String], mines: &[Address], view: &CampaignView) -> Result<Ppm> {
        let ladder = self.manifest.accuracy.ladder_from(start_accuracy(view)?)?;
        let updates = self.updates(data)?;
        let (mut best, mut best_ppm, mut accepts) = (Weights::zeros(self.linear.shape), ladder.start(), 0);
        let windows = view.terms.maxSubmissions / u32::from(view.terms.windowSize);
        for order in orders(mines, view).take(windows as usize) {
            let published = self.linear.parameters.encode(&best);
            let candidates = order.iter().filter_map(|mine| updates.get(*mine));
            let candidates = candidates.map(|update| Some(update.apply_clear(&published)));
            let left = u32::from(view.terms.maxAccepts) - accepts;
            let outcome = evaluate_window(&best, best_ppm, candidates, &self.validation, &ladder, left);
            let accepted = outcome.accepts();
            accepts += accepted;
            best_ppm = ladder.grid().value(outcome.best_step).unwrap_or(Ppm::ONE);
            best = outcome.best;
            if accepted == 0 || best_ppm >= ladder.target() || accepts >= u32::from(view.terms.maxAccepts) {
                break;
            }
        }
        Ok(self.validation.accuracy(&best))
    }

    /// Duration of the Capsule's work on this machine, by the same library calls: seconds to generate keys and encrypt
    /// the model, and seconds to decrypt and evaluate one update.
    ///
    /// # Errors
    /// When data does not fit, or encryption fails.
    pub fn capsule_seconds(&self, data: &[String], view: &CampaignView) -> Result<(f64, f64)> {
        let params = &self.linear.parameters;
        let start = Weights::zeros(self.linear.shape);
        let start_ppm = start_accuracy(view)?;
        let ladder = self.manifest.accuracy.ladder_from(start_ppm)?;
        let binding = Binding { chain_id: 0, contract: [0; 20], campaign: view.id.0.0, version: 1, beacon: [0; 32] };
        let clock = Instant::now();
        // The seed need not be secret: this key is only for the measurement.
        let key = SecretKey::derive(&VersionSeed::from_bytes([0; 32]), params, &binding);
        let material = key.publish(&start);
        let encrypt = clock.elapsed().as_secs_f64();
        let updates = self.updates(data)?;
        let sealed: Vec<_> =
            updates.iter().map(|update| encrypt_update(&material, update)).collect::<std::result::Result<_, _>>()?;
        let clock = Instant::now();
        let deltas = sealed.iter().map(|update| Some(key.decrypt(update)));
        evaluate_window(&start, start_ppm, deltas, &self.validation, &ladder, view.terms.maxAccepts.into());
        Ok((encrypt, clock.elapsed().as_secs_f64() / sealed.len().max(1) as f64))
    }
}

/// The submitters of each window, in order, as indexes of Mines; then the last window repeated forever.
fn orders(mines: &[Address], view: &CampaignView) -> impl Iterator<Item = Vec<usize>> {
    let order = |window: &SettledWindow| -> Vec<usize> {
        let places =
            window.submissions.iter().map(|submission| mines.iter().position(|mine| *mine == submission.miner));
        places.flatten().collect()
    };
    let orders: Vec<_> = view.settled.iter().map(order).collect();
    let last = orders.last().cloned().unwrap_or_default();
    orders.into_iter().chain(std::iter::repeat(last))
}

/// Loads the delivered model and the data scientist's validation set.
///
/// # Errors
/// When the file is not a model, or cannot be measured.
pub fn delivered(manifest: &Manifest, embedding: &Embedding, validation: &str, path: &Path) -> Result<Box<dyn Trial>> {
    let examples = examples(manifest, embedding, validation, "the data scientist")?;
    let file = fs::read(path).map_err(|source| TwinError::File { path: path.to_owned(), source })?;
    manifest.trial(&examples, Some(&file)).map_err(|source| TwinError::Model { path: path.to_owned(), source })
}

/// Seconds to evaluate one update on this machine; each costs the same, whatever its content.
///
/// # Errors
/// When the accuracies make no ladder.
pub fn evaluation_seconds(manifest: &Manifest, trial: &dyn Trial, view: &CampaignView) -> Result<f64> {
    let start = start_accuracy(view)?;
    let ladder = manifest.accuracy.ladder_from(start)?;
    let clock = Instant::now();
    trial.try_nothing(start, &ladder);
    Ok(clock.elapsed().as_secs_f64())
}

fn examples(manifest: &Manifest, embedding: &Embedding, csv: &str, whose: &str) -> Result<syft::Examples> {
    let table = data::read_csv(csv.as_bytes(), &data::TableLimits::default());
    let table = table.map_err(|source| TwinError::Table { whose: whose.into(), source })?;
    let examples = manifest.data.fit(&table);
    let examples = examples.map_err(|source| TwinError::Misfit { whose: whose.into(), source })?;
    Ok(embedding.apply(examples)?)
}
