//! The way to the hub: whether it lives, and asking it.

pub(crate) mod breaker;
pub(crate) mod session;
pub(crate) mod upstream;
