//! Blocks and their ids.

use std::fmt;

use bytes::Bytes;
use cid::{Cid, multihash::Multihash};
use sha2::{Digest, Sha256};

/// Multicodecs of the two kinds of block that a file consists of.
pub const DAG_PB: u64 = 0x70;
/// A raw chunk of a file.
pub const RAW: u64 = 0x55;
/// Multihash code of SHA-256, the only hash in use here.
pub const SHA2_256: u64 = 0x12;
/// Size limit of a block in bytes, as everywhere in IPFS.
pub const BLOCK_LIMIT: usize = 2 << 20;

/// The SHA-256 of a block. Unlike content identifiers, it does not depend on version and codec.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockId(pub [u8; 32]);

impl BlockId {
    /// Computes the id of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The hash in a content identifier, if it is a SHA-256.
    #[must_use]
    pub fn from_cid(cid: &Cid) -> Option<Self> {
        let hash = cid.hash();
        (hash.code() == SHA2_256).then(|| hash.digest().try_into().ok().map(Self)).flatten()
    }

    /// The content identifier of a block with this codec.
    #[must_use]
    pub fn to_cid(self, codec: u64) -> Cid {
        Cid::new_v1(codec, Multihash::wrap(SHA2_256, &self.0).expect("32 bytes fit a multihash of 64"))
    }
}

impl fmt::Display for BlockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for BlockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Bytes with their verified id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    id: BlockId,
    bytes: Bytes,
}

impl Block {
    /// Creates a block and computes its id.
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self { id: BlockId::of(&bytes), bytes }
    }

    /// The id.
    #[must_use]
    pub fn id(&self) -> BlockId {
        self.id
    }

    /// The content.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }
}
