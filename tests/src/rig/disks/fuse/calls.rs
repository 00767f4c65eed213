//! The calls of the kernel, each passed on to where it is done.

use std::{ffi::OsStr, path::Path, time::Duration};

use fuser::{
    BsdFileFlags, Errno, FileHandle, Filesystem, FopenFlags, Generation, INodeNo, KernelConfig, LockOwner, OpenFlags,
    RenameFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory, ReplyEmpty, ReplyEntry, ReplyLseek, ReplyOpen,
    ReplyStatfs, ReplyWrite, Request, TimeOrNow, WriteFlags,
};
use rustix::{
    fs::{AtFlags, OFlags, Timestamps},
    io::Result,
};

use super::{
    Faulty,
    attributes::{attributes, permissions, timespec},
    bytes::Change,
    names::Found,
};

/// How long the kernel may believe what it was told. The folder also changes behind its back.
const NOT_AT_ALL: Duration = Duration::ZERO;

/// The most bytes of one read or write.
const MOST: u32 = 1 << 20;

fn number(error: rustix::io::Errno) -> Errno {
    Errno::from_i32(error.raw_os_error())
}

fn entry(found: Result<Found>, reply: ReplyEntry) {
    match found {
        Ok((inode, stat)) => reply.entry(&NOT_AT_ALL, &attributes(inode, &stat), Generation(0)),
        Err(error) => reply.error(number(error)),
    }
}

fn nothing(done: Result<()>, reply: ReplyEmpty) {
    match done {
        Ok(()) => reply.ok(),
        Err(error) => reply.error(number(error)),
    }
}

impl Faulty {
    fn flags(&self) -> FopenFlags {
        if self.page_cache { FopenFlags::empty() } else { FopenFlags::FOPEN_DIRECT_IO }
    }
}

impl Filesystem for Faulty {
    fn init(&mut self, _: &Request, config: &mut KernelConfig) -> std::io::Result<()> {
        // The kernel takes what it can of it.
        let _ = config.set_max_write(MOST);
        Ok(())
    }

    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        entry(self.find(parent, name), reply);
    }

    fn forget(&self, _: &Request, inode: INodeNo, times: u64) {
        self.nodes.forget(inode, times);
    }

    fn getattr(&self, _: &Request, inode: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match self.nodes.get(inode).and_then(|node| node.stat()) {
            Ok(stat) => reply.attr(&NOT_AT_ALL, &attributes(inode, &stat)),
            Err(error) => reply.error(number(error)),
        }
    }

    fn setattr(
        &self,
        _: &Request,
        inode: INodeNo,
        mode: Option<u32>,
        owner: Option<u32>,
        group: Option<u32>,
        size: Option<u64>,
        accessed: Option<TimeOrNow>,
        modified: Option<TimeOrNow>,
        _: Option<std::time::SystemTime>,
        _: Option<FileHandle>,
        _: Option<std::time::SystemTime>,
        _: Option<std::time::SystemTime>,
        _: Option<std::time::SystemTime>,
        _: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let times = (accessed.is_some() || modified.is_some())
            .then(|| Timestamps { last_access: timespec(accessed), last_modification: timespec(modified) });
        match self.change(inode, &Change { mode, owner, group, size, times }) {
            Ok(stat) => reply.attr(&NOT_AT_ALL, &attributes(inode, &stat)),
            Err(error) => reply.error(number(error)),
        }
    }

    fn readlink(&self, _: &Request, inode: INodeNo, reply: ReplyData) {
        match self.target(inode) {
            Ok(target) => reply.data(&target),
            Err(error) => reply.error(number(error)),
        }
    }

    fn mkdir(&self, _: &Request, parent: INodeNo, name: &OsStr, mode: u32, umask: u32, reply: ReplyEntry) {
        entry(self.make_folder(parent, name, permissions(mode, umask)), reply);
    }

    fn unlink(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        nothing(self.remove(parent, name, AtFlags::empty()), reply);
    }

    fn rmdir(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        nothing(self.remove(parent, name, AtFlags::REMOVEDIR), reply);
    }

    fn symlink(&self, _: &Request, parent: INodeNo, name: &OsStr, target: &Path, reply: ReplyEntry) {
        entry(self.make_symlink(parent, name, target), reply);
    }

    fn rename(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        new_parent: INodeNo,
        new_name: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        nothing(self.rename_to((parent, name), (new_parent, new_name), flags.bits()), reply);
    }

    fn link(&self, _: &Request, inode: INodeNo, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        entry(self.make_link(inode, parent, name), reply);
    }

    fn open(&self, _: &Request, inode: INodeNo, flags: OpenFlags, reply: ReplyOpen) {
        match self.open_file(inode, flags.0) {
            Ok(handle) => reply.opened(handle, self.flags()),
            Err(error) => reply.error(number(error)),
        }
    }

    fn create(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        flags: i32,
        reply: ReplyCreate,
    ) {
        let flags = OFlags::from_bits_retain(flags.cast_unsigned());
        match self.make_file(parent, name, permissions(mode, umask), flags) {
            Ok(((inode, stat), handle)) => {
                let attributes = attributes(inode, &stat);
                reply.created(&NOT_AT_ALL, &attributes, Generation(0), handle, self.flags());
            }
            Err(error) => reply.error(number(error)),
        }
    }

    fn read(
        &self,
        _: &Request,
        _: INodeNo,
        handle: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        match self.read_at(handle, offset, size) {
            Ok(bytes) => reply.data(&bytes),
            Err(error) => reply.error(number(error)),
        }
    }

    fn write(
        &self,
        _: &Request,
        _: INodeNo,
        handle: FileHandle,
        offset: u64,
        bytes: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        match self.write_at(handle, offset, bytes) {
            Ok(written) => reply.written(written),
            Err(error) => reply.error(number(error)),
        }
    }

    fn fallocate(
        &self,
        _: &Request,
        _: INodeNo,
        handle: FileHandle,
        offset: u64,
        length: u64,
        mode: i32,
        reply: ReplyEmpty,
    ) {
        nothing(self.reserve(handle, offset, length, mode), reply);
    }

    fn lseek(&self, _: &Request, _: INodeNo, handle: FileHandle, offset: i64, whence: i32, reply: ReplyLseek) {
        match self.find_data(handle, offset.cast_unsigned(), whence) {
            Ok(found) => reply.offset(found.cast_signed()),
            Err(error) => reply.error(number(error)),
        }
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        reply.ok();
    }

    fn fsync(&self, _: &Request, _: INodeNo, handle: FileHandle, only_data: bool, reply: ReplyEmpty) {
        nothing(self.sync(handle, only_data), reply);
    }

    fn release(
        &self,
        _: &Request,
        _: INodeNo,
        handle: FileHandle,
        _: OpenFlags,
        _: Option<LockOwner>,
        _: bool,
        reply: ReplyEmpty,
    ) {
        self.close(handle);
        reply.ok();
    }

    fn opendir(&self, _: &Request, inode: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        match self.open_folder(inode) {
            Ok(handle) => reply.opened(handle, FopenFlags::empty()),
            Err(error) => reply.error(number(error)),
        }
    }

    fn readdir(&self, _: &Request, _: INodeNo, handle: FileHandle, offset: u64, mut reply: ReplyDirectory) {
        let open = match self.opened(handle) {
            Ok(open) => open,
            Err(error) => return reply.error(number(error)),
        };
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        for (at, entry) in open.entries.iter().enumerate().skip(from) {
            if reply.add(INodeNo(entry.inode), at as u64 + 1, entry.kind, entry.name()) {
                break;
            }
        }
        reply.ok();
    }

    fn fsyncdir(&self, _: &Request, _: INodeNo, handle: FileHandle, only_data: bool, reply: ReplyEmpty) {
        nothing(self.sync(handle, only_data), reply);
    }

    fn releasedir(&self, _: &Request, _: INodeNo, handle: FileHandle, _: OpenFlags, reply: ReplyEmpty) {
        self.close(handle);
        reply.ok();
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        let size = |bytes: u64| u32::try_from(bytes).unwrap_or(u32::MAX);
        match self.room() {
            Ok(room) => reply.statfs(
                room.f_blocks,
                room.f_bfree,
                room.f_bavail,
                room.f_files,
                room.f_ffree,
                size(room.f_bsize),
                size(room.f_namemax),
                size(room.f_frsize),
            ),
            Err(error) => reply.error(number(error)),
        }
    }
}
