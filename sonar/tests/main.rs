//! The protocol against a real chain.

mod campaign;
mod commands;
mod desk;
mod server;
