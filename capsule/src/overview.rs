//! What the operator's page shows: facts from the chain, and what follows from them at a given time.
//!
//! [`crate::service`] writes the facts into the [`OverviewFeed`] whenever the chain was read, a task adds the balance, and
//! `http/operator` answers from it. All figures and alerts are pure functions of the facts and the time.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use alloy::primitives::{Address, U256};
use sonar_contracts::{CloseReason, State};
use sonar_protocol::{
    fingerprint::Fingerprint,
    ids::CampaignId,
    units::{Amount, Timestamp, TokenUnit},
    view::{CampaignView, CapsuleView, World},
};
use tokio::sync::watch;

use crate::{
    launch_keys::LaunchKeyEntry,
    service::{CampaignStatus, CapsuleStatus},
};

mod alerts;
mod dto;

pub use alerts::{Alert, AlertKind, Severity};
pub use dto::{
    CampaignItem, Campaigns, ChainHealth, Deadline, DeadlineKind, Fees, KeyItem, KeyKind, KeyState, Stake, Status,
    Token, TokenSum,
};

/// Everything that the page shows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overview {
    /// Number of changes since the start.
    pub revision: u64,
    /// Whether the last query of the chain succeeded.
    pub chain_ok: bool,
    /// Why it failed.
    pub problem: Option<String>,
    /// Number of the newest block.
    pub block: u64,
    /// Time of the chain when it was read.
    pub read_at: Timestamp,
    /// The registration; `None` if there is none.
    pub capsule: Option<CapsuleView>,
    /// Launch keys, in the order in which they were made.
    pub launch_keys: Vec<LaunchKeyEntry>,
    /// Campaigns that name this Capsule, in the order of their launch.
    pub campaigns: Vec<CampaignFacts>,
    /// `None` until it was read.
    pub purse: Option<Purse>,
}

/// Money of the operator's account that is not in the fold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Purse {
    /// ETH of the account, in wei.
    pub balance: Amount,
    /// Compensation from other Capsules' stakes that can be claimed, in wei.
    pub claimable: Amount,
    /// The tokens of the campaigns' fees.
    pub tokens: BTreeMap<Address, TokenUnit>,
}

/// The keys of a Capsule that do not change while it runs.
#[derive(Clone, Copy, Debug)]
pub struct OwnKeys {
    /// The operator's account.
    pub operator: Address,
    /// The attestation key.
    pub attester: Address,
    /// The OpenPGP key.
    pub fingerprint: Fingerprint,
    /// When the OpenPGP key was made.
    pub created: Timestamp,
}

/// One campaign.
#[derive(Clone, Debug, PartialEq)]
pub struct CampaignFacts {
    /// Its id.
    pub id: CampaignId,
    /// The Capsule's own status of it.
    pub status: CampaignStatus,
    /// The next time until which the Capsule must have done something, or after which its stake is free.
    pub deadline: Option<DutyDeadline>,
    /// Whether it binds the Capsule: its stake is locked, and its fee is not credited yet.
    pub is_bound: bool,
    /// Stake that it locks now.
    pub locked: Amount,
    /// Token of the fee.
    pub token: Address,
    /// Fee that the Capsule has earned if it delivers and is not convicted.
    pub fee: Amount,
    /// Fee that was credited.
    pub credited: Amount,
    /// Credit that was not withdrawn.
    pub owed: Amount,
    /// What submissions paid for gas and was not withdrawn, in wei.
    pub gas: Amount,
}

/// A deadline, and the time that the campaign gives for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DutyDeadline {
    /// What must be done.
    pub kind: DeadlineKind,
    /// Until when.
    pub at: Timestamp,
    /// Time that the duty takes at most, in seconds.
    pub allowed: u32,
}

impl DutyDeadline {
    /// The next deadline of a campaign's Capsule.
    #[must_use]
    pub fn of(campaign: &CampaignView) -> Option<Self> {
        let terms = &campaign.terms;
        let (kind, from, allowed) = match campaign.state {
            State::Proposed => (DeadlineKind::Activate, campaign.changed_at, terms.activationSeconds),
            State::Open if campaign.window.submissions.is_empty() => return None,
            State::Open => (DeadlineKind::Settle, campaign.window.closes_at, terms.evaluationSeconds),
            State::Closed if campaign.reason == CloseReason::CapsuleTimeout => return None,
            State::Closed => (DeadlineKind::Deliver, campaign.changed_at, terms.deliverySeconds),
            State::Finalized => (DeadlineKind::Audit, campaign.changed_at, terms.audit.period),
            State::None | State::Refunded | State::Released | State::Convicted => return None,
        };
        let at = from.plus(allowed);
        // A campaign cannot be activated after the end of its submissions.
        let at = if kind == DeadlineKind::Activate { at.min(terms.deadline()) } else { at };
        Some(Self { kind, at, allowed })
    }

    /// Whether the time for it runs, and the stake is lost at its end.
    #[must_use]
    pub fn puts_stake_at_risk(&self, now: Timestamp) -> bool {
        matches!(self.kind, DeadlineKind::Settle | DeadlineKind::Deliver) && self.started(now)
    }

    fn started(&self, now: Timestamp) -> bool {
        now.plus(self.allowed) >= self.at
    }
}

impl CampaignFacts {
    fn new(campaign: &CampaignView, status: CampaignStatus) -> Self {
        let operator = campaign.terms.capsule;
        let is_bound = match campaign.state {
            State::Open | State::Finalized => true,
            State::Closed => campaign.reason != CloseReason::CapsuleTimeout,
            State::None | State::Proposed | State::Refunded | State::Released | State::Convicted => false,
        };
        let account = campaign.accounts.get(&operator).copied().unwrap_or_default();
        Self {
            id: campaign.id,
            status,
            deadline: DutyDeadline::of(campaign),
            is_bound,
            locked: if is_bound { campaign.terms.stake.into() } else { Amount::ZERO },
            token: campaign.terms.token,
            fee: Amount(campaign.earned_fee()),
            credited: account.credited,
            owed: account.owed(),
            gas: campaign.gas_credit,
        }
    }
}

impl Overview {
    /// Replaces what comes from the chain.
    pub fn set_world(&mut self, world: &World, own: Address, status: &CapsuleStatus, keys: &[LaunchKeyEntry]) {
        (self.chain_ok, self.problem) = (status.chain, status.problem.clone());
        (self.block, self.read_at) = (world.head.number, world.head.now);
        self.capsule = world.capsules.get(&own).cloned();
        self.launch_keys = keys.to_vec();
        let campaigns = world.in_order().filter(|campaign| campaign.terms.capsule == own);
        let facts = campaigns
            .filter_map(|campaign| Some(CampaignFacts::new(campaign, status.campaigns.get(&campaign.id)?.clone())));
        self.campaigns = facts.collect();
    }

    /// Records that the chain cannot be read.
    pub fn set_problem(&mut self, problem: String) {
        (self.chain_ok, self.problem) = (false, Some(problem));
    }

    /// The answer of `/api/capsule/status`. `age` is the time since the chain answered last.
    #[must_use]
    pub fn status(&self, own: &OwnKeys, age: Option<Duration>) -> Status {
        let now = self.now(age);
        let capsule = self.capsule.as_ref();
        let age_seconds = age.map(|age| age.as_secs());
        Status {
            operator: own.operator,
            registered: capsule.is_some(),
            version: env!("CARGO_PKG_VERSION").into(),
            chain: ChainHealth { ok: self.chain_ok, block: self.block, age_seconds, problem: self.problem.clone() },
            stake: self.stake(now),
            balance: self.purse.as_ref().map(|purse| purse.balance),
            fees: self.fees(),
            fee_ppm: capsule.map(|capsule| capsule.fee_ppm),
            limits: capsule.map(|capsule| capsule.limits),
            tokens: self.purse.iter().flat_map(|purse| purse.tokens.values()).map(Token::from).collect(),
            keys: self.keys(own, now),
            alerts: alerts::of(self, now, age),
        }
    }

    /// The answer of `/api/capsule/campaigns`: the next deadline first.
    #[must_use]
    pub fn campaigns(&self) -> Campaigns {
        let mut sorted: Vec<_> = self.campaigns.iter().rev().collect();
        sorted.sort_by_key(|campaign| campaign.deadline.map_or((true, Timestamp::EPOCH), |next| (false, next.at)));
        Campaigns { items: sorted.into_iter().map(CampaignItem::from).collect() }
    }

    /// The time of the chain.
    fn now(&self, age: Option<Duration>) -> Timestamp {
        self.read_at.plus(age.unwrap_or_default().as_secs())
    }

    fn stake(&self, now: Timestamp) -> Stake {
        let at_risk = self
            .campaigns
            .iter()
            .filter(|campaign| campaign.deadline.is_some_and(|deadline| deadline.puts_stake_at_risk(now)));
        let capsule = self.capsule.as_ref();
        Stake {
            total: capsule.map_or(Amount::ZERO, |capsule| capsule.stake),
            free: capsule.map_or(Amount::ZERO, CapsuleView::free_stake),
            locked: capsule.map_or(Amount::ZERO, |capsule| capsule.locked),
            at_risk: at_risk.fold(Amount::ZERO, |sum, campaign| sum.saturating_add(campaign.locked)),
        }
    }

    fn fees(&self) -> Fees {
        let (mut earned, mut owed, mut pending) = <(Sums, Sums, Sums)>::default();
        for campaign in &self.campaigns {
            earned.add(campaign.token, campaign.credited);
            owed.add(campaign.token, campaign.owed);
            owed.add(Address::ZERO, campaign.gas);
            if campaign.is_bound {
                pending.add(campaign.token, campaign.fee);
            }
        }
        owed.add(Address::ZERO, self.purse.as_ref().map_or(Amount::ZERO, |purse| purse.claimable));
        Fees { earned: earned.list(), owed: owed.list(), pending: pending.list() }
    }

    fn keys(&self, own: &OwnKeys, now: Timestamp) -> Vec<KeyItem> {
        let capsule = self.capsule.as_ref();
        let registered = |is_same: fn(&CapsuleView, &OwnKeys) -> bool| match capsule {
            Some(capsule) if is_same(capsule, own) => KeyState::Registered,
            _ => KeyState::NotRegistered,
        };
        let item = |kind, fingerprint, created: Option<Timestamp>, expires, state| KeyItem {
            kind,
            fingerprint,
            created,
            age_seconds: created.map(|created| now.since(created)),
            expires,
            state,
        };
        let attester = registered(|capsule, own| capsule.attester == own.attester);
        let openpgp = registered(|capsule, own| capsule.fingerprint == own.fingerprint.word());
        let mut keys = vec![
            item(KeyKind::Attestation, own.attester.to_string(), None, None, attester),
            item(KeyKind::Openpgp, own.fingerprint.to_string(), Some(own.created), None, openpgp),
        ];
        let newest = self.launch_keys.last().map(|entry| entry.key);
        keys.extend(self.launch_keys.iter().rev().map(|entry| {
            let state = match entry.registered_at {
                _ if now >= entry.expires_at => KeyState::Expired,
                _ if Some(entry.key) != newest => KeyState::Replaced,
                Some(_) => KeyState::Registered,
                None => KeyState::NotRegistered,
            };
            item(KeyKind::Launch, entry.key.to_string(), Some(entry.made_at), Some(entry.expires_at), state)
        }));
        keys
    }
}

/// Amounts by token.
#[derive(Default)]
struct Sums(BTreeMap<Address, Amount>);

impl Sums {
    fn add(&mut self, token: Address, amount: Amount) {
        if amount.0 > U256::ZERO {
            let sum = self.0.entry(token).or_default();
            *sum = sum.saturating_add(amount);
        }
    }

    fn list(self) -> Vec<TokenSum> {
        self.0.into_iter().map(|(token, amount)| TokenSum { token, amount }).collect()
    }
}

/// The overview, shared by those who write it and those who show it.
#[derive(Debug, Default)]
pub struct OverviewFeed {
    overview: watch::Sender<Overview>,
    answered: Mutex<Option<Instant>>,
}

impl OverviewFeed {
    /// Changes the overview. Readers are told only if it is another one.
    pub fn update(&self, change: impl FnOnce(&mut Overview)) {
        self.overview.send_if_modified(|overview| {
            let before = overview.clone();
            change(overview);
            let is_changed = *overview != before;
            overview.revision += u64::from(is_changed);
            is_changed
        });
    }

    /// Records that the chain answered.
    pub fn chain_answered(&self) {
        *self.answered.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Time since the chain answered last; `None` if it never did.
    #[must_use]
    pub fn age(&self) -> Option<Duration> {
        self.answered.lock().unwrap_or_else(PoisonError::into_inner).map(|at| at.elapsed())
    }

    /// The overview, and its changes.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<Overview> {
        self.overview.subscribe()
    }
}
