//! A public network whose activations a linear model reads in place of raw columns: what is known already is not learnt again on ciphertexts.

use serde::{Deserialize, Serialize};
use syft::{DataError, Examples, FeatureMap};
use syft_nets::{MAX_PARAMETERS, Model, ModelError, Network, NetworkError};

use crate::{
    data::{MAX_COLUMNS, Schema},
    ids::Digest,
};

/// A backbone takes at most so many multiplications a row: a Mine applies it to all of its rows, whoever the data scientist is.
pub const MAX_WORK: usize = 1 << 28;
/// And so many for a data set: about a minute.
const MAX_WORK_IN_ALL: usize = 1 << 38;
/// Numbers that a thread may hold while it applies it: 64 MiB.
const MAX_SCRATCH: usize = 1 << 24;
/// Bytes of a published file of a network besides its parameters, at most: names, shapes, the description.
const FILE_HEADER: usize = 1 << 20;
/// A file of its weights has at most so many bytes.
pub const MAX_BYTES: usize = FILE_HEADER + MAX_PARAMETERS * size_of::<f32>();

/// A network whose weights everybody may have. Its output layer is not used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Backbone {
    /// What it is made of, with the public constants that standardise raw columns.
    pub network: Network,
    /// Its weights on IPFS, a safetensors file.
    pub weights: Digest,
}

/// A backbone that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BackboneError {
    /// It takes too much work.
    #[error("the manifest's backbone: {0}")]
    Size(#[from] NetworkError),
    /// It is for other data or other features.
    #[error("the manifest contradicts itself: {0}")]
    Contradiction(&'static str),
}

impl Backbone {
    /// A file of its weights has at most so many bytes.
    #[must_use]
    pub fn file_limit(&self) -> usize {
        network_file_limit(&self.network)
    }

    /// Reads its weights, untrusted.
    ///
    /// # Errors
    /// When they are of another network, or no numbers to compute with.
    pub fn read(&self, file: &[u8]) -> Result<Embedding, ModelError> {
        Model::from_safetensors(file, &self.network).map(Embedding::of)
    }

    /// Rows that it can be applied to in about a minute.
    #[must_use]
    pub fn most_rows(&self) -> usize {
        MAX_WORK_IN_ALL / self.network.work().max(1)
    }

    /// Checks what came from outside against the data that it reads, and the features that are made of what it says.
    ///
    /// # Errors
    /// Names what makes no sense.
    pub fn check(&self, data: &Schema, features: &FeatureMap) -> Result<(), BackboneError> {
        check_size(&self.network)?;
        if self.network.input().columns() != data.inputs.len() {
            return Err(BackboneError::Contradiction(
                "the backbone reads another number of columns than the schema has",
            ));
        }
        if self.network.activations() != features.columns.len() {
            return Err(BackboneError::Contradiction(
                "the feature map reads another number of columns than the backbone gives",
            ));
        }
        Ok(())
    }
}

/// A published file of this network has at most so many bytes.
#[must_use]
pub fn network_file_limit(network: &Network) -> usize {
    FILE_HEADER + network.parameters().saturating_mul(size_of::<f32>())
}

/// Checks that a stranger may ask for this network to be applied.
///
/// # Errors
/// When it would take too long or too much memory.
pub fn check_size(network: &Network) -> Result<(), NetworkError> {
    let limits = [
        ("multiplications a row", network.work(), MAX_WORK),
        ("numbers that are held at once", network.scratch(), MAX_SCRATCH),
        ("activations before its output", network.activations(), MAX_COLUMNS),
    ];
    match limits.into_iter().find(|(_, have, most)| have > most) {
        Some((what, have, most)) => Err(NetworkError::TooLarge { what, have, most }),
        None => Ok(()),
    }
}

/// What happens to raw columns before anything else: what the backbone makes of them, or nothing if there is none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Embedding(Option<Model>);

impl Embedding {
    /// Of a campaign without backbone: raw columns stay as they are.
    #[must_use]
    pub const fn none() -> Self {
        Self(None)
    }

    /// By this backbone.
    #[must_use]
    pub const fn of(backbone: Model) -> Self {
        Self(Some(backbone))
    }

    /// The backbone, if there is one.
    #[must_use]
    pub const fn backbone(&self) -> Option<&Model> {
        self.0.as_ref()
    }

    /// Raw examples as the campaign's method reads them: the same bits on every machine.
    ///
    /// # Errors
    /// When the backbone is for other data.
    pub fn apply(&self, examples: Examples) -> Result<Examples, DataError> {
        let Some(backbone) = &self.0 else { return Ok(examples) };
        let (have, need) = (examples.features().columns(), backbone.network().input().columns());
        if have != need {
            return Err(DataError::Columns { have, need });
        }
        Examples::new(backbone.embed(examples.features())?, examples.targets().clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use syft::{Image, Matrix, Targets};
    use syft_nets::{Input, NetworkKind};

    fn network() -> Network {
        let raw = Matrix::new(1, 16, (0..16).map(f64::from).collect()).unwrap();
        let image = Image { height: 4, width: 4, channels: 1 };
        let input = Input::fit(&raw, &[(0.0, 16.0); 16], Some(image)).unwrap();
        NetworkKind::Cnn(vec![2]).network(input, 3).unwrap()
    }

    #[test]
    fn raw_columns_become_activations_and_targets_stay() {
        let model = Model::initial(&network(), &[1; 32]);
        let examples = |columns: usize| {
            let raw = Matrix::new(2, columns, (0..2 * columns).map(|i| i as f64).collect()).unwrap();
            Examples::new(raw, Targets::Classes(vec![2, 0])).unwrap()
        };
        assert_eq!(Embedding::none().apply(examples(16)).unwrap(), examples(16));
        let embedded = Embedding::of(model.clone()).apply(examples(16)).unwrap();
        assert_eq!(embedded.features(), &model.embed(examples(16).features()).unwrap());
        assert_eq!(embedded.targets(), examples(16).targets());
        let error = Embedding::of(model).apply(examples(15)).unwrap_err();
        assert_eq!(error, DataError::Columns { have: 15, need: 16 });
    }

    /// Every Mine applies it to all of its rows, whoever asks for it.
    #[test]
    fn a_backbone_must_not_take_much() {
        let manifest = crate::launch::tests::planned("", "").unwrap().manifest(Digest([1; 32]));
        let features = &manifest.method.linear().unwrap().features;
        let input = Input::Image { height: 64, width: 64, channels: vec![syft::Column { center: 0.0, spread: 1.0 }] };
        let check = |channels: Vec<usize>| {
            let network = NetworkKind::Cnn(channels).network(input.clone(), 3).unwrap();
            Backbone { network, weights: Digest([1; 32]) }.check(&manifest.data, features).unwrap_err().to_string()
        };
        let slow = check(vec![64, 256]);
        assert!(slow.starts_with("the manifest's backbone: the network has ") && slow.contains("a row"), "{slow}");
        assert!(check(vec![250]).contains("held at once"));
        assert!(check(vec![8]).contains("8192 activations"));
        assert!(check(vec![4, 8]).contains("reads another number of columns"));
    }

    #[test]
    fn only_weights_of_its_network_are_read() {
        let backbone = Backbone { network: network(), weights: Digest([1; 32]) };
        let file = crate::families::plain_network(&Model::initial(&network(), &[1; 32])).unwrap();
        assert!(file.len() <= backbone.file_limit());
        assert_eq!(backbone.read(&file).unwrap(), Embedding::of(Model::initial(&network(), &[1; 32])));
        let wider = NetworkKind::Cnn(vec![3]).network(network().input().clone(), 3).unwrap();
        let file = crate::families::plain_network(&Model::initial(&wider, &[1; 32])).unwrap();
        assert!(backbone.read(&file).unwrap_err().to_string().contains("has shape"));
        assert!(backbone.read(b"garbage").is_err());
    }
}
