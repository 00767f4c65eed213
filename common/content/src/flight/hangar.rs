//! What all flights share.

use std::{io, sync::Arc, time::Duration};

use larder_oci::Digest;
use tokio::runtime::Handle;

use crate::{
    buffers::Buffers,
    counters::Counters,
    disk::{self, AtHand, Disk, Stored},
    health::Health,
    quarantine::Quarantine,
};

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
    /// A blob that is on the disk. Opening it may take long, which a thread of connections does not wait for.
    pub(crate) async fn stored(self: &Arc<Self>, digest: &Digest) -> Option<Stored> {
        match self.disk.at_hand(digest) {
            AtHand::Open(stored) => return Some(stored),
            AtHand::No => return None,
            AtHand::Unopened(_) => {}
        }
        let (hangar, digest) = (Arc::clone(self), *digest);
        let opened = tokio::task::spawn_blocking(move || hangar.disk.blob(&digest)).await;
        opened.map_err(io::Error::other).flatten().unwrap_or_else(|error| {
            // A blob that cannot be opened is a miss: the source may still have it.
            self.counters.disk_errors.add(1);
            tracing::warn!(%digest, %error, "cannot open a cached blob");
            None
        })
    }
}
