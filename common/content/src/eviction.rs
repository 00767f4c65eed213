//! Stub until the real one is here.
use std::{collections::HashMap, hash::Hash};
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Rank(u8);
impl From<u8> for Rank {
    fn from(b: u8) -> Self {
        Self(b)
    }
}
impl From<Rank> for u8 {
    fn from(b: Rank) -> Self {
        b.0
    }
}
#[derive(Debug, Clone, Copy)]
pub(crate) struct Victim<K> {
    pub(crate) key: K,
    pub(crate) size: u64,
    pub(crate) rank: Rank,
}
#[derive(Debug)]
pub(crate) struct Eviction<K> {
    map: HashMap<K, (u64, u64)>,
    clock: u64,
    bytes: u64,
}
impl<K: Copy + Eq + Hash> Eviction<K> {
    pub(crate) fn new(_: u64) -> Self {
        Self { map: HashMap::new(), clock: 0, bytes: 0 }
    }
    pub(crate) fn insert(&mut self, key: K, size: u64) {
        self.remove(&key);
        self.clock += 1;
        self.map.insert(key, (size, self.clock));
        self.bytes += size;
    }
    pub(crate) fn restore(&mut self, key: K, size: u64, _: Rank) {
        self.insert(key, size);
    }
    pub(crate) fn touch(&mut self, key: &K) -> bool {
        self.clock += 1;
        let c = self.clock;
        self.map.get_mut(key).map(|e| e.1 = c).is_some()
    }
    pub(crate) fn remove(&mut self, key: &K) -> Option<u64> {
        let s = self.map.remove(key)?.0;
        self.bytes -= s;
        Some(s)
    }
    pub(crate) fn victims(&mut self, bytes: u64, may_go: &dyn Fn(&K) -> bool) -> Vec<Victim<K>> {
        let mut all: Vec<_> = self.map.iter().filter(|(k, _)| may_go(k)).map(|(k, v)| (v.1, v.0, *k)).collect();
        all.sort_by_key(|a| a.0);
        let mut sum = 0;
        let mut out = vec![];
        for (_, s, k) in all {
            if sum >= bytes {
                break;
            }
            sum += s;
            out.push(Victim { key: k, size: s, rank: Rank(0) });
        }
        if sum < bytes {
            return vec![];
        }
        for v in &out {
            self.remove(&v.key);
        }
        out
    }
    pub(crate) fn rank(&self, _: &K) -> Option<Rank> {
        Some(Rank(0))
    }
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }
}
