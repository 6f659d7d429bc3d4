//! Bitswap 1.2.0: peers tell each other which blocks they want, and send those that they have.
//!
//! [`message`] is the format. [`engine`] decides, without I/O, what to tell to whom. [`protocol`] carries messages over libp2p
//! streams. The task that drives them is in [`crate::driver`].

pub mod engine;
pub mod message;
pub mod protocol;
