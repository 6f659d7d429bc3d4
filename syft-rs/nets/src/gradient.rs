//! Loss of a batch and its gradient, by reverse-mode differentiation of a network's stages.
//!
//! A batch is cut into shards of fixed size. For each shard, [`of_shard`] applies the stages and keeps the input of each, then goes through
//! them in reverse and turns the gradient of a stage's output into the gradients of its parameters and of its input. Dense layers are matrix
//! products; convolutions become matrix products through [`Block`] (im2col).
//!
//! A product takes its sums in an order that depends on the shapes and the processor only, so a repeated or resumed training gets the same
//! bits on one machine. Training may therefore use the processor's widest instructions, unlike `forward`, whose bits must be the same on all
//! machines.

use crate::network::{Conv, Network, Stage, Volume};
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;
use std::ops::Range;

/// Examples in a shard.
const SHARD: usize = 16;
/// Shards whose gradients are in memory at a time.
const SHARDS: usize = 8;
/// Numbers in a matrix of windows, so that it stays in a core's cache; more only where one row of places needs more.
const WINDOWS: usize = 1 << 15;

/// The targets of a batch's rows.
pub(crate) enum BatchTargets {
    /// The class of each row, below the number of the network's outputs.
    Classes(Vec<usize>),
    /// The number of each row, for a network with one output.
    Values(Vec<f32>),
}

/// The loss of a batch and its gradient, summed over the examples: cross-entropy of classes, squared error of numbers.
///
/// Each thread works on one shard at a time, and sums are taken in the order of the shards, so the number of threads changes no bit. Needs
/// memory for eight gradients and the activations of a shard per thread, whatever the size of the batch. Uses the current rayon pool.
pub(crate) fn gradient(network: &Network, values: &[f32], rows: &[f32], targets: &BatchTargets) -> (f64, Vec<f32>) {
    let shards: Vec<&[f32]> = rows.chunks(SHARD * network.input().columns()).collect();
    let mut sum = (0.0, vec![0.0; values.len()]);
    for first in (0..shards.len()).step_by(SHARDS) {
        let parts: Vec<(f64, Vec<f32>)> = (first..shards.len().min(first + SHARDS))
            .into_par_iter()
            .map(|shard| of_shard(network, values, shards[shard], targets, shard * SHARD))
            .collect();
        for (loss, part) in parts {
            sum.0 += loss;
            sum.1.iter_mut().zip(part).for_each(|(sum, x)| *sum += x);
        }
    }
    sum
}

/// The loss and the gradient of a shard, whose first row has the target at index `first`.
fn of_shard(network: &Network, values: &[f32], rows: &[f32], targets: &BatchTargets, first: usize) -> (f64, Vec<f32>) {
    let stages = network.stages();
    let mut inputs = Vec::with_capacity(stages.len());
    let mut now = rows.to_vec();
    for stage in stages {
        let next = forward(stage, values, &now);
        inputs.push(std::mem::replace(&mut now, next));
    }
    let (loss, mut change) = loss(now, network.outputs(), targets, first);
    let mut gradient = vec![0.0; values.len()];
    // Nothing before the first stage with parameters needs a gradient.
    let last = stages.iter().position(|stage| stage.weights().is_some()).unwrap_or(stages.len());
    for (index, (stage, input)) in stages.iter().zip(inputs).enumerate().skip(last).rev() {
        change = backward(stage, values, &input, change, &mut gradient, index > last);
    }
    (loss, gradient)
}

/// The loss of scores, and its gradient by the scores.
fn loss(mut scores: Vec<f32>, outputs: usize, targets: &BatchTargets, first: usize) -> (f64, Vec<f32>) {
    let rows = scores.chunks_exact_mut(outputs).enumerate();
    let loss = match targets {
        BatchTargets::Classes(classes) => rows.map(|(row, scores)| cross_entropy(scores, classes[first + row])).sum(),
        BatchTargets::Values(values) => rows.map(|(row, scores)| squared_error(scores, values[first + row])).sum(),
    };
    (loss, scores)
}

/// Replaces the scores of a row by the gradient: probabilities, less one for the right class.
fn cross_entropy(scores: &mut [f32], class: usize) -> f64 {
    // Without its maximum, no score overflows the exponential function.
    let greatest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let right = scores[class] - greatest;
    scores.iter_mut().for_each(|score| *score = (*score - greatest).exp());
    let sum: f32 = scores.iter().sum();
    scores.iter_mut().for_each(|score| *score /= sum);
    scores[class] -= 1.0;
    f64::from(sum.ln() - right)
}

/// Replaces the score of a row by the gradient.
fn squared_error(scores: &mut [f32], value: f32) -> f64 {
    let error = scores[0] - value;
    scores[0] = 2.0 * error;
    f64::from(error * error)
}

/// The output of a stage for the rows of a shard.
fn forward(stage: &Stage, values: &[f32], input: &[f32]) -> Vec<f32> {
    match *stage {
        // Unlike `max`, the comparison keeps NaN, so that a training that diverges is noticed.
        Stage::Relu { .. } => input.iter().map(|&x| if x < 0.0 { 0.0 } else { x }).collect(),
        Stage::MaxPool { size, from, to } => {
            let channels = input.chunks_exact(from.places());
            channels.flat_map(|channel| maxima(channel, size, from, to).map(|at| channel[at])).collect()
        }
        Stage::Dense { inputs, outputs, at } => {
            let (weights, biases) = values[at..][..outputs * (inputs + 1)].split_at(outputs * inputs);
            let rows = input.len() / inputs;
            let mut output = biases.repeat(rows);
            let weights = matrix(weights, outputs, inputs);
            add_product(matrix_mut(&mut output, rows, outputs), matrix(input, rows, inputs), weights.transpose());
            output
        }
        Stage::Conv { conv, from, to, at } => {
            let filter = filter(&conv, from);
            let (weights, biases) = values[at..][..conv.channels * (filter + 1)].split_at(conv.channels * filter);
            let weights = matrix(weights, conv.channels, filter);
            let rows = input.len() / from.numbers();
            let image = biases.iter().flat_map(|&bias| std::iter::repeat_n(bias, to.places())).collect::<Vec<_>>();
            let mut output = image.repeat(rows);
            for block in Block::all(&conv, from, to) {
                let places = block.places.len();
                let mut windows = vec![0.0; filter * places];
                for (input, output) in input.chunks_exact(from.numbers()).zip(output.chunks_exact_mut(to.numbers())) {
                    block.read(input, &mut windows);
                    let output = matrix_mut(output, conv.channels, to.places());
                    let output = output.subcols_mut(block.places.start, places);
                    add_product(output, weights, matrix(&windows, filter, places));
                }
            }
            output
        }
    }
}

/// Turns the gradient by a stage's output into the gradient by its input, which is empty unless it is needed, and adds the gradient by its
/// parameters to `gradient`.
fn backward(
    stage: &Stage,
    values: &[f32],
    input: &[f32],
    mut change: Vec<f32>,
    gradient: &mut [f32],
    needs_input: bool,
) -> Vec<f32> {
    match *stage {
        Stage::Relu { .. } => {
            change.iter_mut().zip(input).filter(|(_, x)| **x <= 0.0).for_each(|(change, _)| *change = 0.0);
            change
        }
        Stage::MaxPool { size, from, to } => {
            let mut back = vec![0.0; input.len()];
            let channels = input.chunks_exact(from.places()).zip(change.chunks_exact(to.places()));
            for ((input, change), back) in channels.zip(back.chunks_exact_mut(from.places())) {
                maxima(input, size, from, to).zip(change).for_each(|(at, change)| back[at] = *change);
            }
            back
        }
        Stage::Dense { inputs, outputs, at } => {
            let rows = input.len() / inputs;
            let (weights, biases) = gradient[at..][..outputs * (inputs + 1)].split_at_mut(outputs * inputs);
            let change = matrix(&change, rows, outputs);
            add_product(matrix_mut(weights, outputs, inputs), change.transpose(), matrix(input, rows, inputs));
            add_product(matrix_mut(biases, outputs, 1), change.transpose(), matrix(&vec![1.0; rows], rows, 1));
            if !needs_input {
                return Vec::new();
            }
            let mut back = vec![0.0; input.len()];
            let weights = matrix(&values[at..][..outputs * inputs], outputs, inputs);
            add_product(matrix_mut(&mut back, rows, inputs), change, weights);
            back
        }
        Stage::Conv { conv, from, to, at } => {
            let filter = filter(&conv, from);
            let (by_weights, by_biases) =
                gradient[at..][..conv.channels * (filter + 1)].split_at_mut(conv.channels * filter);
            let weights = matrix(&values[at..][..conv.channels * filter], conv.channels, filter);
            let ones = vec![1.0; to.places()];
            for change in change.chunks_exact(to.numbers()) {
                let change = matrix(change, conv.channels, to.places());
                add_product(matrix_mut(by_biases, conv.channels, 1), change, matrix(&ones, to.places(), 1));
            }
            let mut back = vec![0.0; if needs_input { input.len() } else { 0 }];
            for block in Block::all(&conv, from, to) {
                let places = block.places.len();
                let mut windows = vec![0.0; filter * places];
                let mut by_windows = vec![0.0; filter * places];
                for (row, (input, change)) in
                    input.chunks_exact(from.numbers()).zip(change.chunks_exact(to.numbers())).enumerate()
                {
                    let change = matrix(change, conv.channels, to.places()).subcols(block.places.start, places);
                    block.read(input, &mut windows);
                    let windows = matrix(&windows, filter, places);
                    add_product(matrix_mut(by_weights, conv.channels, filter), change, windows.transpose());
                    if needs_input {
                        by_windows.fill(0.0);
                        add_product(matrix_mut(&mut by_windows, filter, places), weights.transpose(), change);
                        block.add(&by_windows, &mut back[row * from.numbers()..][..from.numbers()]);
                    }
                }
            }
            back
        }
    }
}

/// Where the maximum of each square lies, the first of equal ones. NaN counts as the maximum, so that a training that diverges is noticed.
fn maxima(channel: &[f32], size: usize, from: Volume, to: Volume) -> impl Iterator<Item = usize> {
    let of_square = move |row: usize, column: usize| {
        let first = row * size * from.width + column * size;
        let mut greatest = first;
        for line in (first..).step_by(from.width).take(size) {
            for at in line..line + size {
                if channel[at] > channel[greatest] || channel[at].is_nan() {
                    greatest = at;
                }
            }
        }
        greatest
    };
    (0..to.height).flat_map(move |row| (0..to.width).map(move |column| of_square(row, column)))
}

/// Weights of one of a convolution's filters.
const fn filter(conv: &Conv, from: Volume) -> usize {
    from.channels * conv.kernel * conv.kernel
}

/// Some rows of a convolution's output, and the pixels that they are computed from.
///
/// The matrix of windows has a row per weight of a filter and a column per place, with the pixel that the weight reads at the place, or
/// zero outside of the image. The output is the product of the filters and this matrix.
struct Block {
    /// Places in a channel of the output.
    places: Range<usize>,
    stride: usize,
    runs: Vec<Run>,
}

/// Adjacent places at which a weight reads pixels of one row of the image.
struct Run {
    /// First place, in the matrix of windows.
    window: usize,
    /// First pixel, in the image.
    pixel: usize,
    count: usize,
}

impl Block {
    /// All rows of the output, in blocks.
    fn all(conv: &Conv, from: Volume, to: Volume) -> impl Iterator<Item = Self> {
        let conv = *conv;
        let height = (WINDOWS / (filter(&conv, from) * to.width)).clamp(1, to.height);
        (0..to.height)
            .step_by(height)
            .map(move |first| Self::new(&conv, from, to, first..to.height.min(first + height)))
    }

    fn new(conv: &Conv, from: Volume, to: Volume, rows: Range<usize>) -> Self {
        let Conv { kernel, stride, padding, .. } = *conv;
        let (first, height) = (rows.start, rows.len());
        let run = |weight: usize, row: usize| {
            let (channel, i, j) = (weight / (kernel * kernel), weight / kernel % kernel, weight % kernel);
            let line = (row * stride + i).checked_sub(padding).filter(|line| *line < from.height)?;
            let start = padding.saturating_sub(j).div_ceil(stride);
            let end = (from.width + padding).saturating_sub(j).div_ceil(stride).min(to.width);
            Some(Run {
                window: (weight * height + row - first) * to.width + start,
                pixel: (channel * from.height + line) * from.width + start * stride + j - padding,
                count: end.checked_sub(start).filter(|count| *count > 0)?,
            })
        };
        let runs = (0..filter(conv, from)).flat_map(|weight| rows.clone().filter_map(move |row| run(weight, row)));
        Self { places: first * to.width..(first + height) * to.width, stride, runs: runs.collect() }
    }

    /// Fills the matrix of windows, except its zeros.
    fn read(&self, image: &[f32], windows: &mut [f32]) {
        for Run { window, pixel, count } in &self.runs {
            let windows = &mut windows[*window..][..*count];
            if self.stride == 1 {
                windows.copy_from_slice(&image[*pixel..][..*count]);
            } else {
                windows.iter_mut().zip(image[*pixel..].iter().step_by(self.stride)).for_each(|(to, x)| *to = *x);
            }
        }
    }

    /// Adds each number of the matrix to the pixel that it was read from.
    fn add(&self, windows: &[f32], image: &mut [f32]) {
        for Run { window, pixel, count } in &self.runs {
            let windows = &windows[*window..][..*count];
            if self.stride == 1 {
                image[*pixel..][..*count].iter_mut().zip(windows).for_each(|(to, x)| *to += x);
            } else {
                image[*pixel..].iter_mut().step_by(self.stride).zip(windows).for_each(|(to, x)| *to += x);
            }
        }
    }
}

fn matrix(numbers: &[f32], rows: usize, columns: usize) -> MatRef<'_, f32> {
    MatRef::from_row_major_slice(numbers, rows, columns)
}

fn matrix_mut(numbers: &mut [f32], rows: usize, columns: usize) -> MatMut<'_, f32> {
    MatMut::from_row_major_slice_mut(numbers, rows, columns)
}

fn add_product(sum: MatMut<'_, f32>, left: MatRef<'_, f32>, right: MatRef<'_, f32>) {
    matmul(sum, Accum::Add, left, right, 1.0, Par::Seq);
}
