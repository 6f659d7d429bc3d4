//! The bundle: the parts of a campaign that only the Capsule may see, that is the validation set, the starting model,
//! and the data scientist's certificate.
//!
//! A sealed bundle is public, so that anyone could name it in the manifest of a campaign of their own. That campaign
//! would publish the starting model, and its verdicts would disclose the validation set. So a bundle begins with the
//! [`BundleContext`] that it was made for, which is compared before any other byte is read.

use std::fmt;

use alloy::primitives::{Address, B256};
use sonar_contracts::Terms;
use zeroize::Zeroizing;

use crate::{
    backbone::Embedding,
    data::{self, FitReport, Header, TableError},
    families::{TooManyRows, Trial, TrialError},
    ids::Digest,
    limits,
    manifest::{Commitments, Manifest, ManifestError, commitment},
    terms::CampaignTerms,
    units::Timestamp,
};

/// Size limits of a validation set. Unpacked, it must not be larger than a bundle, because it is untrusted.
#[must_use]
pub fn validation_limits() -> data::TableLimits {
    data::TableLimits { bytes: limits::BUNDLE as u64, ..data::TableLimits::default() }
}
/// The first line: name and version of the format.
const MAGIC: &[u8] = b"sonar.bundle/2\n";
/// Start of the first line in every version of the format.
const ANY_MAGIC: &[u8] = b"sonar.bundle/";

/// Time for which a data scientist's certificate must remain valid after its last possible use, because clocks differ,
/// and the owner needs time to decrypt the model with a key that their programs accept.
const CERTIFICATE_MARGIN: u32 = 86_400;

/// Time until which a data scientist's certificate must be valid. Otherwise a Capsule that cannot deliver to it
/// would lose its stake to the data scientist.
#[must_use]
pub fn certificate_needed_until(terms: &CampaignTerms) -> Timestamp {
    let latest = [terms.evaluationSeconds, terms.deliverySeconds, CERTIFICATE_MARGIN];
    latest.into_iter().fold(terms.deadline(), Timestamp::plus)
}

/// The campaign that a bundle was made for. It contains everything that decides about what happens to the secrets in the
/// bundle, and that exists before the bundle is sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BundleContext {
    chain_id: u64,
    contract: Address,
    /// The only account that can open the campaign.
    owner: Address,
    /// Merkle root over the audit keys: whoever has these keys reads every version of the model.
    audit_keys: B256,
    /// Salt of the terms.
    salt: B256,
    /// Hash of the manifest without bundle and commitments.
    manifest: Digest,
}

impl BundleContext {
    const LENGTH: usize = 8 + 20 + 20 + 32 + 32 + 32;

    /// The context of the campaign with these terms and this manifest, as it was read from its bytes.
    ///
    /// # Errors
    /// When the manifest cannot be encoded.
    pub fn new(chain_id: u64, contract: Address, terms: &Terms, manifest: &Manifest) -> Result<Self, ManifestError> {
        Ok(Self {
            chain_id,
            contract,
            owner: terms.owner,
            audit_keys: terms.audit.keys,
            salt: terms.salt,
            manifest: manifest.unsealed_hash()?,
        })
    }

    fn encode(&self) -> Vec<u8> {
        let Self { chain_id, contract, owner, audit_keys, salt, manifest } = self;
        let chain_id = chain_id.to_be_bytes();
        [&chain_id[..], &contract[..], &owner[..], &audit_keys[..], &salt[..], manifest.as_bytes()].concat()
    }
}

/// The parts of a campaign that only the Capsule may see.
#[derive(Clone, PartialEq, Eq)]
pub struct Bundle {
    /// Salt of the commitments, so that they disclose nothing.
    pub salt: Zeroizing<[u8; 32]>,
    /// The validation set as CSV.
    pub validation: Zeroizing<Vec<u8>>,
    /// The starting model as safetensors; `None` for the one that follows from the manifest.
    pub initial: Option<Zeroizing<Vec<u8>>>,
    /// The data scientist's OpenPGP certificate.
    pub certificate: Vec<u8>,
}

impl fmt::Debug for Bundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bundle(hidden)")
    }
}

/// Why a bundle cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// It is not a bundle, or truncated.
    #[error("the bundle cannot be read: {0}")]
    Form(&'static str),
    /// Another version of the program made it.
    #[error(
        "the bundle is not of format sonar.bundle/2; launch the campaign again with the current version of `sonar`"
    )]
    OtherForm,
    /// It was made for another campaign.
    #[error("the bundle was made for another campaign, owner, manifest, chain or contract")]
    Context,
    /// A part does not match the manifest's commitment.
    #[error("the bundle's {0} does not match the manifest's commitment")]
    Commitment(&'static str),
    /// The validation set is not a table.
    #[error("the validation set: {0}")]
    Table(#[from] TableError),
    /// The validation set does not fit the schema.
    #[error("the validation set does not fit the campaign's schema:\n{0}")]
    Misfit(#[from] FitReport),
    /// The validation set has too many rows.
    #[error("the validation set: {0}")]
    Rows(#[from] TooManyRows),
    /// The accuracy cannot be measured.
    #[error(transparent)]
    Trial(#[from] TrialError),
    /// The accuracy grid is finer than one row of the validation set.
    #[error("the validation set: {0}")]
    Grid(#[from] syft::UnitError),
}

/// A bundle that matches the manifest.
pub struct CheckedBundle {
    /// The starting model and the validation set, ready for evaluation.
    pub start: Box<dyn Trial>,
    /// The data scientist's OpenPGP certificate; only its commitment is checked.
    pub certificate: Vec<u8>,
}

impl fmt::Debug for CheckedBundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CheckedBundle(hidden)")
    }
}

impl Bundle {
    /// The commitments for the manifest.
    #[must_use]
    pub fn commitments(&self) -> Commitments {
        let commit = |bytes: &[u8]| commitment(&self.salt, bytes);
        Commitments {
            validation: commit(&self.validation),
            initial: self.initial.as_ref().map(|bytes| commit(bytes)),
            certificate: commit(&self.certificate),
        }
    }

    /// Encodes the bundle for sealing, bound to this campaign.
    #[must_use]
    pub fn encode(&self, context: &BundleContext) -> Zeroizing<Vec<u8>> {
        let initial = self.initial.as_ref().map_or(&[][..], |bytes| bytes);
        let parts: [&[u8]; 3] = [&self.validation, initial, &self.certificate];
        let length = MAGIC.len() + BundleContext::LENGTH + 32 + parts.iter().map(|part| 8 + part.len()).sum::<usize>();
        let mut bytes = Zeroizing::new(Vec::with_capacity(length));
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&context.encode());
        bytes.extend_from_slice(&*self.salt);
        for part in parts {
            bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
            bytes.extend_from_slice(part);
        }
        bytes
    }

    /// Decodes a bundle that was made for this campaign. Nothing else of another campaign's bundle is read.
    ///
    /// # Errors
    /// When it is not a bundle, or was made for another campaign.
    pub fn decode(bytes: &[u8], context: &BundleContext) -> Result<Self, BundleError> {
        if bytes.len() > limits::BUNDLE {
            return Err(BundleError::Form("it is too large"));
        }
        let unknown =
            if bytes.starts_with(ANY_MAGIC) { BundleError::OtherForm } else { BundleError::Form("it is not a bundle") };
        let rest = bytes.strip_prefix(MAGIC).ok_or(unknown)?;
        let found = rest.split_at_checked(BundleContext::LENGTH);
        let (found, rest) = found.ok_or(BundleError::Form("it is truncated"))?;
        if found != context.encode() {
            return Err(BundleError::Context);
        }
        let (salt, mut rest) = rest.split_first_chunk::<32>().ok_or(BundleError::Form("it is truncated"))?;
        let mut part = || {
            let cut = BundleError::Form("it is truncated");
            let (length, after) = rest.split_first_chunk::<8>().ok_or(cut)?;
            let length = usize::try_from(u64::from_be_bytes(*length)).unwrap_or(usize::MAX);
            let (part, after) = after.split_at_checked(length).ok_or(BundleError::Form("it is truncated"))?;
            rest = after;
            Ok::<_, BundleError>(part.to_vec())
        };
        let validation = Zeroizing::new(part()?);
        let initial = Zeroizing::new(part()?);
        let certificate = part()?;
        if !rest.is_empty() {
            return Err(BundleError::Form("there are extra bytes after it"));
        }
        Ok(Self {
            salt: Zeroizing::new(*salt),
            validation,
            initial: (!initial.is_empty()).then_some(initial),
            certificate,
        })
    }

    /// Checks every part against the manifest; `embedding` is the manifest's backbone.
    ///
    /// # Errors
    /// Names the part that does not match.
    pub fn check(&self, manifest: &Manifest, embedding: &Embedding) -> Result<CheckedBundle, BundleError> {
        let Commitments { validation, initial, certificate } = self.commitments();
        let same = |name, ours: Option<Digest>, theirs| {
            if ours == theirs { Ok(()) } else { Err(BundleError::Commitment(name)) }
        };
        let committed = manifest.commitments;
        same("validation set", Some(validation), Some(committed.validation))?;
        same("starting model", initial, committed.initial)?;
        same("certificate", Some(certificate), Some(committed.certificate))?;
        // A validation set that the launch has accepted must not be refused here by a guess about its header.
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

    fn context() -> BundleContext {
        BundleContext {
            chain_id: 31337,
            contract: Address::repeat_byte(1),
            owner: Address::repeat_byte(2),
            audit_keys: B256::repeat_byte(3),
            salt: B256::repeat_byte(4),
            manifest: Digest([5; 32]),
        }
    }

    /// Everything before the salt of the commitments.
    const PUBLIC: usize = MAGIC.len() + BundleContext::LENGTH;

    #[test]
    fn bundles_survive_their_bytes() {
        for bundle in [bundle(None), bundle(Some(b"model"))] {
            assert_eq!(Bundle::decode(&bundle.encode(&context()), &context()).unwrap(), bundle);
        }
    }

    #[test]
    fn a_bundle_of_another_context_is_refused_before_it_is_read() {
        let sealed = bundle(None).encode(&context());
        let other = |change: fn(&mut BundleContext)| {
            let mut context = context();
            change(&mut context);
            context
        };
        let contexts = [
            other(|c| c.chain_id += 1),
            other(|c| c.contract = Address::ZERO),
            other(|c| c.owner = Address::ZERO),
            other(|c| c.audit_keys = B256::ZERO),
            other(|c| c.salt = B256::ZERO),
            other(|c| c.manifest = Digest([0; 32])),
        ];
        // With or without content: whoever asks cannot tell.
        for bytes in [&sealed[..], &sealed[..PUBLIC]] {
            for context in &contexts {
                assert!(matches!(Bundle::decode(bytes, context), Err(BundleError::Context)), "{context:?}");
            }
        }
    }

    #[test]
    fn a_bundle_of_an_older_format_says_what_to_do() {
        let error = Bundle::decode(b"sonar.bundle/1\nsalt", &context()).unwrap_err();
        assert!(matches!(error, BundleError::OtherForm));
        assert!(error.to_string().contains("launch the campaign again"), "{error}");
    }

    proptest! {
        #[test]
        fn no_bytes_make_reading_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Bundle::decode(&[&bundle(None).encode(&context())[..PUBLIC], &bytes].concat(), &context());
            prop_assert!(Bundle::decode(&bytes, &context()).is_err());
        }
    }

    #[test]
    fn no_cut_or_lengthened_bundle_is_read() {
        let bytes = bundle(Some(b"model")).encode(&context());
        for length in 0..bytes.len() {
            assert!(Bundle::decode(&bytes[..length], &context()).is_err(), "{length}");
        }
        let longer = [bytes.as_slice(), b"x"].concat();
        assert!(Bundle::decode(&longer, &context()).is_err());
        let mut wild = bytes.to_vec();
        wild[PUBLIC + 32..][..8].fill(0xFF);
        assert!(Bundle::decode(&wild, &context()).is_err());
    }
}
