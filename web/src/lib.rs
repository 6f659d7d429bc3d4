//! What the HTTP servers of the programs share.
//!
//! [`pages`] serves the pages that are built in `ui/` and embedded in the programs. [`guard`] protects servers that act
//! for one person on this machine. [`problem`] and [`extract`] give all APIs the same errors.

// These macros panic when the reader of the stream is gone.
#![cfg_attr(not(test), deny(clippy::print_stdout, clippy::print_stderr))]

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub mod extract;
pub mod guard;
mod headers;
pub mod pages;
pub mod problem;

/// Which pages a server shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Face {
    /// `sonar serve`: everything public.
    Public,
    /// `sonar ui`: the data scientist's desk.
    Desk,
    /// `mine run`.
    Mine,
    /// `capsule serve`.
    Capsule,
}

impl Face {
    /// The name in JSON and in the pages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Desk => "desk",
            Self::Mine => "mine",
            Self::Capsule => "capsule",
        }
    }

    /// The command that opens these pages.
    #[must_use]
    pub const fn command(self) -> &'static str {
        match self {
            Self::Public => "sonar serve",
            Self::Desk => "sonar ui",
            Self::Mine => "mine ui",
            Self::Capsule => "capsule ui",
        }
    }
}
