//! A detour: one reader's own fetch, when the disk cannot be written or read, or too many ranges are fetched already. It
//! keeps nothing. It is the one exception to one fetch for all, and it is counted.

use std::{
    collections::{BTreeSet, VecDeque},
    io,
    ops::Range,
    sync::Arc,
};

use bytes::Bytes;
use larder_oci::{Digest, Hasher};

use super::Hangar;
use crate::{
    error::{FetchError, ReadError},
    feed::{Fed, Feed, Order},
    file::ContentFile,
    source::{Fault, SourceError},
};

/// Where a flight was when a reader had to leave it, and why it had to.
pub(crate) struct Adrift {
    pub(crate) why: Why,
    /// The file, as far as it was written; `None` if there is none that can be read.
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
    hangar: Arc<Hangar>,
    /// What is fetched, and from whom.
    order: Order,
    feed: Feed,
    /// Offset of the feed's next byte.
    at: u64,
    /// Which bytes the reader wants.
    wanted: Range<u64>,
    total: Option<u64>,
    check: Option<Check>,
    /// The places of the sources that answered.
    givers: BTreeSet<usize>,
    /// What came and may not leave yet, or has not.
    held: VecDeque<Bytes>,
    held_length: u64,
    /// Whether any of it left.
    shown: bool,
    ended: bool,
    /// Bytes before [`Detour::at`] that the reader has not had: to be read from the file first.
    unread: Option<(Arc<ContentFile>, Range<u64>)>,
}

/// The digest of all that comes.
struct Check {
    hasher: Hasher,
    /// What it must be at this offset: the reader has had bytes of what the flight wrote so far.
    written: Option<(u64, Digest)>,
}

impl Detour {
    /// Fetches what `order` says from where the flight was.
    pub(super) fn new(mut order: Order, adrift: Adrift, hangar: &Arc<Hangar>) -> Self {
        let counters = &hangar.counters;
        match adrift.why {
            Why::Full => &counters.detours_full,
            Why::Disk => &counters.detours_disk,
            Why::Busy => &counters.detours_busy,
        }
        .add(1);
        let offset = order.from;
        let wanted = offset..order.until.unwrap_or(u64::MAX);
        let to_the_end = order.until.is_none_or(|until| Some(until) == adrift.total);
        // Only who reads to the end can be told that all was right; and not by fetching gigabytes to skip them.
        let near = |passed: u64| offset.saturating_sub(passed) <= hangar.disk.geometry().ahead;
        let passed = adrift.passed.filter(|(passed, _)| to_the_end && (near(*passed) || adrift.file.is_none()));
        let (start, check, unread) = match (passed, adrift.file) {
            (None, _) => (offset, None, None),
            (Some((passed, hasher)), Some(file)) => {
                let unread = (passed > offset).then_some((file, offset..passed));
                (passed, Some(Check { hasher, written: None }), unread)
            }
            (Some((passed, hasher)), None) => (0, Some(Check::anew(&order.digest, offset, passed, hasher)), None),
        };
        order.from = start;
        order.until = order.until.filter(|_| check.is_none());
        order.flowing |= offset > 0;
        Self {
            hangar: Arc::clone(hangar),
            feed: hangar.feed(order.clone()),
            order,
            at: start,
            wanted,
            total: adrift.total,
            check,
            givers: BTreeSet::new(),
            held: VecDeque::new(),
            held_length: 0,
            shown: offset > 0,
            ended: false,
            unread,
        }
    }

    /// Waits until a source answers: what fails before is a plain error.
    pub(crate) async fn opened(mut self) -> Result<Self, FetchError> {
        if let Fed::Opened { source, total } = self.feed.next().await? {
            self.total = self.total.or(total);
            self.givers.insert(source);
        }
        Ok(self)
    }

    /// Length of the blob, where it is known by now.
    pub(crate) fn total(&self) -> Option<u64> {
        self.total
    }

    /// Gives the reader this part only. For one that has had nothing yet.
    pub(crate) fn part(&mut self, range: Range<u64>) {
        let is_checked = self.total == Some(range.end) && range.start <= self.hangar.disk.geometry().ahead;
        self.wanted = range;
        if !is_checked {
            (self.check, self.at) = (None, self.wanted.start);
            (self.order.from, self.order.until, self.order.flowing) = (self.at, Some(self.wanted.end), true);
            self.feed = self.hangar.feed(self.order.clone());
        }
    }

    /// The next bytes; empty when there are no more.
    pub(crate) async fn next(&mut self) -> Result<Bytes, ReadError> {
        let next = self.advance().await;
        if let Err(ReadError::Fetch(FetchError::Source(error))) = &next
            && (self.shown || error.fault == Fault::Corrupt)
        {
            self.hangar.quarantine.shut_out(self.order.digest);
        }
        next
    }

    async fn advance(&mut self) -> Result<Bytes, ReadError> {
        if let Some((file, range)) = self.unread.take() {
            let up_to = range.end;
            match read_all(file, range).await {
                Ok(bytes) => self.take_in(bytes),
                Err(error) => {
                    self.hangar.counters.disk_errors.add(1);
                    tracing::error!(digest = %self.order.digest, %error, "cannot read what was just written");
                    if let Some(Check { hasher, .. }) = self.check.take() {
                        let check = Check::anew(&self.order.digest, self.wanted.start, up_to, hasher);
                        self.start_over(check);
                    }
                }
            }
        }
        loop {
            if let Some(bytes) = self.give_out() {
                return Ok(bytes);
            }
            if self.ended || self.wanted.is_empty() {
                return Ok(Bytes::new());
            }
            let fed = match self.feed.next().await {
                Err(error) if error.fault == Fault::Corrupt => {
                    self.wrong(error)?;
                    continue;
                }
                fed => fed.map_err(FetchError::from)?,
            };
            match fed {
                Fed::Opened { source, total } => {
                    self.total = self.total.or(total);
                    self.givers.insert(source);
                }
                Fed::Bytes(chunks) => {
                    for chunk in chunks {
                        self.take(&chunk)?;
                    }
                }
                Fed::End => self.end()?,
            }
        }
    }

    /// Takes what the feed gave next.
    fn take(&mut self, chunk: &Bytes) -> Result<(), FetchError> {
        let start = self.at;
        self.at += chunk.len() as u64;
        if let Some(check) = &mut self.check
            && !check.update(start, chunk)
        {
            let detail = format!("gave other bytes of {} than were written before", self.order.digest);
            return self.wrong(SourceError::new(&self.names(), Fault::Corrupt, detail));
        }
        let (from, to) = (self.wanted.start.clamp(start, self.at), self.wanted.end.clamp(start, self.at));
        let place = |offset: u64| usize::try_from(offset - start).expect("no more than a chunk's length");
        self.take_in(chunk.slice(place(from)..place(to.max(from))));
        Ok(())
    }

    fn take_in(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            self.held_length += bytes.len() as u64;
            self.held.push_back(bytes);
        }
    }

    /// What may leave now.
    fn give_out(&mut self) -> Option<Bytes> {
        let tail = self.hangar.disk.geometry().tail;
        let held_back = match (&self.check, self.total) {
            _ if self.ended => 0,
            (None, _) => 0,
            // Of what is here, that which is of the blob's tail.
            (Some(_), Some(total)) => self.at.min(self.wanted.end).saturating_sub(total.saturating_sub(tail)),
            (Some(_), None) => tail,
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
        self.wanted.start += length as u64;
        self.shown = true;
        Some(bytes)
    }

    fn end(&mut self) -> Result<(), FetchError> {
        let Some(Check { hasher, written }) = self.check.take() else {
            self.ended = true;
            return Ok(());
        };
        let (actual, digest) = (hasher.finish(), self.order.digest);
        if actual == digest && written.is_none() {
            self.ended = true;
            return Ok(());
        }
        self.wrong(SourceError::new(&self.names(), Fault::Corrupt, format!("sent {actual} for {digest}")))
    }

    /// What came is wrong: asks those that gave nothing, if the reader has had nothing either.
    fn wrong(&mut self, error: SourceError) -> Result<(), FetchError> {
        self.hangar.counters.corrupt.add(1);
        let sources = self.order.sources.iter().enumerate();
        let blamed = sources.filter(|(at, source)| self.givers.contains(at) || source.name() == &*error.source_name);
        let givers: BTreeSet<&str> = blamed.map(|(_, source)| source.name()).collect();
        if let (Some(name), 1) = (givers.first(), givers.len()) {
            self.hangar.counters.wrong_bytes_from(name);
        }
        let others = self.order.sources.iter().filter(|source| !givers.contains(source.name()));
        let others: Vec<_> = others.map(Arc::clone).collect();
        if self.shown || others.is_empty() {
            return Err(error.into());
        }
        tracing::warn!(digest = %self.order.digest, %error, "what came is not what the digest names: asking elsewhere");
        self.order.sources = others.into();
        self.start_over(Check { hasher: self.order.digest.algorithm().hasher(), written: None });
        Ok(())
    }

    /// Fetches all from the first byte on, whatever came before.
    fn start_over(&mut self, check: Check) {
        (self.order.from, self.order.until, self.order.flowing) = (0, None, true);
        self.feed = self.hangar.feed(self.order.clone());
        self.check = Some(check);
        self.at = 0;
        self.givers.clear();
        self.held.clear();
        self.held_length = 0;
    }

    /// The names of those that gave bytes.
    fn names(&self) -> String {
        let names: Vec<&str> = self.givers.iter().map(|giver| self.order.sources[*giver].name()).collect();
        names.join(" and ")
    }
}

impl Check {
    /// Of bytes from the first on, for a reader that has had `offset` bytes of what was written: `passed` bytes, of which
    /// `hasher` is the digest.
    fn anew(digest: &Digest, offset: u64, passed: u64, hasher: Hasher) -> Self {
        let written = (offset > 0 && passed > 0).then(|| (passed, hasher.finish()));
        Self { hasher: digest.algorithm().hasher(), written }
    }

    /// Takes in the next bytes, which begin at the offset `at`. Whether all was as it must be.
    fn update(&mut self, at: u64, bytes: &[u8]) -> bool {
        let ends = |(offset, _): &mut (u64, Digest)| *offset - at <= bytes.len() as u64;
        let Some((offset, written)) = self.written.take_if(ends) else {
            self.hasher.update(bytes);
            return true;
        };
        let (before, after) = bytes.split_at(usize::try_from(offset - at).expect("no more than a chunk's length"));
        self.hasher.update(before);
        let is_right = self.hasher.clone().finish() == written;
        self.hasher.update(after);
        is_right
    }
}

async fn read_all(file: Arc<ContentFile>, range: Range<u64>) -> io::Result<Bytes> {
    let read = move || {
        let mut bytes = vec![0; usize::try_from(range.end - range.start).map_err(io::Error::other)?];
        file.read_exact_at(&mut bytes, range.start)?;
        Ok(bytes.into())
    };
    tokio::task::spawn_blocking(read).await.map_err(io::Error::other)?
}

impl std::fmt::Debug for Detour {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Detour").field("at", &self.at).finish_non_exhaustive()
    }
}
