//! A leg: one range of a blob, fetched beside the trunk for readers far ahead. Its bytes are kept.

use std::{
    fs::File,
    io::{self, Write as _},
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use tokio::time::{Instant, timeout_at};

use super::{Flight, Outcome, State};
use crate::{
    feed::{Fed, Order},
    file::ContentFile,
    hashing::PieceHasher,
    pieces::Journal,
    source::Fault,
};

/// So many legs in a row that are not given their range say that there is none to be had beside the trunk.
const MOST_FAILED: u32 = 3;

struct Leg {
    flight: Arc<Flight>,
    try_number: u32,
    range: Range<u64>,
    file: Arc<ContentFile>,
    journal: Option<Arc<Mutex<File>>>,
}

/// How a leg ended.
enum End {
    /// All of its range came, or as much as is left to it.
    Came,
    /// Nobody wants it any more, or all are better off without it.
    Left,
    /// The disk failed.
    Stuck,
    /// The sources did not give it.
    Failed(Fault),
}

/// How far a write came.
struct Written {
    end: u64,
    /// Whether that is the end of the leg.
    is_over: bool,
    hasher: PieceHasher,
}

/// Starts the leg of `range`, which [`super::progress::Progress::begin_leg`] has let begin.
pub(super) fn start(flight: &Arc<Flight>, state: &State, file: Arc<ContentFile>, range: Range<u64>) {
    let geometry = flight.hangar.disk.geometry();
    let order = Order {
        // A source that gives all instead of a range is better waited for than listened to.
        most_skipped: geometry.ahead,
        // Its reader was promised a body, and waits for it.
        flowing: true,
        ..flight.order(state, range.start, Some(range.end))
    };
    let leg =
        Leg { flight: Arc::clone(flight), try_number: state.try_number, range, file, journal: state.journal.clone() };
    flight.hangar.counters.ranges.add(1);
    flight.hangar.runtime.spawn(async move {
        let end = leg.fly(order).await;
        let mut state = leg.flight.state();
        if state.try_number == leg.try_number {
            state.leg_ended(&end);
        }
    });
}

impl Flight {
    /// From here on no leg writes to the file: somebody else may. Waits for the one that does. Not for a thread that
    /// may not wait.
    pub(super) fn ground_legs(&self) {
        *self.leg_writes.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The legs of the try `number` may write, and no others. Waits like [`Flight::ground_legs`].
    pub(super) fn let_legs_write(&self, number: u32) {
        *self.leg_writes.write().unwrap_or_else(PoisonError::into_inner) = Some(number);
    }

    /// See [`super::progress::Progress::claim_leg`].
    fn claim_leg(&self, try_number: u32, start: u64, end: u64) -> Option<u64> {
        let mut state = self.state();
        if state.try_number == try_number { state.progress.claim_leg(start, end) } else { None }
    }
}

impl State {
    /// A leg ended: its readers have another one begin, or wait for the trunk if none may.
    fn leg_ended(&mut self, end: &End) {
        match end {
            End::Came => self.legs_failed = 0,
            End::Left => {}
            // The trunk meets the disk as well, and tells the readers. And who gives all instead of a range does so each
            // time.
            End::Stuck | End::Failed(Fault::Invalid) => self.legs_fly = false,
            End::Failed(_) => {
                self.legs_failed += 1;
                self.legs_fly &= self.legs_failed < MOST_FAILED;
            }
        }
    }
}

impl Leg {
    async fn fly(&self, order: Order) -> End {
        let geometry = self.flight.hangar.disk.geometry();
        let stall = order.pace.stall;
        let mut hasher = PieceHasher::new(self.range.start, order.total, geometry.piece);
        let mut feed = self.flight.hangar.feed(order);
        let mut at = self.range.start;
        let (mut since, mut was_at) = (Instant::now(), at);
        loop {
            let Ok(fed) = timeout_at(since + stall, feed.next()).await else {
                if !self.is_wanted() {
                    return End::Left;
                }
                if at - was_at < geometry.tail && self.is_awaited() {
                    // All wait for it, and the trunk is hardly slower.
                    tracing::debug!(digest = %self.flight.digest, range = ?self.range, "a range came too slowly");
                    return End::Left;
                }
                (since, was_at) = (Instant::now(), at);
                continue;
            };
            let chunks = match fed {
                Ok(Fed::Bytes(chunks)) => chunks,
                Ok(Fed::Opened { source, .. }) => {
                    self.note_giver(source);
                    continue;
                }
                Ok(Fed::End) => return End::Came,
                Err(error) => {
                    tracing::debug!(digest = %self.flight.digest, range = ?self.range, %error, "a range was not fetched");
                    return End::Failed(error.fault);
                }
            };
            if !self.is_wanted() {
                return End::Left;
            }
            let work = self.write(chunks, at, hasher);
            let Ok(Ok(written)) = tokio::task::spawn_blocking(work).await else { return End::Stuck };
            let Some(written) = written else { return End::Left };
            self.flight.change(|state| {
                if state.try_number == self.try_number {
                    state.progress.hold(at..written.end);
                }
            });
            if written.is_over {
                return End::Came;
            }
            (at, hasher) = (written.end, written.hasher);
        }
    }

    /// What writes `chunks` at the offset `at`, as far as they are still this leg's to write, and tells how far that is; or
    /// that they are not wanted.
    fn write(
        &self,
        chunks: Vec<Bytes>,
        at: u64,
        mut hasher: PieceHasher,
    ) -> impl FnOnce() -> io::Result<Option<Written>> + Send + 'static {
        let (flight, try_number, start) = (Arc::clone(&self.flight), self.try_number, self.range.start);
        let (file, journal) = (Arc::clone(&self.file), self.journal.clone());
        move || {
            let allowed = flight.leg_writes.read().unwrap_or_else(PoisonError::into_inner);
            if *allowed != Some(try_number) {
                return Ok(None);
            }
            let length: u64 = chunks.iter().map(|chunk| chunk.len() as u64).sum();
            let Some(until) = flight.claim_leg(try_number, start, at + length) else { return Ok(None) };
            let mut end = at;
            for chunk in &chunks {
                let room = usize::try_from(until.saturating_sub(end)).unwrap_or(usize::MAX);
                let chunk = &chunk[..room.min(chunk.len())];
                file.write_at(chunk, end)?;
                hasher.update(chunk, |number, hash| {
                    if let Some(journal) = &journal {
                        let mut journal = journal.lock().unwrap_or_else(PoisonError::into_inner);
                        let _ = journal.write_all(&Journal::entry(number, &hash));
                    }
                });
                end += chunk.len() as u64;
            }
            Ok(Some(Written { end, is_over: end >= until, hasher }))
        }
    }

    fn is_wanted(&self) -> bool {
        let state = self.flight.state();
        state.try_number == self.try_number && matches!(state.outcome, Outcome::Flying)
    }

    /// Whether the trunk can do nothing but wait for it.
    fn is_awaited(&self) -> bool {
        let state = self.flight.state();
        state.try_number == self.try_number && state.progress.awaits_leg(self.range.start)
    }

    fn note_giver(&self, source: usize) {
        let mut state = self.flight.state();
        if state.try_number == self.try_number {
            state.leg_givers.insert(source);
        }
    }
}

impl Drop for Leg {
    fn drop(&mut self) {
        let (try_number, start) = (self.try_number, self.range.start);
        self.flight.change(|state| {
            if state.try_number == try_number {
                state.progress.end_leg(start);
            }
        });
    }
}

#[cfg(test)]
mod tests;
