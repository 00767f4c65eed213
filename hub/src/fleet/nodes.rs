//! Which agents have a session now, and what they said of themselves.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use larder_proto::v1::{Hello, ImageStore};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric as _},
    metrics::{MetricType, gauge::ConstGauge},
};

/// The agents with a session. Clones are the same list.
#[derive(Debug, Clone, Default)]
pub(crate) struct Nodes(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    /// By session: a node that reconnects may have two for a moment.
    sessions: HashMap<u64, Hello>,
    next: u64,
}

/// A node's place in the list, given up when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    nodes: Nodes,
    session: u64,
}

impl Nodes {
    /// Takes a place for the agent that said `hello`.
    pub(crate) fn enter(&self, hello: Hello) -> Place {
        tracing::info!(node = hello.node_id, host = hello.host_name, agent = hello.agent_version, "agent connected");
        log_engine(&hello);
        let mut inner = self.lock();
        let session = inner.next;
        inner.next += 1;
        inner.sessions.insert(session, hello);
        Place { nodes: self.clone(), session }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// The agent said hello again.
    pub(crate) fn update(&self, hello: Hello) {
        log_engine(&hello);
        self.nodes.lock().sessions.insert(self.session, hello);
    }
}

fn log_engine(hello: &Hello) {
    if let Some(engine) = &hello.engine {
        let store = store_name(engine.image_store());
        tracing::info!(
            node = hello.node_id,
            version = engine.version,
            api = engine.api_version,
            store,
            "engine of agent"
        );
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(hello) = self.nodes.lock().sessions.remove(&self.session) {
            tracing::info!(node = hello.node_id, host = hello.host_name, "agent disconnected");
        }
    }
}

fn store_name(store: ImageStore) -> &'static str {
    match store {
        ImageStore::Unspecified => "none",
        ImageStore::Classic => "classic",
        ImageStore::Containerd => "containerd",
    }
}

/// Publishes how many agents are connected.
#[derive(Debug)]
pub(crate) struct NodesCollector(pub(crate) Nodes);

impl Collector for NodesCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let connected = self.0.lock().sessions.len();
        let gauge = ConstGauge::new(i64::try_from(connected).unwrap_or(i64::MAX));
        gauge.encode(encoder.encode_descriptor("larder_agents", "Agents with a session", None, MetricType::Gauge)?)
    }
}
