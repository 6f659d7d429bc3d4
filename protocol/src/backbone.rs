//! Backbones: a public network whose activations a linear model reads instead of raw columns, so that existing
//! knowledge need not be learnt again on ciphertexts.

use serde::{Deserialize, Serialize};
use syft::{DataError, Examples, FeatureMap};
use syft_nets::{MAX_PARAMETERS, Model, ModelError, Network, NetworkError};

use crate::{
    data::{MAX_COLUMNS, Schema},
    ids::Digest,
};

/// Maximum number of multiplications per row. Bounded, because a Mine applies a stranger's backbone to all of its rows.
pub const MAX_WORK: usize = 1 << 28;
/// Maximum number of multiplications per data set: about a minute.
const MAX_WORK_IN_ALL: usize = 1 << 38;
/// Maximum number of values in memory per thread: 64 MiB.
const MAX_SCRATCH: usize = 1 << 24;
/// Maximum number of bytes of a network's file in addition to its parameters: names, shapes and the description.
const FILE_HEADER: usize = 1 << 20;
/// Size limit of its weights file in bytes.
pub const MAX_BYTES: usize = FILE_HEADER + MAX_PARAMETERS * size_of::<f32>();

/// A network with public weights. Its output layer is not used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Backbone {
    /// Its layers, and the public constants that standardise raw columns.
    pub network: Network,
    /// Digest of its weights on IPFS, a safetensors file.
    pub weights: Digest,
}

/// Why a backbone cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BackboneError {
    /// It needs too much computation or memory.
    #[error("the manifest's backbone: {0}")]
    Size(#[from] NetworkError),
    /// It does not fit the data or the features.
    #[error("the manifest contradicts itself: {0}")]
    Contradiction(&'static str),
}

impl Backbone {
    /// Size limit of its weights file in bytes.
    #[must_use]
    pub fn file_limit(&self) -> usize {
        network_file_limit(&self.network)
    }

    /// Parses its weights, which are untrusted.
    ///
    /// # Errors
    /// When they belong to another network, or have values that are not finite.
    pub fn read(&self, file: &[u8]) -> Result<Embedding, ModelError> {
        Model::from_safetensors(file, &self.network).map(Embedding::of)
    }

    /// Number of rows to which it can be applied in about a minute.
    #[must_use]
    pub fn most_rows(&self) -> usize {
        MAX_WORK_IN_ALL / self.network.work().max(1)
    }

    /// Checks an untrusted backbone against the columns that it reads, and the feature map that reads its activations.
    ///
    /// # Errors
    /// Names what is invalid.
    pub fn check(&self, data: &Schema, features: &FeatureMap) -> Result<(), BackboneError> {
        check_size(&self.network)?;
        if self.network.input().columns() != data.inputs.len() {
            return Err(BackboneError::Contradiction("the backbone does not read the number of columns of the schema"));
        }
        if self.network.activations() != features.columns.len() {
            return Err(BackboneError::Contradiction(
                "the feature map does not read the number of activations of the backbone",
            ));
        }
        Ok(())
    }
}

/// Size limit in bytes of a published file of this network.
#[must_use]
pub fn network_file_limit(network: &Network) -> usize {
    FILE_HEADER + network.parameters().saturating_mul(size_of::<f32>())
}

/// Checks that the cost of applying an untrusted network is bounded.
///
/// # Errors
/// When it needs too much time or memory.
pub fn check_size(network: &Network) -> Result<(), NetworkError> {
    let limits = [
        ("multiplications a row", network.work(), MAX_WORK),
        ("values in memory at once", network.scratch(), MAX_SCRATCH),
        ("activations before its output", network.activations(), MAX_COLUMNS),
    ];
    match limits.into_iter().find(|(_, have, most)| have > most) {
        Some((what, have, most)) => Err(NetworkError::TooLarge { what, have, most }),
        None => Ok(()),
    }
}

/// The first step for raw columns: the backbone, or nothing if there is none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Embedding(Option<Model>);

impl Embedding {
    /// For a campaign without backbone: raw columns are unchanged.
    #[must_use]
    pub const fn none() -> Self {
        Self(None)
    }

    /// For a campaign with this backbone.
    #[must_use]
    pub const fn of(backbone: Model) -> Self {
        Self(Some(backbone))
    }

    /// The backbone, if there is one.
    #[must_use]
    pub const fn backbone(&self) -> Option<&Model> {
        self.0.as_ref()
    }

    /// Transforms raw examples for the campaign's method. Gives the same bits on every machine.
    ///
    /// # Errors
    /// When the backbone does not fit the data.
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

    /// Every Mine applies it to all of its rows.
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
        assert!(check(vec![250]).contains("in memory at once"));
        assert!(check(vec![8]).contains("8192 activations"));
        assert!(check(vec![4, 8]).contains("does not read the number of columns"));
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
