//! A flight: one download of a digest that any number of readers follow.
//!
//! It belongs to no connection: the reader who caused it may leave, and it goes on. Readers see what has been written,
//! but for a tail that is held back until size and digest are verified, so that nobody ever has a whole blob of wrong
//! bytes.

use std::{fs::File, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{FutureExt as _, StreamExt as _, stream::Fuse};
use larder_oci::{Digest, Hasher};
use tokio::sync::watch;

use crate::{
    counters::Counters,
    disk::Disk,
    error::FetchError,
    partial::Partial,
    quarantine::Quarantine,
    read_at::CHUNK,
    source::{ByteRange, ByteStream, Fault, Fetched, Source, SourceError},
};

/// How many bytes are held back until all are verified. A blob that is no longer than this leaves only when it is
/// known to be right.
const TAIL: u64 = 64 * 1024;

/// What followers can know about a flight.
#[derive(Debug, Clone)]
enum Stage {
    /// No source has answered yet.
    Opening,
    /// Bytes arrive.
    Streaming { file: Arc<File>, total: Option<u64>, written: u64 },
    /// All bytes are there and are what the digest names.
    Verified { file: Arc<File>, total: u64 },
    /// It will never be complete.
    Failed(FetchError),
}

/// A reader's end of a flight.
#[derive(Debug, Clone)]
pub(crate) struct Follower(watch::Receiver<Stage>);

/// How far a reader may read now.
pub(crate) struct Progress {
    pub(crate) file: Arc<File>,
    /// Offset up to which bytes may leave.
    pub(crate) readable: u64,
}

/// What every flight needs.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) disk: Disk,
    pub(crate) counters: Arc<Counters>,
    pub(crate) quarantine: Quarantine,
    pub(crate) download_time: Option<Duration>,
}

/// The writer's end of a flight.
#[derive(Debug)]
pub(crate) struct Flight {
    digest: Digest,
    /// Its length in bytes, where a manifest said it.
    size: Option<u64>,
    shared: Arc<Shared>,
    stage: watch::Sender<Stage>,
}

// === impl Follower ===

impl Follower {
    /// Waits until bytes may leave, or all are verified. What fails before is a plain error, which an engine goes on
    /// from at once; what fails after cuts a body that it waits for.
    pub(crate) async fn opened(&mut self) -> Result<(), FetchError> {
        let opened = |stage: &Stage| stage.is_final() || stage.readable().is_some_and(|readable| readable > 0);
        let stage = self.0.wait_for(opened).await;
        match stage.as_deref() {
            Ok(Stage::Failed(error)) => Err(error.clone()),
            Ok(_) => Ok(()),
            Err(_) => Err(FetchError::abandoned()),
        }
    }

    /// Whether both follow the same flight.
    pub(crate) fn is_of(&self, other: &Self) -> bool {
        self.0.same_channel(&other.0)
    }

    /// Length of the blob, where it is known by now.
    pub(crate) fn total(&self) -> Option<u64> {
        match &*self.0.borrow() {
            Stage::Streaming { total, .. } => *total,
            Stage::Verified { total, .. } => Some(*total),
            Stage::Opening | Stage::Failed(_) => None,
        }
    }

    /// Waits until bytes past `offset` may leave, or until there are no more.
    pub(crate) async fn readable_past(&mut self, offset: u64) -> Result<Progress, FetchError> {
        let ready = |stage: &Stage| stage.readable().is_none_or(|readable| readable > offset) || stage.is_final();
        match self.0.wait_for(ready).await.as_deref() {
            Ok(Stage::Streaming { file, written, .. }) => {
                Ok(Progress { file: Arc::clone(file), readable: written.saturating_sub(TAIL) })
            }
            Ok(Stage::Verified { file, total }) => Ok(Progress { file: Arc::clone(file), readable: *total }),
            Ok(Stage::Failed(error)) => Err(error.clone()),
            Ok(Stage::Opening) | Err(_) => Err(FetchError::abandoned()),
        }
    }
}

impl Stage {
    fn readable(&self) -> Option<u64> {
        match self {
            Self::Opening => Some(0),
            Self::Streaming { written, .. } => Some(written.saturating_sub(TAIL)),
            Self::Verified { total, .. } => Some(*total),
            Self::Failed(_) => None,
        }
    }

    fn is_final(&self) -> bool {
        matches!(self, Self::Verified { .. } | Self::Failed(_))
    }
}

// === impl Flight ===

impl Flight {
    pub(crate) fn new(digest: Digest, size: Option<u64>, shared: Arc<Shared>) -> (Self, Follower) {
        let (stage, follower) = watch::channel(Stage::Opening);
        (Self { digest, size, shared, stage }, Follower(follower))
    }

    /// Downloads from the first of `sources` that answers, and makes the result a blob. Returns when it is one, or
    /// when it never will be.
    pub(crate) async fn fly(self, sources: Vec<Arc<dyn Source>>) {
        if let Err(error) = self.download(&sources).await {
            match &error {
                FetchError::Source(SourceError { fault: Fault::NotFound | Fault::Denied | Fault::Skipped, .. }) => {}
                FetchError::Source(SourceError { fault: Fault::Corrupt, .. }) => self.shared.counters.corrupt.add(1),
                FetchError::Source(_) => self.shared.counters.broken.add(1),
                FetchError::Disk(_) => self.shared.counters.disk_errors.add(1),
            }
            self.tell(&error);
            let corrupt = matches!(&error, FetchError::Source(error) if error.fault == Fault::Corrupt);
            let shown = self.stage.borrow().readable().is_some_and(|readable| readable > 0);
            if corrupt || shown {
                self.shared.quarantine.shut_out(self.digest);
            }
            self.stage.send_replace(Stage::Failed(error));
        }
    }

    fn tell(&self, error: &FetchError) {
        let digest = &self.digest;
        match error {
            FetchError::Source(SourceError { source_name, fault, detail }) => match fault {
                Fault::NotFound | Fault::Skipped => {
                    tracing::debug!(%digest, source = %source_name, %detail, "not fetched");
                }
                _ => tracing::warn!(%digest, source = %source_name, fault = fault.label(), %detail, "download failed"),
            },
            FetchError::Disk(error) => {
                tracing::error!(%digest, %error, "cannot cache a blob: check the disk of the cache");
            }
        }
    }

    async fn download(&self, sources: &[Arc<dyn Source>]) -> Result<(), FetchError> {
        let (source, fetched) = self.first_answer(sources).await?;
        let total = self.total(&source, &fetched)?;
        let fetched = Fetched { total, ..fetched };
        let (shared, digest) = (Arc::clone(&self.shared), self.digest);
        let partial = blocking(move || shared.disk.begin(&digest, total)).await?;
        let receiving = self.receive(&source, fetched, partial);
        let received = match self.shared.download_time {
            None => receiving.await,
            Some(limit) => tokio::time::timeout(limit, receiving).await.unwrap_or_else(|_| {
                let detail = format!("{digest} took longer than {limit:?} (proxy.cachewritetimeout)");
                Err(SourceError::new(&source, Fault::TimedOut, detail).into())
            }),
        };
        let (partial, written) = received?;
        self.stage.send_replace(Stage::Verified { file: Arc::clone(partial.file()), total: written });

        // Readers have all they need by now: what fails from here on costs the cache a blob, and nobody a pull.
        let shared = Arc::clone(&self.shared);
        if let Err(error) = blocking(move || shared.disk.commit(partial, &digest)).await {
            self.shared.counters.disk_errors.add(1);
            tracing::error!(%digest, %error, "cannot keep a blob that was fetched: check the disk of the cache");
        }
        Ok(())
    }

    async fn first_answer(&self, sources: &[Arc<dyn Source>]) -> Result<(Arc<str>, Fetched), FetchError> {
        let mut last = SourceError::new("cache", Fault::NotFound, "there is no source to fetch from");
        for source in sources {
            match source.fetch(&self.digest, ByteRange::ALL).await {
                Ok(fetched) if fetched.start == 0 => return Ok((source.name().into(), fetched)),
                Ok(_) => last = SourceError::new(source.name(), Fault::Invalid, "answered with a part of the blob"),
                Err(error) => last = error,
            }
        }
        Err(last.into())
    }

    /// The length of the blob: what is known of it, or what the source says; and they must agree.
    fn total(&self, source: &str, fetched: &Fetched) -> Result<Option<u64>, FetchError> {
        match (self.size, fetched.total) {
            (Some(known), Some(said)) if known != said => {
                let detail = format!("says that {} is {said} bytes, and it is {known}", self.digest);
                Err(SourceError::new(source, Fault::Corrupt, detail).into())
            }
            (known, said) => Ok(known.or(said)),
        }
    }

    /// Writes what arrives, batch by batch, until all of it is there and verified.
    async fn receive(&self, source: &str, fetched: Fetched, partial: Partial) -> Result<(Partial, u64), FetchError> {
        let Fetched { total, body, .. } = fetched;
        let mut body = body.fuse();
        let broken = |fault, detail: String| FetchError::from(SourceError::new(source, fault, detail));
        let mut state = Writing { partial, hasher: self.digest.algorithm().hasher(), written: 0 };
        let streaming = |state: &Writing| Stage::Streaming {
            file: Arc::clone(state.partial.file()),
            total,
            written: state.written,
        };
        self.stage.send_replace(streaming(&state));
        loop {
            let Batch { chunks, end } = next_batch(&mut body).await;
            let length: u64 = chunks.iter().map(|chunk| chunk.len() as u64).sum();
            self.shared.counters.fetched_bytes.add(length);
            if total.is_some_and(|total| state.written + length > total) {
                return Err(broken(Fault::Corrupt, format!("sent more bytes of {} than it announced", self.digest)));
            }
            if length > 0 {
                state = blocking(move || state.write(&chunks)).await?;
                self.stage.send_replace(streaming(&state));
            }
            match end {
                None => {}
                Some(Ok(())) => break,
                Some(Err(error)) => return Err(error.into()),
            }
        }
        if let Some(total) = total.filter(|total| *total != state.written) {
            let detail = format!("ended {} after {} of {total} bytes", self.digest, state.written);
            return Err(broken(Fault::Unreachable, detail));
        }
        let actual = state.hasher.finish();
        if actual != self.digest {
            return Err(broken(Fault::Corrupt, format!("sent {actual} for {}", self.digest)));
        }
        Ok((state.partial, state.written))
    }
}

/// A download as the blocking thread that writes it has it.
struct Writing {
    partial: Partial,
    hasher: Hasher,
    written: u64,
}

impl Writing {
    fn write(mut self, batch: &[Bytes]) -> std::io::Result<Self> {
        for chunk in batch {
            self.partial.write_at(chunk, self.written)?;
            self.hasher.update(chunk);
            self.written += chunk.len() as u64;
        }
        Ok(self)
    }
}

/// Bytes that arrived together, and how the body ended if it did.
struct Batch {
    chunks: Vec<Bytes>,
    end: Option<Result<(), SourceError>>,
}

/// The next bytes, and with them whatever else has arrived already: one trip to a writing thread for many packets,
/// and no waiting for a batch to fill.
async fn next_batch(body: &mut Fuse<ByteStream>) -> Batch {
    let mut chunks = Vec::new();
    let mut length = 0;
    let mut next = body.next().await;
    loop {
        match next {
            Some(Ok(chunk)) => {
                length += chunk.len();
                chunks.push(chunk);
            }
            Some(Err(error)) => return Batch { chunks, end: Some(Err(error)) },
            None => return Batch { chunks, end: Some(Ok(())) },
        }
        if length >= CHUNK {
            return Batch { chunks, end: None };
        }
        next = match body.next().now_or_never() {
            Some(next) => next,
            None => return Batch { chunks, end: None },
        };
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T, FetchError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(std::io::Error::other).flatten().map_err(|error| FetchError::Disk(Arc::new(error)))
}
