//! The bytes of a blob in order, from whichever source gives them.
//!
//! A feed asks one source after the other, goes on from the byte reached when one breaks, and gives up by the rules of
//! [`Attempts`]. It verifies nothing but lengths. It runs by itself and a little ahead of who takes the bytes, so that
//! the network is not idle while they are written.

mod batch;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::StreamExt as _;
use larder_oci::Digest;
use tokio::{
    runtime::Handle,
    sync::mpsc,
    time::{Instant, sleep, timeout},
};

use crate::{
    attempts::{Attempts, Next},
    counters::Counters,
    source::{ByteRange, Fault, Fetched, Source, SourceError},
};
use batch::{Batch, drop_front, keep_front, length, next_batch};

/// Those that may have a blob, in the order in which they are asked.
pub(crate) type Sources = Arc<[Arc<dyn Source>]>;

/// How many batches may wait to be taken: one that is written, one that is ready, one that is being gathered.
const READY: usize = 1;
/// A source that gives less than a tail in this many stall times is as good as silent.
const TRICKLE: u32 = 10;

/// What is wanted of a feed.
#[derive(Clone)]
pub(crate) struct Order {
    pub(crate) digest: Digest,
    pub(crate) sources: Sources,
    /// Length of the blob, where it is known.
    pub(crate) total: Option<u64>,
    /// Whether that is only what the one who asks for the blob says.
    pub(crate) total_is_claimed: bool,
    /// Offset of the first byte wanted.
    pub(crate) from: u64,
    /// Offset after the last one; the blob's end where `None`.
    pub(crate) until: Option<u64>,
    /// Whether somebody has had bytes already and waits for more.
    pub(crate) flowing: bool,
    /// How many bytes may be thrown away when a source gives the whole blob instead of a range.
    pub(crate) most_skipped: u64,
    pub(crate) pace: Pace,
}

/// How a feed takes bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// How long a source may give nothing.
    pub(crate) stall: Duration,
    /// Most bytes in one batch, but for the last chunk in it.
    pub(crate) batch: usize,
    /// So many bytes in a row say that a source works; and so many are held back at the end.
    pub(crate) tail: u64,
}

/// What comes out of a feed.
#[derive(Debug)]
pub(crate) enum Fed {
    /// A source answered.
    Opened {
        /// Which, by its place in the list.
        source: usize,
        /// Length of the blob, where it is known by now.
        total: Option<u64>,
    },
    /// The next bytes.
    Bytes(Vec<Bytes>),
    /// That was all.
    End,
}

/// A feed that runs; dropped, it ends.
pub(crate) struct Feed {
    fed: mpsc::Receiver<Result<Fed, SourceError>>,
    /// What was there when only bytes were asked for.
    next: Option<Result<Fed, SourceError>>,
}

impl Feed {
    /// Starts a feed on `runtime`: a connection belongs to the runtime that it was made on, and ends with it.
    pub(crate) fn start(order: Order, counters: Arc<Counters>, runtime: &Handle) -> Self {
        let (sender, receiver) = mpsc::channel(READY);
        runtime.spawn(async move {
            let closed = sender.clone();
            let mut feeding = Feeding {
                at: order.from,
                total: order.total,
                is_claimed: order.total_is_claimed && order.total.is_some(),
                attempts: Attempts::new(order.sources.len(), order.flowing),
                moved: Instant::now(),
                order,
                counters,
                sender,
            };
            tokio::select! {
                () = closed.closed() => {}
                () = feeding.run() => {}
            }
        });
        Self { fed: receiver, next: None }
    }

    /// What comes next. After an error or an [`Fed::End`] nothing does.
    pub(crate) async fn next(&mut self) -> Result<Fed, SourceError> {
        let given_up = || SourceError::new("cache", Fault::Skipped, "the download was given up");
        match self.next.take() {
            Some(next) => next,
            None => self.fed.recv().await.unwrap_or_else(|| Err(given_up())),
        }
    }

    /// The next bytes, if they are there already.
    pub(crate) fn ready(&mut self) -> Option<Vec<Bytes>> {
        match self.next.take().or_else(|| self.fed.try_recv().ok())? {
            Ok(Fed::Bytes(chunks)) => Some(chunks),
            other => {
                self.next = Some(other);
                None
            }
        }
    }
}

struct Feeding {
    order: Order,
    counters: Arc<Counters>,
    sender: mpsc::Sender<Result<Fed, SourceError>>,
    /// Offset of the next byte.
    at: u64,
    total: Option<u64>,
    /// Whether no source has said that length yet.
    is_claimed: bool,
    attempts: Attempts,
    /// When bytes last came.
    moved: Instant,
}

impl Feeding {
    async fn run(&mut self) {
        let outcome = self.all().await;
        // Nobody may be there to take it.
        let _ = self.sender.send(outcome.map(|()| Fed::End)).await;
    }

    async fn all(&mut self) -> Result<(), SourceError> {
        let Some(mut source) = self.attempts.first() else {
            return Err(SourceError::new("cache", Fault::NotFound, "there is no source to fetch from"));
        };
        loop {
            if self.end().is_some_and(|end| self.at >= end) && self.at > 0 {
                return Ok(());
            }
            let Err(error) = self.follow(source).await else { return Ok(()) };
            let Next::Ask(next, pause) = self.attempts.failed(error.fault, self.moved.elapsed()) else {
                return Err(error);
            };
            let SourceError { source_name, fault, detail } = &error;
            tracing::debug!(
                digest = %self.order.digest, at = self.at, source = %source_name, fault = fault.label(), %detail,
                "going on elsewhere, or again",
            );
            self.counters.resumed.add(u64::from(self.at > self.order.from));
            source = next;
            if !pause.is_zero() {
                let least = if matches!(error.fault, Fault::Limited(Some(_))) { 1.0 } else { 0.5 };
                sleep(pause.mul_f64(least + 0.5 * fastrand::f64())).await;
            }
        }
    }

    /// Takes what one source gives, until it breaks or all has come.
    async fn follow(&mut self, source: usize) -> Result<(), SourceError> {
        let asked = Arc::clone(&self.order.sources[source]);
        let name = asked.name();
        let stalled = |what: &str| {
            let detail = format!("{what} for {:?} ({} at byte {})", self.order.pace.stall, self.order.digest, self.at);
            SourceError::new(name, Fault::TimedOut, detail)
        };
        let range = ByteRange { start: self.at, end: self.order.until };
        let fetching = timeout(self.order.pace.stall, asked.fetch(&self.order.digest, range)).await;
        let fetched = fetching.map_err(|_| stalled("gave no answer"))??;
        self.attempts.answered();
        let mut skip = self.agree(name, &fetched)?;
        let opened = Instant::now();
        self.give(Fed::Opened { source, total: self.total }).await?;
        // How long that was not taken is nothing that a source can help.
        self.moved += opened.elapsed();

        let mut body = fetched.body.fuse();
        let (mut since, mut window) = (0, Window::open());
        loop {
            let batch = timeout(self.order.pace.stall, next_batch(&mut body, self.order.pace.batch)).await;
            let Batch { mut chunks, end } = batch.map_err(|_| self.stalled(name, "sent nothing"))?;
            let came = length(&chunks);
            self.counters.fetched_bytes.add(came);
            if came > 0 {
                // What is skipped is on the way to what is wanted.
                self.moved = Instant::now();
                window.took(came, self.order.pace.tail);
            }
            skip = drop_front(&mut chunks, skip);
            let length = self.cut(name, &mut chunks)?;
            if length > 0 {
                self.at += length;
                // A tail is held back, and a blob that is no longer than that until it is whole.
                if self.total.unwrap_or(self.at) > self.order.pace.tail {
                    self.attempts.flows();
                }
                since += length;
                if since >= self.order.pace.tail {
                    self.attempts.progressed();
                    since = 0;
                }
                self.give(Fed::Bytes(chunks)).await?;
                window.pause(self.moved.elapsed());
                self.moved = Instant::now();
            }
            if self.end().is_some_and(|end| self.at >= end) {
                return Ok(());
            }
            match end {
                Some(Err(error)) => return Err(error),
                Some(Ok(())) => return self.ended(name),
                None if window.began.elapsed() > self.order.pace.stall * TRICKLE => {
                    return Err(self.stalled(name, "sent next to nothing"));
                }
                None => {}
            }
        }
    }

    /// What is wrong with an answer; or how many bytes at its start are not wanted.
    fn agree(&mut self, name: &str, fetched: &Fetched) -> Result<u64, SourceError> {
        let digest = &self.order.digest;
        if let (Some(known), Some(said)) = (self.total, fetched.total)
            && known != said
        {
            let detail = format!("says that {digest} is {said} bytes, and it is {known}");
            return Err(SourceError::new(name, self.disagreement(), detail));
        }
        let Some(skip) = self.at.checked_sub(fetched.start) else {
            let detail = format!("was asked for {digest} from byte {}, and began at {}", self.at, fetched.start);
            return Err(SourceError::new(name, Fault::Invalid, detail));
        };
        if skip > self.order.most_skipped {
            let detail = format!("was asked for {digest} from byte {}, and knows no ranges", self.at);
            return Err(SourceError::new(name, Fault::Invalid, detail));
        }
        self.total = self.total.or(fetched.total);
        self.is_claimed &= fetched.total.is_none();
        Ok(skip)
    }

    /// What it is that a source gives another length than is known. Who asks may have been told a wrong one: no bytes
    /// are wrong for that.
    fn disagreement(&self) -> Fault {
        if self.is_claimed { Fault::Invalid } else { Fault::Corrupt }
    }

    /// Takes off what goes beyond what is wanted; what goes beyond the blob is a lie. Gives the length of what is left.
    fn cut(&self, name: &str, chunks: &mut Vec<Bytes>) -> Result<u64, SourceError> {
        let length = length(chunks);
        let Some(end) = self.end() else { return Ok(length) };
        let room = end.saturating_sub(self.at);
        if length <= room {
            return Ok(length);
        }
        if self.total == Some(end) {
            let detail = format!("sent more bytes of {} than it announced", self.order.digest);
            return Err(SourceError::new(name, self.disagreement(), detail));
        }
        keep_front(chunks, room);
        Ok(room)
    }

    /// The body ended, and the bytes that are wanted did not.
    fn ended(&mut self, name: &str) -> Result<(), SourceError> {
        let digest = &self.order.digest;
        match self.end() {
            None => Ok(()),
            Some(end) => {
                let detail = format!("ended {digest} at byte {} of {end}", self.at);
                Err(SourceError::new(name, Fault::Unreachable, detail))
            }
        }
    }

    /// Where the bytes that are wanted end, where that is known.
    fn end(&self) -> Option<u64> {
        match (self.order.until, self.total) {
            (Some(until), Some(total)) => Some(until.min(total)),
            (until, total) => until.or(total),
        }
    }

    fn stalled(&self, name: &str, what: &str) -> SourceError {
        let detail = format!("{what} for {:?} ({} at byte {})", self.order.pace.stall, self.order.digest, self.at);
        SourceError::new(name, Fault::TimedOut, detail)
    }

    async fn give(&self, fed: Fed) -> Result<(), SourceError> {
        let nobody = |_| SourceError::new("cache", Fault::Skipped, "nobody takes the bytes");
        self.sender.send(Ok(fed)).await.map_err(nobody)
    }
}

/// Since when a source has not given as much as shows that it moves.
struct Window {
    began: Instant,
    bytes: u64,
}

impl Window {
    fn open() -> Self {
        Self { began: Instant::now(), bytes: 0 }
    }

    fn took(&mut self, bytes: u64, enough: u64) {
        self.bytes += bytes;
        if self.bytes >= enough {
            *self = Self::open();
        }
    }

    fn pause(&mut self, time: Duration) {
        self.began += time;
    }
}

#[cfg(test)]
mod tests;
