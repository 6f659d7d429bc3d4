//! Identifiers, each with its own type, so that one cannot be passed for another.

use std::{fmt, str::FromStr};

use alloy::primitives::{B256, hex};
use cid::{Cid, multihash::Multihash};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// Multicodec of dag-pb blocks.
const DAG_PB: u64 = 0x70;
/// Multihash code of SHA-256.
const SHA2_256: u64 = 0x12;

/// Text that is not a valid identifier.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {kind}: expected {expected}, optionally after 0x")]
pub struct ParseIdError {
    kind: &'static str,
    expected: &'static str,
    text: String,
}

impl ParseIdError {
    fn new(kind: &'static str, expected: &'static str, text: &str) -> Self {
        // Long enough to recognise, short enough for a log.
        Self { kind, expected, text: text.chars().take(80).collect() }
    }
}

fn parse(text: &str) -> Option<[u8; 32]> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    let mut bytes = [0; 32];
    hex::decode_to_slice(digits, &mut bytes).ok()?;
    Some(bytes)
}

macro_rules! text_form {
    ($name:ident) => {
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl TryFrom<String> for $name {
            type Error = ParseIdError;

            fn try_from(text: String) -> Result<Self, ParseIdError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }

        // Text in human-readable formats, otherwise 32 bytes: a snapshot has millions of them.
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    serializer.collect_str(self)
                } else {
                    self.as_bytes().serialize(serializer)
                }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if deserializer.is_human_readable() {
                    String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
                } else {
                    <[u8; 32]>::deserialize(deserializer).map(Self::from)
                }
            }
        }

        impl From<B256> for $name {
            fn from(word: B256) -> Self {
                Self::from(word.0)
            }
        }

        impl From<$name> for B256 {
            fn from(id: $name) -> Self {
                Self::new(*id.as_bytes())
            }
        }
    };
}

/// The id of a campaign: the hash of its terms on one chain and contract.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CampaignId(pub B256);

impl CampaignId {
    /// The id as bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0.0
    }

    /// The first eight digits: enough to distinguish campaigns in a table.
    #[must_use]
    pub fn short(&self) -> String {
        hex::encode_prefixed(&self.0[..4])
    }
}

impl From<[u8; 32]> for CampaignId {
    fn from(bytes: [u8; 32]) -> Self {
        Self(B256::new(bytes))
    }
}

impl fmt::Display for CampaignId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode_prefixed(self.as_bytes()))
    }
}

impl FromStr for CampaignId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        parse(text).map(Self::from).ok_or_else(|| ParseIdError::new("a campaign id", "64 hexadecimal digits", text))
    }
}

text_form!(CampaignId);

/// The SHA-256 digest of an artefact's root block on IPFS, which the chain stores instead of a CID. Its text form is
/// the CID, which every IPFS tool accepts; the hexadecimal form of the chain is parsed too.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The digest as bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Converts a word of the chain, where zero means `None`.
    #[must_use]
    pub fn from_word(word: B256) -> Option<Self> {
        (!word.is_zero()).then_some(Self(word.0))
    }
}

impl From<[u8; 32]> for Digest {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_cid().fmt(f)
    }
}

impl FromStr for Digest {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let from_cid = || text.parse().ok().and_then(|cid| Self::from_cid(&cid));
        let expected = "its CID (version 1, dag-pb, SHA-256) or 64 hexadecimal digits";
        parse(text).map(Self).or_else(from_cid).ok_or_else(|| ParseIdError::new("an artefact's CID", expected, text))
    }
}

text_form!(Digest);

impl Digest {
    /// The content identifier of the artefact's root block.
    #[must_use]
    pub fn to_cid(&self) -> Cid {
        let hash = Multihash::wrap(SHA2_256, self.as_bytes()).expect("32 bytes fit a multihash of 64");
        Cid::new_v1(DAG_PB, hash)
    }

    /// The digest of a root block of an artefact as this protocol stores it: UnixFS under CIDv1, dag-pb, SHA-256.
    #[must_use]
    pub fn from_cid(cid: &Cid) -> Option<Self> {
        let fits = cid.codec() == DAG_PB && cid.hash().code() == SHA2_256;
        let bytes: [u8; 32] = cid.hash().digest().try_into().ok()?;
        fits.then_some(Self(bytes))
    }
}

macro_rules! counter {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub u32);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

counter! {
    /// The number of a version of a campaign's model; the first is 1.
    Version
}

counter! {
    /// The index of a window of a campaign; the first is 0.
    WindowIndex
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_survive_text_with_and_without_prefix() {
        let id = CampaignId::from([0xAB; 32]);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(id.to_string()[2..].parse(), Ok(id));
        assert_eq!(id.short(), "0xabababab");
    }

    #[test]
    fn artefacts_are_named_by_cid_and_read_in_the_chains_form_too() {
        let digest = Digest([7; 32]);
        assert!(digest.to_string().starts_with("bafybei"), "{digest}");
        let json = serde_json::to_string(&digest).unwrap();
        assert_eq!(serde_json::from_str::<Digest>(&json).unwrap(), digest);
        assert_eq!(hex::encode_prefixed(digest.0).parse(), Ok(digest));
        // Another codec, another hash, and a version that has neither.
        let raw = Cid::new_v1(0x55, *digest.to_cid().hash());
        let version_0 = Cid::new_v0(*digest.to_cid().hash()).unwrap();
        for text in [raw.to_string(), digest.to_string()[1..].to_owned(), "Qm".into()] {
            let error = text.parse::<Digest>().unwrap_err().to_string();
            assert!(error.contains("is not an artefact's CID"), "{error}");
        }
        assert_eq!(version_0.to_string().parse(), Ok(digest), "the same block under its CID of version 0");
    }

    #[test]
    fn other_texts_are_refused_by_name() {
        for text in ["", "0x12", "zz", &"g".repeat(64), &"0".repeat(66)] {
            let error = text.parse::<CampaignId>().unwrap_err().to_string();
            assert!(error.contains("is not a campaign id"), "{error}");
        }
    }

    #[test]
    fn a_zero_word_is_no_digest() {
        assert_eq!(Digest::from_word(B256::ZERO), None);
        assert_eq!(Digest::from_word(B256::repeat_byte(1)), Some(Digest([1; 32])));
    }
}
