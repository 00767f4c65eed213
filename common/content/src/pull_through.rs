//! A disk in front of sources.

use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use larder_oci::Digest;
use moka::sync::Cache;
use tokio::runtime::Handle;

use crate::{
    blob::{Blob, Origin},
    buffers::Buffers,
    counters::Counters,
    disk::{Disk, Stored, Usage},
    error::{FetchError, ReadError},
    feed::Sources,
    flight::{Flight, Follower, Hangar},
    health::Health,
    proof::Doubt,
    quarantine::Quarantine,
    source::{Fault, Source, SourceError},
};

/// A disk in front of sources: what is on it is read from it, what is not is fetched once and read while it arrives.
#[derive(Debug, Clone)]
pub struct PullThrough {
    hangar: Arc<Hangar>,
    flights: Flights,
    /// Small blobs: configs, manifests. Each was verified.
    small: Cache<Digest, Bytes>,
    /// Where downloads run: not where the connection runs that happened to be the first to ask.
    runtime: Handle,
}

type Flights = Arc<Mutex<HashMap<Digest, Arc<Flight>>>>;

/// Most bytes of a blob that is kept in memory.
const SMALL: u64 = 64 * 1024;

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

/// How a request comes to a flight.
enum Join {
    /// There is none any more: the blob is here.
    Landed(Stored),
    /// Somebody else's.
    Joined(Arc<Flight>),
    /// Its own.
    Started(Arc<Flight>),
}

// === impl PullThrough ===

impl PullThrough {
    /// Puts `disk` in front of the sources that each call names. Downloads run on the runtime that this is called from.
    pub fn new(disk: Disk, limits: Limits) -> Self {
        // What one takes beside its bytes: the key, the cache's own records.
        const BESIDE: u32 = 300;
        let weigh = |_: &Digest, bytes: &Bytes| u32::try_from(bytes.len()).unwrap_or(u32::MAX).saturating_add(BESIDE);
        let hangar = Hangar {
            buffers: Arc::new(Buffers::new(disk.geometry().chunk)),
            counters: Arc::clone(disk.counters()),
            disk,
            quarantine: Quarantine::new(limits.quarantine),
            download_time: limits.download_time,
            stall: limits.stall,
            health: Health::default(),
        };
        Self {
            hangar: Arc::new(hangar),
            flights: Arc::default(),
            small: Cache::builder().max_capacity(limits.memory).weigher(weigh).build(),
            runtime: Handle::current(),
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
    pub fn stored(&self, digest: &Digest) -> Option<Blob> {
        let stored = self.on_disk(digest)?;
        Some(self.blob(digest, Origin::Disk(stored), &no_sources()))
    }

    /// All bytes of the blob `digest`, if it is here and no longer than `most`.
    pub async fn small(&self, digest: &Digest, most: u64) -> Option<Bytes> {
        let (origin, size) = self.here(digest, &no_sources()).await?;
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
        if let Some((origin, _)) = self.here(digest, &sources).await {
            self.hangar.counters.hits.add(1);
            return Ok(self.blob(digest, origin, &sources));
        }
        self.admit(digest)?;
        let mut failed = None;
        let flight = loop {
            match self.join_or_start(digest, size, &sources, failed.as_ref()) {
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
        let Join::Started(flight) = self.join_or_start(digest, size, &sources, None) else { return None };
        self.hangar.counters.misses.add(1);
        Some(self.followed(digest, &flight, &sources).await)
    }

    /// Keeps `content`, which must be what `digest` names (it is checked). For content that is small and already in
    /// memory.
    pub async fn put(&self, digest: &Digest, content: Bytes) -> io::Result<()> {
        let (hangar, digest) = (Arc::clone(&self.hangar), *digest);
        let size = content.len() as u64;
        let put = move || {
            if !digest.matches(&content) {
                return Err(io::Error::new(io::ErrorKind::InvalidData, format!("content is not {digest}")));
            }
            hangar.disk.put(&digest, &content)
        };
        let outcome = tokio::task::spawn_blocking(put).await.map_err(io::Error::other).flatten();
        match &outcome {
            Ok(()) => self.hangar.disk_works(size),
            Err(error) => self.hangar.disk_failed(error),
        }
        outcome
    }

    /// Removes what was fetched before `then`, never what somebody else put on the disk. Gives how many blobs went.
    pub async fn expire(&self, then: SystemTime) -> io::Result<u64> {
        let removed = self.on_disk_thread(move |disk| disk.expire(then)).await?;
        self.hangar.counters.expired.add(removed);
        Ok(removed)
    }

    /// Writes down what changed in the index. To be called now and then: a crash loses what was not written.
    pub async fn flush(&self) -> io::Result<()> {
        self.on_disk_thread(Disk::flush).await
    }

    /// Looks at everything on the disk, gently, and mends what is known of it. To be called once after the start. It ends
    /// early when `end` says so.
    pub async fn survey(&self, end: impl Fn() -> bool + Send + 'static) -> io::Result<()> {
        // So many files at a time, with a rest in between.
        const AT_A_TIME: u32 = 64;
        const REST: Duration = Duration::from_millis(2);
        let mut looked = 0_u32;
        #[expect(clippy::disallowed_methods, reason = "it is a thread that may wait")]
        let mut rest = move || {
            looked = looked.wrapping_add(1);
            if looked.is_multiple_of(AT_A_TIME) {
                std::thread::sleep(REST);
            }
            !end()
        };
        self.on_disk_thread(move |disk| disk.survey(&mut rest)).await
    }

    /// Whether the disk takes what is fetched: what the last write said, or if that failed, a try now.
    pub async fn check_disk(&self) -> Result<(), String> {
        if self.hangar.health.failure().is_some() { self.probe().await } else { Ok(()) }
    }

    /// Whether the disk takes what is fetched, by a try.
    pub async fn probe(&self) -> Result<(), String> {
        let wanted = self.hangar.health.wants();
        let outcome = self.on_disk_thread(move |disk| disk.probe(wanted)).await;
        match &outcome {
            Ok(()) => self.hangar.disk_works(u64::MAX),
            Err(error) => self.hangar.health.failed(error),
        }
        outcome.map_err(|error| error.to_string())
    }

    /// Why the disk does not take what is fetched, as far as its use has shown.
    pub fn disk_failure(&self) -> Option<String> {
        self.hangar.health.failure()
    }

    /// A blob that is here, in memory or on the disk, and its length.
    async fn here(&self, digest: &Digest, sources: &Sources) -> Option<(Origin, u64)> {
        if let Some(bytes) = self.small.get(digest)
            && self.hangar.disk.touch(digest)
        {
            let size = bytes.len() as u64;
            return Some((Origin::Memory(bytes), size));
        }
        let stored = self.on_disk(digest)?;
        if stored.size <= SMALL {
            let bytes = self.read_small(digest, stored).await?;
            let size = bytes.len() as u64;
            return Some((Origin::Memory(bytes), size));
        }
        // Before anything was promised is the time to find that it is bad.
        if !stored.proof.is_whole() {
            while let doubt @ (Doubt::Unasked | Doubt::Piece { .. }) = stored.proof.doubt(0) {
                self.settle(digest, &stored, doubt).await.ok()?;
            }
            if stored.proof.doubt(0) == Doubt::All {
                if stored.size > self.hangar.disk.geometry().piece {
                    return self.inspect(digest, stored, sources).await;
                }
                self.settle(digest, &stored, Doubt::All).await.ok()?;
            }
        }
        let size = stored.size;
        Some((Origin::Disk(stored), size))
    }

    /// All of a small blob, verified; and from now on in memory.
    async fn read_small(&self, digest: &Digest, stored: Stored) -> Option<Bytes> {
        if !stored.proof.is_whole() {
            self.settle(digest, &stored, Doubt::All).await.ok()?;
        }
        let mut bytes = Vec::new();
        while (bytes.len() as u64) < stored.size {
            let at = bytes.len() as u64;
            let read = stored.file.read(at, stored.size - at, &self.hangar.buffers).await;
            let read = read.inspect_err(|error| tracing::error!(%digest, %error, "cannot read a cached blob")).ok()?;
            bytes.extend_from_slice(&read);
        }
        let bytes = Bytes::from(bytes);
        self.small.insert(*digest, bytes.clone());
        Some(bytes)
    }

    /// Does what must be done before a byte of a stored blob may leave. An error says that it is not what it should be,
    /// or cannot be read; it is not given out again then.
    pub(crate) async fn settle(&self, digest: &Digest, stored: &Stored, doubt: Doubt) -> Result<(), ReadError> {
        let (hangar, digest, stored) = (Arc::clone(&self.hangar), *digest, stored.clone());
        let settle = move || {
            if doubt == Doubt::Unasked {
                let list = if stored.size > hangar.disk.geometry().piece { hangar.disk.pieces(&digest) } else { None };
                stored.proof.learn(list, stored.size);
                return Ok(());
            }
            let outcome = match doubt.resolve(&digest, &stored, hangar.disk.geometry().chunk) {
                Ok(true) => return Ok(()),
                Ok(false) => Err(io::Error::new(io::ErrorKind::InvalidData, "a cached blob is damaged")),
                Err(error) => Err(error),
            };
            hangar.counters.damaged.add(1);
            tracing::error!(%digest, "a cached blob is damaged, and is not used any more");
            hangar.disk.damaged(&digest, &stored.proof);
            outcome
        };
        Ok(tokio::task::spawn_blocking(settle).await.map_err(io::Error::other).flatten()?)
    }

    /// A long blob of which nothing is known is read as if it were just arriving: hashed on the way, its tail held back.
    async fn inspect(&self, digest: &Digest, stored: Stored, sources: &Sources) -> Option<(Origin, u64)> {
        let size = stored.size;
        let (flight, started) = {
            let mut flights = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
            match flights.get(digest) {
                Some(flight) => (Arc::clone(flight), false),
                None => {
                    let hangar = Arc::clone(&self.hangar);
                    let flight = Flight::new(*digest, Some(size), Arc::clone(sources), Some(stored), hangar);
                    flights.insert(*digest, Arc::clone(&flight));
                    (flight, true)
                }
            }
        };
        if started {
            self.launch(digest, &flight);
        }
        let follower = opened(&flight).await.ok()?;
        Some((Origin::Flight(follower), size))
    }

    /// Another copy for a reader whose stored one is bad.
    pub(crate) async fn fetch_again(
        &self,
        digest: &Digest,
        stored: &Stored,
        sources: &Sources,
    ) -> Result<Origin, ReadError> {
        let bad = {
            let (hangar, digest, proof) = (Arc::clone(&self.hangar), *digest, Arc::clone(&stored.proof));
            move || hangar.disk.damaged(&digest, &proof)
        };
        tokio::task::spawn_blocking(bad).await.map_err(io::Error::other)?;
        match self.join_or_start(digest, Some(stored.size), sources, None) {
            Join::Joined(flight) | Join::Started(flight) => Ok(Origin::Flight(opened(&flight).await?)),
            // Somebody else has fetched it again.
            Join::Landed(stored) => Ok(Origin::Disk(stored)),
        }
    }

    fn on_disk(&self, digest: &Digest) -> Option<Stored> {
        self.hangar.disk.blob(digest).unwrap_or_else(|error| {
            // A blob that cannot be opened is a miss: the source may still have it.
            self.hangar.counters.disk_errors.add(1);
            tracing::warn!(%digest, %error, "cannot open a cached blob");
            None
        })
    }

    fn blob(&self, digest: &Digest, origin: Origin, sources: &Sources) -> Blob {
        Blob { digest: *digest, origin, cache: self.clone(), sources: Arc::clone(sources) }
    }

    /// The flight of `digest`, started if there is none or if it is the one that `failed`; or the blob, if one landed in
    /// between.
    fn join_or_start(
        &self,
        digest: &Digest,
        size: Option<u64>,
        sources: &Sources,
        failed: Option<&Arc<Flight>>,
    ) -> Join {
        let mut was_opened = false;
        let flight = loop {
            {
                let mut flights = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
                let running =
                    flights.get(digest).filter(|running| failed.is_none_or(|failed| !Arc::ptr_eq(running, failed)));
                if let Some(running) = running {
                    self.hangar.counters.joined.add(1);
                    return Join::Joined(Arc::clone(running));
                }
                if was_opened || self.size(digest).is_none() {
                    let flight = Flight::new(*digest, size, Arc::clone(sources), None, Arc::clone(&self.hangar));
                    flights.insert(*digest, Arc::clone(&flight));
                    break flight;
                }
            }
            // Not under the lock: a slow disk must not keep others from their flights.
            if let Some(stored) = self.on_disk(digest) {
                return Join::Landed(stored);
            }
            was_opened = true;
        };
        self.launch(digest, &flight);
        Join::Started(flight)
    }

    /// Not under the lock: a runtime that is going down drops the task at once, and that takes the lock.
    fn launch(&self, digest: &Digest, flight: &Arc<Flight>) {
        let landing = Landing { flights: Arc::clone(&self.flights), digest: *digest, flight: Arc::clone(flight) };
        self.runtime.spawn(async move {
            landing.flight.fly().await;
            drop(landing);
        });
    }

    /// Whether no download is under way.
    #[cfg(test)]
    pub(crate) fn idle(&self) -> bool {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    async fn on_disk_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Disk) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let hangar = Arc::clone(&self.hangar);
        tokio::task::spawn_blocking(move || work(&hangar.disk)).await.map_err(io::Error::other).flatten()
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

/// Takes a flight off the list when it ends, however it ends.
struct Landing {
    flights: Flights,
    digest: Digest,
    flight: Arc<Flight>,
}

impl Drop for Landing {
    fn drop(&mut self) {
        self.flight.abandon();
        let mut flights = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
        // Another flight may have taken its place.
        if flights.get(&self.digest).is_some_and(|listed| Arc::ptr_eq(listed, &self.flight)) {
            flights.remove(&self.digest);
        }
    }
}
