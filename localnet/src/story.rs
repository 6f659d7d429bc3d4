//! The story: prints events for people as they happen.

use std::{
    collections::HashMap,
    io::{self, Write as _},
    time::Instant,
};

use alloy::primitives::Address;
use sonar_contracts::{CloseReason, Outcome};
use sonar_protocol::{
    event::{Event, Record},
    units::{Amount, TokenUnit, percent},
    view::CampaignView,
};

use crate::{follow::Observer, network::Network};

/// Prints the story to stderr, each line with the time since the start.
#[derive(Debug)]
pub struct Story {
    start: Instant,
    quiet: bool,
    names: HashMap<Address, String>,
    token: TokenUnit,
}

impl Story {
    /// Creates a story that starts now.
    #[must_use]
    pub fn new(quiet: bool) -> Self {
        Self { start: Instant::now(), quiet, names: HashMap::new(), token: TokenUnit::eth() }
    }

    /// Sets the names of the accounts and the token.
    pub fn introduce(&mut self, network: &Network, token: TokenUnit) {
        self.token = token;
        let mines = network.mines().iter();
        self.names = mines.map(|mine| (mine.address, mine.name.clone())).collect();
        self.names.insert(network.owner(), "the data scientist".into());
        self.names.insert(network.capsule(), "the Capsule".into());
    }

    /// Seconds since the start.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.start.elapsed().as_secs_f64()
    }

    /// Prints a line.
    pub fn tell(&self, text: &str) {
        if !self.quiet {
            // A closed stderr must not end the demo.
            let _ = writeln!(io::stderr(), "{:6.1} s  {text}", self.seconds());
        }
    }

    fn name(&self, address: &Address) -> String {
        self.names.get(address).map_or_else(|| address.to_string(), Clone::clone)
    }

    fn amount(&self, amount: Amount) -> String {
        self.token.format(amount)
    }

    fn line(&self, event: &Event, view: &CampaignView) -> Option<String> {
        Some(match event {
            Event::Opened { terms, .. } => {
                format!("{} is in escrow for campaign {}", self.amount(terms.bounty.into()), view.id.short())
            }
            Event::Activated { start_ppm, .. } => {
                format!(
                    "The Capsule measured a starting accuracy of {} and published version 1 of the model",
                    percent(*start_ppm)
                )
            }
            Event::Submitted { miner, version, index, .. } => format!(
                "{} sent a sealed update to version {version} ({} of {})",
                self.name(miner),
                index + 1,
                view.terms.windowSize
            ),
            Event::Awarded { miner, delta_ppm, amount, .. } => format!(
                "{} improved the model by {} points and earned {}",
                self.name(miner),
                percent(*delta_ppm).trim_end_matches(" %"),
                self.amount(*amount)
            ),
            Event::Settled { window, outcomes, best_ppm, .. } => {
                let accepted = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Accepted(_)));
                format!(
                    "Window {window} is settled: {} of {} updates accepted, the model is now at {}",
                    accepted.count(),
                    outcomes.len(),
                    percent(*best_ppm)
                )
            }
            Event::Closed { reason, refunded, .. } => format!(
                "The campaign is closed: {}; {} returned to the data scientist",
                because(*reason),
                self.amount(*refunded)
            ),
            Event::Finalized { .. } => "The Capsule delivered the model, encrypted to the data scientist".into(),
            Event::Released { fee, refunded, .. } => format!(
                "The Capsule's stake is free, and it earned a fee of {}; {} of the fee returned to the data scientist",
                self.amount(*fee),
                self.amount(*refunded)
            ),
            Event::Convicted { version, compensation, .. } => format!(
                "The Capsule was convicted for version {version}: it loses its stake, of which {} go to the data scientist",
                TokenUnit::eth().format(*compensation)
            ),
            Event::Charged { to_capsule, burned, .. } => format!(
                "Submissions that were not accepted paid {} for the Capsule's gas; {} were burned",
                TokenUnit::eth().format(*to_capsule),
                TokenUnit::eth().format(*burned)
            ),
            Event::Closing { .. } => "The data scientist closes the campaign after the current window".into(),
            Event::Withdrawn { account, amount, .. } => {
                format!("{} withdrew {}", self.name(account), self.amount(*amount))
            }
            Event::StakeWithdrawn { account, amount, .. } => {
                format!("{} withdrew a stake of {}", self.name(account), TokenUnit::eth().format(*amount))
            }
            Event::Declined { reason, .. } => format!("The Capsule declined: {reason}"),
            Event::Refunded { amount, .. } => {
                format!("{} was returned to the data scientist", self.amount(*amount))
            }
            Event::Expired { .. } => "The Capsule did not deliver in time".into(),
            Event::Capsule { .. } => return None,
        })
    }
}

fn because(reason: CloseReason) -> &'static str {
    match reason {
        CloseReason::None => "no reason given",
        CloseReason::Target => "the target is reached",
        CloseReason::Deadline => "the deadline passed",
        CloseReason::LeakBudget => "the leak budget is spent",
        CloseReason::Owner => "its owner closed it",
        CloseReason::Limit => "it had the maximum number of updates",
        CloseReason::CapsuleTimeout => "the Capsule missed a deadline",
    }
}

impl Observer for Story {
    fn warned(&mut self, warning: &str) {
        self.tell(&format!("Warning: {warning}"));
    }

    fn happened(&mut self, record: &Record, view: &CampaignView, _: &mut Network) {
        if let Some(line) = self.line(&record.event, view) {
            self.tell(&line);
        }
    }

    fn revived(&mut self, name: &str) {
        self.tell(&format!("{name} ended and was restarted"));
    }
}
