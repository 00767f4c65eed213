//! The folder of blobs: one process owns it, and shows finished blobs only.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::SystemTime,
};

use larder_oci::Digest;

use crate::{durable, layout::Layout, ledger::Ledger, partial::Partial};

/// A folder of blobs, exclusively ours while this value lives.
#[derive(Debug)]
pub struct Disk {
    layout: Layout,
    ledger: Mutex<Ledger>,
    downloads: AtomicU64,
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
    pub(crate) file: Arc<File>,
    pub(crate) size: u64,
}

// === impl Disk ===

impl Disk {
    /// Takes `root` for this process, making it if need be, and sweeps what a killed process left half done.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, DiskError> {
        let layout = Layout::new(root);
        let partials = layout.partials();
        fs::create_dir_all(&partials).map_err(failed("make the folder", &partials))?;
        let path = layout.lock();
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let lock = lock.map_err(failed("open", &path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(DiskError::InUse(layout.root().to_owned())),
            Err(TryLockError::Error(error)) => return Err(failed("lock", &path)(error)),
        }
        for entry in fs::read_dir(&partials).map_err(failed("list", &partials))? {
            let path = entry.map_err(failed("list", &partials))?.path();
            fs::remove_file(&path).map_err(failed("remove", &path))?;
        }
        let path = layout.mirrored();
        let ledger = Ledger::open(&path).map_err(failed("write", &path))?;
        Ok(Self { layout, ledger: Mutex::new(ledger), downloads: AtomicU64::new(0), _lock: lock })
    }

    /// Where things lie in it.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Writes, reads back and removes a small file: the question "does this disk work" asked for real.
    pub fn probe(&self) -> io::Result<()> {
        let path = self.layout.partials().join(".probe");
        durable::replace(&path, b"larder", durable::Sync::Yes)?;
        let read = fs::read(&path)?;
        fs::remove_file(&path)?;
        if read == b"larder" { Ok(()) } else { Err(io::Error::other("read back something else than was written")) }
    }

    /// The blob, if it is complete and here.
    pub(crate) fn blob(&self, digest: &Digest) -> io::Result<Option<Stored>> {
        let file = match File::open(self.layout.blob(digest)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let size = file.metadata()?.len();
        // A registry that wrote without fsync leaves empty files behind after a power cut.
        let lost = size == 0 && !digest.matches(b"");
        Ok((!lost).then(|| Stored { file: Arc::new(file), size }))
    }

    /// Starts a file for a download of `digest`, and takes the room for its `size` bytes, where that is known.
    pub(crate) fn begin(&self, digest: &Digest, size: Option<u64>) -> io::Result<Partial> {
        let n = self.downloads.fetch_add(1, Ordering::Relaxed);
        let partial = Partial::create(self.layout.partial(digest, n))?;
        if let Some(size) = size {
            partial.reserve(size)?;
        }
        Ok(partial)
    }

    /// Makes a download that was verified to be `digest` a blob: fsync, then rename, so that the name is never there
    /// without the content.
    pub(crate) fn commit(&self, partial: Partial, digest: &Digest) -> io::Result<()> {
        let path = self.layout.blob(digest);
        let folder = path.parent().expect("a blob lies in a folder of its own");
        partial.sync()?;
        fs::create_dir_all(folder)?;
        {
            // Held over both, or a removal in between would take the line and leave the file.
            let mut ledger = self.ledger();
            ledger.fetched(*digest, SystemTime::now())?;
            partial.rename(&path)?;
        }
        durable::sync_folder(folder)
    }

    /// Removes what Larder itself fetched before `then`; gives how many blobs that were. Whoever is reading one reads
    /// on: the file goes when its last reader does.
    pub(crate) fn expire(&self, then: SystemTime) -> io::Result<u64> {
        let mut removed = 0;
        let old = self.ledger().fetched_before(then);
        for digest in old {
            let mut ledger = self.ledger();
            match fs::remove_file(self.layout.blob(&digest)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                outcome => removed += u64::from(outcome.is_ok()),
            }
            ledger.removed(&digest)?;
        }
        Ok(removed)
    }

    fn ledger(&self) -> std::sync::MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> DiskError {
    let path = path.to_owned();
    move |error| DiskError::Io { doing, path, error }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn put(disk: &Disk, content: &[u8]) -> Digest {
        let digest = Digest::sha256(content);
        let partial = disk.begin(&digest, None).unwrap();
        partial.write_at(content, 0).unwrap();
        disk.commit(partial, &digest).unwrap();
        digest
    }

    #[test]
    fn belongs_to_one_process_and_is_swept_at_start() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::open(folder.path()).unwrap();
        assert!(matches!(Disk::open(folder.path()), Err(DiskError::InUse(_))));
        drop(disk);
        let orphan = folder.path().join("larder/partials/sha256-00.7");
        durable::replace(&orphan, b"half", durable::Sync::No).unwrap();
        Disk::open(folder.path()).unwrap().probe().unwrap();
        assert!(!orphan.exists());
    }

    #[test]
    fn expires_what_larder_fetched_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::open(folder.path()).unwrap();
        let mirrored = put(&disk, b"mirrored");
        let owned = Digest::sha256(b"owned");
        durable::replace(&disk.layout().blob(&owned), b"owned", durable::Sync::No).unwrap();
        let reader = disk.blob(&mirrored).unwrap().unwrap();

        assert_eq!(disk.expire(SystemTime::now() - Duration::from_secs(60)).unwrap(), 0);
        assert_eq!(disk.expire(SystemTime::now() + Duration::from_secs(60)).unwrap(), 1);
        assert!(disk.blob(&mirrored).unwrap().is_none());
        assert_eq!(disk.blob(&owned).unwrap().unwrap().size, 5);
        assert_eq!(reader.file.metadata().unwrap().len(), 8);
    }

    #[test]
    fn an_empty_file_is_no_blob_unless_it_should_be_empty() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::open(folder.path()).unwrap();
        let empty = put(&disk, b"");
        assert_eq!(disk.blob(&empty).unwrap().unwrap().size, 0);
        let lost = Digest::sha256(b"lost");
        durable::replace(&disk.layout().blob(&lost), b"", durable::Sync::No).unwrap();
        assert!(disk.blob(&lost).unwrap().is_none());
    }
}
