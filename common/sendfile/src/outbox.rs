//! What a connection is to send from files, in order.

use std::{
    collections::VecDeque,
    io,
    os::fd::{AsFd, BorrowedFd},
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use bytes::Bytes;

/// Most bytes that one stand-in stands for.
pub const MOST: usize = 4 << 20;

/// The stand-in. It is never read or written, so that it takes addresses and no memory. (A constant would take room in the
/// program.)
static HOLE: LazyLock<Bytes> = LazyLock::new(|| vec![0; MOST].into());

/// The notes of one connection.
#[derive(Clone, Default)]
pub struct Outbox(Arc<Mutex<VecDeque<Part>>>);

/// Bytes of a file.
struct Part {
    file: Arc<dyn AsFd + Send + Sync>,
    offset: u64,
    length: usize,
}

impl Outbox {
    /// Notes that the next stand-in on the connection means these bytes of `file`, at most [`MOST`] of them, and gives the
    /// stand-in. It must be written to the connection next, and whole.
    pub fn put(&self, file: Arc<dyn AsFd + Send + Sync>, offset: u64, length: usize) -> Bytes {
        let length = length.min(MOST);
        if length > 0 {
            self.lock().push_back(Part { file, offset, length });
        }
        HOLE.slice(..length)
    }

    /// Sends at most `most` bytes of the first part by `send`, which is given the file, the offset and the length, and
    /// gives how many it sent.
    pub(crate) fn send(
        &self,
        most: usize,
        send: impl FnOnce(BorrowedFd<'_>, u64, usize) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let mut parts = self.lock();
        let Some(part) = parts.front_mut() else {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a stand-in that stands for nothing"));
        };
        let sent = send(part.file.as_fd(), part.offset, part.length.min(most))?;
        if sent == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "a file became shorter while it was sent"));
        }
        part.offset += sent as u64;
        part.length -= sent;
        if part.length == 0 {
            parts.pop_front();
        }
        Ok(sent)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<Part>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Outbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Outbox").field(&self.lock().len()).finish()
    }
}

/// Whether a buffer is a stand-in.
pub(crate) fn is_stand_in(buffer: &[u8]) -> bool {
    !buffer.is_empty() && HOLE.as_ptr_range().contains(&buffer.as_ptr())
}
