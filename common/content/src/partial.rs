//! The files of a download in progress: nobody sees them until they are a blob, and what they hold outlives a crash.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use larder_oci::Digest;

use crate::{
    file::ContentFile,
    layout::Layout,
    pieces::{Hash, Journal},
    room::Room,
};

/// A download's content and the journal of its pieces. Dropped, both are removed, unless [`Partial::leave`] or
/// [`Partial::rename`] came first.
#[derive(Debug)]
pub(crate) struct Partial {
    file: Arc<ContentFile>,
    paths: Paths,
    /// `None` where the length is not known: such a download cannot be gone on with.
    journal: Option<Arc<Mutex<File>>>,
    ends: Ends,
    room: Room,
}

/// Where its files are.
#[derive(Debug, Clone)]
struct Paths {
    content: PathBuf,
    journal: PathBuf,
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

    /// Opens the files of a download of `digest`, of `total` bytes where that is known. What is there stays if it is
    /// `left` to go on with.
    pub(crate) fn open(
        layout: &Layout,
        digest: &Digest,
        total: Option<u64>,
        piece: u64,
        left: bool,
        room: Room,
    ) -> io::Result<Self> {
        let paths = Paths { content: layout.partial(digest), journal: layout.partial_pieces(digest) };
        if !left {
            paths.remove();
        }
        let file = Arc::new(room.disk_file(ContentFile::open_or_create(&paths.content)?));
        let mut partial = Self { file, paths, journal: None, ends: Ends::Removed, room };
        if let Some(total) = total {
            partial.file.reserve(total)?;
            // A blob of one piece is not worth a journal.
            if total > piece {
                let mut journal = OpenOptions::new().create(true).append(true).open(&partial.paths.journal)?;
                if !left {
                    journal.write_all(&Journal::head(total, piece))?;
                }
                partial.journal = Some(Arc::new(Mutex::new(journal)));
            }
        }
        Ok(partial)
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
            self.paths.remove();
        }
    }
}

impl Paths {
    /// What cannot be removed now is swept later.
    fn remove(&self) {
        let _ = fs::remove_file(&self.journal);
        let _ = fs::remove_file(&self.content);
    }
}
