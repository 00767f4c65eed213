//! What else could choose: published policies, written for clarity, not for speed.

use std::collections::{BTreeMap, HashMap};

use super::traces::Request;

mod greedy_dual;
mod offline;
mod recency;
mod s3_fifo;
mod tiny_lfu;

pub(super) use greedy_dual::GreedyDual;
pub(super) use offline::belady;
pub(super) use recency::{Lru, Sieve};
pub(super) use s3_fifo::S3Fifo;
pub(super) use tiny_lfu::TinyLfu;

/// A cache of fixed capacity.
pub(super) trait Policy {
    /// Whether the object is here. If not it is fetched and kept, unless it is bigger than the capacity or the policy
    /// does not want it.
    fn request(&mut self, request: &Request) -> bool;
}

/// Objects from the oldest to the newest.
#[derive(Default)]
struct Queue {
    order: BTreeMap<u64, (u32, u64)>,
    places: HashMap<u32, u64>,
    bytes: u64,
    next: u64,
}

impl Queue {
    fn contains(&self, key: u32) -> bool {
        self.places.contains_key(&key)
    }

    fn push(&mut self, key: u32, size: u64) {
        self.next += 1;
        self.order.insert(self.next, (key, size));
        self.places.insert(key, self.next);
        self.bytes += size;
    }

    fn remove(&mut self, key: u32) -> bool {
        let Some(place) = self.places.remove(&key) else { return false };
        self.bytes -= self.order.remove(&place).expect("it has a place").1;
        true
    }

    /// Makes it the newest.
    fn renew(&mut self, key: u32, size: u64) -> bool {
        let here = self.remove(key);
        if here {
            self.push(key, size);
        }
        here
    }

    fn oldest(&self) -> Option<(u32, u64)> {
        self.order.first_key_value().map(|(_, object)| *object)
    }

    fn pop(&mut self) -> Option<(u32, u64)> {
        let object = self.oldest()?;
        self.remove(object.0);
        Some(object)
    }
}
