//! Stops the machine after a number of steps, as a power cut or `kill -9` would: from then on nothing works any more.

use std::{
    io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tempfile::NamedTempFile;

use crate::runtime::disk::{Attributes, Disk, Existing, RealDisk};

/// How many steps are left.
#[derive(Debug, Clone)]
pub(super) struct Fuse(Arc<AtomicUsize>);

impl Fuse {
    pub(super) fn endless() -> Self {
        Self::of(usize::MAX)
    }

    pub(super) fn of(steps: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(steps)))
    }

    /// Takes one step; an error: the machine is dead.
    pub(super) fn step(&self) -> io::Result<()> {
        let left = self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        left.map(|_| ()).map_err(|_| io::Error::other("the machine is dead"))
    }

    pub(super) fn is_burnt(&self) -> bool {
        self.0.load(Ordering::SeqCst) == 0
    }
}

/// A disk behind a fuse. A commit that dies leaves its temporary file behind, as a real one would.
#[derive(Debug)]
pub(super) struct FusedDisk(pub(super) Fuse);

impl Disk for FusedDisk {
    fn stage(&self, path: &Path, bytes: &[u8], attributes: Attributes) -> io::Result<NamedTempFile> {
        self.0.step()?;
        RealDisk.stage(path, bytes, attributes)
    }

    fn commit(&self, staged: NamedTempFile, path: &Path, existing: Existing) -> io::Result<()> {
        if let Err(dead) = self.0.step() {
            staged.keep().unwrap();
            return Err(dead);
        }
        RealDisk.commit(staged, path, existing)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.0.step()?;
        RealDisk.remove(path)
    }

    fn create_folder(&self, path: &Path, mode: u32) -> io::Result<()> {
        self.0.step()?;
        RealDisk.create_folder(path, mode)
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        self.0.step()?;
        RealDisk.remove_folder(path)
    }
}

/// A disk on which somebody else edits the file at the same moment, a number of times.
#[derive(Debug)]
pub(super) struct Contended {
    pub(super) file: std::path::PathBuf,
    pub(super) left: AtomicUsize,
}

impl Disk for Contended {
    fn stage(&self, path: &Path, bytes: &[u8], attributes: Attributes) -> io::Result<NamedTempFile> {
        let left = || self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if path == self.file
            && let Ok(left) = left()
        {
            super::world::put(path, &format!("{{\"max-concurrent-downloads\": {left}}}"));
        }
        RealDisk.stage(path, bytes, attributes)
    }

    fn commit(&self, staged: NamedTempFile, path: &Path, existing: Existing) -> io::Result<()> {
        RealDisk.commit(staged, path, existing)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        RealDisk.remove(path)
    }

    fn create_folder(&self, path: &Path, mode: u32) -> io::Result<()> {
        RealDisk.create_folder(path, mode)
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        RealDisk.remove_folder(path)
    }
}
