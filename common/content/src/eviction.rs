//! Which blobs the cache lets go when room is needed. Pure: knows keys, sizes and the times it is told; no clock, no
//! disk.
//!
//! S3-FIFO (Yang et al., SOSP 2023) with queues measured in bytes, and two additions for images. What lands is on
//! **probation**, an eighth of the bytes. What was asked for again when its turn to go comes, moves to the **main**
//! queue, where touches in store buy one more round each. What went unasked is remembered as a **ghost** until as many
//! bytes as are here have left after it: if it comes back by then, it comes to the main queue. So a pull of many big
//! images passes through probation and costs the main queue nothing. The additions:
//!
//! * **A burst is one reference.** A rollout asks for every layer once per node, a build for its image on all its
//!   runners; within an hour of the last touch that counted, touches do not count. (Ten minutes to two hours do the
//!   same in the simulation.) Where caches are small or builds are many, this is worth 1 point of object hits and 1 to
//!   10 of byte hits.
//! * **A reserve for small objects.** A manifest costs a request like a layer, on Docker Hub the kind that is limited,
//!   and nearly no room. Whose turn it is goes to a reserve first: 1 % of the bytes for what has up to 64 KiB, 4 % up
//!   to 4 MiB. This is worth 2 to 14 points of object hits, and costs up to 3 of byte hits, mostly below 1.
//!
//! Object hits and byte hits in per cent on generated traces, the cache having 10 % of the bytes that are ever asked
//! for:
//!
//! ```text
//!                          hub          + scans      services     nodes        builders
//! LRU                      72.1  80.0   74.9  78.1   70.4  60.4    6.0   1.4   68.8  63.4
//! SIEVE                    75.0  81.5   75.6  80.6   71.9  62.2    6.3   1.9   70.1  56.5
//! S3-FIFO                  74.8  82.4   76.0  81.7   72.1  62.6    6.2   1.9   70.5  63.8
//! W-TinyLFU, window 1 %    79.7  72.5   78.0  74.7   71.9  31.0    7.3   4.8   73.0  61.0
//! W-TinyLFU, window 20 %   80.8  81.5   78.0  82.3   75.0  45.0    7.9   4.2   74.7  62.6
//! GDSF, cost 1             87.9  34.7   85.2  67.0   84.5  51.7   10.5   2.2   82.8  43.8
//! GDSF, cost 1 MB + size   82.1  81.7   80.4  81.8   78.5  60.7    7.8   1.7   76.3  60.7
//! LFU with dynamic aging   73.8  81.8   74.7  81.8   70.7  60.5    6.1   1.5   70.3  63.5
//! this one                 84.5  83.5   82.6  82.1   81.0  63.3    8.4   2.2   78.3  66.1
//!   restarts every 8 h     84.6  84.1   82.6  82.4   81.0  62.7    8.3   2.0   78.3  66.6
//!   and ranks are lost     82.0  79.9   81.0  77.6   79.7  60.4    8.1   1.5   76.2  62.5
//! Belady                   82.8  89.1   81.6  88.0   80.5  75.9   12.1  16.1   77.6  80.3
//! ```
//!
//! Only GDSF with cost 1 has more object hits, for which it gives a fifth to a half of the byte hits. On nodes that run
//! services, where engines keep what they run and little is asked for twice, W-TinyLFU has more byte hits; elsewhere
//! about as many at best. With 5 and 20 % it is much the same; with 50 % LRU is as good in bytes. Belady's choice knows
//! the future; it counts objects, so that in object hits it can be beaten. The whole table, and what a million objects
//! cost:
//!
//! ```text
//! cargo test -p larder-content --release --lib eviction -- --ignored --nocapture
//! ```

use std::hash::Hash;

mod ghosts;
mod objects;
mod queue;
mod rank;
mod victims;

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

use ghosts::Ghosts;
use objects::{Object, Objects, Slot};
use queue::Queue;
use rank::MOST_HITS;
pub(crate) use rank::Rank;
pub(crate) use victims::Victim;

/// Touches within so many seconds of the last one that counted are one and the same.
const ONE_AND_THE_SAME: u32 = 3600;

/// Ghosts are remembered up to so many objects even where fewer are here.
const LEAST_GHOSTS: usize = 1024;

/// What is here, and in which order it would go. It needs no capacity: the shares are parts of what is here.
///
/// All but [`Eviction::victims`] take the time of one look-up. Of a million objects with keys of 65 bytes each takes 98
/// bytes; with as many ghosts as there can be, one for each object, 131. (While a vector has just grown, twice that.)
#[derive(Debug)]
pub(crate) struct Eviction<K> {
    objects: Objects<K>,
    ghosts: Ghosts,
    bytes: u64,
}

impl<K: Copy + Eq + Hash> Eviction<K> {
    /// Nothing is here yet.
    pub(crate) fn new() -> Self {
        Self { objects: Objects::new(), ghosts: Ghosts::default(), bytes: 0 }
    }

    /// `key` landed, at `now` seconds. One that is here already is touched, and its size stays.
    pub(crate) fn insert(&mut self, key: K, size: u64, now: u32) {
        if !self.touch(&key, now) {
            let missed = self.ghosts.contains(self.objects.hash(&key));
            let queue = if missed { Queue::Main } else { Queue::Probation };
            self.restore(key, size, Rank { queue, hits: 0 }, now);
        }
    }

    /// `key` was here before a restart, with this rank and last use in seconds. To be called in ascending order of last
    /// use: the order of the calls is the order in the queues. One that is here already stays as it is.
    pub(crate) fn restore(&mut self, key: K, size: u64, rank: Rank, last_used: u32) {
        if self.objects.find(&key).is_some() {
            return;
        }
        let slot = self.objects.add(key, size, rank, last_used);
        self.objects.queue(slot);
        self.bytes += size;
    }

    /// `key` was asked for, at `now` seconds. Whether it is here.
    pub(crate) fn touch(&mut self, key: &K, now: u32) -> bool {
        let Some(slot) = self.objects.find(key) else { return false };
        let object = self.objects.get_mut(slot);
        // The difference, for a clock that was set back must not make an object deaf for good.
        if now.abs_diff(object.counted) >= ONE_AND_THE_SAME {
            object.counted = now;
            object.rank.hits = MOST_HITS.min(object.rank.hits + 1);
        }
        true
    }

    /// `key` is gone for another reason. Its size, if it was here.
    pub(crate) fn remove(&mut self, key: &K) -> Option<u64> {
        let slot = self.objects.find(key)?;
        let size = self.objects.get(slot).size;
        self.objects.unlink(slot);
        self.objects.forget(slot);
        self.bytes -= size;
        Some(size)
    }

    /// What to write down of `key`, besides its last use.
    pub(crate) fn rank(&self, key: &K) -> Option<Rank> {
        self.objects.find(key).map(|slot| self.objects.get(slot).rank)
    }

    /// The sizes of all that is here.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How many are here.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.objects.len()
    }

    /// Takes out what was chosen and is in no list any more.
    fn leave(&mut self, slot: Slot) -> Victim<K> {
        let Object { key, size, rank, .. } = *self.objects.get(slot);
        self.objects.forget(slot);
        self.bytes -= size;
        if rank.queue != Queue::Main {
            let count = self.objects.len().max(LEAST_GHOSTS);
            self.ghosts.remember(self.objects.hash(&key), size, self.bytes, count);
        }
        Victim { key, size, rank }
    }
}
