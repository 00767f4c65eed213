//! GreedyDual-Size-Frequency (Cherkasova 1998): the least of age + frequency × cost / size goes, and is the age from
//! then on. With cost 1 it saves requests; with cost = size it is LFU with dynamic aging and saves bytes; with a constant
//! and the size, both.

use std::collections::{BTreeMap, HashMap};

use super::{Policy, Request};

pub(crate) struct GreedyDual {
    capacity: u64,
    cost: fn(f64) -> f64,
    bytes: u64,
    age: f64,
    turn: u64,
    /// By priority (the bits of a positive float are in its order), then by time.
    order: BTreeMap<(u64, u64), (u32, u64)>,
    objects: HashMap<u32, ((u64, u64), f64)>,
}

impl GreedyDual {
    pub(crate) fn new(capacity: u64, cost: fn(f64) -> f64) -> Self {
        Self { capacity, cost, bytes: 0, age: 0.0, turn: 0, order: BTreeMap::new(), objects: HashMap::new() }
    }

    fn place(&mut self, request: &Request, frequency: f64) {
        self.turn += 1;
        let size = request.size as f64;
        let priority = self.age + frequency * (self.cost)(size) / size;
        let place = (priority.to_bits(), self.turn);
        self.order.insert(place, (request.key, request.size));
        self.objects.insert(request.key, (place, frequency));
    }
}

impl Policy for GreedyDual {
    fn request(&mut self, request: &Request) -> bool {
        if let Some((place, frequency)) = self.objects.get(&request.key).copied() {
            self.order.remove(&place);
            self.place(request, frequency + 1.0);
            return true;
        }
        if request.size <= self.capacity {
            while self.bytes + request.size > self.capacity {
                let Some(((priority, _), (key, size))) = self.order.pop_first() else { break };
                self.age = f64::from_bits(priority);
                self.objects.remove(&key);
                self.bytes -= size;
            }
            self.bytes += request.size;
            self.place(request, 1.0);
        }
        false
    }
}
