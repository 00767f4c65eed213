//! What the engine counts. The daemons publish it.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

/// Everything that is counted here. All in blobs or bytes since the process started.
#[derive(Debug, Default)]
pub struct Counters {
    /// Blobs answered from the disk.
    pub hits: Count,
    /// Blobs that were not on the disk.
    pub misses: Count,
    /// Of the misses, those that joined a download under way.
    pub joined: Count,
    /// Bytes that came from sources, wrong ones included.
    pub fetched_bytes: Count,
    /// Bytes to readers of blobs that were still on their way.
    pub served_from_download_bytes: Count,
    /// Bytes to readers of blobs that were on the disk when they were asked for.
    pub served_from_disk_bytes: Count,
    /// Downloads whose bytes were not what the digest names.
    pub corrupt: Count,
    /// Downloads that ended for any other reason than being complete.
    pub broken: Count,
    /// Failures to write to the disk.
    pub disk_errors: Count,
    /// Blobs removed because their time was over.
    pub expired: Count,
}

impl Count {
    /// Adds `n`.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// The number now.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
