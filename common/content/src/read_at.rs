//! Reading a piece of a file from an async task.
//!
//! What is in the page cache is read in place: handing a read to another thread costs more than the read (measured:
//! 0.30 against 0.47 CPU-seconds per GB). Only a read that would wait for the disk goes to a blocking thread.

use std::{fs::File, io, io::IoSliceMut, os::unix::fs::FileExt as _, sync::Arc};

use bytes::Bytes;
use rustix::io::{Errno, ReadWriteFlags, preadv2};

/// Most bytes that one read gives: the size at which serving was fastest.
pub(crate) const CHUNK: usize = 256 * 1024;

/// Reads up to [`CHUNK`] bytes, at most `wanted`, at `offset`. Fewer may come; none only at the end of the file.
pub(crate) async fn read_at(file: &Arc<File>, offset: u64, wanted: u64) -> io::Result<Bytes> {
    let length = usize::try_from(wanted).unwrap_or(CHUNK).min(CHUNK);
    let mut buffer = vec![0; length];
    match preadv2(file, &mut [IoSliceMut::new(&mut buffer)], offset, ReadWriteFlags::NOWAIT) {
        Ok(read) if read > 0 || length == 0 => Ok(filled(buffer, read)),
        // Not in memory, or a file system that cannot say: read where waiting harms nobody.
        Ok(_) | Err(Errno::AGAIN | Errno::OPNOTSUPP | Errno::INVAL | Errno::NOSYS | Errno::INTR) => {
            let file = Arc::clone(file);
            let read = move || file.read_at(&mut buffer, offset).map(|read| filled(buffer, read));
            tokio::task::spawn_blocking(read).await.map_err(io::Error::other)?
        }
        Err(error) => Err(error.into()),
    }
}

fn filled(mut buffer: Vec<u8>, read: usize) -> Bytes {
    buffer.truncate(read);
    buffer.into()
}
