//! The whole system on real parts: every process is a real one, every block, artefact and message too.

mod backbone;
mod clear;
mod crash;
mod delivery;
mod demo;
mod docs;
mod figures;
mod formats;
mod kubo;
mod lineage;
mod operator;
mod refused;
mod silent;
mod simulate;
mod support;
mod up;
