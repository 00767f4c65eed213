//! The choice itself: whose turn it is to go.

use std::hash::Hash;

use super::{
    Eviction, Rank,
    objects::Slot,
    queue::{MAIN, PARKED, PROBATION, Queue, RESERVES, probation_share, reserve_share},
};

/// An object that goes. It is no longer among those that are here; [`Eviction::restore`] takes it back if it could not
/// be removed after all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Victim<K> {
    /// Which.
    pub(crate) key: K,
    /// How many bytes that frees.
    pub(crate) size: u64,
    /// What it had earned.
    pub(crate) rank: Rank,
}

impl<K: Copy + Eq + Hash> Eviction<K> {
    /// The next to go, in order, so that at least `bytes` become free; none at all where that cannot be had, for then
    /// they would be lost for nothing. Who wants whatever there is asks for one byte, again and again.
    ///
    /// An object that `may_go` refuses stays. It is parked, and asked about again by one look per victim only: over a run
    /// of calls that find what they want, the steps are at most three per victim, two per touch that counted and two per
    /// insertion, however many objects are in use. A call that fails, or asks for more than a quarter of all there is,
    /// looks at every object.
    pub(crate) fn victims(&mut self, bytes: u64, may_go: &dyn Fn(&K) -> bool) -> Vec<Victim<K>> {
        // A search spends what objects have in store, so that one that must fail had better not begin.
        if bytes > self.bytes || (bytes > self.bytes / 4 && bytes > self.bytes_that(may_go)) {
            return Vec::new();
        }
        let mut going: Vec<Slot> = Vec::new();
        let (mut freed, mut looks) = (0, None);
        while freed < bytes {
            self.look_at_one_parked(may_go);
            let next = self.next_in_line(may_go).or_else(|| {
                // Nothing but parked objects is left: each of them is looked at once in this call.
                let looks = looks.get_or_insert_with(|| self.objects.count(PARKED));
                self.next_parked(looks, may_go)
            });
            let Some(slot) = next else { break };
            freed += self.objects.get(slot).size;
            going.push(slot);
        }
        if freed < bytes {
            while let Some(slot) = going.pop() {
                self.objects.link_oldest(slot, self.objects.get(slot).list());
            }
        }
        going.into_iter().map(|slot| self.leave(slot)).collect()
    }

    fn bytes_that(&self, may_go: &dyn Fn(&K) -> bool) -> u64 {
        self.objects.all().filter(|object| may_go(&object.key)).map(|object| object.size).sum()
    }

    /// The oldest object, of the queue whose turn it is, that has no touches in store, no reserve to go to, and may go;
    /// out of its list.
    fn next_in_line(&mut self, may_go: &dyn Fn(&K) -> bool) -> Option<Slot> {
        loop {
            let slot = self.objects.oldest(self.yielding()?)?;
            self.objects.unlink(slot);
            let object = self.objects.get_mut(slot);
            let Rank { queue, hits } = object.rank;
            if hits > 0 {
                let hits = if queue == Queue::Main { hits - 1 } else { 0 };
                object.rank = Rank { queue: Queue::Main, hits };
            } else if queue.has_a_reserve(object.size) {
                object.rank.queue = Queue::Reserve;
            } else if may_go(&object.key) {
                return Some(slot);
            } else {
                self.objects.link_newest(slot, PARKED);
                continue;
            }
            self.objects.queue(slot);
        }
    }

    /// The list that has more than its share.
    fn yielding(&self) -> Option<usize> {
        let bytes = |list: usize| self.objects.bytes(list);
        let filled = |list: &usize| self.objects.oldest(*list).is_some();
        let full = RESERVES.into_iter().find(|list| bytes(*list) > reserve_share(*list, self.bytes));
        let long = bytes(PROBATION) > probation_share(bytes(PROBATION) + bytes(MAIN));
        let queues = if long { [PROBATION, MAIN] } else { [MAIN, PROBATION] };
        full.or_else(|| queues.into_iter().chain(RESERVES.into_iter().rev()).find(filled))
    }

    /// Parked objects come back to their queue's new end once nobody uses them: one look per victim.
    fn look_at_one_parked(&mut self, may_go: &dyn Fn(&K) -> bool) {
        if let Some(slot) = self.objects.oldest(PARKED) {
            self.objects.unlink(slot);
            let object = self.objects.get(slot);
            let list = if may_go(&object.key) { object.list() } else { PARKED };
            self.objects.link_newest(slot, list);
        }
    }

    fn next_parked(&mut self, looks: &mut usize, may_go: &dyn Fn(&K) -> bool) -> Option<Slot> {
        while *looks > 0 {
            *looks -= 1;
            let slot = self.objects.oldest(PARKED)?;
            self.objects.unlink(slot);
            if may_go(&self.objects.get(slot).key) {
                return Some(slot);
            }
            self.objects.link_newest(slot, PARKED);
        }
        None
    }
}
