//! Explicit little-endian encodings: magic, version, fixed size. Sizes are checked before anything is allocated.

use thiserror::Error;

/// Bytes that are not what they should be. Nothing secret decides which of these it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum WireError {
    /// Shorter than the header or of another kind.
    #[error("not {0}")]
    Kind(&'static str),
    /// A version that this program does not know.
    #[error("format version {have} is not supported, expected {need}")]
    Version {
        /// Version given.
        have: u16,
        /// Version expected.
        need: u16,
    },
    /// Made with other parameters.
    #[error("made with other encryption parameters than the campaign's")]
    Parameters,
    /// Made for another version, campaign, contract or chain.
    #[error("bound to another version, campaign, contract or chain")]
    Binding,
    /// Made from other published material.
    #[error("made from other key material than this version's")]
    Material,
    /// Too short or too long.
    #[error("{have} bytes, expected exactly {need}")]
    Size {
        /// Bytes given.
        have: usize,
        /// Bytes expected.
        need: usize,
    },
}

/// What comes first in every encoding.
pub(crate) struct Format {
    pub(crate) magic: [u8; 6],
    pub(crate) version: u16,
    pub(crate) name: &'static str,
}

impl Format {
    /// Bytes of magic and version.
    pub(crate) const HEADER: usize = 8;

    pub(crate) fn start(&self, capacity: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(capacity);
        bytes.extend_from_slice(&self.magic);
        bytes.extend_from_slice(&self.version.to_le_bytes());
        bytes
    }

    /// Checks magic and version and then the exact size, and gives what follows.
    pub(crate) fn open<'a>(&self, bytes: &'a [u8], size: usize) -> Result<Fields<'a>, WireError> {
        let rest = bytes.strip_prefix(&self.magic).ok_or(WireError::Kind(self.name))?;
        let (version, rest) = rest.split_first_chunk::<2>().ok_or(WireError::Kind(self.name))?;
        let version = u16::from_le_bytes(*version);
        if version != self.version {
            return Err(WireError::Version { have: version, need: self.version });
        }
        if bytes.len() != size {
            return Err(WireError::Size { have: bytes.len(), need: size });
        }
        Ok(Fields { rest, all: bytes.len() })
    }
}

/// What is still to be read.
pub(crate) struct Fields<'a> {
    rest: &'a [u8],
    all: usize,
}

impl Fields<'_> {
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let short = WireError::Size { have: self.all, need: self.all - self.rest.len() + N };
        let (array, rest) = self.rest.split_first_chunk::<N>().ok_or(short)?;
        self.rest = rest;
        Ok(*array)
    }

    /// So many words of so many bytes each: the bytes that are left out below are zero.
    pub(crate) fn words(&mut self, count: usize, bytes: usize) -> Result<Vec<u64>, WireError> {
        let short = WireError::Size { have: self.all, need: self.all - self.rest.len() + count * bytes };
        let (words, rest) = self.rest.split_at_checked(count * bytes).ok_or(short)?;
        self.rest = rest;
        let word = |cut: &[u8]| {
            let mut word = [0; 8];
            word[8 - bytes..].copy_from_slice(cut);
            u64::from_le_bytes(word)
        };
        Ok(words.chunks_exact(bytes).map(word).collect())
    }
}

/// Writes the upper bytes of words.
pub(crate) fn put_words(out: &mut Vec<u8>, words: &[u64], bytes: usize) {
    words.iter().for_each(|word| out.extend_from_slice(&word.to_le_bytes()[8 - bytes..]));
}

/// The nearest word that so many upper bytes can say.
pub(crate) const fn round_to_bytes(word: u64, bytes: usize) -> u64 {
    let cut = 64 - 8 * bytes as u32;
    word.wrapping_add(1 << (cut - 1)) >> cut << cut
}
