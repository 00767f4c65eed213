//! A disk in front of sources.

use std::{
    collections::{HashMap, hash_map::Entry},
    io,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use larder_oci::Digest;

use crate::{
    blob::Blob,
    counters::Counters,
    disk::{Disk, Stored},
    error::FetchError,
    flight::{Flight, Follower, Shared},
    quarantine::Quarantine,
    source::{Fault, Source, SourceError},
};

/// A disk in front of sources: what is on it is read from it, what is not is fetched once and read while it arrives.
#[derive(Debug, Clone)]
pub struct PullThrough {
    shared: Arc<Shared>,
    flights: Flights,
}

type Flights = Arc<Mutex<HashMap<Digest, Follower>>>;

/// What a pull-through disk does not put up with. The default puts up with everything.
#[derive(Debug, Clone, Copy, Default)]
pub struct Limits {
    /// For how long a digest whose download went wrong after bytes may have left is not fetched again, so that an
    /// engine that keeps the bad part goes elsewhere. `None`: not at all.
    pub quarantine: Option<Duration>,
    /// Longest time for one download. `None`: it ends only when its source says or sends nothing more.
    pub download_time: Option<Duration>,
}

impl PullThrough {
    /// Puts `disk` in front of the sources that each call names.
    pub fn new(disk: Disk, limits: Limits) -> Self {
        let shared = Shared {
            disk,
            counters: Arc::default(),
            quarantine: Quarantine::new(limits.quarantine),
            download_time: limits.download_time,
        };
        Self { shared: Arc::new(shared), flights: Arc::default() }
    }

    /// What it has counted so far.
    pub fn counters(&self) -> &Arc<Counters> {
        &self.shared.counters
    }

    /// The disk.
    pub fn disk(&self) -> &Disk {
        &self.shared.disk
    }

    /// The blob `digest` if it is on the disk; asks nobody.
    pub fn stored(&self, digest: &Digest) -> Option<Blob> {
        let stored = self.on_disk(digest)?;
        Some(Blob::stored(stored, Arc::clone(&self.shared.counters)))
    }

    /// The blob `digest`: from the disk, from a download under way, or from the first of `sources` that has it.
    /// Returns as soon as a source has answered; the bytes follow.
    pub async fn open(&self, digest: &Digest, sources: Vec<Arc<dyn Source>>) -> Result<Blob, FetchError> {
        if let Some(blob) = self.stored(digest) {
            self.shared.counters.hits.add(1);
            return Ok(blob);
        }
        if self.shared.quarantine.holds(digest) {
            let detail = "its last download went wrong a short while ago";
            return Err(SourceError::new("cache", Fault::Skipped, detail).into());
        }
        let mut follower = match self.join_or_start(digest, sources) {
            Ok(follower) => follower,
            Err(stored) => {
                self.shared.counters.hits.add(1);
                return Ok(Blob::stored(stored, Arc::clone(&self.shared.counters)));
            }
        };
        self.shared.counters.misses.add(1);
        follower.opened().await?;
        Ok(Blob::following(follower, Arc::clone(&self.shared.counters)))
    }

    /// Keeps `content`, which must be what `digest` names (it is checked). For content that is small and already in
    /// memory.
    pub async fn put(&self, digest: &Digest, content: bytes::Bytes) -> io::Result<()> {
        let (shared, digest) = (Arc::clone(&self.shared), *digest);
        let put = move || {
            if !digest.matches(&content) {
                return Err(io::Error::new(io::ErrorKind::InvalidData, format!("content is not {digest}")));
            }
            let partial = shared.disk.begin(&digest)?;
            partial.write_at(&content, 0)?;
            shared.disk.commit(partial, &digest)
        };
        let outcome = tokio::task::spawn_blocking(put).await.map_err(io::Error::other)?;
        outcome.inspect_err(|_| self.shared.counters.disk_errors.add(1))
    }

    /// Removes what was fetched before `then`, never what somebody else put on the disk. Gives how many blobs went.
    pub async fn expire(&self, then: SystemTime) -> io::Result<u64> {
        let shared = Arc::clone(&self.shared);
        let removed =
            tokio::task::spawn_blocking(move || shared.disk.expire(then)).await.map_err(io::Error::other)??;
        self.shared.counters.expired.add(removed);
        Ok(removed)
    }

    fn on_disk(&self, digest: &Digest) -> Option<Stored> {
        self.shared.disk.blob(digest).unwrap_or_else(|error| {
            // A blob that cannot be opened is a miss: the source may still have it.
            self.shared.counters.disk_errors.add(1);
            tracing::warn!(%digest, %error, "cannot open a cached blob");
            None
        })
    }

    /// The flight of `digest`, started if there is none; or the blob, if one landed in between.
    fn join_or_start(&self, digest: &Digest, sources: Vec<Arc<dyn Source>>) -> Result<Follower, Stored> {
        let mut flights = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
        match flights.entry(*digest) {
            Entry::Occupied(flight) => {
                self.shared.counters.joined.add(1);
                Ok(flight.get().clone())
            }
            Entry::Vacant(vacant) => {
                if let Some(stored) = self.on_disk(digest) {
                    return Err(stored);
                }
                let (flight, follower) = Flight::new(*digest, Arc::clone(&self.shared));
                vacant.insert(follower.clone());
                let landing = Landing { flights: Arc::clone(&self.flights), digest: *digest };
                tokio::spawn(async move {
                    flight.fly(sources).await;
                    drop(landing);
                });
                Ok(follower)
            }
        }
    }
}

/// Takes a flight off the list when it ends, however it ends.
struct Landing {
    flights: Flights,
    digest: Digest,
}

impl Drop for Landing {
    fn drop(&mut self) {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.digest);
    }
}
