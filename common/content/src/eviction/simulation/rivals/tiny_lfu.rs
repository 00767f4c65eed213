//! W-TinyLFU (Einziger, Friedman, Manes 2017) with weights as Caffeine has them: while there is too much, the newest of
//! the window's overflow and the oldest of probation are compared by frequency, and one of them goes. Frequencies are
//! exact where Caffeine has a sketch, which flatters it.

use std::collections::HashMap;

use super::{Policy, Queue, Request};

pub(crate) struct TinyLfu {
    capacity: u64,
    /// The window's share of it.
    window_capacity: u64,
    window: Queue,
    probation: Queue,
    protected: Queue,
    frequencies: HashMap<u32, u8>,
    counted: usize,
}

impl TinyLfu {
    pub(crate) fn new(capacity: u64, window_percent: u64) -> Self {
        Self {
            capacity,
            window_capacity: capacity / 100 * window_percent,
            window: Queue::default(),
            probation: Queue::default(),
            protected: Queue::default(),
            frequencies: HashMap::new(),
            counted: 0,
        }
    }

    fn count(&mut self, key: u32) {
        let frequency = self.frequencies.entry(key).or_insert(0);
        *frequency = 15.min(*frequency + 1);
        self.counted += 1;
        let here = self.window.order.len() + self.probation.order.len() + self.protected.order.len();
        if self.counted > 10 * here.max(1000) {
            self.counted /= 2;
            self.frequencies.retain(|_, frequency| {
                *frequency /= 2;
                *frequency > 0
            });
        }
    }

    fn evict(&mut self) {
        let mut candidates = Queue::default();
        while self.window.bytes > self.window_capacity {
            let Some((key, size)) = self.window.pop() else { break };
            candidates.push(key, size);
        }
        let main = |policy: &Self| policy.probation.bytes + policy.protected.bytes;
        while let Some((key, size)) = candidates.pop() {
            let room = self.capacity - self.window_capacity;
            let frequency = self.frequencies.get(&key).copied();
            while main(self) + size > room {
                let queue = if self.probation.oldest().is_some() { &mut self.probation } else { &mut self.protected };
                let Some((victim, _)) = queue.oldest().filter(|_| size <= room) else { break };
                if frequency <= self.frequencies.get(&victim).copied() {
                    break;
                }
                queue.pop();
            }
            if main(self) + size <= room {
                self.probation.push(key, size);
            }
        }
    }
}

impl Policy for TinyLfu {
    fn request(&mut self, request: &Request) -> bool {
        let (key, size) = (request.key, request.size);
        self.count(key);
        if self.window.renew(key, size) || self.protected.renew(key, size) {
            return true;
        }
        if self.probation.remove(key) {
            self.protected.push(key, size);
            while self.protected.bytes > (self.capacity - self.window_capacity) / 10 * 8 {
                let Some((key, size)) = self.protected.pop() else { break };
                self.probation.push(key, size);
            }
            return true;
        }
        if size <= self.capacity {
            self.window.push(key, size);
            self.evict();
        }
        false
    }
}
