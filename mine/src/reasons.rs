//! Why a Mine does nothing for a campaign, and what went wrong, as data. The journal keeps these; sentences are made only where
//! they are printed. What another crate reports is kept as `detail`, in its words.

use alloy::primitives::Address;
use serde::{Deserialize, Serialize};
use sonar_protocol::fingerprint::Fingerprint;

use crate::privacy::Exhausted;

/// Why a campaign's manifest cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "problem", rename_all = "snake_case")]
pub enum ManifestProblem {
    /// Nobody reads that much.
    #[error("it is larger than {limit} bytes")]
    TooLarge {
        /// The most that is read.
        limit: usize,
    },
    /// Not a manifest.
    #[error("{detail}")]
    Invalid {
        /// What is wrong with it.
        detail: String,
    },
    /// It promises what the contract does not keep.
    #[error("{detail}")]
    OtherTerms {
        /// The difference.
        detail: String,
    },
    /// Training would take too long.
    #[error("its backbone would keep this machine busy for too long: it takes {most} rows, and {rows} fit")]
    TooManyRows {
        /// The most that the backbone can be applied to in reasonable time.
        most: usize,
        /// Rows that fit.
        rows: usize,
    },
}

/// Why the material of a version cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "problem", rename_all = "snake_case")]
pub enum MaterialProblem {
    /// Material or certificate have a largest size.
    #[error("it is larger than it can be")]
    TooLarge,
    /// The backbone's size follows from its network.
    #[error("its backbone is larger than {limit} bytes")]
    BackboneTooLarge {
        /// The most that it can have.
        limit: usize,
    },
    /// The backbone is not of the network that the manifest describes.
    #[error("its backbone: {detail}")]
    Backbone {
        /// What is wrong with it.
        detail: String,
    },
    /// Updates could not be sealed.
    #[error("{detail}")]
    Certificate {
        /// What is wrong with the Capsule's certificate.
        detail: String,
    },
    /// Updates would be sealed to somebody else.
    #[error("the Capsule's certificate is {found}, the manifest names {expected}")]
    OtherCapsule {
        /// Fingerprint of the certificate that was published.
        found: Fingerprint,
        /// Fingerprint in the manifest.
        expected: Fingerprint,
    },
    /// Nobody could hold the Capsule to it.
    #[error("it is not the material that the Capsule bound itself to on chain")]
    Unbound,
    /// Not the material of this campaign and version.
    #[error("{detail}")]
    Invalid {
        /// What is wrong with it.
        detail: String,
    },
}

/// Why the owner's privacy budget allows no further update of the data that fit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "problem", rename_all = "snake_case")]
pub enum PrivacyProblem {
    /// Enough was told about a data set.
    #[error(transparent)]
    Spent(#[from] Exhausted),
    /// The noise that the budget asks for would leave nothing to learn.
    #[error("{detail}")]
    Noise {
        /// How large it would be.
        detail: String,
    },
}

/// What went wrong in the last step for a campaign. It is tried again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Trouble {
    /// An artefact could not be fetched or added.
    #[error("{detail}")]
    Ipfs {
        /// What IPFS reported.
        detail: String,
    },
    /// The chain did not answer, or refused a transaction.
    #[error("{detail}")]
    Chain {
        /// What the chain reported.
        detail: String,
    },
    /// No update could be made.
    #[error("{detail}")]
    Training {
        /// The reason.
        detail: String,
    },
    /// An update could not be kept or read.
    #[error("{detail}")]
    Outbox {
        /// The reason.
        detail: String,
    },
    /// A data set could not be read.
    #[error("{detail}")]
    Data {
        /// The reason.
        detail: String,
    },
    /// The Capsule has to publish one before anything can be sealed to it.
    #[error("the Capsule {capsule} has published no certificate")]
    NoCertificate {
        /// Its account.
        capsule: Address,
    },
    /// A step was ended because it took too long.
    #[error("the step `{step}` took longer than {seconds} s")]
    TimedOut {
        /// The step.
        step: String,
        /// The longest time that it may take.
        seconds: u64,
    },
    /// A bug.
    #[error("the step `{step}` ended with a panic, which is a bug; the log has its message")]
    Panicked {
        /// The step.
        step: String,
    },
    /// The Mine was stopped.
    #[error("the step `{step}` was not completed before the Mine stopped")]
    Stopped {
        /// The step.
        step: String,
    },
}
