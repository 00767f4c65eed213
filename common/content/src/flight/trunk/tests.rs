//! How a try ends: what is decided under one lock, and what is not done where others wait.

use std::{collections::BTreeMap, path::PathBuf, sync::mpsc, time::Duration};

use larder_oci::Digest;

use super::*;
use crate::{
    books::Books,
    disk::Disk,
    flight::{Ask, Hangar},
    partial::Order,
    room::{Capacity, Room},
};

/// A flight of a blob that nobody has, and books that a test can keep from it.
struct Rig {
    flight: Arc<Flight>,
    books: Arc<Mutex<Books>>,
    folder: tempfile::TempDir,
}

impl Rig {
    fn new(quarantine: Option<Duration>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::open(folder.path(), Capacity::default()).unwrap();
        let hangar = Hangar::plain(disk, quarantine);
        let ask = Ask { digest: &Digest::sha256(b"x"), size: Some(100), awaited: false, afresh: false };
        let flight = Flight::new(ask, Arc::new([]), None, hangar);
        Self { flight, books: Arc::new(Mutex::new(Books::new())), folder }
    }

    fn path(&self) -> PathBuf {
        self.flight.hangar.disk.layout().partial(&self.flight.digest)
    }

    /// A writer with files.
    fn writer(&self) -> Box<Writer> {
        let Flight { digest, hangar, .. } = &*self.flight;
        let order = Order { digest, total: Some(100), piece: 4096 };
        let room = Room::of(&self.books, 100);
        let (partial, _) =
            Partial::open(hangar.disk.layout(), order, false, (&self.books, &std::sync::Arc::default()), room).unwrap();
        assert!(self.path().exists() && self.path().starts_with(self.folder.path()));
        Box::new(Writer::new(digest, Some(100), partial, hangar))
    }

    fn attempt(&self) -> attempt::Try {
        attempt::Try {
            sources: Arc::new([]),
            deadline: None,
            writer: Some(self.writer()),
            claims: BTreeMap::new(),
            givers: BTreeSet::new(),
            mixed: false,
        }
    }

    /// Whether others on the same thread go on while `ending` waits for the disk; and nothing is left once it is over.
    async fn lets_others_go_on(&self, ending: impl Future) -> bool {
        let (taken, is_taken) = mpsc::channel();
        let (others, have_gone_on) = mpsc::channel();
        let books = Arc::clone(&self.books);
        let hanging = std::thread::spawn(move || {
            let _books = books.lock().unwrap();
            taken.send(()).unwrap();
            have_gone_on.recv_timeout(Duration::from_secs(2)).is_ok()
        });
        is_taken.recv().unwrap();
        tokio::join!(ending, async { others.send(()).unwrap_or_default() });
        assert!(!self.path().exists(), "it is not waited for");
        hanging.join().unwrap()
    }
}

fn wrong() -> SourceError {
    SourceError::new("s", Fault::Corrupt, "wrong")
}

#[tokio::test]
async fn a_disk_that_hangs_when_files_are_removed_holds_up_nobody() {
    let rig = Rig::new(None);
    let attempt = rig.attempt();
    assert!(rig.lets_others_go_on(rig.flight.finish(attempt)).await, "it has the wrong digest");

    for failure in
        [Failure::Source(nothing_known()), Failure::Wrong { error: wrong(), givers: BTreeSet::new(), mixed: false }]
    {
        let attempt = rig.attempt();
        assert!(rig.lets_others_go_on(rig.flight.keep_what_came(attempt, failure)).await, "it is not worth keeping");
    }

    let writer = rig.writer();
    let error = io::Error::other("no");
    assert!(rig.lets_others_go_on(rig.flight.go_adrift(Some(writer), &error)).await, "the disk fails");
    assert!(matches!(rig.flight.state().outcome, Outcome::Adrift(..)));
}

/// Whoever was given bytes until then is seen, and whoever comes later is given those of the new try.
#[tokio::test]
async fn nothing_begins_anew_behind_the_back_of_who_has_bytes() {
    for (quarantine, shown, begins) in [
        (None, false, true),
        (None, true, true),
        (Some(Duration::MAX / 4), false, true),
        (Some(Duration::MAX / 4), true, false),
    ] {
        let rig = Rig::new(quarantine);
        rig.flight.change(|state| state.shown = shown);
        let begun = rig.flight.begin_anew(&(Arc::new([]) as Sources), &wrong());
        assert_eq!(begun.map(|(number, _)| number), begins.then_some(1), "{quarantine:?} {shown}");
        let state = rig.flight.state();
        assert_eq!((state.try_number == 1, state.shown), (begins, shown && !begins));
    }
}

/// Who is told that it failed, and comes back at once, must not be let in.
#[tokio::test]
async fn what_fails_is_shut_out_before_anybody_is_told() {
    let rig = Rig::new(Some(Duration::from_secs(600)));
    rig.flight.change(|state| state.shown = true);
    let mut ticks = rig.flight.ticks.subscribe();
    let told = async {
        ticks.changed().await.unwrap();
        matches!(rig.flight.state().outcome, Outcome::Failed(_))
            && rig.flight.hangar.quarantine.holds(&rig.flight.digest)
    };
    let (is_shut_out, ()) = tokio::join!(told, async { rig.flight.fail(&nothing_known()) });
    assert!(is_shut_out);
}
