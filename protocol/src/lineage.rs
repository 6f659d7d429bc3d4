//! Lineage: a campaign that starts from the result of an earlier campaign of the same owner.
//!
//! The parent is public, in the manifest. Others can verify only what is on chain: that the parent has the same owner,
//! and had delivered before. That the starting model is the parent's result is the owner's word, because starting
//! models are sealed.

use std::fmt;

use serde::{Deserialize, Serialize};
use syft::Task;
use utoipa::ToSchema;

use crate::{
    campaign::CampaignFile,
    data::{Range, Schema},
    ids::CampaignId,
    manifest::Manifest,
    regime::Regime,
    units::Timestamp,
    view::{CampaignView, World},
};

/// The campaign that another one starts from, with its manifest.
#[derive(Clone, Debug, PartialEq)]
pub struct Parent {
    /// Its id.
    pub id: CampaignId,
    /// Its manifest.
    pub manifest: Manifest,
}

/// Why a campaign cannot start from another one.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("model.initial: {difference}")]
pub struct ParentMismatch {
    difference: Difference,
}

/// The first difference between a campaign file and the parent campaign.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
enum Difference {
    #[error("campaign {parent} is of the {} regime, and this file of the {} regime: set regime = \"{}\"", .theirs.name(), .ours.name(), .theirs.name())]
    Regime { parent: CampaignId, ours: Regime, theirs: Regime },
    #[error("campaign {0} has a model of another family")]
    Family(CampaignId),
    #[error("campaign {parent} reads {theirs} columns, and this file names {ours}: name the same columns in `inputs`")]
    Columns { parent: CampaignId, ours: usize, theirs: usize },
    #[error(
        "column {number} is `{ours}` in this file and `{theirs}` in campaign {parent}: name the same columns in the same order"
    )]
    Column { parent: CampaignId, number: usize, ours: String, theirs: String },
    #[error(
        "`{column}` ranges {ours} in this file and {theirs} in campaign {parent}: write the same range, from which the model's inputs follow"
    )]
    Range { parent: CampaignId, column: String, ours: Span, theirs: Span },
    #[error("the target is `{ours}` in this file and `{theirs}` in campaign {parent}")]
    Target { parent: CampaignId, ours: String, theirs: String },
    #[error("campaign {0} has another task: one is a classification, the other a regression")]
    Task(CampaignId),
    #[error(
        "the classes are {ours} in this file and {theirs} in campaign {parent}: name the same classes in the same order"
    )]
    Classes { parent: CampaignId, ours: String, theirs: String },
    #[error("model.{setting} is not that of campaign {parent}: leave it out to take that campaign's")]
    Setting { parent: CampaignId, setting: &'static str },
    #[error("campaign {0} reads raw columns, and this file names a backbone: remove model.backbone")]
    BackboneAdded(CampaignId),
    #[error("campaign {0} reads the activations of a backbone: name the same file in model.backbone")]
    Backbone(CampaignId),
}

/// A range in words.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Span(f64, f64);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "from {} to {}", self.0, self.1)
    }
}

impl From<Difference> for ParentMismatch {
    fn from(difference: Difference) -> Self {
        Self { difference }
    }
}

/// Reading a manifest may change the last bits of a number.
fn same(ours: f64, theirs: f64) -> bool {
    (ours - theirs).abs() <= 1e-12 * ours.abs().max(theirs.abs())
}

impl Parent {
    /// Checks that a campaign file describes models of the parent's kind.
    ///
    /// # Errors
    /// The first difference, and what to do about it.
    pub fn check(&self, file: &CampaignFile) -> Result<(), ParentMismatch> {
        let (ours, theirs) = (file.model.regime, self.manifest.method.regime());
        if ours != theirs {
            return Err(Difference::Regime { parent: self.id, ours, theirs }.into());
        }
        self.check_schema(&file.schema())
    }

    fn check_schema(&self, ours: &Schema) -> Result<(), ParentMismatch> {
        let (parent, theirs) = (self.id, &self.manifest.data);
        let counts = (ours.inputs.len(), theirs.inputs.len());
        if counts.0 != counts.1 {
            return Err(Difference::Columns { parent, ours: counts.0, theirs: counts.1 }.into());
        }
        for (number, (ours, theirs)) in (1..).zip(ours.inputs.iter().zip(&theirs.inputs)) {
            if ours.name != theirs.name {
                let (ours, theirs) = (ours.name.clone(), theirs.name.clone());
                return Err(Difference::Column { parent, number, ours, theirs }.into());
            }
            self.check_range(&ours.name, Span(ours.min, ours.max), Span(theirs.min, theirs.max))?;
        }
        if ours.target != theirs.target {
            let (ours, theirs) = (ours.target.clone(), theirs.target.clone());
            return Err(Difference::Target { parent, ours, theirs }.into());
        }
        match (&ours.task, &theirs.task) {
            (Task::Classification { classes: ours }, Task::Classification { classes: theirs }) if ours != theirs => {
                let [ours, theirs] = [ours, theirs].map(|classes| classes.join(", "));
                Err(Difference::Classes { parent, ours, theirs }.into())
            }
            (Task::Classification { .. }, Task::Classification { .. }) => Ok(()),
            (Task::Regression, Task::Regression) => {
                let span = |range: Option<Range>| range.map_or(Span(0.0, 0.0), |range| Span(range.min, range.max));
                self.check_range(&ours.target, span(ours.range), span(theirs.range))
            }
            _ => Err(Difference::Task(parent).into()),
        }
    }

    fn check_range(&self, column: &str, ours: Span, theirs: Span) -> Result<(), ParentMismatch> {
        if same(ours.0, theirs.0) && same(ours.1, theirs.1) {
            return Ok(());
        }
        Err(Difference::Range { parent: self.id, column: column.into(), ours, theirs }.into())
    }

    /// The parent has a model of another family.
    pub(crate) fn other_family(&self) -> ParentMismatch {
        Difference::Family(self.id).into()
    }

    /// A setting of the campaign file is not the parent's.
    pub(crate) fn other_setting(&self, setting: &'static str) -> ParentMismatch {
        Difference::Setting { parent: self.id, setting }.into()
    }

    /// The backbones differ; `added` if the parent has none.
    pub(crate) fn other_backbone(&self, added: bool) -> ParentMismatch {
        if added { Difference::BackboneAdded(self.id).into() } else { Difference::Backbone(self.id).into() }
    }
}

/// The campaign that a campaign starts from, according to its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ParentClaim {
    /// Id of the parent campaign.
    #[schema(value_type = String)]
    pub id: CampaignId,
    /// Whether the chain agrees: the parent is a campaign of the same owner, and had delivered its model before this
    /// campaign was launched. That the starting model is that model remains the owner's word.
    pub verified: bool,
}

impl ParentClaim {
    /// Compares a claim with the chain.
    #[must_use]
    pub fn new(parent: CampaignId, child: &CampaignView, world: &World) -> Self {
        let fits = |parent: &CampaignView| {
            parent.id != child.id
                && parent.terms.owner == child.terms.owner
                && delivered_at(parent).is_some_and(|delivered| delivered <= child.opened.timestamp)
        };
        Self { id: parent, verified: world.campaign(parent).is_some_and(fits) }
    }
}

/// Time of a campaign's delivery, after which its state has no other change of its own.
fn delivered_at(view: &CampaignView) -> Option<Timestamp> {
    view.result.map(|_| view.changed_at)
}

#[cfg(test)]
mod tests {
    use alloy::primitives::{Address, B256};
    use sonar_contracts::{CloseReason, Terms};
    use syft::Ppm;

    use super::*;
    use crate::{
        event::{Event, LogPosition, Record},
        handover::Published,
        ids::Digest,
        units::Amount,
    };

    const PARENT: CampaignId = CampaignId(B256::repeat_byte(1));
    const CHILD: CampaignId = CampaignId(B256::repeat_byte(2));

    fn apply(world: &mut World, time: u64, event: Event) {
        let timestamp = Timestamp::from_unix(time);
        let at = LogPosition { block: time, block_hash: B256::ZERO, timestamp, transaction: B256::ZERO, index: 0 };
        world.apply(&Record { at, event }).unwrap();
    }

    fn open(world: &mut World, time: u64, id: CampaignId, owner: Address) {
        let terms = Terms { owner, windowSize: 1, deadline: 1_000, ..Terms::default() };
        let terms = Box::new(terms.try_into().unwrap());
        apply(world, time, Event::Opened { id, terms, window_start: B256::ZERO });
    }

    fn deliver(world: &mut World, time: u64, id: CampaignId) {
        let first = Published { material: Digest([1; 32]), root: B256::ZERO, handover: B256::ZERO };
        apply(world, time, Event::Activated { id, start_ppm: Ppm::ZERO, first, certificate: Digest([2; 32]) });
        apply(world, time, Event::Closed { id, reason: CloseReason::Owner, refunded: Amount::ZERO });
        apply(world, time, Event::Finalized { id, result: Digest([3; 32]), handovers: Vec::new() });
    }

    #[test]
    fn only_a_delivered_campaign_of_the_same_owner_is_a_verified_parent() {
        let (owner, stranger) = (Address::repeat_byte(5), Address::repeat_byte(6));
        let is_verified = |parent_of: Address, delivered: Option<u64>, child_at: u64| {
            let mut world = World::default();
            open(&mut world, 1, PARENT, parent_of);
            if let Some(time) = delivered.filter(|time| *time <= child_at) {
                deliver(&mut world, time, PARENT);
            }
            open(&mut world, child_at, CHILD, owner);
            if let Some(time) = delivered.filter(|time| *time > child_at) {
                deliver(&mut world, time, PARENT);
            }
            ParentClaim::new(PARENT, world.campaign(CHILD).unwrap(), &world).verified
        };
        assert!(is_verified(owner, Some(5), 9) && is_verified(owner, Some(9), 9));
        assert!(!is_verified(owner, Some(10), 9), "it had not delivered yet");
        assert!(!is_verified(owner, None, 9), "it never delivered");
        assert!(!is_verified(stranger, Some(5), 9), "a stranger's campaign");
        let mut world = World::default();
        open(&mut world, 1, CHILD, owner);
        deliver(&mut world, 1, CHILD);
        let child = world.campaign(CHILD).unwrap();
        assert!(!ParentClaim::new(PARENT, child, &world).verified, "an unknown campaign");
        assert!(!ParentClaim::new(CHILD, child, &world).verified, "itself");
    }
}
