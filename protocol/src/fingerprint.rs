//! Fingerprints of OpenPGP certificates.

use std::{fmt, str::FromStr};

use alloy::primitives::{B256, hex};
use serde::{Deserialize, Serialize};

/// The fingerprint of an OpenPGP certificate of version 4 or 6 (RFC 9580, section 5.5.4). Its text is upper-case
/// hexadecimal, as in GnuPG and `sq`; no other form is accepted, so that equal fingerprints have equal texts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Fingerprint {
    /// SHA-1 of the primary key.
    V4([u8; 20]),
    /// SHA-256 of the primary key.
    V6([u8; 32]),
}

/// Text that is not the fingerprint of a certificate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an OpenPGP fingerprint: expected 40 or 64 upper-case hexadecimal digits")]
pub struct ParseFingerprintError(String);

impl Fingerprint {
    /// The fingerprint as bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8] {
        match self {
            Self::V4(bytes) => bytes,
            Self::V6(bytes) => bytes,
        }
    }

    /// Converts to a word of the chain: left-aligned, the rest zero.
    #[must_use]
    pub fn word(&self) -> B256 {
        B256::right_padding_from(self.as_bytes())
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode_upper(self.as_bytes()))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

impl FromStr for Fingerprint {
    type Err = ParseFingerprintError;

    fn from_str(text: &str) -> Result<Self, ParseFingerprintError> {
        let bytes = hex::decode(text).unwrap_or_default();
        let v4 = || <[u8; 20]>::try_from(bytes.as_slice()).map(Self::V4);
        let v6 = || <[u8; 32]>::try_from(bytes.as_slice()).map(Self::V6);
        v4().or_else(|_| v6())
            .ok()
            .filter(|fingerprint| fingerprint.to_string() == text)
            // Long enough to recognise, short enough not to flood a log.
            .ok_or_else(|| ParseFingerprintError(text.chars().take(80).collect()))
    }
}

impl TryFrom<String> for Fingerprint {
    type Error = ParseFingerprintError;

    fn try_from(text: String) -> Result<Self, ParseFingerprintError> {
        text.parse()
    }
}

impl From<Fingerprint> for String {
    fn from(fingerprint: Fingerprint) -> Self {
        fingerprint.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_has_one_text_and_one_word() {
        for (fingerprint, text) in
            [(Fingerprint::V4([0xAB; 20]), "AB".repeat(20)), (Fingerprint::V6([0xCD; 32]), "CD".repeat(32))]
        {
            assert_eq!(fingerprint.to_string(), text);
            assert_eq!(text.parse(), Ok(fingerprint));
            assert_eq!(serde_json::to_value(fingerprint).unwrap(), text);
        }
        let word = Fingerprint::V4([0xAB; 20]).word();
        assert_eq!((&word[..20], &word[20..]), (&[0xAB; 20][..], &[0; 12][..]));
        for text in ["", "AB", &"ab".repeat(20), &format!("0x{}", "AB".repeat(20)), &"AB".repeat(21), "\u{1b}[2J"] {
            assert_eq!(text.parse::<Fingerprint>(), Err(ParseFingerprintError(text.into())));
        }
    }
}
