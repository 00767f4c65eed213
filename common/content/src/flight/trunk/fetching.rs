//! What a try does not have is fetched, and written as it comes.

use std::sync::{Arc, atomic::Ordering};

use bytes::Bytes;
use tokio::time::{Instant, timeout_at};

use super::{Failure, attempt::Try, blocking};
use crate::{
    feed::{Fed, Feed, Order},
    flight::{Flight, Outcome, writer::Stuck},
    source::{Fault, SourceError},
};

impl Flight {
    /// Fetches from where the trunk is, until the sources end, or until it meets what need not be fetched.
    pub(super) async fn fetch(self: &Arc<Self>, attempt: &mut Try, until: Option<u64>) -> Result<(), Failure> {
        let from = self.state().progress.passed();
        // Who was promised a body waits for the rest of it, whichever of the trunk's requests it comes with.
        let order = {
            let state = self.state();
            let flowing = self.awaited.load(Ordering::Relaxed) || state.shown || state.progress.has_opened();
            Order { flowing, ..self.order(&state, from, until) }
        };
        let mut feed = self.hangar.feed(order);
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

    pub(super) fn took_too_long(&self) -> SourceError {
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
}
