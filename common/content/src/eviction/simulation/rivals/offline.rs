//! Belady's choice: who knows the future lets go what is wanted last. Not the optimum where sizes differ, but far beyond
//! what a policy can reach.

use std::collections::{BTreeSet, HashMap};

use super::Request;

/// For each request, whether it was a hit.
pub(crate) fn belady(requests: &[Request], capacity: u64) -> Vec<bool> {
    let mut next = vec![usize::MAX; requests.len()];
    let mut seen = HashMap::new();
    for (n, request) in requests.iter().enumerate().rev() {
        next[n] = seen.insert(request.key, n).unwrap_or(usize::MAX);
    }
    let mut order = BTreeSet::new();
    let mut objects = HashMap::new();
    let mut bytes = 0;
    let hits = requests.iter().zip(next).map(|(request, next)| {
        let hit = objects.remove(&request.key).is_some_and(|place| order.remove(&(place, request.key, request.size)));
        bytes += if hit { 0 } else { request.size };
        order.insert((next, request.key, request.size));
        objects.insert(request.key, next);
        while bytes > capacity {
            let Some((_, key, size)) = order.pop_last() else { break };
            objects.remove(&key);
            bytes -= size;
        }
        hit
    });
    hits.collect()
}
