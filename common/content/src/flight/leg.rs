//! A leg: one range of a blob, fetched beside the trunk for readers far ahead. Its bytes are kept.

use std::{
    fs::File,
    io::Write as _,
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
};

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
            leg.flight.state().legs_fly = false;
        }
    });
}

impl Leg {
    /// Whether the range came, or is not wanted any more: another leg may come as far.
    async fn fly(&self, order: Order) -> bool {
        let total = order.total;
        let piece = self.flight.hangar.disk.geometry().piece;
        let mut hasher = PieceHasher::new(self.range.start, total, piece);
        let mut feed = Feed::start(order, Arc::clone(&self.flight.hangar.counters));
        let mut at = self.range.start;
        loop {
            let chunks = match feed.next().await {
                Ok(Fed::Bytes(chunks)) => chunks,
                Ok(Fed::Opened { .. }) => continue,
                Ok(Fed::End) => return true,
                Err(error) => {
                    tracing::debug!(digest = %self.flight.digest, range = ?self.range, %error, "a range was not fetched");
                    return false;
                }
            };
            if !self.is_wanted() {
                return true;
            }
            let (file, journal) = (Arc::clone(&self.file), self.journal.clone());
            let write = move || {
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
                std::io::Result::Ok((end, hasher))
            };
            // A disk that fails is met by the trunk as well, and it tells the readers.
            let Ok(Ok((end, so_far))) = tokio::task::spawn_blocking(write).await else { return false };
            hasher = so_far;
            self.flight.change(|state| {
                if state.try_number == self.try_number {
                    state.progress.hold(at..end);
                }
            });
            at = end;
        }
    }

    fn is_wanted(&self) -> bool {
        let state = self.flight.state();
        state.try_number == self.try_number && matches!(state.outcome, Outcome::Flying)
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
