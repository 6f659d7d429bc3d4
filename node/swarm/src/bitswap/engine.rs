//! The bitswap engine: decides what to send to which peer. A state machine without I/O, clock or randomness.
//!
//! Each peer has two sides. As a *client* we want blocks: if only one peer is connected, or one has just delivered, we
//! ask it for the block; otherwise we ask all peers who has it, and then ask one of those. Peers remember wants, so a
//! want is sent once to each, and again after a while in case it was lost.
//!
//! ```text
//! one block at one peer:      (nothing) ──ask──▶ Have? ──HAVE──▶ Has ──ask──▶ Block? ──block──▶ (no longer wanted)
//!                                                  └──DONT_HAVE──▶ Lacks ◀──DONT_HAVE──┘
//! ```
//!
//! As a *server* we remember the wants of each peer, up to a limit, and answer as soon as we have the block. Each peer
//! has a queue of answers, only one message at a time is sent to it, and blocks are loaded only for that message.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    time::{Duration, Instant},
};

use cid::Cid;
use libp2p_identity::PeerId;

use super::message::{Message, Presence, Want, WantKind};
use crate::block::{Block, BlockId};

/// Maximum number of remembered wants of one peer, as in Kubo. Further wants are ignored until some are answered.
pub const WANTS_PER_PEER: usize = 1024;
/// Maximum number of entries of each kind in a message.
const ENTRIES_PER_MESSAGE: usize = 1024;
/// Size in bytes from which no further block is added to a message.
const MESSAGE_TARGET: usize = 512 << 10;
/// An unanswered want is sent again after this time, then after twice that, and so on up to the longest.
const FIRST_PATIENCE: Duration = Duration::from_secs(1);
/// A peer that was asked for a block itself is not asked again before this time: over a slow connection, the block
/// would be sent twice.
const LONGEST_PATIENCE: Duration = Duration::from_secs(32);

/// The state of both sides.
#[derive(Debug, Default)]
pub struct Engine {
    peers: BTreeMap<PeerId, Peer>,
    wanted: HashMap<BlockId, Wanted>,
    /// Peers that can receive a message now.
    ready: BTreeSet<PeerId>,
}

#[derive(Debug, Default)]
struct Peer {
    /// A message to it is being sent.
    busy: bool,
    /// Its wants.
    wants: HashMap<BlockId, PeerWant>,
    /// Wants that can be answered.
    answers: VecDeque<BlockId>,
    /// Wants that we can never answer, because the block is not named by a SHA-256.
    refusals: VecDeque<Cid>,
    /// Our wants as sent to it.
    asked: HashMap<BlockId, WantState>,
    /// Changes of our wants that were not sent to it yet.
    updates: BTreeMap<BlockId, Update>,
}

#[derive(Clone, Copy, Debug)]
struct PeerWant {
    /// CID as used by the peer.
    cid: Cid,
    kind: WantKind,
    send_dont_have: bool,
    /// Whether it is in `answers`.
    queued: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WantState {
    Have,
    Block,
    Has,
    Lacks,
}

#[derive(Clone, Copy, Debug)]
enum Update {
    Ask(Cid, WantKind),
    Cancel(Cid),
}

#[derive(Debug)]
struct Wanted {
    cid: Cid,
    patience: Duration,
    again: Instant,
}

/// A message to send, whose blocks must still be loaded.
#[derive(Debug, Default)]
pub struct MessageDraft {
    /// The message without blocks.
    pub message: Message,
    /// Blocks that the peer wants, with its CIDs.
    pub blocks: Vec<Cid>,
}

impl Engine {
    /// Number of connected peers.
    pub fn peers(&self) -> impl ExactSizeIterator<Item = PeerId> {
        self.peers.keys().copied()
    }

    /// A peer has connected.
    pub fn connected(&mut self, peer: PeerId) {
        let kind = if self.peers.is_empty() { WantKind::Block } else { WantKind::Have };
        self.peers.insert(peer, Peer::default());
        let wanted: Vec<_> = self.wanted.values().map(|wanted| wanted.cid).collect();
        wanted.into_iter().for_each(|cid| self.ask(peer, cid, kind));
    }

    /// A peer has disconnected; its state is dropped.
    pub fn disconnected(&mut self, peer: PeerId) {
        let Some(gone) = self.peers.remove(&peer) else { return };
        self.ready.remove(&peer);
        for (id, asked) in gone.asked {
            if asked == WantState::Block {
                self.ask_another(id);
            }
        }
    }

    /// Adds a want, and asks the peer first that is likely to have the block. Idempotent.
    pub fn want(&mut self, cid: Cid, likely: Option<PeerId>, now: Instant) {
        let Some(id) = BlockId::from_cid(&cid) else { return };
        if self.wanted.contains_key(&id) {
            return;
        }
        self.wanted.insert(id, Wanted { cid, patience: FIRST_PATIENCE, again: now + FIRST_PATIENCE });
        match likely.filter(|likely| self.peers.contains_key(likely)) {
            Some(likely) => self.ask(likely, cid, WantKind::Block),
            None => self.ask_everybody(cid),
        }
    }

    /// Removes a want, because the block has arrived or is no longer needed.
    pub fn unwant(&mut self, id: BlockId) {
        if let Some(wanted) = self.wanted.remove(&id) {
            for (peer, state) in &mut self.peers {
                let untold = matches!(state.updates.remove(&id), Some(Update::Ask(..)));
                // A peer that answered "don't have" also remembers the want.
                if state.asked.remove(&id).is_some() && !untold {
                    state.updates.insert(id, Update::Cancel(wanted.cid));
                    self.ready.insert(*peer);
                }
            }
        }
    }

    /// The wanted blocks.
    pub fn wanted(&self) -> impl Iterator<Item = BlockId> {
        self.wanted.keys().copied()
    }

    /// Repeats unanswered wants.
    pub fn tick(&mut self, now: Instant) {
        let overdue = self.wanted.values_mut().filter(|wanted| wanted.again <= now);
        let overdue: Vec<_> = overdue
            .map(|wanted| {
                wanted.patience = (wanted.patience * 2).min(LONGEST_PATIENCE);
                wanted.again = now + wanted.patience;
                (wanted.cid, wanted.patience == LONGEST_PATIENCE)
            })
            .collect();
        for (cid, is_last) in overdue {
            let Some(id) = BlockId::from_cid(&cid) else { continue };
            let is_only = self.peers.len() == 1;
            let mut holder = None;
            let mut again = Vec::new();
            for (&peer, state) in &self.peers {
                match state.asked.get(&id) {
                    Some(WantState::Block) if !is_last => {}
                    Some(WantState::Block) => again.push((peer, WantKind::Block)),
                    Some(WantState::Has) => holder = Some((peer, WantKind::Block)),
                    _ if is_only => again.push((peer, WantKind::Block)),
                    _ => again.push((peer, WantKind::Have)),
                }
            }
            // Asks a peer that has the block, even if another peer was asked before and has not sent it.
            again.into_iter().chain(holder).for_each(|(peer, kind)| self.ask(peer, cid, kind));
        }
    }

    /// Handles a message from a peer. Returns the wanted blocks in it, each once. `size` returns the size of a stored
    /// block.
    pub fn received(&mut self, peer: PeerId, message: Message, size: impl Fn(BlockId) -> Option<u32>) -> Vec<Block> {
        let Some(state) = self.peers.get_mut(&peer) else { return Vec::new() };
        if message.full {
            state.wants.clear();
            state.answers.clear();
        }
        for want in message.wants {
            state.wants(want, &size);
        }
        if state.has_answers() {
            self.ready.insert(peer);
        }
        for Presence { cid, has } in message.presences {
            if let Some(id) = BlockId::from_cid(&cid) {
                self.presence(peer, id, has);
            }
        }
        let mut received = Vec::new();
        for (_, block) in message.blocks {
            if self.wanted.contains_key(&block.id()) {
                if let Some(state) = self.peers.get_mut(&peer) {
                    // A peer that has sent a block no longer remembers the want.
                    state.asked.remove(&block.id());
                }
                self.unwant(block.id());
                received.push(block);
            }
        }
        received
    }

    /// A block is now stored: queues it for the peers that want it.
    pub fn stored(&mut self, id: BlockId) {
        for (peer, state) in &mut self.peers {
            if let Some(want) = state.wants.get_mut(&id) {
                if !want.queued {
                    want.queued = true;
                    state.answers.push_back(id);
                }
                self.ready.insert(*peer);
            }
        }
    }

    /// A message was sent to a peer, so the next one may be sent.
    pub fn sent(&mut self, peer: PeerId) {
        if let Some(state) = self.peers.get_mut(&peer) {
            state.busy = false;
            self.ready.insert(peer);
        }
    }

    /// Messages to send now, at most one per peer; the caller reports each by [`Engine::sent`].
    pub fn drafts(&mut self, size: impl Fn(BlockId) -> Option<u32>) -> Vec<(PeerId, MessageDraft)> {
        let ready = std::mem::take(&mut self.ready);
        let drafts = ready.into_iter().filter_map(|peer| {
            let state = self.peers.get_mut(&peer)?;
            Some((peer, state.draft(&size)?))
        });
        drafts.collect()
    }

    fn ask(&mut self, peer: PeerId, cid: Cid, kind: WantKind) {
        let (Some(id), Some(state)) = (BlockId::from_cid(&cid), self.peers.get_mut(&peer)) else { return };
        let asked = if kind == WantKind::Block { WantState::Block } else { WantState::Have };
        state.asked.insert(id, asked);
        state.updates.insert(id, Update::Ask(cid, kind));
        self.ready.insert(peer);
    }

    fn ask_everybody(&mut self, cid: Cid) {
        let kind = if self.peers.len() == 1 { WantKind::Block } else { WantKind::Have };
        let peers: Vec<_> = self.peers().collect();
        peers.into_iter().for_each(|peer| self.ask(peer, cid, kind));
    }

    fn presence(&mut self, peer: PeerId, id: BlockId, has: bool) {
        let Some(cid) = self.wanted.get(&id).map(|wanted| wanted.cid) else { return };
        let asked_for_block = |state: &Peer| state.asked.get(&id) == Some(&WantState::Block);
        let somebody_sends_it = self.peers.values().any(asked_for_block);
        let Some(state) = self.peers.get_mut(&peer) else { return };
        let before = state.asked.insert(id, if has { WantState::Has } else { WantState::Lacks });
        match (before, has) {
            // It will be sent.
            (Some(WantState::Block), true) => {
                state.asked.insert(id, WantState::Block);
            }
            (Some(WantState::Block), false) => self.ask_another(id),
            (_, true) if !somebody_sends_it => self.ask(peer, cid, WantKind::Block),
            _ => {}
        }
    }

    /// A peer that was asked for a block does not deliver it.
    fn ask_another(&mut self, id: BlockId) {
        let Some(cid) = self.wanted.get(&id).map(|wanted| wanted.cid) else { return };
        if self.peers.values().any(|state| state.asked.get(&id) == Some(&WantState::Block)) {
            return;
        }
        let holder = self.peers.iter().find(|(_, state)| state.asked.get(&id) == Some(&WantState::Has));
        if let Some((&holder, _)) = holder {
            return self.ask(holder, cid, WantKind::Block);
        }
        let unasked = self.peers.iter().filter(|(_, state)| !state.asked.contains_key(&id));
        let unasked: Vec<_> = unasked.map(|(&peer, _)| peer).collect();
        unasked.into_iter().for_each(|peer| self.ask(peer, cid, WantKind::Have));
    }
}

impl Peer {
    fn has_answers(&self) -> bool {
        !self.answers.is_empty() || !self.refusals.is_empty()
    }

    /// Handles an entry of the peer's wantlist.
    fn wants(&mut self, want: Want, size: &impl Fn(BlockId) -> Option<u32>) {
        match want {
            Want::Cancel(cid) => {
                let removed = BlockId::from_cid(&cid).and_then(|id| Some((id, self.wants.remove(&id)?)));
                if let Some((id, PeerWant { queued: true, .. })) = removed {
                    self.answers.retain(|answer| *answer != id);
                }
            }
            Want::Add { cid, kind, send_dont_have } => {
                let Some(id) = BlockId::from_cid(&cid) else {
                    if send_dont_have && self.refusals.len() < WANTS_PER_PEER {
                        self.refusals.push_back(cid);
                    }
                    return;
                };
                let before = self.wants.get(&id);
                if before.is_none() && self.wants.len() >= WANTS_PER_PEER {
                    return;
                }
                // A want for the block is not downgraded by a later want for its presence.
                let kind = match before {
                    Some(PeerWant { kind: WantKind::Block, .. }) => WantKind::Block,
                    _ => kind,
                };
                let was_queued = before.is_some_and(|before| before.queued);
                let queued = was_queued || send_dont_have || size(id).is_some();
                if queued && !was_queued {
                    self.answers.push_back(id);
                }
                self.wants.insert(id, PeerWant { cid, kind, send_dont_have, queued });
            }
        }
    }

    fn draft(&mut self, size: &impl Fn(BlockId) -> Option<u32>) -> Option<MessageDraft> {
        if self.busy {
            return None;
        }
        let mut draft = MessageDraft::default();
        while draft.message.wants.len() < ENTRIES_PER_MESSAGE
            && let Some((_, update)) = self.updates.pop_first()
        {
            draft.message.wants.push(match update {
                Update::Ask(cid, kind) => Want::Add { cid, kind, send_dont_have: true },
                Update::Cancel(cid) => Want::Cancel(cid),
            });
        }
        let mut bytes = 0;
        while bytes < MESSAGE_TARGET
            && draft.message.presences.len() < ENTRIES_PER_MESSAGE
            && let Some(id) = self.answers.pop_front()
        {
            let Some(want) = self.wants.get_mut(&id) else { continue };
            want.queued = false;
            let PeerWant { cid, kind, send_dont_have, .. } = *want;
            match size(id) {
                Some(size) => {
                    self.wants.remove(&id);
                    match kind {
                        WantKind::Have => draft.message.presences.push(Presence { cid, has: true }),
                        WantKind::Block => {
                            bytes += size as usize;
                            draft.blocks.push(cid);
                        }
                    }
                }
                None if send_dont_have => draft.message.presences.push(Presence { cid, has: false }),
                None => {}
            }
        }
        while draft.message.presences.len() < ENTRIES_PER_MESSAGE
            && let Some(cid) = self.refusals.pop_front()
        {
            draft.message.presences.push(Presence { cid, has: false });
        }
        self.busy = !draft.message.is_empty() || !draft.blocks.is_empty();
        self.busy.then_some(draft)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::DAG_PB;

    fn peer(seed: u8) -> PeerId {
        let secret = libp2p_identity::Keypair::ed25519_from_bytes([seed; 32]).unwrap();
        secret.public().to_peer_id()
    }

    fn block(seed: u8) -> Block {
        Block::new(vec![seed; 100])
    }

    fn cid(block: &Block) -> Cid {
        block.id().to_cid(DAG_PB)
    }

    fn nothing(_: BlockId) -> Option<u32> {
        None
    }

    fn ask(block: &Block, kind: WantKind) -> Message {
        let want = Want::Add { cid: cid(block), kind, send_dont_have: true };
        Message { wants: vec![want], ..Message::default() }
    }

    fn presence(block: &Block, has: bool) -> Message {
        Message { presences: vec![Presence { cid: cid(block), has }], ..Message::default() }
    }

    fn carrying(block: &Block) -> Message {
        Message { blocks: vec![(cid(block), block.clone())], ..Message::default() }
    }

    /// An engine with peers 1 to `count`, whose messages are taken at once.
    struct Stage {
        engine: Engine,
        start: Instant,
    }

    impl Stage {
        fn new(count: u8) -> Self {
            let mut engine = Engine::default();
            (1..=count).for_each(|seed| engine.connected(peer(seed)));
            Self { engine, start: Instant::now() }
        }

        fn drafts(&mut self, size: impl Fn(BlockId) -> Option<u32> + Copy) -> BTreeMap<PeerId, MessageDraft> {
            let drafts = self.engine.drafts(size);
            drafts.iter().for_each(|(peer, _)| self.engine.sent(*peer));
            drafts.into_iter().collect()
        }

        /// The wants that are sent now, with their receivers.
        fn wants(&mut self) -> Vec<(PeerId, Want)> {
            let drafts = self.drafts(nothing);
            drafts
                .into_iter()
                .flat_map(|(peer, draft)| draft.message.wants.into_iter().map(move |w| (peer, w)))
                .collect()
        }

        fn tick(&mut self, seconds: u64) {
            self.engine.tick(self.start + Duration::from_secs(seconds));
        }
    }

    fn asked(seed: u8, block: &Block, kind: WantKind) -> (PeerId, Want) {
        (peer(seed), Want::Add { cid: cid(block), kind, send_dont_have: true })
    }

    fn sorted(mut wants: Vec<(PeerId, Want)>) -> Vec<(PeerId, Want)> {
        wants.sort_by_key(|(peer, _)| *peer);
        wants
    }

    #[test]
    fn the_only_peer_is_asked_for_the_block_and_many_who_has_it() {
        let (wanted, now) = (block(9), Instant::now());
        let mut one = Stage::new(1);
        one.engine.want(cid(&wanted), None, now);
        one.engine.want(cid(&wanted), None, now);
        assert_eq!(one.wants(), [asked(1, &wanted, WantKind::Block)]);

        let mut two = Stage::new(2);
        two.engine.want(cid(&wanted), None, now);
        let everybody = sorted(vec![asked(1, &wanted, WantKind::Have), asked(2, &wanted, WantKind::Have)]);
        assert_eq!(two.wants(), everybody);
        two.engine.received(peer(2), presence(&wanted, true), nothing);
        two.engine.received(peer(1), presence(&wanted, true), nothing);
        assert_eq!(two.wants(), [asked(2, &wanted, WantKind::Block)], "once");
        let got = two.engine.received(peer(2), carrying(&wanted), nothing);
        assert_eq!(got, std::slice::from_ref(&wanted));
        assert_eq!(two.wants(), [(peer(1), Want::Cancel(cid(&wanted)))]);
        assert!(two.engine.received(peer(1), carrying(&wanted), nothing).is_empty(), "it is here already");
    }

    #[test]
    fn a_likely_peer_is_asked_first_and_everybody_if_it_has_not_got_the_block() {
        let wanted = block(9);
        let mut stage = Stage::new(3);
        stage.engine.want(cid(&wanted), Some(peer(1)), stage.start);
        assert_eq!(stage.wants(), [asked(1, &wanted, WantKind::Block)]);
        stage.engine.received(peer(1), presence(&wanted, false), nothing);
        let others = sorted(vec![asked(2, &wanted, WantKind::Have), asked(3, &wanted, WantKind::Have)]);
        assert_eq!(stage.wants(), others);
        // A disconnected peer is not asked.
        stage.engine.received(peer(2), presence(&wanted, true), nothing);
        assert_eq!(stage.wants(), [asked(2, &wanted, WantKind::Block)]);
        stage.engine.received(peer(3), presence(&wanted, true), nothing);
        stage.engine.disconnected(peer(2));
        assert_eq!(stage.wants(), [asked(3, &wanted, WantKind::Block)]);
    }

    #[test]
    fn who_comes_or_comes_back_is_told_what_is_wanted() {
        let wanted = block(9);
        let mut stage = Stage::new(0);
        stage.engine.want(cid(&wanted), None, stage.start);
        assert!(stage.wants().is_empty());
        for _ in 0..2 {
            stage.engine.connected(peer(1));
            assert_eq!(stage.wants(), [asked(1, &wanted, WantKind::Block)]);
            stage.engine.disconnected(peer(1));
        }
        stage.engine.unwant(wanted.id());
        stage.engine.connected(peer(1));
        assert!(stage.wants().is_empty());
    }

    #[test]
    fn what_is_not_answered_is_sent_again_but_not_while_a_block_may_be_on_its_way() {
        let wanted = block(9);
        let mut stage = Stage::new(2);
        stage.engine.want(cid(&wanted), None, stage.start);
        assert_eq!(stage.wants().len(), 2);
        stage.tick(0);
        assert!(stage.wants().is_empty());
        stage.tick(1);
        assert_eq!(stage.wants().len(), 2, "after a second");
        stage.tick(2);
        assert!(stage.wants().is_empty());
        stage.engine.received(peer(1), presence(&wanted, true), nothing);
        assert_eq!(stage.wants(), [asked(1, &wanted, WantKind::Block)]);
        for seconds in [3, 7, 15] {
            stage.tick(seconds);
            assert_eq!(stage.wants(), [asked(2, &wanted, WantKind::Have)], "{seconds}");
        }
        stage.tick(31);
        let both = sorted(vec![asked(1, &wanted, WantKind::Block), asked(2, &wanted, WantKind::Have)]);
        assert_eq!(stage.wants(), both);
        // Do not wait for a peer that announced the block but does not send it.
        stage.engine.received(peer(2), presence(&wanted, true), nothing);
        stage.tick(63);
        assert!(stage.wants().contains(&asked(2, &wanted, WantKind::Block)));
    }

    #[test]
    fn blocks_and_presences_answer_wants_now_or_when_they_come() {
        let (here, late) = (block(1), block(2));
        let is_here = |id| (id == here.id()).then_some(100);
        let mut stage = Stage::new(2);
        stage.engine.received(peer(1), ask(&here, WantKind::Block), is_here);
        stage.engine.received(peer(2), ask(&here, WantKind::Have), is_here);
        let drafts = stage.drafts(is_here);
        assert_eq!(drafts[&peer(1)].blocks, [cid(&here)]);
        assert_eq!(drafts[&peer(2)].message, presence(&here, true));

        stage.engine.received(peer(1), ask(&late, WantKind::Block), is_here);
        stage.engine.received(peer(2), ask(&late, WantKind::Have), is_here);
        let drafts = stage.drafts(is_here);
        assert_eq!(drafts[&peer(1)].message, presence(&late, false));
        assert_eq!(drafts[&peer(2)].message, presence(&late, false));
        stage.engine.stored(late.id());
        let drafts = stage.drafts(|_| Some(100));
        assert_eq!(drafts[&peer(1)].blocks, [cid(&late)]);
        assert_eq!(drafts[&peer(2)].message, presence(&late, true));
        stage.engine.stored(late.id());
        assert!(stage.drafts(|_| Some(100)).is_empty(), "it was answered");
    }

    #[test]
    fn a_want_that_was_cancelled_or_replaced_gets_no_answer() {
        let wanted = block(1);
        let cancel = Message { wants: vec![Want::Cancel(cid(&wanted))], ..Message::default() };
        let replace = Message { full: true, ..Message::default() };
        for end in [cancel, replace] {
            let mut stage = Stage::new(1);
            stage.engine.received(peer(1), ask(&wanted, WantKind::Block), |_| Some(100));
            stage.engine.received(peer(1), end, |_| Some(100));
            assert!(stage.drafts(|_| Some(100)).is_empty());
            stage.engine.stored(wanted.id());
            assert!(stage.drafts(|_| Some(100)).is_empty());
        }
    }

    #[test]
    fn what_cannot_be_here_is_refused() {
        let hash = cid::multihash::Multihash::wrap(0x1e, &[1; 32]).unwrap();
        let cid = Cid::new_v1(DAG_PB, hash);
        let wants = vec![Want::Add { cid, kind: WantKind::Block, send_dont_have: true }];
        let mut stage = Stage::new(1);
        stage.engine.received(peer(1), Message { wants, ..Message::default() }, nothing);
        assert_eq!(stage.drafts(nothing)[&peer(1)].message.presences, [Presence { cid, has: false }]);
    }

    #[test]
    fn a_peer_that_wants_a_million_blocks_is_remembered_for_a_thousand() {
        let mut stage = Stage::new(1);
        let mut number = 0_u32;
        for _ in 0..250 {
            let wants = (0..4000).map(|_| {
                number += 1;
                let cid = BlockId::of(&number.to_le_bytes()).to_cid(DAG_PB);
                Want::Add { cid, kind: WantKind::Block, send_dont_have: true }
            });
            let message = Message { wants: wants.collect(), ..Message::default() };
            stage.engine.received(peer(1), message, nothing);
        }
        let state = &stage.engine.peers[&peer(1)];
        assert_eq!((state.wants.len(), state.answers.len()), (WANTS_PER_PEER, WANTS_PER_PEER));
        // At most one block more than the target is loaded for a message, and one message is being sent.
        let drafts = stage.engine.drafts(|_| Some(400_000));
        assert_eq!(drafts[0].1.blocks.len(), 2);
        assert!(stage.engine.drafts(|_| Some(400_000)).is_empty());
        stage.engine.sent(peer(1));
        assert_eq!(stage.engine.drafts(|_| Some(400_000)).len(), 1);
    }

    #[test]
    fn blocks_that_nobody_asked_for_are_dropped() {
        let mut stage = Stage::new(1);
        assert!(stage.engine.received(peer(1), carrying(&block(1)), nothing).is_empty());
        assert!(
            stage.engine.received(peer(2), carrying(&block(1)), nothing).is_empty(),
            "nor from a disconnected peer"
        );
        stage.engine.received(peer(1), presence(&block(1), true), nothing);
        assert!(stage.wants().is_empty());
    }
}
