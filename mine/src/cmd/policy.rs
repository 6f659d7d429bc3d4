//! `mine policy`

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use crate::{
    home,
    policy::{Backbones, Consent, Policy, Safeguards},
    privacy::{Budget, DELTA, UPLOADS},
};
use alloy::primitives::Address;
use clap::{
    Subcommand,
    builder::{PossibleValue, PossibleValuesParser, TypedValueParser},
};
use sonar_contracts::address;
use sonar_node::cli::{Code, Failure, Report};
use sonar_protocol::{
    families::{self, Algorithm},
    units::{self, Amount, TokenUnit},
};

use syft::Ppm;

use super::Context;

const TOKEN_HELP: &str = "name it by its address, or pass --rpc and --contracts to find DATA";

/// Show or change the rules for which campaigns are served
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show the policy
    Show,
    /// Change rules; all others stay as they are. A running Mine follows at once
    #[command(
        after_help = "Examples:\n  mine policy set --min-bounty \"10 ETH\" --cool-down 1h\n  mine policy set --any-data-scientist\n  mine policy set --epsilon 3 --uploads 50"
    )]
    Set(Box<Set>),
}

/// The training algorithms of all families, with a description each.
fn algorithm() -> impl TypedValueParser<Value = Algorithm> {
    let known = families::algorithms().into_iter();
    let values = known.map(|algorithm| PossibleValue::new(algorithm.name).help(algorithm.description));
    PossibleValuesParser::new(values).try_map(|name| name.parse::<Algorithm>())
}

/// Changes of rules
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = true)]
pub struct Set {
    /// Minimum bounty, such as "10 ETH", "500 DATA" or "5 0x…". Repeat it for several tokens; bounties in other tokens
    /// are then refused
    #[arg(long, value_name = "AMOUNT TOKEN")]
    min_bounty: Vec<String>,
    /// Accept any bounty in any token
    #[arg(long, conflicts_with = "min_bounty")]
    any_bounty: bool,
    /// Serve only this data scientist; may be repeated
    #[arg(long, value_name = "ADDRESS", value_parser = address::parse)]
    data_scientist: Vec<Address>,
    /// Serve every data scientist
    #[arg(long, conflicts_with = "data_scientist")]
    any_data_scientist: bool,
    /// Train only with this algorithm; may be repeated
    #[arg(long, value_name = "NAME", value_parser = algorithm())]
    algorithm: Vec<Algorithm>,
    /// Train with every algorithm
    #[arg(long, conflicts_with = "algorithm")]
    any_algorithm: bool,
    /// Whether to serve campaigns of the clear regime, whose model is public, so that everybody can see what accepted
    /// updates change in it
    #[arg(long, value_name = "ANSWER")]
    clear: Option<Consent>,
    /// Whether to serve campaigns that transform rows by a network or by constants of the data scientist's choice, which
    /// can be built to single out a row
    #[arg(long, value_name = "ANSWER")]
    backbone: Option<Backbones>,
    /// Accept bounties in this token as well: DATA or an address; may be repeated
    #[arg(long, value_name = "TOKEN")]
    token: Vec<String>,
    /// Accept bounties in ETH only
    #[arg(long, conflicts_with = "token")]
    no_token: bool,
    /// Minimum stake that a Capsule locks for a campaign, as share of a bounty in ETH, such as 0.1
    #[arg(long, value_name = "SHARE", value_parser = fraction)]
    least_stake_share: Option<Ppm>,
    /// Minimum stake that a Capsule locks for a campaign with a bounty in tokens, such as "0.1 ETH"
    #[arg(long, value_name = "AMOUNT")]
    least_token_stake: Option<String>,
    /// Minimum time that the terms give a Capsule for an evaluation, such as 1m
    #[arg(long, value_name = "TIME", value_parser = units::duration)]
    shortest_evaluation: Option<Duration>,
    /// Maximum time for an evaluation
    #[arg(long, value_name = "TIME", value_parser = units::duration)]
    longest_evaluation: Option<Duration>,
    /// Minimum time for the delivery
    #[arg(long, value_name = "TIME", value_parser = units::duration)]
    shortest_delivery: Option<Duration>,
    /// Maximum time for the delivery
    #[arg(long, value_name = "TIME", value_parser = units::duration)]
    longest_delivery: Option<Duration>,
    /// Minimum audit period
    #[arg(long, value_name = "TIME", value_parser = units::duration)]
    shortest_audit: Option<Duration>,
    /// Maximum audit period
    #[arg(long, value_name = "TIME", value_parser = units::duration)]
    longest_audit: Option<Duration>,
    /// Maximum number of updates without improvement in a campaign that has paid nobody
    #[arg(long, value_name = "N")]
    most_unpaid: Option<u32>,
    /// Maximum stake of one submission, such as "0.001 ETH"
    #[arg(long, value_name = "AMOUNT")]
    max_stake: Option<String>,
    /// Maximum stake of all unsettled submissions together, such as "0.01 ETH"
    #[arg(long, value_name = "AMOUNT")]
    max_at_stake: Option<String>,
    /// Minimum time between two submissions to one campaign, such as 10m
    #[arg(long, value_name = "TIME", value_parser = units::duration)]
    cool_down: Option<Duration>,
    /// Privacy budget: the ε of differential privacy for each data set in all, such as 3
    #[arg(long, value_name = "NUMBER")]
    epsilon: Option<f64>,
    /// Probability δ that the guarantee fails; should be well below 1 / number of rows [default: 1e-6]
    #[arg(long, value_name = "NUMBER")]
    delta: Option<f64>,
    /// Number of uploads into which the budget is divided [default: 20]
    #[arg(long, value_name = "N")]
    uploads: Option<u32>,
    /// No privacy budget: Capsules learn exact updates
    #[arg(long, conflicts_with_all = ["epsilon", "delta", "uploads"])]
    exact_updates: bool,
}

impl Command {
    pub async fn run(self, context: &Context) -> Result<Report, Failure> {
        let path = context.home.policy();
        let mut policy = home::read_policy(&path)?;
        if let Self::Set(set) = self {
            set.apply(context, &mut policy).await?;
            sonar_node::files::private_directory(context.home.path())?;
            home::write_policy(&path, &policy)?;
        }
        Report::new(&policy, human(&policy))
    }
}

impl Set {
    async fn apply(self, context: &Context, policy: &mut Policy) -> Result<(), Failure> {
        if let Some(pause) = self.cool_down {
            policy.cool_down_seconds = pause.as_secs();
        }
        if let Some(budget) = self.budget(policy.privacy)? {
            policy.privacy = Some(budget);
        }
        policy.clear = self.clear.unwrap_or(policy.clear);
        policy.backbone = self.backbone.unwrap_or(policy.backbone);
        if self.exact_updates {
            policy.privacy = None;
        }
        self.protect(&mut policy.terms);
        let amounts = [
            (&mut policy.max_stake, &self.max_stake),
            (&mut policy.max_at_stake, &self.max_at_stake),
            (&mut policy.terms.least_token_stake, &self.least_token_stake),
        ];
        for (limit, text) in amounts {
            if let Some(text) = text {
                *limit = stake(text)?;
            }
        }
        replace(&mut policy.data_scientists, self.data_scientist, self.any_data_scientist);
        replace(&mut policy.algorithms, self.algorithm, self.any_algorithm);
        if self.any_bounty {
            policy.min_bounty.clear();
        }
        let mut tokens = Vec::new();
        for token in &self.token {
            tokens.push(find_token(context, token).await.map_err(|error| error.help(TOKEN_HELP))?);
        }
        policy.tokens.extend(tokens);
        if self.no_token {
            policy.tokens.clear();
        }
        if !self.min_bounty.is_empty() {
            let mut least = BTreeMap::new();
            for text in &self.min_bounty {
                let (token, amount) = bounty(context, text).await?;
                least.insert(token, amount);
            }
            policy.min_bounty = least;
        }
        Ok(())
    }

    fn protect(&self, terms: &mut Safeguards) {
        terms.least_stake_share = self.least_stake_share.unwrap_or(terms.least_stake_share);
        terms.most_unpaid = self.most_unpaid.unwrap_or(terms.most_unpaid);
        let times = [
            (&mut terms.shortest_evaluation, self.shortest_evaluation),
            (&mut terms.longest_evaluation, self.longest_evaluation),
            (&mut terms.shortest_delivery, self.shortest_delivery),
            (&mut terms.longest_delivery, self.longest_delivery),
            (&mut terms.shortest_audit, self.shortest_audit),
            (&mut terms.longest_audit, self.longest_audit),
        ];
        for (limit, time) in times {
            *limit = time.map_or(*limit, |time| time.as_secs());
        }
    }

    /// The budget with the given changes; `None` without changes.
    fn budget(&self, old: Option<Budget>) -> Result<Option<Budget>, Failure> {
        if (self.epsilon, self.delta, self.uploads) == (None, None, None) {
            return Ok(None);
        }
        let bad = |message: String| Failure::new(Code::PrivacyBudget, message);
        let epsilon = self.epsilon.or(old.map(|old| old.epsilon()));
        let epsilon = epsilon.ok_or_else(|| bad("there is no privacy budget yet; pass --epsilon".into()))?;
        let delta = self.delta.or(old.map(|old| old.delta())).unwrap_or(DELTA);
        let uploads = self.uploads.or(old.map(|old| old.uploads())).unwrap_or(UPLOADS);
        Budget::new(epsilon, delta, uploads).map(Some).map_err(|error| bad(error.to_string()))
    }
}

fn replace<T: Ord>(rule: &mut BTreeSet<T>, listed: Vec<T>, any: bool) {
    if any || !listed.is_empty() {
        *rule = listed.into_iter().collect();
    }
}

fn stake(text: &str) -> Result<Amount, Failure> {
    TokenUnit::eth().parse(text).map_err(|error| Failure::new(Code::MaxStake, error))
}

/// Finds the token of a symbol or address. Only the symbols of ETH and DataCoin are accepted, because any contract can
/// have any symbol.
async fn bounty(context: &Context, text: &str) -> Result<(Address, Amount), Failure> {
    let bad = |message: String| Failure::new(Code::MinBounty, message);
    let (number, token) = text
        .trim()
        .split_once(char::is_whitespace)
        .ok_or_else(|| bad(format!("`{text}` is not an amount and a token, such as \"10 ETH\"")))?;
    let unit = match find_token(context, token.trim()).await? {
        Address::ZERO => TokenUnit::eth(),
        address => context.client(None).await?.token(address).await?,
    };
    let amount = unit.parse(number).map_err(|error| bad(error.to_string()))?;
    Ok((unit.address, amount))
}

/// Finds the address of a token; zero for ETH.
async fn find_token(context: &Context, token: &str) -> Result<Address, Failure> {
    if token.eq_ignore_ascii_case("ETH") {
        return Ok(Address::ZERO);
    }
    if token.eq_ignore_ascii_case("DATA") {
        return Ok(context.client(None).await?.deployment().datacoin);
    }
    token_address(token).map_err(|message| Failure::new(Code::MinBounty, message))
}

/// A share between 0 and 1, in parts per million.
fn fraction(text: &str) -> Result<Ppm, String> {
    let share: f64 = text.parse().map_err(|_| format!("`{text}` is not a number"))?;
    if !(0.0..=1.0).contains(&share) {
        return Err(format!("{text} is not between 0 and 1"));
    }
    // Rounded to the nearest, because decimal fractions are not exact in binary.
    Ppm::new((share * 1e6).round() as u32).map_err(|error| error.to_string())
}

fn token_address(token: &str) -> Result<Address, String> {
    if !token.starts_with("0x") {
        return Err(format!("`{token}` is neither ETH, DATA nor the address of a token"));
    }
    address::parse(token).map_err(|error| error.to_string())
}

/// The policy as text.
pub(super) fn human(policy: &Policy) -> String {
    let list = |items: Vec<String>| {
        if items.is_empty() { "any".into() } else { items.join(", ") }
    };
    let bounties = policy
        .min_bounty
        .iter()
        .map(|(token, least)| match *token {
            Address::ZERO => TokenUnit::eth().format(*least),
            token => format!("{least} (smallest units) of {token}"),
        })
        .collect();
    format!(
        "bounty at least   {}\ntokens            {}\ndata scientists   {}\nalgorithms        {}\nclear regime      {}\nbackbones         {}\ncool-down         {} s\nstakes at most    {} a submission, {} in all\n{}\nprivacy           {}",
        list(bounties),
        ["ETH".to_owned()]
            .into_iter()
            .chain(policy.tokens.iter().map(Address::to_string))
            .collect::<Vec<_>>()
            .join(", "),
        list(policy.data_scientists.iter().map(Address::to_string).collect()),
        list(policy.algorithms.iter().map(Algorithm::to_string).collect()),
        match policy.clear {
            Consent::Allow => "allowed: the model is public, so everybody can see what accepted updates change in it",
            Consent::Refuse => "refused",
        },
        match policy.backbone {
            Backbones::Allow => "allowed, and free constants of maps: they can be built to single out a row",
            Backbones::WithBudget => "allowed with a privacy budget, as free constants of maps",
            Backbones::Refuse => "refused, and free constants of maps",
        },
        policy.cool_down_seconds,
        TokenUnit::eth().format(policy.max_stake),
        TokenUnit::eth().format(policy.max_at_stake),
        policy.terms,
        policy.privacy.map_or_else(|| "none: Capsules learn exact updates".into(), |budget| budget.to_string()),
    )
}
