//! The protocol against a real chain.

mod campaign;
mod commands;
mod server;
