//! The contracts on a real chain, through the bindings.

mod durability;
mod gas;
mod lifecycle;
mod refusals;
mod support;
