//! Generated sequences against a map of sizes, which is all that the outside may rely on.

use std::collections::{HashMap, HashSet};

use proptest::prelude::*;

use super::super::{
    Eviction, LEAST_GHOSTS, Rank,
    queue::{LISTS, PARKED},
};

#[derive(Debug, Clone)]
enum Step {
    Insert(u8, u64),
    Restore(u8, u64, u8),
    Touch(u8),
    Remove(u8),
    /// Room is wanted, while the keys whose bit is set are in use.
    Victims(u64, u64),
    Wait(u32),
}

const KEYS: u8 = 64;

fn step() -> impl Strategy<Value = Step> {
    let key = || 0..KEYS;
    let size = || {
        let edges = prop::sample::select(vec![0, 1, 65_536, 65_537, 4 << 20, (4 << 20) + 1, 10 << 30]);
        prop_oneof![500_u64..100_000, 1_u64 << 20..1 << 24, edges]
    };
    prop_oneof![
        6 => (key(), size()).prop_map(|(key, size)| Step::Insert(key, size)),
        2 => (key(), size(), any::<u8>()).prop_map(|(key, size, rank)| Step::Restore(key, size, rank)),
        4 => key().prop_map(Step::Touch),
        1 => key().prop_map(Step::Remove),
        3 => (prop_oneof![0_u64..1 << 20, 0_u64..1 << 36], any::<u64>(), any::<u64>())
            .prop_map(|(bytes, one, other)| Step::Victims(bytes, one & other)),
        1 => (0_u32..10_000).prop_map(Step::Wait),
    ]
}

/// Every object is in one list, which is its own or the parked ones'; the links and sums are right.
fn check(eviction: &Eviction<u8>, sizes: &HashMap<u8, u64>) {
    let lists: Vec<_> = (0..LISTS).map(|list| eviction.objects.walk(list)).collect();
    let mut seen = HashSet::new();
    for (list, objects) in lists.iter().enumerate() {
        for object in objects {
            assert!(list == PARKED || list == object.list());
            assert!(seen.insert(object.key));
            assert_eq!(sizes.get(&object.key), Some(&object.size));
        }
    }
    assert_eq!((seen.len(), eviction.len()), (sizes.len(), sizes.len()));
    assert_eq!(eviction.bytes(), sizes.values().sum::<u64>());
    assert!(eviction.ghosts.count() <= LEAST_GHOSTS);
}

fn take(eviction: &mut Eviction<u8>, sizes: &mut HashMap<u8, u64>, bytes: u64, in_use: u64) {
    let may_go = |key: &u8| in_use >> key & 1 == 0;
    let possible: u64 = sizes.iter().filter(|(key, _)| may_go(key)).map(|(_, size)| size).sum();
    let victims = eviction.victims(bytes, &may_go);
    if possible < bytes {
        assert!(victims.is_empty());
    } else {
        let freed: u64 = victims.iter().map(|victim| victim.size).sum();
        assert!(freed >= bytes, "{freed} of {bytes}");
        assert!(victims.last().is_none_or(|last| freed - last.size < bytes), "the last one is not needed");
    }
    for victim in victims {
        assert!(may_go(&victim.key));
        assert_eq!(sizes.remove(&victim.key), Some(victim.size), "it was here, and is given once");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn keeps_its_promises(steps in prop::collection::vec(step(), 1..120)) {
        let mut eviction = Eviction::new();
        let mut sizes: HashMap<u8, u64> = HashMap::new();
        let mut now = 0;
        for step in steps {
            match step {
                Step::Insert(key, size) => {
                    eviction.insert(key, size, now);
                    sizes.entry(key).or_insert(size);
                }
                Step::Restore(key, size, rank) => {
                    let new = !sizes.contains_key(&key);
                    eviction.restore(key, size, Rank::from(rank), now);
                    sizes.entry(key).or_insert(size);
                    prop_assert!(!new || eviction.rank(&key) == Some(Rank::from(rank)));
                }
                Step::Touch(key) => prop_assert_eq!(eviction.touch(&key, now), sizes.contains_key(&key)),
                Step::Remove(key) => prop_assert_eq!(eviction.remove(&key), sizes.remove(&key)),
                Step::Victims(bytes, in_use) => take(&mut eviction, &mut sizes, bytes, in_use),
                Step::Wait(seconds) => now += seconds,
            }
            prop_assert!((0..KEYS).all(|key| eviction.rank(&key).is_some() == sizes.contains_key(&key)));
            check(&eviction, &sizes);
        }
    }
}
