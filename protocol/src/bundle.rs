//! What only the Capsule may see of a campaign: the validation set, the starting model, the data scientist's certificate.

use std::fmt;

use zeroize::Zeroizing;

use crate::{
    backbone::Embedding,
    data::{self, FitReport, Header, TableError},
    families::{TooManyRows, Trial, TrialError},
    ids::Digest,
    limits,
    manifest::{Commitments, Manifest, commitment},
    terms::CampaignTerms,
    units::Timestamp,
};

/// How large a validation set may be. Packed, it must not become larger than a bundle: whoever unpacks it did not choose it.
#[must_use]
pub fn validation_limits() -> data::Limits {
    data::Limits { bytes: limits::BUNDLE as u64, ..data::Limits::default() }
}
/// How it begins.
const MAGIC: &[u8] = b"sonar.bundle/1\n";

/// How much longer than its last possible use a data scientist's certificate has to be valid: clocks differ, and whoever receives
/// the model wants to open it with a key that their programs still take for valid.
const CERTIFICATE_MARGIN: u32 = 86_400;

/// Time until which a data scientist's certificate has to be valid: a Capsule that could not deliver to it in time would lose its
/// stake to the one who chose the certificate.
#[must_use]
pub fn certificate_needed_until(terms: &CampaignTerms) -> Timestamp {
    let latest = [terms.evaluationSeconds, terms.deliverySeconds, CERTIFICATE_MARGIN];
    latest.into_iter().fold(terms.deadline(), Timestamp::plus)
}

/// What only the Capsule may see of a campaign.
#[derive(Clone, PartialEq, Eq)]
pub struct Bundle {
    /// Makes the commitments say nothing.
    pub salt: Zeroizing<[u8; 32]>,
    /// The validation set as CSV.
    pub validation: Zeroizing<Vec<u8>>,
    /// The starting model as safetensors; the one that follows from the manifest if there is none.
    pub initial: Option<Zeroizing<Vec<u8>>>,
    /// The data scientist's OpenPGP certificate.
    pub certificate: Vec<u8>,
}

impl fmt::Debug for Bundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bundle(hidden)")
    }
}

/// A bundle that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// Not a bundle, or cut off.
    #[error("the bundle cannot be read: {0}")]
    Form(&'static str),
    /// A part is not the one that the manifest committed to.
    #[error("the bundle's {0} is not what the manifest committed to")]
    Commitment(&'static str),
    /// The validation set is no table.
    #[error("the validation set: {0}")]
    Table(#[from] TableError),
    /// The validation set does not fit the schema.
    #[error("the validation set does not fit the campaign's schema:\n{0}")]
    Misfit(#[from] FitReport),
    /// The validation set is too long.
    #[error("the validation set: {0}")]
    Rows(#[from] TooManyRows),
    /// Nothing can be measured.
    #[error(transparent)]
    Trial(#[from] TrialError),
    /// The grid is finer than one row of the validation set.
    #[error("the validation set: {0}")]
    Grid(#[from] syft::UnitError),
}

/// A bundle that is what the manifest says.
pub struct CheckedBundle {
    /// The starting model, with the validation set ready for evaluation.
    pub start: Box<dyn Trial>,
    /// The data scientist's OpenPGP certificate, as committed to but not otherwise checked.
    pub certificate: Vec<u8>,
}

impl fmt::Debug for CheckedBundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CheckedBundle(hidden)")
    }
}

impl Bundle {
    /// What the manifest says about this bundle.
    #[must_use]
    pub fn commitments(&self) -> Commitments {
        let commit = |bytes: &[u8]| commitment(&self.salt, bytes);
        Commitments {
            validation: commit(&self.validation),
            initial: self.initial.as_ref().map(|bytes| commit(bytes)),
            certificate: commit(&self.certificate),
        }
    }

    /// The bytes that are sealed.
    #[must_use]
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let initial = self.initial.as_ref().map_or(&[][..], |bytes| bytes);
        let parts: [&[u8]; 3] = [&self.validation, initial, &self.certificate];
        let length = MAGIC.len() + 32 + parts.iter().map(|part| 8 + part.len()).sum::<usize>();
        let mut bytes = Zeroizing::new(Vec::with_capacity(length));
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&*self.salt);
        for part in parts {
            bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
            bytes.extend_from_slice(part);
        }
        bytes
    }

    /// Reads what was sealed.
    ///
    /// # Errors
    /// When it is no bundle.
    pub fn decode(bytes: &[u8]) -> Result<Self, BundleError> {
        if bytes.len() > limits::BUNDLE {
            return Err(BundleError::Form("it is too large"));
        }
        let rest = bytes.strip_prefix(MAGIC).ok_or(BundleError::Form("it is no sonar.bundle/1"))?;
        let (salt, mut rest) = rest.split_first_chunk::<32>().ok_or(BundleError::Form("it is cut off"))?;
        let mut part = || {
            let cut = BundleError::Form("it is cut off");
            let (length, after) = rest.split_first_chunk::<8>().ok_or(cut)?;
            let length = usize::try_from(u64::from_be_bytes(*length)).unwrap_or(usize::MAX);
            let (part, after) = after.split_at_checked(length).ok_or(BundleError::Form("it is cut off"))?;
            rest = after;
            Ok::<_, BundleError>(part.to_vec())
        };
        let validation = Zeroizing::new(part()?);
        let initial = Zeroizing::new(part()?);
        let certificate = part()?;
        if !rest.is_empty() {
            return Err(BundleError::Form("something follows it"));
        }
        Ok(Self {
            salt: Zeroizing::new(*salt),
            validation,
            initial: (!initial.is_empty()).then_some(initial),
            certificate,
        })
    }

    /// Checks every part against the manifest, with what its backbone makes of raw columns.
    ///
    /// # Errors
    /// Names the part that is not what it should be.
    pub fn check(&self, manifest: &Manifest, embedding: &Embedding) -> Result<CheckedBundle, BundleError> {
        let Commitments { validation, initial, certificate } = self.commitments();
        let same = |name, ours: Option<Digest>, theirs| {
            if ours == theirs { Ok(()) } else { Err(BundleError::Commitment(name)) }
        };
        let committed = manifest.commitments;
        same("validation set", Some(validation), Some(committed.validation))?;
        same("starting model", initial, committed.initial)?;
        same("certificate", Some(certificate), Some(committed.certificate))?;
        // What a launch accepted is not refused here for looking like something else.
        let table = data::read_csv_with(&self.validation, &Header::FirstLine, &validation_limits())?;
        manifest.method.check_rows(table.rows())?;
        let examples = embedding.apply(manifest.data.fit(&table)?).map_err(TrialError::from)?;
        syft::Grid::for_rows(manifest.accuracy.grid.ppm(), examples.len())?;
        Ok(CheckedBundle {
            start: manifest.trial(&examples, self.initial.as_ref().map(|bytes| bytes.as_slice()))?,
            certificate: self.certificate.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bundle(initial: Option<&[u8]>) -> Bundle {
        Bundle {
            salt: Zeroizing::new([7; 32]),
            validation: Zeroizing::new(b"a,y\n1,no\n".to_vec()),
            initial: initial.map(|bytes| Zeroizing::new(bytes.to_vec())),
            certificate: b"cert".to_vec(),
        }
    }

    #[test]
    fn bundles_survive_their_bytes() {
        for bundle in [bundle(None), bundle(Some(b"model"))] {
            assert_eq!(Bundle::decode(&bundle.encode()).unwrap(), bundle);
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_reading_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Bundle::decode(&[MAGIC, &bytes].concat());
            prop_assert!(Bundle::decode(&bytes).is_err());
        }
    }

    #[test]
    fn no_cut_or_lengthened_bundle_is_read() {
        let bytes = bundle(Some(b"model")).encode();
        for length in 0..bytes.len() {
            assert!(Bundle::decode(&bytes[..length]).is_err(), "{length}");
        }
        let longer = [bytes.as_slice(), b"x"].concat();
        assert!(Bundle::decode(&longer).is_err());
        let mut wild = bytes.to_vec();
        wild[MAGIC.len() + 32..][..8].fill(0xFF);
        assert!(Bundle::decode(&wild).is_err());
    }
}
