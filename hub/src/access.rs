//! Who may ask this hub.

pub(crate) mod exposure;
pub(crate) mod filled;
