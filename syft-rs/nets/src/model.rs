//! Networks with values for their parameters ([`Model`]), their files, and changes of them ([`Delta`]).

use crate::forward::{self, LEAST_WEIGHT, flushed};
use crate::network::{MAX_PARAMETERS, Network};
use crate::stream::Stream;
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use std::collections::HashMap;
use syft::{Matrix, Scores};
use thiserror::Error;
use zeroize::Zeroize;

/// Key of the description in the metadata of a safetensors file.
const DESCRIPTION: &str = "syft.network";
/// Most bytes of a file in addition to its parameters.
const HEADER_LIMIT: usize = 4 << 20;
/// Parameters are clipped to ± this value: beyond it, sums would soon not be finite.
const VALUE_LIMIT: f32 = 1e6;

/// Activations are clipped to ± this value before a linear model reads them.
pub(crate) const ACTIVATION_LIMIT: f64 = 1e9;

/// Values that do not fit a network.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum ModelError {
    /// The number of values is not the number of parameters.
    #[error("the network has {need} parameters, not {have}")]
    Length {
        /// Parameters of the network.
        need: usize,
        /// Number of values given.
        have: usize,
    },
    /// A value is NaN, infinite or beyond ±10^6.
    #[error("value {at} of {tensor} is {value}: it must be between -10^6 and 10^6")]
    Value {
        /// Name of the tensor.
        tensor: String,
        /// Index in the tensor, from 0.
        at: usize,
        /// The value.
        value: f32,
    },
    /// The file is not a safetensors file with the expected tensors.
    #[error("cannot read the model file: {0}")]
    File(String),
}

/// A network with values for its parameters, in the order of [`Network::layout`]. Zeroed when dropped, and never printed.
#[derive(Clone, PartialEq)]
pub struct Model {
    network: Network,
    values: Vec<f32>,
}

impl Drop for Model {
    fn drop(&mut self) {
        self.values.zeroize();
    }
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Model({} parameters, hidden)", self.values.len())
    }
}

impl Model {
    /// Checks that there is one value per parameter and that all are within ±10^6. Values nearer to zero than 2^-40 become zero, because processors
    /// are slow with subnormal numbers.
    pub fn new(network: Network, values: Vec<f32>) -> Result<Self, ModelError> {
        let need = network.parameters();
        if values.len() != need {
            return Err(ModelError::Length { need, have: values.len() });
        }
        let mut model = Self { network, values };
        for (tensor, values) in model.tensors() {
            if let Some(at) = values.iter().position(|value| !(-VALUE_LIMIT..=VALUE_LIMIT).contains(value)) {
                return Err(ModelError::Value { tensor: tensor.name, at, value: values[at] });
            }
        }
        model.values.iter_mut().for_each(|value| *value = flushed(*value, LEAST_WEIGHT));
        Ok(model)
    }

    /// The start of a training, the same bits on every machine: weights uniform within ±√(6/inputs) before a hidden layer (He et al. 2015) and within
    /// ±√(6/(inputs + outputs)) before the output (Glorot and Bengio 2010), biases zero.
    pub fn initial(network: &Network, seed: &[u8; 32]) -> Self {
        let mut values = vec![0.0; network.parameters()];
        for (index, stage) in network.stages().iter().enumerate() {
            let Some((at, shape)) = stage.weights() else { continue };
            let inputs: usize = shape[1..].iter().product();
            let is_output = index == network.layers().len();
            let fan = if is_output { inputs + shape[0] } else { inputs };
            let bound = (6.0 / fan as f32).sqrt();
            let mut stream = Stream::new(seed, *b"initials", index as u64);
            values[at..][..inputs * shape[0]].iter_mut().for_each(|value| *value = bound * stream.symmetric());
        }
        Self { network: network.clone(), values }
    }

    /// The public description.
    pub const fn network(&self) -> &Network {
        &self.network
    }

    /// Values of the parameters, in the order of [`Network::layout`].
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The tensors with their values.
    pub(crate) fn tensors(&self) -> impl Iterator<Item = (crate::Tensor, &[f32])> {
        let mut rest = &self.values[..];
        self.network.layout().into_iter().map(move |tensor| {
            let (values, others) = rest.split_at(tensor.shape.iter().product());
            rest = others;
            (tensor, values)
        })
    }

    /// The model as a safetensors file: `F32` tensors by [`Network::layout`], and the network as JSON in the metadata. The same model gives the same
    /// bytes if `metadata` is empty.
    pub fn to_safetensors(&self, mut metadata: HashMap<String, String>) -> Result<Vec<u8>, ModelError> {
        let file = |error: &dyn std::fmt::Display| ModelError::File(error.to_string());
        let network = serde_json::to_string(&self.network).map_err(|error| file(&error))?;
        metadata.insert(DESCRIPTION.into(), network);
        let tensors: Vec<(String, Vec<usize>, Vec<u8>)> = self
            .tensors()
            .map(|(tensor, values)| (tensor.name, tensor.shape, values.iter().flat_map(|x| x.to_le_bytes()).collect()))
            .collect();
        let views: Vec<(&str, TensorView)> = tensors
            .iter()
            .map(|(name, shape, bytes)| Ok((name.as_str(), TensorView::new(Dtype::F32, shape.clone(), bytes)?)))
            .collect::<Result<_, safetensors::SafeTensorError>>()
            .map_err(|error| file(&error))?;
        safetensors::serialize(views, Some(metadata)).map_err(|error| file(&error))
    }

    /// Reads a model of this network from an untrusted safetensors file with exactly the tensors of [`Network::layout`], `F32` or `F64`. A
    /// description in the file is ignored.
    pub fn from_safetensors(bytes: &[u8], network: &Network) -> Result<Self, ModelError> {
        let file = open(bytes, network.parameters())?;
        let layout = network.layout();
        if let Some(name) = file.names().into_iter().find(|name| layout.iter().all(|tensor| tensor.name != **name)) {
            let expected: Vec<&str> = layout.iter().map(|tensor| tensor.name.as_str()).collect();
            return Err(ModelError::File(format!("tensor `{name}` is not one of {}", expected.join(", "))));
        }
        let mut values = Vec::with_capacity(network.parameters());
        for tensor in &layout {
            let name = &tensor.name;
            let found = file.tensor(name).map_err(|_| ModelError::File(format!("no tensor named `{name}`")))?;
            if found.shape() != tensor.shape {
                let why = format!("tensor `{name}` has shape {:?}, expected {:?}", found.shape(), tensor.shape);
                return Err(ModelError::File(why));
            }
            match found.dtype() {
                Dtype::F32 => values.extend(words(found.data()).map(f32::from_le_bytes)),
                Dtype::F64 => values.extend(words(found.data()).map(|word| f64::from_le_bytes(word) as f32)),
                other => {
                    return Err(ModelError::File(format!("tensor `{name}` is {other:?}, expected F32 or F64")));
                }
            }
        }
        Self::new(network.clone(), values)
    }

    /// Reads a model from an untrusted safetensors file that describes its network, as [`Model::to_safetensors`] writes it.
    pub fn from_described(bytes: &[u8]) -> Result<Self, ModelError> {
        Self::from_safetensors(bytes, &described(bytes)?)
    }

    /// Scores of rows of raw columns, one per output. Missing columns count as zero.
    ///
    /// The same bits on every machine and with any number of threads. Uses the current rayon pool.
    pub fn predict(&self, raw: &Matrix) -> Scores {
        let scores = forward::run(&self.network, &self.values, self.network.stages(), raw);
        Scores::new(self.network.outputs(), scores.into_iter().map(f64::from).collect())
    }

    /// The activations before the output layer, [`Network::activations`] per row, clipped to ±10^9; an image channel by channel.
    pub fn embed(&self, raw: &Matrix) -> Result<Matrix, syft::DataError> {
        let hidden = forward::run(&self.network, &self.values, self.network.hidden(), raw);
        // Finite weights can still lead to NaN, which a clamp would keep.
        let bounded = hidden
            .into_iter()
            .map(|x| if x.is_nan() { 0.0 } else { f64::from(x).clamp(-ACTIVATION_LIMIT, ACTIVATION_LIMIT) });
        Matrix::new(raw.rows(), self.network.activations(), bounded.collect())
    }

    /// The model moved by `size` times an update, clipped to ±10^6; values nearer to zero than 2^-40 become zero. A shorter or longer update applies as
    /// far as it goes.
    #[must_use]
    pub fn moved(&self, delta: &Delta, size: f64) -> Self {
        let moved = |(value, change): (&f32, &f32)| {
            let sum = f64::from(*value) + size * f64::from(*change);
            flushed(sum.clamp((-VALUE_LIMIT).into(), VALUE_LIMIT.into()) as f32, LEAST_WEIGHT)
        };
        let mut values: Vec<f32> = self.values.iter().zip(&delta.values).map(moved).collect();
        values.extend_from_slice(&self.values[values.len()..]);
        Self { network: self.network.clone(), values }
    }
}

/// The network that an untrusted safetensors file describes in its metadata.
pub fn described(bytes: &[u8]) -> Result<Network, ModelError> {
    let file = |why: String| ModelError::File(why);
    open(bytes, MAX_PARAMETERS)?;
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|error| file(error.to_string()))?;
    let text = header.metadata().as_ref().and_then(|metadata| metadata.get(DESCRIPTION));
    let text = text.ok_or_else(|| {
        file(format!("it does not describe its network: there is no `{DESCRIPTION}` in its metadata"))
    })?;
    serde_json::from_str(text).map_err(|error| file(format!("`{DESCRIPTION}` in its metadata: {error}")))
}

/// Parses a file with at most this number of parameters.
fn open(bytes: &[u8], parameters: usize) -> Result<SafeTensors<'_>, ModelError> {
    let limit = HEADER_LIMIT + parameters * 8;
    if bytes.len() > limit {
        return Err(ModelError::File(format!("it has {} bytes; at most {limit} are possible", bytes.len())));
    }
    SafeTensors::deserialize(bytes).map_err(|error| ModelError::File(error.to_string()))
}

fn words<const N: usize>(bytes: &[u8]) -> impl Iterator<Item = [u8; N]> {
    bytes.as_chunks::<N>().0.iter().copied()
}

/// A change of all parameters of a network. All numbers are finite; zeroed when dropped, and never printed.
#[derive(Clone, PartialEq)]
pub struct Delta {
    values: Vec<f32>,
}

impl Drop for Delta {
    fn drop(&mut self) {
        self.values.zeroize();
    }
}

impl std::fmt::Debug for Delta {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Delta({} parameters, hidden)", self.values.len())
    }
}

impl Delta {
    /// Checks that there is one number per parameter and that all are within ±10^6.
    pub fn new(network: &Network, values: Vec<f32>) -> Result<Self, ModelError> {
        // The checks of a model are those of a change.
        let mut model = Model::new(network.clone(), values)?;
        Ok(Self { values: std::mem::take(&mut model.values) })
    }

    /// A change from numbers that are known to be finite.
    pub(crate) const fn from_values(values: Vec<f32>) -> Self {
        Self { values }
    }

    /// The update that changes nothing.
    pub fn zeros(network: &Network) -> Self {
        Self { values: vec![0.0; network.parameters()] }
    }

    /// The change of every parameter, in the order of [`Network::layout`].
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The Euclidean norm of the change.
    pub fn norm(&self) -> f64 {
        self.values.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>().sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NetworkKind;
    use crate::testing::{columns, image, small_cnn};

    #[test]
    fn safetensors_round_trip_is_exact() {
        let model = Model::initial(&small_cnn(), &[1; 32]);
        let bytes = model.to_safetensors(HashMap::new()).unwrap();
        assert_eq!(Model::from_safetensors(&bytes, &small_cnn()).unwrap(), model);
        assert_eq!(Model::from_described(&bytes).unwrap(), model);
        assert_eq!(model.to_safetensors(HashMap::new()).unwrap(), bytes);
    }

    #[test]
    fn files_that_do_not_fit_are_refused_by_name() {
        let bytes = Model::initial(&small_cnn(), &[1; 32]).to_safetensors(HashMap::new()).unwrap();
        let refusal =
            |bytes: &[u8], network: &Network| Model::from_safetensors(bytes, network).unwrap_err().to_string();
        let wider = NetworkKind::Cnn(vec![3, 4]).network(image(8, 8, 1), 4).unwrap();
        assert!(refusal(&bytes, &wider).contains("output.weight"));
        let deeper = NetworkKind::Cnn(vec![3, 4, 5]).network(image(8, 8, 1), 3).unwrap();
        assert!(refusal(&bytes, &deeper).contains("no tensor named `layers.6.weight`"));
        let dense = NetworkKind::Mlp(vec![3]).network(columns(64), 3).unwrap();
        assert!(refusal(&bytes, &dense).contains("tensor `layers.3"));
        assert!(refusal(b"garbage", &wider).contains("cannot read"));
        let mut wild = bytes.clone();
        let end = wild.len();
        wild[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
        assert!(refusal(&wild, &small_cnn()).contains("is NaN"));
    }

    #[test]
    fn a_file_without_description_must_be_described() {
        let plain =
            safetensors::serialize([("x", TensorView::new(Dtype::F32, vec![1], &[0; 4]).unwrap())], None).unwrap();
        assert!(Model::from_described(&plain).unwrap_err().to_string().contains("does not describe its network"));
    }

    /// Anyone can compute the start of a training; if these bits changed, old starts could no longer be reproduced.
    #[test]
    fn initial_values_never_change() {
        let network = NetworkKind::Mlp(vec![2]).network(columns(3), 2).unwrap();
        let model = Model::initial(&network, &[5; 32]);
        assert_eq!(model, Model::initial(&network, &[5; 32]));
        assert_ne!(model, Model::initial(&network, &[6; 32]));
        let bits: Vec<u32> = model.values().iter().map(|value| value.to_bits()).collect();
        assert_eq!(bits[..3], [1_067_255_781, 3_205_258_363, 3_211_223_264]);
        let wide = Model::initial(&NetworkKind::Mlp(vec![1000]).network(columns(24), 2).unwrap(), &[5; 32]);
        let weights = &wide.values()[..24_000];
        assert!(weights.iter().all(|weight| weight.abs() <= 0.5));
        let variance = weights.iter().map(|&w| f64::from(w).powi(2)).sum::<f64>() / 24_000.0;
        assert!((variance * 12.0 - 1.0).abs() < 0.03, "{variance}");
        assert!(wide.values()[24_000..25_000].iter().all(|&bias| bias == 0.0));
    }

    #[test]
    fn moving_stays_within_bounds() {
        let network = NetworkKind::Mlp(vec![]).network(columns(1), 1);
        let network = network.unwrap();
        let model = Model::new(network.clone(), vec![1.0, -9e5]).unwrap();
        let delta = Delta::new(&network, vec![0.5, -9e5]).unwrap();
        assert_eq!(model.moved(&delta, 2.0).values(), [2.0, -1e6]);
        assert!(matches!(Delta::new(&network, vec![0.0, f32::INFINITY]), Err(ModelError::Value { at: 0, .. })));
        assert!(matches!(Delta::new(&network, vec![0.0]), Err(ModelError::Length { need: 2, have: 1 })));
    }

    #[test]
    fn predictions_do_not_depend_on_the_batch() {
        let model = Model::initial(&small_cnn(), &[2; 32]);
        let raw = Matrix::new(40, 64, (0..40 * 64).map(|i| f64::from(i * 7 % 13)).collect()).unwrap();
        let all = model.predict(&raw);
        for row in [0, 17, 39] {
            assert_eq!(model.predict(&raw.select(&[row])).rows().next(), all.rows().nth(row));
        }
        assert_eq!(model.embed(&raw).unwrap().columns(), model.network().activations());
    }
}
