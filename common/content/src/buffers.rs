//! Buffers that are used over and over: not zeroed each time, and warm in the CPU's cache.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

/// Buffers that are kept while nobody uses them. More are made when more readers read at once, and let go after.
const KEPT: usize = 16;

/// A store of buffers of one size.
#[derive(Debug)]
pub(crate) struct Buffers {
    size: usize,
    free: Mutex<Vec<Box<[u8]>>>,
}

/// A buffer in use. Dropped, it goes back.
#[derive(Debug)]
pub(crate) struct Buffer {
    bytes: Box<[u8]>,
    home: Arc<Buffers>,
}

/// A buffer of which the first bytes are content.
struct Filled {
    buffer: Buffer,
    length: usize,
}

impl Buffers {
    pub(crate) fn new(size: usize) -> Self {
        Self { size, free: Mutex::default() }
    }

    /// A buffer with whatever was in it last.
    pub(crate) fn take(self: &Arc<Self>) -> Buffer {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Buffer { bytes: free.unwrap_or_else(|| vec![0; self.size].into()), home: Arc::clone(self) }
    }
}

impl Buffer {
    /// At most `most` bytes of it, to be filled.
    pub(crate) fn first(&mut self, most: u64) -> &mut [u8] {
        let most = usize::try_from(most).unwrap_or(usize::MAX).min(self.bytes.len());
        &mut self.bytes[..most]
    }

    /// Its first `length` bytes, as content.
    pub(crate) fn filled(self, length: usize) -> Bytes {
        Bytes::from_owner(Filled { buffer: self, length })
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let mut free = self.home.free.lock().unwrap_or_else(PoisonError::into_inner);
        if free.len() < KEPT {
            free.push(std::mem::take(&mut self.bytes));
        }
    }
}

impl AsRef<[u8]> for Filled {
    fn as_ref(&self) -> &[u8] {
        &self.buffer.bytes[..self.length]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn are_used_again_and_not_hoarded() {
        let buffers = Arc::new(Buffers::new(8));
        let mut buffer = buffers.take();
        buffer.first(3).copy_from_slice(b"abc");
        let content = buffer.filled(3);
        let part = content.slice(1..);
        drop(content);
        assert!(buffers.free.lock().unwrap().is_empty() && part == b"bc"[..]);
        drop(part);
        assert_eq!(buffers.take().first(u64::MAX)[..3], *b"abc");
        drop((0..40).map(|_| buffers.take()).collect::<Vec<_>>());
        assert_eq!(buffers.free.lock().unwrap().len(), KEPT);
    }
}
