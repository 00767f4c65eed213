//! A flight: one download of a digest that any number of readers follow.
//!
//! It belongs to no connection: the reader who caused it may leave, and it goes on. Readers see what has been written,
//! but for a tail that is held back until size and digest are verified, so that nobody ever has a whole blob of wrong
//! bytes. A flight is tried again from other sources when what came was wrong, and goes adrift when its disk fails: then
//! each reader fetches the rest for itself.

mod corruption;
pub(crate) mod detour;
mod follower;
mod hangar;
mod leg;
pub(crate) mod progress;
#[cfg(test)]
mod tests;
mod trunk;
mod writer;

use std::{
    collections::BTreeSet,
    fs::File,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
};

use larder_oci::{Digest, Hasher};
use tokio::sync::watch;

use crate::{
    disk::Stored,
    error::FetchError,
    feed::{Order, Pace, Sources},
    file::ContentFile,
    proof::Proof,
};
pub(crate) use {
    follower::{Follower, Turn},
    hangar::Hangar,
};

use detour::Why;
use progress::Progress;
use writer::Writer;

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ask<'a> {
    pub(crate) digest: &'a Digest,
    /// Its length in bytes, where a manifest said it.
    pub(crate) size: Option<u64>,
    /// Whether somebody was promised its bytes, and waits for the rest.
    pub(crate) awaited: bool,
    /// Whether what comes of it is to say that these very sources have it: nothing is taken up of an earlier download.
    pub(crate) afresh: bool,
}

/// One download.
pub(crate) struct Flight {
    hangar: Arc<Hangar>,
    digest: Digest,
    /// Its length in bytes, where a manifest said it.
    size: Option<u64>,
    /// Whether somebody was promised its bytes before it began, or before he joined it.
    awaited: AtomicBool,
    /// Whether nothing is taken up of an earlier download.
    afresh: bool,
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
    /// How many legs in a row were not given their range.
    legs_failed: u32,
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

// === impl Flight ===

impl Flight {
    /// A download of what is asked for; or a reading of the `suspect` that lies on the disk.
    pub(crate) fn new(
        Ask { digest, size, awaited, afresh }: Ask<'_>,
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
            legs_failed: 0,
            outcome: Outcome::Flying,
        };
        let (ticks, leg_writes) = (watch::Sender::new(()), RwLock::new(Some(0)));
        Arc::new(Self {
            hangar,
            digest: *digest,
            size,
            awaited: AtomicBool::new(awaited),
            afresh,
            sources,
            suspect,
            state: Mutex::new(state),
            leg_writes,
            ticks,
            kept: OnceLock::new(),
        })
    }

    /// Somebody joins it who asks for this.
    pub(crate) fn awaited_by(&self, ask: &Ask<'_>) {
        self.awaited.fetch_or(ask.awaited, Ordering::Relaxed);
    }

    /// Whether a failure of the flight says nothing to somebody who wants the same of `sources`, and believes it to be
    /// `size` bytes long: it asked others, or for another length.
    pub(crate) fn is_of_others(&self, size: Option<u64>, sources: &Sources) -> bool {
        self.size.is_some_and(|asked| Some(asked) != size)
            || sources.iter().any(|source| self.sources.iter().all(|asked| asked.name() != source.name()))
    }

    /// A reader's end of it.
    pub(crate) fn follow(self: &Arc<Self>) -> Follower {
        Follower::new(Arc::clone(self))
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
            pace: Pace { stall: self.hangar.stall, batch: geometry.chunk, tail: geometry.tail },
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

impl std::fmt::Debug for Flight {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Flight").field("digest", &self.digest).finish_non_exhaustive()
    }
}
