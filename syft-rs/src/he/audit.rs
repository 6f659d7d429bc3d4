//! Recomputes a published version from its seed (rule R9), which the key holder reveals after the campaign.
//!
//! Everything that is published follows from seed and model. The model is read from the rows exactly, because their errors follow from the seed
//! of their masks. Every word can therefore be compared with its expected value, and each deviation is named.
//!
//! A contract cannot recompute all of this, but it can recompute one word without its error ([`Audit::evidence`]). A word of the public key that
//! is farther from masks times key than any error, or a weight beyond the public bound, convicts the key holder. These read a Mine's
//! whole matrix. A model within the bound that is not the campaign's reads as many of its columns as it has outputs, which the audit reports and no
//! contract can decide. A packing key cannot read anything, because rows are flooded before they meet it.

use super::binding::VersionSeed;
use super::keys::SecretKey;
use super::material::{Material, key_mask, row_mask};
use crate::lattice::LATTICE_BITS;
use crate::model::Weights;
use std::fmt;
use zeroize::Zeroizing;

/// Result of comparing a published version with its seed.
#[derive(Debug, Clone, PartialEq)]
pub struct Audit {
    /// The model that was published; where words deviate, the nearest one.
    pub weights: Weights,
    /// All differences from what an honest key holder publishes.
    pub deviations: Vec<Deviation>,
    /// Index of the word, counted over rows and public key, that exceeds the bound for honest words most. None if no word exceeds it.
    pub evidence: Option<u32>,
}

/// A difference from what an honest key holder publishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deviation {
    /// The masks of the rows do not follow from seed and model. They may be those of another version.
    RowMasks,
    /// The masks of the packing key do not follow from the seed.
    PackingMasks,
    /// Words of the rows that do not encrypt a weight.
    Rows(Places),
    /// A column of the model is longer than the public bound.
    Bound {
        /// Index of the output.
        output: usize,
    },
    /// Words of the public key that encrypt something other than zero.
    PublicKey(Places),
    /// Words of the packing key that encrypt something other than the rows' key.
    PackingKey(Places),
}

/// The words that deviate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Places {
    /// Number of words.
    pub count: usize,
    /// Index of the first word.
    pub first: usize,
}

impl fmt::Display for Deviation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RowMasks => f.write_str("the masks of the rows do not follow from seed and model"),
            Self::PackingMasks => f.write_str("the masks of the packing key do not follow from the seed"),
            Self::Rows(places) => write!(f, "{places} of the rows hold no weight"),
            Self::Bound { output } => write!(f, "the weights of output {output} are beyond the public bound"),
            Self::PublicKey(places) => write!(f, "{places} of the public key encrypt more than zero"),
            Self::PackingKey(places) => write!(f, "{places} of the packing key are not those of the rows' key"),
        }
    }
}

impl fmt::Display for Places {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} words (the first is {})", self.count, self.first)
    }
}

impl Audit {
    /// Recomputes a published version from its seed and compares every word.
    pub fn new(seed: &VersionSeed, material: &Material) -> Self {
        let (params, binding) = (material.parameters(), material.binding());
        let key = SecretKey::derive(seed, params, binding);
        let seeds = material.seeds();
        let [rows, public_key, packing_key] = material.bodies();

        // Rows of zeros under the same masks have the same errors, and rounding leaves multiples of the lattice's step unchanged.
        let zeros = Zeroizing::new(key.rows(&vec![0; rows.len()], &seeds.rows));
        let encoded = rows.iter().zip(zeros.iter()).map(|(row, zero)| row.wrapping_sub(*zero).cast_signed());
        let encoded: Zeroizing<Vec<i64>> = Zeroizing::new(encoded.collect());
        let step = 1_i64 << params.lattice_log2();
        let values = encoded.iter().map(|word| (word / step) as f64 * f64::from(LATTICE_BITS).exp2().recip()).collect();
        let weights = Weights::project(params.shape(), values);

        let off_lattice = places(&encoded, |_, word| word % step == 0).map(Deviation::Rows);
        let fits = params.encode(&weights).raw() == encoded.as_slice();
        let beyond = (off_lattice.is_none() && !fits)
            .then(|| Deviation::Bound { output: first_difference(&weights, &encoded, params) });
        let expected = key.mask_seeds(&encoded);
        // Without a readable model, the masks that belong to it are unknown.
        let row_masks = off_lattice.is_none() && expected.rows != seeds.rows;
        let honest_key = key.public_key();
        let honest_packing = key.packing_key(&seeds.packing);
        let deviations = [
            row_masks.then_some(Deviation::RowMasks),
            (expected.packing != seeds.packing).then_some(Deviation::PackingMasks),
            off_lattice,
            beyond,
            places(public_key, |at, word| *word == honest_key[at]).map(Deviation::PublicKey),
            places(packing_key, |at, word| *word == honest_packing[at]).map(Deviation::PackingKey),
        ];
        Self { weights, deviations: deviations.into_iter().flatten().collect(), evidence: evidence(&key, material) }
    }

    /// True if there is no deviation.
    pub const fn is_clean(&self) -> bool {
        self.deviations.is_empty()
    }
}

/// Counts the words that are not good.
fn places<T>(words: &[T], good: impl Fn(usize, &T) -> bool) -> Option<Places> {
    let mut bad = words.iter().enumerate().filter(|(at, word)| !good(*at, word)).map(|(at, _)| at);
    let first = bad.next()?;
    Some(Places { count: 1 + bad.count(), first })
}

/// The output of the first weight that was shortened to the public bound.
fn first_difference(weights: &Weights, encoded: &[i64], params: &super::Parameters) -> usize {
    let nearest = params.encode(weights);
    let at = nearest.raw().iter().zip(encoded).position(|(near, word)| near != word);
    at.expect("the caller found the encodings to differ") % params.shape().outputs
}

/// The word of rows and public key that exceeds the bound for honest words most, judged as a contract does: by what is left after subtracting
/// masks times key, errors included.
fn evidence(key: &SecretKey, material: &Material) -> Option<u32> {
    let params = material.parameters();
    let [rows, public_key, _] = material.bodies();
    let (row_seed, key_seed) = (material.seeds().rows, material.binding().public_key_seed());
    let row_products = key.products(rows.len(), params.shape().outputs, |row| row_mask(&row_seed, row));
    let key_products = key.products(public_key.len(), params.degree(), |row| key_mask(&key_seed, row));
    let excess = |bodies: &[u64], products: &[u64], bound: u64| -> Vec<u64> {
        let size = |(body, product): (&u64, &u64)| body.wrapping_sub(*product).cast_signed().unsigned_abs();
        bodies.iter().zip(products).map(size).map(|size| size.saturating_sub(bound)).collect()
    };
    let largest = params.largest_error();
    let mut all = excess(rows, &row_products, params.largest_weight() + largest);
    all.extend(excess(public_key, &key_products, largest));
    let (at, most) = all.into_iter().enumerate().max_by_key(|(_, excess)| *excess)?;
    (most > 0).then_some(at as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::he::{Binding, Parameters};
    use crate::shape::Shape;
    use proptest::prelude::*;

    const SHAPE: Shape = Shape { inputs: 20, outputs: 3 };
    const SEED: VersionSeed = VersionSeed::from_bytes([7; 32]);

    fn binding(version: u32) -> Binding {
        Binding { chain_id: 31337, contract: [1; 20], campaign: [2; 32], version, beacon: [3; 32] }
    }

    fn publish(shape: Shape, version: u32, values: &[f64]) -> (Weights, Material) {
        let params = Parameters::linear(shape).unwrap();
        let weights = Weights::project(shape, values.to_vec());
        let material = SecretKey::derive(&SEED, &params, &binding(version)).publish(&weights);
        (weights, material)
    }

    fn honest() -> (Weights, Material) {
        publish(SHAPE, 1, &(0..60).map(|i| f64::from(i) / 50.0 - 0.6).collect::<Vec<_>>())
    }

    /// The material with some of its published bytes changed.
    fn changed(material: &Material, at: usize, change: impl Fn(&mut [u8])) -> Material {
        let mut bytes = material.encode();
        change(&mut bytes[at..]);
        Material::decode(&bytes, material.parameters(), material.binding()).unwrap()
    }

    /// Adds to a word of rows or public key.
    fn added(material: &Material, word: usize, amount: u64) -> Material {
        changed(material, Material::HEADER + word * Material::WORD, |bytes| {
            let mut word = [0; 8];
            word[2..].copy_from_slice(&bytes[..6]);
            bytes[..6].copy_from_slice(&u64::from_le_bytes(word).wrapping_add(amount).to_le_bytes()[2..]);
        })
    }

    #[test]
    fn another_seed_fits_nothing() {
        let (_, material) = honest();
        let audit = Audit::new(&VersionSeed::from_bytes([8; 32]), &material);
        assert!(audit.deviations.len() >= 3 && audit.evidence.is_some());
    }

    #[test]
    fn each_deviation_is_named() {
        let (weights, material) = honest();
        let public_key = SHAPE.weights();
        let packing_key = Material::HEADER + (public_key + 2048) * Material::WORD;
        // (what was changed, what is found, whether a contract can judge it)
        let cases = [
            (changed(&material, 136, |bytes| bytes[0] ^= 1), None, true),
            (changed(&material, 168, |bytes| bytes[0] ^= 1), Some(Deviation::PackingMasks), false),
            (added(&material, 4, 1 << 20), Some(Deviation::Rows(Places { count: 1, first: 4 })), false),
            (added(&material, 4, 5 << 49), Some(Deviation::Bound { output: 1 }), true),
            (
                added(&material, public_key + 9, 1 << 20),
                Some(Deviation::PublicKey(Places { count: 1, first: 9 })),
                false,
            ),
            (
                added(&material, public_key + 9, 1 << 40),
                Some(Deviation::PublicKey(Places { count: 1, first: 9 })),
                true,
            ),
            (
                changed(&material, packing_key, |bytes| bytes[3] ^= 1),
                Some(Deviation::PackingKey(Places { count: 1, first: 0 })),
                false,
            ),
        ];
        for (index, (material, deviation, provable)) in cases.into_iter().enumerate() {
            let audit = Audit::new(&SEED, &material);
            assert!(!audit.is_clean(), "case {index}");
            assert!(deviation.is_none_or(|it| audit.deviations.contains(&it)), "case {index}: {:?}", audit.deviations);
            assert_eq!(audit.evidence.is_some(), provable, "case {index}");
        }
        assert_eq!(Audit::new(&SEED, &added(&material, 60 + 9, 1 << 40)).evidence, Some(69));
        assert_eq!(Audit::new(&SEED, &material).weights, weights);
    }

    /// Masks of another version, or of another model under the same key: what an honest key holder never uses twice.
    #[test]
    fn reused_masks_are_found() {
        let (weights, material) = honest();
        let key = SecretKey::derive(&SEED, material.parameters(), material.binding());
        let (_, other) = publish(SHAPE, 1, &[0.25; 60]);
        let encoded = material.parameters().encode(&weights);
        let bodies = key.rows(encoded.raw(), &other.seeds().rows);
        let [_, public_key, packing_key] = material.bodies().map(<[u64]>::to_vec);
        let reused =
            Material::new(*material.parameters(), *material.binding(), *other.seeds(), bodies, public_key, packing_key);
        let audit = Audit::new(&SEED, &reused);
        assert_eq!((audit.deviations.as_slice(), audit.weights), (&[Deviation::RowMasks][..], weights));
    }

    /// A model that is the identity times a power of two returns a Mine's matrix in the clear.
    #[test]
    fn a_model_beyond_the_bound_convicts() {
        let shape = Shape { inputs: 4, outputs: 4 };
        let (_, zero) = publish(shape, 1, &[0.0; 16]);
        let crafted = (0..4).fold(zero, |material, i| added(&material, 5 * i, 1 << 60));
        let audit = Audit::new(&SEED, &crafted);
        assert!(audit.evidence.is_some_and(|word| word % 5 == 0));
        assert!(audit.deviations.contains(&Deviation::Bound { output: 0 }));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn an_honest_version_is_clean_and_its_model_is_read_exactly(
            inputs in 1_usize..40,
            outputs in 1_usize..5,
            version in 1_u32..4,
            values in prop::collection::vec(prop_oneof![-9.0_f64..9.0, Just(0.0), Just(-0.0), Just(-1e-9)], 200),
        ) {
            let shape = Shape { inputs, outputs };
            let (weights, material) = publish(shape, version, &values[..shape.weights()]);
            let audit = Audit::new(&SEED, &material);
            prop_assert_eq!(&audit.deviations, &[]);
            prop_assert_eq!(audit.evidence, None);
            prop_assert!(audit.weights.values().iter().zip(weights.values()).all(|(a, b)| a == b));
        }
    }
}
