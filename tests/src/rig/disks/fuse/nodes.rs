//! What the kernel knows of the source folder, by the numbers it knows it by.
//!
//! Each node holds its file open without access to it (`O_PATH`): so it is found however it is renamed, and also when
//! it has no name any more but somebody still reads it. The kernel says when it has forgotten a node.

use std::{
    collections::HashMap,
    ffi::OsStr,
    os::fd::{AsRawFd as _, OwnedFd},
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use fuser::INodeNo;
use rustix::{
    fs::{CWD, Mode, OFlags, Stat, fstat, openat},
    io::Result,
};

/// A file of the source folder that the kernel knows.
pub(super) struct Node {
    pub(super) handle: OwnedFd,
}

pub(super) struct Nodes {
    source: PathBuf,
    table: Mutex<Table>,
}

struct Table {
    known: HashMap<u64, Known>,
    /// Two names of one file are one node.
    numbers: HashMap<Inode, u64>,
    next: u64,
}

struct Known {
    node: Arc<Node>,
    inode: Inode,
    /// How often the kernel was told of it.
    times: u64,
}

/// Device and inode.
type Inode = (u64, u64);

const PATH_ONLY: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

impl Node {
    pub(super) fn stat(&self) -> Result<Stat> {
        fstat(&self.handle)
    }

    /// A path that leads to this very file for as long as the node is held.
    pub(super) fn way_in(&self) -> String {
        format!("/proc/self/fd/{}", self.handle.as_raw_fd())
    }
}

impl Nodes {
    pub(super) fn new(source: PathBuf) -> Result<Self> {
        let handle = openat(CWD, &source, PATH_ONLY | OFlags::DIRECTORY, Mode::empty())?;
        let stat = fstat(&handle)?;
        let root = INodeNo::ROOT.0;
        let inode = (stat.st_dev, stat.st_ino);
        let known = HashMap::from([(root, Known { node: Arc::new(Node { handle }), inode, times: 1 })]);
        let numbers = HashMap::from([(inode, root)]);
        Ok(Self { source, table: Mutex::new(Table { known, numbers, next: root + 1 }) })
    }

    pub(super) fn get(&self, number: INodeNo) -> Result<Arc<Node>> {
        let table = self.table();
        table.known.get(&number.0).map(|known| Arc::clone(&known.node)).ok_or(rustix::io::Errno::STALE)
    }

    /// Finds a name in a folder; the kernel knows one more time of what is found.
    pub(super) fn look_up(&self, parent: &Node, name: &OsStr) -> Result<(INodeNo, Stat)> {
        let handle = openat(&parent.handle, name, PATH_ONLY, Mode::empty())?;
        let stat = fstat(&handle)?;
        let mut table = self.table();
        let inode = (stat.st_dev, stat.st_ino);
        if let Some(number) = table.numbers.get(&inode).copied() {
            if let Some(known) = table.known.get_mut(&number) {
                known.times += 1;
            }
            return Ok((INodeNo(number), stat));
        }
        let number = table.next;
        table.next += 1;
        table.known.insert(number, Known { node: Arc::new(Node { handle }), inode, times: 1 });
        table.numbers.insert(inode, number);
        Ok((INodeNo(number), stat))
    }

    pub(super) fn forget(&self, number: INodeNo, times: u64) {
        let mut table = self.table();
        let Some(known) = table.known.get_mut(&number.0) else { return };
        known.times = known.times.saturating_sub(times);
        if known.times == 0 && number != INodeNo::ROOT {
            let inode = known.inode;
            table.known.remove(&number.0);
            table.numbers.remove(&inode);
        }
    }

    /// Where the file is now, from the source folder on.
    pub(super) fn path(&self, node: &Node) -> String {
        let path = std::fs::read_link(node.way_in()).unwrap_or_default();
        path.strip_prefix(&self.source).unwrap_or(&path).to_string_lossy().into_owned()
    }

    /// The path of `name` in a folder.
    pub(super) fn path_in(&self, parent: &Node, name: &OsStr) -> String {
        format!("{}/{}", self.path(parent), name.to_string_lossy())
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
