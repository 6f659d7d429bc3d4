//! Loss and gradient by burn's tensors and automatic differentiation. The only place that knows of burn.

use crate::network::{Conv, Network, Stage};
use burn_tensor::module::{conv2d, max_pool2d};
use burn_tensor::ops::{ConvOptions, MaxPoolOptions};
use burn_tensor::{Device, Tensor, TensorData, activation};
use rayon::prelude::*;

/// Examples of which one thread computes a gradient at a time.
const SHARD: usize = 16;
/// Shards whose gradients are kept at a time.
const SHARDS: usize = 8;

/// What a network should say about each row of a batch, row by row.
pub(crate) enum Wanted {
    /// One for the right class, zero for others.
    Classes(Vec<f32>),
    /// Numbers.
    Values(Vec<f32>),
}

impl Wanted {
    fn numbers(&self) -> &[f32] {
        match self {
            Self::Classes(numbers) | Self::Values(numbers) => numbers,
        }
    }
}

/// The loss of a batch and its gradient, summed over the examples: cross-entropy of classes, squared error of numbers.
///
/// Threads work on shards of fixed size, each alone, and sums are taken in the order of the shards, so their number changes no bit. Memory
/// for eight gradients and shards, whatever the size of the batch. Uses the current rayon pool.
pub(crate) fn gradient(network: &Network, values: &[f32], rows: &[f32], wanted: &Wanted) -> (f64, Vec<f32>) {
    let (columns, outputs) = (network.input().columns(), network.outputs());
    let shards: Vec<(&[f32], &[f32])> =
        rows.chunks(SHARD * columns).zip(wanted.numbers().chunks(SHARD * outputs)).collect();
    let mut sum = (0.0, vec![0.0; values.len()]);
    for shards in shards.chunks(SHARDS) {
        let parts: Vec<(f64, Vec<f32>)> = shards
            .par_iter()
            .map(|(rows, goals)| one_shard(network, values, rows, goals, matches!(wanted, Wanted::Classes(_))))
            .collect();
        for (loss, part) in parts {
            sum.0 += loss;
            sum.1.iter_mut().zip(part).for_each(|(sum, x)| *sum += x);
        }
    }
    sum
}

fn one_shard(network: &Network, values: &[f32], rows: &[f32], goals: &[f32], classes: bool) -> (f64, Vec<f32>) {
    let device = Device::flex().autodiff();
    let count = rows.len() / network.input().columns();
    let parameters = Parameters::new(network, values, &device);
    let x = Tensor::<2>::from_data(TensorData::new(rows.to_vec(), [count, network.input().columns()]), &device);
    let goals = Tensor::<2>::from_data(TensorData::new(goals.to_vec(), [count, network.outputs()]), &device);
    let scores = parameters.forward(network, x);
    let loss = if classes {
        (activation::log_softmax(scores, 1) * goals).sum().neg()
    } else {
        let error = scores - goals;
        (error.clone() * error).sum()
    };
    let gradients = loss.backward();
    let mut out = Vec::with_capacity(values.len());
    for (weights, biases) in parameters.0.iter().flatten() {
        out.extend(numbers(weights.grad(&gradients)));
        out.extend(numbers(biases.grad(&gradients)));
    }
    let loss = numbers(Some(loss)).first().copied().filter(|_| out.len() == values.len());
    (loss.unwrap_or(f32::NAN).into(), out)
}

/// Weights and biases of each stage, the weights flat.
struct Parameters(Vec<Option<(Tensor<1>, Tensor<1>)>>);

impl Parameters {
    fn new(network: &Network, values: &[f32], device: &Device) -> Self {
        let tensor = |values: &[f32]| {
            Tensor::<1>::from_data(TensorData::new(values.to_vec(), [values.len()]), device).require_grad()
        };
        let of = |stage: &Stage| {
            let (at, shape) = stage.weights()?;
            let (weights, rest) = values[at..].split_at(shape.iter().product());
            Some((tensor(weights), tensor(&rest[..shape[0]])))
        };
        Self(network.stages().iter().map(of).collect())
    }

    fn forward(&self, network: &Network, rows: Tensor<2>) -> Tensor<2> {
        let [count, _] = rows.dims();
        network.stages().iter().zip(&self.0).fold(rows, |x, (stage, parameters)| match (stage, parameters) {
            (Stage::Relu { .. }, _) => activation::relu(x),
            (Stage::MaxPool { size, from, to }, _) => {
                let options = MaxPoolOptions::new([*size; 2]);
                let x = x.reshape([count, from.channels, from.height, from.width]);
                max_pool2d(x, options).reshape([count, to.numbers()])
            }
            (Stage::Dense { inputs, outputs, .. }, Some((weights, biases))) => {
                let weights = weights.clone().reshape([*outputs, *inputs]);
                x.matmul(weights.transpose()) + biases.clone().reshape([1, *outputs])
            }
            (
                Stage::Conv { conv: Conv { channels, kernel, stride, padding }, from, to, .. },
                Some((weights, biases)),
            ) => {
                let options = ConvOptions::new([*stride; 2], [*padding; 2], [1; 2], 1);
                let weights = weights.clone().reshape([*channels, from.channels, *kernel, *kernel]);
                let x = x.reshape([count, from.channels, from.height, from.width]);
                conv2d(x, weights, Some(biases.clone()), options).reshape([count, to.numbers()])
            }
            (Stage::Dense { .. } | Stage::Conv { .. }, None) => x,
        })
    }
}

/// The numbers of a tensor; none where there is no gradient.
fn numbers<const D: usize>(tensor: Option<Tensor<D>>) -> Vec<f32> {
    tensor.and_then(|tensor| tensor.into_data().try_into_vec().ok()).unwrap_or_default()
}
