//! What a connection is to send from files, in order.

use std::{
    collections::VecDeque,
    os::fd::AsFd,
    sync::{Arc, LazyLock, Mutex, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;

/// Most bytes that one stand-in stands for.
pub const MOST: usize = 4 << 20;

/// For how long bytes that were found in memory are taken to be there still. Long enough for a turn or two of a client that
/// is quick, so that no byte is looked at twice; a client that takes nothing may do so for as long as it takes memory to be
/// needed elsewhere.
const TRUSTED: Duration = Duration::from_millis(50);

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
    /// How many of them, from the first on, were in memory when that was looked at, and when that was.
    in_memory: (usize, Instant),
    sent: Sent,
}

/// What is to be sent next.
pub(crate) struct Next {
    pub(crate) file: Source,
    pub(crate) offset: u64,
    pub(crate) length: usize,
    /// How many of the bytes are in memory, as far as is known.
    pub(crate) in_memory: usize,
}

impl Outbox {
    /// Notes that the next stand-in on the connection means these bytes of `file`, at most [`MOST`] of them, and gives the
    /// stand-in. It must be written to the connection next, and whole. Whoever notes them has just found them in memory: for
    /// a moment, they are not looked for again. `sent` is told each time how many of them left.
    pub fn put(&self, file: Source, offset: u64, length: usize, sent: impl Fn(usize) + Send + 'static) -> Bytes {
        let length = length.min(MOST);
        if length > 0 {
            let in_memory = (length, Instant::now());
            self.lock().push_back(Part { file, offset, length, in_memory, sent: Box::new(sent) });
        }
        HOLE.slice(..length)
    }

    /// Forgets what was noted and not sent: what a server cut off of an answer must not leave as part of the next. To be
    /// called when all stand-ins so far were written, or never will be.
    pub fn clear(&self) {
        self.lock().clear();
    }

    /// What is to be sent next.
    pub(crate) fn next(&self) -> Option<Next> {
        let parts = self.lock();
        let Part { file, offset, length, in_memory: (count, looked), .. } = parts.front()?;
        let in_memory = if looked.elapsed() < TRUSTED { *count } else { 0 };
        Some(Next { file: Arc::clone(file), offset: *offset, length: *length, in_memory })
    }

    /// So many bytes of what is next are in memory, as was found just now.
    pub(crate) fn found(&self, bytes: usize) {
        if let Some(part) = self.lock().front_mut() {
            part.in_memory = (bytes, Instant::now());
        }
    }

    /// So many bytes of what was next were sent.
    pub(crate) fn sent(&self, bytes: usize) {
        let mut parts = self.lock();
        let Some(part) = parts.front_mut() else { return };
        (part.sent)(bytes);
        part.offset += bytes as u64;
        part.length = part.length.saturating_sub(bytes);
        part.in_memory.0 = part.in_memory.0.saturating_sub(bytes);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_in_memory_a_while_ago_is_looked_for_again() {
        let outbox = Outbox::default();
        drop(outbox.put(Arc::new(tempfile::tempfile().unwrap()), 0, 10, |_| ()));
        let in_memory = || outbox.next().unwrap().in_memory;
        outbox.sent(3);
        assert_eq!(in_memory(), 7);
        outbox.lock()[0].in_memory.1 -= TRUSTED;
        assert_eq!(in_memory(), 0);
        outbox.found(5);
        assert_eq!(in_memory(), 5);
    }
}
