//! The wire format of bitswap messages.

use bytes::Bytes;
use cid::Cid;

use crate::{
    block::{BLOCK_LIMIT, Block, DAG_PB, SHA2_256},
    proto::{Fields, Malformed, put_bytes, put_number, put_varint, take_varint},
};

/// Size limit of a message in bytes, from the specification.
pub const MESSAGE_LIMIT: usize = 4 << 20;
/// Maximum number of wants and presences that are read from a message; the rest is ignored.
const ENTRY_LIMIT: usize = 4096;

/// Kind of a want.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WantKind {
    /// The block.
    Block,
    /// Whether the peer has the block.
    Have,
}

/// An entry of a wantlist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// A want.
    Add {
        /// The block.
        cid: Cid,
        /// Kind of the want.
        kind: WantKind,
        /// Whether to answer if the block is missing.
        send_dont_have: bool,
    },
    /// A cancelled want.
    Cancel(Cid),
}

/// Whether a peer has a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Presence {
    /// The block.
    pub cid: Cid,
    /// Whether the peer has it.
    pub has: bool,
}

/// A message. The ids of blocks are computed from the received bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// Whether the wants replace all earlier wants.
    pub full: bool,
    /// Wants of the sender.
    pub wants: Vec<Want>,
    /// Presences that the sender reports.
    pub presences: Vec<Presence>,
    /// Blocks, with the content identifiers under which they are sent.
    pub blocks: Vec<(Cid, Block)>,
}

impl Message {
    /// Whether it is empty.
    pub fn is_empty(&self) -> bool {
        self.wants.is_empty() && self.presences.is_empty() && self.blocks.is_empty()
    }

    /// Encodes it, without the length that precedes it in a stream.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut wantlist = Vec::new();
        for want in &self.wants {
            let mut entry = Vec::new();
            match want {
                Want::Add { cid, kind, send_dont_have } => {
                    put_bytes(&mut entry, 1, &cid.to_bytes());
                    put_number(&mut entry, 2, 1);
                    put_number(&mut entry, 4, (*kind == WantKind::Have).into());
                    put_number(&mut entry, 5, (*send_dont_have).into());
                }
                Want::Cancel(cid) => {
                    put_bytes(&mut entry, 1, &cid.to_bytes());
                    put_number(&mut entry, 3, 1);
                }
            }
            put_bytes(&mut wantlist, 1, &entry);
        }
        if !self.wants.is_empty() || self.full {
            put_number(&mut wantlist, 2, self.full.into());
            put_bytes(&mut out, 1, &wantlist);
        }
        for (cid, block) in &self.blocks {
            let mut payload = Vec::with_capacity(block.bytes().len() + 16);
            put_bytes(&mut payload, 1, &prefix(cid));
            put_bytes(&mut payload, 2, block.bytes());
            put_bytes(&mut out, 3, &payload);
        }
        for Presence { cid, has } in &self.presences {
            let mut presence = Vec::new();
            put_bytes(&mut presence, 1, &cid.to_bytes());
            put_number(&mut presence, 2, (!has).into());
            put_bytes(&mut out, 4, &presence);
        }
        out
    }

    /// Decodes a message and computes the ids of its blocks.
    ///
    /// # Errors
    /// If it is malformed, or a block is too large.
    pub fn decode(bytes: &Bytes) -> Result<Self, Malformed> {
        let mut message = Self::default();
        for field in Fields::new(bytes) {
            match field? {
                (1, value) => message.decode_wantlist(value.bytes()?)?,
                // Bitswap 1.0.0 sent blocks without a prefix.
                (2, value) => message.add_block(DAG_PB, bytes.slice_ref(value.bytes()?))?,
                (3, value) => {
                    let (mut codec, mut data) = (None, Bytes::new());
                    for field in Fields::new(value.bytes()?) {
                        match field? {
                            (1, value) => codec = codec_of(value.bytes()?)?,
                            (2, value) => data = bytes.slice_ref(value.bytes()?),
                            _ => {}
                        }
                    }
                    // A block with another hash function is ignored, like any block that is not wanted.
                    if let Some(codec) = codec {
                        message.add_block(codec, data)?;
                    }
                }
                (4, value) if message.presences.len() < ENTRY_LIMIT => {
                    let (mut cid, mut has) = (None, true);
                    for field in Fields::new(value.bytes()?) {
                        match field? {
                            (1, value) => cid = Some(read_cid(value.bytes()?)?),
                            (2, value) => has = value.number()? == 0,
                            _ => {}
                        }
                    }
                    let cid = cid.ok_or(Malformed("a presence has no content identifier"))?;
                    message.presences.push(Presence { cid, has });
                }
                _ => {}
            }
        }
        Ok(message)
    }

    fn decode_wantlist(&mut self, bytes: &[u8]) -> Result<(), Malformed> {
        for field in Fields::new(bytes) {
            match field? {
                (1, value) if self.wants.len() < ENTRY_LIMIT => self.wants.push(decode_want(value.bytes()?)?),
                (2, value) => self.full = value.number()? != 0,
                _ => {}
            }
        }
        Ok(())
    }

    fn add_block(&mut self, codec: u64, data: Bytes) -> Result<(), Malformed> {
        if data.len() > BLOCK_LIMIT {
            return Err(Malformed("a block is larger than 2 MiB"));
        }
        let block = Block::new(data);
        self.blocks.push((block.id().to_cid(codec), block));
        Ok(())
    }
}

fn decode_want(entry: &[u8]) -> Result<Want, Malformed> {
    let (mut cid, mut cancel, mut kind, mut send_dont_have) = (None, false, WantKind::Block, false);
    for field in Fields::new(entry) {
        match field? {
            (1, value) => cid = Some(read_cid(value.bytes()?)?),
            (3, value) => cancel = value.number()? != 0,
            (4, value) if value.number()? == 1 => kind = WantKind::Have,
            (5, value) => send_dont_have = value.number()? != 0,
            _ => {}
        }
    }
    let cid = cid.ok_or(Malformed("a want has no content identifier"))?;
    Ok(if cancel { Want::Cancel(cid) } else { Want::Add { cid, kind, send_dont_have } })
}

fn read_cid(bytes: &[u8]) -> Result<Cid, Malformed> {
    Cid::try_from(bytes).map_err(|_| Malformed("a content identifier is malformed"))
}

/// The prefix of a content identifier: version, codec, hash function, and length of the hash.
fn prefix(cid: &Cid) -> Vec<u8> {
    let mut prefix = Vec::new();
    let hash = cid.hash();
    for number in [u64::from(cid.version()), cid.codec(), hash.code(), hash.size().into()] {
        put_varint(&mut prefix, number);
    }
    prefix
}

/// The codec in a prefix, if the hash is a SHA-256.
fn codec_of(mut prefix: &[u8]) -> Result<Option<u64>, Malformed> {
    let _version = take_varint(&mut prefix)?;
    let codec = take_varint(&mut prefix)?;
    let hash = take_varint(&mut prefix)?;
    Ok((hash == SHA2_256).then_some(codec))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::block::{BlockId, RAW};

    fn cid(seed: u8) -> Cid {
        BlockId([seed; 32]).to_cid(if seed.is_multiple_of(2) { DAG_PB } else { RAW })
    }

    proptest! {
        #[test]
        fn a_message_is_read_as_it_was_written(
            full: bool,
            wants in prop::collection::vec((any::<u8>(), 0..3_u8, any::<bool>()), 0..20),
            presences in prop::collection::vec((any::<u8>(), any::<bool>()), 0..20),
            blocks in prop::collection::vec(any::<Vec<u8>>(), 0..5),
        ) {
            let want = |(seed, kind, send_dont_have)| match kind {
                0 => Want::Cancel(cid(seed)),
                kind => Want::Add {
                    cid: cid(seed),
                    kind: if kind == 1 { WantKind::Block } else { WantKind::Have },
                    send_dont_have,
                },
            };
            let message = Message {
                full,
                wants: wants.into_iter().map(want).collect(),
                presences: presences.into_iter().map(|(seed, has)| Presence { cid: cid(seed), has }).collect(),
                blocks: blocks.into_iter().map(Block::new).map(|block| (block.id().to_cid(RAW), block)).collect(),
            };
            prop_assert_eq!(Message::decode(&message.encode().into()).unwrap(), message);
        }

        #[test]
        fn any_bytes_are_a_message_or_an_error(bytes in any::<Vec<u8>>()) {
            let _ = Message::decode(&bytes.into());
        }
    }

    #[test]
    fn a_message_of_a_million_entries_stays_small() {
        let mut wantlist = Vec::new();
        let mut entry = Vec::new();
        put_bytes(&mut entry, 1, &cid(1).to_bytes());
        (0..100_000).for_each(|_| put_bytes(&mut wantlist, 1, &entry));
        let mut bytes = Vec::new();
        put_bytes(&mut bytes, 1, &wantlist);
        assert!(bytes.len() < MESSAGE_LIMIT);
        assert_eq!(Message::decode(&bytes.into()).unwrap().wants.len(), ENTRY_LIMIT);
    }

    #[test]
    fn blocks_that_are_too_large_or_of_another_hash_are_not_taken() {
        let block = |hash: u64, len: usize| {
            let mut prefix = Vec::new();
            [1, DAG_PB, hash, 32].into_iter().for_each(|number| put_varint(&mut prefix, number));
            let (mut payload, mut bytes) = (Vec::new(), Vec::new());
            put_bytes(&mut payload, 1, &prefix);
            put_bytes(&mut payload, 2, &vec![0; len]);
            put_bytes(&mut bytes, 3, &payload);
            Message::decode(&bytes.into())
        };
        assert_eq!(block(SHA2_256, BLOCK_LIMIT).unwrap().blocks.len(), 1);
        assert!(block(SHA2_256, BLOCK_LIMIT + 1).is_err());
        assert!(block(0x1e, 10).unwrap().is_empty());
    }
}
