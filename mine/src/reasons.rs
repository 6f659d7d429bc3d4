//! Reasons: why a Mine does nothing for a campaign, and what went wrong, as data. The journal stores these; text is
//! produced only where it is printed. Messages of other crates are stored in `detail`.

use alloy::primitives::Address;
use serde::{Deserialize, Serialize};
use sonar_protocol::fingerprint::Fingerprint;

use crate::privacy::ExhaustedBudget;

/// Why a campaign's manifest cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "problem", rename_all = "snake_case")]
pub enum ManifestProblem {
    /// The manifest is too large.
    #[error("it is larger than {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
    /// It is not a valid manifest.
    #[error("{detail}")]
    Invalid {
        /// What is wrong with it.
        detail: String,
    },
    /// It differs from the terms on chain.
    #[error("{detail}")]
    OtherTerms {
        /// The difference.
        detail: String,
    },
    /// The backbone would make training too slow.
    #[error("its backbone is too slow for this machine: at most {most} rows are feasible, and {rows} fit")]
    TooManyRows {
        /// Maximum number of rows for the backbone in reasonable time.
        most: usize,
        /// Number of rows that fit.
        rows: usize,
    },
}

/// Why the key material of a version cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "problem", rename_all = "snake_case")]
pub enum MaterialProblem {
    /// Key material or certificate are too large.
    #[error("it is larger than allowed")]
    TooLarge,
    /// The backbone is larger than its network requires.
    #[error("its backbone is larger than {limit} bytes")]
    BackboneTooLarge {
        /// The limit.
        limit: usize,
    },
    /// The backbone does not fit the network in the manifest.
    #[error("its backbone: {detail}")]
    Backbone {
        /// What is wrong with it.
        detail: String,
    },
    /// The Capsule's certificate is unusable.
    #[error("{detail}")]
    Certificate {
        /// What is wrong with the Capsule's certificate.
        detail: String,
    },
    /// The Capsule's certificate is not the one in the manifest.
    #[error("the Capsule's certificate is {found}, the manifest names {expected}")]
    OtherCapsule {
        /// Fingerprint of the certificate that was published.
        found: Fingerprint,
        /// Fingerprint in the manifest.
        expected: Fingerprint,
    },
    /// It differs from the material that the Capsule committed to on chain.
    #[error("it is not the key material that the Capsule committed to on chain")]
    Unbound,
    /// The public starting model is not the default one.
    #[error("it is not the default starting model, and the manifest names no other")]
    OtherStart,
    /// It belongs to another campaign or version.
    #[error("{detail}")]
    Invalid {
        /// What is wrong with it.
        detail: String,
    },
}

/// Why the privacy budget allows no further update of the data that fits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "problem", rename_all = "snake_case")]
pub enum PrivacyProblem {
    /// The privacy budget of a data set is spent.
    #[error(transparent)]
    Spent(#[from] ExhaustedBudget),
    /// The noise that the budget requires would drown the update.
    #[error("{detail}")]
    Noise {
        /// The ratio of noise to update, as a message.
        detail: String,
    },
}

/// What went wrong in the last step for a campaign. The step is retried.
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
    /// The Capsule has published no certificate to seal to.
    #[error("the Capsule {capsule} has published no certificate")]
    NoCertificate {
        /// Its account.
        capsule: Address,
    },
    /// A step exceeded its time limit.
    #[error("the step `{step}` took longer than {seconds} s")]
    TimedOut {
        /// The step.
        step: String,
        /// Time limit in seconds.
        seconds: u64,
    },
    /// A bug.
    #[error("the step `{step}` ended with a panic, which is a bug; the log has its message")]
    Panicked {
        /// The step.
        step: String,
    },
    /// The Mine stopped during the step.
    #[error("the step `{step}` was not completed before the Mine stopped")]
    Stopped {
        /// The step.
        step: String,
    },
}
