//! A Mine: it holds data, finds campaigns that fit it, trains on the encrypted model, and is paid for what that teaches.

pub mod earnings;
pub mod home;
pub mod outbox;
pub mod planner;
pub mod policy;
pub mod repository;
pub mod run;
pub mod store;
pub mod work;
#[cfg(test)]
mod testing;
