//! The protocol against a real chain.

mod chain;
mod commands;
mod stage;
