//! The policy and its rivals on generated traces.

mod cluster;
mod images;
mod ours;
mod random;
mod rivals;
mod traces;

use cluster::Scale;
use ours::{Ours, Variant};
use rivals::{GreedyDual, Lru, Policy, S3Fifo, Sieve, TinyLfu, belady};
use traces::{ORDINARY, Request, SCANS, SERVICES, Trace, agents, footprint, hub};

/// Hits and requests, in objects and in bytes.
#[derive(Debug, Default, Clone, Copy)]
struct Outcome {
    objects: (u64, u64),
    bytes: (u64, u64),
}

type Maker = fn(u64) -> Box<dyn Policy>;

const POLICIES: &[(&str, Maker)] = &[
    ("LRU", |capacity| Box::new(Lru::new(capacity))),
    ("SIEVE", |capacity| Box::new(Sieve::new(capacity))),
    ("S3-FIFO", |capacity| Box::new(S3Fifo::new(capacity))),
    ("W-TinyLFU, window 1 %", |capacity| Box::new(TinyLfu::new(capacity, 1))),
    ("W-TinyLFU, window 20 %", |capacity| Box::new(TinyLfu::new(capacity, 20))),
    ("GDSF, cost 1", |capacity| Box::new(GreedyDual::new(capacity, |_| 1.0))),
    ("GDSF, cost 1 MB + size", |capacity| Box::new(GreedyDual::new(capacity, |size| 1e6 + size))),
    ("LFU with dynamic aging", |capacity| Box::new(GreedyDual::new(capacity, |size| size))),
    ("this one", |capacity| Box::new(Ours::new(capacity, Variant::Real))),
    ("  every touch counts", |capacity| Box::new(Ours::new(capacity, Variant::NoWindow))),
    ("  one class of sizes", |capacity| Box::new(Ours::new(capacity, Variant::OneClass))),
    ("  restarts", |capacity| Box::new(Ours::new(capacity, Variant::Restarts))),
    ("  restarts, ranks lost", |capacity| Box::new(Ours::new(capacity, Variant::RestartsWithoutRanks))),
    ("  restarts, all lost", |capacity| Box::new(Ours::new(capacity, Variant::RestartsWithNothing))),
];

impl Outcome {
    /// Counts what comes after the first fifth of a trace, in which the cache gets warm.
    fn count(&mut self, requests: &[Request], hits: impl Iterator<Item = bool>) {
        for (request, hit) in requests.iter().zip(hits).skip(requests.len() / 5) {
            self.objects = (self.objects.0 + u64::from(hit), self.objects.1 + 1);
            self.bytes = (self.bytes.0 + if hit { request.size } else { 0 }, self.bytes.1 + request.size);
        }
    }

    /// Hits of objects and of bytes.
    fn percent(&self) -> [f64; 2] {
        [self.objects, self.bytes].map(|(hits, all)| 100.0 * hits as f64 / all as f64)
    }
}

/// Tries a policy with capacities of so many per cent of the footprint of what each cache sees.
fn run(traces: &[Trace], percent: u64, policy: impl Fn(u64) -> Box<dyn Policy>) -> Outcome {
    let mut outcome = Outcome::default();
    for requests in traces.iter().flat_map(|trace| &trace.caches) {
        let mut policy = policy(footprint(requests) / 100 * percent);
        outcome.count(requests, requests.iter().map(|request| policy.request(request)));
    }
    outcome
}

fn seeds(scale: &Scale, count: u64) -> impl Iterator<Item = Scale> {
    (1..=count).map(|seed| Scale { seed, ..scale.clone() })
}

/// The parts of clusters that a test has time for.
fn small_hubs(scale: &Scale) -> Vec<Trace> {
    let small = Scale { days: 6, nodes: 10, builders: 2, repositories: 80, tools: 30, services: 40, ..scale.clone() };
    seeds(&Scale { builds: scale.builds / 4.0, ..small }, 3).map(|scale| hub(&scale)).collect()
}

fn ours(traces: &[Trace], percent: u64, variant: Variant) -> [f64; 2] {
    run(traces, percent, |capacity| Box::new(Ours::new(capacity, variant))).percent()
}

#[test]
fn saves_requests_and_bytes_that_lru_would_cost() {
    for scale in [ORDINARY, SCANS, SERVICES] {
        let traces = small_hubs(&scale);
        let lru = run(&traces, 10, |capacity| Box::new(Lru::new(capacity))).percent();
        let ours = ours(&traces, 10, Variant::Real);
        assert!(ours[0] > lru[0] + 8.0 && ours[1] > lru[1] + 1.0, "objects and bytes {lru:?} {ours:?}");
    }
}

#[test]
fn restarts_cost_little() {
    let traces = small_hubs(&ORDINARY);
    for percent in [10, 20] {
        let [without, with] = [Variant::Real, Variant::Restarts].map(|variant| ours(&traces, percent, variant));
        assert!(with[0] > without[0] - 1.0 && with[1] > without[1] - 3.0, "objects and bytes {without:?} {with:?}");
    }
}

#[test]
#[ignore = "three minutes in release; a table to read"]
#[expect(clippy::print_stdout, reason = "the table is what it is for")]
fn table() {
    let hubs = |scale| seeds(scale, 3).map(|scale| hub(&scale)).collect::<Vec<_>>();
    let (nodes, builders) = seeds(&ORDINARY, 3).map(|scale| agents(&scale)).unzip();
    let traces = [
        ("hub", hubs(&ORDINARY)),
        ("hub, many scans and bursts", hubs(&SCANS)),
        ("hub, services only", hubs(&SERVICES)),
        ("nodes that run services", nodes),
        ("nodes that run builds", builders),
    ];
    for (name, traces) in &traces {
        let caches = || traces.iter().flat_map(|trace| &trace.caches);
        let requests: usize = caches().map(Vec::len).sum();
        let read: u64 = caches().flatten().map(|request| request.size).sum();
        let there: u64 = caches().map(|requests| footprint(requests)).sum();
        println!("\n{name}: {} caches, {requests} requests", caches().count());
        println!("{} GB read of {} GB", read / 1_000_000_000, there / 1_000_000_000);
        println!("{:24}{}", "capacity", CAPACITIES.map(|percent| format!("{percent:>11} %  ")).concat());
        row("Belady", |percent| {
            let mut outcome = Outcome::default();
            for requests in caches() {
                outcome.count(requests, belady(requests, footprint(requests) / 100 * percent).into_iter());
            }
            outcome
        });
        for (name, policy) in POLICIES {
            row(name, |percent| run(traces, percent, policy));
        }
    }
}

/// Per cent of the footprint.
const CAPACITIES: [u64; 4] = [5, 10, 20, 50];

#[expect(clippy::print_stdout, reason = "a row of the table")]
fn row(name: &str, outcome: impl Fn(u64) -> Outcome) {
    let cells = CAPACITIES.map(|capacity| {
        let [objects, bytes] = outcome(capacity).percent();
        format!("  {objects:>5.1} {bytes:>5.1} ")
    });
    println!("{name:24}{}", cells.concat());
}
