//! The terms that protect a Mine: what its Capsule risks, how long things may take, and in what a bounty is paid.
//!
//! A Mine works before it is paid. Terms can be such that a Capsule loses nothing by refusing everybody, that a stake
//! stays locked for years, or that the bounty is in a token that pays only its maker. Campaigns with such terms are not
//! served.

use std::fmt;

use serde::{Deserialize, Serialize};
use sonar_protocol::{
    obstacles::{USUAL_AUDIT as AUDIT, USUAL_DELIVERY as DELIVERY, USUAL_EVALUATION as EVALUATION},
    terms::{USUAL_STAKE_PPM, USUAL_TOKEN_STAKE},
    units::{Amount, TokenUnit},
};
use syft::Ppm;

use super::eth;

/// Default number of updates without improvement in a campaign that has paid nobody.
const UNPAID: u32 = 5;

/// The owner's limits for the terms of a campaign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Safeguards {
    /// Minimum stake that the Capsule locks for the campaign, in parts per million of a bounty in ETH.
    pub least_stake_share: Ppm,
    /// Minimum stake that the Capsule locks for a campaign with a bounty in tokens, in wei.
    pub least_token_stake: Amount,
    /// Minimum time for an evaluation in seconds.
    pub shortest_evaluation: u64,
    /// Maximum time for an evaluation in seconds.
    pub longest_evaluation: u64,
    /// Minimum time for the delivery in seconds.
    pub shortest_delivery: u64,
    /// Maximum time for the delivery in seconds.
    pub longest_delivery: u64,
    /// Minimum audit period in seconds.
    pub shortest_audit: u64,
    /// Maximum audit period in seconds.
    pub longest_audit: u64,
    /// Maximum number of updates without improvement in a campaign that has paid nobody.
    pub most_unpaid: u32,
}

impl Default for Safeguards {
    fn default() -> Self {
        Self {
            least_stake_share: Ppm::of(USUAL_STAKE_PPM.into(), 1_000_000),
            least_token_stake: USUAL_TOKEN_STAKE.into(),
            shortest_evaluation: EVALUATION.0,
            longest_evaluation: EVALUATION.1,
            shortest_delivery: DELIVERY.0,
            longest_delivery: DELIVERY.1,
            shortest_audit: AUDIT.0,
            longest_audit: AUDIT.1,
            most_unpaid: UNPAID,
        }
    }
}

/// The part of the terms that protects Mines, and what a campaign has paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protection {
    /// The bounty, if it is in ETH.
    pub bounty_in_eth: Option<Amount>,
    /// Stake that the Capsule locks, in wei.
    pub stake: Amount,
    /// Time for an evaluation in seconds.
    pub evaluation_seconds: u64,
    /// Time for the delivery in seconds.
    pub delivery_seconds: u64,
    /// Audit period in seconds.
    pub audit_seconds: u64,
    /// Whether the terms name audit keys.
    pub has_audit_keys: bool,
    /// Number of this Mine's updates without improvement; zero if the campaign has paid anybody.
    pub unpaid: u32,
}

/// A time in the terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Time {
    /// For an evaluation.
    Evaluation,
    /// For the delivery.
    Delivery,
    /// The audit period.
    Audit,
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Evaluation => "time for an evaluation",
            Self::Delivery => "time for the delivery",
            Self::Audit => "audit period",
        })
    }
}

impl Time {
    /// The settings of the policy for it.
    const fn rule(self) -> &'static str {
        match self {
            Self::Evaluation => "terms.shortest_evaluation, terms.longest_evaluation",
            Self::Delivery => "terms.shortest_delivery, terms.longest_delivery",
            Self::Audit => "terms.shortest_audit, terms.longest_audit",
        }
    }
}

/// Terms that do not protect a Mine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "term", rename_all = "snake_case")]
pub enum Unprotected {
    /// The Capsule has too little to lose.
    #[error(
        "policy terms.least_stake_share, terms.least_token_stake: the Capsule locks {} for this campaign, less than {}", eth(.stake), eth(.least)
    )]
    CapsuleStake {
        /// Stake that it locks.
        stake: Amount,
        /// The minimum.
        least: Amount,
    },
    /// A time is out of bounds.
    #[error("policy {}: the {time} is {seconds} s, not between {least} s and {most} s", time.rule())]
    Time {
        /// Which.
        time: Time,
        /// Its length.
        seconds: u64,
        /// The minimum.
        least: u64,
        /// The maximum.
        most: u64,
    },
    /// Nobody can audit the campaign.
    #[error("the terms have no audit keys, so that nobody can check what the Capsule did")]
    NoAuditKeys,
    /// The Mine works in vain.
    #[error(
        "policy terms.most_unpaid: {updates} of your updates did not improve the model, and the campaign has paid nobody; \
         `mine policy set --most-unpaid` allows more"
    )]
    Unpaid {
        /// Number of the Mine's updates without improvement.
        updates: u32,
    },
}

impl Safeguards {
    /// Checks the terms of a campaign.
    ///
    /// # Errors
    /// The first limit that they do not keep.
    pub fn check(&self, terms: &Protection) -> Result<(), Unprotected> {
        let least = terms.bounty_in_eth.map_or(self.least_token_stake, |bounty| share(bounty, self.least_stake_share));
        if terms.stake < least {
            return Err(Unprotected::CapsuleStake { stake: terms.stake, least });
        }
        let times = [
            (Time::Evaluation, terms.evaluation_seconds, self.shortest_evaluation, self.longest_evaluation),
            (Time::Delivery, terms.delivery_seconds, self.shortest_delivery, self.longest_delivery),
            (Time::Audit, terms.audit_seconds, self.shortest_audit, self.longest_audit),
        ];
        let outside = |&(_, seconds, least, most): &(Time, u64, u64, u64)| seconds < least || seconds > most;
        if let Some((time, seconds, least, most)) = times.into_iter().find(outside) {
            return Err(Unprotected::Time { time, seconds, least, most });
        }
        // Without a period there is no audit, and without keys nobody can read what is handed over.
        if !terms.has_audit_keys {
            return Err(Unprotected::NoAuditKeys);
        }
        let updates = terms.unpaid;
        if updates >= self.most_unpaid { Err(Unprotected::Unpaid { updates }) } else { Ok(()) }
    }
}

/// A share of an amount, rounded up.
fn share(amount: Amount, share: Ppm) -> Amount {
    let million = Amount::from(1_000_000_u128).0;
    // A bounty is at most 128 bits, so the product does not overflow.
    Amount(amount.0.saturating_mul(Amount::from(u128::from(share.get())).0).div_ceil(million))
}

impl fmt::Display for Safeguards {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = f64::from(self.least_stake_share.get()) / 1e4;
        writeln!(
            f,
            "Capsule's stake   at least {percent} % of a bounty in ETH, {} for tokens",
            TokenUnit::eth().format(self.least_token_stake)
        )?;
        writeln!(f, "evaluation        {} s to {} s", self.shortest_evaluation, self.longest_evaluation)?;
        writeln!(f, "delivery          {} s to {} s", self.shortest_delivery, self.longest_delivery)?;
        writeln!(f, "audit period      {} s to {} s", self.shortest_audit, self.longest_audit)?;
        write!(f, "unpaid updates    at most {} in a campaign that has paid nobody", self.most_unpaid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ETH: u128 = 1_000_000_000_000_000_000;

    fn good() -> Protection {
        Protection {
            bounty_in_eth: Some(ETH.into()),
            stake: (ETH / 10).into(),
            evaluation_seconds: 3_600,
            delivery_seconds: 86_400,
            audit_seconds: 604_800,
            has_audit_keys: true,
            unpaid: 4,
        }
    }

    fn refusal(terms: &Protection) -> String {
        Safeguards::default().check(terms).unwrap_err().to_string()
    }

    #[test]
    fn terms_of_a_usual_launch_are_fine() {
        assert_eq!(Safeguards::default().check(&good()), Ok(()));
        let tokens = Protection { bounty_in_eth: None, ..good() };
        assert_eq!(Safeguards::default().check(&tokens), Ok(()), "0.1 ETH for tokens");
    }

    #[test]
    fn attack_a_capsule_with_nothing_to_lose_is_not_worked_for() {
        let stake = Protection { stake: (ETH / 10 - 1).into(), ..good() };
        assert!(refusal(&stake).contains("locks 0.099999999999999999 ETH for this campaign, less than 0.1 ETH"));
        let tokens = Protection { bounty_in_eth: None, ..stake };
        assert!(refusal(&tokens).starts_with("policy terms.least_stake_share, terms.least_token_stake"));
        let small = Protection { bounty_in_eth: Some(9.into()), stake: Amount::ZERO, ..good() };
        assert!(refusal(&small).contains("less than 0.000000000000000001 ETH"), "rounded up");
        let fine = Safeguards { least_stake_share: Ppm::ZERO, ..Safeguards::default() };
        assert_eq!(fine.check(&small), Ok(()));
    }

    #[test]
    fn attack_times_that_lock_for_ever_or_end_before_an_audit_are_refused() {
        for seconds in [0, 59, 86_401, u64::MAX] {
            let terms = Protection { evaluation_seconds: seconds, ..good() };
            assert!(refusal(&terms).contains("the time for an evaluation is"), "{seconds}");
        }
        for seconds in [0, 599, 604_801] {
            let terms = Protection { delivery_seconds: seconds, ..good() };
            assert!(refusal(&terms).contains("the time for the delivery is"), "{seconds}");
        }
        for seconds in [0, 3_599, 2_592_001] {
            let terms = Protection { audit_seconds: seconds, ..good() };
            assert!(refusal(&terms).contains("the audit period is"), "{seconds}");
        }
        assert!(refusal(&Protection { has_audit_keys: false, ..good() }).contains("no audit keys"));
    }

    #[test]
    fn attack_a_capsule_that_refuses_everybody_gets_five_updates() {
        assert!(refusal(&Protection { unpaid: 5, ..good() }).contains("5 of your updates did not improve the model"));
    }

    #[test]
    fn limits_survive_their_file() {
        let limits = Safeguards { shortest_audit: 1, most_unpaid: 9, ..Safeguards::default() };
        assert_eq!(toml::from_str::<Safeguards>(&toml::to_string(&limits).unwrap()).unwrap(), limits);
        assert_eq!(toml::from_str::<Safeguards>("").unwrap(), Safeguards::default());
        assert!(toml::from_str::<Safeguards>("least_stake = 1").is_err());
    }
}
