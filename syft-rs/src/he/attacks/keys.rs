//! Keys, masks and coins are used once: every seed has one purpose, every upload its own coins, every version its own key.

use super::*;
use crate::he::material::{key_mask, packing_mask, row_mask};
use crate::he::random::Mask;
use crate::he::wire::WireError;
use std::collections::HashSet;

#[test]
fn fresh_coins() {
    let party = party(DIGITS, 4, 1);
    let update = map(&party.params, 0.5);
    let one = encrypt_update(&party.material, &update).unwrap();
    let two = encrypt_update(&party.material, &update).unwrap();
    // Words of 24 bits agree by chance once in 2^24.
    assert!(one.words().iter().zip(two.words()).filter(|(one, two)| one == two).count() < 4);
}

/// Several packs of 32 rows, in two blocks.
const PACKS: Shape = Shape { inputs: 300, outputs: 10 };

/// The map of a Mine without data leaves rows of zeros, so all that is in its upload comes from re-randomisation and flood.
#[test]
fn uploads_are_rerandomised() {
    let party = party(PACKS, 12, 1);
    let update = empty_map(PACKS);
    assert!(mapped_rows(&party, &update).iter().all(|word| *word == 0));
    let width = party.params.row_words();
    for row in protected_rows(&party, &update).chunks_exact(width) {
        // 131,072 fair bits: five standard deviations are 905.
        let ones: u32 = row[..DIMENSION].iter().map(|word| word.count_ones()).sum();
        assert!(ones.abs_diff(32 * DIMENSION as u32) < 905, "{ones} ones in the masks of a row");
    }
    for (mask, _) in encrypt_update(&party.material, &update).unwrap().packs() {
        assert!(mask.iter().filter(|word| **word == 0).count() < 4, "the masks of an upload are those of the map");
    }
}

/// Rows without a trace of the map differ only by their coins: equal coins would give nearly equal masks.
#[test]
fn every_row_has_its_own_coins() {
    let party = party(PACKS, 13, 1);
    let rows = protected_rows(&party, &empty_map(PACKS));
    // A part of each row is enough.
    let masks: Vec<&[u64]> = rows.chunks_exact(party.params.row_words()).map(|row| &row[..64]).collect();
    for (at, one) in masks.iter().enumerate() {
        for two in &masks[..at] {
            // Errors on masks are below 2^27. By chance a difference below 2^40 occurs once in 2^23 words.
            let near = |(one, two): &(&u64, &u64)| one.wrapping_sub(**two).cast_signed().unsigned_abs() < 1 << 40;
            assert!(one.iter().zip(two.iter()).filter(near).count() < 4, "two rows share coins");
        }
    }
}

/// The same for the packs of an upload, as anybody sees them.
#[test]
fn every_pack_has_its_own_coins() {
    let party = party(PACKS, 14, 1);
    let upload = encrypt_update(&party.material, &empty_map(PACKS)).unwrap();
    let packs: Vec<_> = upload.packs().collect();
    assert!(packs.len() > 200 / party.params.rank());
    for (at, (one, _)) in packs.iter().enumerate() {
        for (two, _) in &packs[..at] {
            assert!(one.iter().zip(*two).filter(|(one, two)| one == two).count() < 4, "two packs share coins");
        }
    }
}

#[test]
fn seed_separation() {
    let (seed, other) = (VersionSeed::from_bytes([7; 32]), VersionSeed::from_bytes([8; 32]));
    let base = binding(1);
    let bindings = [
        base,
        Binding { chain_id: 1, ..base },
        Binding { contract: [9; 20], ..base },
        Binding { campaign: [9; 32], ..base },
        Binding { version: 2, ..base },
        Binding { beacon: [9; 32], ..base },
    ];
    let mut seeds = Vec::new();
    for binding in &bindings {
        seeds.push(binding.public_key_seed());
        for label in [
            &b"row key"[..],
            b"output key",
            b"row masks",
            b"row errors",
            b"key errors",
            b"packing masks",
            b"packing errors",
        ] {
            for seed in [&seed, &other] {
                seeds.extend([&b"model"[..], b"other model"].map(|context| seed.derive(label, binding, context)));
            }
        }
    }
    assert_eq!(seeds.iter().collect::<HashSet<_>>().len(), seeds.len());

    // Even one seed under two labels gives two streams.
    let words = |mask: Mask<'_>| {
        let mut words = vec![0; 1024];
        mask.fill(0, &mut words);
        words
    };
    assert_ne!(words(row_mask(&[5; 32], 0)), words(key_mask(&[5; 32], 0)));
    assert_ne!(words(row_mask(&[5; 32], 0)), words(packing_mask(&[5; 32], 0)));

    // No mask of one purpose is used for another.
    let party = party(DIGITS, 7, 1);
    let all: Vec<u64> = [party.material.rows(), party.material.public_key(), party.material.packing_masks()].concat();
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
}

/// The key of packed updates is independent of the key of the rows: there is no circle of keys.
#[test]
fn independent_output_key() {
    let party = party(DIGITS, 6, 1);
    let (rows, output) = (party.key.row_key(), party.key.output_key());
    let agree = rows.iter().zip(output).filter(|(a, b)| a == b).count() as i64;
    assert!((agree - 1024).abs() < 150, "{agree} of 2048 bits agree");
    assert_ne!(rows, output);
}

#[test]
fn another_model_under_the_same_key_gets_other_masks() {
    let party = party(DIGITS, 5, 1);
    let again = party.key.publish(&party.weights);
    assert!(again == party.material && again.digest() == party.material.digest());
    let other = party.key.publish(&Weights::zeros(DIGITS));
    assert!(other.rows().iter().zip(party.material.rows()).all(|(one, two)| *one != two));
}

#[test]
fn key_dies() {
    let (old, new) = (party(DIGITS, 10, 1), party(DIGITS, 11, 2));
    let words = |party: &Party| -> HashSet<u64> {
        let masks = [party.material.rows(), party.material.public_key(), party.material.packing_masks()].concat();
        party.material.words().chain(masks).collect()
    };
    // Words of the packing key are published with 40 bits: among 2^28 pairs none should agree but by chance.
    assert!(words(&old).intersection(&words(&new)).count() <= 1);
    assert_ne!(old.key.row_key(), new.key.row_key());
    assert_ne!(old.key.output_key(), new.key.output_key());

    let update = map(&old.params, 0.1);
    let late = encrypt_update(&old.material, &update).unwrap().encode();
    assert_eq!(EncryptedUpdate::decode(&late, &new.params, &new.material.digest()).unwrap_err(), WireError::Material);
    let upload = encrypt_update(&new.material, &update).unwrap();
    let wrong = old.key.decrypt(&upload);
    let near = wrong
        .raw()
        .iter()
        .zip(clear(&new, &update).raw())
        .filter(|(a, b)| a.wrapping_sub(**b).unsigned_abs() < 1 << 54)
        .count();
    assert!(near < 30, "the old key must not open new updates");
}
