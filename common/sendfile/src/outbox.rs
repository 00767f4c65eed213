//! What a connection is to send from files, in order.

use std::{
    collections::VecDeque,
    os::fd::AsFd,
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

/// A file that bytes are sent from.
pub(crate) type Source = Arc<dyn AsFd + Send + Sync>;

/// Is told how many bytes of a part were sent.
type Sent = Box<dyn Fn(usize) + Send>;

/// Bytes of a file.
struct Part {
    file: Source,
    offset: u64,
    length: usize,
    sent: Sent,
}

impl Outbox {
    /// Notes that the next stand-in on the connection means these bytes of `file`, at most [`MOST`] of them, and gives the
    /// stand-in. It must be written to the connection next, and whole. `sent` is told each time how many of them left.
    pub fn put(&self, file: Source, offset: u64, length: usize, sent: impl Fn(usize) + Send + 'static) -> Bytes {
        let length = length.min(MOST);
        if length > 0 {
            self.lock().push_back(Part { file, offset, length, sent: Box::new(sent) });
        }
        HOLE.slice(..length)
    }

    /// Forgets what was noted and not sent: what a server cut off of an answer must not leave as part of the next. To be
    /// called when all stand-ins so far were written, or never will be.
    pub fn clear(&self) {
        self.lock().clear();
    }

    /// What is to be sent next: the file, the offset, and how many bytes.
    pub(crate) fn next(&self) -> Option<(Source, u64, usize)> {
        self.lock().front().map(|part| (Arc::clone(&part.file), part.offset, part.length))
    }

    /// So many bytes of what was next were sent.
    pub(crate) fn sent(&self, bytes: usize) {
        let mut parts = self.lock();
        let Some(part) = parts.front_mut() else { return };
        (part.sent)(bytes);
        part.offset += bytes as u64;
        part.length = part.length.saturating_sub(bytes);
        if part.length == 0 {
            parts.pop_front();
        }
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
