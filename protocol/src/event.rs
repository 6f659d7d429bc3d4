//! Typed events of the contracts, in order: the only input of the fold.

use alloy::{
    primitives::{Address, B256, Log},
    sol_types::SolEventInterface,
};
use sonar_contracts::{
    Campaigns::CampaignsEvents, CapsuleRegistry::CapsuleRegistryEvents, CloseReason, Limits, Outcome,
};
use syft::Ppm;

use crate::{
    handover::{Handover, Published},
    ids::{CampaignId, Digest, Version, WindowIndex},
    refusal::DeclineReason,
    terms::CampaignTerms,
    units::{Amount, Timestamp},
    wire,
};

/// Place of an event on the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct LogPosition {
    /// Number of the block.
    pub block: u64,
    /// Hash of the block.
    pub block_hash: B256,
    /// Its time.
    pub timestamp: Timestamp,
    /// Hash of the transaction.
    pub transaction: B256,
    /// Index of the log in the block.
    pub index: u64,
}

/// An event, with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its place on the chain.
    pub at: LogPosition,
    /// The event.
    pub event: Event,
}

/// The newest block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Head {
    /// Number of the newest block.
    pub number: u64,
    /// Hash of the block.
    pub hash: B256,
    /// Time at which a transaction sent now would be executed: never before the last block, and it advances even
    /// if no block is mined. Time limits are decided by it.
    pub now: Timestamp,
}

/// New events since the last query.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// Blocks that were read before were rolled back: discard all state, `records` starts again with the contracts'
    /// first event. Also set on the first batch.
    pub restarted: bool,
    /// The new events, in order; often none.
    pub records: Vec<Record>,
    /// The newest block.
    pub head: Head,
}

/// An event of the contracts. The events suffice to rebuild all state of the contracts.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[allow(missing_docs)] // The fields are those of the contracts' events, documented there.
pub enum Event {
    /// A bounty went into escrow.
    Opened { id: CampaignId, terms: Box<CampaignTerms>, window_start: B256 },
    /// The Capsule measured the starting accuracy, published version 1, and the certificate that updates are sealed to.
    Activated { id: CampaignId, start_ppm: Ppm, first: Published, certificate: Digest },
    /// The Capsule declined the campaign.
    Declined { id: CampaignId, reason: DeclineReason },
    /// A campaign that was never active returned everything to its owner.
    Refunded { id: CampaignId, amount: Amount },
    /// A miner submitted an update.
    Submitted { id: CampaignId, miner: Address, version: Version, window: WindowIndex, index: u32, content: Digest },
    /// A window was settled; `version` is the version that its submissions were for.
    Settled {
        id: CampaignId,
        window: WindowIndex,
        version: Version,
        #[serde(with = "wire::outcomes")]
        outcomes: Vec<Outcome>,
        best_ppm: Ppm,
        next: Option<Published>,
        window_start: B256,
    },
    /// Submissions of a window that were not accepted paid from their stakes. Emitted before its `Settled`.
    Charged { id: CampaignId, window: WindowIndex, to_capsule: Amount, burned: Amount },
    /// The owner announced the end: the campaign closes when its window is settled.
    Closing { id: CampaignId },
    /// An accepted submission earned its part of the bounty. Emitted before its window's `Settled`.
    Awarded { id: CampaignId, miner: Address, window: WindowIndex, index: u32, delta_ppm: Ppm, amount: Amount },
    /// A campaign closed and credited its owner.
    Closed { id: CampaignId, reason: CloseReason, refunded: Amount },
    /// The Capsule delivered the model, and handed over the seeds of its versions.
    Finalized { id: CampaignId, result: Digest, handovers: Vec<Handover> },
    /// The Capsule's stake was freed, and its fee paid; the rest of the deposited fee went to the owner.
    Released { id: CampaignId, fee: Amount, refunded: Amount },
    /// The Capsule was convicted for a version: its fee and a part of its stake went to the owner.
    Convicted { id: CampaignId, version: Version, refunded: Amount, compensation: Amount },
    /// The Capsule did not deliver in time: its fee and a part of its stake went to the owner.
    Expired { id: CampaignId, refunded: Amount, compensation: Amount },
    /// An account withdrew its credit from a campaign.
    Withdrawn { id: CampaignId, account: Address, to: Address, amount: Amount },
    /// An account withdrew its free stakes from a campaign.
    StakeWithdrawn { id: CampaignId, account: Address, to: Address, amount: Amount },
    /// The registration or stake of a Capsule changed.
    Capsule { operator: Address, change: CapsuleChange },
}

/// A change of a Capsule in the registry.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)] // The fields are those of the registry's events, documented there.
pub enum CapsuleChange {
    /// It registered, or changed its registration.
    Described { attester: Address, fingerprint: B256, certificate: Digest, endpoint: String, fee_ppm: Ppm },
    /// Its operator deposited stake.
    Deposited(Amount),
    /// Its operator withdrew stake.
    Unstaked(Amount),
    /// Its operator authorised a Campaigns contract to lock stake, or revoked that.
    Authorized { campaigns: Address, allowed: bool },
    /// A campaign locked stake.
    Locked(Amount),
    /// A campaign released its lock.
    Unlocked(Amount),
    /// A campaign slashed the stake that it had locked.
    Slashed(Amount),
    /// Its operator published its limits.
    Limited(CapsuleLimits),
    /// Its operator published whether it works for fees in a token (zero: ETH), and the least fee.
    TokenChosen { token: Address, accepted: bool, least_fee: Amount },
}

/// What a campaign may demand of a Capsule at most. A campaign is activated only within them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
pub struct CapsuleLimits {
    /// Most stake that one campaign may lock, in wei.
    #[schema(value_type = String)]
    pub stake_per_campaign: Amount,
    /// Most stake that all campaigns together may lock, in wei.
    #[schema(value_type = String)]
    pub stake_in_all: Amount,
    /// Most seconds from the activation to the deadline.
    pub longest_run: u32,
    /// Most seconds of the audit period.
    pub longest_audit: u32,
    /// Least seconds to settle a closed window.
    pub shortest_evaluation: u32,
    /// Least seconds to deliver after the end.
    pub shortest_delivery: u32,
    /// Most submissions to a campaign.
    pub max_submissions: u32,
}

impl From<CapsuleLimits> for Limits {
    fn from(limits: CapsuleLimits) -> Self {
        Self {
            // No stake exceeds the number of wei that exist.
            stakePerCampaign: limits.stake_per_campaign.0.saturating_to(),
            stakeInAll: limits.stake_in_all.0.saturating_to(),
            longestRun: limits.longest_run,
            longestAudit: limits.longest_audit,
            shortestEvaluation: limits.shortest_evaluation,
            shortestDelivery: limits.shortest_delivery,
            maxSubmissions: limits.max_submissions,
        }
    }
}

impl From<Limits> for CapsuleLimits {
    fn from(limits: Limits) -> Self {
        Self {
            stake_per_campaign: limits.stakePerCampaign.into(),
            stake_in_all: limits.stakeInAll.into(),
            longest_run: limits.longestRun,
            longest_audit: limits.longestAudit,
            shortest_evaluation: limits.shortestEvaluation,
            shortest_delivery: limits.shortestDelivery,
            max_submissions: limits.maxSubmissions,
        }
    }
}

impl Event {
    /// The campaign that it concerns, if any.
    #[must_use]
    pub fn campaign(&self) -> Option<CampaignId> {
        match self {
            Self::Opened { id, .. }
            | Self::Activated { id, .. }
            | Self::Declined { id, .. }
            | Self::Refunded { id, .. }
            | Self::Submitted { id, .. }
            | Self::Settled { id, .. }
            | Self::Awarded { id, .. }
            | Self::Closed { id, .. }
            | Self::Finalized { id, .. }
            | Self::Charged { id, .. }
            | Self::Closing { id }
            | Self::Released { id, .. }
            | Self::Convicted { id, .. }
            | Self::Expired { id, .. }
            | Self::Withdrawn { id, .. }
            | Self::StakeWithdrawn { id, .. } => Some(*id),
            Self::Capsule { .. } => None,
        }
    }

    /// The account that it concerns, if any.
    #[must_use]
    pub fn account(&self) -> Option<Address> {
        match self {
            Self::Submitted { miner, .. } | Self::Awarded { miner, .. } => Some(*miner),
            Self::Withdrawn { account, .. } | Self::StakeWithdrawn { account, .. } => Some(*account),
            Self::Capsule { operator, .. } => Some(*operator),
            Self::Opened { terms, .. } => Some(terms.owner),
            _ => None,
        }
    }

    /// Its name, as in the contracts' ABI but in snake case.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Opened { .. } => "opened",
            Self::Activated { .. } => "activated",
            Self::Declined { .. } => "declined",
            Self::Refunded { .. } => "refunded",
            Self::Submitted { .. } => "submitted",
            Self::Settled { .. } => "settled",
            Self::Charged { .. } => "charged",
            Self::Closing { .. } => "closing",
            Self::Awarded { .. } => "awarded",
            Self::Closed { .. } => "closed",
            Self::Finalized { .. } => "finalized",
            Self::Released { .. } => "released",
            Self::Convicted { .. } => "convicted",
            Self::Expired { .. } => "expired",
            Self::Withdrawn { .. } => "withdrawn",
            Self::StakeWithdrawn { .. } => "stake_withdrawn",
            Self::Capsule { .. } => "capsule",
        }
    }

    /// Decodes a log of the contract Campaigns; `None` if it is not part of the protocol.
    pub fn from_campaigns(log: &Log) -> Result<Option<Self>, String> {
        use CampaignsEvents as E;
        let Some(event) = known::<E>(log, E::SELECTORS)? else {
            return Ok(None);
        };
        Ok(Some(match event {
            E::Opened(e) => {
                let terms = CampaignTerms::try_from(e.terms).map_err(|error| error.to_string())?;
                Self::Opened { id: e.id.into(), terms: Box::new(terms), window_start: e.windowStart }
            }
            E::Activated(e) => Self::Activated {
                id: e.id.into(),
                start_ppm: share(e.startPpm)?,
                first: Published::from_chain(&e.first).ok_or("a campaign was activated without material")?,
                certificate: e.certificate.into(),
            },
            E::Declined(e) => Self::Declined { id: e.id.into(), reason: e.reason.into() },
            E::Refunded(e) => Self::Refunded { id: e.id.into(), amount: e.amount.into() },
            E::Submitted(e) => Self::Submitted {
                id: e.id.into(),
                miner: e.miner,
                version: Version(e.version),
                window: WindowIndex(e.window),
                index: e.index,
                content: e.content.into(),
            },
            E::Settled(e) => Self::Settled {
                id: e.id.into(),
                window: WindowIndex(e.window),
                version: Version(e.version),
                outcomes: e
                    .outcomes
                    .into_iter()
                    .map(Outcome::decode)
                    .collect::<Result<_, _>>()
                    .map_err(|error| error.to_string())?,
                best_ppm: share(e.bestPpm)?,
                next: Published::from_chain(&e.next),
                window_start: e.windowStart,
            },
            E::Charged(e) => Self::Charged {
                id: e.id.into(),
                window: WindowIndex(e.window),
                to_capsule: e.toCapsule.into(),
                burned: e.burned.into(),
            },
            E::Closing(e) => Self::Closing { id: e.id.into() },
            E::Awarded(e) => Self::Awarded {
                id: e.id.into(),
                miner: e.miner,
                window: WindowIndex(e.window),
                index: e.index,
                delta_ppm: share(e.deltaPpm)?,
                amount: e.amount.into(),
            },
            E::Closed(e) => Self::Closed {
                id: e.id.into(),
                reason: CloseReason::try_from(e.reason).map_err(|error| error.to_string())?,
                refunded: e.refunded.into(),
            },
            E::Finalized(e) => Self::Finalized {
                id: e.id.into(),
                result: e.result.into(),
                handovers: e.handovers.into_iter().map(Handover::from).collect(),
            },
            E::Released(e) => Self::Released { id: e.id.into(), fee: e.fee.into(), refunded: e.refunded.into() },
            E::Convicted(e) => Self::Convicted {
                id: e.id.into(),
                version: Version(e.version),
                refunded: e.refunded.into(),
                compensation: e.compensation.into(),
            },
            E::Expired(e) => {
                Self::Expired { id: e.id.into(), refunded: e.refunded.into(), compensation: e.compensation.into() }
            }
            E::Withdrawn(e) => {
                Self::Withdrawn { id: e.id.into(), account: e.account, to: e.to, amount: e.amount.into() }
            }
            E::StakeWithdrawn(e) => {
                Self::StakeWithdrawn { id: e.id.into(), account: e.account, to: e.to, amount: e.amount.into() }
            }
            // Not about campaigns.
            E::EIP712DomainChanged(_) => return Ok(None),
        }))
    }

    /// Decodes a log of the registry; `None` if it is not part of the protocol.
    pub fn from_registry(log: &Log) -> Result<Option<Self>, String> {
        use CapsuleRegistryEvents as E;
        let Some(event) = known::<E>(log, E::SELECTORS)? else {
            return Ok(None);
        };
        let (operator, change) = match event {
            E::Registered(e) => (
                e.operator,
                CapsuleChange::Described {
                    attester: e.attester,
                    fingerprint: e.fingerprint,
                    certificate: e.certificate.into(),
                    endpoint: e.endpoint,
                    fee_ppm: share(e.feePpm)?,
                },
            ),
            E::Updated(e) => (
                e.operator,
                CapsuleChange::Described {
                    attester: e.attester,
                    fingerprint: e.fingerprint,
                    certificate: e.certificate.into(),
                    endpoint: e.endpoint,
                    fee_ppm: share(e.feePpm)?,
                },
            ),
            E::Deposited(e) => (e.operator, CapsuleChange::Deposited(e.amount.into())),
            E::Unstaked(e) => (e.operator, CapsuleChange::Unstaked(e.amount.into())),
            E::Authorized(e) => (e.operator, CapsuleChange::Authorized { campaigns: e.campaigns, allowed: e.allowed }),
            E::Locked(e) => (e.operator, CapsuleChange::Locked(e.amount.into())),
            E::Unlocked(e) => (e.operator, CapsuleChange::Unlocked(e.amount.into())),
            E::Slashed(e) => (e.operator, CapsuleChange::Slashed(e.amount.into())),
            E::Limited(e) => (e.operator, CapsuleChange::Limited(e.limits.into())),
            E::TokenChosen(e) => {
                let (token, accepted, least_fee) = (e.token, e.accepted, e.leastFee.into());
                (e.operator, CapsuleChange::TokenChosen { token, accepted, least_fee })
            }
            // Withdrawals of slashed stake concern only the registry and the account.
            E::Credited(_) | E::Claimed(_) => return Ok(None),
        };
        Ok(Some(Self::Capsule { operator, change }))
    }
}

fn share(ppm: u32) -> Result<Ppm, String> {
    Ppm::new(ppm).map_err(|error| error.to_string())
}

/// Decodes an event of the interface, and skips those of later contracts.
fn known<E: SolEventInterface>(log: &Log, selectors: &[[u8; 32]]) -> Result<Option<E>, String> {
    let ours = log.topics().first().is_some_and(|topic| selectors.contains(&topic.0));
    if !ours {
        return Ok(None);
    }
    E::decode_log(log).map(|log| Some(log.data)).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use alloy::sol_types::SolEvent;
    use sonar_contracts::{Campaigns, Terms};

    use super::*;

    const ID: B256 = B256::repeat_byte(1);

    fn read(event: &impl SolEvent) -> Result<Option<Event>, String> {
        Event::from_campaigns(&Log { address: Address::ZERO, data: event.encode_log_data() })
    }

    #[test]
    fn what_no_contract_of_ours_says_is_refused_with_its_value() {
        let terms = Terms { feePpm: 1_000_001, ..Terms::default() };
        let opened = read(&Campaigns::Opened { terms, ..Campaigns::Opened::default() });
        assert!(opened.unwrap_err().contains("fee: 1000001 ppm"));
        let (miner, window, index) = (Address::ZERO, 0, 0);
        let amount = Default::default();
        let awarded = read(&Campaigns::Awarded { id: ID, miner, window, index, deltaPpm: 1_000_002, amount });
        assert!(awarded.unwrap_err().contains("1000002 ppm"));
        let closed = read(&Campaigns::Closed { id: ID, reason: 7, refunded: Default::default() });
        assert!(closed.unwrap_err().contains("close reason 7"));
    }

    #[test]
    fn any_capsule_may_decline_for_a_reason_of_its_own() {
        let declined = read(&Campaigns::Declined { id: ID, reason: 200 }).unwrap().unwrap();
        assert_eq!(declined, Event::Declined { id: ID.into(), reason: 200.into() });
        assert_eq!(serde_json::to_value(declined).unwrap()["reason"], 200);
    }
}
