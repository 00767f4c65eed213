//! The files of a download in progress: nobody sees them until they are a blob, and what they hold outlives a crash.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use larder_oci::Digest;

use crate::{
    books::Books,
    file::ContentFile,
    file_locks::FileLocks,
    layout::Layout,
    pieces::{Hash, Journal},
    room::Room,
};

/// A download's content and the journal of its pieces. Dropped, both are removed, unless [`Partial::leave`] or
/// [`Partial::rename`] came first, or a later download of the same blob has files of its own in their place.
#[derive(Debug)]
pub(crate) struct Partial {
    file: Arc<ContentFile>,
    paths: Paths,
    claim: Claim,
    /// `None` where the length is not known: such a download cannot be gone on with.
    journal: Option<Arc<Mutex<File>>>,
    ends: Ends,
    room: Room,
}

/// What a download is of.
#[derive(Clone, Copy)]
pub(crate) struct Order<'a> {
    pub(crate) digest: &'a Digest,
    /// Its length in bytes, where that is known.
    pub(crate) total: Option<u64>,
    /// Length of its pieces.
    pub(crate) piece: u64,
}

/// Where its files are.
#[derive(Debug, Clone)]
struct Paths {
    content: PathBuf,
    journal: PathBuf,
}

/// That the files of downloads of a blob are those of this one, until another one begins.
#[derive(Debug)]
struct Claim {
    books: Arc<Mutex<Books>>,
    locks: Arc<FileLocks>,
    digest: Digest,
    number: u64,
}

#[derive(Debug, PartialEq, Eq)]
enum Ends {
    Removed,
    Left,
}

impl Partial {
    /// What an earlier download of `digest` left to go on with.
    pub(crate) fn left(layout: &Layout, digest: &Digest, piece: u64) -> Option<Journal> {
        let journal = Journal::decode(&fs::read(layout.partial_pieces(digest)).ok()?)?;
        let file = fs::metadata(layout.partial(digest)).ok()?;
        let usable = journal.piece == piece && !journal.hashes.is_empty() && file.len() == journal.total;
        usable.then_some(journal)
    }

    /// Opens the files of a download. What is there stays if it is `left` to go on with, and nobody may still write to it;
    /// whether it does is told.
    pub(crate) fn open(
        layout: &Layout,
        order: Order<'_>,
        left: bool,
        (books, locks): (&Arc<Mutex<Books>>, &Arc<FileLocks>),
        room: Room,
    ) -> io::Result<(Self, bool)> {
        let Order { digest, total, piece } = order;
        let paths = Paths::of(layout, digest);
        // Held over all of it: of two who begin at once, one has both files.
        let at_once = locks.of(digest);
        let (number, is_alone) = books.lock().unwrap_or_else(PoisonError::into_inner).begin(digest);
        let goes_on = left && is_alone;
        if !goes_on {
            paths.remove();
        }
        // A blob of one piece is not worth a journal.
        let with_journal = total.filter(|total| *total > piece);
        let files = ContentFile::open_or_create(&paths.content).and_then(|file| {
            let journal = with_journal.map(|_| OpenOptions::new().create(true).append(true).open(&paths.journal));
            Ok((file, journal.transpose()?))
        });
        drop(at_once);
        let claim = Claim { books: Arc::clone(books), locks: Arc::clone(locks), digest: *digest, number };
        let (file, journal) = files?;
        let file = Arc::new(room.disk_file(file));
        let mut partial = Self { file, paths, claim, journal: None, ends: Ends::Removed, room };
        if let Some(total) = total {
            partial.file.reserve(total)?;
            partial.room.is_on_disk(partial.file.on_disk()?);
            if let Some(mut journal) = journal {
                if goes_on {
                    // What a crash cut in the middle would shift all that comes after it.
                    journal.set_len(Journal::whole(journal.metadata()?.len()))?;
                } else {
                    journal.write_all(&Journal::head(total, piece))?;
                }
                partial.journal = Some(Arc::new(Mutex::new(journal)));
            }
        }
        Ok((partial, goes_on))
    }

    /// Removes what is there of a download of `digest` that nobody goes on with.
    pub(crate) fn sweep(layout: &Layout, digest: &Digest) {
        Paths::of(layout, digest).remove();
    }

    /// Everything before `offset` is written.
    pub(crate) fn wrote(&mut self, offset: u64) {
        self.room.is_on_disk(offset);
    }

    /// Whether no later download has taken its place, by `books`.
    pub(crate) fn is_current(&self, books: &Books) -> bool {
        books.is_begun(&self.claim.digest, self.claim.number)
    }

    /// The file, for readers who follow the download. It stays readable after the rename, and after the removal.
    pub(crate) fn file(&self) -> &Arc<ContentFile> {
        &self.file
    }

    /// The room it takes.
    pub(crate) fn room(&mut self) -> &mut Room {
        &mut self.room
    }

    /// Notes that a piece is written. A note that cannot be made costs fetching the piece again after a crash.
    pub(crate) fn note(&self, number: u64, hash: &Hash) {
        if let Some(journal) = &self.journal {
            let mut journal = journal.lock().unwrap_or_else(PoisonError::into_inner);
            let _ = journal.write_all(&Journal::entry(number, hash));
        }
    }

    /// The journal, for others who write pieces of it.
    pub(crate) fn journal(&self) -> Option<Arc<Mutex<File>>> {
        self.journal.clone()
    }

    /// Keeps the files for a later download to go on with.
    pub(crate) fn leave(mut self) {
        self.ends = Ends::Left;
    }

    /// Gives the content its final name.
    pub(crate) fn rename(&mut self, to: &Path) -> io::Result<()> {
        fs::rename(&self.paths.content, to)?;
        self.ends = Ends::Left;
        let _ = fs::remove_file(&self.paths.journal);
        Ok(())
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if self.ends == Ends::Removed {
            let _files = self.claim.locks.of(&self.claim.digest);
            let is_current = self.is_current(&self.claim.books.lock().unwrap_or_else(PoisonError::into_inner));
            if is_current {
                self.paths.remove();
            }
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.books.lock().unwrap_or_else(PoisonError::into_inner).end(&self.digest, self.number);
    }
}

impl Paths {
    fn of(layout: &Layout, digest: &Digest) -> Self {
        Self { content: layout.partial(digest), journal: layout.partial_pieces(digest) }
    }

    /// What cannot be removed now is swept later.
    fn remove(&self) {
        let _ = fs::remove_file(&self.journal);
        let _ = fs::remove_file(&self.content);
    }
}
