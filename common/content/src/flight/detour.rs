//! A detour: one reader's own fetch, when the disk cannot be written or read, or too many ranges are fetched already. It
//! keeps nothing. It is the one exception to one fetch for all, and it is counted.

use std::{collections::VecDeque, io, sync::Arc};

use bytes::Bytes;
use larder_oci::{Digest, Hasher};

use super::{Follower, Hangar};
use crate::{
    counters::Counters,
    error::{FetchError, ReadError},
    feed::{Fed, Feed, Order, Sources},
    file::ContentFile,
    source::{Fault, SourceError},
};

/// Where a flight was when a reader had to leave it, and why it had to.
pub(crate) struct Adrift {
    pub(crate) why: Why,
    /// The file, as far as it was written.
    pub(crate) file: Option<Arc<ContentFile>>,
    /// How far that is, and the digest of it; `None` if no digest can help the reader.
    pub(crate) passed: Option<(u64, Hasher)>,
    pub(crate) total: Option<u64>,
}

/// Why a reader fetches for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    Full,
    Disk,
    Busy,
}

/// See the module.
pub(crate) struct Detour {
    feed: Feed,
    /// Offset of the feed's next byte.
    at: u64,
    /// Offset of the first byte that the reader wants.
    from: u64,
    total: Option<u64>,
    check: Option<Check>,
    sources: Sources,
    counters: Arc<Counters>,
    /// The place of the source that answered last.
    giver: Option<usize>,
    /// What came and may not leave yet, or has not.
    held: VecDeque<Bytes>,
    held_length: u64,
    ended: bool,
    tail: u64,
    /// Bytes before [`Detour::at`] that the reader has not had: to be read from the file first.
    unread: Option<(Arc<ContentFile>, u64, u64)>,
    /// What must turn out well for the bytes that the reader had before.
    vouched_for_by: Option<Follower>,
}

struct Check {
    digest: Digest,
    hasher: Hasher,
}

impl Detour {
    /// Fetches what `order` says from where the flight was.
    pub(super) fn new(order: Order, adrift: Adrift, hangar: &Hangar) -> Self {
        let counters = &hangar.counters;
        match adrift.why {
            Why::Full => &counters.detours_full,
            Why::Disk => &counters.detours_disk,
            Why::Busy => &counters.detours_busy,
        }
        .add(1);
        let geometry = hangar.disk.geometry();
        let (offset, total) = (order.from, adrift.total);
        let to_the_end = order.until.is_none_or(|until| Some(until) == total);
        // Only who reads to the end can be told that all was right; and not by fetching gigabytes to skip them.
        let checked = adrift.passed.filter(|(passed, _)| {
            to_the_end && (offset.saturating_sub(*passed) <= geometry.ahead || adrift.file.is_none() && *passed == 0)
        });
        let (start, check, unread) = match checked {
            Some((passed, hasher)) => {
                let unread = adrift.file.filter(|_| passed > offset).map(|file| (file, offset, passed));
                (passed, Some(Check { digest: order.digest, hasher }), unread)
            }
            None => (offset, None, None),
        };
        let until = order.until.filter(|_| check.is_none());
        let flowing = offset > 0;
        let sources = Arc::clone(&order.sources);
        let feed = Feed::start(Order { from: start, until, flowing, ..order }, Arc::clone(counters));
        Self {
            feed,
            at: start,
            from: offset,
            total,
            check,
            sources,
            counters: Arc::clone(counters),
            giver: None,
            held: VecDeque::new(),
            held_length: 0,
            ended: false,
            tail: geometry.tail,
            unread,
            vouched_for_by: None,
        }
    }

    /// Lets the last bytes leave only when `flight` has landed as well.
    pub(super) fn vouched_for_by(mut self, flight: Follower) -> Self {
        self.vouched_for_by = Some(flight);
        self
    }

    /// Waits until a source answers: what fails before is a plain error.
    pub(crate) async fn opened(mut self) -> Result<Self, FetchError> {
        if let Fed::Opened { source, total } = self.feed.next().await? {
            self.total = self.total.or(total);
            self.giver = Some(source);
        }
        Ok(self)
    }

    /// Length of the blob, where it is known by now.
    pub(crate) fn total(&self) -> Option<u64> {
        self.total
    }

    /// The next bytes; empty when there are no more.
    pub(crate) async fn next(&mut self) -> Result<Bytes, ReadError> {
        if let Some((file, from, to)) = self.unread.take() {
            self.take_in(read_all(file, from, to).await?);
        }
        loop {
            if let Some(bytes) = self.give_out() {
                return Ok(bytes);
            }
            if self.ended {
                return Ok(Bytes::new());
            }
            match self.feed.next().await.map_err(FetchError::from)? {
                Fed::Opened { source, total } => {
                    self.total = self.total.or(total);
                    self.giver = Some(source);
                }
                Fed::Bytes(chunks) => {
                    for chunk in chunks {
                        if let Some(check) = &mut self.check {
                            check.hasher.update(&chunk);
                        }
                        let skip = self.from.saturating_sub(self.at).min(chunk.len() as u64);
                        self.at += chunk.len() as u64;
                        self.take_in(chunk.slice(usize::try_from(skip).unwrap_or(chunk.len())..));
                    }
                }
                Fed::End => self.end().await?,
            }
        }
    }

    fn take_in(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            self.held_length += bytes.len() as u64;
            self.held.push_back(bytes);
        }
    }

    /// What may leave now.
    fn give_out(&mut self) -> Option<Bytes> {
        let held_back = match (&self.check, self.total) {
            _ if self.ended => 0,
            (None, _) => 0,
            // Of what is here, that which is of the blob's tail.
            (Some(_), Some(total)) => self.at.saturating_sub(total.saturating_sub(self.tail)),
            (Some(_), None) => self.tail,
        };
        let room = self.held_length.saturating_sub(held_back);
        let front = self.held.front_mut()?;
        let length = usize::try_from(room).unwrap_or(usize::MAX).min(front.len());
        if length == 0 {
            return None;
        }
        let bytes = front.split_to(length);
        if front.is_empty() {
            self.held.pop_front();
        }
        self.held_length -= length as u64;
        Some(bytes)
    }

    async fn end(&mut self) -> Result<(), FetchError> {
        if let Some(flight) = &mut self.vouched_for_by {
            flight.landed().await?;
        }
        self.ended = true;
        let Some(Check { digest, hasher }) = self.check.take() else { return Ok(()) };
        let actual = hasher.finish();
        if actual == digest {
            return Ok(());
        }
        self.counters.corrupt.add(1);
        let name = self.giver.and_then(|giver| self.sources.get(giver)).map_or("cache", |source| source.name());
        self.counters.wrong_bytes_from(name);
        Err(SourceError::new(name, Fault::Corrupt, format!("sent {actual} for {digest}")).into())
    }
}

async fn read_all(file: Arc<ContentFile>, from: u64, to: u64) -> io::Result<Bytes> {
    let read = move || {
        let mut bytes = vec![0; usize::try_from(to - from).map_err(io::Error::other)?];
        file.read_exact_at(&mut bytes, from)?;
        Ok(bytes.into())
    };
    tokio::task::spawn_blocking(read).await.map_err(io::Error::other)?
}

impl std::fmt::Debug for Detour {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Detour").field("at", &self.at).finish_non_exhaustive()
    }
}
