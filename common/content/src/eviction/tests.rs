//! What the policy promises, by example; `model` has it by generated sequences.

use super::*;

mod model;
mod scale;

const HOUR: u32 = 3600;
const MIB: u64 = 1 << 20;

/// A cache of fixed capacity around it, for tests: what lands makes room first.
struct Cache {
    eviction: Eviction<u32>,
    capacity: u64,
    /// What went, in order.
    gone: Vec<u32>,
}

impl Cache {
    fn of(capacity: u64) -> Self {
        Self { eviction: Eviction::new(), capacity, gone: Vec::new() }
    }

    fn land(&mut self, key: u32, size: u64, now: u32) {
        let excess = (self.eviction.bytes() + size).saturating_sub(self.capacity);
        self.gone.extend(self.eviction.victims(excess, &|_| true).iter().map(|victim| victim.key));
        self.eviction.insert(key, size, now);
    }
}

/// What is left, in MiB, of a hot set of 800 objects from 4 KiB to 60 MiB, after one pull of images of three times the
/// capacity in layers of 20 to 500 MiB. (LRU leaves nothing: all that is read last fills the cache three times.)
fn left_after_a_scan(touches: &[u32]) -> (u64, u64) {
    const KIB: [u64; 8] = [4, 300, 2048, 3000, 8192, 20_480, 40_960, 61_440];
    let size = |key: u32| KIB[key as usize % 8] << 10;
    let hot = 0..800;
    let all: u64 = hot.clone().map(size).sum();
    let mut cache = Cache::of(all / 10 * 13);
    for now in touches {
        for key in hot.clone() {
            if !cache.eviction.touch(&key, *now) {
                cache.land(key, size(key), *now);
            }
        }
    }
    let (mut read, mut key) = (0, 1000);
    while read < 3 * cache.capacity {
        let size = (20 + u64::from(key * 37 % 481)) * MIB;
        cache.land(key, size, 10 * HOUR);
        // Its readers are many, and close together.
        assert!(cache.eviction.touch(&key, 10 * HOUR + 60));
        (read, key) = (read + size, key + 1);
    }
    let left = hot.filter(|key| cache.eviction.rank(key).is_some()).map(size).sum::<u64>();
    (left / MIB, all / MIB)
}

#[test]
fn one_pull_of_many_big_images_leaves_the_hot_set() {
    let (left, all) = left_after_a_scan(&[0, 2 * HOUR]);
    assert!(left * 10 >= all * 9, "{left} of {all} MiB are left");
}

#[test]
fn what_was_hot_for_a_moment_only_is_not_the_hot_set() {
    let (left, all) = left_after_a_scan(&[0, 60, 120, 180, 3000]);
    assert!(left < all / 3, "{left} of {all} MiB are left");
}

#[test]
fn who_is_asked_for_again_later_outlives_who_is_not() {
    let mut cache = Cache::of(100 * MIB);
    for key in 0..10 {
        cache.land(key, 10 * MIB, 0);
    }
    // 3 within the hour, which is one and the same as landing; 4 after it; 5 thrice, each time after an hour.
    for (key, now) in [(3, HOUR - 1), (4, HOUR), (5, HOUR), (5, 2 * HOUR), (5, 2 * HOUR + 1), (5, 3 * HOUR)] {
        assert!(cache.eviction.touch(&key, now));
    }
    for key in 10..18 {
        cache.land(key, 10 * MIB, 4 * HOUR);
    }
    assert_eq!(cache.gone, [0, 1, 2, 3, 6, 7, 8, 9]);
}

#[test]
fn touches_count_again_after_a_clock_was_set_back() {
    let mut eviction = Eviction::new();
    eviction.insert(1, 5, 10 * HOUR);
    assert!(eviction.touch(&1, HOUR));
    assert_eq!(eviction.rank(&1), Some(Rank { hits: 1, ..Rank::default() }));
}

#[test]
fn who_comes_back_soon_is_on_probation_no_more() {
    let mut cache = Cache::of(100 * MIB);
    for key in 0..11 {
        cache.land(key, 10 * MIB, 0);
    }
    assert_eq!(cache.gone, [0]);
    cache.land(0, 10 * MIB, 60);
    assert_eq!(cache.eviction.rank(&0), Some(Rank { queue: Queue::Main, hits: 0 }));
    // After as many bytes as the cache has, it would have been forgotten.
    for key in 100..112 {
        cache.land(key, 10 * MIB, 120);
    }
    cache.land(1, 10 * MIB, 180);
    assert_eq!(cache.eviction.rank(&1), Some(Rank::default()));
}

#[test]
fn manifests_outlive_layers_within_their_share_and_no_further() {
    let mut cache = Cache::of(1000 * MIB);
    // A hundredth of 1000 MiB is 160 objects of 64 KiB; of what is there when the next layer lands, some less.
    for key in 0..1000 {
        cache.land(key, 64 << 10, 0);
    }
    for key in 1000..1100 {
        cache.land(key, 50 * MIB, 0);
    }
    let left: Vec<u32> = (0..1000).filter(|key| cache.eviction.rank(key).is_some()).collect();
    assert!((150..=160).contains(&left.len()), "{left:?}");
    // Asked for while in reserve, it is in the main queue when its turn comes.
    cache.eviction.touch(&left[0], HOUR);
    for key in 2000..2200 {
        cache.land(key, 64 << 10, HOUR);
    }
    for key in 3000..3100 {
        cache.land(key, 50 * MIB, HOUR);
    }
    assert_eq!(cache.eviction.rank(&left[0]), Some(Rank { queue: Queue::Main, hits: 0 }));
    assert_eq!(cache.eviction.rank(&left[1]), None);
}

#[test]
fn who_is_in_use_stays_and_its_turn_comes_later() {
    let mut eviction = Eviction::new();
    for key in 0..5 {
        eviction.insert(key, 10 * MIB, 0);
    }
    let keys = |victims: Vec<Victim<i32>>| victims.iter().map(|victim| victim.key).collect::<Vec<_>>();
    assert_eq!(keys(eviction.victims(10 * MIB, &|key| *key > 1)), [2]);
    // 0 and 1 are parked. 0 is looked at first and goes back into the queue, behind those that waited there.
    assert_eq!(keys(eviction.victims(10 * MIB, &|_| true)), [3]);
    assert_eq!(keys(eviction.victims(30 * MIB, &|_| true)), [4, 0, 1]);
    assert_eq!((eviction.len(), eviction.bytes()), (0, 0));
}

#[test]
fn nothing_goes_where_not_enough_can() {
    let mut eviction = Eviction::new();
    for key in 0..20 {
        eviction.insert(key, 10, 0);
        eviction.touch(&key, HOUR);
    }
    assert!(eviction.victims(201, &|_| true).is_empty());
    assert!(eviction.victims(150, &|key| *key > 5).is_empty());
    assert_eq!(eviction.rank(&0), Some(Rank { hits: 1, ..Rank::default() }), "what it had in store is not spent");
    assert!(eviction.victims(30, &|key| *key > 17).is_empty());
    assert_eq!((eviction.len(), eviction.bytes()), (20, 200));
    assert!(eviction.victims(0, &|_| true).is_empty());
}

#[test]
fn a_rank_is_a_byte_and_every_byte_is_a_rank() {
    for byte in 0..=u8::MAX {
        let written = u8::from(Rank::from(byte));
        assert_eq!(Rank::from(written), Rank::from(byte));
        assert!(written < 12 && written & 3 == byte & 3);
    }
    assert_eq!(u8::from(Rank::default()), 0);
}

#[test]
fn order_and_rank_survive_a_restart() {
    let mut before = Cache::of(1000 * MIB);
    for key in 0..10 {
        before.land(key, 10 * MIB, u32::from(key > 4));
    }
    for key in [1, 7] {
        before.eviction.touch(&key, 2 * HOUR);
    }
    let mut after = Eviction::new();
    for key in [0, 2, 3, 4, 5, 6, 8, 9, 1, 7] {
        let rank = before.eviction.rank(&key).unwrap();
        after.restore(key, 10 * MIB, rank, if rank.hits > 0 { 2 * HOUR } else { u32::from(key > 4) });
    }
    let order: Vec<_> = after.victims(100 * MIB, &|_| true).iter().map(|victim| victim.key).collect();
    assert_eq!(order, [0, 2, 3, 4, 5, 6, 8, 9, 1, 7]);
}
