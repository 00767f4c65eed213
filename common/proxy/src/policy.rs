//! What a tier may do on its own account.

use std::time::Duration;

/// Where hub and agent differ.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    /// For how long a tag is answered without asking.
    pub freshness: Freshness,
    /// For how long after it was checked a tag may still be answered when the upstream fails; `None` is never.
    pub stale_limit: Option<Duration>,
    /// Most memory for manifests, in bytes.
    pub manifest_memory: u64,
}

/// For how long a tag is answered without asking. The time counts over both tiers together: the hub decides it, and the
/// agent repeats what is left of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// For this long, whatever the upstream says.
    Fixed(Duration),
    /// For as long as the upstream says, but no longer than this; not at all if it says nothing.
    AsTold {
        /// The longest.
        at_most: Duration,
    },
}

impl Freshness {
    pub(crate) fn of(self, told: Option<Duration>) -> Duration {
        match self {
            Self::Fixed(time) => time,
            Self::AsTold { at_most } => told.unwrap_or_default().min(at_most),
        }
    }
}
