//! The protocol against a real chain.

mod chain;
mod commands;
mod server;
mod stage;
