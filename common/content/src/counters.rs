//! What the engine counts. The daemons publish it.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

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
    /// The same by the name of the source. There are as many as are configured.
    wrong_bytes: Mutex<BTreeMap<Arc<str>, u64>>,
    /// Downloads that broke, and were gone on with from the byte reached.
    pub resumed: Count,
    /// Ranges that were fetched beside a download.
    pub ranges: Count,
    /// Readers that fetched for themselves because the disk had no room.
    pub detours_full: Count,
    /// Readers that fetched for themselves because the disk failed.
    pub detours_disk: Count,
    /// Readers that fetched for themselves because too many ranges were fetched already.
    pub detours_busy: Count,
    /// Stored blobs that were found not to be what their digest names.
    pub damaged: Count,
    /// Downloads that ended for any other reason than being complete.
    pub broken: Count,
    /// Failures to write to the disk.
    pub disk_errors: Count,
    /// Blobs removed because their time was over.
    pub expired: Count,
    /// Blobs removed because their room was needed.
    pub evicted: Count,
    /// Bytes of these.
    pub evicted_bytes: Count,
}

impl Counters {
    /// A download whose bytes were wrong had them from `source`.
    pub(crate) fn wrong_bytes_from(&self, source: &str) {
        let mut counts = self.wrong_bytes.lock().unwrap_or_else(PoisonError::into_inner);
        match counts.get_mut(source) {
            Some(count) => *count += 1,
            None => drop(counts.insert(source.into(), 1)),
        }
    }

    /// How many downloads were wrong, by the name of the source that gave the bytes.
    pub fn wrong_bytes(&self) -> BTreeMap<Arc<str>, u64> {
        self.wrong_bytes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
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
