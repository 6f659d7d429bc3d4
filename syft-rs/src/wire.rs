//! Binary encodings: magic, version, then little-endian fields whose order and sizes both sides know. The whole size is checked before
//! anything is read, so a reader never allocates more than it expects.
//!
//! A [`Format`] describes the first bytes. A writer appends to [`Format::start`]; a reader takes [`Fields`] from [`Format::open`].

use thiserror::Error;

/// Bytes that do not have the expected form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum FormatError {
    /// Shorter than the header, or of another kind.
    #[error("not {0}")]
    Kind(&'static str),
    /// A version that this program does not support.
    #[error("format version {have} is not supported, expected {need}")]
    Version {
        /// Version given.
        have: u16,
        /// Version expected.
        need: u16,
    },
    /// Too short or too long.
    #[error("{have} bytes, expected exactly {need}")]
    Size {
        /// Bytes given.
        have: usize,
        /// Bytes expected.
        need: usize,
    },
    /// A field that is not valid here.
    #[error("{0}")]
    Content(&'static str),
}

/// The first bytes of every encoding of a kind.
#[derive(Debug, Clone, Copy)]
pub struct Format {
    /// Identifies the kind.
    pub magic: [u8; 6],
    /// Identifies the version of the fields that follow.
    pub version: u16,
    /// Name of the kind for messages, such as "an encrypted update".
    pub name: &'static str,
}

impl Format {
    /// Bytes of magic and version.
    pub const HEADER: usize = 8;

    /// Magic and version, with capacity for an encoding of `capacity` bytes in total.
    pub fn start(&self, capacity: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(capacity);
        bytes.extend_from_slice(&self.magic);
        bytes.extend_from_slice(&self.version.to_le_bytes());
        bytes
    }

    /// Checks magic, version and the exact size, and returns the fields that follow.
    pub fn open<'a>(&self, bytes: &'a [u8], size: usize) -> Result<Fields<'a>, FormatError> {
        let rest = bytes.strip_prefix(&self.magic).ok_or(FormatError::Kind(self.name))?;
        let (version, rest) = rest.split_first_chunk::<2>().ok_or(FormatError::Kind(self.name))?;
        let version = u16::from_le_bytes(*version);
        if version != self.version {
            return Err(FormatError::Version { have: version, need: self.version });
        }
        if bytes.len() != size {
            return Err(FormatError::Size { have: bytes.len(), need: size });
        }
        Ok(Fields { rest, all: bytes.len() })
    }
}

/// Reads fields one after another.
#[derive(Debug)]
pub struct Fields<'a> {
    rest: &'a [u8],
    all: usize,
}

impl<'a> Fields<'a> {
    /// The next `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], FormatError> {
        let (array, rest) = self.rest.split_first_chunk::<N>().ok_or(self.short(N))?;
        self.rest = rest;
        Ok(*array)
    }

    /// The next `count` bytes.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], FormatError> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(self.short(count))?;
        self.rest = rest;
        Ok(taken)
    }

    /// The next `count` 32-bit floating-point numbers.
    pub fn floats(&mut self, count: usize) -> Result<Vec<f32>, FormatError> {
        (0..count).map(|_| self.array().map(f32::from_le_bytes)).collect()
    }

    /// All bytes that have not been read.
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    const fn short(&self, wanted: usize) -> FormatError {
        FormatError::Size { have: self.all, need: self.all - self.rest.len() + wanted }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORMAT: Format = Format { magic: *b"SYFTzz", version: 3, name: "a test" };

    fn encoded() -> Vec<u8> {
        let mut bytes = FORMAT.start(Format::HEADER + 12);
        bytes.extend_from_slice(&[1, 2]);
        [0.5_f32, -2.0].iter().for_each(|number| bytes.extend_from_slice(&number.to_le_bytes()));
        bytes.extend_from_slice(&[8, 9]);
        bytes
    }

    #[test]
    fn what_was_written_is_read() {
        let bytes = encoded();
        let mut fields = FORMAT.open(&bytes, bytes.len()).unwrap();
        assert_eq!(fields.array().unwrap(), [1, 2]);
        assert_eq!(fields.floats(2).unwrap(), [0.5, -2.0]);
        assert_eq!((fields.take(1).unwrap(), fields.rest()), (&[8][..], &[9][..]));
        // A reader that wants more than there is, is told how much there would have to be.
        let short = FormatError::Size { have: bytes.len(), need: bytes.len() + 3 };
        assert_eq!((fields.array::<4>().unwrap_err(), fields.take(4).unwrap_err()), (short, short));
    }

    #[test]
    fn other_bytes_are_named() {
        let refusal = |bytes: &[u8], size| FORMAT.open(bytes, size).unwrap_err().to_string();
        let bytes = encoded();
        assert_eq!(refusal(b"SYFTyy__", 8), "not a test");
        assert_eq!(refusal(&bytes[..7], 7), "not a test");
        assert_eq!(refusal(&bytes, 21), "20 bytes, expected exactly 21");
        let mut newer = bytes;
        newer[6] = 4;
        assert_eq!(refusal(&newer, 20), "format version 4 is not supported, expected 3");
    }
}
