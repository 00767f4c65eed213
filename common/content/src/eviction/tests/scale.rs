//! What it costs: in questions where many are in use, in nanoseconds and bytes where there are a million.

use std::{cell::Cell, time::Instant};

use super::*;

#[test]
fn thousands_in_use_are_not_asked_about_again_and_again() {
    const IN_USE: u32 = 5000;
    let mut eviction = Eviction::new();
    let asked = Cell::new(0);
    let may_go = |key: &u32| {
        asked.set(asked.get() + 1);
        *key >= IN_USE
    };
    for key in 0..IN_USE {
        eviction.insert(key, 8 * MIB, 0);
    }
    for key in IN_USE..3 * IN_USE {
        eviction.insert(key, 8 * MIB, 0);
        assert_eq!(eviction.victims(8 * MIB, &may_go).len(), 1);
    }
    assert_eq!(eviction.len(), 5000);
    // Each of those in use once, then one look at a parked one and one victim per call.
    assert!(asked.get() <= IN_USE + 2 * 2 * IN_USE, "{}", asked.get());
}

/// A key as long as the longest digest.
type Key = [u8; 65];

fn key(number: u32) -> Key {
    let mut key = [7; 65];
    key[..4].copy_from_slice(&number.to_le_bytes());
    key
}

/// Bytes of memory that the process holds.
#[cfg(target_os = "linux")]
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

/// Nanoseconds that this thread has run: time that others take is not its.
#[cfg(target_os = "linux")]
fn ran() -> u64 {
    let times = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    times.split(' ').next().unwrap().parse().unwrap()
}

#[test]
#[cfg(target_os = "linux")]
#[ignore = "seconds in release; figures to read"]
#[expect(clippy::print_stdout, reason = "the figures are what it is for")]
fn a_million() {
    const COUNT: u32 = 1_000_000;
    let size = |number: u32| 500 + (u64::from(number) * 7_919 % 4_000) * (u64::from(number) * 104_729 % 16_000);
    let scattered = |number: u32| key((u64::from(number) * 611_953 % u64::from(COUNT)) as u32);
    let print = |what: &str, start: u64| println!("{what:40} {:4} ns", (ran() - start) / u64::from(COUNT));
    let before = resident();
    let mut eviction = Eviction::new();

    let start = ran();
    (0..COUNT).for_each(|number| eviction.insert(key(number), size(number), 0));
    print("insert, nothing goes", start);
    println!("{:40} {:4} bytes, key included", "an object", (resident() - before) / COUNT as usize);

    let start = ran();
    assert!((0..COUNT).all(|number| eviction.touch(&scattered(number), 2 * HOUR)));
    print("touch", start);

    let (capacity, mut gone) = (eviction.bytes(), 0);
    let mut times = Vec::with_capacity(COUNT as usize);
    let start = ran();
    for number in COUNT..2 * COUNT {
        let one = Instant::now();
        let excess = (eviction.bytes() + size(number)).saturating_sub(capacity);
        gone += eviction.victims(excess, &|key| key[0] != 0).len();
        times.push(one.elapsed());
        eviction.insert(key(number), size(number), 3 * HOUR);
    }
    print("insert, and victims for as many bytes", start);
    times.sort_unstable();
    println!("a search takes {:?}, one in a thousand {:?}", times[times.len() / 2], times[times.len() / 1000 * 999]);
    println!("{gone} went, {} are here", eviction.len());
    println!("{:40} {:4} bytes, key and ghosts included", "an object", (resident() - before) / eviction.len());

    let start = ran();
    let mut again = Eviction::new();
    (0..COUNT).for_each(|number| again.restore(key(number), size(number), Rank::default(), number));
    print("restore", start);
}
