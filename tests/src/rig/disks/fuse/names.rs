//! Names: looking them up, making, changing and removing them.

use std::{
    ffi::OsStr,
    os::{fd::OwnedFd, unix::ffi::OsStrExt as _},
    path::Path,
};

use fuser::{FileHandle, FileType, INodeNo};
use rustix::{
    fs::{self, AtFlags, Dir, Mode, OFlags, Stat},
    io::Result,
};

use super::{Call, Faulty, Open, attributes};

/// A number and what is told of it.
pub(super) type Found = (INodeNo, Stat);

/// An entry of a folder.
pub(super) struct Entry {
    pub(super) inode: u64,
    pub(super) kind: FileType,
    pub(super) name: Vec<u8>,
}

impl Faulty {
    pub(super) fn find(&self, parent: INodeNo, name: &OsStr) -> Result<Found> {
        self.nodes.look_up(&*self.nodes.get(parent)?, name)
    }

    pub(super) fn make_file(
        &self,
        parent: INodeNo,
        name: &OsStr,
        mode: Mode,
        flags: OFlags,
    ) -> Result<(Found, FileHandle)> {
        let parent = self.nodes.get(parent)?;
        self.ask(Call::Create, 0, || vec![self.nodes.path_in(&parent, name)])?;
        let flags = flags.difference(OFlags::DIRECT) | OFlags::CREATE | OFlags::CLOEXEC;
        let handle = fs::openat(&parent.handle, name, flags, mode)?;
        let found = self.nodes.look_up(&parent, name)?;
        let node = self.nodes.get(found.0)?;
        Ok((found, self.keep(Open { handle, node, entries: vec![] })))
    }

    pub(super) fn make_folder(&self, parent: INodeNo, name: &OsStr, mode: Mode) -> Result<Found> {
        let parent = self.nodes.get(parent)?;
        self.ask(Call::Folder, 0, || vec![self.nodes.path_in(&parent, name)])?;
        fs::mkdirat(&parent.handle, name, mode)?;
        self.nodes.look_up(&parent, name)
    }

    pub(super) fn make_symlink(&self, parent: INodeNo, name: &OsStr, target: &Path) -> Result<Found> {
        let parent = self.nodes.get(parent)?;
        self.ask(Call::Folder, 0, || vec![self.nodes.path_in(&parent, name)])?;
        fs::symlinkat(target, &parent.handle, name)?;
        self.nodes.look_up(&parent, name)
    }

    pub(super) fn make_link(&self, of: INodeNo, parent: INodeNo, name: &OsStr) -> Result<Found> {
        let (of, parent) = (self.nodes.get(of)?, self.nodes.get(parent)?);
        self.ask(Call::Folder, 0, || vec![self.nodes.path(&of), self.nodes.path_in(&parent, name)])?;
        fs::linkat(fs::CWD, of.way_in(), &parent.handle, name, AtFlags::SYMLINK_FOLLOW)?;
        self.nodes.look_up(&parent, name)
    }

    pub(super) fn rename_to(
        &self,
        (parent, name): (INodeNo, &OsStr),
        (new_parent, new_name): (INodeNo, &OsStr),
        flags: u32,
    ) -> Result<()> {
        let (parent, new_parent) = (self.nodes.get(parent)?, self.nodes.get(new_parent)?);
        let paths = || vec![self.nodes.path_in(&parent, name), self.nodes.path_in(&new_parent, new_name)];
        self.ask(Call::Rename, 0, paths)?;
        let flags = fs::RenameFlags::from_bits_retain(flags);
        fs::renameat_with(&parent.handle, name, &new_parent.handle, new_name, flags)
    }

    pub(super) fn remove(&self, parent: INodeNo, name: &OsStr, what: AtFlags) -> Result<()> {
        let parent = self.nodes.get(parent)?;
        self.ask(Call::Remove, 0, || vec![self.nodes.path_in(&parent, name)])?;
        fs::unlinkat(&parent.handle, name, what)
    }

    pub(super) fn target(&self, link: INodeNo) -> Result<Vec<u8>> {
        let link = self.nodes.get(link)?;
        Ok(fs::readlinkat(&link.handle, "", Vec::new())?.into_bytes())
    }

    pub(super) fn open_folder(&self, number: INodeNo) -> Result<FileHandle> {
        let node = self.nodes.get(number)?;
        let handle = fs::open(node.way_in(), OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        let entries = entries(&handle)?;
        Ok(self.keep(Open { handle, node, entries }))
    }
}

fn entries(handle: &OwnedFd) -> Result<Vec<Entry>> {
    let entry = |entry: fs::DirEntry| Entry {
        inode: entry.ino(),
        kind: attributes::kind(entry.file_type()),
        name: entry.file_name().to_bytes().to_vec(),
    };
    Dir::read_from(handle)?.map(|found| found.map(entry)).collect()
}

impl Entry {
    pub(super) fn name(&self) -> &OsStr {
        OsStr::from_bytes(&self.name)
    }
}
