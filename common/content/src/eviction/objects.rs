//! The objects that are here: found by key, and each in one list, from the oldest to the newest.
//!
//! Links are slot numbers in one vector and the index holds slot numbers only, so that a key is stored once.

use std::hash::{BuildHasher, Hash, RandomState};

use hashbrown::HashTable;

use super::{queue::LISTS, rank::Rank};

/// Where an object lies in the vector.
pub(super) type Slot = u32;

const NONE: Slot = Slot::MAX;

#[derive(Debug)]
pub(super) struct Objects<K> {
    slots: Vec<Object<K>>,
    /// The first of the vacant slots, which are chained by `newer`.
    vacant: Slot,
    index: HashTable<Slot>,
    hasher: RandomState,
    lists: [List; LISTS],
}

#[derive(Debug)]
pub(super) struct Object<K> {
    pub(super) key: K,
    pub(super) size: u64,
    /// When a touch of it was last counted, in seconds.
    pub(super) counted: u32,
    /// The queue it belongs to, and the touches that were counted and not yet spent on staying.
    pub(super) rank: Rank,
    /// The list it is in: its queue's, or that of the parked ones.
    list: u8,
    newer: Slot,
    older: Slot,
}

#[derive(Debug, Clone, Copy)]
struct List {
    newest: Slot,
    oldest: Slot,
    bytes: u64,
    count: usize,
}

// === impl Object ===

impl<K> Object<K> {
    /// The list of its queue.
    pub(super) fn list(&self) -> usize {
        self.rank.queue.list(self.size)
    }
}

// === impl Objects ===

impl<K: Copy + Eq + Hash> Objects<K> {
    pub(super) fn new() -> Self {
        let list = List { newest: NONE, oldest: NONE, bytes: 0, count: 0 };
        let index = HashTable::new();
        Self { slots: Vec::new(), vacant: NONE, index, hasher: RandomState::new(), lists: [list; LISTS] }
    }

    pub(super) fn hash(&self, key: &K) -> u64 {
        self.hasher.hash_one(key)
    }

    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    pub(super) fn find(&self, key: &K) -> Option<Slot> {
        let slots = &self.slots;
        self.index.find(self.hash(key), |slot| slots[*slot as usize].key == *key).copied()
    }

    pub(super) fn get(&self, slot: Slot) -> &Object<K> {
        &self.slots[slot as usize]
    }

    pub(super) fn get_mut(&mut self, slot: Slot) -> &mut Object<K> {
        &mut self.slots[slot as usize]
    }

    /// Takes in an object whose key is not here yet. It is in no list until it is linked.
    pub(super) fn add(&mut self, key: K, size: u64, rank: Rank, counted: u32) -> Slot {
        let object = Object { key, size, counted, rank, list: 0, newer: NONE, older: NONE };
        let slot = self.vacant;
        let slot = if slot == NONE {
            self.slots.push(object);
            Slot::try_from(self.slots.len() - 1).expect("fewer than four thousand million blobs fit on a disk")
        } else {
            self.vacant = self.get(slot).newer;
            *self.get_mut(slot) = object;
            slot
        };
        let (slots, hasher) = (&self.slots, &self.hasher);
        self.index.insert_unique(hasher.hash_one(key), slot, |slot| hasher.hash_one(slots[*slot as usize].key));
        slot
    }

    /// Puts an object that is in no list at the new end of its queue.
    pub(super) fn queue(&mut self, slot: Slot) {
        self.link_newest(slot, self.get(slot).list());
    }

    /// Forgets an object that is in no list.
    pub(super) fn forget(&mut self, slot: Slot) {
        let hash = self.hash(&self.get(slot).key);
        if let Ok(entry) = self.index.find_entry(hash, |found| *found == slot) {
            entry.remove();
        }
        self.get_mut(slot).newer = self.vacant;
        self.vacant = slot;
    }

    pub(super) fn link_newest(&mut self, slot: Slot, list: usize) {
        let newest = self.lists[list].newest;
        self.link(slot, list, newest, NONE);
    }

    pub(super) fn link_oldest(&mut self, slot: Slot, list: usize) {
        let oldest = self.lists[list].oldest;
        self.link(slot, list, NONE, oldest);
    }

    fn link(&mut self, slot: Slot, list: usize, older: Slot, newer: Slot) {
        let object = &mut self.slots[slot as usize];
        (object.list, object.older, object.newer) = (list as u8, older, newer);
        self.lists[list].bytes += object.size;
        self.lists[list].count += 1;
        self.join(list, older, slot);
        self.join(list, slot, newer);
    }

    pub(super) fn unlink(&mut self, slot: Slot) {
        let Object { list, older, newer, size, .. } = self.slots[slot as usize];
        let list = usize::from(list);
        self.lists[list].bytes -= size;
        self.lists[list].count -= 1;
        self.join(list, older, newer);
    }

    /// Makes two neighbours; where there is none, the other one is the end of the list.
    fn join(&mut self, list: usize, older: Slot, newer: Slot) {
        match older {
            NONE => self.lists[list].oldest = newer,
            older => self.get_mut(older).newer = newer,
        }
        match newer {
            NONE => self.lists[list].newest = older,
            newer => self.get_mut(newer).older = older,
        }
    }

    pub(super) fn oldest(&self, list: usize) -> Option<Slot> {
        Some(self.lists[list].oldest).filter(|slot| *slot != NONE)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Object<K>> {
        self.index.iter().map(|slot| self.get(*slot))
    }

    pub(super) fn bytes(&self, list: usize) -> u64 {
        self.lists[list].bytes
    }

    pub(super) fn count(&self, list: usize) -> usize {
        self.lists[list].count
    }

    /// Walks a list and checks its links and sums; gives what is in it, from the oldest.
    #[cfg(test)]
    pub(super) fn walk(&self, list: usize) -> Vec<&Object<K>> {
        let (mut found, mut last, mut at) = (Vec::new(), NONE, self.lists[list].oldest);
        while at != NONE {
            let object = self.get(at);
            assert_eq!((object.older, usize::from(object.list)), (last, list));
            found.push(object);
            (last, at) = (at, object.newer);
        }
        let bytes = found.iter().map(|object| object.size).sum();
        assert_eq!((self.lists[list].newest, self.count(list), self.bytes(list)), (last, found.len(), bytes));
        found
    }
}
