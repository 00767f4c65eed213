//! The whole-system suites of Larder stand on this crate's [`rig`]: real registries, real engines, fake upstreams
//! that fail on demand, all of them in a network of their own.
//!
//! The [`demo`] tells a person on the same rig what the suites test.
//!
//! A suite is an integration test in `tests/`; its needs (root, packages) are in the table at the top of `run.sh`.
//! This crate knows no other crate of the workspace: it meets Larder as its users do, as two programs.

#![allow(
    clippy::disallowed_methods,
    reason = "the files of a rig need not outlive a crash, and its calls block on purpose: poll.rs is the one place that sleeps"
)]

pub mod demo;
pub mod rig;
