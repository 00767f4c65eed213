//! A disk in front of sources.

mod flights;
mod stored;
mod upkeep;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use larder_oci::Digest;
use moka::sync::Cache;
use tokio::runtime::Handle;

use crate::{
    blob::{Blob, Origin},
    buffers::Buffers,
    counters::Counters,
    disk::{Disk, Usage},
    error::FetchError,
    feed::Sources,
    flight::{Ask, Flight, Follower, Hangar},
    health::Health,
    quarantine::Quarantine,
    source::{Fault, Source, SourceError},
};
use flights::{Flights, Join};

/// A disk in front of sources: what is on it is read from it, what is not is fetched once and read while it arrives.
#[derive(Debug, Clone)]
pub struct PullThrough {
    hangar: Arc<Hangar>,
    flights: Flights,
    /// Small blobs: configs, manifests. Each was verified.
    small: Cache<Digest, Bytes>,
}

/// What a pull-through disk does not put up with.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// For how long a digest whose download went wrong after bytes may have left is not fetched again, so that an
    /// engine that keeps the bad part goes elsewhere. `None`: not at all.
    pub quarantine: Option<Duration>,
    /// Longest time for one download. `None`: it ends only when its source says or sends nothing more.
    pub download_time: Option<Duration>,
    /// How long a source may give nothing before it is asked again, or another one is.
    pub stall: Duration,
    /// Most memory for small blobs, in bytes.
    pub memory: u64,
}

impl Default for Limits {
    /// Puts up with everything but 30 s of silence, and takes 8 MiB.
    fn default() -> Self {
        Self { quarantine: None, download_time: None, stall: Duration::from_secs(30), memory: 8 << 20 }
    }
}

// === impl PullThrough ===

impl PullThrough {
    /// Puts `disk` in front of the sources that each call names. Downloads run on the runtime that this is called from.
    pub fn new(disk: Disk, limits: Limits) -> Self {
        // What one takes beside its bytes: the key, the cache's own records.
        const BESIDE: u32 = 300;
        let weigh = |_: &Digest, bytes: &Bytes| u32::try_from(bytes.len()).unwrap_or(u32::MAX).saturating_add(BESIDE);
        let hangar = Arc::new(Hangar {
            buffers: Arc::new(Buffers::new(disk.geometry().chunk)),
            counters: Arc::clone(disk.counters()),
            disk,
            quarantine: Quarantine::new(limits.quarantine),
            download_time: limits.download_time,
            stall: limits.stall,
            health: Health::default(),
            runtime: Handle::current(),
        });
        Self {
            flights: Flights::new(Arc::clone(&hangar)),
            hangar,
            small: Cache::builder().max_capacity(limits.memory).weigher(weigh).build(),
        }
    }

    /// What it has counted so far.
    pub fn counters(&self) -> &Arc<Counters> {
        &self.hangar.counters
    }

    /// The disk.
    pub fn disk(&self) -> &Disk {
        &self.hangar.disk
    }

    /// How many downloads are under way.
    pub fn downloads(&self) -> usize {
        self.flights.count()
    }

    /// How much is on the disk.
    pub fn usage(&self) -> Usage {
        self.hangar.disk.usage()
    }

    pub(crate) fn hangar(&self) -> &Hangar {
        &self.hangar
    }

    /// The length of the blob `digest` if it is known to be here; asks nobody, not even the disk.
    pub fn size(&self, digest: &Digest) -> Option<u64> {
        self.hangar.disk.size(digest)
    }

    /// Notes that the blob `digest` is asked for by somebody who has it already.
    pub fn touch(&self, digest: &Digest) {
        self.hangar.disk.touch(digest);
    }

    /// Says no to whoever wants the blob `digest` while it is kept from everybody, because its last download went wrong a
    /// short while ago.
    pub fn admit(&self, digest: &Digest) -> Result<(), FetchError> {
        if self.hangar.quarantine.holds(digest) {
            let detail = "its last download went wrong a short while ago";
            return Err(SourceError::new("cache", Fault::Skipped, detail).into());
        }
        Ok(())
    }

    /// The blob `digest` if it is here; asks nobody.
    pub async fn stored(&self, digest: &Digest) -> Option<Blob> {
        let stored = self.hangar.stored(digest).await?;
        Some(self.blob(digest, Origin::Disk(stored), &no_sources()))
    }

    /// All bytes of the blob `digest`, if it is here and no longer than `most`.
    pub async fn small(&self, digest: &Digest, most: u64) -> Option<Bytes> {
        let (origin, size) = self.here(digest, None, &no_sources()).await?;
        if size > most {
            return None;
        }
        let mut body = self.blob(digest, origin, &no_sources()).read();
        let first = body.next().await.transpose().ok()?.unwrap_or_default();
        if first.len() as u64 == size {
            return Some(first);
        }
        let mut all = first.to_vec();
        while let Some(chunk) = body.next().await {
            all.extend_from_slice(&chunk.ok()?);
        }
        Some(all.into())
    }

    /// The blob `digest`, of `size` bytes where that is known: from the disk, from a download under way, or from the
    /// first of `sources` that has it. Returns as soon as bytes may leave; the rest follows.
    pub async fn open(
        &self,
        digest: &Digest,
        size: Option<u64>,
        sources: Vec<Arc<dyn Source>>,
    ) -> Result<Blob, FetchError> {
        let sources: Sources = sources.into();
        if let Some((origin, _)) = self.here(digest, size, &sources).await {
            self.hangar.counters.hits.add(1);
            return Ok(self.blob(digest, origin, &sources));
        }
        self.admit(digest)?;
        let mut failed = None;
        let flight = loop {
            match self
                .flights
                .join_or_start(Ask { digest, size, awaited: false, afresh: false }, &sources, failed.as_ref())
                .await
            {
                Join::Landed(stored) => {
                    self.hangar.counters.hits.add(1);
                    return Ok(self.blob(digest, Origin::Disk(stored), &sources));
                }
                Join::Started(flight) => break flight,
                Join::Joined(flight) => match opened(&flight).await {
                    // What failed for somebody else may turn out well for us, and a no to him be a yes to us. (The
                    // second no in a row is ours as well: each of many would ask otherwise.)
                    Err(FetchError::Source(error))
                        if (flight.is_of_others(size, &sources) || error.fault.is_answer() && failed.is_none())
                            && !self.hangar.quarantine.holds(digest) =>
                    {
                        failed = Some(flight);
                    }
                    _ => break flight,
                },
            }
        };
        self.hangar.counters.misses.add(1);
        self.followed(digest, &flight, &sources).await
    }

    /// A blob that is on its way, as soon as bytes may leave.
    async fn followed(&self, digest: &Digest, flight: &Arc<Flight>, sources: &Sources) -> Result<Blob, FetchError> {
        let follower = opened(flight).await?;
        let origin = if follower.is_adrift_from_the_start() {
            Origin::Detour(Box::new(follower.alone(follower.unwritten(), 0, None).opened().await?))
        } else {
            Origin::Flight(follower)
        };
        Ok(self.blob(digest, origin, sources))
    }

    /// Starts a download of the blob `digest` if it is neither here nor on its way, and waits until bytes may leave. `None`
    /// if it is. What comes of it says whether these very sources have the blob.
    pub async fn start(
        &self,
        digest: &Digest,
        size: Option<u64>,
        sources: Vec<Arc<dyn Source>>,
    ) -> Option<Result<Blob, FetchError>> {
        let sources: Sources = sources.into();
        // What is here in part says nothing of who may have it.
        if self.size(digest).is_some() || self.hangar.disk.is_left(digest) || self.hangar.quarantine.holds(digest) {
            return None;
        }
        let Join::Started(flight) =
            self.flights.join_or_start(Ask { digest, size, awaited: false, afresh: true }, &sources, None).await
        else {
            return None;
        };
        self.hangar.counters.misses.add(1);
        Some(self.followed(digest, &flight, &sources).await)
    }

    fn blob(&self, digest: &Digest, origin: Origin, sources: &Sources) -> Blob {
        Blob { digest: *digest, origin, cache: self.clone(), sources: Arc::clone(sources) }
    }
}

async fn opened(flight: &Arc<Flight>) -> Result<Follower, FetchError> {
    let mut follower = flight.follow();
    follower.opened().await?;
    Ok(follower)
}

fn no_sources() -> Sources {
    Arc::new([])
}
