//! S3-FIFO (Yang et al., SOSP 2023) with queues measured in bytes: 10 % probation, promotion at the second touch, ghosts
//! for as many bytes as the main queue has.

use std::collections::HashMap;

use super::{Policy, Queue, Request};

pub(crate) struct S3Fifo {
    capacity: u64,
    small: Queue,
    main: Queue,
    ghosts: Queue,
    touches: HashMap<u32, u8>,
}

impl S3Fifo {
    pub(crate) fn new(capacity: u64) -> Self {
        let (small, main, ghosts) = (Queue::default(), Queue::default(), Queue::default());
        Self { capacity, small, main, ghosts, touches: HashMap::new() }
    }

    fn evict(&mut self) {
        loop {
            if self.small.bytes > self.capacity / 10 || self.main.oldest().is_none() {
                let Some((key, size)) = self.small.pop() else { return };
                if self.touches.remove(&key).unwrap_or(0) > 1 {
                    self.main.push(key, size);
                    continue;
                }
                self.ghosts.push(key, size);
                while self.ghosts.bytes > self.capacity / 10 * 9 {
                    self.ghosts.pop();
                }
                return;
            }
            let Some((key, size)) = self.main.pop() else { return };
            match self.touches.get_mut(&key).filter(|touches| **touches > 0) {
                Some(touches) => *touches -= 1,
                None => return,
            }
            self.main.push(key, size);
        }
    }
}

impl Policy for S3Fifo {
    fn request(&mut self, request: &Request) -> bool {
        if self.small.contains(request.key) || self.main.contains(request.key) {
            let touches = self.touches.entry(request.key).or_insert(0);
            *touches = 3.min(*touches + 1);
            return true;
        }
        if request.size <= self.capacity {
            while self.small.bytes + self.main.bytes + request.size > self.capacity {
                self.evict();
            }
            self.touches.remove(&request.key);
            let queue = if self.ghosts.remove(request.key) { &mut self.main } else { &mut self.small };
            queue.push(request.key, request.size);
        }
        false
    }
}
