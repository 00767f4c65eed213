//! A download in progress: a file that nobody sees until it is complete, and that is gone when it never gets there.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustix::{fs::FallocateFlags, io::Errno};

/// The file of a download. Dropped before [`Partial::rename`], it removes itself.
#[derive(Debug)]
pub(crate) struct Partial {
    file: Arc<File>,
    path: PathBuf,
}

impl Partial {
    pub(crate) fn create(path: PathBuf) -> io::Result<Self> {
        let file = OpenOptions::new().create_new(true).read(true).write(true).open(&path)?;
        Ok(Self { file: Arc::new(file), path })
    }

    /// The file, for readers who follow the download. It stays readable after the rename, and after the removal.
    pub(crate) fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// Takes the room for `size` bytes, so that a disk that is full says so before anything was promised. A file system
    /// that cannot reserve says it later.
    pub(crate) fn reserve(&self, size: u64) -> io::Result<()> {
        if size == 0 {
            return Ok(());
        }
        match rustix::fs::fallocate(&self.file, FallocateFlags::empty(), 0, size) {
            Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => Ok(()),
            outcome => Ok(outcome?),
        }
    }

    pub(crate) fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_all_at(bytes, offset)
    }

    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync_all()
    }

    pub(crate) fn rename(mut self, to: &Path) -> io::Result<()> {
        fs::rename(&self.path, to)?;
        self.path = PathBuf::new();
        Ok(())
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.path.as_os_str().is_empty() {
            // What cannot be removed now is swept at the next start.
            let _ = fs::remove_file(&self.path);
        }
    }
}
