//! A campaign in a test: each step is an event of the chain.

use alloy::primitives::{Address, B256, U256};
use sonar_contracts::{AuditTerms, CloseReason, Outcome, State, Terms, payout};
use sonar_node::vault::{SecretStore, VaultError};
use sonar_protocol::{
    event::{Event, LogPosition, Record},
    handover::Published,
    ids::{CampaignId, Digest, Version, WindowIndex},
    units::{Amount, Timestamp},
    view::{CampaignView, World},
};
use syft::{Ppm, privacy::Zcdp};

use crate::policy::Protection;

pub const ME: Address = Address::repeat_byte(0x4D);
pub const OTHER: Address = Address::repeat_byte(0x0F);
const ID: CampaignId = CampaignId(B256::repeat_byte(0xC0));
const START_PPM: u32 = 100_000;
const GRID_PPM: u32 = 5_000;
pub const STAKE: u128 = 3 * sonar_contracts::STAKE_UNIT;

/// A campaign and the chain around it.
pub struct Story {
    /// The world that the Mine keeps.
    pub world: World,
    /// The complete world, for comparison.
    pub everyone: World,
    pub now: Timestamp,
    logs: u64,
}

pub fn terms() -> Terms {
    Terms {
        owner: Address::repeat_byte(1),
        token: Address::ZERO,
        bounty: 1_000_000_007,
        startPpm: START_PPM,
        tolerancePpm: 20_000,
        targetPpm: 900_000,
        gridPpm: GRID_PPM,
        maxSubmissions: 100,
        maxAccepts: 20,
        windowSize: 3,
        windowSeconds: 60,
        capPerVersion: 2,
        deadline: 100_000,
        activationSeconds: 60,
        evaluationSeconds: 3_600,
        deliverySeconds: 86_400,
        capsule: Address::repeat_byte(2),
        feePpm: 10_000,
        stake: 100_000_001,
        submissionStake: STAKE,
        manifest: B256::repeat_byte(4),
        audit: AuditTerms { period: 604_800, keys: B256::repeat_byte(5), ..AuditTerms::default() },
        salt: B256::ZERO,
    }
}

/// The protection of these terms.
pub fn protection() -> Protection {
    crate::planner::protection(&terms())
}

fn ppm(ppm: u32) -> Ppm {
    Ppm::new(ppm).unwrap()
}

/// The published form of a placeholder material.
fn published(mark: u8) -> Published {
    Published { material: Digest([mark; 32]), root: B256::ZERO, handover: B256::ZERO }
}

impl Story {
    pub fn opened() -> Self {
        let mut story =
            Self { world: World::of(ME), everyone: World::default(), now: Timestamp::from_unix(1_000), logs: 0 };
        story.say(Event::Opened { id: ID, terms: Box::new(terms().try_into().unwrap()), window_start: B256::ZERO });
        story
    }

    pub fn campaign(&self) -> &CampaignView {
        self.world.campaign(ID).expect("it was opened")
    }

    fn with_everyone(&self) -> &CampaignView {
        self.everyone.campaign(ID).expect("it was opened")
    }

    pub fn takes(&self) -> bool {
        self.campaign().takes_submissions(self.now)
    }

    pub fn activate(&mut self) {
        let certificate = Digest([9; 32]);
        self.say(Event::Activated { id: ID, start_ppm: ppm(START_PPM), first: published(1), certificate });
    }

    pub fn submit(&mut self, miner: Address) {
        let window = &self.campaign().window;
        let event = Event::Submitted {
            id: ID,
            miner,
            version: window.version,
            window: window.index,
            index: u32::try_from(window.submissions.len()).unwrap(),
            content: Digest([u8::try_from(self.logs % 251).unwrap() + 1; 32]),
        };
        self.say(event);
    }

    /// Settles the window: for each submission the grid steps of its improvement, if any.
    pub fn settle(&mut self, gains: &[Option<u16>]) {
        let campaign = self.campaign();
        let (window, version) = (campaign.window.index, campaign.window.version);
        let miners: Vec<_> = campaign.window.submissions.iter().map(|s| s.miner).collect();
        let mut best = campaign.best_ppm.get();
        let mut outcomes = Vec::new();
        for ((index, miner), gain) in (0..).zip(miners).zip(gains) {
            let Some(gain) = gain else {
                outcomes.push(Outcome::NotImproved);
                continue;
            };
            let new = best + u32::from(*gain) * GRID_PPM;
            outcomes.push(Outcome::Accepted(u16::try_from(new / GRID_PPM).unwrap()));
            self.award(window, index, miner, (best, new));
            best = new;
        }
        self.say(Event::Settled {
            id: ID,
            window,
            version,
            best_ppm: ppm(best),
            next: gains.iter().any(Option::is_some).then(|| published(u8::try_from(version.0 % 250).unwrap() + 2)),
            outcomes,
            window_start: B256::ZERO,
        });
    }

    /// Settles the window: all its submissions are rejected for their form.
    pub fn reject(&mut self) {
        let campaign = self.campaign();
        let (window, version, best_ppm) = (campaign.window.index, campaign.window.version, campaign.best_ppm);
        let miners: Vec<_> = campaign.window.submissions.iter().map(|s| s.miner).collect();
        if miners.is_empty() || campaign.state != State::Open {
            return;
        }
        let outcomes = vec![Outcome::Rejected(10); miners.len()];
        let window_start = B256::ZERO;
        self.say(Event::Settled { id: ID, window, version, best_ppm, next: None, outcomes, window_start });
    }

    fn award(&mut self, window: WindowIndex, index: u32, miner: Address, (best, new): (u32, u32)) {
        let terms = terms();
        self.say(Event::Awarded {
            id: ID,
            miner,
            window,
            index,
            delta_ppm: ppm(new.min(terms.targetPpm) - best.min(terms.targetPpm)),
            amount: payout(terms.bounty, terms.targetPpm, best, new).into(),
        });
    }

    /// Settles the current window, if any; the first submission is accepted if `accept`.
    pub fn settle_all(&mut self, accept: bool) {
        let count = self.campaign().window.submissions.len();
        if count == 0 || self.campaign().state != State::Open {
            return;
        }
        let room = self.campaign().best_ppm.get() + GRID_PPM <= 1_000_000;
        let mut gains = vec![None; count];
        gains[0] = (accept && room).then_some(1);
        self.settle(&gains);
    }

    pub fn close(&mut self) {
        self.say(Event::Closed { id: ID, reason: CloseReason::Owner, refunded: Amount::ZERO });
    }

    pub fn close_if_idle(&mut self) {
        let campaign = self.campaign();
        if campaign.window.submissions.is_empty() && campaign.state == State::Open {
            self.close();
        }
    }

    pub fn withdraw(&mut self, account: Address) {
        let amount = self.with_everyone().owed(account);
        if amount != Amount::ZERO {
            self.say(Event::Withdrawn { id: ID, account, to: account, amount });
        }
    }

    pub fn withdraw_stake(&mut self, account: Address) {
        let amount = self.with_everyone().stakes(account).free;
        if amount != Amount::ZERO {
            self.say(Event::StakeWithdrawn { id: ID, account, to: account, amount });
        }
    }

    fn say(&mut self, event: Event) {
        self.logs += 1;
        self.now = self.now.plus(1_u32);
        let at = LogPosition {
            block: self.logs,
            block_hash: B256::from(U256::from(self.logs)),
            timestamp: self.now,
            transaction: B256::from(U256::from(self.logs)),
            index: 0,
        };
        let record = Record { at, event };
        for world in [&mut self.world, &mut self.everyone] {
            world.apply(&record).expect("tests tell possible stories");
        }
    }
}

/// The record of an update trained on these data sets.
pub fn update(campaign: u8, version: u32, data: &[&str], cost: Option<Zcdp>) -> crate::outbox::UpdateRecord {
    crate::outbox::UpdateRecord {
        campaign: CampaignId::from([campaign; 32]),
        version: Version(version),
        data: data.iter().map(|name| name.parse().unwrap()).collect(),
        rows: 7,
        cost,
        made_at: Timestamp::from_unix(1),
        train_ms: 2,
        encrypt_ms: 3,
        bytes_down: 4,
        bytes_up: 5,
    }
}

/// A store that a test can look into.
#[derive(Default)]
pub struct Memory(std::sync::Mutex<std::collections::BTreeMap<String, Vec<u8>>>);

impl SecretStore for Memory {
    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), VaultError> {
        self.0.lock().unwrap().insert(name.into(), bytes.to_vec());
        Ok(())
    }

    fn get(&self, name: &str) -> Result<zeroize::Zeroizing<Vec<u8>>, VaultError> {
        let entries = self.0.lock().unwrap();
        let bytes = entries.get(name).cloned();
        bytes.map(zeroize::Zeroizing::new).ok_or_else(|| VaultError::Missing(name.into()))
    }

    fn remove(&self, name: &str) -> Result<(), VaultError> {
        self.0.lock().unwrap().remove(name);
        Ok(())
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>, VaultError> {
        let entries = self.0.lock().unwrap();
        Ok(entries.keys().filter(|name| name.starts_with(prefix)).cloned().collect())
    }
}
