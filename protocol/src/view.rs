//! The fold: the state of all campaigns as a pure function of the contracts' events.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use alloy::primitives::{Address, B256, U256};
use serde::{Deserialize, Deserializer, Serialize};
use sonar_contracts::{
    CloseReason, EIGHTHS, Ledger, Outcome, State, Status, Submission, charged_eighths, earned_fee, fee, window_fold,
};
use syft::Ppm;
use utoipa::ToSchema;

use crate::{
    event::{Batch, CapsuleChange, CapsuleLimits, Event, Head, LogPosition, Record},
    handover::{Handover, Published},
    ids::{CampaignId, Digest, Version, WindowIndex},
    refusal::DeclineReason,
    statistics::{Statistics, StatisticsUndo},
    terms::CampaignTerms,
    units::{Amount, Timestamp},
    wire,
};

/// An event that is inconsistent with the events before it: the node returned wrong or incomplete events.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("block {block}, log {index}: `{event}` is inconsistent with the events before it: {reason}")]
pub struct ViewError {
    block: u64,
    index: u64,
    event: &'static str,
    reason: &'static str,
}

/// The state of all campaigns and Capsules. Its serde form is for snapshots: only binary formats, and only one version
/// of this program.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct World {
    /// All campaigns. Each is an `Arc`, so that a copy of this map, or of a page of it, copies no campaign.
    #[serde(with = "shared_campaigns")]
    pub campaigns: BTreeMap<CampaignId, Arc<CampaignView>>,
    /// Their ids in the order of their launch.
    pub order: Vec<CampaignId>,
    /// All Capsules by operator.
    pub capsules: BTreeMap<Address, CapsuleView>,
    /// Counters of everything that happened, by day; empty in a world of one account.
    pub statistics: Statistics,
    /// The newest block.
    pub head: Head,
    // Account whose part of settled windows and ended campaigns is kept; everyone's if `None`.
    scope: Option<Address>,
}

/// Events that were applied to copies of the campaigns and Capsules that they concern, see [`World::stage`].
#[derive(Debug)]
pub struct StagedChanges(World);

/// The previous values of committed changes; `None` for additions.
#[derive(Debug)]
pub struct Undo {
    opened: usize,
    campaigns: Vec<(CampaignId, Option<Arc<CampaignView>>)>,
    capsules: Vec<(Address, Option<CapsuleView>)>,
    statistics: StatisticsUndo,
}

/// The registration and stake of a Capsule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapsuleView {
    /// Its attestation key.
    pub attester: Address,
    /// Its OpenPGP fingerprint, left-aligned.
    pub fingerprint: B256,
    /// Its OpenPGP certificate on IPFS.
    pub certificate: Option<Digest>,
    /// URL that its operator published.
    pub endpoint: String,
    /// Its fee.
    pub fee_ppm: Ppm,
    /// Its stake in wei, including the locked part.
    pub stake: Amount,
    /// The part of its stake that campaigns have locked, in wei.
    pub locked: Amount,
    /// Campaigns contracts that may lock its stake.
    pub authorized: BTreeSet<Address>,
    /// What a campaign may demand of it at most; all zero, and so no campaign possible, until its operator says.
    pub limits: CapsuleLimits,
    /// Tokens (zero: ETH) in which it takes fees, with the least fee.
    pub tokens: BTreeMap<Address, Amount>,
}

/// Details of a campaign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CampaignView {
    /// Its id.
    pub id: CampaignId,
    /// Its terms, which never change.
    pub terms: CampaignTerms,
    /// Block, time and transaction of the launch.
    pub opened: LogPosition,
    /// Its state.
    pub state: State,
    /// Reason for closing. An open campaign with the reason `Owner` closes when its window is settled.
    pub reason: CloseReason,
    /// The attested starting accuracy.
    pub start_ppm: Option<Ppm>,
    /// The campaign's certificate on IPFS, to which updates are sealed; `None` before the activation.
    pub certificate: Option<Digest>,
    /// The attested best accuracy.
    pub best_ppm: Ppm,
    /// Number of accepted submissions so far.
    pub accepts: u32,
    /// Number of submissions so far.
    pub submissions: u32,
    /// Number of accounts that have submitted.
    pub miners: u32,
    /// Earnings of accepted submissions.
    pub awarded: Amount,
    /// The current window.
    pub window: Window,
    /// Settled windows, in order.
    pub settled: Vec<SettledWindow>,
    /// What the Capsule published for each version, in order; the last is current.
    pub versions: Vec<VersionView>,
    /// Time of the last change of state: launch, activation, closing or delivery.
    pub changed_at: Timestamp,
    /// Code of the Capsule's refusal.
    pub declined: Option<DeclineReason>,
    /// Digest of the delivered model on IPFS.
    pub result: Option<Digest>,
    /// The sealed seeds of all versions, in order, once the model is delivered.
    pub handovers: Vec<Handover>,
    /// Whether the Capsule's locked stake was freed or slashed after the delivery; `None` until then.
    #[serde(with = "stake_fate")]
    pub stake_fate: Option<StakeFate>,
    /// Place of the event that closed it.
    pub closed: Option<LogPosition>,
    /// Place of the delivery.
    pub delivered: Option<LogPosition>,
    /// Place of the event that decided over fee and stake: release, conviction, or expiry.
    pub judged: Option<LogPosition>,
    /// Submissions and money of accounts.
    pub accounts: BTreeMap<Address, Account>,
    /// What submissions paid for the Capsule's gas, and it did not withdraw, in wei.
    pub gas_credit: Amount,
    /// Withdrawals, in order.
    pub withdrawals: Vec<Withdrawal>,
    /// Withdrawals of stakes, in order.
    pub stake_withdrawals: Vec<Withdrawal>,
}

/// What happened to the stake of a Capsule after the delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum StakeFate {
    /// It was freed.
    Released,
    /// It was slashed, for misconduct in this version.
    Convicted {
        /// The version.
        #[schema(value_type = u32)]
        version: Version,
    },
}

/// A version of a campaign's model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionView {
    /// The version.
    pub version: Version,
    /// What the Capsule published for it.
    pub published: Published,
    /// Place of the event that published it.
    pub at: LogPosition,
    /// The beacon from which the public matrix follows: the hash of the empty window whose settlement published the
    /// version (version 1: of the first window). It contains a hash of the chain's last block before that window.
    pub beacon: B256,
}

/// A window that takes submissions or waits for its settlement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Its index.
    pub index: WindowIndex,
    /// The version that its submissions are for.
    pub version: Version,
    /// Its hash while it is empty.
    pub start: B256,
    /// Its submissions in chain order.
    #[serde(with = "wire::submissions")]
    pub submissions: Vec<Submission>,
    /// Places of the submissions on the chain.
    pub positions: Vec<LogPosition>,
    /// Time at which it closes or has closed; [`Timestamp::EPOCH`] while it is empty.
    pub closes_at: Timestamp,
    awards: BTreeMap<u32, Award>,
}

impl Window {
    fn new(index: WindowIndex, version: Version, start: B256) -> Self {
        Self {
            index,
            version,
            start,
            submissions: Vec::new(),
            positions: Vec::new(),
            closes_at: Timestamp::EPOCH,
            awards: BTreeMap::new(),
        }
    }

    /// Whether it is closed at this time, so that it can be settled.
    #[must_use]
    pub fn is_closed(&self, now: Timestamp) -> bool {
        !self.submissions.is_empty() && now >= self.closes_at
    }
}

/// A settled window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettledWindow {
    /// Its index.
    pub index: WindowIndex,
    /// The version that its submissions were for.
    pub version: Version,
    /// Its hash while it was empty.
    pub start: B256,
    /// Its submissions, in chain order, with their outcomes.
    pub submissions: Vec<SettledSubmission>,
    /// Best accuracy after it.
    pub best_ppm: Ppm,
    /// Block, time and transaction of its settlement.
    pub at: LogPosition,
}

/// A settled submission.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettledSubmission {
    /// Its place in the window.
    pub index: u32,
    /// Address of the miner.
    pub miner: Address,
    /// Digest of the sealed update on IPFS.
    pub content: Digest,
    /// Block, time and transaction of the submission.
    pub at: LogPosition,
    /// Outcome.
    #[serde(with = "wire::outcome")]
    pub outcome: Outcome,
    /// Its payout, if it was accepted.
    pub award: Option<Award>,
}

/// The payout of an accepted submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Award {
    /// Improvement of the best accuracy towards the target, in parts per million.
    pub delta_ppm: Ppm,
    /// Amount.
    pub amount: Amount,
}

/// Submissions and money of an account in a campaign.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Number of submissions.
    pub submitted: u32,
    /// Number of accepted submissions.
    pub accepted: u32,
    /// Improvement of the best accuracy towards the target.
    pub delta_ppm: Ppm,
    /// Amount earned by accepted submissions.
    pub earned: Amount,
    /// Amount credited otherwise: refund of the owner, or fee of the Capsule.
    pub credited: Amount,
    /// Amount withdrawn so far.
    pub withdrawn: Amount,
    // The part of the earnings that was withdrawn.
    paid: Amount,
    // The version that `uploads` counts for.
    version: Version,
    uploads: u16,
    stakes: Counts,
}

/// Counts of an account's stakes, in eighths of a stake.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Counts {
    // Eighths that the contract has.
    present: u32,
    // The window of the last submission, and the eighths that are held for submissions to it.
    window: WindowIndex,
    pending: u32,
    deposited: u32,
    charged: u32,
    withdrawn: u32,
}

/// Stakes of submissions, in wei. Over a whole campaign `deposited = held + free + charged + withdrawn`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Stakes {
    /// Deposited with submissions.
    #[schema(value_type = String)]
    pub deposited: Amount,
    /// Held for unsettled submissions.
    #[schema(value_type = String)]
    pub held: Amount,
    /// Returned: used for the next submissions, or can be withdrawn.
    #[schema(value_type = String)]
    pub free: Amount,
    /// Paid by submissions that were not accepted.
    #[schema(value_type = String)]
    pub charged: Amount,
    /// Withdrawn.
    #[schema(value_type = String)]
    pub withdrawn: Amount,
}

impl Stakes {
    /// The sums.
    #[must_use]
    pub fn saturating_add(self, other: Self) -> Self {
        Self {
            deposited: self.deposited.saturating_add(other.deposited),
            held: self.held.saturating_add(other.held),
            free: self.free.saturating_add(other.free),
            charged: self.charged.saturating_add(other.charged),
            withdrawn: self.withdrawn.saturating_add(other.withdrawn),
        }
    }
}

impl Account {
    /// Amount that the account can withdraw now.
    #[must_use]
    pub fn owed(&self) -> Amount {
        self.earned.saturating_add(self.credited).saturating_sub(self.withdrawn)
    }
}

/// A withdrawal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withdrawal {
    /// Account whose credit was withdrawn.
    pub account: Address,
    /// Recipient.
    pub to: Address,
    /// Amount.
    pub amount: Amount,
    /// Place on the chain.
    pub at: LogPosition,
}

impl World {
    /// An empty world that keeps only this account's part of settled windows and ended campaigns. Its memory does not
    /// grow with the activity of others. [`CampaignView::ledger`] and [`CampaignView::all_stakes`] need the default, a
    /// world of everyone.
    #[must_use]
    pub fn of(account: Address) -> Self {
        Self { scope: Some(account), ..Self::default() }
    }

    /// The account whose part is kept; `None` if everyone's part is kept.
    #[must_use]
    pub fn scope(&self) -> Option<Address> {
        self.scope
    }

    /// An empty world with the same scope.
    #[must_use]
    pub fn emptied(&self) -> Self {
        Self { scope: self.scope, ..Self::default() }
    }

    /// Applies a batch of a follower; starts from an empty world if the batch restarts.
    ///
    /// # Errors
    /// When the events are inconsistent. The world is then unusable until the follower restarts.
    pub fn absorb(&mut self, batch: &Batch) -> Result<(), ViewError> {
        if batch.restarted {
            *self = self.emptied();
        }
        self.head = batch.head;
        batch.records.iter().try_for_each(|record| self.apply(record))
    }

    /// Applies events to copies of the campaigns and Capsules that they concern. [`Self::commit`] puts the copies in
    /// place.
    ///
    /// # Errors
    /// When an event is inconsistent with the events before it; this world is unchanged.
    pub fn stage<'a>(&self, records: impl IntoIterator<Item = &'a Record> + Clone) -> Result<StagedChanges, ViewError> {
        let mut part = self.emptied();
        for record in records.clone() {
            if let Some((id, campaign)) = record.event.campaign().and_then(|id| self.campaigns.get_key_value(&id)) {
                part.campaigns.insert(*id, Arc::clone(campaign));
            }
            if let Event::Capsule { operator, .. } = &record.event
                && let Some(capsule) = self.capsules.get(operator)
            {
                part.capsules.insert(*operator, capsule.clone());
            }
            self.statistics.stage(&mut part.statistics, record);
        }
        records.into_iter().try_for_each(|record| part.apply(record))?;
        Ok(StagedChanges(part))
    }

    /// Puts staged changes in place, and returns what [`Self::revert`] needs to undo them. They must have been staged
    /// from the current state of this world.
    pub fn commit(&mut self, StagedChanges(part): StagedChanges) -> Undo {
        let undo = Undo {
            opened: part.order.len(),
            campaigns: part.campaigns.keys().map(|id| (*id, self.campaigns.get(id).cloned())).collect(),
            capsules: part.capsules.keys().map(|operator| (*operator, self.capsules.get(operator).cloned())).collect(),
            statistics: self.statistics.commit(part.statistics),
        };
        self.campaigns.extend(part.campaigns);
        self.order.extend(part.order);
        self.capsules.extend(part.capsules);
        undo
    }

    /// Undoes the newest committed changes.
    pub fn revert(&mut self, undo: &Undo) {
        self.order.truncate(self.order.len().saturating_sub(undo.opened));
        for (id, before) in &undo.campaigns {
            match before {
                Some(campaign) => self.campaigns.insert(*id, Arc::clone(campaign)),
                None => self.campaigns.remove(id),
            };
        }
        for (operator, before) in &undo.capsules {
            match before {
                Some(capsule) => self.capsules.insert(*operator, capsule.clone()),
                None => self.capsules.remove(operator),
            };
        }
        self.statistics.revert(&undo.statistics);
    }

    /// Applies one event.
    ///
    /// # Errors
    /// When it is inconsistent with the events before it.
    pub fn apply(&mut self, record: &Record) -> Result<(), ViewError> {
        let fault =
            |reason| ViewError { block: record.at.block, index: record.at.index, event: record.event.name(), reason };
        match (&record.event, record.event.campaign()) {
            (Event::Opened { id, terms, window_start }, _) => {
                if self.campaigns.contains_key(id) {
                    return Err(fault("the campaign was already opened"));
                }
                if self.scope.is_none() {
                    self.statistics.record_launch(terms, record.at.timestamp);
                }
                self.campaigns
                    .insert(*id, Arc::new(CampaignView::new(*id, (**terms).clone(), *window_start, record.at)));
                self.order.push(*id);
                Ok(())
            }
            (Event::Capsule { operator, change }, _) => {
                self.capsules.entry(*operator).or_default().apply(change);
                Ok(())
            }
            (_, Some(id)) => {
                let campaign = self.campaigns.get_mut(&id).ok_or_else(|| fault("there is no such campaign"))?;
                if self.scope.is_none() {
                    self.statistics.record(campaign, record);
                }
                Arc::make_mut(campaign).apply_within(self.scope, record).map_err(fault)
            }
            (_, None) => Ok(()),
        }
    }

    /// Finds a campaign by id.
    #[must_use]
    pub fn campaign(&self, id: CampaignId) -> Option<&CampaignView> {
        self.campaigns.get(&id).map(Arc::as_ref)
    }

    /// All campaigns in the order of their launch.
    pub fn in_order(&self) -> impl DoubleEndedIterator<Item = &CampaignView> {
        self.order.iter().filter_map(|id| self.campaign(*id))
    }
}

impl CapsuleView {
    fn apply(&mut self, change: &CapsuleChange) {
        match change {
            CapsuleChange::Described { attester, fingerprint, certificate, endpoint, fee_ppm } => {
                self.attester = *attester;
                self.fingerprint = *fingerprint;
                self.certificate = Some(*certificate);
                self.endpoint.clone_from(endpoint);
                self.fee_ppm = *fee_ppm;
            }
            CapsuleChange::Deposited(amount) => self.stake = self.stake.saturating_add(*amount),
            CapsuleChange::Unstaked(amount) => self.stake = self.stake.saturating_sub(*amount),
            CapsuleChange::Authorized { campaigns, allowed: true } => {
                self.authorized.insert(*campaigns);
            }
            CapsuleChange::Authorized { campaigns, allowed: false } => {
                self.authorized.remove(campaigns);
            }
            CapsuleChange::Locked(amount) => self.locked = self.locked.saturating_add(*amount),
            CapsuleChange::Unlocked(amount) => self.locked = self.locked.saturating_sub(*amount),
            CapsuleChange::Slashed(amount) => {
                self.locked = self.locked.saturating_sub(*amount);
                self.stake = self.stake.saturating_sub(*amount);
            }
            CapsuleChange::Limited(limits) => self.limits = *limits,
            CapsuleChange::TokenChosen { token, accepted: true, least_fee } => {
                self.tokens.insert(*token, *least_fee);
            }
            CapsuleChange::TokenChosen { token, accepted: false, .. } => {
                self.tokens.remove(token);
            }
        }
    }

    /// Free stake in wei.
    #[must_use]
    pub fn free_stake(&self) -> Amount {
        self.stake.saturating_sub(self.locked)
    }
}

impl CampaignView {
    fn new(id: CampaignId, terms: CampaignTerms, window_start: B256, opened: LogPosition) -> Self {
        Self {
            id,
            terms,
            opened,
            state: State::Proposed,
            reason: CloseReason::None,
            start_ppm: None,
            best_ppm: Ppm::ZERO,
            accepts: 0,
            submissions: 0,
            miners: 0,
            awarded: Amount::ZERO,
            window: Window::new(WindowIndex(0), Version(0), window_start),
            settled: Vec::new(),
            versions: Vec::new(),
            certificate: None,
            changed_at: opened.timestamp,
            declined: None,
            result: None,
            handovers: Vec::new(),
            stake_fate: None,
            closed: None,
            delivered: None,
            judged: None,
            accounts: BTreeMap::new(),
            gas_credit: Amount::ZERO,
            withdrawals: Vec::new(),
            stake_withdrawals: Vec::new(),
        }
    }

    /// The current version; 0 before activation.
    #[must_use]
    pub fn version(&self) -> Version {
        self.window.version
    }

    /// What the Capsule published for the current version.
    #[must_use]
    pub fn material(&self) -> Option<Digest> {
        self.versions.last().map(|version| version.published.material)
    }

    /// The beacon that the keys of the next version are bound to: the hash of the current window while it was empty.
    #[must_use]
    pub fn next_beacon(&self) -> B256 {
        self.window.start
    }

    /// Whether the owner announced the end, so that the campaign closes when its window is settled.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.state == State::Open && self.reason == CloseReason::Owner
    }

    /// Number of a miner's submissions to the current version.
    #[must_use]
    pub fn uploads(&self, miner: Address) -> u16 {
        self.accounts
            .get(&miner)
            .filter(|account| account.version == self.version())
            .map_or(0, |account| account.uploads)
    }

    /// Amount that an account can withdraw.
    #[must_use]
    pub fn owed(&self, account: Address) -> Amount {
        self.accounts.get(&account).map_or(Amount::ZERO, Account::owed)
    }

    /// The part of an account's earnings that it has not withdrawn.
    #[must_use]
    pub fn unpaid_earnings(&self, account: Address) -> Amount {
        self.accounts.get(&account).map_or(Amount::ZERO, |account| account.earned.saturating_sub(account.paid))
    }

    /// Stakes of an account.
    #[must_use]
    pub fn stakes(&self, account: Address) -> Stakes {
        self.accounts.get(&account).map_or_else(Stakes::default, |account| self.stakes_of(&account.stakes))
    }

    /// Stake in wei that an account can withdraw: for the Capsule with what submissions paid for its gas.
    #[must_use]
    pub fn withdrawable_stake(&self, account: Address) -> Amount {
        let gas_credit = if account == self.terms.capsule { self.gas_credit } else { Amount::ZERO };
        self.stakes(account).free.saturating_add(gas_credit)
    }

    /// Stakes of all accounts.
    #[must_use]
    pub fn all_stakes(&self) -> Stakes {
        let stakes = self.accounts.values().map(|account| self.stakes_of(&account.stakes));
        stakes.fold(Stakes::default(), Stakes::saturating_add)
    }

    /// Stake in wei that an account must deposit with its next submission.
    #[must_use]
    pub fn stake_due(&self, account: Address) -> Amount {
        let free = self.accounts.get(&account).map_or(0, |account| self.free(&account.stakes));
        self.eighths(missing(free))
    }

    /// An amount of wei from eighths of a stake.
    fn eighths(&self, count: u32) -> Amount {
        Amount(U256::from(count) * U256::from(self.terms.submissionStake / u128::from(EIGHTHS)))
    }

    fn stakes_of(&self, counts: &Counts) -> Stakes {
        Stakes {
            deposited: self.eighths(counts.deposited),
            held: self.eighths(self.held(counts)),
            free: self.eighths(self.free(counts)),
            charged: self.eighths(counts.charged),
            withdrawn: self.eighths(counts.withdrawn),
        }
    }

    fn free(&self, counts: &Counts) -> u32 {
        counts.present.saturating_sub(self.held(counts))
    }

    /// Eighths held for unsettled submissions; those of earlier windows were returned.
    fn held(&self, counts: &Counts) -> u32 {
        let waits = self.state == State::Open && counts.window == self.window.index;
        if waits { counts.pending } else { 0 }
    }

    /// Whether a submission at this time can be accepted, without the conditions that depend on the miner.
    #[must_use]
    pub fn takes_submissions(&self, now: Timestamp) -> bool {
        self.state == State::Open
            && now < self.terms.deadline()
            && self.submissions < self.terms.maxSubmissions
            && (self.window.submissions.is_empty() || now < self.window.closes_at)
    }

    /// Outcome of a miner's submission; `None` until its window is settled.
    #[must_use]
    pub fn outcome(&self, miner: Address, content: Digest) -> Option<&SettledSubmission> {
        self.settled
            .iter()
            .flat_map(|window| &window.submissions)
            .find(|submission| submission.miner == miner && submission.content == content)
    }

    /// Hash of the current window, as computed by the contract.
    #[must_use]
    pub fn window_hash(&self) -> B256 {
        self.window.submissions.iter().fold(self.window.start, window_fold)
    }

    /// The status, as returned by the contract.
    #[must_use]
    pub fn status(&self) -> Status {
        Status {
            state: self.state as u8,
            reason: self.reason as u8,
            version: self.version().0,
            bestPpm: self.best_ppm.get(),
            accepts: self.accepts,
            submissions: self.submissions,
            windowIndex: self.window.index.0,
            windowCount: u32::try_from(self.window.submissions.len()).unwrap_or(u32::MAX),
            windowClosesAt: self.window.closes_at.unix(),
            changedAt: self.changed_at.unix(),
            windowHash: self.window_hash(),
            material: self.material().map_or(B256::ZERO, B256::from),
        }
    }

    /// The ledger, as returned by the contract.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        let fee = fee(self.terms.bounty, self.terms.feePpm);
        let bounty = U256::from(self.terms.bounty);
        let awarded = self.awarded.0;
        let paid = self.sum(|account| account.paid);
        let over = !matches!(self.state, State::Proposed | State::Open);
        let mut refunded = if over { bounty - awarded } else { U256::ZERO };
        let earned_fee = if self.state == State::Released { self.earned_fee() } else { U256::ZERO };
        if matches!(self.state, State::Refunded | State::Convicted) || self.reason == CloseReason::CapsuleTimeout {
            refunded += fee;
        } else if self.state == State::Released {
            refunded += fee - earned_fee;
        }
        let deposited = bounty + fee;
        Ledger {
            deposited,
            paid,
            owed: awarded - paid,
            refunded,
            fee: earned_fee,
            escrowed: deposited - awarded - refunded - earned_fee,
        }
    }

    /// The fee that the Capsule earns if it delivers and is not convicted.
    #[must_use]
    pub fn earned_fee(&self) -> U256 {
        earned_fee(self.terms.bounty, self.terms.feePpm, self.awarded.0.saturating_to())
    }

    fn sum(&self, part: impl Fn(&Account) -> Amount) -> U256 {
        self.accounts.values().fold(Amount::ZERO, |sum, account| sum.saturating_add(part(account))).0
    }

    fn account(&mut self, address: Address) -> &mut Account {
        self.accounts.entry(address).or_default()
    }

    fn credit(&mut self, address: Address, amount: Amount) {
        let account = self.account(address);
        account.credited = account.credited.saturating_add(amount);
    }

    fn require(&self, state: State) -> Result<(), &'static str> {
        if self.state == state { Ok(()) } else { Err("the campaign is in another state") }
    }

    /// Applies one event of this campaign.
    ///
    /// # Errors
    /// The reason why it is inconsistent with the events before it.
    pub fn apply(&mut self, record: &Record) -> Result<(), &'static str> {
        let at = record.at;
        match &record.event {
            Event::Opened { .. } => return Err("the campaign was already opened"),
            Event::Capsule { .. } => {}
            Event::Activated { start_ppm, first, certificate, .. } => {
                self.require(State::Proposed)?;
                self.state = State::Open;
                self.start_ppm = Some(*start_ppm);
                self.certificate = Some(*certificate);
                self.best_ppm = *start_ppm;
                self.changed_at = at.timestamp;
                self.renew(*first, self.window.start, at);
            }
            Event::Declined { reason, .. } => {
                self.require(State::Proposed)?;
                self.declined = Some(*reason);
            }
            Event::Refunded { amount, .. } => {
                self.require(State::Proposed)?;
                self.state = State::Refunded;
                self.changed_at = at.timestamp;
                self.closed = Some(at);
                self.credit(self.terms.owner, *amount);
            }
            Event::Submitted { miner, version, window, index, content, .. } => {
                self.require(State::Open)?;
                self.submitted(*miner, (*version, *window, *index), *content, at)?;
            }
            Event::Awarded { miner, index, delta_ppm, amount, .. } => {
                let award = Award { delta_ppm: *delta_ppm, amount: *amount };
                self.window.awards.insert(*index, award);
                self.awarded = self.awarded.saturating_add(*amount);
                let account = self.account(*miner);
                account.earned = account.earned.saturating_add(*amount);
                account.delta_ppm = account.delta_ppm.saturating_add(*delta_ppm);
            }
            Event::Charged { to_capsule, .. } => {
                self.require(State::Open)?;
                self.gas_credit = self.gas_credit.saturating_add(*to_capsule);
            }
            Event::Settled { window, outcomes, best_ppm, next, window_start, .. } => {
                self.require(State::Open)?;
                self.settled(*window, outcomes, *best_ppm, (*next, *window_start), at)?;
            }
            Event::Closing { .. } => {
                self.require(State::Open)?;
                self.reason = CloseReason::Owner;
            }
            Event::Closed { reason, refunded, .. } => {
                self.require(State::Open)?;
                self.state = State::Closed;
                self.reason = *reason;
                self.changed_at = at.timestamp;
                self.closed = Some(at);
                self.credit(self.terms.owner, *refunded);
            }
            Event::Finalized { result, handovers, .. } => {
                self.require(State::Closed)?;
                self.state = State::Finalized;
                self.changed_at = at.timestamp;
                self.delivered = Some(at);
                self.result = Some(*result);
                self.handovers.clone_from(handovers);
            }
            Event::Released { fee, refunded, .. } => {
                self.decide(State::Released, StakeFate::Released, at)?;
                self.credit(self.terms.capsule, *fee);
                self.credit(self.terms.owner, *refunded);
            }
            Event::Convicted { version, refunded, .. } => {
                self.decide(State::Convicted, StakeFate::Convicted { version: *version }, at)?;
                self.credit(self.terms.owner, *refunded);
            }
            Event::Expired { refunded, .. } => {
                self.require(State::Closed)?;
                self.reason = CloseReason::CapsuleTimeout;
                self.judged = Some(at);
                self.credit(self.terms.owner, *refunded);
            }
            Event::Withdrawn { account, to, amount, .. } => self.withdrawn(*account, *to, *amount, at)?,
            Event::StakeWithdrawn { account, to, amount, .. } => self.stake_withdrawn(*account, *to, *amount, at)?,
        }
        Ok(())
    }

    /// Applies one event, and keeps no more than `scope` needs.
    fn apply_within(&mut self, scope: Option<Address>, record: &Record) -> Result<(), &'static str> {
        let Some(scope) = scope else {
            return self.apply(record);
        };
        match &record.event {
            Event::Withdrawn { account, .. } | Event::StakeWithdrawn { account, .. }
                if self.closed.is_some() && !self.parties(scope).contains(account) => {}
            _ => self.apply(record)?,
        }
        match &record.event {
            Event::Settled { .. } => self.forget_settled(scope),
            Event::Closed { .. } | Event::Refunded { .. } => self.forget_accounts(scope),
            _ => {}
        }
        Ok(())
    }

    /// Accounts that are kept when the campaign has ended: the one in `scope`, and those to which money is credited
    /// then.
    fn parties(&self, scope: Address) -> [Address; 3] {
        [scope, self.terms.owner, self.terms.capsule]
    }

    fn forget_settled(&mut self, scope: Address) {
        if let Some(window) = self.settled.last_mut() {
            window.submissions.retain(|submission| submission.miner == scope);
            window.submissions.shrink_to_fit();
        }
    }

    fn forget_accounts(&mut self, scope: Address) {
        let parties = self.parties(scope);
        let keeps = |account: Address| parties.contains(&account);
        self.accounts.retain(|account, _| keeps(*account));
        self.withdrawals.retain(|withdrawal| keeps(withdrawal.account));
        self.stake_withdrawals.retain(|withdrawal| keeps(withdrawal.account));
    }

    fn decide(&mut self, state: State, fate: StakeFate, at: LogPosition) -> Result<(), &'static str> {
        self.require(State::Finalized)?;
        self.state = state;
        self.judged = Some(at);
        self.stake_fate = Some(fate);
        Ok(())
    }

    fn submitted(
        &mut self,
        miner: Address,
        place: (Version, WindowIndex, u32),
        content: Digest,
        at: LogPosition,
    ) -> Result<(), &'static str> {
        let count = self.window.submissions.len();
        let expected = u32::try_from(count).map_err(|_| "the window is too large")?;
        if place != (self.window.version, self.window.index, expected) {
            return Err("it is not the next submission of the current window");
        }
        if count == 0 {
            let end = at.timestamp.plus(self.terms.windowSeconds);
            self.window.closes_at = end.min(self.terms.deadline());
        }
        self.window.submissions.push(Submission { miner, content: content.into() });
        self.window.positions.push(at);
        self.submissions += 1;
        let full = count + 1 == usize::from(self.terms.windowSize);
        if full || self.submissions == self.terms.maxSubmissions {
            self.window.closes_at = at.timestamp;
        }
        let version = self.window.version;
        let account = self.account(miner);
        if account.version != version {
            (account.version, account.uploads) = (version, 0);
        }
        account.uploads = account.uploads.saturating_add(1);
        account.submitted = account.submitted.saturating_add(1);
        let is_first = account.submitted == 1;
        self.miners += u32::from(is_first);
        self.staked(miner);
        Ok(())
    }

    /// A submission uses returned eighths, and those that were sent with it.
    fn staked(&mut self, miner: Address) {
        let window = self.window.index;
        let mut counts = self.account(miner).stakes;
        let sent = missing(self.free(&counts));
        counts.deposited += sent;
        (counts.pending, counts.window) = (self.held(&counts) + EIGHTHS, window);
        counts.present += sent;
        self.account(miner).stakes = counts;
    }

    /// Takes from the window's miners what their submissions pay.
    fn charge(&mut self, outcomes: &[Outcome]) -> Result<(), &'static str> {
        let miners: Vec<Address> = self.window.submissions.iter().map(|submission| submission.miner).collect();
        for (miner, outcome) in miners.into_iter().zip(outcomes) {
            let part = charged_eighths(*outcome);
            let counts = &mut self.account(miner).stakes;
            counts.present = counts.present.checked_sub(part).ok_or("the miner has no stake to pay from")?;
            counts.charged += part;
        }
        Ok(())
    }

    fn settled(
        &mut self,
        index: WindowIndex,
        outcomes: &[Outcome],
        best_ppm: Ppm,
        (next, next_start): (Option<Published>, B256),
        at: LogPosition,
    ) -> Result<(), &'static str> {
        if index != self.window.index || outcomes.len() != self.window.submissions.len() {
            return Err("it does not match the current window");
        }
        self.charge(outcomes)?;
        let window = Window::new(WindowIndex(index.0.saturating_add(1)), self.window.version, next_start);
        let window = std::mem::replace(&mut self.window, window);
        for (submission, _) in
            window.submissions.iter().zip(outcomes).filter(|(_, outcome)| matches!(outcome, Outcome::Accepted(_)))
        {
            self.accepts += 1;
            self.account(submission.miner).accepted += 1;
        }
        self.best_ppm = best_ppm;
        // The keys of the next version were made before this settlement, and are bound to the window that it settles.
        let beacon = window.start;
        let submissions = (0..)
            .zip(window.submissions)
            .zip(window.positions)
            .zip(outcomes)
            .map(|(((index, submission), at), outcome)| SettledSubmission {
                index,
                miner: submission.miner,
                content: submission.content.into(),
                at,
                outcome: *outcome,
                award: window.awards.get(&index).copied(),
            })
            .collect();
        let (index, version, start) = (window.index, window.version, window.start);
        self.settled.push(SettledWindow { index, version, start, submissions, best_ppm, at });
        if let Some(published) = next {
            self.renew(published, beacon, at);
        }
        Ok(())
    }

    fn renew(&mut self, published: Published, beacon: B256, at: LogPosition) {
        let version = Version(self.window.version.0.saturating_add(1));
        self.window.version = version;
        self.versions.push(VersionView { version, published, at, beacon });
    }

    fn withdrawn(
        &mut self,
        address: Address,
        to: Address,
        amount: Amount,
        at: LogPosition,
    ) -> Result<(), &'static str> {
        let account = self.account(address);
        if account.owed() != amount {
            return Err("a different amount was owed");
        }
        account.withdrawn = account.withdrawn.saturating_add(amount);
        account.paid = account.earned;
        self.withdrawals.push(Withdrawal { account: address, to, amount, at });
        Ok(())
    }

    fn stake_withdrawn(
        &mut self,
        address: Address,
        to: Address,
        amount: Amount,
        at: LogPosition,
    ) -> Result<(), &'static str> {
        let is_capsule = address == self.terms.capsule;
        let gas_credit = if is_capsule { std::mem::take(&mut self.gas_credit) } else { Amount::ZERO };
        if self.stakes(address).free.saturating_add(gas_credit) != amount {
            return Err("a different stake was free");
        }
        let mut counts = self.account(address).stakes;
        let held = self.held(&counts);
        counts.withdrawn += counts.present.saturating_sub(held);
        counts.present = held;
        self.account(address).stakes = counts;
        self.stake_withdrawals.push(Withdrawal { account: address, to, amount, at });
        Ok(())
    }
}

/// Eighths that are missing to a whole stake.
fn missing(free: u32) -> u32 {
    EIGHTHS.saturating_sub(free)
}

/// `#[serde(with)]` for shared campaigns.
mod shared_campaigns {
    use super::{Arc, BTreeMap, CampaignId, CampaignView, Deserialize, Deserializer};
    use serde::Serializer;

    pub fn serialize<S: Serializer>(
        campaigns: &BTreeMap<CampaignId, Arc<CampaignView>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(campaigns.values().map(Arc::as_ref))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<CampaignId, Arc<CampaignView>>, D::Error> {
        let campaigns = Vec::<CampaignView>::deserialize(deserializer)?;
        Ok(campaigns.into_iter().map(|campaign| (campaign.id, Arc::new(campaign))).collect())
    }
}

/// `#[serde(with)]` for the fate of a stake: serde cannot read a tagged form from a binary format.
mod stake_fate {
    use super::{Deserialize, Deserializer, Serialize, StakeFate, Version};
    use serde::Serializer;

    pub fn serialize<S: Serializer>(fate: &Option<StakeFate>, serializer: S) -> Result<S::Ok, S::Error> {
        let form = fate.map(|fate| match fate {
            StakeFate::Released => None,
            StakeFate::Convicted { version } => Some(version),
        });
        form.serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<StakeFate>, D::Error> {
        let form = Option::<Option<Version>>::deserialize(deserializer)?;
        Ok(form.map(|version| version.map_or(StakeFate::Released, |version| StakeFate::Convicted { version })))
    }
}
