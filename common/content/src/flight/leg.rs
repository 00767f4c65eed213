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
    feed::{Fed, Feed, Order},
    file::ContentFile,
    hashing::PieceHasher,
    pieces::Journal,
};

struct Leg {
    flight: Arc<Flight>,
    try_number: u32,
    range: Range<u64>,
    file: Arc<ContentFile>,
    journal: Option<Arc<Mutex<File>>>,
}

/// Starts the leg of `range`, which [`super::progress::Progress::begin_leg`] has let begin.
pub(super) fn start(flight: &Arc<Flight>, state: &State, file: Arc<ContentFile>, range: Range<u64>) {
    let geometry = flight.hangar.disk.geometry();
    let order = Order {
        // A source that gives all instead of a range is better waited for than listened to.
        most_skipped: geometry.ahead,
        ..flight.order(state, range.start, Some(range.end))
    };
    let leg =
        Leg { flight: Arc::clone(flight), try_number: state.try_number, range, file, journal: state.journal.clone() };
    flight.hangar.counters.ranges.add(1);
    tokio::spawn(async move {
        if !leg.fly(order).await {
            // Its readers wait for the trunk.
            let mut state = leg.flight.state();
            state.legs_fly &= state.try_number != leg.try_number;
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
}

impl Leg {
    /// Whether the range came, or is not wanted any more: another leg may come as far.
    async fn fly(&self, order: Order) -> bool {
        let geometry = self.flight.hangar.disk.geometry();
        let stall = order.pace.stall;
        let mut hasher = PieceHasher::new(self.range.start, order.total, geometry.piece);
        let mut feed = Feed::start(order, Arc::clone(&self.flight.hangar.counters));
        let mut at = self.range.start;
        let (mut since, mut was_at) = (Instant::now(), at);
        loop {
            let Ok(fed) = timeout_at(since + stall, feed.next()).await else {
                if at - was_at < geometry.tail && self.is_awaited() {
                    // All wait for it, and the trunk is hardly slower.
                    tracing::debug!(digest = %self.flight.digest, range = ?self.range, "a range came too slowly");
                    return true;
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
                Ok(Fed::End) => return true,
                Err(error) => {
                    tracing::debug!(digest = %self.flight.digest, range = ?self.range, %error, "a range was not fetched");
                    return false;
                }
            };
            if !self.is_wanted() {
                return true;
            }
            let work = self.write(chunks, at, hasher);
            // A disk that fails is met by the trunk as well, and it tells the readers.
            let Ok(Ok(written)) = tokio::task::spawn_blocking(work).await else { return false };
            let Some((end, so_far)) = written else { return true };
            hasher = so_far;
            self.flight.change(|state| {
                if state.try_number == self.try_number {
                    state.progress.hold(at..end);
                }
            });
            at = end;
        }
    }

    /// What writes `chunks` at the offset `at`, and tells where they end; or that they are not wanted.
    fn write(
        &self,
        chunks: Vec<Bytes>,
        at: u64,
        mut hasher: PieceHasher,
    ) -> impl FnOnce() -> io::Result<Option<(u64, PieceHasher)>> + Send + 'static {
        let (flight, try_number) = (Arc::clone(&self.flight), self.try_number);
        let (file, journal) = (Arc::clone(&self.file), self.journal.clone());
        move || {
            let allowed = flight.leg_writes.read().unwrap_or_else(PoisonError::into_inner);
            if *allowed != Some(try_number) {
                return Ok(None);
            }
            let mut end = at;
            for chunk in &chunks {
                file.write_at(chunk, end)?;
                hasher.update(chunk, |number, hash| {
                    if let Some(journal) = &journal {
                        let mut journal = journal.lock().unwrap_or_else(PoisonError::into_inner);
                        let _ = journal.write_all(&Journal::entry(number, &hash));
                    }
                });
                end += chunk.len() as u64;
            }
            Ok(Some((end, hasher)))
        }
    }

    fn is_wanted(&self) -> bool {
        let state = self.flight.state();
        state.try_number == self.try_number && matches!(state.outcome, Outcome::Flying)
    }

    /// Whether the trunk can do nothing but wait for it.
    fn is_awaited(&self) -> bool {
        let state = self.flight.state();
        state.try_number == self.try_number && self.range.contains(&state.progress.passed())
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
mod tests {
    use larder_oci::Digest;

    use super::*;
    use crate::{buffers::Buffers, disk::Disk, flight::Hangar, health::Health, quarantine::Quarantine, room::Capacity};

    /// What is left of a download is taken up by the next one, in the same file: nothing may come to it late.
    #[tokio::test]
    async fn writes_nothing_once_it_is_grounded_or_its_try_is_over() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::open(folder.path(), Capacity::default()).unwrap();
        let hangar = Arc::new(Hangar {
            counters: Arc::clone(disk.counters()),
            buffers: Arc::new(Buffers::new(64)),
            disk,
            quarantine: Quarantine::new(None),
            download_time: None,
            stall: std::time::Duration::from_secs(30),
            health: Health::default(),
            runtime: tokio::runtime::Handle::current(),
        });
        let flight = Flight::new(
            crate::flight::Ask { digest: &Digest::sha256(b"x"), size: Some(100), awaited: false, afresh: false },
            Arc::new([]),
            None,
            hangar,
        );
        let file = Arc::new(ContentFile::open_or_create(&folder.path().join("partial")).unwrap());
        let leg = Leg { flight: Arc::clone(&flight), try_number: 0, range: 10..20, file, journal: None };
        let write = |at| {
            let work = leg.write(vec![Bytes::from_static(b"12345")], at, PieceHasher::new(10, Some(100), 50));
            move || work().unwrap().map(|(end, _)| end)
        };
        let (first, second, third) = (write(10), write(15), write(15));
        assert_eq!(first(), Some(15));
        flight.ground_legs();
        assert_eq!(second(), None);
        flight.let_legs_write(1);
        assert_eq!(third(), None);
        assert_eq!(std::fs::metadata(folder.path().join("partial")).unwrap().len(), 15);
    }
}
