//! The encrypted update equals its clear twin except for the noise, and its ciphertexts are GLWE ciphertexts as tfhe defines them.

use super::*;
use tfhe::core_crypto::prelude::{
    CiphertextModulus, GlweCiphertext, GlweSecretKey, PlaintextCount, PlaintextList, PolynomialSize,
    decrypt_glwe_ciphertext,
};

#[test]
fn the_twin_differs_by_noise_alone() {
    let party = party(DIGITS, 1, 1);
    let update = map(&party.params, 1.0);
    let upload = encrypt_update(&party.material, &update).unwrap();
    let bound = 8.0 * party.params.noise().deviation();
    let (opened, twin) = (party.key.decrypt(&upload), clear(&party, &update));
    for (have, want) in opened.raw().iter().zip(twin.raw()) {
        assert!(((have - want) as f64).abs() < bound);
    }
    assert!(party.params.noise().error_std_weight_units() < 1.0 / 500.0);
}

#[test]
fn without_noise_the_twin_is_identical() {
    let party = party(DIGITS, 1, 1);
    let update = map(&party.params, 1.0);
    let encoded = party.params.encode(&party.weights);
    let rows = party.material.rows();
    let mut bodies = Vec::new();
    for (row, message) in rows.chunks_exact(party.params.row_words()).zip(encoded.raw().chunks_exact(10)) {
        let errors =
            party.key.phase(row).into_iter().zip(message).map(|(phase, m)| phase.wrapping_sub(m.cast_unsigned()));
        bodies.extend(row[DIMENSION..].iter().zip(errors).map(|(body, error)| body.wrapping_sub(error)));
    }
    let (zeros, packing) = (vec![0; DIMENSION], vec![0; party.params.rank() * DIMENSION]);
    let material = Material::new(party.params, binding(1), *party.material.seeds(), bodies, zeros, packing);
    let exact = Party { material, ..party };
    assert!(residual(&exact, &mapped_rows(&exact, &update), &update).iter().all(|noise| *noise == 0.0));
}

#[test]
fn rows_are_glwe_ciphertexts() {
    let party = party(DIGITS, 1, 1);
    let degree = PolynomialSize(party.params.degree());
    let key = GlweSecretKey::from_container(party.key.row_key(), degree);
    for row in party.material.rows().chunks_exact(party.params.row_words()) {
        // Unused coefficients are not published, and so not compared.
        let mut words = row.to_vec();
        words.resize(DIMENSION + degree.0, 0);
        let row_ciphertext = GlweCiphertext::from_container(words, degree, CiphertextModulus::new_native());
        let mut plain = PlaintextList::new(0, PlaintextCount(degree.0));
        decrypt_glwe_ciphertext(&key, &row_ciphertext, &mut plain);
        assert_eq!(plain.into_container()[..10], party.key.phase(row));
    }
}

#[test]
fn packs_are_glwe_ciphertexts() {
    let party = party(DIGITS, 1, 1);
    let update = map(&party.params, 1.0);
    let upload = encrypt_update(&party.material, &update).unwrap();
    let opened = party.key.decrypt(&upload);
    let key = GlweSecretKey::from_container(party.key.output_key(), PolynomialSize(DIMENSION));
    let (mask, body) = upload.packs().next().unwrap();
    let mut words = [mask, &vec![0; DIMENSION]].concat();
    for (at, word) in body.iter().enumerate() {
        words[DIMENSION + at / 10 + party.params.rank() * (at % 10)] = *word;
    }
    let ciphertext = GlweCiphertext::from_container(words, PolynomialSize(DIMENSION), CiphertextModulus::new_native());
    let mut plain = PlaintextList::new(0, PlaintextCount(DIMENSION));
    decrypt_glwe_ciphertext(&key, &ciphertext, &mut plain);
    for at in 0..body.len() {
        let word = plain.as_ref()[at / 10 + party.params.rank() * (at % 10)];
        assert_eq!(word.cast_signed(), opened.raw()[at]);
    }
}
