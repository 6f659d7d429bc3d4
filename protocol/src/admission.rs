//! Which campaigns the contract opens, and which of them a Capsule's operator admits: twins of `TermsChecker`'s bounds on
//! times and of the checks of `CapsuleRegistry.lock`.

use alloy::primitives::{Address, U256};
use sonar_contracts::{Bounds, base_fee};

use crate::{
    terms::CampaignTerms,
    units::{Amount, Timestamp},
    view::CapsuleView,
};

/// Why terms are not admitted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAdmitted {
    /// A time is outside the contract's bounds.
    #[error("{field} of {seconds} s must be between {min} s and {max} s on this network")]
    Time {
        /// The field of the terms.
        field: &'static str,
        /// Its value.
        seconds: u64,
        /// The least that the contract allows.
        min: u64,
        /// The most.
        max: u64,
    },
    /// The operator has published no limits, so that no campaign can be activated.
    #[error("the Capsule's operator has published no limits (`capsule limits`), so that no campaign can be activated")]
    NoLimits,
    /// More is demanded than the operator's limit.
    #[error("{what} of {value} is above the Capsule's limit of {limit}")]
    Above {
        /// What is limited.
        what: &'static str,
        /// The demand.
        value: Amount,
        /// The limit.
        limit: Amount,
    },
    /// Less is given than the operator's limit.
    #[error("{what} of {value} is below the Capsule's limit of {limit}")]
    Below {
        /// What is limited.
        what: &'static str,
        /// What the terms give.
        value: Amount,
        /// The limit.
        limit: Amount,
    },
    /// The Capsule works for no fees in the campaign's token.
    #[error("the Capsule works for no fees in {}", token(*.0))]
    Token(Address),
    /// The Capsule has too little free stake.
    #[error("the Capsule has {free} wei of free stake, and the terms lock {wanted} wei")]
    Stake {
        /// Its free stake.
        free: Amount,
        /// What the terms lock.
        wanted: Amount,
    },
}

fn token(address: Address) -> String {
    if address.is_zero() { "ETH".into() } else { format!("the token {address}") }
}

/// Checks the times in terms against the contract's bounds.
///
/// # Errors
/// The first time that is outside.
pub fn check_times(bounds: &Bounds, terms: &CampaignTerms, now: Timestamp) -> Result<(), NotAdmitted> {
    let times = [
        ("window_seconds", terms.windowSeconds, &bounds.window),
        ("activation_seconds", terms.activationSeconds, &bounds.activation),
        ("evaluation_seconds", terms.evaluationSeconds, &bounds.evaluation),
        ("delivery_seconds", terms.deliverySeconds, &bounds.delivery),
        ("audit_seconds", terms.audit.period, &bounds.audit),
    ];
    for (field, seconds, range) in times {
        check_range(field, seconds.into(), range.min.into(), range.max.into())?;
    }
    let until = terms.deadline().unix().saturating_sub(now.unix());
    check_range("the time to the deadline", until, 1, bounds.horizon.into())
}

fn check_range(field: &'static str, seconds: u64, min: u64, max: u64) -> Result<(), NotAdmitted> {
    if (min..=max).contains(&seconds) { Ok(()) } else { Err(NotAdmitted::Time { field, seconds, min, max }) }
}

/// Checks terms against what a Capsule's operator admits, as `activate` will at this time.
///
/// # Errors
/// The first limit that is exceeded.
pub fn check_limits(capsule: &CapsuleView, terms: &CampaignTerms, now: Timestamp) -> Result<(), NotAdmitted> {
    let limits = capsule.limits;
    if limits == Default::default() {
        return Err(NotAdmitted::NoLimits);
    }
    let stake = Amount::from(terms.stake);
    let run = terms.deadline().unix().saturating_sub(now.unix());
    at_most("the locked stake (in wei)", stake, limits.stake_per_campaign)?;
    at_most("the stake locked by all campaigns (in wei)", capsule.locked.saturating_add(stake), limits.stake_in_all)?;
    at_most("the time to the deadline (in seconds)", amount(run), amount(limits.longest_run))?;
    at_most("audit_seconds", amount(terms.audit.period), amount(limits.longest_audit))?;
    at_most("submissions", amount(terms.maxSubmissions), amount(limits.max_submissions))?;
    at_least("evaluation_seconds", amount(terms.evaluationSeconds), amount(limits.shortest_evaluation))?;
    at_least("delivery_seconds", amount(terms.deliverySeconds), amount(limits.shortest_delivery))?;
    let least_fee = *capsule.tokens.get(&terms.token).ok_or(NotAdmitted::Token(terms.token))?;
    let base = Amount(base_fee(terms.bounty, terms.feePpm));
    at_least("the fee that is paid even if nothing is awarded (in the token's smallest unit)", base, least_fee)?;
    let free = capsule.free_stake();
    if stake > free { Err(NotAdmitted::Stake { free, wanted: stake }) } else { Ok(()) }
}

fn amount(value: impl Into<u64>) -> Amount {
    Amount(U256::from(value.into()))
}

fn at_most(what: &'static str, value: Amount, limit: Amount) -> Result<(), NotAdmitted> {
    if value > limit { Err(NotAdmitted::Above { what, value, limit }) } else { Ok(()) }
}

fn at_least(what: &'static str, value: Amount, limit: Amount) -> Result<(), NotAdmitted> {
    if value < limit { Err(NotAdmitted::Below { what, value, limit }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use sonar_contracts::{AuditTerms, Range, Terms};

    use super::*;
    use crate::event::CapsuleLimits;

    const NOW: Timestamp = Timestamp::from_unix(1_000);

    fn terms() -> Terms {
        Terms {
            bounty: 4_000_000,
            feePpm: 10_000,
            stake: 10,
            deadline: 1_100,
            windowSeconds: 5,
            activationSeconds: 5,
            evaluationSeconds: 60,
            deliverySeconds: 60,
            maxSubmissions: 10,
            audit: AuditTerms { period: 50, ..AuditTerms::default() },
            ..Terms::default()
        }
    }

    fn capsule() -> CapsuleView {
        CapsuleView {
            stake: amount(100_u32),
            locked: amount(20_u32),
            limits: CapsuleLimits {
                stake_per_campaign: amount(10_u32),
                stake_in_all: amount(30_u32),
                longest_run: 100,
                longest_audit: 50,
                shortest_evaluation: 60,
                shortest_delivery: 60,
                max_submissions: 10,
            },
            tokens: [(Address::ZERO, amount(10_000_u32))].into(),
            ..CapsuleView::default()
        }
    }

    fn verdict(change: impl FnOnce(&mut Terms, &mut CapsuleView)) -> Result<(), NotAdmitted> {
        let (mut terms, mut capsule) = (terms(), capsule());
        change(&mut terms, &mut capsule);
        check_limits(&capsule, &terms.try_into().unwrap(), NOW)
    }

    #[test]
    fn every_limit_admits_its_own_value_and_nothing_beyond() {
        assert_eq!(verdict(|_, _| ()), Ok(()));
        let beyond: [fn(&mut Terms, &mut CapsuleView); 10] = [
            |terms, _| terms.stake = 11,
            |_, capsule| capsule.locked = amount(21_u32),
            |terms, _| terms.deadline = 1_101,
            |terms, _| terms.audit.period = 51,
            |terms, _| terms.maxSubmissions = 11,
            |terms, _| terms.evaluationSeconds = 59,
            |terms, _| terms.deliverySeconds = 59,
            |terms, _| terms.bounty = 3_999_000,
            |terms, _| terms.token = Address::repeat_byte(1),
            |_, capsule| capsule.stake = amount(29_u32),
        ];
        for (i, change) in beyond.into_iter().enumerate() {
            assert!(verdict(change).is_err(), "{i}");
        }
        assert_eq!(verdict(|_, capsule| capsule.limits = CapsuleLimits::default()), Err(NotAdmitted::NoLimits));
    }

    #[test]
    fn a_time_outside_the_contracts_bounds_is_named() {
        let range = Range { min: 5, max: 60 };
        let (window, activation, evaluation) = (range.clone(), range.clone(), range.clone());
        let bounds = Bounds { window, activation, evaluation, delivery: range.clone(), audit: range, horizon: 100 };
        let check = |change: fn(&mut Terms)| {
            let mut terms = terms();
            change(&mut terms);
            check_times(&bounds, &terms.try_into().unwrap(), NOW).map_err(|error| error.to_string())
        };
        assert_eq!(check(|_| ()), Ok(()));
        let text = "audit_seconds of 61 s must be between 5 s and 60 s on this network";
        assert_eq!(check(|terms| terms.audit.period = 61), Err(text.into()));
        assert!(check(|terms| terms.windowSeconds = 4).is_err());
        assert!(check(|terms| terms.deadline = 1_101).is_err());
    }
}
