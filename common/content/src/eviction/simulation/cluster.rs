//! What happens in a cluster, and which objects its engines ask for because of it.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{
    images::{DOCUMENTS, Image, Images, Repository},
    random::Zipf,
};

mod events;

const DAY: f64 = 86_400.0;

/// How big and how busy it is.
#[derive(Clone)]
pub(super) struct Scale {
    pub(super) seed: u64,
    pub(super) days: u32,
    /// Nodes that run services. After them come those that run builds, with a new engine for each; the last node is a
    /// scanner.
    pub(super) nodes: usize,
    pub(super) builders: usize,
    /// The first are run as services and built, the others are tools that builds pull.
    pub(super) repositories: usize,
    pub(super) tools: usize,
    pub(super) services: usize,
    /// How often a day: a build is pulled by many at once, and never again; a build pulls a tool; a replica moves.
    pub(super) bursts: f64,
    pub(super) builds: f64,
    pub(super) moves: f64,
    /// Images scanned each night, out of ten nights' worth that nobody else asks for.
    pub(super) scanned: usize,
}

/// One engine's request for one object.
#[derive(Clone, Copy)]
pub(super) struct Pull {
    pub(super) at: u32,
    pub(super) node: usize,
    pub(super) key: u32,
}

enum Event {
    Release(usize),
    Deploy(usize, bool),
    Rebuild,
    Move,
    Drain,
    Burst,
    Build,
    Scan,
    Prune,
    Pull(usize, Image),
}

struct Cluster {
    scale: Scale,
    images: Images,
    repositories: Vec<Repository>,
    /// Of a service, its repository and the nodes it runs on.
    services: Vec<(usize, Vec<usize>)>,
    popular_tool: Zipf,
    archive: Vec<Image>,
    /// The layers of each node's engine, and when they were last wanted.
    engines: Vec<HashMap<u32, u32>>,
    /// By time in milliseconds, then in the order of planning.
    agenda: BTreeMap<(u64, u64), Event>,
    planned: u64,
    pulls: Vec<Pull>,
}

/// Runs a cluster, and gives all requests in order of time, and the sizes of the objects.
pub(super) fn run(scale: &Scale) -> (Vec<Pull>, Vec<u64>) {
    let mut cluster = Cluster::new(scale.clone());
    while let Some(((millis, _), event)) = cluster.agenda.pop_first() {
        let now = millis as f64 / 1000.0;
        if now >= f64::from(scale.days) * DAY {
            break;
        }
        cluster.happens(now, event);
    }
    cluster.pulls.sort_by_key(|pull| pull.at);
    (cluster.pulls, cluster.images.sizes)
}

impl Cluster {
    fn new(scale: Scale) -> Self {
        let mut images = Images::new(scale.seed);
        let repositories: Vec<_> = (0..scale.repositories + scale.tools).map(|_| images.repository()).collect();
        let archive = (0..10 * scale.scanned).map(|_| images.repository().current).collect();
        let popular = Zipf::new(scale.repositories, 0.6);
        let services = (0..scale.services).map(|_| {
            let repository = popular.draw(&mut images.random);
            let everywhere = images.random.chance(0.06);
            let replicas = if everywhere { scale.nodes } else { 1 + images.random.exponential(2.0) as usize };
            let start = images.random.below(scale.nodes);
            (repository, (0..replicas.min(scale.nodes)).map(|n| (start + 7 * n) % scale.nodes).collect())
        });
        let services = services.collect();
        let mut cluster = Self {
            images,
            repositories,
            services,
            popular_tool: Zipf::new(scale.tools, 0.9),
            archive,
            engines: vec![HashMap::new(); scale.nodes],
            agenda: BTreeMap::new(),
            planned: 0,
            pulls: Vec::new(),
            scale,
        };
        for repository in 0..cluster.repositories.len() {
            let first = cluster.images.random.unit() * cluster.period(repository);
            cluster.plan(first, Event::Release(repository));
        }
        for service in 0..cluster.services.len() {
            cluster.plan(0.0, Event::Deploy(service, false));
        }
        for event in [Event::Rebuild, Event::Move, Event::Drain, Event::Burst, Event::Build] {
            cluster.plan(60.0, event);
        }
        cluster.plan(2.0 * 3600.0, Event::Scan);
        cluster.plan(3.0 * 3600.0, Event::Prune);
        cluster
    }

    fn plan(&mut self, at: f64, event: Event) {
        self.planned += 1;
        self.agenda.insert(((at * 1000.0) as u64, self.planned), event);
    }

    /// A repository's mean time between releases: days for what the cluster runs, weeks for tools.
    fn period(&self, repository: usize) -> f64 {
        if repository < self.scale.repositories { (1 + repository % 9) as f64 * DAY } else { 21.0 * DAY }
    }

    fn again(&mut self, now: f64, a_day: f64, event: Event) {
        let pause = self.images.random.exponential(DAY / a_day);
        self.plan(now + pause, event);
    }

    /// An engine asks for documents always, for layers it does not have; a builder's engine never has any.
    fn pull(&mut self, now: f64, node: usize, image: &Image) {
        let now = now as u32;
        for (n, key) in image.iter().enumerate() {
            let had = n >= DOCUMENTS && self.engines.get_mut(node).is_some_and(|had| had.insert(*key, now).is_some());
            if !had {
                self.pulls.push(Pull { at: now + n as u32 / 3, node, key: *key });
            }
        }
    }

    /// Engines drop what no service of theirs runs and nobody wanted for two days.
    fn prune(&mut self, now: f64) {
        let Self { engines, services, repositories, .. } = self;
        for (node, engine) in engines.iter_mut().enumerate() {
            let runs = services.iter().filter(|(_, nodes)| nodes.contains(&node));
            let runs: HashSet<u32> = runs.flat_map(|(of, _)| repositories[*of].current.iter().copied()).collect();
            engine.retain(|layer, last| runs.contains(layer) || now < f64::from(*last) + 2.0 * DAY);
        }
        self.plan(now + DAY, Event::Prune);
    }
}
