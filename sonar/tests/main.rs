//! The protocol against a real chain.

mod archive;
mod campaign;
mod commands;
mod desk;
mod server;
