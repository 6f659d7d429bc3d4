//! A made-up history that the contracts could have written: campaigns are opened, activated, served, settled, closed,
//! delivered and paid. A pure function of its size and seed.
//!
//! Some dozens of campaigns run at a time. A campaign has a fate from the beginning (delivered, declined, still open …) and
//! a number of submissions; its miners come from a small group and submit again and again, as real ones do. The first
//! campaign is fifty times as large as the others. Each block holds a few transactions; what is due later (a settlement, a
//! delivery, a withdrawal) waits in a queue for its block.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
};

use alloy::{
    primitives::{Address, B256, U256, keccak256},
    signers::local::PrivateKeySigner,
    sol_types::SolEvent,
};
use sonar_contracts::{
    AuditTerms, CapsuleRegistry, CloseReason, Deployment, EIGHTHS, Handover, Outcome, Publication, Terms, campaign_id,
    charged_eighths, earned_fee, fee, handover_hash, payout,
};

use crate::{
    chain::{Chain, CompactSubmission},
    contract::{self, Campaigns},
};

/// Unix time of the first block.
const GENESIS: u64 = 1_700_000_000;
/// Seconds between blocks.
const BLOCK_SECONDS: u64 = 12;
/// Transactions in a block.
const BLOCK_TRANSACTIONS: u16 = 6;
/// Campaigns that run at the same time.
const CONCURRENT: usize = 50;
/// Blocks until a Capsule or an account does what it may do.
const REACTION_BLOCKS: u64 = 3;
/// The contract takes no more submissions to one campaign than fit into 16 bits.
const MOST_SUBMISSIONS: u32 = 65_535;
/// Submissions of the first campaign: this share of all, in percent …
const LARGEST_PERCENT: u32 = 5;
/// … and at most so many.
const LARGEST: u32 = 50_000;

const COIN: u128 = 1_000_000_000_000_000_000;
const SUBMISSION_STAKE: u128 = COIN / 2_000;
const STAKE: u128 = COIN;
const FEE_PPM: u32 = 20_000;
const GRID_PPM: u32 = 5_000;
const START_PPM: u32 = 100_000;
const TARGET_PPM: u32 = 900_000;
const WINDOW_SECONDS: u32 = 3_600;
const DEADLINE: u64 = 4_000_000_000;

/// How long a history is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Campaigns.
    pub campaigns: u32,
    /// Submissions to all campaigns.
    pub submissions: u32,
    /// Accounts that submit.
    pub miners: u32,
}

impl Size {
    /// A part of it, with at least one campaign, a submission to each, and enough miners for a window.
    #[must_use]
    pub fn divided_by(self, parts: u32) -> Self {
        let campaigns = (self.campaigns / parts).max(1);
        Self {
            campaigns,
            submissions: (self.submissions / parts).max(campaigns),
            miners: (self.miners / parts).max(LARGEST_WINDOW.into()),
        }
    }
}

/// Submissions of the largest window.
const LARGEST_WINDOW: u16 = 16;

/// Pseudo-random numbers that are the same everywhere and forever (SplitMix64).
#[derive(Clone, Debug)]
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Less than `bound`, which is not 0.
    fn below(&mut self, bound: u32) -> u32 {
        u32::try_from(self.next() % u64::from(bound.max(1))).unwrap_or_default()
    }

    fn percent(&mut self, percent: u32) -> bool {
        self.below(100) < percent
    }
}

/// How a campaign ends within the history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// Never activated, given back.
    Refunded,
    /// Declined by its Capsule.
    Declined,
    /// Still takes submissions at the end of the history.
    Open,
    /// Closed and not yet delivered.
    Closed,
    /// Closed, and its Capsule did not deliver.
    Expired,
    /// Delivered; the Capsule's stake is still locked.
    Finalized,
    /// Delivered, and the stake is free again.
    Released,
}

impl Fate {
    fn of(place: u32, campaigns: u32) -> Self {
        let last = (campaigns / 20).max(1);
        match place % 20 {
            _ if place + last >= campaigns => Self::Open,
            3 => Self::Refunded,
            9 => Self::Declined,
            12 => Self::Closed,
            15 => Self::Expired,
            18 => Self::Finalized,
            _ => Self::Released,
        }
    }

    fn submits(self) -> bool {
        !matches!(self, Self::Refunded | Self::Declined)
    }
}

/// Something that is due at a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Task {
    /// The Capsule activates, declines, or lets the time pass.
    Answer,
    /// The window with this index is settled if it is closed.
    Settle(u32),
    /// The owner closes.
    Close,
    /// The Capsule delivers, or does not.
    Deliver,
    /// The audit ends.
    Release,
    /// A miner takes what it earned, then its stake.
    Withdraw(u32),
    WithdrawStake(u32),
    /// So do owner and Capsule.
    WithdrawOwner,
    WithdrawCapsule,
}

#[derive(Clone, Debug, Default)]
struct Account {
    owed: u128,
    // Eighths of stakes that the contract has.
    eighths: u32,
}

#[derive(Clone, Debug)]
struct Campaign {
    id: B256,
    terms: Terms,
    fate: Fate,
    /// Submissions that it gets.
    quota: u32,
    /// Submissions that are accepted in all.
    planned: u32,
    reason: CloseReason,
    /// The miners that take part: so many from this one on.
    first_miner: u32,
    group: u32,
    open: bool,
    version: u32,
    window: u32,
    closes_at: u64,
    submitters: Vec<u32>,
    submissions: u32,
    accepts: u32,
    best: u32,
    awarded: u128,
    refund: U256,
    accounts: BTreeMap<u32, Account>,
}

impl Campaign {
    fn is_full(&self) -> bool {
        self.submitters.len() == usize::from(self.terms.windowSize) || self.submissions == self.terms.maxSubmissions
    }

    fn takes(&self, now: u64) -> bool {
        self.open && !self.is_full() && (self.submitters.is_empty() || now < self.closes_at)
    }

    fn left(&self) -> u32 {
        self.quota.saturating_sub(self.submissions)
    }
}

/// The parties and the campaigns that are not over, from which the history goes on.
#[derive(Clone, Debug)]
pub struct History {
    dice: Dice,
    capsules: Vec<Address>,
    quotas: Vec<u32>,
    miners: u32,
    /// Campaigns that run, by their place.
    running: BTreeMap<u32, Campaign>,
    /// Places of those that get more submissions.
    taking: Vec<u32>,
    due: BinaryHeap<Reverse<(u64, u32, Task)>>,
}

/// The key of the miner whose Mine is measured: the first one.
#[must_use]
pub fn first_miner(seed: u64) -> PrivateKeySigner {
    // Any hash but zero and those above the group's order, which nobody meets, is a key.
    PrivateKeySigner::from_bytes(&word(seed, "miner", 0)).expect("a hash is a key")
}

fn word(seed: u64, what: &str, number: u64) -> B256 {
    keccak256([what.as_bytes(), &seed.to_be_bytes(), &number.to_be_bytes()].concat())
}

fn address(seed: u64, what: &str, number: u64) -> Address {
    Address::from_word(word(seed, what, number))
}

impl History {
    /// Makes a history of this size on a fresh chain. What comes back can make it longer.
    #[must_use]
    pub fn generate(size: Size, seed: u64, contracts: Deployment) -> (Self, Chain) {
        let others = (1..u64::from(size.miners)).map(|number| address(seed, "miner", number));
        let miners = std::iter::once(first_miner(seed).address()).chain(others).collect();
        let mut chain = Chain::new(contracts, miners);
        chain.seal(GENESIS);
        let mut dice = Dice(seed);
        let capsules = (0..u64::from(size.campaigns / 20).clamp(1, 20)).map(|number| address(seed, "capsule", number));
        let mut history = Self {
            capsules: capsules.collect(),
            quotas: quotas(size, &mut dice),
            miners: size.miners,
            dice,
            running: BTreeMap::new(),
            taking: Vec::new(),
            due: BinaryHeap::new(),
        };
        history.register(seed, &mut chain);
        while history.step(seed, size, &mut chain) {}
        (history, chain)
    }

    /// Adds blocks until one more submission to an open campaign is in the last of them.
    pub fn append_submission(&mut self, chain: &mut Chain) {
        let places: Vec<_> =
            self.running.iter().filter(|(_, campaign)| campaign.open).map(|(place, _)| *place).collect();
        let place = places[self.dice.below(places.len() as u32) as usize];
        let now = chain.timestamp() + BLOCK_SECONDS;
        if !self.running[&place].takes(now) {
            self.settle(place, chain);
            seal(chain);
        }
        self.submit(place, chain);
        seal(chain);
    }

    /// Adds empty blocks.
    pub fn append_empty(&mut self, blocks: u64, chain: &mut Chain) {
        (0..blocks).for_each(|_| seal(chain));
    }

    fn register(&mut self, seed: u64, chain: &mut Chain) {
        let contracts = *chain.contracts();
        for (number, operator) in (0..).zip(self.capsules.clone()) {
            let mut emit = |event| chain.emit(contracts.registry, event);
            emit(encoded(&CapsuleRegistry::Registered {
                operator,
                attester: address(seed, "attester", number),
                fingerprint: word(seed, "fingerprint", number),
                certificate: word(seed, "certificate", number),
                endpoint: "http://127.0.0.1:1".into(),
                feePpm: FEE_PPM,
            }));
            emit(encoded(&CapsuleRegistry::Deposited { operator, amount: U256::from(1_000 * STAKE) }));
            chain.end_transaction();
            chain.emit(contracts.registry, contract::authorized(&contracts, operator));
            chain.end_transaction();
        }
        seal(chain);
    }

    /// One transaction, or the end of a block; false at the end of the history.
    fn step(&mut self, seed: u64, size: Size, chain: &mut Chain) -> bool {
        let next = chain.head() + 1;
        if chain.transactions() >= BLOCK_TRANSACTIONS {
            seal(chain);
        } else if let Some(&Reverse((block, place, task))) = self.due.peek()
            && block <= next
        {
            self.due.pop();
            self.perform(place, task, chain);
        } else if self.taking.len() < CONCURRENT && chain.campaigns().len() < self.quotas.len() {
            self.open(seed, size, chain);
        } else if let Some(place) = self.choose(chain.timestamp() + BLOCK_SECONDS) {
            self.submit(place, chain);
        } else if !self.due.is_empty() || !self.taking.is_empty() || chain.transactions() > 0 {
            seal(chain);
        } else {
            return false;
        }
        true
    }

    fn schedule(&mut self, blocks: u64, place: u32, task: Task, chain: &Chain) {
        self.due.push(Reverse((chain.head() + blocks, place, task)));
    }

    /// The one of three campaigns that has most left to get, so that all end at about the same time.
    fn choose(&mut self, now: u64) -> Option<u32> {
        let count = u32::try_from(self.taking.len()).ok().filter(|count| *count > 0)?;
        let running = &self.running;
        let candidates: Vec<_> = (0..3).map(|_| self.taking[self.dice.below(count) as usize]).collect();
        let takes = |place: &u32| running[place].takes(now);
        let chosen = candidates.into_iter().filter(takes).max_by_key(|place| running[place].left());
        chosen.or_else(|| self.taking.iter().copied().find(takes))
    }

    fn open(&mut self, seed: u64, size: Size, chain: &mut Chain) {
        let number = chain.campaigns().len() as u64;
        let place = u32::try_from(number).unwrap_or(u32::MAX);
        let quota = self.quotas[place as usize];
        let fate = Fate::of(place, size.campaigns);
        let capsule = self.dice.below(self.capsules.len() as u32);
        let window = 8 + self.dice.below(u32::from(LARGEST_WINDOW) - 7);
        let reason = match self.dice.below(4) {
            0 => CloseReason::Target,
            1 => CloseReason::LeakBudget,
            2 => CloseReason::Owner,
            _ => CloseReason::Limit,
        };
        let planned = (quota / 40).clamp(1, 4 + self.dice.below(16));
        let contracts = *chain.contracts();
        let in_tokens = self.dice.percent(20);
        let terms = Terms {
            owner: address(seed, "owner", self.dice.below(size.campaigns.div_ceil(5)).into()),
            token: if in_tokens { contracts.datacoin } else { Address::ZERO },
            bounty: u128::from(1 + self.dice.below(9)) * COIN,
            startPpm: START_PPM,
            tolerancePpm: 20_000,
            targetPpm: TARGET_PPM,
            gridPpm: GRID_PPM,
            maxSubmissions: if reason == CloseReason::Limit && fate != Fate::Open { quota } else { MOST_SUBMISSIONS },
            maxAccepts: 255,
            windowSize: u16::try_from(window.min(size.miners)).unwrap_or(1),
            windowSeconds: WINDOW_SECONDS,
            capPerVersion: 255,
            deadline: DEADLINE,
            activationSeconds: 600,
            evaluationSeconds: 600,
            deliverySeconds: 600,
            audit: AuditTerms { period: 600, keys: word(seed, "audit keys", number), ..AuditTerms::default() },
            capsule: self.capsules[capsule as usize],
            feePpm: FEE_PPM,
            stake: STAKE,
            submissionStake: if self.dice.percent(50) { SUBMISSION_STAKE } else { 0 },
            manifest: word(seed, "manifest", number),
            salt: word(seed, "salt", number),
        };
        let campaigns = contract::campaigns(&contracts);
        let id = campaign_id(contracts.chain_id, campaigns, &terms);
        chain.add_campaign(id);
        let (owner, capsule, window_start) = (terms.owner, terms.capsule, start_of(id, 0));
        let opened = Campaigns::Opened { id, owner, capsule, terms: terms.clone(), windowStart: window_start };
        chain.emit(campaigns, encoded(&opened));
        chain.end_transaction();
        let group = (quota / 10).max(2 * u32::from(terms.windowSize)).min(self.miners);
        self.running.insert(
            place,
            Campaign {
                id,
                fate,
                quota,
                planned,
                reason,
                first_miner: self.dice.below(self.miners),
                group,
                open: false,
                version: 0,
                window: 0,
                closes_at: 0,
                submitters: Vec::new(),
                submissions: 0,
                accepts: 0,
                best: START_PPM,
                awarded: 0,
                refund: U256::ZERO,
                accounts: BTreeMap::new(),
                terms,
            },
        );
        self.schedule(1 + REACTION_BLOCKS, place, Task::Answer, chain);
    }

    fn submit(&mut self, place: u32, chain: &mut Chain) {
        let now = chain.timestamp() + BLOCK_SECONDS;
        let campaign = self.running.get_mut(&place).expect("only running campaigns are chosen");
        // One submission of each miner to a window: the next free one of the group.
        let mut of_group = self.dice.below(campaign.group);
        let miner = loop {
            let miner = (campaign.first_miner + of_group) % self.miners;
            if !campaign.submitters.contains(&miner) {
                break miner;
            }
            of_group = (of_group + 1) % campaign.group;
        };
        chain.submit(CompactSubmission {
            campaign: place,
            miner,
            version: campaign.version,
            window: campaign.window,
            index: campaign.submitters.len() as u32,
        });
        chain.end_transaction();
        if campaign.submitters.is_empty() {
            campaign.closes_at = now + u64::from(WINDOW_SECONDS);
        }
        campaign.submitters.push(miner);
        campaign.submissions += 1;
        campaign.accounts.entry(miner).or_default().eighths = EIGHTHS;
        let (window, first, full) = (campaign.window, campaign.submitters.len() == 1, campaign.is_full());
        if campaign.left() == 0 {
            self.taking.retain(|taking| *taking != place);
        }
        if full {
            self.schedule(1 + REACTION_BLOCKS, place, Task::Settle(window), chain);
        } else if first {
            let blocks = u64::from(WINDOW_SECONDS) / BLOCK_SECONDS;
            self.schedule(blocks + 1 + REACTION_BLOCKS, place, Task::Settle(window), chain);
        }
    }

    fn perform(&mut self, place: u32, task: Task, chain: &mut Chain) {
        let Some(campaign) = self.running.get(&place) else {
            return;
        };
        match task {
            Task::Answer => self.answer(place, chain),
            Task::Settle(window) => {
                // The windows of campaigns that stay open are left as they are when the history ends.
                let left = campaign.fate == Fate::Open && campaign.left() == 0;
                if campaign.open && campaign.window == window && !campaign.submitters.is_empty() && !left {
                    self.settle(place, chain);
                }
            }
            Task::Close => self.close(place, CloseReason::Owner, chain),
            Task::Deliver => self.deliver(place, chain),
            Task::Release => self.release(place, chain),
            Task::Withdraw(miner) => self.withdraw(place, miner, chain),
            Task::WithdrawStake(miner) => self.withdraw_stake(place, miner, chain),
            Task::WithdrawOwner => self.withdraw_owner(place, chain),
            Task::WithdrawCapsule => {
                let fee = earned_fee(campaign.terms.bounty, FEE_PPM, campaign.awarded);
                let account = campaign.terms.capsule;
                emit_withdrawn(chain, campaign.id, account, fee);
            }
        }
    }

    fn answer(&mut self, place: u32, chain: &mut Chain) {
        let contracts = *chain.contracts();
        let campaigns = contract::campaigns(&contracts);
        let campaign = self.running.get_mut(&place).expect("it runs");
        let (id, terms) = (campaign.id, &campaign.terms);
        if !campaign.fate.submits() {
            if campaign.fate == Fate::Declined {
                chain.emit(campaigns, encoded(&Campaigns::Declined { id, reason: 1 }));
            }
            campaign.refund = U256::from(terms.bounty) + fee(terms.bounty, FEE_PPM);
            chain.emit(campaigns, encoded(&Campaigns::Refunded { id, amount: campaign.refund }));
            chain.end_transaction();
            self.schedule(1 + REACTION_BLOCKS, place, Task::WithdrawOwner, chain);
            return;
        }
        (campaign.open, campaign.version) = (true, 1);
        let first = publication(&handover(id, 1), id, 1);
        let certificate = keccak256([id.as_slice(), b"certificate"].concat());
        chain.emit(campaigns, encoded(&Campaigns::Activated { id, startPpm: START_PPM, first, certificate }));
        let (operator, amount) = (terms.capsule, U256::from(STAKE));
        chain.emit(contracts.registry, contract::locked(&contracts, operator, id, amount));
        chain.end_transaction();
        if campaign.quota > 0 {
            self.taking.push(place);
        }
    }

    fn settle(&mut self, place: u32, chain: &mut Chain) {
        let campaigns = contract::campaigns(chain.contracts());
        let campaign = self.running.get_mut(&place).expect("it runs");
        let id = campaign.id;
        let last = campaign.left() == 0 && campaign.fate != Fate::Open;
        let target = last && campaign.reason == CloseReason::Target;
        let due = u64::from(campaign.planned) * u64::from(campaign.submissions) / u64::from(campaign.quota.max(1));
        let accepts = target || u64::from(campaign.accepts) < due.min(u64::from(campaign.planned));
        let chosen = accepts.then(|| self.dice.below(campaign.submitters.len() as u32));
        let mut outcomes = Vec::with_capacity(campaign.submitters.len());
        let mut charged = 0;
        for (index, miner) in (0_u32..).zip(campaign.submitters.drain(..)) {
            let account = campaign.accounts.entry(miner).or_default();
            let outcome = if Some(index) == chosen {
                let best = campaign.best;
                let step = GRID_PPM * (1 + self.dice.below(3));
                campaign.best = if target { TARGET_PPM } else { (best + step).min(TARGET_PPM - GRID_PPM) };
                // At most 19 steps of three from the start stay far below the target.
                let amount = payout(campaign.terms.bounty, TARGET_PPM, best, campaign.best);
                account.owed += amount;
                campaign.awarded += amount;
                campaign.accepts += 1;
                chain.emit(
                    campaigns,
                    encoded(&Campaigns::Awarded {
                        id,
                        miner: chain.miners()[miner as usize],
                        window: campaign.window,
                        index,
                        deltaPpm: campaign.best - best,
                        amount: U256::from(amount),
                    }),
                );
                Outcome::Accepted(u16::try_from(campaign.best / GRID_PPM).unwrap_or_default())
            } else if self.dice.percent(5) {
                Outcome::Rejected(1 + u8::try_from(self.dice.below(5)).unwrap_or_default())
            } else {
                Outcome::NotImproved
            };
            let part = charged_eighths(outcome);
            account.eighths -= part;
            charged += part;
            outcomes.push(outcome.encode().expect("steps and reasons are in range"));
        }
        let burned = U256::from(charged) * U256::from(campaign.terms.submissionStake / u128::from(EIGHTHS));
        if !burned.is_zero() {
            let event = Campaigns::Charged { id, window: campaign.window, toCapsule: U256::ZERO, burned };
            chain.emit(campaigns, encoded(&event));
        }
        let reason = match campaign.reason {
            reason @ (CloseReason::Target | CloseReason::LeakBudget | CloseReason::Limit) if last => Some(reason),
            _ => None,
        };
        let version = campaign.version;
        let next =
            if accepts { publication(&handover(id, version + 1), id, version + 1) } else { Publication::default() };
        let settled = Campaigns::Settled {
            id,
            window: campaign.window,
            version,
            outcomes,
            bestPpm: campaign.best,
            next,
            windowStart: start_of(id, campaign.window + 1),
        };
        chain.emit(campaigns, encoded(&settled));
        campaign.window += 1;
        campaign.version += u32::from(accepts);
        match reason {
            Some(reason) => self.close(place, reason, chain),
            None => {
                chain.end_transaction();
                if last {
                    self.schedule(1 + REACTION_BLOCKS, place, Task::Close, chain);
                }
            }
        }
    }

    fn close(&mut self, place: u32, reason: CloseReason, chain: &mut Chain) {
        let campaign = self.running.get_mut(&place).expect("it runs");
        campaign.open = false;
        campaign.refund = U256::from(campaign.terms.bounty - campaign.awarded);
        let closed = Campaigns::Closed { id: campaign.id, reason: reason as u8, refunded: campaign.refund };
        chain.emit(contract::campaigns(chain.contracts()), encoded(&closed));
        chain.end_transaction();
        let miners: Vec<_> = campaign.accounts.keys().copied().collect();
        for miner in miners {
            let wait = 10 + u64::from(self.dice.below(200));
            if self.dice.percent(70) {
                self.schedule(wait, place, Task::Withdraw(miner), chain);
            }
            if self.dice.percent(50) {
                self.schedule(wait + 1, place, Task::WithdrawStake(miner), chain);
            }
        }
        self.schedule(5, place, Task::Deliver, chain);
    }

    fn deliver(&mut self, place: u32, chain: &mut Chain) {
        let contracts = *chain.contracts();
        let campaigns = contract::campaigns(&contracts);
        let campaign = self.running.get_mut(&place).expect("it runs");
        let (id, terms) = (campaign.id, &campaign.terms);
        match campaign.fate {
            Fate::Closed => {}
            Fate::Expired => {
                let refunded = fee(terms.bounty, FEE_PPM);
                campaign.refund += refunded;
                let (operator, account, amount) = (terms.capsule, terms.owner, U256::from(STAKE));
                chain.emit(campaigns, encoded(&Campaigns::Expired { id, refunded, compensation: amount }));
                chain.emit(contracts.registry, contract::slashed(&contracts, operator, id, amount));
                chain.emit(contracts.registry, encoded(&CapsuleRegistry::Credited { account, operator, id, amount }));
                chain.end_transaction();
            }
            _ => {
                let handovers = (1..=campaign.version).map(|version| handover(id, version)).collect();
                let result = keccak256([id.as_slice(), b"result"].concat());
                chain.emit(campaigns, encoded(&Campaigns::Finalized { id, result, handovers }));
                chain.end_transaction();
            }
        }
        if self.running[&place].fate == Fate::Released {
            self.schedule(50, place, Task::Release, chain);
        }
        // Last, because the campaign is forgotten then.
        self.schedule(300, place, Task::WithdrawOwner, chain);
    }

    fn release(&mut self, place: u32, chain: &mut Chain) {
        let contracts = *chain.contracts();
        let campaigns = contract::campaigns(&contracts);
        let campaign = self.running.get_mut(&place).expect("it runs");
        let (id, operator, amount) = (campaign.id, campaign.terms.capsule, U256::from(STAKE));
        let earned = earned_fee(campaign.terms.bounty, FEE_PPM, campaign.awarded);
        let refunded = fee(campaign.terms.bounty, FEE_PPM) - earned;
        campaign.refund += refunded;
        chain.emit(campaigns, encoded(&Campaigns::Released { id, fee: earned, refunded }));
        chain.emit(contracts.registry, contract::unlocked(&contracts, operator, id, amount));
        chain.end_transaction();
        self.schedule(20, place, Task::WithdrawCapsule, chain);
    }

    fn withdraw(&mut self, place: u32, miner: u32, chain: &mut Chain) {
        let campaign = self.running.get_mut(&place).expect("it runs");
        let Some(account) = campaign.accounts.get_mut(&miner).filter(|account| account.owed > 0) else {
            return;
        };
        let amount = U256::from(std::mem::take(&mut account.owed));
        let to = chain.miners()[miner as usize];
        emit_withdrawn(chain, campaign.id, to, amount);
    }

    fn withdraw_stake(&mut self, place: u32, miner: u32, chain: &mut Chain) {
        let campaign = self.running.get_mut(&place).expect("it runs");
        let stake = campaign.terms.submissionStake;
        let Some(account) = campaign.accounts.get_mut(&miner).filter(|account| account.eighths > 0 && stake > 0) else {
            return;
        };
        let eighths = std::mem::take(&mut account.eighths);
        let account = chain.miners()[miner as usize];
        let amount = U256::from(eighths) * U256::from(stake / u128::from(EIGHTHS));
        emit_stake_withdrawn(chain, campaign.id, account, amount);
    }

    fn withdraw_owner(&mut self, place: u32, chain: &mut Chain) {
        let Some(campaign) = self.running.remove(&place) else {
            return;
        };
        let owner = campaign.terms.owner;
        if !campaign.refund.is_zero() {
            emit_withdrawn(chain, campaign.id, owner, campaign.refund);
        }
    }
}

/// How many submissions each campaign gets; together as many as the size says.
fn quotas(size: Size, dice: &mut Dice) -> Vec<u32> {
    let submits = |place: &u32| Fate::of(*place, size.campaigns).submits();
    let weights: Vec<u64> =
        (0..size.campaigns).map(|place| if submits(&place) { 1 + u64::from(dice.below(19)) } else { 0 }).collect();
    let total: u64 = weights.iter().sum::<u64>().max(1);
    let largest = (size.submissions / 100 * LARGEST_PERCENT).min(LARGEST);
    let mut rest = size.submissions - largest;
    let shared = u64::from(rest);
    let mut quotas = Vec::with_capacity(weights.len());
    for weight in weights {
        let share = u32::try_from(shared * weight / total).unwrap_or(u32::MAX);
        let quota = share.max(u32::from(weight > 0)).min(rest);
        rest -= quota;
        quotas.push(quota);
    }
    if let Some(first) = quotas.first_mut() {
        *first += largest;
    }
    // What rounding left over goes to the last, which stays open.
    if let Some(last) = quotas.last_mut() {
        *last += rest;
    }
    quotas
}

fn seal(chain: &mut Chain) {
    chain.seal(chain.timestamp() + BLOCK_SECONDS);
}

fn encoded(event: &impl SolEvent) -> alloy::primitives::LogData {
    event.encode_log_data()
}

fn emit_withdrawn(chain: &mut Chain, id: B256, account: Address, amount: U256) {
    let event = Campaigns::Withdrawn { id, account, to: account, amount };
    chain.emit(contract::campaigns(chain.contracts()), encoded(&event));
    chain.end_transaction();
}

fn emit_stake_withdrawn(chain: &mut Chain, id: B256, account: Address, amount: U256) {
    let event = Campaigns::StakeWithdrawn { id, account, to: account, amount };
    chain.emit(contract::campaigns(chain.contracts()), encoded(&event));
    chain.end_transaction();
}

/// The hash of an empty window.
fn start_of(id: B256, window: u32) -> B256 {
    keccak256([id.as_slice(), &window.to_be_bytes(), b"window"].concat())
}

/// The hand-over of a version's seed.
fn handover(id: B256, version: u32) -> Handover {
    let word = |name: &[u8]| keccak256([id.as_slice(), &version.to_be_bytes(), name].concat());
    Handover {
        root: word(b"root"),
        commitment: word(b"commitment"),
        point: word(b"point"),
        ciphertext: word(b"ciphertext"),
    }
}

/// What is published for a version.
fn publication(handover: &Handover, id: B256, version: u32) -> Publication {
    let material = keccak256([id.as_slice(), &version.to_be_bytes(), b"material"].concat());
    Publication { material, root: handover.root, handover: handover_hash(handover) }
}
