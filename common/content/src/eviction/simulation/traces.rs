//! The traces that caches are tried on: the requests that reach each of them.

use std::collections::HashSet;

use super::{
    cluster::{self, Scale},
    rivals::{Lru, Policy},
};

/// What an agent's cache holds while the hub's trace is made.
const AGENT: u64 = 20 << 30;

/// One request for one object, at so many seconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request {
    pub(super) at: u32,
    pub(super) key: u32,
    pub(super) size: u64,
}

/// The requests that one cache sees, or several of a kind.
pub(super) struct Trace {
    pub(super) caches: Vec<Vec<Request>>,
}

/// A cluster of 30 nodes and 6 builders in its ordinary days.
pub(super) const ORDINARY: Scale = Scale {
    seed: 1,
    days: 45,
    nodes: 30,
    builders: 6,
    repositories: 250,
    tools: 60,
    services: 120,
    bursts: 40.0,
    builds: 400.0,
    moves: 60.0,
    scanned: 30,
};

/// The same where many builds are pulled once by many, and three times as much is scanned as is ordinary.
pub(super) const SCANS: Scale = Scale { bursts: 150.0, builds: 100.0, scanned: 100, ..ORDINARY };

/// The same where nothing is built, and only services are rolled out and move.
pub(super) const SERVICES: Scale = Scale { bursts: 1.0, builds: 1.0, scanned: 15, ..ORDINARY };

/// What the hub sees: what the agents in front of it did not have, and all of the scanner's.
pub(super) fn hub(scale: &Scale) -> Trace {
    let (pulls, sizes) = cluster::run(scale);
    let mut agents: Vec<_> = (0..scale.nodes + scale.builders).map(|_| Lru::new(AGENT)).collect();
    let mut requests = Vec::new();
    for pull in pulls {
        let request = Request { at: pull.at, key: pull.key, size: sizes[pull.key as usize] };
        if !agents.get_mut(pull.node).is_some_and(|agent| agent.request(&request)) {
            requests.push(request);
        }
    }
    Trace { caches: vec![requests] }
}

/// What the agents see on nodes that run services, and on those that run builds.
pub(super) fn agents(scale: &Scale) -> (Trace, Trace) {
    let (pulls, sizes) = cluster::run(scale);
    let mut caches = vec![Vec::new(); scale.nodes + scale.builders + 1];
    for pull in pulls {
        caches[pull.node].push(Request { at: pull.at, key: pull.key, size: sizes[pull.key as usize] });
    }
    caches.truncate(scale.nodes + scale.builders);
    let builders = caches.split_off(scale.nodes);
    (Trace { caches }, Trace { caches: builders })
}

/// The sizes of all objects of a trace, each once.
pub(super) fn footprint(requests: &[Request]) -> u64 {
    let mut seen = HashSet::new();
    requests.iter().filter(|request| seen.insert(request.key)).map(|request| request.size).sum()
}
