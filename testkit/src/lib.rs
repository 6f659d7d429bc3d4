//! Fixtures and stages that the tests of several crates share.

pub mod stage;
pub mod yes_or_no;
