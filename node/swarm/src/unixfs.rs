//! Files as trees of blocks: UnixFS in dag-pb.
//!
//! Files are written in one layout, that of `ipfs add --cid-version 1 --raw-leaves=false`: chunks of 256 KiB, each in a
//! dag-pb node, and balanced levels of 174 links above them. Every layout that Kubo writes for files can be read.
//! [`encode`] and [`decode`] are pure; [`Walk`] decides which blocks to fetch next, assembles the file, and enforces
//! the limits.

use std::collections::VecDeque;

use bytes::Bytes;
use cid::Cid;

use crate::{
    block::{Block, BlockId, DAG_PB, RAW},
    proto::{Fields, Malformed, put_bytes, put_number},
};

/// Bytes of a file per leaf.
pub const CHUNK: usize = 256 << 10;
/// Number of links of an inner node.
const FAN_OUT: usize = 174;
/// Maximum number of links of a node: eight times the maximum that Kubo writes (1,024).
const LINK_LIMIT: usize = 8192;
/// Maximum depth of a tree: with 174 links per level, an exabyte has depth 7.
const DEPTH_LIMIT: usize = 16;
/// Number of nodes that a file may have in addition to one per …
const NODE_ALLOWANCE: usize = 1024;
/// … this number of bytes, so that a tree of a million empty leaves does not pass as a small file.
const BYTES_PER_NODE: usize = 4096;
/// UnixFS node types that a file consists of.
const TYPE_RAW: u64 = 0;
const TYPE_FILE: u64 = 2;

/// Splits a file into blocks and passes each to `store`, the root last.
///
/// # Errors
/// The errors of `store`.
pub fn encode<E>(content: &[u8], mut store: impl FnMut(Block) -> Result<(), E>) -> Result<BlockId, E> {
    // An empty file is one empty leaf.
    let chunks = content.chunks(CHUNK).chain(content.is_empty().then_some(content));
    let mut level = Vec::with_capacity(content.len().div_ceil(CHUNK));
    for chunk in chunks {
        level.push(Child::store(leaf(chunk), 0, chunk.len() as u64, &mut store)?);
    }
    while level.len() > 1 {
        let parents = level.chunks(FAN_OUT).map(|children| {
            let below = children.iter().map(|child| child.tree_size).sum();
            let file_size = children.iter().map(|child| child.file_size).sum();
            Child::store(inner(children, file_size), below, file_size, &mut store)
        });
        level = parents.collect::<Result<_, _>>()?;
    }
    Ok(level[0].id)
}

/// The id of a file's root block, computed without storing any block.
#[must_use]
pub fn root_of(content: &[u8]) -> BlockId {
    let Ok(root) = encode(content, |_| Ok::<_, std::convert::Infallible>(()));
    root
}

/// A link to a node.
struct Child {
    id: BlockId,
    /// Number of bytes of the file below it.
    file_size: u64,
    /// Total size in bytes of its block and all blocks below it.
    tree_size: u64,
}

impl Child {
    fn store<E>(
        node: Vec<u8>,
        below: u64,
        file_size: u64,
        store: &mut impl FnMut(Block) -> Result<(), E>,
    ) -> Result<Self, E> {
        let tree_size = below + node.len() as u64;
        let block = Block::new(node);
        let id = block.id();
        store(block)?;
        Ok(Self { id, file_size, tree_size })
    }
}

fn leaf(chunk: &[u8]) -> Vec<u8> {
    let mut file = Vec::with_capacity(chunk.len() + 16);
    put_number(&mut file, 1, TYPE_FILE);
    if !chunk.is_empty() {
        put_bytes(&mut file, 2, chunk);
    }
    put_number(&mut file, 3, chunk.len() as u64);
    let mut node = Vec::with_capacity(file.len() + 8);
    put_bytes(&mut node, 1, &file);
    node
}

/// dag-pb writes the links before the data, although their field number is larger.
fn inner(children: &[Child], file_size: u64) -> Vec<u8> {
    let mut node = Vec::new();
    for child in children {
        let mut link = Vec::new();
        put_bytes(&mut link, 1, &child.id.to_cid(DAG_PB).to_bytes());
        put_bytes(&mut link, 2, b"");
        put_number(&mut link, 3, child.tree_size);
        put_bytes(&mut node, 2, &link);
    }
    let mut file = Vec::new();
    put_number(&mut file, 1, TYPE_FILE);
    put_number(&mut file, 3, file_size);
    children.iter().for_each(|child| put_number(&mut file, 4, child.file_size));
    put_bytes(&mut node, 1, &file);
    node
}

/// One node of a file.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// Bytes of the file in this node; they come before those below it.
    pub data: Bytes,
    /// Number of bytes of the file in this node and below it, as claimed by the node.
    pub file_size: u64,
    /// Its links, in order.
    pub links: Vec<Cid>,
}

/// Decodes a node of a file.
///
/// # Errors
/// If it is something else: a directory, a symbolic link, another format, or damaged.
pub fn decode(codec: u64, block: &Bytes) -> Result<Node, Malformed> {
    match codec {
        RAW => Ok(Node { data: block.clone(), file_size: block.len() as u64, links: Vec::new() }),
        DAG_PB => decode_dag_pb(block),
        _ => Err(Malformed("a block is neither dag-pb nor raw")),
    }
}

fn decode_dag_pb(block: &Bytes) -> Result<Node, Malformed> {
    let mut node = Node::default();
    let mut file = None;
    for field in Fields::new(block) {
        match field? {
            (1, value) => file = Some(value.bytes()?),
            (2, _) if node.links.len() == LINK_LIMIT => return Err(Malformed("a node has more than 8192 links")),
            (2, value) => node.links.push(decode_link(value.bytes()?)?),
            _ => return Err(Malformed("a dag-pb node has an unknown field")),
        }
    }
    let file = file.ok_or(Malformed("a dag-pb node has no UnixFS data"))?;
    let (mut kind, mut sizes) = (None, 0);
    for field in Fields::new(file) {
        match field? {
            (1, value) => kind = Some(value.number()?),
            (2, value) => node.data = block.slice_ref(value.bytes()?),
            (3, value) => node.file_size = value.number()?,
            (4, value) => {
                value.number()?;
                sizes += 1;
            }
            // Mode, modification time and future fields.
            _ => {}
        }
    }
    match kind {
        Some(TYPE_RAW | TYPE_FILE) => {}
        Some(1 | 5) => return Err(Malformed("it is a directory")),
        _ => return Err(Malformed("a UnixFS node is not part of a file")),
    }
    if sizes != node.links.len() {
        return Err(Malformed("a UnixFS node does not have one size per link"));
    }
    Ok(node)
}

fn decode_link(link: &[u8]) -> Result<Cid, Malformed> {
    for field in Fields::new(link) {
        if let (1, value) = field? {
            return Cid::try_from(value.bytes()?).map_err(|_| Malformed("a link is not a content identifier"));
        }
    }
    Err(Malformed("a link has no content identifier"))
}

/// Why a file could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WalkError {
    /// It is larger than the limit.
    #[error("it is larger than the limit")]
    TooLarge,
    /// Its blocks do not form a file.
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

/// A block that a walk needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Index that is returned with the block.
    pub ticket: u64,
    /// The block.
    pub id: BlockId,
    /// Codec of the block, also in requests to peers.
    pub codec: u64,
}

/// A file being read: from the root, in order, with a window of requested blocks.
#[derive(Debug)]
pub struct Walk {
    limit: usize,
    nodes_left: usize,
    next_ticket: u64,
    /// Remaining parts, in the order of the file.
    queue: VecDeque<Slot>,
    content: Vec<u8>,
}

#[derive(Debug)]
struct Slot {
    request: Request,
    depth: usize,
    state: State,
}

#[derive(Debug)]
enum State {
    Waiting,
    Requested,
    Arrived(Bytes),
}

impl Walk {
    /// Starts to read the file with this root, up to `limit` bytes.
    ///
    /// # Errors
    /// If the root is not a SHA-256.
    pub fn new(root: &Cid, limit: usize) -> Result<Self, WalkError> {
        let nodes_left = NODE_ALLOWANCE + limit / BYTES_PER_NODE;
        let mut walk = Self { limit, nodes_left, next_ticket: 0, queue: VecDeque::new(), content: Vec::new() };
        let slot = walk.slot(root, 0)?;
        walk.queue.push_back(slot);
        Ok(walk)
    }

    /// Blocks to request now, so that `window` blocks are requested or waiting for an earlier one.
    pub fn requests(&mut self, window: usize) -> Vec<Request> {
        let waiting = self.queue.iter_mut().take(window).filter(|slot| matches!(slot.state, State::Waiting));
        waiting
            .map(|slot| {
                slot.state = State::Requested;
                slot.request
            })
            .collect()
    }

    /// Adds a received block.
    pub fn arrived(&mut self, ticket: u64, bytes: Bytes) {
        if let Some(slot) = self.queue.iter_mut().find(|slot| slot.request.ticket == ticket) {
            slot.state = State::Arrived(bytes);
        }
    }

    /// Processes the received blocks. Returns the file once it is complete.
    ///
    /// # Errors
    /// If it is not a file, or larger than the limit.
    pub fn advance(&mut self) -> Result<Option<Vec<u8>>, WalkError> {
        while let Some(Slot { state: State::Arrived(_), .. }) = self.queue.front() {
            let Some(Slot { state: State::Arrived(bytes), request, depth }) = self.queue.pop_front() else { break };
            let node = decode(request.codec, &bytes)?;
            if node.file_size > self.limit as u64 || node.data.len() > self.limit - self.content.len() {
                return Err(WalkError::TooLarge);
            }
            self.content.extend_from_slice(&node.data);
            for link in node.links.iter().rev() {
                let slot = self.slot(link, depth + 1)?;
                self.queue.push_front(slot);
            }
        }
        Ok(self.queue.is_empty().then(|| std::mem::take(&mut self.content)))
    }

    fn slot(&mut self, cid: &Cid, depth: usize) -> Result<Slot, WalkError> {
        if depth > DEPTH_LIMIT {
            return Err(Malformed("its tree is deeper than 16 levels").into());
        }
        let id = BlockId::from_cid(cid).ok_or(Malformed("a block is not named by its SHA-256"))?;
        self.nodes_left =
            self.nodes_left.checked_sub(1).ok_or(Malformed("it has more blocks than a file of this size"))?;
        self.next_ticket += 1;
        let request = Request { ticket: self.next_ticket, id, codec: cid.codec() };
        Ok(Slot { request, depth, state: State::Waiting })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    type Blocks = HashMap<BlockId, Bytes>;

    fn blocks_of(content: &[u8]) -> (BlockId, Blocks) {
        let mut blocks = Blocks::new();
        let Ok(root) = encode(content, |block| {
            blocks.insert(block.id(), block.bytes().clone());
            Ok::<_, std::convert::Infallible>(())
        });
        (root, blocks)
    }

    /// Reads with a window; blocks arrive in the opposite order of the requests.
    fn read(root: &Cid, blocks: &Blocks, limit: usize, window: usize) -> Result<Vec<u8>, WalkError> {
        let mut walk = Walk::new(root, limit)?;
        let mut on_their_way = Vec::new();
        loop {
            if let Some(content) = walk.advance()? {
                return Ok(content);
            }
            on_their_way.extend(walk.requests(window));
            assert!(on_their_way.len() <= window);
            let request = on_their_way.pop().expect("it waits for something");
            walk.arrived(request.ticket, blocks[&request.id].clone());
        }
    }

    fn patterned(len: usize) -> Vec<u8> {
        (0..len).map(|i| (i * 31 % 251) as u8).collect()
    }

    /// Ids from two other implementations: rust-unixfs 0.6.0 and, for files of one leaf, Kubo 0.22.
    const GOLDEN: &[(usize, &str)] = &[
        (0, "bafybeif7ztnhq65lumvvtr4ekcwd2ifwgm3awq4zfr3srh462rwyinlb4y"),
        (1, "bafybeibyqyrkx66boqbutl5oktknecxgnl43cipcls3knonfmi727rdtnu"),
        (200000, "bafybeieo6wfryps46z33osotkhkfagdi52jw2k77klcdqllh6pfbo6is4y"),
        (262144, "bafybeichir35wlvy6cwamwr66kuenjlit4o5ht5bnuvvtytngj6wo67zku"),
        (262145, "bafybeiejiohmzao67i6j5y33tpsqnlnd3jo2b2aofx4zaz5sngombv6g4e"),
        (1200000, "bafybeifz7jearxtrvblystbilmbribk45a4g5lle5ndtkf3sxcmqubrk7e"),
        (45613056, "bafybeiaqxutmgfuje3vipx5ne7bhpyhf43kbp6sskfes6mgbipzqxi3s6u"),
        (45613057, "bafybeidpto7rm256sjfrprd7aryzcinbhdta6orjs4ze3dbnructpdkh2u"),
        (46137349, "bafybeidzgnbfurdji5lxxnap4kwclnnc4vtmp7x5vsnhrrlszotc7c4vyi"),
    ];

    #[test]
    fn files_are_named_as_kubo_names_them() {
        for &(len, cid) in GOLDEN {
            assert_eq!(root_of(&patterned(len)).to_cid(DAG_PB).to_string(), cid, "{len} bytes");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
        #[test]
        fn any_file_is_read_as_it_was_written(len in 0..3_000_000_usize, seed in any::<u8>(), window in 1..20_usize) {
            let content: Vec<u8> = (0..len).map(|i| (i * 7919 % 65_521) as u8 ^ seed).collect();
            let (root, blocks) = blocks_of(&content);
            let root = root.to_cid(DAG_PB);
            prop_assert!(read(&root, &blocks, len, window).unwrap() == content);
            if len > 0 {
                prop_assert_eq!(read(&root, &blocks, len - 1, window), Err(WalkError::TooLarge));
            }
        }

        #[test]
        fn any_bytes_are_a_node_or_an_error(bytes in any::<Vec<u8>>()) {
            let _ = decode(DAG_PB, &bytes.into());
        }
    }

    #[test]
    fn a_file_of_many_levels_is_read_back() {
        // 175 × 174 chunks would be gigabytes; one leaf that all links share is as deep.
        let content = vec![7; CHUNK * (FAN_OUT + 1)];
        let (root, blocks) = blocks_of(&content);
        assert_eq!(blocks.len(), 4, "the leaf, two inner nodes and the root");
        assert!(read(&root.to_cid(DAG_PB), &blocks, content.len(), 16).unwrap() == content);
    }

    /// A node with these links, each claimed to be of this size.
    fn linking(links: &[BlockId], claimed: u64) -> Bytes {
        let children: Vec<_> = links.iter().map(|&id| Child { id, file_size: claimed, tree_size: claimed }).collect();
        inner(&children, claimed * links.len() as u64).into()
    }

    fn refusal(block: Bytes, others: Blocks) -> WalkError {
        let root = BlockId::of(&block);
        let mut blocks = others;
        blocks.insert(root, block);
        read(&root.to_cid(DAG_PB), &blocks, 1 << 20, 16).unwrap_err()
    }

    #[test]
    fn trees_that_cost_more_than_a_file_are_refused() {
        let empty = Bytes::from(leaf(b""));
        let id = BlockId::of(&empty);
        // A wide one: eight thousand empty leaves.
        let wide = refusal(linking(&vec![id; LINK_LIMIT], 0), Blocks::from([(id, empty.clone())]));
        assert!(wide.to_string().contains("more blocks"), "{wide}");
        let wider = refusal(linking(&vec![id; LINK_LIMIT + 1], 0), Blocks::new());
        assert!(wider.to_string().contains("links"), "{wider}");
        // A deep one.
        let mut blocks = Blocks::from([(id, empty.clone())]);
        let mut top = empty;
        for _ in 0..=DEPTH_LIMIT {
            top = linking(&[BlockId::of(&top)], 0);
            blocks.insert(BlockId::of(&top), top.clone());
        }
        let deep = refusal(top, blocks);
        assert!(deep.to_string().contains("deeper"), "{deep}");
        // One that claims less than it has.
        let full = Bytes::from(leaf(&[1; 400_000]));
        let id = BlockId::of(&full);
        assert_eq!(refusal(linking(&[id; 3], 1), Blocks::from([(id, full)])), WalkError::TooLarge);
    }

    #[test]
    fn what_is_no_file_is_refused() {
        let mut directory = Vec::new();
        put_bytes(&mut directory, 1, &[8, 1]);
        assert!(refusal(directory.into(), Blocks::new()).to_string().contains("directory"));
        let mut sizeless = linking(&[BlockId([1; 32])], 0).to_vec();
        sizeless.truncate(sizeless.len() - 4);
        assert!(matches!(refusal(sizeless.into(), Blocks::new()), WalkError::Malformed(_)));
        for bytes in [&b""[..], b"\x0a", b"hello"] {
            assert!(matches!(refusal(Bytes::copy_from_slice(bytes), Blocks::new()), WalkError::Malformed(_)));
        }
    }
}
