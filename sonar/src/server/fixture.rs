//! Campaigns for the tests of this module's pure functions.

use alloy::primitives::{Address, B256};
use sonar_contracts::{CloseReason, Outcome, Terms};
use sonar_protocol::{
    campaign::template::TaskKind,
    event::{Event, LogPosition, Record},
    handover::Published,
    ids::{CampaignId, Digest, Version, WindowIndex},
    projection::Label,
    regime::Regime,
    units::{Amount, Timestamp},
    view::{CampaignView, World},
};
use syft::Ppm;

/// A name that a stranger could choose.
pub const EVIL_NAME: &str = "=cmd|'/C calc'!A0,\"</title><script>alert(1)</script>&\u{FFFF}";
/// 2027-01-15T08:00:00Z
pub const BEGIN: u64 = 1_800_000_000;
const BOUNTY: u128 = 1_000_000;

/// A label with this name.
pub fn label(name: &str) -> Label {
    Label {
        name: name.into(),
        regime: Regime::Encrypted,
        task: TaskKind::Classification,
        organisation: None,
        parent: None,
    }
}

/// A miner.
pub fn miner(number: u8) -> Address {
    Address::repeat_byte(0xA0 + number)
}

/// A world that is told event by event, a second and a block for each.
pub struct Story {
    pub world: World,
    block: u64,
}

impl Story {
    /// A world without campaigns.
    pub fn new() -> Self {
        Self { world: World::default(), block: 0 }
    }

    fn say(&mut self, event: Event) {
        self.block += 1;
        let at = LogPosition {
            block: self.block,
            block_hash: B256::ZERO,
            timestamp: Timestamp::from_unix(BEGIN + self.block),
            transaction: B256::with_last_byte(self.block as u8),
            index: 0,
        };
        self.world.apply(&Record { at, event }).unwrap();
    }

    /// Opens and activates a campaign with the grid step as starting accuracy.
    pub fn open(&mut self, salt: u8) -> CampaignId {
        let id = CampaignId::from([salt; 32]);
        let terms = Terms {
            owner: Address::repeat_byte(0xB0),
            capsule: Address::repeat_byte(0xC0),
            bounty: BOUNTY + u128::from(salt),
            targetPpm: 900_000,
            gridPpm: 10_000,
            windowSize: 64,
            windowSeconds: 60,
            maxSubmissions: 65_535,
            deadline: BEGIN + 1_000_000 - u64::from(salt),
            ..Terms::default()
        };
        self.say(Event::Opened { id, terms: Box::new(terms.try_into().unwrap()), window_start: B256::ZERO });
        let first = Published { material: Digest([1; 32]), root: B256::ZERO, handover: B256::ZERO };
        self.say(Event::Activated { id, start_ppm: Ppm::of(1, 100), first, certificate: Digest([2; 32]) });
        id
    }

    /// Submits for each of these miners.
    pub fn submit(&mut self, id: CampaignId, miners: &[u8]) {
        for number in miners {
            let view = self.world.campaign(id).unwrap();
            let (version, window) = (view.version(), view.window.index);
            let index = view.window.submissions.len() as u32;
            let content = Digest([*number; 32]);
            self.say(Event::Submitted { id, miner: miner(*number), version, window, index, content });
        }
    }

    /// Settles the window. Each accepted submission earns 1,000 and a point.
    pub fn settle(&mut self, id: CampaignId, outcomes: &[Outcome]) {
        let view = self.world.campaign(id).unwrap().clone();
        let (window, version) = (view.window.index, view.version());
        let mut best_ppm = view.best_ppm;
        for (index, (outcome, submission)) in (0..).zip(outcomes.iter().zip(&view.window.submissions)) {
            if let Outcome::Accepted(step) = outcome {
                best_ppm = view.terms.grid().saturating_mul(*step);
                let (delta_ppm, amount) = (Ppm::of(1, 100), Amount::from(1_000_u128));
                self.say(Event::Awarded { id, miner: submission.miner, window, index, delta_ppm, amount });
            }
        }
        let (outcomes, next, window_start) = (outcomes.to_vec(), None, B256::ZERO);
        self.say(Event::Settled { id, window, version, outcomes, best_ppm, next, window_start });
    }

    /// Closes, delivers and convicts.
    pub fn end(&mut self, id: CampaignId) {
        self.say(Event::Closed { id, reason: CloseReason::Owner, refunded: Amount::ZERO });
        self.say(Event::Finalized { id, result: Digest([3; 32]), handovers: Vec::new() });
        let (version, refunded, compensation) = (Version(1), Amount::ZERO, Amount::ZERO);
        self.say(Event::Convicted { id, version, refunded, compensation });
    }

    /// A campaign.
    pub fn view(&self, id: CampaignId) -> &CampaignView {
        self.world.campaign(id).unwrap()
    }
}

/// A campaign with an accepted, a refused and a rejected submission, and a pending one.
pub fn mixed() -> (Story, CampaignId) {
    let mut story = Story::new();
    let id = story.open(1);
    story.submit(id, &[1, 2, 3]);
    story.settle(id, &[Outcome::Accepted(30), Outcome::NotImproved, Outcome::Rejected(4)]);
    story.submit(id, &[2]);
    assert_eq!(story.view(id).window.index, WindowIndex(1));
    (story, id)
}

/// Checks that tags are balanced, attributes quoted, and entities known, as a strict reader of XML does.
pub fn assert_well_formed(document: &str) {
    let mut open = Vec::new();
    let mut rest = document;
    while let Some((text, after)) = rest.split_once('<') {
        assert_plain(text);
        let (tag, after) = after.split_once('>').expect("every tag ends");
        rest = after;
        if tag.starts_with('?') {
            continue;
        }
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name));
            continue;
        }
        let name = tag.split([' ', '/']).next().unwrap();
        assert!(name.chars().all(|c| c.is_ascii_alphabetic()), "{name}");
        for (place, part) in tag.split('"').enumerate() {
            if place % 2 == 1 {
                assert_plain(part);
            }
        }
        assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
        if !tag.ends_with('/') {
            open.push(name);
        }
    }
    assert_plain(rest);
    assert_eq!(open, [""; 0]);
}

fn assert_plain(text: &str) {
    assert!(!text.contains(['<', '>', '\u{FFFF}', '\0']), "{text}");
    for entity in text.split('&').skip(1) {
        let (name, _) = entity.split_once(';').expect("every entity ends");
        assert!(["amp", "lt", "gt", "quot", "#39"].contains(&name), "{name}");
    }
}
