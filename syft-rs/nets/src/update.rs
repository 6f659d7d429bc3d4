//! An update as a Mine uploads it: clipped, with noise if it is to be private, sparsified, quantised, and bound to the model that it started
//! from.
//!
//! [`Update::new`] makes one from a change, [`Update::delta`] returns the change that it stands for. `encoding` has its bits, `noise` its noise.

use crate::encoding::Layout;
use crate::model::Delta;
use crate::network::Network;
use crate::noise::Noise;
use crate::release::{Release, UpdateError};
use rand::{CryptoRng, Rng};
use syft::privacy::Zcdp;
use syft::wire::{Format, FormatError};
use zeroize::Zeroize;

const FORMAT: Format = Format { magic: *b"SYFTNU", version: 1, name: "an update of a network" };

/// The least scale of an update that changes anything, 2^-30. Every coordinate of an update is then far from the subnormal numbers, with which
/// processors are slow, and a smaller update would change nothing.
const LEAST_SCALE: f32 = 1.0 / (1 << 30) as f32;
const MOST_SCALE: f32 = 1e6;

/// An update of a network.
#[derive(Clone, PartialEq)]
pub struct Update {
    release: Release,
    /// SHA-256 of the published model's bytes.
    model: [u8; 32],
    parameters: usize,
    /// The greatest absolute value of a coordinate, which has the level [`Release::largest`].
    scale: f32,
    /// The coordinates that are sent, ascending.
    positions: Vec<usize>,
    levels: Vec<i32>,
}

impl Drop for Update {
    fn drop(&mut self) {
        self.positions.zeroize();
        self.levels.zeroize();
        self.scale.zeroize();
    }
}

impl std::fmt::Debug for Update {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Update").field("release", &self.release).finish_non_exhaustive()
    }
}

impl Update {
    /// Makes an update from the result of a training that started from the model whose bytes have this SHA-256.
    ///
    /// With a `cost`, the update obeys zero-concentrated differential privacy of that cost for the replacement of one of `records` records. However
    /// one record changes a training, two results are no further apart than the diameter of the clipping ball, so the sensitivity is `2·clip`. The
    /// noise, an exact discrete Gaussian, is added to *all* coordinates before anything else is computed from them: which coordinates are the
    /// largest, the scale, and the rounding all depend on the data, and as functions of the noisy numbers they disclose no more about it. Choosing
    /// first and adding noise to the chosen coordinates would disclose the choice. Fails if the noise leaves nothing to learn.
    ///
    /// Nobody else may be able to predict or repeat `coins`. An update must be stored and sent again byte for byte: a new one would differ, and
    /// cost as much again.
    pub fn new(
        delta: &Delta,
        release: &Release,
        model: [u8; 32],
        cost: Option<Zcdp>,
        records: usize,
        coins: &mut impl CryptoRng,
    ) -> Result<Self, UpdateError> {
        release.check()?;
        let mut values = clipped(delta, release.clip);
        if let Some(cost) = cost {
            Noise::new(release.clip, values.len(), cost, records)?.add(&mut values, coins);
        }
        let positions = largest(&values, release.kept(values.len()));
        let scale = positions.iter().map(|&at| values[at].abs()).fold(0.0, f64::max).min(f32::MAX.into()) as f32;
        let scale = if scale < LEAST_SCALE { 0.0 } else { scale };
        // Zero if the update changes nothing.
        let per_unit = if scale > 0.0 { f64::from(release.largest()) / f64::from(scale) } else { 0.0 };
        let most = release.largest();
        let round = |x: f64| ((x * per_unit + unit(coins)).floor() as i32).clamp(-most, most);
        let levels = positions.iter().map(|&at| values[at]).map(round).collect();
        let parameters = values.len();
        values.zeroize();
        Ok(Self { release: *release, model, parameters, scale, positions, levels })
    }

    /// The change that the update stands for, the same for everybody.
    pub fn delta(&self) -> Delta {
        let step = f64::from(self.scale) / f64::from(self.release.largest());
        let mut values = vec![0.0; self.parameters];
        self.positions.iter().zip(&self.levels).for_each(|(&at, &level)| values[at] = (f64::from(level) * step) as f32);
        Delta::from_values(values)
    }

    /// SHA-256 of the bytes of the model that the update started from.
    pub const fn model(&self) -> &[u8; 32] {
        &self.model
    }

    /// Bytes of every encoding for this network and release, whatever the data.
    pub fn encoded_len(network: &Network, release: &Release) -> usize {
        Layout::new(network.parameters(), release).bytes()
    }

    /// The bytes to upload: magic, version, digest of the model and scale, then positions and levels as bits (see `encoding`).
    pub fn encode(&self) -> Vec<u8> {
        let layout = Layout::new(self.parameters, &self.release);
        let mut bytes = FORMAT.start(layout.bytes());
        bytes.extend_from_slice(&self.model);
        bytes.extend_from_slice(&self.scale.to_le_bytes());
        layout.write(bytes, &self.release, &self.positions, &self.levels)
    }

    /// Reads untrusted bytes. Fails unless they were made for exactly this network, this release, and the model whose bytes have this SHA-256. Every
    /// update has only one encoding.
    pub fn decode(bytes: &[u8], network: &Network, release: &Release, model: &[u8; 32]) -> Result<Self, UpdateError> {
        release.check()?;
        let parameters = network.parameters();
        let layout = Layout::new(parameters, release);
        let mut fields = FORMAT.open(bytes, layout.bytes())?;
        if fields.array()? != *model {
            return Err(FormatError::Content("made from another model than this version's").into());
        }
        let scale = f32::from_le_bytes(fields.array()?);
        if scale.to_bits() != 0 && !(LEAST_SCALE..=MOST_SCALE).contains(&scale) {
            return Err(FormatError::Content("its scale is neither 0 nor between 2^-30 and 10^6").into());
        }
        let (positions, levels) = layout.read(&mut fields, release)?;
        Ok(Self { release: *release, model: *model, parameters, scale, positions, levels })
    }
}

/// The change, shortened to the norm `clip`.
fn clipped(delta: &Delta, clip: f64) -> Vec<f64> {
    let factor = (clip / delta.norm().max(f64::MIN_POSITIVE)).min(1.0);
    delta.values().iter().map(|&x| f64::from(x) * factor).collect()
}

/// Positions of the numbers with the greatest absolute values, ascending; among equal values the first.
fn largest(values: &[f64], count: usize) -> Vec<usize> {
    let mut positions: Vec<usize> = (0..values.len()).collect();
    if count < positions.len() {
        let order = |a: &usize, b: &usize| values[*b].abs().total_cmp(&values[*a].abs()).then(a.cmp(b));
        positions.select_nth_unstable_by(count, order);
        positions.truncate(count);
        positions.sort_unstable();
    }
    positions
}

/// Uniform in [0, 1).
fn unit(coins: &mut impl Rng) -> f64 {
    (coins.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NetworkKind;
    use crate::testing::columns;
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;
    use syft::privacy::PrivacyError;

    const MODEL: [u8; 32] = [7; 32];

    fn network(inputs: usize, outputs: usize) -> Network {
        NetworkKind::Mlp(vec![]).network(columns(inputs), outputs).unwrap()
    }

    fn update(values: Vec<f32>, release: &Release, cost: Option<Zcdp>, seed: u64) -> Result<Update, UpdateError> {
        let network = network(values.len() - 1, 1);
        let delta = Delta::new(&network, values).unwrap();
        Update::new(&delta, release, MODEL, cost, 100, &mut StdRng::seed_from_u64(seed))
    }

    fn ramp(count: usize) -> Vec<f32> {
        (0..count).map(|i| (i * 37 % 101) as f32 / 50.0 - 1.0).collect()
    }

    #[test]
    fn long_updates_are_shortened_and_short_ones_are_not() {
        let release = Release { clip: 2.0, keep: 1.0, bits: 16 };
        let long = update(ramp(400), &release, None, 1).unwrap().delta();
        assert!((long.norm() - 2.0).abs() < 1e-3, "{}", long.norm());
        let short = update(ramp(3), &release, None, 1).unwrap().delta();
        assert!(short.values().iter().zip(ramp(3)).all(|(a, b)| (a - b).abs() < 1e-4));
    }

    #[test]
    fn the_largest_are_sent() {
        let release = Release { clip: 1e6, keep: 0.25, bits: 16 };
        let delta = update(ramp(100), &release, None, 1).unwrap().delta();
        let sent: Vec<f32> = delta.values().iter().copied().filter(|&x| x != 0.0).map(f32::abs).collect();
        assert_eq!(sent.len(), 25);
        let mut sizes: Vec<f32> = ramp(100).into_iter().map(f32::abs).collect();
        sizes.sort_by(|a, b| b.total_cmp(a));
        assert!(sent.iter().all(|&x| x > sizes[25] - 1e-3));
    }

    #[test]
    fn rounding_is_unbiased() {
        let release = Release { clip: 1e6, keep: 1.0, bits: 3 };
        let mut sums = [0.0; 4];
        for seed in 0..4_000 {
            let delta = update(vec![3.0, 0.7, -1.1, 0.0], &release, None, seed).unwrap().delta();
            sums.iter_mut().zip(delta.values()).for_each(|(sum, &x)| *sum += f64::from(x) / 4_000.0);
        }
        for (sum, x) in sums.into_iter().zip([3.0, 0.7, -1.1, 0.0]) {
            assert!((sum - x).abs() < 0.05, "{sums:?}");
        }
    }

    /// The noise that is left in what is sent has the deviation that its cost asks for, and the shape of a Gaussian.
    #[test]
    fn noise_is_as_wide_as_its_cost_says() {
        let release = Release { clip: 1.0, keep: 1.0, bits: 16 };
        let cost = Zcdp::gaussian(0.1).unwrap();
        let count = 20_000;
        let delta = update(vec![0.0; count], &release, Some(cost), 1).unwrap().delta();
        let noise: Vec<f64> = delta.values().iter().map(|&x| f64::from(x) / 0.2).collect();
        let variance = noise.iter().map(|x| x * x).sum::<f64>() / count as f64;
        let mean = noise.iter().sum::<f64>() / count as f64;
        assert!((variance - 1.0).abs() < 0.04 && mean.abs() < 0.03, "{variance} {mean}");
        // Masses of a standard Gaussian between -∞, -1.5, -1, -0.5, 0 …
        let masses = [0.066_807, 0.091_848, 0.149_882, 0.191_462, 0.191_462, 0.149_882, 0.091_848, 0.066_807];
        let mut counts = [0.0; 8];
        noise.iter().for_each(|x| counts[((x * 2.0).floor() + 4.0).clamp(0.0, 7.0) as usize] += 1.0);
        let chi_square: f64 =
            counts.iter().zip(masses).map(|(n, p)| (n - p * count as f64).powi(2) / (p * count as f64)).sum();
        // The 99.9 % quantile for seven degrees of freedom.
        assert!(chi_square < 24.32, "{chi_square}");
    }

    #[test]
    fn noise_that_leaves_nothing_is_refused_with_the_numbers() {
        let error = update(ramp(40_000), &Release::default(), Some(Zcdp::gaussian(0.2).unwrap()), 1).unwrap_err();
        let UpdateError::Privacy(PrivacyError::Drowned { deviation, bound, records: 100 }) = error else {
            panic!("{error}")
        };
        assert!((deviation - 0.2 * 2.0 * 16.0).abs() < 1e-3 && bound == 32.0 * 16.0 / 200.0);
    }

    #[test]
    fn an_upload_is_small_and_bound_to_its_model() {
        let (network, release) = (network(999, 10), Release::default());
        let delta = Delta::new(&network, ramp(10_000)).unwrap();
        let update = Update::new(&delta, &release, MODEL, None, 1, &mut StdRng::seed_from_u64(1)).unwrap();
        let bytes = update.encode();
        assert_eq!(bytes.len(), Update::encoded_len(&network, &release));
        // 5000 levels of eight bits; positions take three bits each.
        assert_eq!(bytes.len(), 44 + (5_000 * 8 + 5_000 + 5_000 + 4_999_usize).div_ceil(8));
        assert_eq!(Update::decode(&bytes, &network, &release, &MODEL).unwrap(), update);
        let refusal = |bytes: &[u8], release: &Release, model: &[u8; 32]| {
            Update::decode(bytes, &network, release, model).unwrap_err().to_string()
        };
        assert!(refusal(&bytes, &release, &[8; 32]).contains("another model"));
        assert!(refusal(&bytes, &Release { bits: 9, ..release }, &MODEL).contains("expected exactly"));
        assert!(refusal(&bytes[..bytes.len() - 1], &release, &MODEL).contains("expected exactly"));
        assert!(refusal(b"SYFTNU\x09\x00", &release, &MODEL).contains("version 9"));
        assert!(refusal(b"garbage", &release, &MODEL).contains("not an update"));
        // Small scales would make a model of numbers with which processors are slow.
        for scale in [f32::NAN, -0.0, -1.0, 2e6, f32::from_bits(1), f32::MIN_POSITIVE, 9e-10] {
            let mut wild = bytes.clone();
            wild[40..44].copy_from_slice(&scale.to_le_bytes());
            assert!(refusal(&wild, &release, &MODEL).contains("scale"), "{scale}");
        }
    }

    /// What an honest Mine sends conforms, however little it has learnt.
    #[test]
    fn an_update_of_almost_nothing_is_one_of_nothing() {
        for size in [1e-45, 1e-20, 1e-10] {
            let update = update(vec![size; 5], &Release::default(), None, 1).unwrap();
            assert!(update.delta().values().iter().all(|&x| x == 0.0), "{size}");
            Update::decode(&update.encode(), &network(4, 1), &Release::default(), &MODEL).unwrap();
        }
        let update = update(vec![1e-9; 5], &Release { clip: 1.0, keep: 1.0, bits: 16 }, None, 1).unwrap();
        assert!(update.delta().values().iter().all(|&x| (x - 1e-9).abs() < 1e-12));
    }

    #[test]
    fn an_update_of_nothing_can_be_sent() {
        let update = update(vec![0.0; 5], &Release::default(), None, 1).unwrap();
        assert!(update.delta().values().iter().all(|&x| x == 0.0));
        let network = network(4, 1);
        assert_eq!(Update::decode(&update.encode(), &network, &Release::default(), &MODEL).unwrap(), update);
    }

    proptest! {
        /// Whatever is taken for an update is one, written in its only way.
        #[test]
        fn garbage_is_refused_or_canonical(
            body in prop::collection::vec(any::<u8>(), 60),
            keep in prop::sample::select(vec![0.02, 0.1, 0.3, 0.7, 1.0]),
            bits in 2_u32..6,
            ones in any::<bool>(),
        ) {
            let (network, release) = (network(39, 1), Release { clip: 1.0, keep, bits });
            let length = Update::encoded_len(&network, &release);
            let mut bytes = FORMAT.start(length);
            bytes.extend_from_slice(&MODEL);
            bytes.extend_from_slice(&1_f32.to_le_bytes());
            bytes.extend(body.iter().cycle().map(|byte| if ones { byte & 0x11 } else { *byte }).take(length - 44));
            if let Ok(update) = Update::decode(&bytes, &network, &release, &MODEL) {
                prop_assert_eq!(update.encode(), bytes);
                prop_assert!(update.delta().values().iter().all(|x| x.abs() <= 1.0));
            }
        }

        #[test]
        fn every_update_survives_the_wire(
            values in prop::collection::vec(-1e5_f32..1e5, 2..300),
            keep in 0.001..=1.0,
            bits in 2_u32..=16,
            seed in any::<u64>(),
        ) {
            let release = Release { clip: 1e6, keep, bits };
            let network = network(values.len() - 1, 1);
            let update = update(values, &release, None, seed).unwrap();
            let bytes = update.encode();
            prop_assert_eq!(bytes.len(), Update::encoded_len(&network, &release));
            prop_assert_eq!(Update::decode(&bytes, &network, &release, &MODEL).unwrap(), update);
        }
    }
}
