//! Explicit little-endian encodings: magic, version, fixed size. Sizes are checked before anything is allocated.

use thiserror::Error;

/// Bytes that are not what they should be.
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
    /// Made from another model.
    #[error("made from another model than this version's")]
    Model,
    /// Too short or too long.
    #[error("{have} bytes, expected exactly {need}")]
    Size {
        /// Bytes given.
        have: usize,
        /// Bytes expected.
        need: usize,
    },
    /// What it says makes no sense.
    #[error("{0}")]
    Content(&'static str),
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

impl<'a> Fields<'a> {
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let short = WireError::Size { have: self.all, need: self.all - self.rest.len() + N };
        let (array, rest) = self.rest.split_first_chunk::<N>().ok_or(short)?;
        self.rest = rest;
        Ok(*array)
    }

    /// So many numbers of four bytes.
    pub(crate) fn floats(&mut self, count: usize) -> Result<Vec<f32>, WireError> {
        (0..count).map(|_| self.array().map(f32::from_le_bytes)).collect()
    }

    /// All that is left.
    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

/// Appends numbers bit by bit, the lowest bit first, to the lowest bits of each byte first.
pub(crate) struct BitWriter {
    bytes: Vec<u8>,
    free: u32,
}

impl BitWriter {
    /// Continues after whole bytes.
    pub(crate) const fn after(bytes: Vec<u8>) -> Self {
        Self { bytes, free: 0 }
    }

    pub(crate) fn put(&mut self, number: usize, count: u32) {
        for bit in 0..count {
            if self.free == 0 {
                self.bytes.push(0);
                self.free = 8;
            }
            if let Some(last) = self.bytes.last_mut() {
                *last |= u8::from(number >> bit & 1 == 1) << (8 - self.free);
            }
            self.free -= 1;
        }
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

/// Bits of bytes, the lowest of each byte first; zeros after the end.
pub(crate) struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Bits<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// A number of so many bits, the lowest first.
    pub(crate) fn number(&mut self, count: u32) -> usize {
        let number = (0..count).map(|bit| usize::from(self.bit(self.at + bit as usize)) << bit).sum();
        self.at += count as usize;
        number
    }

    /// True when something other than zeros was not read.
    pub(crate) fn any_left(&self) -> bool {
        (self.at..self.bytes.len() * 8).any(|at| self.bit(at))
    }

    fn bit(&self, at: usize) -> bool {
        self.bytes.get(at / 8).is_some_and(|byte| byte >> (at % 8) & 1 == 1)
    }
}
