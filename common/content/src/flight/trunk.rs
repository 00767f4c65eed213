//! The trunk of a flight: from the first byte to the last, through whatever breaks on the way.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    ops::Range,
    sync::Arc,
};

use bytes::Bytes;
use tokio::time::{Instant, timeout_at};

use super::{
    Flight, Outcome,
    corruption::Corruption,
    detour::Why,
    progress::Progress,
    writer::{Stuck, Writer, Written},
};
use crate::{
    disk,
    error::FetchError,
    feed::{Fed, Feed, Order, Sources},
    partial::Partial,
    pieces::{self, Hash, Journal, List},
    source::{Fault, SourceError},
};

/// Most bytes that are hashed in one go: readers follow.
const STRIDE: u64 = 4 << 20;

/// Why a try ended without a blob.
enum Failure {
    /// The sources.
    Source(SourceError),
    /// The disk.
    Disk(Option<Box<Writer>>, io::Error),
    /// What came is not what the digest names.
    Wrong { error: SourceError, givers: BTreeSet<usize>, mixed: bool },
}

/// A verified blob that has not got its name yet.
struct Verified {
    partial: Option<Partial>,
    list: Option<List>,
}

/// One try.
struct Try {
    sources: Sources,
    /// When it has taken too long.
    deadline: Option<Instant>,
    writer: Option<Box<Writer>>,
    /// What an earlier download says that it wrote.
    claims: BTreeMap<u64, Hash>,
    /// Who gave bytes.
    givers: BTreeSet<usize>,
    /// Whether bytes are from an earlier download.
    mixed: bool,
}

/// What the trunk does next.
enum Work {
    /// All is written and hashed.
    Finish,
    /// Hash what is there.
    Absorb(u64),
    /// Hash a piece that is said to be there.
    Check(u64, Range<u64>, Hash),
    /// A leg is fetching what comes next.
    Wait,
    /// Fetch, up to there at most.
    Fetch(Option<u64>),
}

impl Flight {
    /// Downloads, and makes the result a blob. Returns when it is one, or when it never will be.
    pub(crate) async fn fly(self: &Arc<Self>) {
        let deadline = self.hangar.download_time.map(|limit| Instant::now() + limit);
        match self.tries(deadline).await {
            Ok(verified) => self.land(verified).await,
            Err(Failure::Source(error)) => self.fail(error),
            Err(Failure::Wrong { error, .. }) => self.fail(error),
            Err(Failure::Disk(writer, error)) => self.go_adrift(writer, &error),
        }
    }

    /// Gives up, if nothing else came of it: the process is going down.
    pub(crate) fn abandon(&self) {
        self.change(|state| {
            if matches!(state.outcome, Outcome::Flying) {
                state.outcome = Outcome::Failed(FetchError::abandoned());
            }
        });
    }

    async fn tries(self: &Arc<Self>, deadline: Option<Instant>) -> Result<Verified, Failure> {
        let mut corruption = Corruption::new(self.sources.len());
        let mut outcome = match &self.suspect {
            Some(_) => self.inspect().await,
            None => self.attempt(Arc::clone(&self.sources), deadline).await,
        };
        loop {
            let Err(Failure::Wrong { error, givers, mixed }) = outcome else { return outcome };
            self.blame(&error, &givers);
            // An engine keeps the part that was wrong: what is right now would only follow it.
            let keeps_away = self.state().shown && self.hangar.quarantine.shuts_out();
            let next = if keeps_away { None } else { corruption.next(&givers, mixed) };
            let Some(next) = next else { return Err(Failure::Wrong { error, givers, mixed }) };
            let sources: Sources = next.iter().map(|source| Arc::clone(&self.sources[*source])).collect();
            let number = self.change(|state| {
                state.progress = Progress::new(self.size, self.hangar.disk.geometry());
                state.so_far = self.digest.algorithm().hasher();
                state.sources = Arc::clone(&sources);
                state.leg_givers.clear();
                (state.file, state.journal) = (None, None);
                (state.shown, state.legs_fly) = (false, true);
                state.try_number += 1;
                state.wrong = Some(error.into());
                state.try_number
            });
            let flight = Arc::clone(self);
            blocking(move || flight.let_legs_write(number)).await?;
            outcome = self.attempt(sources, deadline).await.map_err(|failure| match failure {
                Failure::Wrong { error, givers, mixed } => {
                    let givers = givers.iter().map(|giver| next[*giver]).collect();
                    Failure::Wrong { error, givers, mixed }
                }
                other => other,
            });
        }
    }

    /// Hashes a blob that lies on the disk and of which nothing is known.
    async fn inspect(self: &Arc<Self>) -> Result<Verified, Failure> {
        let Some(stored) = &self.suspect else { return Err(Failure::Source(nothing_known())) };
        self.change(|state| {
            state.file = Some(Arc::clone(&stored.file));
            state.progress.total = Some(stored.size);
        });
        let mut writer =
            Box::new(Writer::reading(&self.digest, Some(stored.size), Arc::clone(&stored.file), &self.hangar));
        let wrong = |detail: String| Failure::Wrong {
            error: SourceError::new("cache", Fault::Corrupt, detail),
            givers: BTreeSet::new(),
            mixed: true,
        };
        while writer.at < stored.size {
            let end = (writer.at + STRIDE).min(stored.size);
            writer = match blocking(move || writer.absorb(end)).await? {
                Ok(writer) => writer,
                Err(Stuck { error, .. }) => {
                    self.hangar.disk_failed(&error);
                    return Err(wrong(format!("cannot read the cached {}: {error}", self.digest)));
                }
            };
            self.change(|state| state.pass(&writer));
        }
        let (digest, list, _) = writer.finish();
        if digest == self.digest {
            stored.proof.proven();
            return Ok(Verified { partial: None, list });
        }
        self.hangar.counters.damaged.add(1);
        tracing::error!(digest = %self.digest, "a cached blob is damaged: fetching it again");
        let hangar = Arc::clone(&self.hangar);
        let (damaged, proof) = (self.digest, Arc::clone(&stored.proof));
        let _ = tokio::task::spawn_blocking(move || hangar.disk.damaged(&damaged, &proof)).await;
        Err(wrong(format!("the cached {} is {digest}", self.digest)))
    }

    async fn attempt(self: &Arc<Self>, sources: Sources, deadline: Option<Instant>) -> Result<Verified, Failure> {
        let mut attempt =
            Try { sources, deadline, writer: None, claims: BTreeMap::new(), givers: BTreeSet::new(), mixed: false };
        self.take_up(&mut attempt).await?;
        loop {
            match self.next_work(&attempt) {
                Work::Finish => return self.finish(attempt),
                Work::Absorb(end) => {
                    attempt.givers.extend(&self.state().leg_givers);
                    self.step(&mut attempt, move |writer| writer.absorb(end)).await?;
                }
                Work::Check(number, range, hash) => {
                    let is_right = self.check(&mut attempt, range.end, hash).await?;
                    attempt.mixed |= is_right;
                    attempt.claims.remove(&number);
                }
                Work::Wait => {
                    let mut ticks = self.ticks.subscribe();
                    if self.state().progress.is_awaiting_leg() {
                        let _ = ticks.changed().await;
                    }
                }
                Work::Fetch(until) => {
                    if let Err(failure) = self.fetch(&mut attempt, until).await {
                        // Somebody may go on with the file.
                        let flight = Arc::clone(self);
                        blocking(move || flight.ground_legs()).await?;
                        return Err(self.keep_what_came(attempt, failure).await);
                    }
                }
            }
        }
    }

    /// Goes on with what an earlier download left, if it did.
    async fn take_up(self: &Arc<Self>, attempt: &mut Try) -> Result<(), Failure> {
        let (hangar, digest, size) = (Arc::clone(&self.hangar), self.digest, self.size);
        let left = blocking(move || hangar.disk.left(&digest)).await?;
        match left.filter(|left| size.is_none_or(|size| size == left.total)) {
            Some(left) => self.begin(attempt, Some(left.total), Some(left)).await,
            None => Ok(()),
        }
    }

    async fn begin(
        self: &Arc<Self>,
        attempt: &mut Try,
        total: Option<u64>,
        left: Option<Journal>,
    ) -> Result<(), Failure> {
        let (hangar, digest) = (Arc::clone(&self.hangar), self.digest);
        let begun = blocking(move || hangar.disk.begin(&digest, total, left)).await?;
        let begun = begun.map_err(|error| Failure::Disk(None, error))?;
        attempt.claims = begun.left.map(|left| left.hashes).unwrap_or_default();
        self.change(|state| {
            state.file = Some(Arc::clone(begun.partial.file()));
            state.journal = begun.partial.journal();
            state.progress.total = total;
        });
        attempt.writer = Some(Box::new(Writer::new(&self.digest, total, begun.partial, &self.hangar)));
        Ok(())
    }

    fn next_work(&self, attempt: &Try) -> Work {
        let state = self.state();
        let progress = &state.progress;
        if attempt.writer.is_none() {
            return Work::Fetch(None);
        }
        if progress.is_complete() {
            return Work::Finish;
        }
        if let Some(ahead) = progress.written_ahead() {
            return Work::Absorb(ahead.end.min(ahead.start + STRIDE));
        }
        if progress.is_awaiting_leg() {
            return Work::Wait;
        }
        let (at, wall, piece) = (progress.passed(), progress.wall(), self.hangar.disk.geometry().piece);
        let Some(total) = progress.total else { return Work::Fetch(None) };
        let number = at / piece;
        let range = pieces::range(number, total, piece);
        if let Some(hash) = attempt.claims.get(&number).filter(|_| range.start == at)
            && wall.is_none_or(|wall| wall >= range.end)
        {
            return Work::Check(number, range, *hash);
        }
        let claim = attempt.claims.range(number + 1..).next().map(|(number, _)| number * piece);
        Work::Fetch(match (claim, wall) {
            (Some(claim), Some(wall)) => Some(claim.min(wall)),
            (claim, wall) => claim.or(wall),
        })
    }

    /// Has the writer do something, and tells how far it came.
    async fn step(
        self: &Arc<Self>,
        attempt: &mut Try,
        work: impl FnOnce(Box<Writer>) -> Written + Send + 'static,
    ) -> Result<(), Failure> {
        let Some(writer) = attempt.writer.take() else { return Ok(()) };
        match blocking(move || work(writer)).await? {
            Ok(writer) => {
                self.change(|state| state.pass(&writer));
                attempt.writer = Some(writer);
                Ok(())
            }
            Err(Stuck { writer, error }) => {
                self.change(|state| state.pass(&writer));
                Err(Failure::Disk(Some(writer), error))
            }
        }
    }

    /// Whether the piece that ends at `end` is in the file.
    async fn check(self: &Arc<Self>, attempt: &mut Try, end: u64, hash: Hash) -> Result<bool, Failure> {
        let (told, was) = tokio::sync::oneshot::channel();
        let check = move |writer: Box<Writer>| {
            let (written, is_right) = writer.absorb_piece(end, &hash);
            let _ = told.send(is_right);
            written
        };
        self.step(attempt, check).await?;
        Ok(was.await.unwrap_or(false))
    }

    /// Fetches from where the trunk is, until the sources end, or until it meets what need not be fetched.
    async fn fetch(self: &Arc<Self>, attempt: &mut Try, until: Option<u64>) -> Result<(), Failure> {
        let from = self.state().progress.passed();
        // Who was promised a body waits for the rest of it, whichever of the trunk's requests it comes with.
        let order = {
            let state = self.state();
            let flowing = state.shown || state.progress.has_opened();
            Order { flowing, ..self.order(&state, from, until) }
        };
        let mut feed = Feed::start(order, Arc::clone(&self.hangar.counters));
        loop {
            let next = match attempt.deadline {
                None => feed.next().await,
                Some(at) => timeout_at(at, feed.next()).await.unwrap_or_else(|_| Err(self.took_too_long())),
            };
            match next.map_err(|error| self.said_of(error, attempt))? {
                Fed::Opened { source, total } => {
                    attempt.givers.insert(source);
                    self.change(|state| state.progress.total = state.progress.total.or(total));
                    if attempt.writer.is_none() {
                        self.begin(attempt, total, None).await?;
                    }
                }
                Fed::Bytes(chunks) => {
                    let at_wall;
                    (feed, at_wall) = self.write(attempt, feed, chunks).await?;
                    if at_wall {
                        return Ok(());
                    }
                }
                Fed::End => {
                    // Where nobody said how long it is, this does.
                    if until.is_none() {
                        self.change(|state| {
                            state.progress.total = state.progress.total.or(Some(state.progress.passed()));
                        });
                    }
                    return Ok(());
                }
            }
        }
    }

    /// Writes what came, and on the same thread whatever else came meanwhile: a thread that is woken for each batch costs
    /// a tenth more CPU. Gives the feed back, and whether it came to what need not be fetched.
    async fn write(
        self: &Arc<Self>,
        attempt: &mut Try,
        mut feed: Feed,
        mut chunks: Vec<Bytes>,
    ) -> Result<(Feed, bool), Failure> {
        let Some(mut writer) = attempt.writer.take() else { return Ok((feed, true)) };
        let (flight, deadline) = (Arc::clone(self), attempt.deadline);
        let write = move || loop {
            let wall = flight.claim(&chunks);
            writer = match writer.write(&chunks, wall, &flight.hangar) {
                Ok(writer) => writer,
                Err(stuck) => return Err(stuck),
            };
            let is_flying = flight.change(|state| {
                state.pass(&writer);
                matches!(state.outcome, Outcome::Flying)
            });
            let at_wall = wall.is_some_and(|wall| writer.at >= wall);
            let goes_on = is_flying && !at_wall && deadline.is_none_or(|at| Instant::now() < at);
            match goes_on.then(|| feed.ready()).flatten() {
                Some(more) => chunks = more,
                None => return Ok((writer, feed, at_wall)),
            }
        };
        match blocking(write).await? {
            Ok((writer, feed, at_wall)) => {
                attempt.writer = Some(writer);
                Ok((feed, at_wall))
            }
            Err(Stuck { writer, error }) => {
                self.change(|state| state.pass(&writer));
                Err(Failure::Disk(Some(writer), error))
            }
        }
    }

    /// Says that `chunks` are about to be written, and gives the offset after which nothing need be.
    fn claim(&self, chunks: &[Bytes]) -> Option<u64> {
        let length: u64 = chunks.iter().map(|chunk| chunk.len() as u64).sum();
        let mut state = self.state();
        let wall = state.progress.wall();
        let end = state.progress.passed() + length;
        state.progress.claim(wall.map_or(end, |wall| wall.min(end)));
        wall
    }

    fn took_too_long(&self) -> SourceError {
        let limit = self.hangar.download_time.unwrap_or_default();
        let detail = format!("{} took longer than {limit:?} (proxy.cachewritetimeout)", self.digest);
        SourceError::new("cache", Fault::TimedOut, detail)
    }

    /// A source that sent too much, or spoke of another length, gave something that is not the blob.
    fn said_of(&self, error: SourceError, attempt: &Try) -> Failure {
        if error.fault != Fault::Corrupt {
            return Failure::Source(error);
        }
        let named = attempt.sources.iter().enumerate().filter(|(_, source)| source.name() == &*error.source_name);
        let givers = attempt.givers.iter().copied().chain(named.map(|(at, _)| at)).collect();
        Failure::Wrong { error, givers, mixed: attempt.mixed }
    }

    /// Keeps what came before a failure, if it is worth it.
    async fn keep_what_came(self: &Arc<Self>, mut attempt: Try, failure: Failure) -> Failure {
        if let (Failure::Source(_), Some(writer)) = (&failure, attempt.writer.take())
            && writer.has_pieces()
            && let (_, _, Some(partial)) = writer.finish()
        {
            let (hangar, digest) = (Arc::clone(&self.hangar), self.digest);
            let _ = tokio::task::spawn_blocking(move || hangar.disk.leave(&digest, partial)).await;
        }
        failure
    }

    fn finish(&self, attempt: Try) -> Result<Verified, Failure> {
        let Try { sources, writer, givers, mixed, .. } = attempt;
        let Some(writer) = writer else { return Err(Failure::Source(nothing_known())) };
        let (digest, list, partial) = writer.finish();
        if digest == self.digest {
            return Ok(Verified { partial, list });
        }
        let names: Vec<&str> = givers.iter().filter_map(|giver| sources.get(*giver)).map(|one| one.name()).collect();
        let detail = format!("sent {digest} for {}", self.digest);
        Err(Failure::Wrong { error: SourceError::new(&names.join(" and "), Fault::Corrupt, detail), givers, mixed })
    }

    async fn land(self: &Arc<Self>, verified: Verified) {
        self.change(|state| {
            state.progress.verify();
            state.outcome = Outcome::Landed;
        });
        // Readers have all they need by now: what fails from here on costs the cache a blob, and nobody a pull.
        let Verified { partial, list } = verified;
        let (hangar, digest) = (Arc::clone(&self.hangar), self.digest);
        let commit = move || match (partial, &list) {
            (Some(partial), list) => hangar.disk.commit(partial, &digest, list.as_ref()),
            (None, Some(list)) => {
                hangar.disk.keep_pieces(&digest, list);
                Ok(None)
            }
            (None, None) => Ok(None),
        };
        let committed = tokio::task::spawn_blocking(commit).await.map_err(io::Error::other).flatten();
        match committed {
            Ok(proof) => {
                let size = self.state().progress.passed();
                self.hangar.disk_works(size);
                // Readers of the flight read the blob's file: it is in use.
                if let Some(proof) = proof {
                    let _ = self.kept.set(proof);
                }
            }
            Err(error) => {
                self.hangar.disk_failed(&error);
                tracing::error!(digest = %self.digest, %error, "cannot keep a blob that was fetched: check the disk of the cache");
            }
        }
    }

    fn fail(&self, error: SourceError) {
        let digest = &self.digest;
        let SourceError { source_name, fault, detail } = &error;
        let shown = self.state().shown;
        match fault {
            Fault::NotFound | Fault::Skipped if !shown => {
                tracing::debug!(%digest, source = %source_name, %detail, "not fetched");
            }
            _ => tracing::warn!(%digest, source = %source_name, fault = fault.label(), %detail, "download failed"),
        }
        match fault {
            Fault::Corrupt => {}
            Fault::NotFound | Fault::Denied | Fault::Skipped if !shown => {}
            _ => self.hangar.counters.broken.add(1),
        }
        if shown || error.fault == Fault::Corrupt {
            self.hangar.quarantine.shut_out(self.digest);
        }
        self.change(|state| state.outcome = Outcome::Failed(error.into()));
    }

    /// The disk failed: readers go on by themselves.
    fn go_adrift(&self, writer: Option<Box<Writer>>, error: &io::Error) {
        self.hangar.disk_failed(error);
        let digest = &self.digest;
        if disk::is_refusal(error) {
            tracing::warn!(%digest, %error, "a blob is not cached, and each of its readers fetches it for itself");
        } else {
            tracing::error!(
                %digest, %error,
                "cannot cache a blob, so each reader fetches it for itself: check the disk of the cache",
            );
        }
        let why = if error.kind() == io::ErrorKind::StorageFull { Why::Full } else { Why::Disk };
        self.change(|state| {
            state.outcome = match writer {
                Some(writer) => Outcome::Adrift(writer.digest_so_far(), why),
                None if state.progress.passed() == 0 => Outcome::Adrift(self.digest.algorithm().hasher(), why),
                // The writer is lost, and with it the digest of what it wrote.
                None => Outcome::Failed(FetchError::abandoned()),
            };
        });
    }

    /// Counts who gave a wrong blob, and says so.
    fn blame(&self, error: &SourceError, givers: &BTreeSet<usize>) {
        if givers.is_empty() && &*error.source_name == "cache" {
            return;
        }
        self.hangar.counters.corrupt.add(1);
        let names: Vec<&str> =
            givers.iter().filter_map(|giver| self.sources.get(*giver)).map(|one| one.name()).collect();
        // Of several it is not known who it was, until each was asked alone.
        if let [name] = names[..] {
            self.hangar.counters.wrong_bytes_from(name);
        }
        let SourceError { source_name, detail, .. } = error;
        tracing::warn!(digest = %self.digest, source = %source_name, %detail, "what came is not what the digest names");
    }
}

fn nothing_known() -> SourceError {
    SourceError::new("cache", Fault::Skipped, "the download was given up")
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Failure::Disk(None, io::Error::other(error)))
}
