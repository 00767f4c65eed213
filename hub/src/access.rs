//! Who may ask this hub.

pub(crate) mod exposure;
