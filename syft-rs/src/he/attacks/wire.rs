//! Malformed and foreign bytes are refused, no byte is free to carry something else, and nothing public depends on the data.

use super::*;
use crate::he::wire::WireError;
use crate::rule::{Labels, Rule};
use crate::train::train;
use crate::wire::{Format, FormatError};
use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;
use std::sync::LazyLock;

static PARTY: LazyLock<Party> = LazyLock::new(|| party(Shape { inputs: 4, outputs: 3 }, 20, 1));
static UPLOAD: LazyLock<Vec<u8>> =
    LazyLock::new(|| encrypt_update(&PARTY.material, &map(&PARTY.params, 0.5)).unwrap().encode());

#[test]
fn round_trips() {
    let bytes = PARTY.material.encode();
    assert_eq!(Material::decode(&bytes, &PARTY.params, &binding(1)).unwrap(), PARTY.material);
    let upload = EncryptedUpdate::decode(&UPLOAD, &PARTY.params, &PARTY.material.digest()).unwrap();
    assert_eq!(upload.encode(), *UPLOAD);
    assert_eq!(UPLOAD.len(), EncryptedUpdate::encoded_len(&PARTY.params));
    assert_eq!(bytes.len(), Material::encoded_len(&PARTY.params));
}

#[test]
fn foreign_bytes_are_named() {
    let other = Parameters::linear(Shape { inputs: 3, outputs: 3 }).unwrap();
    let same_size = Parameters::linear(Shape { inputs: 3, outputs: 4 }).unwrap();
    let digest = PARTY.material.digest();
    let update = |bytes: &[u8], params, digest| EncryptedUpdate::decode(bytes, params, digest).unwrap_err();
    assert!(matches!(update(&UPLOAD, &other, &digest), WireError::Format(FormatError::Size { .. })));
    assert_eq!(update(&UPLOAD, &same_size, &digest), WireError::Parameters);
    assert_eq!(update(&UPLOAD, &PARTY.params, &[0; 32]), WireError::Material);
    assert_eq!(
        update(&PARTY.material.encode(), &PARTY.params, &digest),
        FormatError::Kind("an encrypted update").into()
    );
    let material = PARTY.material.encode();
    assert_eq!(Material::decode(&material, &PARTY.params, &binding(2)).unwrap_err(), WireError::Binding);
    assert_eq!(Material::decode(&material, &same_size, &binding(1)).unwrap_err(), WireError::Parameters);
    let mut newer = UPLOAD.clone();
    newer[6] = 3;
    assert_eq!(update(&newer, &PARTY.params, &digest), FormatError::Version { have: 3, need: 2 }.into());
}

/// The traffic of the MNIST campaign without features: the bytes that a Mine fetches and sends per version.
#[test]
fn mnist_fits_the_traffic_limits() {
    let params = Parameters::linear(Shape { inputs: 785, outputs: 10 }).unwrap();
    let (down, up) = (Material::encoded_len(&params), EncryptedUpdate::encoded_len(&params));
    println!("785×10: {down} bytes down, {up} bytes up");
    assert!(down <= 1_500_000, "{down}");
    assert!(up <= 320_000, "{up}");
}

/// Neither a Mine's data nor the model affects anything except words that are hidden by keys and coins.
#[test]
fn no_data_dependent_public() {
    let shape = Shape { inputs: 4, outputs: 3 };
    let learnt = |rows: usize, value: fn(usize) -> f64, class: fn(usize) -> usize| {
        let raw = Matrix::new(rows, 3, (0..3 * rows).map(value).collect()).unwrap();
        let map = FeatureMap::fit(&raw, &[(0.0, 1.0); 3], FeatureKind::Identity, None, SeedIndex::default()).unwrap();
        let (features, targets) = (map.apply(&raw).unwrap(), Targets::Classes((0..rows).map(class).collect()));
        let (rule, labels) = (Rule::Proximal { rho: 0.01, decay: 0.0 }, Labels::default_for(&map, 3));
        let update = train(&features, &targets, &rule, &labels, &PARTY.params, &mut StdRng::seed_from_u64(1)).unwrap();
        let upload = encrypt_update(&PARTY.material, &update).unwrap();
        (update, upload.encode())
    };
    let (little, one) = learnt(1, |_| 0.0, |_| 0);
    let (much, two) = learnt(500, |i| (i * 7919 % 1000) as f64 / 1000.0, |i| i % 3);
    assert!(little != much, "the data differs enough for the updates to differ");
    assert_eq!(one.len(), two.len());
    let header = Format::HEADER + 64;
    assert_eq!(one[..header], two[..header], "form, constants and material, which are the campaign's");

    let other = PARTY.key.publish(&Weights::zeros(shape)).encode();
    let material = PARTY.material.encode();
    assert_eq!(material.len(), other.len());
    // Two seeds of masks follow: they derive from a secret, and are new for every model.
    let header = Material::HEADER - 64;
    assert_eq!(material[..header], other[..header]);
}

/// A pack with nearly all coefficients used, so that a change of a mask moves many of them.
static FULL: LazyLock<(Party, Vec<u8>, Delta)> = LazyLock::new(|| {
    let party = party(Shape { inputs: 32, outputs: 10 }, 21, 1);
    let upload = encrypt_update(&party.material, &map(&party.params, 0.5)).unwrap();
    let opened = party.key.decrypt(&upload);
    (party, upload.encode(), opened)
});

proptest! {
    /// No byte of an upload or of a version's material can carry anything else: a change is refused, or gives another
    /// ciphertext of another update, or other material than the one named on chain.
    #[test]
    fn smuggle(changes in prop::collection::vec((any::<prop::sample::Index>(), 1_u8..), 1..4), inside: bool) {
        let (party, upload, opened) = &*FULL;
        let digest = party.material.digest();
        let change = |bytes: &[u8], header: usize| {
            let mut changed = bytes.to_vec();
            let start = if inside { header } else { 0 };
            changes.iter().for_each(|(at, flip)| changed[start + at.index(bytes.len() - start)] ^= flip);
            changed
        };
        let changed = change(upload, Format::HEADER + 64);
        if changed != *upload {
            match EncryptedUpdate::decode(&changed, &party.params, &digest) {
                Err(_) => prop_assert!(changed[..72] != upload[..72]),
                Ok(other) => {
                    prop_assert!(other.encode() == changed, "two encodings of one ciphertext");
                    prop_assert!(party.key.decrypt(&other).raw() != opened.raw(), "a change that changes nothing");
                }
            }
        }
        let material = party.material.encode();
        let changed = change(&material, Material::HEADER);
        if changed != material && let Ok(other) = Material::decode(&changed, &party.params, &binding(1)) {
            prop_assert!(other.encode() == changed && other.digest() != digest);
        }
    }

    #[test]
    fn malformed_bytes_are_refused(cut in any::<prop::sample::Index>(), extra in 1_usize..64, at in 0_usize..72, flip in 1_u8..) {
        let digest = PARTY.material.digest();
        let decode = |bytes: &[u8]| EncryptedUpdate::decode(bytes, &PARTY.params, &digest);
        prop_assert!(decode(&UPLOAD[..cut.index(UPLOAD.len())]).is_err());
        prop_assert!(decode(&[&UPLOAD[..], &vec![0; extra]].concat()).is_err());
        let mut changed = UPLOAD.clone();
        changed[at] ^= flip;
        prop_assert!(decode(&changed).is_err());
        let material = PARTY.material.encode();
        prop_assert!(Material::decode(&material[..cut.index(material.len())], &PARTY.params, &binding(1)).is_err());
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(EncryptedUpdate::decode(&bytes, &PARTY.params, &[0; 32]).is_err());
        prop_assert!(Material::decode(&bytes, &PARTY.params, &binding(1)).is_err());
    }

    #[test]
    fn garbage_of_the_right_size_opens_to_something(words in prop::collection::vec(any::<u64>(), 8)) {
        let mut upload = EncryptedUpdate::decode(&UPLOAD, &PARTY.params, &PARTY.material.digest()).unwrap();
        upload.words_mut().iter_mut().zip(words.iter().cycle()).for_each(|(to, from)| *to = *from);
        prop_assert_eq!(PARTY.key.decrypt(&upload).raw().len(), 12);
    }
}
