//! A disk that fails on demand: a folder of the rig behind a file system of ours.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, Result, ensure};

use super::{
    Fault, When,
    control::{self, Order},
    mount::{self, Mount},
};
use crate::rig::{Rig, ground::Ground, process::Launch};

/// The program that is the file system.
const PROGRAM: &str = "larder-faulty-disk";

/// A faulty disk about to be mounted.
#[must_use = "nothing is mounted before start"]
pub struct FaultyDiskBuilder {
    ground: Arc<Ground>,
    name: String,
    page_cache: bool,
}

/// See the module.
pub struct FaultyDisk {
    mount: Mount,
    content: PathBuf,
    socket: PathBuf,
}

impl Rig {
    /// Prepares a disk called `name` that passes on what is asked of it until it is told to fail.
    pub fn faulty_disk(&self, name: &str) -> FaultyDiskBuilder {
        FaultyDiskBuilder { ground: self.ground(), name: name.to_owned(), page_cache: false }
    }
}

impl FaultyDiskBuilder {
    /// Lets the kernel keep pages of open files, as it does for a real disk. Reads that it answers from them cannot
    /// fail; without this every read comes to the disk.
    pub fn page_cache(mut self) -> Self {
        self.page_cache = true;
        self
    }

    /// Mounts it.
    ///
    /// # Errors
    /// Without FUSE in the kernel, or when `larder-faulty-disk` is not built: cargo builds it for integration tests.
    pub fn start(self) -> Result<FaultyDisk> {
        ensure!(Path::new("/dev/fuse").exists(), "there is no /dev/fuse: this kernel has no FUSE, or not loaded");
        let folder = mount::folder(&self.ground, &self.name)?;
        let (content, socket) = (folder.join("content"), folder.join("orders.sock"));
        fs::create_dir(&content)?;
        let holder = Launch::new(Arc::clone(&self.ground), &format!("disk-{}", self.name), program()?);
        let holder = holder.args([&content, &mount::at(&folder), &socket]);
        let holder = if self.page_cache { holder.arg("page-cache") } else { holder };
        let answers = |_: &_| control::give(&socket, &Order::Tell).is_ok();
        let mount = Mount::hold(self.ground, folder, holder, answers)?;
        Ok(FaultyDisk { mount, content, socket })
    }
}

impl FaultyDisk {
    /// Where it is mounted.
    pub fn mount(&self) -> &Mount {
        &self.mount
    }

    /// The folder that it passes on: what is really on it, with no fault in between.
    pub fn content(&self) -> &Path {
        &self.content
    }

    /// From now on fails this way, when a call is like that. Where several faults fit, the last one set counts.
    ///
    /// # Errors
    /// When the file system has ended.
    pub fn fault(&self, when: impl Into<When>, fault: Fault) -> Result<()> {
        control::give(&self.socket, &Order::Fail(when.into(), fault)).map(drop)
    }

    /// Behaves again.
    ///
    /// # Errors
    /// When the file system has ended.
    pub fn heal(&self) -> Result<()> {
        control::give(&self.socket, &Order::Heal).map(drop)
    }

    /// Says that so many bytes are free, whatever is true, until it is healed.
    ///
    /// # Errors
    /// When the file system has ended.
    pub fn pretend_free(&self, bytes: u64) -> Result<()> {
        control::give(&self.socket, &Order::Free(bytes)).map(drop)
    }

    /// How many calls were spoiled so far. One that only took its time does not count.
    ///
    /// # Errors
    /// When the file system has ended.
    pub fn spoiled(&self) -> Result<u64> {
        Ok(control::give(&self.socket, &Order::Tell)?.spoiled)
    }
}

/// Cargo puts programs one folder above the tests that it builds them for.
fn program() -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let folders = own.ancestors().skip(1).take(2);
    let found = folders.map(|folder| folder.join(PROGRAM)).find(|path| path.is_file());
    found.with_context(|| format!("{PROGRAM} is not built beside {}", own.display()))
}
