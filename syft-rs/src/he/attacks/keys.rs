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
    let near =
        wrong.raw().iter().zip(clear(&new, &update).raw()).filter(|(a, b)| (*a - *b).unsigned_abs() < 1 << 54).count();
    assert!(near < 30, "the old key must not open new updates");
}
