//! One try: what was left of an earlier download is taken up, what legs wrote is hashed, the rest is fetched.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    sync::Arc,
};

use tokio::time::{Instant, timeout_at};

use super::{Failure, STRIDE, Verified, blocking, nothing_known, put_away};
use crate::{
    feed::Sources,
    flight::{
        Flight,
        writer::{Stuck, Writer, Written},
    },
    pieces::{self, Hash, Journal},
    source::{Fault, SourceError},
};

/// One try.
pub(super) struct Try {
    pub(super) sources: Sources,
    /// When it has taken too long.
    pub(super) deadline: Option<Instant>,
    pub(super) writer: Option<Box<Writer>>,
    /// What an earlier download says that it wrote.
    pub(super) claims: BTreeMap<u64, Hash>,
    /// Who gave bytes.
    pub(super) givers: BTreeSet<usize>,
    /// Whether bytes are from an earlier download.
    pub(super) mixed: bool,
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

impl Try {
    fn is_late(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }
}

impl Flight {
    pub(super) async fn attempt(
        self: &Arc<Self>,
        sources: Sources,
        deadline: Option<Instant>,
    ) -> Result<Verified, Failure> {
        let mut attempt =
            Try { sources, deadline, writer: None, claims: BTreeMap::new(), givers: BTreeSet::new(), mixed: false };
        self.take_up(&mut attempt).await?;
        loop {
            match self.next_work(&attempt) {
                work if attempt.is_late() && !matches!(work, Work::Finish) => {
                    return Err(self.give_up(attempt, Failure::Source(self.took_too_long())).await?);
                }
                Work::Finish => return self.finish(attempt).await,
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
                        let _ = match attempt.deadline {
                            Some(at) => timeout_at(at, ticks.changed()).await.unwrap_or(Ok(())),
                            None => ticks.changed().await,
                        };
                    }
                }
                Work::Fetch(until) => {
                    if let Err(failure) = self.fetch(&mut attempt, until).await {
                        return Err(self.give_up(attempt, failure).await?);
                    }
                }
            }
        }
    }

    /// The try ends with `failure`. Its file may be somebody else's soon: no leg writes to it any more, and none begins.
    async fn give_up(self: &Arc<Self>, attempt: Try, failure: Failure) -> Result<Failure, Failure> {
        self.change(|state| state.legs_fly = false);
        let flight = Arc::clone(self);
        blocking(move || flight.ground_legs()).await?;
        Ok(self.keep_what_came(attempt, failure).await)
    }

    /// Goes on with what an earlier download left, if it did.
    async fn take_up(self: &Arc<Self>, attempt: &mut Try) -> Result<(), Failure> {
        if self.afresh {
            return Ok(());
        }
        let (hangar, digest, size) = (Arc::clone(&self.hangar), self.digest, self.size);
        let left = blocking(move || hangar.disk.left(&digest)).await?;
        match left.filter(|left| size.is_none_or(|size| size == left.total)) {
            Some(left) => self.begin(attempt, Some(left.total), Some(left)).await,
            None => Ok(()),
        }
    }

    pub(super) async fn begin(
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

    /// Keeps what came before a failure, if it is worth it.
    pub(super) async fn keep_what_came(self: &Arc<Self>, mut attempt: Try, failure: Failure) -> Failure {
        let Some(writer) = attempt.writer.take() else { return failure };
        if !matches!(failure, Failure::Source(_)) || !writer.has_pieces() {
            put_away(writer).await;
        } else if let (_, _, Some(partial)) = writer.finish() {
            let (hangar, digest) = (Arc::clone(&self.hangar), self.digest);
            let _ = tokio::task::spawn_blocking(move || hangar.disk.leave(&digest, partial)).await;
        }
        failure
    }

    pub(super) async fn finish(&self, attempt: Try) -> Result<Verified, Failure> {
        let Try { sources, writer, givers, mixed, .. } = attempt;
        let Some(writer) = writer else { return Err(Failure::Source(nothing_known())) };
        let (digest, list, partial) = writer.finish();
        if digest == self.digest {
            return Ok(Verified { partial, list });
        }
        put_away(partial).await;
        let names: Vec<&str> = givers.iter().filter_map(|giver| sources.get(*giver)).map(|one| one.name()).collect();
        let detail = format!("sent {digest} for {}", self.digest);
        Err(Failure::Wrong { error: SourceError::new(&names.join(" and "), Fault::Corrupt, detail), givers, mixed })
    }
}
