//! Why a launch is refused.

use sonar_contracts::{MAX_SUBMISSION_STAKE, STAKE_UNIT};
use syft::{Grid, LadderError, Ppm};
use syft_nets::NetworkError;

use super::accuracy::neighbours;
use crate::{
    data::{FitReport, TableError},
    families::{DraftError, TooManyRows, TrialError},
    fingerprint::Fingerprint,
    ids::CampaignId,
    lineage::ParentMismatch,
    manifest::ManifestError,
    terms::TermsError,
    units::{Amount, Timestamp, TokenUnit, percent},
};

/// Why a launch is refused.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// The bounty is zero, or larger than the contract supports.
    #[error("the bounty must be greater than zero and less than 2^128 of the token's smallest unit")]
    Bounty,
    /// The deadline has passed.
    #[error("the deadline has passed")]
    PastDeadline,
    /// The certificate expires before the model is certain to be delivered.
    #[error(
        "the OpenPGP certificate {fingerprint} expires at {expires}, but the model may be delivered as late as {needed}: extend the \
         certificate and its subkeys (with GnuPG: `gpg --quick-set-expire`), use a key that does not expire, or choose an \
         earlier deadline"
    )]
    CertificateExpires {
        /// Fingerprint of the certificate.
        fingerprint: Fingerprint,
        /// Time of its expiry.
        expires: Timestamp,
        /// Time until which it must be valid.
        needed: Timestamp,
    },
    /// The target is not above the starting accuracy.
    #[error("{0}")]
    Ladder(#[from] LadderError),
    /// The claimed starting accuracy differs from the measured one.
    #[error(
        "the starting model has an accuracy of {}, but accuracy.start claims {}; leave accuracy.start out to claim the measured accuracy, or raise accuracy.tolerance",
        percent(*.measured),
        percent(*.claimed)
    )]
    Start {
        /// As measured.
        measured: Ppm,
        /// As claimed.
        claimed: Ppm,
    },
    /// The validation set is not a table.
    #[error("the validation set: {0}")]
    Table(#[from] TableError),
    /// The validation set does not fit the file's inputs and task.
    #[error("the validation set does not fit inputs and task:\n{0}")]
    Misfit(#[from] FitReport),
    /// The validation set has too many rows.
    #[error("the validation set: {0}")]
    Rows(#[from] TooManyRows),
    /// The accuracy cannot be measured, because of the starting model or the validation set.
    #[error("{0}")]
    Trial(#[from] TrialError),
    /// The backbone does not fit the data.
    #[error("model.backbone: {0}")]
    Backbone(syft::DataError),
    /// The backbone is too large.
    #[error("model.backbone: {0}")]
    BackboneSize(NetworkError),
    /// The model cannot start from the result of the campaign that the file names.
    #[error(transparent)]
    Parent(#[from] ParentMismatch),
    /// The result of the campaign that the file names is missing.
    #[error("model.initial names campaign {0}, whose result was not fetched")]
    NoParent(CampaignId),
    /// The model does not fit the validation set.
    #[error(transparent)]
    Draft(#[from] DraftError),
    /// The grid does not fit the validation set.
    #[error("accuracy.grid: {0}")]
    Grid(#[from] syft::UnitError),
    /// The target is between two grid values, so that no attestation could reach it.
    #[error(
        "accuracy.target of {} is between two steps of the grid of {}: choose {}, or leave accuracy.grid out",
        percent(*target), percent((*grid).into()), neighbours(*target, *grid)
    )]
    TargetOffGrid {
        /// The target.
        target: Ppm,
        /// The grid.
        grid: Grid,
    },
    /// The target is lower than every grid step that the validation set allows.
    #[error(
        "accuracy.target of {} is less than the finest grid for this validation set, {}: choose a higher target, or add rows to the \
         validation set",
        percent(*target), percent((*finest).into())
    )]
    TargetBelowGrid {
        /// The target.
        target: Ppm,
        /// The finest possible grid.
        finest: Grid,
    },
    /// A limit that the contract would refuse.
    #[error("limits.{field} = {value} must be {must}")]
    Limit {
        /// Name of the limit.
        field: &'static str,
        /// Its value.
        value: u64,
        /// Valid values.
        must: &'static str,
    },
    /// A window that can never become full.
    #[error(
        "limits.window = {window} is more than the {submissions} submissions that the campaign takes in all: choose a \
         smaller window, or a larger model, which allows more submissions"
    )]
    Window {
        /// Number of submissions that fill a window.
        window: u16,
        /// Maximum number of submissions.
        submissions: u32,
    },
    /// A stake that the contract would refuse.
    #[error(
        "limits.submission_stake of {} must be between 0 ETH and {}, in steps of {}",
        eth(*.0), eth(MAX_SUBMISSION_STAKE.into()), eth(STAKE_UNIT.into())
    )]
    Stake(Amount),
    /// A stake above what the contract allows for the bounty.
    #[error(
        "limits.submission_stake of {} is more than {}: one grid step's pay, or 0.001 ETH for a bounty in a token",
        eth(*.stake), eth(*.most)
    )]
    StakeTooHigh {
        /// The stake.
        stake: Amount,
        /// The most that the contract allows.
        most: Amount,
    },
    /// The manifest is invalid.
    #[error("{0}")]
    Manifest(#[from] ManifestError),
    /// The terms are outside their units.
    #[error("{0}")]
    Terms(#[from] TermsError),
}

fn eth(amount: Amount) -> String {
    TokenUnit::eth().format(amount)
}
