//! Bitswap 1.2.0: peers send each other the lists of blocks that they want, and the blocks that they have.
//!
//! [`message`] is the format. [`engine`] decides, without I/O, what to send to whom. [`protocol`] carries messages over
//! libp2p streams. The task that drives them is in [`crate::driver`].

pub mod engine;
pub mod message;
pub mod protocol;
