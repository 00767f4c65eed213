//! From settings to a running agent, and to its end.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use anyhow::Context as _;
use larder_content::{Limits, PullThrough};
use larder_proxy::{Freshness, Policy, Proxy, content_metrics::ContentCollector, metrics::ProxyCollector, upkeep};
use larder_service::{
    Health, Listener, Shutdown,
    admin::AdminSocket,
    descriptors,
    http::{Debug, Metrics, Requests},
    telemetry,
};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric as _},
    metrics::{MetricType, gauge::ConstGauge},
};
use tokio::sync::watch;

use crate::{
    admin::Admin,
    config::{Engine, Fallback, Settings},
    disk,
    engine::{canary::Canary, docker::DockerEngine},
    facts::Node,
    hub::{breaker::Breaker, session, upstream::Hub},
    keeper::Keeper,
    mirror::Mirror,
    runtime::{mirror_url::MirrorUrl, operation::Setup, target::ConfigDir},
    status::Sources,
};

/// A tag is answered without asking for what is left of the hub's own freshness, and no longer than this.
const FRESHNESS: Duration = Duration::from_secs(60);
/// How old the last known answer about a tag may be where there is nobody else to ask.
const STALE_LIMIT: Duration = Duration::from_secs(30 * 24 * 3600);
/// For how long a digest whose download went wrong is left to the origin.
const QUARANTINE: Duration = Duration::from_secs(600);
/// Memory for manifests, in bytes.
const MANIFEST_MEMORY: u64 = 16 * 1024 * 1024;

/// Runs an agent until it is told to stop.
pub(crate) fn run(settings: Settings) -> anyhow::Result<()> {
    telemetry::init(&telemetry::Settings {
        format: settings.log_format,
        level: settings.log_level.to_owned(),
        fields: Vec::new(),
    });
    descriptors::take_all();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start a runtime")?;
    let outcome = runtime.block_on(serve(settings));
    // A disk or a mount that hangs must not keep us from ending.
    runtime.shutdown_timeout(Duration::from_secs(2));
    outcome
}

async fn serve(settings: Settings) -> anyhow::Result<()> {
    if settings.hub.scheme() == "http" && !is_loopback(&settings.hub) {
        tracing::warn!(hub = %settings.hub, "the way to the hub is not encrypted: anybody on it can change what it says");
    }
    let started = SystemTime::now();
    let shutdown = Shutdown::new(settings.drain);
    let listener = Listener::bind(&[settings.listen], None).await?;
    // With nowhere else to go, a digest that went wrong once is worth another try.
    let quarantine = (settings.fallback == Fallback::Origin).then_some(QUARANTINE);
    let limits = Limits { quarantine, ..Limits::default() };
    let content = PullThrough::new(disk::open(&settings.cache_dir, settings.disk)?, limits);
    let breaker = Arc::new(Breaker::new(settings.fallback == Fallback::Origin));
    let policy = Policy {
        freshness: Freshness::AsTold { at_most: FRESHNESS },
        stale_limit: (settings.fallback == Fallback::None).then_some(STALE_LIMIT),
        manifest_memory: MANIFEST_MEMORY,
    };
    let proxy = Proxy::new(Hub::new(&settings, Arc::clone(&breaker))?, content.clone(), policy);

    let health = Health::default();
    let mut metrics = Metrics::new("larder-agent", env!("CARGO_PKG_VERSION"));
    metrics.collect(ProxyCollector(proxy.clone()));
    metrics.collect(ContentCollector(content.clone()));
    metrics.collect(HubCollector(Arc::clone(&breaker)));
    let requests = Requests::new(&mut metrics, false);
    let storage = health.condition("storage", "not tried yet");
    let tell = move |found| match found {
        Ok(()) => storage.met(),
        Err(why) => storage.failed(why),
    };
    upkeep::start(&content, tell, &shutdown);
    let canary = Canary::new();
    let mirror = Mirror::new(proxy, canary.clone(), settings.fallback.patience(), requests);

    shutdown.on_signals().context("cannot listen for signals")?;
    tracing::info!(
        mirror = %listener.address()?,
        hub = %settings.hub,
        cache = %settings.cache_dir.display(),
        "larder-agent {} serves",
        env!("CARGO_PKG_VERSION"),
    );
    let listener = listener.with_threads().context("cannot start threads for connections")?;
    shutdown.spawn(listener.serve(mirror, shutdown.clone()));

    let (facts, seen) = watch::channel(None);
    let (served, registries) = watch::channel(None);
    let keeper = settings.engine.as_ref().map(|engine| -> anyhow::Result<Keeper> {
        let condition = health.condition("engine", "not configured yet");
        Ok(Keeper::new(
            setup(&settings, engine)?,
            DockerEngine::new(engine, canary),
            condition,
            facts,
            registries.clone(),
        ))
    });
    let keeper = keeper.transpose()?;
    let admin = AdminSocket::bind(&settings.admin_socket).await?;
    let sources = Sources {
        started,
        settings: settings.clone(),
        content: content.clone(),
        breaker: Arc::clone(&breaker),
        registries,
        health: health.clone(),
        keeper: keeper.clone(),
    };
    shutdown.spawn(admin.serve(Admin { sources }, shutdown.clone()));
    if let Some(address) = settings.metrics {
        let listener = Listener::bind(&[address], None).await?;
        shutdown.spawn(listener.serve(Debug::new(health, metrics, "/metrics"), shutdown.clone()));
    }
    let node = Node::new(settings.node_id.clone(), &settings.cache_dir, seen);
    shutdown.spawn(session::keep(settings, breaker, node, served, shutdown.clone()));
    if let Some(keeper) = keeper {
        shutdown.spawn(keeper.keep(shutdown.clone()));
    }
    shutdown.complete().await;
    upkeep::finish(&content).await;
    tracing::info!("stopped");
    Ok(())
}

/// Where the engine's configuration is, and what is to be in it.
pub(crate) fn setup(settings: &Settings, engine: &Engine) -> anyhow::Result<Setup> {
    let mirror = MirrorUrl::parse(&format!("http://{}", settings.listen)).context("the mirror's address")?;
    let config = match &engine.config_dir_on_host {
        Some(host) => ConfigDir::mounted(&engine.config_dir, host),
        None => ConfigDir::on_host(&engine.config_dir),
    };
    Ok(Setup { config, state: settings.state_dir.clone(), mirror, adopt: engine.adopt })
}

fn is_loopback(url: &url::Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

/// Publishes whether the hub lives.
#[derive(Debug)]
struct HubCollector(Arc<Breaker>);

impl Collector for HubCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> std::fmt::Result {
        let gauge = ConstGauge::new(i64::from(self.0.is_closed()));
        let help = "Whether the hub answers (1), or misses are left to the origin (0)";
        gauge.encode(encoder.encode_descriptor("larder_hub_alive", help, None, MetricType::Gauge)?)
    }
}
