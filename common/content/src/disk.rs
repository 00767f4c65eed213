//! The folder of blobs: one process owns it, and shows finished blobs only. Everything here may wait for the disk.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use larder_oci::Digest;
use rustix::fs::XattrFlags;

use crate::{
    books::Books,
    durable,
    file::ContentFile,
    geometry::Geometry,
    index::{self, Facts, Record},
    layout::{self, Layout},
    partial::Partial,
    pieces::{Journal, List},
    proof::Proof,
    room::{Capacity, Room},
};

/// The attribute of a file that says that Larder fetched it, and when. What has none is owned.
const FETCHED: &str = "user.larder.fetched";
/// What a broken download left is kept this long for somebody to go on with, in seconds.
const LEFT_FOR: u64 = 24 * 3600;
/// The index is written anew when it has this many times more records than there are blobs.
const WASTE: usize = 2;

/// A folder of blobs, exclusively ours while this value lives.
#[derive(Debug)]
pub struct Disk {
    layout: Layout,
    capacity: Capacity,
    geometry: Geometry,
    books: Arc<Mutex<Books>>,
    index: Mutex<IndexFile>,
    /// Held while room is made, so that two do not free the same.
    making_room: Mutex<()>,
    #[cfg(test)]
    pub(crate) faults: Option<Arc<crate::faults::Faults>>,
    /// Holding the lock is what makes the folder ours; the kernel lets go of it even when we are killed.
    _lock: File,
}

/// The index as it is on the disk.
#[derive(Debug, Default)]
struct IndexFile {
    file: Option<File>,
    records: usize,
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

/// A download about to be written.
#[derive(Debug)]
pub(crate) struct Begun {
    pub(crate) partial: Partial,
    /// What an earlier download left.
    pub(crate) left: Option<Journal>,
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
        let (books, records) = read_index(&path, capacity).map_err(failed("read", &path))?;
        let disk = Self {
            layout,
            capacity,
            geometry,
            books: Arc::new(Mutex::new(books)),
            index: Mutex::new(IndexFile { file: None, records }),
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

    pub(crate) fn geometry(&self) -> Geometry {
        self.geometry
    }

    /// Writes, reads back and removes a small file: the question "does this disk work" asked for real.
    pub fn probe(&self) -> io::Result<()> {
        #[cfg(test)]
        self.meet(crate::faults::Op::Create)?;
        let path = self.layout.partials().join(".probe");
        durable::replace(&path, b"larder", durable::Sync::Yes)?;
        let read = fs::read(&path)?;
        fs::remove_file(&path)?;
        if read == b"larder" { Ok(()) } else { Err(io::Error::other("read back something else than was written")) }
    }

    /// The length of a blob that is known to be here. Does not look at the disk.
    pub(crate) fn size(&self, digest: &Digest) -> Option<u64> {
        self.books().size(digest)
    }

    /// Notes that a blob is asked for; whether it is here, as far as is known.
    pub(crate) fn touch(&self, digest: &Digest) -> bool {
        let mut books = self.books();
        !books.is_damaged(digest) && books.use_blob(digest, now()).is_some()
    }

    /// The blob, if it is complete and here, for somebody who asks for it.
    pub(crate) fn blob(&self, digest: &Digest) -> io::Result<Option<Stored>> {
        let (known, damaged) = {
            let mut books = self.books();
            (books.use_blob(digest, now()), books.is_damaged(digest))
        };
        if damaged {
            return Ok(None);
        }
        let file = match ContentFile::open(&self.layout.blob(digest)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if known.is_some() {
                    self.books().remove(digest);
                }
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        #[cfg(test)]
        let file = file.with_faults(self.faults.clone());
        let size = file.len()?;
        if let Some((_, proof)) = known.filter(|(known, _)| *known == size) {
            return Ok(Some(Stored { file: Arc::new(file), size, proof }));
        }
        // A registry that wrote without fsync leaves empty files behind after a power cut.
        if size == 0 && !digest.matches(b"") {
            return Ok(None);
        }
        let facts = Facts { size, fetched: fetched(file.file()), used: now(), rank: 0 };
        let mut books = self.books();
        books.add(*digest, facts, Proof::default());
        let proof = books.use_blob(digest, now()).map(|(_, proof)| proof).unwrap_or_default();
        Ok(Some(Stored { file: Arc::new(file), size, proof }))
    }

    /// The list of the pieces of a blob, if there is one.
    pub(crate) fn pieces(&self, digest: &Digest) -> Option<List> {
        List::decode(&fs::read(self.layout.pieces(digest)).ok()?)
    }

    /// Writes down the pieces of a blob. It is only a list: one that is lost is made again.
    pub(crate) fn keep_pieces(&self, digest: &Digest, list: &List) {
        if let Err(error) = durable::replace(&self.layout.pieces(digest), &list.encode(), durable::Sync::No) {
            tracing::warn!(%digest, %error, "cannot write down the pieces of a blob");
        }
    }

    /// What an earlier download of `digest` left, if it can be gone on with.
    pub(crate) fn left(&self, digest: &Digest) -> Option<Journal> {
        Partial::left(&self.layout, digest, self.geometry.piece)
    }

    /// Takes the room for a download of `digest`, of `total` bytes where that is known, and opens its files. It goes on
    /// with what is `left` of an earlier one.
    pub(crate) fn begin(&self, digest: &Digest, total: Option<u64>, left: Option<Journal>) -> io::Result<Begun> {
        #[cfg(test)]
        self.meet(crate::faults::Op::Create)?;
        let left = left.filter(|left| Some(left.total) == total);
        self.books().take_up(digest);
        let room = self.make_room(total.unwrap_or(0))?;
        let partial = Partial::open(&self.layout, digest, total, self.geometry.piece, left.is_some(), room)?;
        Ok(Begun { partial, left })
    }

    /// Takes more room for a download whose length is not known.
    pub(crate) fn extend(&self, partial: &mut Partial, more: u64) -> io::Result<()> {
        let mut taken = self.make_room(more)?;
        partial.room().extend(taken.give_up());
        Ok(())
    }

    /// Keeps what a broken download got.
    pub(crate) fn leave(&self, digest: &Digest, mut partial: Partial) {
        self.books().leave(*digest, partial.room().bytes());
        partial.leave();
    }

    /// Makes a download that was verified to be `digest` a blob: fsync, then rename, so that the name is never there
    /// without the content.
    pub(crate) fn commit(&self, mut partial: Partial, digest: &Digest, list: Option<&List>) -> io::Result<()> {
        let path = self.layout.blob(digest);
        let folder = path.parent().expect("a blob lies in a folder of its own");
        let file = Arc::clone(partial.file());
        let at = now();
        // Where the file system has no attributes, the blob is owned if ever the index is lost: it takes room for longer.
        let _ = rustix::fs::fsetxattr(file.file(), FETCHED, at.to_string().as_bytes(), XattrFlags::empty());
        file.sync()?;
        #[cfg(test)]
        self.meet(crate::faults::Op::Rename)?;
        fs::create_dir_all(folder)?;
        if let Some(list) = list {
            self.keep_pieces(digest, list);
        }
        let size = file.len()?;
        {
            // Held over both, or a removal in between would take the entry and leave the file.
            let mut books = self.books();
            partial.rename(&path)?;
            books.add(*digest, Facts { size, fetched: at, used: at, rank: 0 }, Proof::whole());
        }
        durable::sync_folder(folder)
    }

    /// A blob is not what it should be, and is not given out again. What Larder fetched is removed; what it did not is
    /// left for its owner to look at.
    pub(crate) fn damaged(&self, digest: &Digest) {
        let is_ours = self.books().damaged(digest);
        if is_ours && let Err(error) = self.remove(digest) {
            tracing::error!(%digest, %error, "cannot remove a damaged blob");
        }
        let _ = fs::remove_file(self.layout.pieces(digest));
    }

    /// Removes what Larder itself fetched before `then`; gives how many blobs that were. Whoever is reading one reads
    /// on: the file goes when its last reader does.
    pub(crate) fn expire(&self, then: SystemTime) -> io::Result<u64> {
        let mut removed = 0;
        let old = self.books().fetched_before(seconds(then));
        for digest in old {
            self.remove(&digest)?;
            removed += 1;
        }
        Ok(removed)
    }

    /// Looks at everything that is on the disk, and mends what is known of it. For the time after a start: what was not
    /// written down before a crash, or came from somebody else, is found; what is gone is forgotten. `rest` is called now
    /// and then; when it gives `false`, it stops.
    pub(crate) fn survey(&self, rest: &mut dyn FnMut() -> bool) -> io::Result<()> {
        for digest in self.books().all() {
            if !rest() {
                return Ok(());
            }
            if !self.layout.blob(&digest).exists() {
                self.books().remove(&digest);
            }
        }
        for algorithm in ["sha256", "sha512"] {
            let folder = self.layout.v2().join("blobs").join(algorithm);
            for digest in digests_below(&folder, algorithm) {
                if !rest() {
                    return Ok(());
                }
                if !self.books().knows(&digest) {
                    self.find(&digest)?;
                }
            }
        }
        Ok(())
    }

    /// Writes down what changed.
    pub(crate) fn flush(&self) -> io::Result<()> {
        let mut index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        let blobs = self.books().len();
        if index.file.is_none() || index.records > blobs * WASTE + 1000 {
            let records = self.books().records();
            durable::replace(&self.layout.index(), &encode(index::MAGIC, &records), durable::Sync::No)?;
            index.file = Some(OpenOptions::new().append(true).open(self.layout.index())?);
            index.records = records.len();
            return Ok(());
        }
        let changes = self.books().changes();
        index.records += changes.len();
        let written = index.file.as_mut().map_or(Ok(()), |file| file.write_all(&encode(&[], &changes)));
        // What could not be written is in the books: the next time all of it is.
        written.inspect_err(|_| index.file = None)
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

    /// Makes room for `bytes` more, and takes it.
    fn make_room(&self, bytes: u64) -> io::Result<Room> {
        let _one_at_a_time = self.making_room.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let taken = self.books().taken(self.free());
            let Some(excess) = self.capacity.excess(taken, bytes) else { return Err(no_room(bytes)) };
            if excess == 0 {
                let room = Room::of(&self.books, bytes);
                #[cfg(test)]
                let room = room.with_faults(self.faults.clone());
                return Ok(room);
            }
            if !self.drop_left() && !self.evict(excess)? {
                return Err(no_room(bytes));
            }
        }
    }

    /// Drops what one broken download left.
    fn drop_left(&self) -> bool {
        let left = self.books().left().first().copied();
        let Some(digest) = left else { return false };
        let _ = fs::remove_file(self.layout.partial_pieces(&digest));
        let _ = fs::remove_file(self.layout.partial(&digest));
        self.books().take_up(&digest);
        true
    }

    /// Removes blobs of so many bytes, if there are.
    fn evict(&self, bytes: u64) -> io::Result<bool> {
        let victims = self.books().victims(bytes);
        let mut failure = None;
        for digest in &victims {
            if failure.is_none() {
                failure = self.remove(digest).err();
            }
            if failure.is_some() {
                self.books().spared(digest);
            }
        }
        match failure {
            Some(error) => Err(error),
            None => Ok(!victims.is_empty()),
        }
    }

    /// Removes a blob that Larder fetched.
    fn remove(&self, digest: &Digest) -> io::Result<()> {
        let mut books = self.books();
        match fs::remove_file(self.layout.blob(digest)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => books.remove(digest),
        };
        drop(books);
        let _ = fs::remove_file(self.layout.pieces(digest));
        // Or folders of blobs that are gone add up.
        if let Some(folder) = self.layout.blob(digest).parent() {
            let _ = fs::remove_dir(folder);
        }
        Ok(())
    }

    /// A blob that was not known is there.
    fn find(&self, digest: &Digest) -> io::Result<()> {
        let Ok(file) = File::open(self.layout.blob(digest)) else { return Ok(()) };
        let data = file.metadata()?;
        if data.len() == 0 && !digest.matches(b"") {
            return Ok(());
        }
        let used = data.modified().map_or(0, seconds);
        let facts = Facts { size: data.len(), fetched: fetched(&file), used, rank: 0 };
        let mut books = self.books();
        if !books.knows(digest) {
            books.add(*digest, facts, Proof::default());
        }
        Ok(())
    }

    fn take_stock_of_partials(&self) -> io::Result<()> {
        for entry in fs::read_dir(self.layout.partials())? {
            let entry = entry?;
            let digest = entry.file_name().to_str().and_then(layout::digest_of_partial);
            let left = digest.and_then(|digest| Some((digest, self.left(&digest)?)));
            let age = entry.metadata()?.modified()?.elapsed().unwrap_or_default();
            match left {
                Some((digest, left)) if age.as_secs() < LEFT_FOR => self.books().leave(digest, left.total),
                _ => fs::remove_file(entry.path())?,
            }
        }
        Ok(())
    }

    /// What ordinary processes may still write, in bytes.
    fn free(&self) -> Option<u64> {
        let stat = rustix::fs::statvfs(self.layout.root()).ok()?;
        Some(stat.f_bavail.saturating_mul(stat.f_frsize))
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
    let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
    let lock = lock.map_err(failed("open", &path))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(DiskError::InUse(layout.root().to_owned())),
        Err(TryLockError::Error(error)) => Err(failed("lock", &path)(error)),
    }
}

/// The books as the index has them, and how many records it has.
fn read_index(path: &Path, capacity: Capacity) -> io::Result<(Books, usize)> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    let mut records = 0;
    let counted = index::decode(&bytes).inspect(|_| records += 1);
    let books = Books::restore(capacity.bytes.unwrap_or(u64::MAX), counted);
    Ok((books, records))
}

fn encode(head: &[u8], records: &[Record]) -> Vec<u8> {
    let mut bytes = head.to_vec();
    for record in records {
        record.encode(&mut bytes);
    }
    bytes
}

/// The digests that have a folder, in no order.
fn digests_below(folder: &Path, algorithm: &str) -> impl Iterator<Item = Digest> {
    let list = |folder: &Path| fs::read_dir(folder).into_iter().flatten().flatten();
    list(folder)
        .flat_map(move |prefix| list(&prefix.path()))
        .filter_map(move |blob| format!("{algorithm}:{}", blob.file_name().to_str()?).parse().ok())
}

/// When Larder fetched a file, in seconds since 1970; 0 if it did not.
fn fetched(file: &File) -> u32 {
    let mut value = [0; 16];
    let read = rustix::fs::fgetxattr(file, FETCHED, &mut value).unwrap_or(0);
    std::str::from_utf8(&value[..read]).ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// The cache may not take that much more.
#[derive(Debug, thiserror::Error)]
#[error("there is no room for {0} bytes more within the cache's bounds, and nothing that may go to make it")]
struct NoRoom(u64);

fn no_room(bytes: u64) -> io::Error {
    io::Error::new(io::ErrorKind::StorageFull, NoRoom(bytes))
}

/// Whether it was our own bounds that said no, and not the disk.
pub(crate) fn is_refusal(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<NoRoom>())
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
