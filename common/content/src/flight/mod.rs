//! A flight: one download of a digest that any number of readers follow.
//!
//! It belongs to no connection: the reader who caused it may leave, and it goes on. Readers see what has been written,
//! but for a tail that is held back until size and digest are verified, so that nobody ever has a whole blob of wrong
//! bytes. A flight is tried again from other sources when what came was wrong, and goes adrift when its disk fails: then
//! each reader fetches the rest for itself.

mod corruption;
pub(crate) mod detour;
mod leg;
pub(crate) mod progress;
#[cfg(test)]
mod tests;
mod trunk;
mod writer;

use std::{
    collections::BTreeSet,
    fs::File,
    io,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock},
    time::Duration,
};

use larder_oci::{Digest, Hasher};
use tokio::sync::watch;

use crate::{
    buffers::Buffers,
    counters::Counters,
    disk::{self, Disk, Stored},
    error::FetchError,
    feed::{Order, Pace, Sources},
    file::ContentFile,
    health::Health,
    proof::Proof,
    quarantine::Quarantine,
};
use detour::{Adrift, Detour, Why};
use progress::{Progress, Seat, Step};
use writer::Writer;

/// What every flight needs.
#[derive(Debug)]
pub(crate) struct Hangar {
    pub(crate) disk: Disk,
    pub(crate) counters: Arc<Counters>,
    pub(crate) buffers: Arc<Buffers>,
    pub(crate) quarantine: Quarantine,
    pub(crate) download_time: Option<Duration>,
    pub(crate) stall: Duration,
    pub(crate) health: Health,
}

impl Hangar {
    /// The disk could not be written, or had no room.
    pub(crate) fn disk_failed(&self, error: &io::Error) {
        self.counters.disk_errors.add(1);
        // That the cache may not take more is no fault of the disk.
        if !disk::is_refusal(error) {
            self.health.failed(error);
        }
    }

    /// So many bytes were written to the disk.
    pub(crate) fn disk_works(&self, bytes: u64) {
        if self.health.works(bytes) {
            tracing::info!("the cache's disk works again");
        }
    }
}

/// One download.
pub(crate) struct Flight {
    hangar: Arc<Hangar>,
    digest: Digest,
    /// Its length in bytes, where a manifest said it.
    size: Option<u64>,
    /// Everybody who may have it.
    sources: Sources,
    /// A blob that is on the disk, and of which nothing is known: it is hashed first, and fetched only if it is wrong.
    suspect: Option<Stored>,
    state: Mutex<State>,
    /// The try whose legs may write; `None` if no leg may any more. Held while one writes.
    leg_writes: RwLock<Option<u32>>,
    /// Changes whenever the state does.
    ticks: watch::Sender<()>,
    /// The proof of the blob that it has become: as long as somebody follows, that is in use.
    kept: OnceLock<Arc<Proof>>,
}

/// What readers, trunk and legs share.
struct State {
    progress: Progress,
    /// The digest of what the trunk has passed.
    so_far: Hasher,
    /// Who is asked in the present try.
    sources: Sources,
    /// Who gave bytes to legs of the present try.
    leg_givers: BTreeSet<usize>,
    /// The file of the present try, and the journal of its pieces.
    file: Option<Arc<ContentFile>>,
    journal: Option<Arc<Mutex<File>>>,
    /// How often it was begun anew because what came was wrong.
    try_number: u32,
    /// What was wrong the last time.
    wrong: Option<FetchError>,
    /// Whether somebody has had bytes of this try that nobody had verified.
    shown: bool,
    /// Whether ranges are fetched beside the trunk.
    legs_fly: bool,
    outcome: Outcome,
}

#[derive(Clone)]
enum Outcome {
    /// It is under way.
    Flying,
    /// All bytes are there and are what the digest names.
    Landed,
    /// The disk failed. The digest of what had been written goes on from there.
    Adrift(Hasher, Why),
    /// It will never be complete.
    Failed(FetchError),
}

/// A reader's end of a flight.
#[derive(Clone)]
pub(crate) struct Follower {
    flight: Arc<Flight>,
    ticks: watch::Receiver<()>,
    /// The try that it was told the length of, or has bytes of.
    try_number: Option<u32>,
    seat: Option<Seat>,
}

/// What a reader may do now.
pub(crate) enum Turn {
    /// Read from the file up to this offset.
    Read(Arc<ContentFile>, u64),
    /// It has all it wanted.
    Done,
    /// Fetch the rest for itself.
    Alone(Adrift),
}

// === impl Flight ===

impl Flight {
    pub(crate) fn new(
        digest: Digest,
        size: Option<u64>,
        sources: Sources,
        suspect: Option<Stored>,
        hangar: Arc<Hangar>,
    ) -> Arc<Self> {
        let state = State {
            progress: Progress::new(size, hangar.disk.geometry()),
            so_far: digest.algorithm().hasher(),
            sources: Arc::clone(&sources),
            leg_givers: BTreeSet::new(),
            file: None,
            journal: None,
            try_number: 0,
            wrong: None,
            shown: false,
            legs_fly: suspect.is_none(),
            outcome: Outcome::Flying,
        };
        let (ticks, leg_writes) = (watch::Sender::new(()), RwLock::new(Some(0)));
        Arc::new(Self {
            hangar,
            digest,
            size,
            sources,
            suspect,
            state: Mutex::new(state),
            leg_writes,
            ticks,
            kept: OnceLock::new(),
        })
    }

    /// Whether a failure of the flight says nothing to somebody who wants the same of `sources`, and believes it to be
    /// `size` bytes long: it asked others, or for another length.
    pub(crate) fn is_of_others(&self, size: Option<u64>, sources: &Sources) -> bool {
        self.size.is_some_and(|asked| Some(asked) != size)
            || sources.iter().any(|source| self.sources.iter().all(|asked| asked.name() != source.name()))
    }

    /// A reader's end of it.
    pub(crate) fn follow(self: &Arc<Self>) -> Follower {
        Follower { flight: Arc::clone(self), ticks: self.ticks.subscribe(), try_number: None, seat: None }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what readers share, and wakes them.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let changed = change(&mut self.state());
        self.ticks.send_replace(());
        changed
    }

    /// An order of the bytes of this blob from `from` to `until`.
    fn order(&self, state: &State, from: u64, until: Option<u64>) -> Order {
        let geometry = self.hangar.disk.geometry();
        Order {
            digest: self.digest,
            sources: Arc::clone(&state.sources),
            total: state.progress.total,
            total_is_claimed: self.size.is_some(),
            from,
            until,
            flowing: false,
            most_skipped: u64::MAX,
            pace: Pace { stall: self.hangar.stall, batch: geometry.chunk, progress: geometry.tail },
        }
    }
}

// === impl State ===

impl State {
    /// The trunk came as far as `writer` is.
    fn pass(&mut self, writer: &Writer) {
        self.progress.pass(writer.at);
        self.so_far = writer.digest_so_far();
    }
}

// === impl Follower ===

impl Follower {
    /// Waits until bytes may leave, or all are verified, or it is clear that the reader must fetch for itself. What fails
    /// before is a plain error, which an engine goes on from at once; what fails after cuts a body that it waits for.
    pub(crate) async fn opened(&mut self) -> Result<(), FetchError> {
        loop {
            self.ticks.borrow_and_update();
            {
                let state = self.flight.state();
                let is_open = match &state.outcome {
                    Outcome::Failed(error) => return Err(error.clone()),
                    Outcome::Landed | Outcome::Adrift(..) => true,
                    Outcome::Flying => state.progress.has_opened(),
                };
                if is_open {
                    // What it says of the blob from now on, such as its length, is true of this try alone.
                    self.try_number = Some(state.try_number);
                    return Ok(());
                }
            }
            self.changed().await?;
        }
    }

    /// Waits until all of the blob is here and verified. An error says that it never will be.
    pub(crate) async fn landed(&mut self) -> Result<(), FetchError> {
        loop {
            self.ticks.borrow_and_update();
            match &self.flight.state().outcome {
                Outcome::Landed => return Ok(()),
                Outcome::Failed(error) => return Err(error.clone()),
                Outcome::Adrift(..) => return Err(FetchError::abandoned()),
                Outcome::Flying => {}
            }
            self.changed().await?;
        }
    }

    /// Length of the blob, where it is known by now.
    pub(crate) fn total(&self) -> Option<u64> {
        self.flight.state().progress.total
    }

    /// Whether nothing was written and nothing will be.
    pub(crate) fn is_adrift_from_the_start(&self) -> bool {
        let state = self.flight.state();
        matches!(state.outcome, Outcome::Adrift(..)) && state.progress.passed() == 0
    }

    /// Has the last bytes wait until all are verified, wherever it begins: the reader goes on with a blob of which it had
    /// the bytes before.
    pub(crate) fn on_the_trunk(mut self) -> Self {
        self.seat = Some(Seat::Trunk);
        self
    }

    /// Waits until a reader at `offset`, that wants the bytes up to `end`, may do something.
    pub(crate) async fn turn(&mut self, offset: u64, end: Option<u64>) -> Result<Turn, FetchError> {
        loop {
            self.ticks.borrow_and_update();
            if let Some(turn) = self.turn_now(offset, end)? {
                return Ok(turn);
            }
            self.changed().await?;
        }
    }

    fn turn_now(&mut self, offset: u64, end: Option<u64>) -> Result<Option<Turn>, FetchError> {
        let mut state = self.flight.state();
        if self.try_number.is_some_and(|number| number != state.try_number) {
            // It has bytes that were wrong.
            return Err(state.wrong.clone().unwrap_or_else(FetchError::abandoned));
        }
        if let Outcome::Failed(error) = &state.outcome {
            return Err(error.clone());
        }
        let seat = *self.seat.get_or_insert_with(|| state.progress.seat(offset));
        match state.progress.step(offset, end, seat) {
            Step::Done => return Ok(Some(Turn::Done)),
            Step::Read(up_to) => {
                let Some(file) = state.file.clone() else { return Ok(None) };
                state.shown |= !state.progress.is_verified();
                state.progress.give(offset..up_to, end, seat);
                self.try_number = Some(state.try_number);
                return Ok(Some(Turn::Read(file, up_to)));
            }
            Step::Wait | Step::Fetch(_) | Step::Alone if matches!(state.outcome, Outcome::Adrift(..)) => {
                return Ok(Some(Turn::Alone(adrift(&state, seat))));
            }
            Step::Fetch(range) if state.legs_fly => {
                if let Some(file) = state.file.clone()
                    && state.progress.begin_leg(&range)
                {
                    leg::start(&self.flight, &state, file, range);
                }
            }
            Step::Alone if state.legs_fly => {
                return Ok(Some(Turn::Alone(adrift(&state, seat))));
            }
            Step::Wait | Step::Fetch(_) | Step::Alone => {}
        }
        Ok(None)
    }

    async fn changed(&mut self) -> Result<(), FetchError> {
        self.ticks.changed().await.map_err(|_| FetchError::abandoned())
    }

    /// Fetches, for this reader alone, the bytes from `offset` to `end`.
    pub(crate) fn alone(&self, adrift: Adrift, offset: u64, end: Option<u64>) -> Detour {
        // Who has a seat has been promised a body.
        let flowing = self.seat.is_some();
        let order = Order { flowing, ..self.flight.order(&self.flight.state(), offset, end) };
        Detour::new(order, adrift, &self.flight.hangar)
    }

    /// The same when what was written cannot be read, whatever becomes of the flight.
    pub(crate) fn past_the_file(&self, offset: u64, end: Option<u64>) -> Detour {
        let adrift = {
            let state = self.flight.state();
            let on_the_trunk = !matches!(self.seat, Some(Seat::Beside | Seat::Footer));
            let passed = on_the_trunk.then(|| (state.progress.passed(), state.so_far.clone()));
            Adrift { why: Why::Disk, file: None, passed, total: state.progress.total }
        };
        self.alone(adrift, offset, end)
    }

    /// Where a reader is of which nothing was written.
    pub(crate) fn unwritten(&self) -> Adrift {
        adrift(&self.flight.state(), Seat::Trunk)
    }
}

fn adrift(state: &State, seat: Seat) -> Adrift {
    let (passed, why) = match (&state.outcome, seat) {
        (Outcome::Adrift(hasher, why), Seat::Trunk) => (Some((state.progress.passed(), hasher.clone())), *why),
        (Outcome::Adrift(_, why), Seat::Beside | Seat::Footer) => (None, *why),
        _ => (None, Why::Busy),
    };
    Adrift { why, file: state.file.clone(), passed, total: state.progress.total }
}

impl std::fmt::Debug for Follower {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Follower").field("digest", &self.flight.digest).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Flight {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Flight").field("digest", &self.digest).finish_non_exhaustive()
    }
}
