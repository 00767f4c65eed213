//! [`Eviction`] as the cache uses it, restarts included.

use std::collections::HashMap;

use super::{
    super::{Eviction, Rank},
    rivals::Policy,
    traces::Request,
};

pub(super) struct Ours {
    capacity: u64,
    eviction: Eviction<u32>,
    /// What the index remembers: the last use.
    last_used: HashMap<u32, u32>,
    variant: Variant,
    /// Its clock, in seconds.
    now: u32,
    restarted: u32,
}

/// What is different from the real thing, to see what that is worth.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Variant {
    Real,
    /// Every touch counts.
    NoWindow,
    /// Sizes are scaled up until all objects are in the biggest class.
    OneClass,
    /// The process restarts every 8 hours; last use is known to 5 minutes.
    Restarts,
    /// The same, and the ranks are lost.
    RestartsWithoutRanks,
    /// The same, and last use is lost too: what is here comes back in no order.
    RestartsWithNothing,
}

impl Ours {
    pub(super) fn new(capacity: u64, variant: Variant) -> Self {
        let capacity = if variant == Variant::OneClass { capacity << 14 } else { capacity };
        Self { capacity, eviction: Eviction::new(), last_used: HashMap::new(), variant, now: 0, restarted: 0 }
    }

    fn restart(&mut self) {
        let mut index: Vec<_> = self.last_used.iter().map(|(key, used)| (used / 300 * 300, *key)).collect();
        match self.variant {
            Variant::RestartsWithNothing => index.sort_by_key(|(_, key)| key.wrapping_mul(0x9E37_79B9)),
            _ => index.sort_unstable(),
        }
        let mut eviction = Eviction::new();
        for (used, key) in index {
            let rank = self.eviction.rank(&key).unwrap_or_default();
            let rank = if self.variant == Variant::Restarts { rank } else { Rank::default() };
            if let Some(size) = self.eviction.remove(&key) {
                eviction.restore(key, size, rank, used);
            }
        }
        self.eviction = eviction;
    }
}

impl Policy for Ours {
    fn request(&mut self, request: &Request) -> bool {
        let Request { key, at, size } = *request;
        let size = if self.variant == Variant::OneClass { size << 14 } else { size };
        self.now = if self.variant == Variant::NoWindow { self.now + 3600 } else { at };
        let now = self.now;
        let restarts = !matches!(self.variant, Variant::Real | Variant::NoWindow | Variant::OneClass);
        if restarts && at > self.restarted + 8 * 3600 {
            self.restarted = at;
            self.restart();
        }
        if self.eviction.touch(&key, now) {
            self.last_used.insert(key, at);
            return true;
        }
        if size > self.capacity {
            return false;
        }
        let excess = (self.eviction.bytes() + size).saturating_sub(self.capacity);
        for victim in self.eviction.victims(excess, &|_| true) {
            self.last_used.remove(&victim.key);
        }
        self.eviction.insert(key, size, now);
        self.last_used.insert(key, at);
        false
    }
}
