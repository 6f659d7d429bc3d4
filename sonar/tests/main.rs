//! The protocol against a real chain.

mod campaign;
mod chain;
mod commands;
mod server;
mod stage;
