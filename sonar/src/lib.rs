//! Sonar's coordinator: the index of what the contracts said, and the server that answers from it.

pub mod index;
pub mod server;
