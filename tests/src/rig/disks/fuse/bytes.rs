//! What is in files: reading, writing, taking room for it, forcing it to the disk.

use fuser::{FileHandle, INodeNo};
use rustix::{
    fs::{self, FallocateFlags, Mode, OFlags, SeekFrom, Stat, StatVfs, Timestamps},
    io::{Errno, Result, pread, pwrite},
};

use super::{Call, Faulty, Node, Open, lock};

/// What is to be changed of a file beside its content; `None` stays as it is.
pub(super) struct Change {
    pub(super) mode: Option<u32>,
    pub(super) owner: Option<u32>,
    pub(super) group: Option<u32>,
    pub(super) size: Option<u64>,
    pub(super) times: Option<Timestamps>,
}

impl Faulty {
    pub(super) fn open_file(&self, number: INodeNo, flags: i32) -> Result<FileHandle> {
        let node = self.nodes.get(number)?;
        let flags = OFlags::from_bits_retain(flags.cast_unsigned());
        let reading = flags & OFlags::RWMODE == OFlags::RDONLY;
        let call = if reading { Call::Open } else { Call::OpenToWrite };
        self.ask(call, 0, || vec![self.nodes.path(&node)])?;
        // The node is no link, but its way in is one. Direct access would want aligned memory.
        let flags = flags.difference(OFlags::NOFOLLOW | OFlags::CREATE | OFlags::EXCL | OFlags::DIRECT);
        let handle = fs::open(node.way_in(), flags | OFlags::CLOEXEC, Mode::empty())?;
        Ok(self.keep(Open { handle, node, entries: vec![] }))
    }

    pub(super) fn read_at(&self, handle: FileHandle, offset: u64, size: u32) -> Result<Vec<u8>> {
        let open = self.opened(handle)?;
        let verdict = self.ask(Call::Read, size.into(), || vec![self.nodes.path(&open.node)])?;
        let size = verdict.at_most.map_or(u64::from(size), |most| most.min(size.into()));
        let mut bytes = vec![0; usize::try_from(size).map_err(|_| Errno::INVAL)?];
        let mut length = 0;
        while length < bytes.len() {
            match pread(&open.handle, &mut bytes[length..], offset + length as u64)? {
                0 => break,
                n => length += n,
            }
        }
        bytes.truncate(length);
        let flipped = verdict.flip.and_then(|at| usize::try_from(at.checked_sub(offset)?).ok());
        if let Some(byte) = flipped.and_then(|at| bytes.get_mut(at)) {
            *byte ^= 1;
        }
        Ok(bytes)
    }

    pub(super) fn write_at(&self, handle: FileHandle, offset: u64, bytes: &[u8]) -> Result<u32> {
        let open = self.opened(handle)?;
        let verdict = self.ask(Call::Write, bytes.len() as u64, || vec![self.nodes.path(&open.node)])?;
        let most = verdict.at_most.and_then(|most| usize::try_from(most).ok()).unwrap_or(bytes.len());
        let written = pwrite(&open.handle, &bytes[..most.min(bytes.len())], offset)?;
        u32::try_from(written).map_err(|_| Errno::INVAL)
    }

    pub(super) fn reserve(&self, handle: FileHandle, offset: u64, length: u64, mode: i32) -> Result<()> {
        let open = self.opened(handle)?;
        self.ask(Call::Reserve, 0, || vec![self.nodes.path(&open.node)])?;
        fs::fallocate(&open.handle, FallocateFlags::from_bits_retain(mode.cast_unsigned()), offset, length)
    }

    pub(super) fn sync(&self, handle: FileHandle, only_data: bool) -> Result<()> {
        let open = self.opened(handle)?;
        self.ask(Call::Fsync, 0, || vec![self.nodes.path(&open.node)])?;
        if only_data { fs::fdatasync(&open.handle) } else { fs::fsync(&open.handle) }
    }

    /// Where data or a hole begins.
    pub(super) fn find_data(&self, handle: FileHandle, offset: u64, whence: i32) -> Result<u64> {
        const SEEK_DATA: i32 = 3;
        const SEEK_HOLE: i32 = 4;
        let open = self.opened(handle)?;
        let to = match whence {
            SEEK_DATA => SeekFrom::Data(offset),
            SEEK_HOLE => SeekFrom::Hole(offset),
            _ => return Err(Errno::INVAL),
        };
        fs::seek(&open.handle, to)
    }

    pub(super) fn change(&self, number: INodeNo, change: &Change) -> Result<Stat> {
        let node = self.nodes.get(number)?;
        if let Some(size) = change.size {
            self.resize(&node, size)?;
        }
        if let Some(mode) = change.mode {
            fs::chmod(node.way_in(), Mode::from_raw_mode(mode & 0o7777))?;
        }
        if change.owner.is_some() || change.group.is_some() {
            let (owner, group) = (change.owner.map(fs::Uid::from_raw), change.group.map(fs::Gid::from_raw));
            fs::chown(node.way_in(), owner, group)?;
        }
        if let Some(times) = &change.times {
            fs::utimensat(fs::CWD, node.way_in(), times, fs::AtFlags::empty())?;
        }
        node.stat()
    }

    /// The room there is, or what is to be told of it.
    pub(super) fn room(&self) -> Result<StatVfs> {
        let root = self.nodes.get(INodeNo::ROOT)?;
        let mut room = fs::statvfs(root.way_in())?;
        if let Some(free) = *lock(&self.orders.free) {
            room.f_bfree = free / room.f_frsize.max(1);
            room.f_bavail = room.f_bfree;
        }
        Ok(room)
    }

    fn resize(&self, node: &Node, size: u64) -> Result<()> {
        self.ask(Call::Reserve, 0, || vec![self.nodes.path(node)])?;
        let file = fs::open(node.way_in(), OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
        fs::ftruncate(&file, size)
    }
}
