//! The protocol against a real chain.

mod archive;
mod campaign;
mod commands;
mod server;
