//! The policy: the owner's rules for which campaigns are served. A pure decision over public facts, which names the
//! rule that applied.

mod preset;
mod safeguards;

use std::collections::{BTreeMap, BTreeSet};

use alloy::primitives::Address;
use serde::{Deserialize, Serialize};
use sonar_contracts::address;
use sonar_protocol::{
    families::{Algorithm, FreeConstant},
    obstacles::USUAL_SUBMISSION_STAKE as MAX_STAKE,
    units::{Amount, Timestamp, TokenUnit},
};

pub use self::{
    preset::{EXACT, Preset},
    safeguards::{Protection, Safeguards, Time, Unprotected},
};
use crate::privacy::Budget;

/// Default maximum stake of all unsettled submissions in wei: 0.01 ETH.
const MAX_AT_STAKE: u128 = 10 * MAX_STAKE;

/// The owner's rules. The default is [`Preset::Balanced`]: it allows everything except large stakes, foreign tokens, terms
/// that do not protect a Mine, the clear regime, and whatever could single out a row without a privacy budget.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// Minimum time in seconds between two submissions to one campaign.
    pub cool_down_seconds: u64,
    /// Data scientists whose campaigns are served; empty means all.
    #[serde(deserialize_with = "address::deserialize_set")]
    pub data_scientists: BTreeSet<Address>,
    /// Algorithms that are allowed; empty means all.
    pub algorithms: BTreeSet<Algorithm>,
    /// Minimum bounty by token, in the token's smallest unit; the zero address is ETH. If any token is listed, bounties
    /// in other tokens are refused, because their worth is unknown.
    #[serde(deserialize_with = "address::deserialize_map")]
    pub min_bounty: BTreeMap<Address, Amount>,
    /// Tokens other than ETH in which bounties are accepted. Those in `min_bounty` are accepted as well. A stranger's token
    /// may be one that only its maker can sell.
    #[serde(deserialize_with = "address::deserialize_set")]
    pub tokens: BTreeSet<Address>,
    /// Privacy budget of each data set; `None` means that Capsules learn exact updates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub privacy: Option<Budget>,
    /// Whether campaigns of the clear regime are served.
    pub clear: Consent,
    /// Whether campaigns are served whose public part is of the data scientist's choice: backbones, and constants that do
    /// not follow the published ranges.
    pub backbone: Backbones,
    /// Maximum stake of one submission in wei.
    pub max_stake: Amount,
    /// Maximum stake of all unsettled submissions in wei.
    pub max_at_stake: Amount,
    /// Limits for the terms of a campaign.
    pub terms: Safeguards,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            cool_down_seconds: 0,
            data_scientists: BTreeSet::new(),
            algorithms: BTreeSet::new(),
            min_bounty: BTreeMap::new(),
            tokens: BTreeSet::new(),
            privacy: None,
            clear: Consent::Refuse,
            backbone: Backbones::WithBudget,
            max_stake: MAX_STAKE.into(),
            max_at_stake: MAX_AT_STAKE.into(),
            terms: Safeguards::default(),
        }
    }
}

/// A choice that needs the owner's explicit consent.
///
/// The clear regime needs it: each version of its model is public, so everybody, and not only the Capsule, can see what
/// an accepted update changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Consent {
    /// Serve such campaigns
    Allow,
    /// Do not serve such campaigns
    #[default]
    Refuse,
}

/// Whether a campaign may transform rows by the data scientist's choice: by a backbone, by a feature map whose constants
/// do not follow the published ranges, by unusual scores of classes, or by a public starting model.
///
/// The transformation determines what an update discloses: one that responds only to one record makes the update
/// disclose that record to the holder of the secret key. A privacy budget bounds this disclosure; without a budget, the
/// owner must trust data scientist and Capsule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Backbones {
    /// Serve such campaigns
    Allow,
    /// Serve such campaigns only if there is a privacy budget
    #[default]
    WithBudget,
    /// Do not serve such campaigns
    Refuse,
}

/// The public part of a campaign that transforms rows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Transformation {
    /// Its constants follow the published ranges, or are derived from one of sixteen seeds.
    #[default]
    Checked,
    /// It has a network of the data scientist's choice.
    Backbone,
    /// It has other constants of the data scientist's choice.
    Free {
        /// The first of them.
        detail: String,
    },
}

impl From<Result<(), FreeConstant>> for Transformation {
    fn from(checked: Result<(), FreeConstant>) -> Self {
        match checked {
            Ok(()) => Self::Checked,
            Err(FreeConstant::Backbone) => Self::Backbone,
            Err(other) => Self::Free { detail: other.to_string() },
        }
    }
}

/// Input of a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The data scientist.
    pub owner: Address,
    /// The bounty's token; zero for ETH.
    pub token: Address,
    /// The bounty.
    pub bounty: Amount,
    /// Training algorithm; `None` until the manifest is fetched.
    pub algorithm: Option<Algorithm>,
    /// What transforms rows; `Checked` until the manifest is fetched.
    pub transformation: Transformation,
    /// The terms that protect a Mine.
    pub protection: Protection,
    /// Stake of a submission in wei.
    pub stake: Amount,
    /// Stake of this Mine's unsettled submissions to other campaigns, in wei.
    pub at_stake_elsewhere: Amount,
    /// Time of this Mine's last submission to the campaign.
    pub last_submission: Option<Timestamp>,
    /// Time of the chain, which decides.
    pub now: Timestamp,
}

/// The rule that excludes a campaign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "rule", rename_all = "snake_case")]
pub enum Objection {
    /// The data scientist is not on the list.
    #[error("policy data_scientists: {owner} is not on the list")]
    DataScientist {
        /// Address of the data scientist.
        owner: Address,
    },
    /// The token is not on the list.
    #[error("policy min_bounty: token {token} is not on the list")]
    Token {
        /// The bounty's token.
        token: Address,
    },
    /// The bounty is too small.
    #[error("policy min_bounty: the bounty of {bounty} is below {least} (smallest units)")]
    Bounty {
        /// The bounty.
        bounty: Amount,
        /// The minimum.
        least: Amount,
    },
    /// The stake of a submission is too large.
    #[error("policy max_stake: the stake of a submission is {}, more than {}", eth(.stake), eth(.most))]
    Stake {
        /// The stake.
        stake: Amount,
        /// The maximum.
        most: Amount,
    },
    /// The stakes together would be too large.
    #[error("policy max_at_stake: {} for all unsettled submissions together, more than {}", eth(.total), eth(.most))]
    AtStake {
        /// Stake of all unsettled submissions and this one.
        total: Amount,
        /// The maximum.
        most: Amount,
    },
    /// The model is public.
    #[error(
        "policy clear: the model of this campaign is public, so everybody can see what accepted updates change in it; `mine policy set --clear allow` serves such campaigns"
    )]
    Clear,
    /// Rows go through a network of the data scientist's choice.
    #[error(
        "policy backbone: rows would go through a network of the data scientist's choice, which can be built to single out a row; `mine policy set --epsilon` bounds what it discloses, `--backbone allow` serves such campaigns without a bound"
    )]
    Backbone,
    /// A constant is of the data scientist's choice.
    #[error(
        "policy backbone: {detail}; such a constant can be chosen to single out a row; `mine policy set --epsilon` bounds what it discloses, `--backbone allow` serves such campaigns without a bound"
    )]
    Constants {
        /// The constant.
        detail: String,
    },
    /// The bounty is in a token that the owner did not allow.
    #[error(
        "policy tokens: the bounty is in token {token}, which may be worthless; `mine policy set --token {token}` accepts it"
    )]
    ForeignToken {
        /// The bounty's token.
        token: Address,
    },
    /// The terms do not protect a Mine.
    #[error(transparent)]
    Terms(#[from] Unprotected),
    /// The algorithm is not on the list.
    #[error("policy algorithms: {algorithm} is not on the list")]
    Algorithm {
        /// The campaign's algorithm.
        algorithm: Algorithm,
    },
}

fn eth(amount: &Amount) -> String {
    TokenUnit::eth().format(*amount)
}

/// Decision of the policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The campaign may be served.
    Allowed,
    /// The campaign may be served after this time, when the cool-down ends.
    Later(Timestamp),
    /// A rule excludes the campaign.
    Refused(Objection),
}

impl Policy {
    /// Decides about one campaign at the given time.
    #[must_use]
    pub fn decide(&self, facts: &Facts) -> Decision {
        match self.objection(facts) {
            Some(objection) => Decision::Refused(objection),
            None => self.cool_down(facts),
        }
    }

    fn objection(&self, facts: &Facts) -> Option<Objection> {
        let owner = facts.owner;
        if !self.data_scientists.is_empty() && !self.data_scientists.contains(&owner) {
            return Some(Objection::DataScientist { owner });
        }
        let terms = || self.terms.check(&facts.protection).err().map(Objection::Terms);
        self.bounty(facts).or_else(|| self.stake(facts)).or_else(terms).or_else(|| {
            let algorithm = facts.algorithm?;
            if algorithm.regime.is_public() && self.clear == Consent::Refuse {
                return Some(Objection::Clear);
            }
            if let Some(objection) = self.transformation(&facts.transformation) {
                return Some(objection);
            }
            let listed = self.algorithms.is_empty() || self.algorithms.contains(&algorithm);
            (!listed).then_some(Objection::Algorithm { algorithm })
        })
    }

    const fn allows_backbones(&self) -> bool {
        match self.backbone {
            Backbones::Allow => true,
            Backbones::WithBudget => self.privacy.is_some(),
            Backbones::Refuse => false,
        }
    }

    fn transformation(&self, transformation: &Transformation) -> Option<Objection> {
        match transformation {
            Transformation::Backbone if !self.allows_backbones() => Some(Objection::Backbone),
            Transformation::Free { detail } if !self.allows_backbones() => {
                Some(Objection::Constants { detail: detail.clone() })
            }
            Transformation::Checked | Transformation::Backbone | Transformation::Free { .. } => None,
        }
    }

    fn bounty(&self, facts: &Facts) -> Option<Objection> {
        let token = facts.token;
        let is_foreign = !token.is_zero() && !self.tokens.contains(&token);
        match self.min_bounty.get(&token) {
            None if self.min_bounty.is_empty() => is_foreign.then_some(Objection::ForeignToken { token }),
            None => Some(Objection::Token { token: facts.token }),
            Some(least) if facts.bounty < *least => Some(Objection::Bounty { bounty: facts.bounty, least: *least }),
            Some(_) => None,
        }
    }

    fn stake(&self, facts: &Facts) -> Option<Objection> {
        let stake = facts.stake;
        if stake > self.max_stake {
            return Some(Objection::Stake { stake, most: self.max_stake });
        }
        let total = facts.at_stake_elsewhere.saturating_add(stake);
        let too_much = stake > Amount::ZERO && total > self.max_at_stake;
        too_much.then_some(Objection::AtStake { total, most: self.max_at_stake })
    }

    fn cool_down(&self, facts: &Facts) -> Decision {
        let until = facts.last_submission.map(|last| last.plus(self.cool_down_seconds));
        match until {
            Some(until) if facts.now < until => Decision::Later(until),
            _ => Decision::Allowed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DATA: Address = Address::repeat_byte(0xDA);

    fn algorithm(name: &str) -> Algorithm {
        name.parse().unwrap()
    }

    fn facts() -> Facts {
        Facts {
            owner: Address::repeat_byte(1),
            token: Address::ZERO,
            bounty: Amount::from(100),
            algorithm: Some(algorithm("proximal")),
            transformation: Transformation::Checked,
            protection: crate::testing::protection(),
            stake: Amount::from(10),
            at_stake_elsewhere: Amount::from(5),
            last_submission: None,
            now: Timestamp::from_unix(1_000),
        }
    }

    #[test]
    fn each_rule_refuses_by_its_own_name() {
        let cases = [
            (Policy { data_scientists: [Address::repeat_byte(2)].into(), ..Policy::default() }, "data_scientists"),
            (Policy { min_bounty: [(Address::ZERO, Amount::from(101))].into(), ..Policy::default() }, "below 101"),
            (Policy { min_bounty: [(DATA, Amount::from(1))].into(), ..Policy::default() }, "token 0x0000"),
            (Policy { max_stake: Amount::from(9), ..Policy::default() }, "more than 0.000000000000000009 ETH"),
            (
                Policy { max_at_stake: Amount::from(14), ..Policy::default() },
                "0.000000000000000015 ETH for all unsettled",
            ),
            (
                Policy { algorithms: [algorithm("local-steps")].into(), ..Policy::default() },
                "proximal is not on the list",
            ),
        ];
        for (policy, expected) in cases {
            match policy.decide(&facts()) {
                Decision::Refused(objection) => {
                    assert!(objection.to_string().contains(expected), "{objection}");
                }
                other => panic!("{expected}: {other:?}"),
            }
        }
        assert_eq!(Policy::default().decide(&facts()), Decision::Allowed);
    }

    #[test]
    fn a_backbone_needs_a_budget_or_trust() {
        let facts = Facts { transformation: Transformation::Backbone, ..facts() };
        let refused = Decision::Refused(Objection::Backbone);
        let policy = |backbone, privacy| Policy { backbone, privacy, ..Policy::default() };
        let budget = Some(Budget::new(3.0, 1e-6, 20).unwrap());
        assert_eq!(Policy::default().decide(&facts), refused);
        assert_eq!(policy(Backbones::WithBudget, budget).decide(&facts), Decision::Allowed);
        assert_eq!(policy(Backbones::Allow, None).decide(&facts), Decision::Allowed);
        assert_eq!(policy(Backbones::Refuse, budget).decide(&facts), refused);
    }

    /// A map that saturates everybody except one person is refused like a backbone.
    #[test]
    fn attack_free_constants_need_a_budget_or_trust() {
        let free = |detail: &str| Transformation::Free { detail: detail.into() };
        let facts = Facts { transformation: free("the spread of column 0 is 0.000001"), ..facts() };
        let policy = |preset: Preset| preset.policy().decide(&facts);
        let Decision::Refused(objection) = policy(Preset::Balanced) else { panic!("it is served") };
        assert!(
            objection.to_string().starts_with("policy backbone: the spread of column 0 is 0.000001;"),
            "{objection}"
        );
        assert!(matches!(policy(Preset::Careful), Decision::Refused(Objection::Constants { .. })));
        assert_eq!(policy(Preset::Open), Decision::Allowed);
        let budget = Policy { privacy: Some(Budget::usual()), ..Policy::default() };
        assert_eq!(budget.decide(&facts), Decision::Allowed);
    }

    #[test]
    fn attack_a_honeypot_token_is_not_worked_for() {
        let facts = Facts { token: DATA, ..facts() };
        for preset in Preset::ALL {
            let refused = Decision::Refused(Objection::ForeignToken { token: DATA });
            assert_eq!(preset.policy().decide(&facts), refused, "{preset:?}");
        }
        let named = Policy { tokens: [DATA].into(), ..Policy::default() };
        assert_eq!(named.decide(&facts), Decision::Allowed);
        let bounded = Policy { min_bounty: [(DATA, Amount::from(1))].into(), ..Policy::default() };
        assert_eq!(bounded.decide(&facts), Decision::Allowed);
    }

    #[test]
    fn terms_that_do_not_protect_a_mine_are_refused() {
        let protection = Protection { has_audit_keys: false, ..facts().protection };
        let refused = Policy::default().decide(&Facts { protection, ..facts() });
        assert_eq!(refused, Decision::Refused(Objection::Terms(Unprotected::NoAuditKeys)));
    }

    #[test]
    fn the_sealed_regime_has_to_be_wanted() {
        let facts = Facts { algorithm: Some(algorithm("network")), ..facts() };
        assert_eq!(Policy::default().decide(&facts), Decision::Refused(Objection::Clear));
        let willing = Policy { clear: Consent::Allow, ..Policy::default() };
        assert_eq!(willing.decide(&facts), Decision::Allowed);
        let choosy = Policy { algorithms: [algorithm("proximal")].into(), ..willing };
        assert!(matches!(choosy.decide(&facts), Decision::Refused(Objection::Algorithm { .. })));
    }

    #[test]
    fn stakes_up_to_the_limits_are_allowed_and_no_stake_always_is() {
        let exact = Policy { max_stake: Amount::from(10), max_at_stake: Amount::from(15), ..Policy::default() };
        assert_eq!(exact.decide(&facts()), Decision::Allowed);
        let strict = Policy { max_stake: Amount::ZERO, max_at_stake: Amount::ZERO, ..Policy::default() };
        assert_eq!(strict.decide(&Facts { stake: Amount::ZERO, ..facts() }), Decision::Allowed);
    }

    #[test]
    fn an_unknown_algorithm_is_decided_later() {
        let policy = Policy { algorithms: [algorithm("local-steps")].into(), ..Policy::default() };
        let unknown = Facts { algorithm: None, ..facts() };
        assert_eq!(policy.decide(&unknown), Decision::Allowed);
    }

    #[test]
    fn a_policy_survives_its_file_and_unknown_rules_are_errors() {
        let policy = Policy {
            cool_down_seconds: 60,
            data_scientists: [Address::repeat_byte(1)].into(),
            algorithms: [algorithm("proximal")].into(),
            min_bounty: [(Address::ZERO, Amount::from(5))].into(),
            privacy: Budget::new(3.0, 1e-6, 50).ok(),
            clear: Consent::Allow,
            backbone: Backbones::Allow,
            max_stake: Amount::from(6),
            max_at_stake: Amount::from(7),
            tokens: [DATA].into(),
            terms: Safeguards { shortest_audit: 5, ..Safeguards::default() },
        };
        let text = toml::to_string(&policy).unwrap();
        assert_eq!(toml::from_str::<Policy>(&text).unwrap(), policy);
        assert!(toml::from_str::<Policy>("min_bunty = 1").is_err());
        assert_eq!(toml::from_str::<Policy>("").unwrap(), Policy::default(), "a file of an older Mine");
    }

    proptest! {
        #[test]
        fn the_cool_down_ends_exactly_when_it_says(last in 0u64..2_000, pause in 0u64..2_000, now in 0u64..4_000) {
            let (last, now) = (Timestamp::from_unix(last), Timestamp::from_unix(now));
            let policy = Policy { cool_down_seconds: pause, ..Policy::default() };
            let facts = Facts { last_submission: Some(last), now, ..facts() };
            match policy.decide(&facts) {
                Decision::Later(until) => {
                    prop_assert!(now < until);
                    prop_assert_eq!(policy.decide(&Facts { now: until, ..facts }), Decision::Allowed);
                }
                decision => {
                    prop_assert_eq!(decision, Decision::Allowed);
                    prop_assert!(now >= last.plus(pause));
                }
            }
        }
    }
}
