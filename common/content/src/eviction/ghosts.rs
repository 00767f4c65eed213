//! What left probation lately: who comes back while it is remembered was let go too early.
//!
//! Only the hash of a key is kept. Two keys with one hash would put the second one into the main queue too early, which
//! does no harm.

use std::collections::{HashSet, VecDeque};

#[derive(Debug, Default)]
pub(super) struct Ghosts {
    /// Hash and size, in the order of leaving.
    order: VecDeque<(u64, u64)>,
    hashes: HashSet<u64>,
    bytes: u64,
}

impl Ghosts {
    /// Remembers one that leaves until more than `bytes` left after it, and no more than `count`.
    pub(super) fn remember(&mut self, hash: u64, size: u64, bytes: u64, count: usize) {
        self.order.push_back((hash, size));
        self.hashes.insert(hash);
        self.bytes += size;
        while let Some((hash, size)) = self.order.front().copied() {
            // Its own size does not count, or what is big beside the cache would be forgotten at once, and fetched anew
            // for ever: a tenth of all bytes in the simulation's smallest caches.
            if self.bytes - size <= bytes && self.order.len() <= count {
                break;
            }
            self.order.pop_front();
            self.bytes -= size;
            // One that is in the order twice is forgotten with the first: too early, and of no account.
            self.hashes.remove(&hash);
        }
    }

    pub(super) fn contains(&self, hash: u64) -> bool {
        self.hashes.contains(&hash)
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.order.len().max(self.hashes.len())
    }
}
