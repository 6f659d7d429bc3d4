//! A Mine: it holds data, finds campaigns that fit it, trains on the encrypted model, and is paid for what that teaches.

pub mod earnings;
pub mod outbox;
pub mod planner;
pub mod policy;
pub mod store;
#[cfg(test)]
mod testing;
