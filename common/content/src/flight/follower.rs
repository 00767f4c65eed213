//! A reader's end of a flight: what it may read, when it must wait, and when it is on its own.

use std::sync::Arc;

use tokio::sync::watch;

use super::{
    Flight, Outcome, State,
    detour::{Adrift, Detour, Why},
    leg,
    progress::{Seat, Step},
};
use crate::{error::FetchError, feed::Order, file::ContentFile};

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

impl Follower {
    pub(super) fn new(flight: Arc<Flight>) -> Self {
        let ticks = flight.ticks.subscribe();
        Self { flight, ticks, try_number: None, seat: None }
    }

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
