//! A disk in front of sources.

use std::{
    collections::HashMap,
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

    /// The blob `digest`, of `size` bytes where that is known: from the disk, from a download under way, or from the
    /// first of `sources` that has it. Returns as soon as bytes may leave; the rest follows.
    pub async fn open(
        &self,
        digest: &Digest,
        size: Option<u64>,
        sources: Vec<Arc<dyn Source>>,
    ) -> Result<Blob, FetchError> {
        if let Some(blob) = self.stored(digest) {
            self.shared.counters.hits.add(1);
            return Ok(blob);
        }
        if self.shared.quarantine.holds(digest) {
            let detail = "its last download went wrong a short while ago";
            return Err(SourceError::new("cache", Fault::Skipped, detail).into());
        }
        let outcome = match self.join_or_start(digest, size, &sources, None) {
            Join::Landed(stored) => {
                self.shared.counters.hits.add(1);
                return Ok(Blob::stored(stored, Arc::clone(&self.shared.counters)));
            }
            Join::Started(mut follower) => follower.opened().await.map(|()| follower),
            Join::Joined(mut follower) => match follower.opened().await {
                // Those sources said no to somebody else; ours may say yes.
                Err(FetchError::Source(error)) if error.fault.is_answer() => {
                    match self.join_or_start(digest, size, &sources, Some(&follower)) {
                        Join::Landed(stored) => return Ok(Blob::stored(stored, Arc::clone(&self.shared.counters))),
                        Join::Started(mut own) | Join::Joined(mut own) => own.opened().await.map(|()| own),
                    }
                }
                outcome => outcome.map(|()| follower),
            },
        };
        self.shared.counters.misses.add(1);
        Ok(Blob::following(outcome?, Arc::clone(&self.shared.counters)))
    }

    /// Keeps `content`, which must be what `digest` names (it is checked). For content that is small and already in
    /// memory.
    pub async fn put(&self, digest: &Digest, content: bytes::Bytes) -> io::Result<()> {
        let (shared, digest) = (Arc::clone(&self.shared), *digest);
        let put = move || {
            if !digest.matches(&content) {
                return Err(io::Error::new(io::ErrorKind::InvalidData, format!("content is not {digest}")));
            }
            let partial = shared.disk.begin(&digest, Some(content.len() as u64))?;
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

    /// The flight of `digest`, started if there is none or if it is the one that `failed`; or the blob, if one landed in
    /// between.
    fn join_or_start(
        &self,
        digest: &Digest,
        size: Option<u64>,
        sources: &[Arc<dyn Source>],
        failed: Option<&Follower>,
    ) -> Join {
        let (flight, follower) = {
            let mut flights = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
            let running = flights.get(digest).filter(|running| failed.is_none_or(|failed| !running.is_of(failed)));
            if let Some(running) = running {
                self.shared.counters.joined.add(1);
                return Join::Joined(running.clone());
            }
            if let Some(stored) = self.on_disk(digest) {
                return Join::Landed(stored);
            }
            let (flight, follower) = Flight::new(*digest, size, Arc::clone(&self.shared));
            flights.insert(*digest, follower.clone());
            (flight, follower)
        };
        let landing = Landing { flights: Arc::clone(&self.flights), digest: *digest, flight: follower.clone() };
        let sources = sources.to_vec();
        // Not under the lock: a runtime that is going down drops the task at once, and that takes the lock.
        tokio::spawn(async move {
            flight.fly(sources).await;
            drop(landing);
        });
        Join::Started(follower)
    }
}

/// How a request comes to a flight.
enum Join {
    /// There is none any more: the blob is here.
    Landed(Stored),
    /// Somebody else's.
    Joined(Follower),
    /// Its own.
    Started(Follower),
}

/// Takes a flight off the list when it ends, however it ends.
struct Landing {
    flights: Flights,
    digest: Digest,
    flight: Follower,
}

impl Drop for Landing {
    fn drop(&mut self) {
        let mut flights = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
        // Another flight may have taken its place.
        if flights.get(&self.digest).is_some_and(|listed| listed.is_of(&self.flight)) {
            flights.remove(&self.digest);
        }
    }
}
