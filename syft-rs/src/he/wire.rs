//! Wire format of material and updates beyond their [`Format`](crate::wire::Format): errors of a wrong addressee, and words of which only the
//! upper bytes are sent.

use thiserror::Error;

use crate::wire::{Fields, FormatError};

/// Bytes that cannot be read. No secret decides which of these errors it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum WireError {
    /// The bytes do not have the expected form.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// Made with other parameters.
    #[error("made with other encryption parameters than the campaign's")]
    Parameters,
    /// Made for another version, campaign, contract or chain.
    #[error("bound to another version, campaign, contract or chain")]
    Binding,
    /// Made from other published material.
    #[error("made from other key material than this version's")]
    Material,
}

/// Reads `count` words of which the upper `bytes` bytes are given; the lower ones are zero.
pub(crate) fn words(fields: &mut Fields, count: usize, bytes: usize) -> Result<Vec<u64>, FormatError> {
    let word = |cut: &[u8]| {
        let mut word = [0; 8];
        word[8 - bytes..].copy_from_slice(cut);
        u64::from_le_bytes(word)
    };
    Ok(fields.take(count * bytes)?.chunks_exact(bytes).map(word).collect())
}

/// Writes the upper `bytes` bytes of words.
pub(crate) fn put_words(out: &mut Vec<u8>, words: &[u64], bytes: usize) {
    words.iter().for_each(|word| out.extend_from_slice(&word.to_le_bytes()[8 - bytes..]));
}

/// The nearest word whose lower bytes are zero.
pub(crate) const fn round_to_bytes(word: u64, bytes: usize) -> u64 {
    let cut = 64 - 8 * bytes as u32;
    word.wrapping_add(1 << (cut - 1)) >> cut << cut
}
