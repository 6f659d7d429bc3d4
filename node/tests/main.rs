//! The adapters against a real chain.

mod chain;
mod limits;
mod stuck;
