//! A file of content: written and read at offsets, by many at once.
//!
//! What is in the page cache is read in place: handing a read to another thread costs more than the read (measured:
//! 0.30 against 0.47 CPU-seconds per GB). Only a read that would wait for the disk goes to a blocking thread.

use std::{
    fs::{File, Metadata, OpenOptions},
    io::{self, IoSliceMut},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::fs::{FileExt as _, MetadataExt as _},
    },
    path::Path,
    sync::Arc,
};

use bytes::Bytes;
use rustix::{
    fs::FallocateFlags,
    io::{Errno, ReadWriteFlags, preadv2},
};

#[cfg(test)]
use crate::faults::{Faults, Op};
use crate::{buffers::Buffers, closer};

/// An open file of content. It is closed on a thread of its own.
#[derive(Debug)]
pub(crate) struct ContentFile {
    /// Taken when it is dropped.
    file: Option<File>,
    #[cfg(test)]
    faults: Option<Arc<Faults>>,
}

impl ContentFile {
    /// A finished blob.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Ok(File::open(path)?.into())
    }

    /// A download: what is there already stays.
    pub(crate) fn open_or_create(path: &Path) -> io::Result<Self> {
        Ok(OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path)?.into())
    }

    #[cfg(test)]
    pub(crate) fn with_faults(mut self, faults: Option<Arc<Faults>>) -> Self {
        self.faults = faults;
        self
    }

    pub(crate) fn len(&self) -> io::Result<u64> {
        Ok(self.file().metadata()?.len())
    }

    /// What tells it from a file that is put in its place, or was written since: a mix of its inode and its time of
    /// modification, never 0.
    pub(crate) fn identity(&self) -> io::Result<u64> {
        Ok(Self::identity_in(&self.file().metadata()?))
    }

    /// The same of the file at `path`.
    pub(crate) fn identity_at(path: &Path) -> io::Result<u64> {
        Ok(Self::identity_in(&path.metadata()?))
    }

    fn identity_in(data: &Metadata) -> u64 {
        let time = data.mtime().wrapping_mul(1_000_000_000).wrapping_add(data.mtime_nsec()).cast_unsigned();
        time.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(data.ino()).max(1)
    }

    /// How many bytes it takes on the disk.
    pub(crate) fn on_disk(&self) -> io::Result<u64> {
        Ok(self.file().metadata()?.blocks() * 512)
    }

    pub(crate) fn file(&self) -> &File {
        self.file.as_ref().expect("only a drop takes it")
    }

    /// Takes the room for `size` bytes, so that a disk that is full says so before anything was promised. A file system
    /// that cannot reserve says it later.
    pub(crate) fn reserve(&self, size: u64) -> io::Result<()> {
        #[cfg(test)]
        self.meet(Op::Write)?;
        if size == 0 {
            return Ok(());
        }
        match rustix::fs::fallocate(self.file(), FallocateFlags::empty(), 0, size) {
            // At least it is as long as it will be, so that it can be gone on with.
            Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => self.file().set_len(size.max(self.len()?)),
            outcome => Ok(outcome?),
        }
    }

    pub(crate) fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        #[cfg(test)]
        if let Err(error) = self.meet(Op::Write) {
            // As a disk that fills up does: a part is written.
            self.file().write_all_at(&bytes[..bytes.len() / 2], offset)?;
            return Err(error);
        }
        self.file().write_all_at(bytes, offset)
    }

    pub(crate) fn sync(&self) -> io::Result<()> {
        #[cfg(test)]
        self.meet(Op::Sync)?;
        self.file().sync_all()
    }

    /// Fills `buffer` from `offset` on. For threads that may wait.
    pub(crate) fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        #[cfg(test)]
        self.meet(Op::Read)?;
        self.file().read_exact_at(buffer, offset)
    }

    /// Reads at most `wanted` bytes, and no more than a buffer, at `offset`. Fewer may come, none never: a file that ends
    /// before is an error.
    pub(crate) async fn read(self: &Arc<Self>, offset: u64, wanted: u64, buffers: &Arc<Buffers>) -> io::Result<Bytes> {
        #[cfg(test)]
        self.meet(Op::Read)?;
        let mut buffer = buffers.take();
        let in_place =
            preadv2(self.file(), &mut [IoSliceMut::new(buffer.first(wanted))], offset, ReadWriteFlags::NOWAIT);
        let (buffer, read) = match in_place {
            Ok(read) if read > 0 => (buffer, read),
            // Not in memory, or a file system that cannot say: read where waiting harms nobody.
            Ok(_) | Err(Errno::AGAIN | Errno::OPNOTSUPP | Errno::INVAL | Errno::NOSYS | Errno::INTR) => {
                let this = Arc::clone(self);
                let read = move || {
                    let read = this.file().read_at(buffer.first(wanted), offset)?;
                    io::Result::Ok((buffer, read))
                };
                tokio::task::spawn_blocking(read).await.map_err(io::Error::other)??
            }
            Err(error) => return Err(error.into()),
        };
        // Ending quietly would make a short body look whole where no length was announced.
        let shorter = || io::Error::new(io::ErrorKind::UnexpectedEof, "a cached blob became shorter");
        if read == 0 { Err(shorter()) } else { Ok(buffer.filled(read)) }
    }

    /// Whether these bytes are in memory now, as far as looking every so often tells. They may go before they are sent:
    /// whoever sends them looks again.
    pub(crate) fn is_cached(&self, offset: u64, length: usize) -> bool {
        larder_sendfile::holds(self.as_fd(), offset, length)
    }

    #[cfg(test)]
    fn meet(&self, op: Op) -> io::Result<()> {
        self.faults.as_ref().map_or(Ok(()), |faults| faults.meet(op))
    }
}

impl AsFd for ContentFile {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file().as_fd()
    }
}

impl Drop for ContentFile {
    fn drop(&mut self) {
        if let Some(file) = self.file.take() {
            closer::close(file);
        }
    }
}

impl From<File> for ContentFile {
    fn from(file: File) -> Self {
        Self {
            file: Some(file),
            #[cfg(test)]
            faults: None,
        }
    }
}
