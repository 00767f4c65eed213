//! The queues an object can be in, and how many bytes each may hold before it yields.

/// Where an object waits for its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Queue {
    /// Where it lands.
    #[default]
    Probation,
    /// Where it comes if it is asked for again.
    Main,
    /// Where a small object comes instead of going.
    Reserve,
}

// --- lists

pub(super) const PROBATION: usize = 0;
pub(super) const MAIN: usize = 1;
/// One reserve for each class of small objects.
pub(super) const RESERVES: [usize; 2] = [2, 3];
/// Those that were in use when their turn came.
pub(super) const PARKED: usize = 4;
/// How many lists there are.
pub(super) const LISTS: usize = 5;

/// Manifests and configurations: on Docker Hub it is manifests that the rate limit counts.
const TINY: u64 = 64 << 10;

/// Layers that are a request's latency rather than a transfer: most of an application's own.
const SMALL: u64 = 4 << 20;

/// Of `bytes` in all, how many a reserve may hold.
pub(super) fn reserve_share(list: usize, bytes: u64) -> u64 {
    if list == RESERVES[0] { bytes / 100 } else { bytes / 25 }
}

/// Of `bytes` in probation and the main queue, how many probation may hold.
pub(super) fn probation_share(bytes: u64) -> u64 {
    bytes / 8
}

impl Queue {
    /// The list for an object of so many bytes. A big one finds no reserve.
    pub(super) fn list(self, size: u64) -> usize {
        match (self, size) {
            (Self::Main, _) => MAIN,
            (Self::Reserve, ..=TINY) => RESERVES[0],
            (Self::Reserve, ..=SMALL) => RESERVES[1],
            _ => PROBATION,
        }
    }

    /// Whether an object of so many bytes, whose turn it is here, goes into a reserve instead.
    pub(super) fn has_a_reserve(self, size: u64) -> bool {
        self != Self::Reserve && size <= SMALL
    }
}
