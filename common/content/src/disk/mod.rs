//! The folder of blobs: one process owns it, and shows finished blobs only. Everything here may wait for the disk.

mod index_file;
mod making_room;
mod survey;
mod writing;

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use larder_oci::Digest;

use crate::{
    books::Books, counters::Counters, durable, file::ContentFile, file_locks::FileLocks, geometry::Geometry,
    index::Facts, layout::Layout, open_files, pieces::List, proof::Proof, room::Capacity,
};

/// The attribute of a file that says that Larder fetched it, and when. What has none is owned.
const FETCHED: &str = "user.larder.fetched";

pub(crate) use making_room::{is_refusal, wanted};

/// A folder of blobs, exclusively ours while this value lives.
#[derive(Debug)]
pub struct Disk {
    layout: Layout,
    capacity: Capacity,
    geometry: Geometry,
    books: Arc<Mutex<Books>>,
    files: Arc<FileLocks>,
    counters: Arc<Counters>,
    index: Mutex<index_file::IndexFile>,
    /// Held while room is made, so that two do not free the same.
    making_room: Mutex<()>,
    #[cfg(test)]
    pub(crate) faults: Option<Arc<crate::faults::Faults>>,
    /// Holding the lock is what makes the folder ours; the kernel lets go of it even when we are killed.
    _lock: File,
}

/// Why a folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// Another process has it.
    #[error("{} is in use by another process: stop that one, or choose another folder", .0.display())]
    InUse(PathBuf),
    /// The file system refused.
    #[error("cannot {doing} {}: {error}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On which path.
        path: PathBuf,
        /// What the file system said.
        error: io::Error,
    },
}

/// A finished blob, open.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) file: Arc<ContentFile>,
    pub(crate) size: u64,
    pub(crate) proof: Arc<Proof>,
}

/// What is known of a blob without the disk.
#[derive(Debug)]
pub(crate) enum AtHand {
    /// It is open.
    Open(Stored),
    /// It is not to be given out.
    No,
    /// Its file must be looked at; what is known of it.
    Unopened(Option<(u64, Arc<Proof>)>),
}

// === impl Disk ===

impl Disk {
    /// Takes `root` for this process, making it if need be. What a killed process left half done is kept to go on with
    /// for a while, where it can be.
    pub fn open(root: impl Into<PathBuf>, capacity: Capacity) -> Result<Self, DiskError> {
        Self::open_with(root, capacity, Geometry::default())
    }

    /// The same with other sizes than a daemon has.
    pub(crate) fn open_with(
        root: impl Into<PathBuf>,
        capacity: Capacity,
        geometry: Geometry,
    ) -> Result<Self, DiskError> {
        let layout = Layout::new(root);
        let partials = layout.partials();
        fs::create_dir_all(&partials).map_err(failed("make the folder", &partials))?;
        let lock = lock(&layout)?;
        let path = layout.index();
        let (books, records) = index_file::read_index(&path).unwrap_or_else(|error| {
            tracing::error!(path = %path.display(), %error, "cannot read the index of the cache: it is made anew");
            (Books::new(), 0)
        });
        let disk = Self {
            layout,
            capacity,
            geometry,
            books: Arc::new(Mutex::new(books)),
            files: Arc::default(),
            counters: Arc::default(),
            index: Mutex::new(index_file::IndexFile::new(records)),
            making_room: Mutex::default(),
            #[cfg(test)]
            faults: None,
            _lock: lock,
        };
        disk.take_stock_of_partials().map_err(failed("list", &partials))?;
        // A disk that cannot be written can still be read.
        if let Err(error) = disk.flush() {
            tracing::error!(path = %path.display(), %error, "cannot write the index of the cache");
        }
        Ok(disk)
    }

    /// Where things lie in it.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// What is counted of it, and of what is fetched to it.
    pub(crate) fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    pub(crate) fn geometry(&self) -> Geometry {
        self.geometry
    }

    /// Writes, reads back and removes a small file: the question "does this disk work" asked for real. And whether
    /// there is room for `wanted` bytes.
    pub(crate) fn probe(&self, wanted: u64) -> io::Result<()> {
        #[cfg(test)]
        self.meet(crate::faults::Op::Create)?;
        // Several may look at once, and one that hangs may come back late.
        static PROBES: AtomicU64 = AtomicU64::new(0);
        let number = PROBES.fetch_add(1, Ordering::Relaxed);
        let path = self.layout.partials().join(format!(".probe.{number}"));
        durable::replace(&path, b"larder", durable::Sync::Yes)?;
        let read = fs::read(&path)?;
        fs::remove_file(&path)?;
        if read != b"larder" {
            return Err(io::Error::other("read back something else than was written"));
        }
        self.try_room(wanted)
    }

    /// The length of a blob that is known to be here. Does not look at the disk.
    pub(crate) fn size(&self, digest: &Digest) -> Option<u64> {
        self.books().size(digest)
    }

    /// Notes that a blob is asked for; whether it is here, as far as is known.
    pub(crate) fn touch(&self, digest: &Digest) -> bool {
        let mut books = self.books();
        !books.is_withheld(digest) && books.use_blob(digest, now()).is_some()
    }

    /// The blob, if it is complete and here, for somebody who asks for it; as far as that is known without the disk.
    pub(crate) fn at_hand(&self, digest: &Digest) -> AtHand {
        let mut books = self.books();
        if books.is_withheld(digest) {
            return AtHand::No;
        }
        let known = books.use_blob(digest, now());
        match (known, books.open_file(digest)) {
            (Some((size, proof)), Some(file)) => AtHand::Open(Stored { file, size, proof }),
            (known, _) => AtHand::Unopened(known),
        }
    }

    /// The blob, if it is complete and here, for somebody who asks for it. For threads that may wait.
    pub(crate) fn blob(&self, digest: &Digest) -> io::Result<Option<Stored>> {
        match self.at_hand(digest) {
            AtHand::Open(stored) => Ok(Some(stored)),
            AtHand::No => Ok(None),
            AtHand::Unopened(known) => self.open_blob(digest, known),
        }
    }

    /// The same for a blob that is not open, and of which this is `known`.
    pub(crate) fn open_blob(&self, digest: &Digest, known: Option<(u64, Arc<Proof>)>) -> io::Result<Option<Stored>> {
        let file = match ContentFile::open(&self.layout.blob(digest)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.forget_if_gone(digest);
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        #[cfg(test)]
        let file = file.with_faults(self.faults.clone());
        let size = file.len()?;
        let file = Arc::new(file);
        let identity = file.identity()?;
        if let Some((length, proof)) = known.as_ref().filter(|(length, _)| *length != size)
            && !self.books().is_owned(digest)
        {
            // What Larder writes has the length that was verified.
            tracing::error!(%digest, size, should_be = length, "a cached blob is damaged, and is not used any more");
            self.counters.damaged.add(1);
            self.damaged(digest, proof);
            return Ok(None);
        }
        if let Some((_, proof)) = known.filter(|(known, proof)| *known == size && proof.is_of(identity)) {
            if size <= open_files::LONGEST {
                self.books().keep_open(digest, &proof, &file);
            }
            return Ok(Some(Stored { file, size, proof }));
        }
        // A registry that wrote without fsync leaves empty files behind after a power cut.
        if size == 0 && !digest.matches(b"") {
            return Ok(None);
        }
        let facts = Facts { size, fetched: survey::fetched(file.file()), used: now(), rank: 0 };
        let proof = self.enter(digest, facts, identity).unwrap_or_else(|| Arc::new(Proof::of(identity)));
        Ok(Some(Stored { file, size, proof }))
    }

    /// Enters a blob that was found at its place, the file with this identity, in the books; its proof. `None`: it comes
    /// or goes just now, and belongs in no books.
    fn enter(&self, digest: &Digest, facts: Facts, identity: u64) -> Option<Arc<Proof>> {
        let _files = self.files.try_of(digest)?;
        // Since it was opened, it may have gone, or a download may have put its own there.
        let is_there = ContentFile::identity_at(&self.layout.blob(digest)).is_ok_and(|there| there == identity);
        let mut books = self.books();
        if !is_there || books.is_withheld(digest) {
            return None;
        }
        match books.proof_of(digest).filter(|proof| proof.is_of(identity)) {
            Some(proof) => Some(proof),
            None => Some(books.add(*digest, facts, Proof::of(identity))),
        }
    }

    /// The list of the pieces of a blob, if there is one.
    pub(crate) fn pieces(&self, digest: &Digest) -> Option<List> {
        List::decode(&fs::read(self.layout.pieces(digest)).ok()?)
    }

    /// The copy of a blob that `proof` is of is not what it should be, and is not given out again. What Larder fetched is
    /// removed; what it did not is left for its owner to look at.
    pub(crate) fn damaged(&self, digest: &Digest, proof: &Arc<Proof>) {
        let _files = self.files.of(digest);
        let Some(is_ours) = self.books().damaged(digest, proof) else { return };
        if is_ours && let Err(error) = self.unlink(digest) {
            tracing::error!(%digest, %error, "cannot remove a damaged blob");
        }
        let _ = fs::remove_file(self.layout.pieces(digest));
    }

    /// Removes what Larder itself fetched before `then`; gives how many blobs that were. Whoever is reading one reads
    /// on: the file goes when its last reader does. An error says that some could not be removed.
    pub(crate) fn expire(&self, then: SystemTime) -> io::Result<u64> {
        let (mut removed, mut failure) = (0, None);
        let old = self.books().fetched_before(seconds(then));
        for digest in old {
            let _files = self.files.of(&digest);
            match self.unlink(&digest) {
                Ok(_) => removed += 1,
                Err(error) => failure = Some(error),
            }
        }
        self.counters.expired.add(removed);
        failure.map_or(Ok(removed), Err)
    }

    /// Bytes that are taken, and those that are owned.
    pub fn usage(&self) -> Usage {
        let books = self.books();
        let taken = books.taken(None);
        Usage {
            blobs: books.len() as u64,
            mirrored: taken.blobs,
            owned: books.owned(),
            downloading: taken.reserved + taken.left,
            capacity: self.capacity.bytes,
        }
    }

    /// Removes a blob's file, of which the caller has the lock; gives its length.
    fn unlink(&self, digest: &Digest) -> io::Result<u64> {
        let path = self.layout.blob(digest);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let _ = fs::remove_file(self.layout.pieces(digest));
        // Or folders of blobs that are gone add up.
        if let Some(folder) = path.parent() {
            let _ = fs::remove_dir(folder);
        }
        Ok(self.books().remove(digest).map_or(0, |facts| facts.size))
    }

    /// Forgets a blob whose file is gone.
    fn forget_if_gone(&self, digest: &Digest) {
        // Who changes its files at the moment knows better.
        let Some(_files) = self.files.try_of(digest) else { return };
        if matches!(self.layout.blob(digest).try_exists(), Ok(false)) {
            self.books().remove(digest);
            let _ = fs::remove_file(self.layout.pieces(digest));
        }
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    fn meet(&self, op: crate::faults::Op) -> io::Result<()> {
        self.faults.as_ref().map_or(Ok(()), |faults| faults.meet(op))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Err(error) = self.flush() {
            tracing::error!(%error, "cannot write the index of the cache");
        }
    }
}

/// How much is on the disk, in bytes except where said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// How many blobs there are. A number.
    pub blobs: u64,
    /// In blobs that Larder fetched.
    pub mirrored: u64,
    /// In blobs that it did not.
    pub owned: u64,
    /// Taken by downloads in progress, and by what broken ones left.
    pub downloading: u64,
    /// The bound on all of this but what is owned.
    pub capacity: Option<u64>,
}

fn lock(layout: &Layout) -> Result<File, DiskError> {
    let path = layout.lock();
    let lock = match OpenOptions::new().create(true).truncate(false).write(true).open(&path) {
        // What was fetched before the disk became read-only can still be served.
        Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => File::open(&path),
        opened => opened,
    };
    let lock = lock.map_err(failed("open", &path))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(DiskError::InUse(layout.root().to_owned())),
        Err(TryLockError::Error(error)) => Err(failed("lock", &path)(error)),
    }
}

fn now() -> u32 {
    seconds(SystemTime::now())
}

fn seconds(time: SystemTime) -> u32 {
    let seconds = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    u32::try_from(seconds).unwrap_or(u32::MAX)
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> DiskError {
    let path = path.to_owned();
    move |error| DiskError::Io { doing, path, error }
}

#[cfg(test)]
mod tests;
