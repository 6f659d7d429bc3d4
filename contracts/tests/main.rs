//! The contracts on a real chain, through the bindings.

mod durability;
mod support;
