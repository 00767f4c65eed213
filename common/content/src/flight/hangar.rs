//! What all flights share.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use larder_oci::Digest;
use rustix::io::Errno;
use tokio::runtime::Handle;

use crate::{
    buffers::Buffers,
    counters::Counters,
    disk::{self, AtHand, Disk, Stored},
    feed::{Feed, Order},
    health::Health,
    quarantine::Quarantine,
};

/// How often is said at most that there are no descriptors: each pull of a cluster would say it.
const SAY_AGAIN: Duration = Duration::from_secs(60);

/// What every flight needs.
#[derive(Debug)]
pub(crate) struct Hangar {
    pub(crate) disk: Disk,
    pub(crate) counters: Arc<Counters>,
    pub(crate) buffers: Arc<Buffers>,
    pub(crate) quarantine: Quarantine,
    pub(crate) download_time: Option<Duration>,
    pub(crate) stall: Duration,
    pub(crate) health: Health,
    /// Where what is fetched is fetched: not where the connection runs that happened to be the first to ask.
    pub(crate) runtime: Handle,
}

impl Hangar {
    /// The disk could not be written, or had no room.
    pub(crate) fn disk_failed(&self, error: &io::Error) {
        if is_out_of_descriptors(error) {
            return;
        }
        self.counters.disk_errors.add(1);
        // That the cache may not take more is no fault of the disk.
        if !disk::is_refusal(error) {
            self.health.failed(error);
        }
    }

    /// So many bytes were written to the disk.
    pub(crate) fn disk_works(&self, bytes: u64) {
        if self.health.works(bytes) {
            tracing::info!("the cache's disk works again");
        }
    }

    /// The bytes of what `order` says.
    pub(crate) fn feed(&self, order: Order) -> Feed {
        Feed::start(order, Arc::clone(&self.counters), &self.runtime)
    }

    /// A blob that is on the disk. Opening it may take long, which a thread of connections does not wait for.
    pub(crate) async fn stored(self: &Arc<Self>, digest: &Digest) -> Option<Stored> {
        let known = match self.disk.at_hand(digest) {
            AtHand::Open(stored) => return Some(stored),
            AtHand::No => return None,
            AtHand::Unopened(known) => known,
        };
        let (hangar, digest) = (Arc::clone(self), *digest);
        let opened = tokio::task::spawn_blocking(move || hangar.disk.open_blob(&digest, known)).await;
        opened.map_err(io::Error::other).flatten().unwrap_or_else(|error| {
            if is_out_of_descriptors(&error) {
                return None;
            }
            // A blob that cannot be opened is a miss: the source may still have it.
            self.counters.disk_errors.add(1);
            tracing::warn!(%digest, %error, "cannot open a cached blob");
            None
        })
    }
}

/// Whether nothing could be opened because the process, or the machine, has as much open as it may. That is no fault of the
/// disk; it is said, with what helps.
fn is_out_of_descriptors(error: &io::Error) -> bool {
    // The limit is the process's, and so is when it was last spoken of.
    static SAID: Mutex<Option<Instant>> = Mutex::new(None);

    if !matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE)) {
        return false;
    }
    let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
    if said.is_none_or(|at| at.elapsed() >= SAY_AGAIN) {
        *said = Some(Instant::now());
        tracing::error!(
            %error,
            "cannot open a file of the cache: raise the limit of open files (LimitNOFILE=, --ulimit nofile)"
        );
    }
    true
}

#[cfg(test)]
impl Hangar {
    /// One for tests, on the runtime that it is made on.
    pub(super) fn plain(disk: Disk, quarantine: Option<Duration>) -> Arc<Self> {
        Arc::new(Self {
            counters: Arc::clone(disk.counters()),
            buffers: Arc::new(Buffers::new(64)),
            disk,
            quarantine: Quarantine::new(quarantine),
            download_time: None,
            stall: Duration::from_secs(30),
            health: Health::default(),
            runtime: Handle::current(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::room::Capacity;

    #[tokio::test]
    async fn a_disk_whose_files_nobody_may_open_is_no_bad_disk() {
        let folder = tempfile::tempdir().unwrap();
        let hangar = Hangar::plain(Disk::open(folder.path(), Capacity::default()).unwrap(), None);
        for (number, is_the_disk) in [(Errno::MFILE, false), (Errno::NFILE, false), (Errno::IO, true)] {
            hangar.disk_failed(&number.into());
            let failing = (hangar.health.failure().is_some(), hangar.counters.disk_errors.get() > 0);
            assert_eq!(failing, (is_the_disk, is_the_disk), "{number}");
        }
    }
}
