//! LRU, and SIEVE (Zhang et al., NSDI 2024): a queue that a hand sweeps, in which nothing ever moves.

use std::collections::HashSet;

use super::{Policy, Queue, Request};

pub(crate) struct Lru {
    capacity: u64,
    queue: Queue,
}

pub(crate) struct Sieve {
    capacity: u64,
    queue: Queue,
    visited: HashSet<u32>,
    hand: u64,
}

impl Lru {
    pub(crate) fn new(capacity: u64) -> Self {
        Self { capacity, queue: Queue::default() }
    }
}

impl Policy for Lru {
    fn request(&mut self, request: &Request) -> bool {
        if self.queue.renew(request.key, request.size) {
            return true;
        }
        if request.size <= self.capacity {
            while self.queue.bytes + request.size > self.capacity {
                self.queue.pop();
            }
            self.queue.push(request.key, request.size);
        }
        false
    }
}

impl Sieve {
    pub(crate) fn new(capacity: u64) -> Self {
        Self { capacity, queue: Queue::default(), visited: HashSet::new(), hand: 0 }
    }

    fn evict(&mut self) {
        loop {
            let ahead = self.queue.order.range(self.hand..).next();
            let Some((place, (key, _))) = ahead.or_else(|| self.queue.order.iter().next()) else { return };
            let key = *key;
            self.hand = place + 1;
            if !self.visited.remove(&key) {
                self.queue.remove(key);
                return;
            }
        }
    }
}

impl Policy for Sieve {
    fn request(&mut self, request: &Request) -> bool {
        if self.queue.contains(request.key) {
            self.visited.insert(request.key);
            return true;
        }
        if request.size <= self.capacity {
            while self.queue.bytes + request.size > self.capacity {
                self.evict();
            }
            self.queue.push(request.key, request.size);
        }
        false
    }
}
