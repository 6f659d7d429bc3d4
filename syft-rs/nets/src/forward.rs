//! The forward pass, with the same bits on every machine: every sum is taken in one fixed order, in plain `f32` arithmetic without fused
//! operations, whatever the number of threads and rows.
//!
//! [`run`] applies stages to chunks of rows in parallel. [`Prepared`] has the weights of a stage laid out for [`tile`], the inner loop of the
//! products of matrices.
//!
//! Processors are up to a hundred times slower with subnormal numbers, which a model could be made of to delay its evaluation. So weights nearer to
//! zero than [`LEAST_WEIGHT`] and activations nearer than [`LEAST_ACTIVATION`] count as zero. Products of the others are at least 2^-100, and all sums
//! of such products are multiples of 2^-123: no operation has a subnormal operand or result.

use crate::network::{Conv, Network, Stage, Volume};
use rayon::prelude::*;
use syft::Matrix;

/// Rows in a chunk.
const ROWS: usize = 16;
/// Rows and columns of a tile of sums, which stays in the registers of any 64-bit processor.
const TALL: usize = 4;
const WIDE: usize = 8;

/// Weights nearer to zero than 2^-40 are zero.
pub(crate) const LEAST_WEIGHT: f32 = 1.0 / (1_u64 << 40) as f32;
/// Activations nearer to zero than 2^-60 are zero.
const LEAST_ACTIVATION: f32 = 1.0 / (1_u64 << 60) as f32;

/// A number, or zero if it is nearer to zero than `least`.
pub(crate) const fn flushed(x: f32, least: f32) -> f32 {
    if x.abs() < least { 0.0 } else { x }
}

fn flush(activations: &mut [f32]) {
    activations.iter_mut().for_each(|x| *x = flushed(*x, LEAST_ACTIVATION));
}

/// One column of the left matrix, as high as a tile.
type Left = [f32; TALL];
/// One row of the right matrix, as wide as a tile.
type Right = [f32; WIDE];

/// The result of the given stages for every row, row-major. Needs memory for the result, and for sixteen rows per thread. `values` are those of a
/// [`Model`](crate::Model), so none is between zero and [`LEAST_WEIGHT`].
pub(crate) fn run(network: &Network, values: &[f32], stages: &[Stage], raw: &Matrix) -> Vec<f32> {
    let width = stages.last().map_or_else(|| network.input().columns(), Stage::outputs);
    let prepared: Vec<Prepared> = stages.iter().map(|stage| Prepared::new(stage, values)).collect();
    let mut out = vec![0.0; raw.rows() * width];
    out.par_chunks_mut(ROWS * width).enumerate().for_each(|(chunk, out)| {
        let columns = network.input().columns();
        let mut now = vec![0.0; out.len() / width * columns];
        for (row, now) in now.chunks_exact_mut(columns).enumerate() {
            network.input().read(raw.row(chunk * ROWS + row), now);
        }
        flush(&mut now);
        let rows = out.len() / width;
        now = prepared.iter().fold(now, |now, stage| stage.apply(rows, now));
        out.copy_from_slice(&now);
    });
    out
}

impl Network {
    /// `f32` numbers that one thread needs at once to apply the network, in addition to the weights.
    pub fn scratch(&self) -> usize {
        let mut before = self.input().columns();
        let at_once = self.stages().iter().map(|stage| {
            let windows = match stage {
                Stage::Conv { conv, from, to, .. } => {
                    from.channels.saturating_mul(conv.kernel * conv.kernel).saturating_mul(to.places())
                }
                Stage::MaxPool { .. } | Stage::Relu { .. } | Stage::Dense { .. } => 0,
            };
            let rows = ROWS.saturating_mul(before.saturating_add(stage.outputs()));
            before = stage.outputs();
            rows.saturating_add(windows)
        });
        at_once.max().unwrap_or(before)
    }
}

/// A stage with its weights laid out for the inner loop.
enum Prepared<'a> {
    Conv { conv: Conv, from: Volume, to: Volume, weights: Vec<Left>, biases: &'a [f32] },
    MaxPool { size: usize, from: Volume, to: Volume },
    Relu,
    Dense { inputs: usize, outputs: usize, weights: Vec<Right>, biases: &'a [f32] },
}

impl<'a> Prepared<'a> {
    fn new(stage: &Stage, values: &'a [f32]) -> Self {
        match *stage {
            Stage::Conv { conv, from, to, at } => {
                let filter = from.channels * conv.kernel * conv.kernel;
                let (weights, rest) = values[at..].split_at(conv.channels * filter);
                let weights = panels(filter, conv.channels, |weight, channel| weights[channel * filter + weight]);
                Self::Conv { conv, from, to, weights, biases: &rest[..conv.channels] }
            }
            Stage::MaxPool { size, from, to } => Self::MaxPool { size, from, to },
            Stage::Relu { .. } => Self::Relu,
            Stage::Dense { inputs, outputs, at } => {
                let (weights, rest) = values[at..].split_at(inputs * outputs);
                let weights = panels(inputs, outputs, |input, output| weights[output * inputs + input]);
                Self::Dense { inputs, outputs, weights, biases: &rest[..outputs] }
            }
        }
    }

    fn apply(&self, rows: usize, mut now: Vec<f32>) -> Vec<f32> {
        match self {
            Self::Relu => {
                now.iter_mut().for_each(|x| *x = x.max(0.0));
                now
            }
            Self::Dense { inputs, outputs, weights, biases } => {
                let mut out = biases.repeat(rows);
                let left = panels(*inputs, rows, |input, row| now[row * inputs + input]);
                add_product(*inputs, *outputs, &left, weights, &mut out);
                flush(&mut out);
                out
            }
            Self::MaxPool { size, from, to } => {
                now.chunks_exact(from.places()).flat_map(|channel| pooled(channel, *size, *from, *to)).collect()
            }
            Self::Conv { conv, from, to, weights, biases } => {
                let filter = from.channels * conv.kernel * conv.kernel;
                let places = to.places();
                let mut out = Vec::with_capacity(rows * to.numbers());
                for image in now.chunks_exact(from.numbers()) {
                    let start = out.len();
                    out.extend(biases.iter().flat_map(|&bias| std::iter::repeat_n(bias, places)));
                    let windows = windows(image, conv, *from, *to);
                    add_product(filter, places, weights, &windows, &mut out[start..]);
                }
                flush(&mut out);
                out
            }
        }
    }
}

fn pooled(channel: &[f32], size: usize, from: Volume, to: Volume) -> impl Iterator<Item = f32> {
    let square = move |row: usize, column: usize| {
        let rows = (row * size..(row + 1) * size).flat_map(move |y| &channel[y * from.width + column * size..][..size]);
        rows.copied().fold(f32::NEG_INFINITY, f32::max)
    };
    (0..to.height).flat_map(move |row| (0..to.width).map(move |column| square(row, column)))
}

/// The pixel that each weight of a filter reads at each place, zero outside of the image.
fn windows(image: &[f32], conv: &Conv, from: Volume, to: Volume) -> Vec<Right> {
    let Conv { kernel, stride, padding, .. } = *conv;
    let (height, width) = (from.height + 2 * padding, from.width + 2 * padding);
    let mut padded = vec![0.0; from.channels * height * width];
    for (row, pixels) in image.chunks_exact(from.width).enumerate() {
        let start = (row / from.height * height + row % from.height + padding) * width + padding;
        padded[start..][..from.width].copy_from_slice(pixels);
    }
    // A weight at a place reads the pixel at the sum of their two offsets.
    let at = |channel: usize, row: usize, column: usize| (channel * height + row) * width + column;
    let squares = kernel * kernel;
    let weights: Vec<usize> =
        (0..from.channels * squares).map(|w| at(w / squares, w / kernel % kernel, w % kernel)).collect();
    let places: Vec<usize> = (0..to.places()).map(|p| at(0, p / to.width * stride, p % to.width * stride)).collect();
    panels(weights.len(), places.len(), |weight, place| padded[weights[weight] + places[place]])
}

/// A matrix as panels of `SIDE` rows or columns side by side, each `depth` numbers long; the last panel is padded with zeros.
fn panels<const SIDE: usize>(depth: usize, count: usize, at: impl Fn(usize, usize) -> f32) -> Vec<[f32; SIDE]> {
    let mut panels = Vec::with_capacity(depth * count.div_ceil(SIDE));
    for start in (0..count).step_by(SIDE) {
        let one = |depth, i| if start + i < count { at(depth, start + i) } else { 0.0 };
        panels.extend((0..depth).map(|depth| std::array::from_fn(|i| one(depth, i))));
    }
    panels
}

/// Adds to the row-major `out` the product of two matrices, each sum in the order of `depth`.
fn add_product(depth: usize, columns: usize, left: &[Left], right: &[Right], out: &mut [f32]) {
    for (left, out) in left.chunks_exact(depth).zip(out.chunks_mut(TALL * columns)) {
        for (right, start) in right.chunks_exact(depth).zip((0..columns).step_by(WIDE)) {
            let cut = start..columns.min(start + WIDE);
            let mut sums = [[0.0; WIDE]; TALL];
            for (sums, out) in sums.iter_mut().zip(out.chunks_exact(columns)) {
                sums[..cut.len()].copy_from_slice(&out[cut.clone()]);
            }
            sums = tile(sums, left, right);
            for (sums, out) in sums.iter().zip(out.chunks_exact_mut(columns)) {
                out[cut.clone()].copy_from_slice(&sums[..cut.len()]);
            }
        }
    }
}

fn tile(mut sums: [Right; TALL], left: &[Left], right: &[Right]) -> [Right; TALL] {
    for (left, right) in left.iter().zip(right) {
        for (sums, x) in sums.iter_mut().zip(left) {
            sums.iter_mut().zip(right).for_each(|(sum, y)| *sum += x * y);
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::Layer;
    use crate::stream::Stream;
    use crate::testing::{columns, image};
    use crate::{Delta, Model, NetworkKind};

    fn random(count: usize, label: u64) -> Vec<f32> {
        let mut stream = Stream::new(&[1; 32], *b"testonly", label);
        (0..count).map(|_| stream.symmetric()).collect()
    }

    /// By the definition, one number at a time.
    fn by_hand(stage: &Stage, values: &[f32], x: &[f32]) -> Vec<f32> {
        match *stage {
            Stage::Relu { .. } => x.iter().map(|x| x.max(0.0)).collect(),
            Stage::Dense { inputs, outputs, at } => (0..outputs)
                .map(|o| {
                    (0..inputs)
                        .fold(values[at + inputs * outputs + o], |sum, i| sum + values[at + o * inputs + i] * x[i])
                })
                .collect(),
            Stage::MaxPool { size, from, to } => (0..to.numbers())
                .map(|n| {
                    let (c, y, x0) = (n / to.places(), n / to.width % to.height, n % to.width);
                    let number =
                        |i: usize| x[c * from.places() + (y * size + i / size) * from.width + x0 * size + i % size];
                    (0..size * size).map(number).fold(f32::MIN, f32::max)
                })
                .collect(),
            Stage::Conv { conv: Conv { channels, kernel: k, stride, padding }, from, to, at } => (0..to.numbers())
                .map(|n| {
                    let (o, y, x0) = (n / to.places(), n / to.width % to.height, n % to.width);
                    let mut sum = values[at + channels * from.channels * k * k + o];
                    for (c, i, j) in (0..from.channels * k * k).map(|w| (w / (k * k), w / k % k, w % k)) {
                        let (row, column) = (y * stride + i, x0 * stride + j);
                        let inside = (padding..from.height + padding).contains(&row)
                            && (padding..from.width + padding).contains(&column);
                        let pixel = if inside {
                            x[c * from.places() + (row - padding) * from.width + column - padding]
                        } else {
                            0.0
                        };
                        sum += values[at + ((o * from.channels + c) * k + i) * k + j] * pixel;
                    }
                    sum
                })
                .collect(),
        }
    }

    #[test]
    fn every_layer_does_what_its_definition_says_to_the_last_bit() {
        let conv = |channels, kernel, stride, padding| Layer::Conv(Conv { channels, kernel, stride, padding });
        let layers =
            vec![conv(5, 3, 1, 1), Layer::Relu, Layer::MaxPool(2), conv(9, 2, 2, 0), Layer::Dense(11), Layer::Relu];
        let network = Network::new(image(9, 10, 2), layers, 3).unwrap();
        let values = random(network.parameters(), 0);
        let raw = Matrix::new(21, 180, random(21 * 180, 1).into_iter().map(f64::from).collect()).unwrap();
        let all = run(&network, &values, network.stages(), &raw);
        let mut x = vec![0.0; 180];
        for row in 0..21 {
            network.input().read(raw.row(row), &mut x);
            let scores = network.stages().iter().fold(x.clone(), |x, stage| by_hand(stage, &values, &x));
            assert_eq!(all[row * 3..][..3], scores);
        }
        let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        assert_eq!(alone.install(|| run(&network, &values, network.stages(), &raw)), all);
    }

    /// Numbers that are subnormal among the activations, products and sums of a network of dense layers.
    fn subnormal(network: &Network, values: &[f32], raw: &Matrix) -> usize {
        let mut count = 0;
        let mut x = run(network, values, &[], raw);
        count += x.iter().filter(|x| x.is_subnormal()).count();
        for (index, stage) in network.stages().iter().enumerate() {
            if let Stage::Dense { inputs, outputs, at } = *stage {
                for (row, o) in (0..raw.rows()).flat_map(|row| (0..outputs).map(move |o| (row, o))) {
                    let mut sum = values[at + inputs * outputs + o];
                    for i in 0..inputs {
                        let product = values[at + o * inputs + i] * x[row * inputs + i];
                        sum += product;
                        count += [product, sum].iter().filter(|x| x.is_subnormal()).count();
                    }
                }
            }
            x = run(network, values, &network.stages()[..=index], raw);
            count += x.iter().filter(|x| x.is_subnormal()).count();
        }
        count
    }

    /// A data scientist publishes a model, and an accomplice sends an update, whose numbers are as small as possible, so that the Capsule is late.
    #[test]
    fn subnormal_numbers_do_not_slow_the_evaluation() {
        let network = NetworkKind::Mlp(vec![16; 8]).network(columns(12), 3).unwrap();
        let sizes = [1e-42, 1e-38, 1e-30, 1e-20, 1e-13, 1e-12, 1e-9, 1e-6, 1e-3, 1.0];
        let random = random(network.parameters(), 3);
        let raw = Matrix::new(4, 12, (0..48).map(|i| [1e-310, 1e-44, 1e-25, 1.0][i % 4]).collect()).unwrap();
        let mut unguarded = 0;
        for size in sizes {
            let values: Vec<f32> = random.iter().map(|x| x * size).collect();
            unguarded += values.iter().filter(|x| x.is_subnormal()).count();
            unguarded += values.iter().map(|x| x * x * x * x).filter(|x| x.is_subnormal()).count();
            let model = Model::new(network.clone(), values.clone()).unwrap();
            assert_eq!(subnormal(&network, model.values(), &raw), 0, "a model of {size}");
            // The same update moves a model of zeros, where nothing rounds it away.
            let zero = Model::new(network.clone(), vec![0.0; network.parameters()]).unwrap();
            let moved = zero.moved(&Delta::from_values(values), 1.0 / 32.0);
            assert_eq!(subnormal(&network, moved.values(), &raw), 0, "an update of {size}");
        }
        assert!(unguarded > 1_000, "the numbers of this test are not those of the attack");
    }
}
