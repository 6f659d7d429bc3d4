//! Why a campaign is not launched.

use sonar_contracts::{MAX_SUBMISSION_STAKE, STAKE_UNIT};
use syft::{Grid, LadderError, Ppm};
use syft_nets::NetworkError;

use super::accuracy::neighbours;
use crate::{
    data::{FitReport, TableError},
    families::{DraftError, TooManyRows, TrialError},
    fingerprint::Fingerprint,
    manifest::ManifestError,
    terms::TermsError,
    units::{Amount, Timestamp, TokenUnit, percent},
};

/// Why a campaign is not launched.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// The bounty is nothing, or more than the contract can hold.
    #[error("the bounty must be more than nothing, and fit into 128 bits")]
    Bounty,
    /// The deadline has passed.
    #[error("the deadline has passed")]
    PastDeadline,
    /// The Capsule might have to deliver to a certificate that has expired.
    #[error(
        "the OpenPGP certificate {fingerprint} expires at {expires}, but the model may be delivered as late as {needed}: extend the \
         certificate and its subkeys (with GnuPG: `gpg --quick-set-expire`), use a key that does not expire, or choose an \
         earlier deadline"
    )]
    CertificateExpires {
        /// The certificate.
        fingerprint: Fingerprint,
        /// When it expires.
        expires: Timestamp,
        /// How long it is needed.
        needed: Timestamp,
    },
    /// The target is not above the start.
    #[error("{0}")]
    Ladder(#[from] LadderError),
    /// The claimed start is not what the starting model does.
    #[error(
        "the starting model has an accuracy of {}, but accuracy.start claims {}; leave accuracy.start out to claim what is measured, or raise accuracy.tolerance",
        percent(*.measured),
        percent(*.claimed)
    )]
    Start {
        /// As measured.
        measured: Ppm,
        /// As claimed.
        claimed: Ppm,
    },
    /// The validation set is no table.
    #[error("the validation set: {0}")]
    Table(#[from] TableError),
    /// The validation set does not fit the file's inputs and task.
    #[error("the validation set does not fit inputs and task:\n{0}")]
    Misfit(#[from] FitReport),
    /// The validation set is too long.
    #[error("the validation set: {0}")]
    Rows(#[from] TooManyRows),
    /// Nothing can be measured: of the starting model, or on the validation set.
    #[error("{0}")]
    Trial(#[from] TrialError),
    /// The backbone reads other data.
    #[error("model.backbone: {0}")]
    Backbone(syft::DataError),
    /// The backbone is too large.
    #[error("model.backbone: {0}")]
    BackboneSize(NetworkError),
    /// There is no such model of the validation set.
    #[error(transparent)]
    Draft(#[from] DraftError),
    /// The grid does not fit the validation set.
    #[error("accuracy.grid: {0}")]
    Grid(#[from] syft::UnitError),
    /// A target between two grid values, which no model could be attested to have reached.
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
    /// A target that is lower than every grid that the validation set allows.
    #[error(
        "accuracy.target of {} is less than the finest grid for this validation set, {}: choose a higher target, or add rows to the \
         validation set",
        percent(*target), percent((*finest).into())
    )]
    TargetBelowGrid {
        /// The target.
        target: Ppm,
        /// The finest grid.
        finest: Grid,
    },
    /// A limit that the contract would not take.
    #[error("limits.{field} = {value} must be {must}")]
    Limit {
        /// Which limit.
        field: &'static str,
        /// Its value.
        value: u64,
        /// What is allowed.
        must: &'static str,
    },
    /// A window that cannot become full.
    #[error(
        "limits.window = {window} is more than the {submissions} submissions that the campaign takes in all: take fewer, or a larger model, \
         about which more may be said"
    )]
    Window {
        /// Submissions that fill a window.
        window: u16,
        /// Submissions in all.
        submissions: u32,
    },
    /// A stake that the contract would not take.
    #[error(
        "limits.submission_stake of {} must be between 0 ETH and {}, in steps of {}",
        eth(*.0), eth(MAX_SUBMISSION_STAKE.into()), eth(STAKE_UNIT.into())
    )]
    Stake(Amount),
    /// A stake that is worth more than what it can bring.
    #[error("limits.submission_stake of {} is more than the {} that one grid step pays", eth(*.stake), eth(*.step))]
    StakeAboveStep {
        /// The stake.
        stake: Amount,
        /// What a grid step pays.
        step: Amount,
    },
    /// The manifest makes no sense.
    #[error("{0}")]
    Manifest(#[from] ManifestError),
    /// The terms are outside their units.
    #[error("{0}")]
    Terms(#[from] TermsError),
}

fn eth(amount: Amount) -> String {
    TokenUnit::eth().format(amount)
}
