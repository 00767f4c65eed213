//! All that the story is about: upstream, hub, two nodes.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result};

use super::{
    images::Names,
    meter::{RECEIVED, Reading},
    node::{self, Node},
    screen::{Done, Screen, seconds},
    upstream::{Place, Upstream},
};
use crate::rig::{Rig, gate::Gate, larder::Daemon};

const NODES: usize = 2;

/// A hub lets downloads finish; there are none when the story stops it.
const PATIENCE: Duration = Duration::from_secs(40);

pub(super) struct Cluster {
    pub(super) nodes: Vec<Node>,
    pub(super) hub: Daemon,
    pub(super) upstream: Upstream,
    pub(super) names: Names,
    pub(super) gate: Gate,
    pub(super) rig: Arc<Rig>,
    /// What the hub has received, when it was last asked: it cannot be asked while it is stopped.
    hub_received: AtomicU64,
}

impl Cluster {
    /// Everything up and running, and every step of it shown.
    pub(super) fn set_up(screen: &Screen, rig: Arc<Rig>, place: Place) -> Result<Self> {
        let gate = rig.gate()?;
        let (upstream, names) = match place {
            Place::DockerHub => Upstream::start(&rig, &gate, place, NODES)?,
            Place::Local => screen.step("a local registry starts", "docker-hub", |_| {
                let (upstream, names) = Upstream::start(&rig, &gate, place, NODES)?;
                let has = format!("with {} and {}", names.main, names.other);
                Ok(Done::with((upstream, names)).saying(has))
            })?,
        };
        let hub =
            screen.step("the hub starts", "hub", |_| Ok(Done::with(upstream.behind(rig.hub("hub"))?.start()?)))?;
        let mut nodes = Vec::new();
        for index in 0..NODES {
            let name = format!("node-{}", index + 1);
            let engine = screen.step(&format!("{name}: the engine starts"), &name, |_| {
                let engine = node::start_engine(&rig, &upstream, index)?;
                let version = node::version(&engine)?;
                Ok(Done::with(engine).saying(format!("Docker {version}")))
            })?;
            let agent = format!("{name}-agent");
            nodes.push(screen.step(&format!("{name}: the agent sets it up"), &agent, |_| {
                let node = Node::start(&rig, engine, &hub, index)?;
                let outcome = format!("confirmed in {}", seconds(node.confirmed_in));
                Ok(Done::with(node).saying(outcome))
            })?);
        }
        Ok(Self { nodes, hub, upstream, names, gate, rig, hub_received: AtomicU64::new(0) })
    }

    /// What has passed so far, seen from this node.
    pub(super) fn reading(&self, node: &Node) -> Result<Reading> {
        if self.hub.process().is_ok() {
            self.hub_received.store(self.hub.metrics()?.sum(RECEIVED) as u64, Ordering::Relaxed);
        }
        let sent = self.upstream.sent(self.hub_received.load(Ordering::Relaxed))?;
        Ok(Reading::new(sent, &node.agent.metrics()?))
    }

    /// Ends the hub as its operator would.
    pub(super) fn stop_hub(&self) -> Result<()> {
        let ended = self.hub.stop(PATIENCE)?;
        ended.success().then_some(()).with_context(|| format!("the hub ended with {ended}"))
    }

    /// As before the hub was stopped and Larder was taken out.
    pub(super) fn begin_again(&self) -> Result<()> {
        self.hub.start()?;
        self.nodes.iter().try_for_each(Node::begin_again)
    }
}
