//! The model families, as the Capsule meets them: how a version is published, which bytes are an update to it, and how the
//! updates of a window are tried. Everything else in [`super`] is the same for every family.
//!
//! In the clear family the model is published as it is, and updates are networks' changes in the clear once they are opened.

use sha2::{Digest as _, Sha256};
use sonar_protocol::{
    method::{Clear, FileError, Linear, Method, plain, plain_network},
    trial::AnyTrial,
};
use syft::{
    ContentVerdict, EncryptedUpdate, Ladder, Ppm, SecretKey, Trainable, VersionSeed, WindowOutcome, evaluate_window,
};
use syft_nets::Update;
use zeroize::Zeroizing;

use super::worker::{Loaded, ModelFile, WorkError};

/// An update of the right form, as short as it was sent: what it stands for may be as large as the model.
pub(super) type Payload = Zeroizing<Vec<u8>>;

/// What Mines fetch of a version, and its hash, which updates name.
pub(super) fn material(
    method: &Method,
    seed: &VersionSeed,
    binding: &syft::Binding,
    model: &ModelFile,
) -> Result<(Vec<u8>, [u8; 32]), WorkError> {
    match method {
        Method::Clear(_) => Ok((model.to_vec(), Sha256::digest(model).into())),
        Method::Encrypted(linear) => {
            let weights = linear.read(model).map_err(WorkError::internal)?;
            let material = SecretKey::derive(seed, &linear.parameters, binding).publish(&weights);
            Ok((material.encode(), material.digest()))
        }
    }
}

/// Bytes of every update of a campaign.
pub(super) fn payload_len(method: &Method) -> usize {
    match method {
        Method::Encrypted(linear) => EncryptedUpdate::encoded_len(&linear.parameters),
        Method::Clear(clear) => Update::encoded_len(&clear.network, &clear.release),
    }
}

/// Whether the bytes are an update to the version whose material has this hash.
pub(super) fn conforms(method: &Method, bytes: &[u8], material: &[u8; 32]) -> bool {
    match method {
        Method::Encrypted(linear) => encrypted_update(bytes, linear, material).is_some(),
        Method::Clear(clear) => clear_update(bytes, clear, material).is_some(),
    }
}

fn encrypted_update(bytes: &[u8], linear: &Linear, material: &[u8; 32]) -> Option<EncryptedUpdate> {
    EncryptedUpdate::decode(bytes, &linear.parameters, material).ok()
}

/// An update, if it was made for exactly this network and release and from the model with this hash.
fn clear_update(bytes: &[u8], clear: &Clear, material: &[u8; 32]) -> Option<Update> {
    Update::decode(bytes, &clear.network, &clear.release, material).ok()
}

/// What the updates of a window are tried on.
pub(super) struct Trial {
    /// The version's.
    pub(super) seed: VersionSeed,
    /// What the version's keys are bound to.
    pub(super) binding: syft::Binding,
    /// Hash of the version's material.
    pub(super) material: [u8; 32],
    /// The version's model.
    pub(super) best: ModelFile,
    /// Its accuracy on the grid.
    pub(super) best_ppm: Ppm,
    /// What is paid for.
    pub(super) ladder: Ladder,
    /// Accepts, at most.
    pub(super) most: u32,
}

/// What a window led to.
pub(super) struct Tried {
    /// In the order of the updates.
    pub(super) verdicts: Vec<ContentVerdict>,
    /// The best model.
    pub(super) best: ModelFile,
    /// Its accuracy on the grid.
    pub(super) best_ppm: u32,
}

impl Trial {
    /// Tries updates that conform.
    pub(super) fn run<'u>(
        self,
        loaded: &Loaded,
        updates: impl Iterator<Item = &'u Payload>,
    ) -> Result<Tried, WorkError> {
        let Self { seed, binding, material, best, best_ppm, ladder, most } = self;
        match (&loaded.manifest.method, &loaded.bundle.start) {
            (Method::Encrypted(linear), AnyTrial::Linear(trial)) => {
                let key = SecretKey::derive(&seed, &linear.parameters, &binding);
                let deltas =
                    updates.map(|bytes| encrypted_update(bytes, linear, &material).map(|update| key.decrypt(&update)));
                let best = linear.read(&best).map_err(WorkError::internal)?;
                let outcome = evaluate_window(&best, best_ppm, deltas, &trial.validation, &ladder, most);
                tried(outcome, &ladder, plain)
            }
            (Method::Clear(clear), AnyTrial::Network(trial)) => {
                let deltas = updates.map(|bytes| clear_update(bytes, clear, &material).map(|update| update.delta()));
                let best = clear.read(&best).map_err(WorkError::internal)?;
                let outcome = evaluate_window(&best, best_ppm, deltas, &trial.validation, &ladder, most);
                tried(outcome, &ladder, plain_network)
            }
            _ => Err(WorkError::Internal("the starting model is of another regime than the campaign".into())),
        }
    }
}

fn tried<M: Trainable>(
    outcome: WindowOutcome<M>,
    ladder: &Ladder,
    file: impl FnOnce(&M) -> Result<ModelFile, FileError>,
) -> Result<Tried, WorkError> {
    let best_ppm = ladder.grid().value(outcome.best_step);
    let best_ppm = best_ppm.ok_or_else(|| WorkError::Internal("an accuracy above one".into()))?;
    let best = file(&outcome.best).map_err(WorkError::internal)?;
    Ok(Tried { verdicts: outcome.verdicts, best, best_ppm: best_ppm.get() })
}
