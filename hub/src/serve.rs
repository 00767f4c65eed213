//! From a configuration to a running hub, and to its end.

use std::time::Duration;

use anyhow::Context as _;
use larder_content::{Limits, PullThrough};
use larder_identity::tls::{self, ServerSettings};
use larder_proto::{MAX_MESSAGE, v1::fleet_server::FleetServer};
use larder_proxy::{Freshness, Policy, Proxy, content_metrics::ContentCollector, metrics::ProxyCollector, upkeep};
use larder_service::{
    Health, Listener, Shutdown, descriptors,
    http::{Debug, Metrics, Requests},
    telemetry,
};
use tonic::service::Routes;

use crate::{
    access::{
        exposure::{self, Exposure},
        filled,
    },
    checks,
    config::{self, Config, Formatter, Level, ListenAddress, Loaded},
    disk::{self, Look, StorageCondition},
    fleet::{Nodes, NodesCollector, Sessions},
    front::Front,
    sweep,
    upstream::Configured,
};

/// Memory for manifests, in bytes: some thousands of them.
const MANIFEST_MEMORY: u64 = 32 * 1024 * 1024;

/// How long an upstream may give nothing of a blob. What waits for the hub waits for 30 s.
const STALL: Duration = Duration::from_secs(18);

/// Runs a hub until it is told to stop.
pub(crate) fn run(loaded: Loaded) -> anyhow::Result<()> {
    telemetry::init(&logging(&loaded.config.log));
    descriptors::take_all();
    for warning in &loaded.warnings {
        tracing::warn!("configuration: {}", warning.to_string().trim_end());
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start a runtime")?;
    let outcome = runtime.block_on(serve(loaded.config));
    // A disk or a mount that hangs must not keep us from ending.
    runtime.shutdown_timeout(Duration::from_secs(2));
    outcome
}

async fn serve(config: Config) -> anyhow::Result<()> {
    let Config { log, http, storage, upstream, freshness, health: health_checks } = config;
    let shutdown = Shutdown::new(http.drain_timeout);
    let tls = http.tls.as_ref().map(|tls| tls::server(&settings(tls), tls::ALPN_ANY)).transpose()?;
    let is_secure = tls.is_some();
    let listener = bind(&http.addr, tls).await?;
    let limits = Limits { download_time: upstream.cache_write_timeout, stall: STALL, ..Limits::default() };
    let content = PullThrough::new(disk::open(&storage)?, limits);
    let has_login = upstream.login.is_some();
    exposure::permit(Exposure {
        has_login,
        was_filled: filled::note(&storage.root, has_login).context("cannot mark the folder as filled with a login")?,
        verifies_clients: http.tls.as_ref().is_some_and(verifies_clients),
        // What was bound, not what its name seems to say.
        is_loopback: listener.address()?.ip().is_loopback(),
    })
    .map_err(anyhow::Error::msg)?;
    let upstreams = Configured::new(&upstream)?;
    let registry = upstreams.registry().clone();
    let policy = Policy {
        freshness: Freshness::Fixed(freshness.tag),
        stale_limit: (!freshness.stale_limit.is_zero()).then_some(freshness.stale_limit),
        manifest_memory: MANIFEST_MEMORY,
    };
    let proxy = Proxy::new(upstreams, content.clone(), policy);
    let nodes = Nodes::default();

    let health = Health::default();
    let mut metrics = Metrics::new("larder-hub", env!("CARGO_PKG_VERSION"));
    metrics.collect(ProxyCollector(proxy.clone()));
    metrics.collect(ContentCollector(content.clone()));
    metrics.collect(NodesCollector(nodes.clone()));
    let requests = Requests::new(&mut metrics, log.access_log);
    let condition = StorageCondition::new(&health, health_checks.storage.is_some());
    checks::start(health_checks, &content, &condition, &health, &shutdown)?;
    upkeep::start(&content, move |found| condition.say(Look::Use, found), &shutdown);
    if let Some(ttl) = upstream.ttl {
        sweep::start(proxy.clone(), ttl, &shutdown);
    }
    if let Some(address) = &http.debug_addr {
        let pages_listener = bind(address, None).await?;
        tracing::info!(address = %pages_listener.address()?, "metrics and health");
        let pages = Debug::new(health, metrics, http.metrics_path.as_deref().unwrap_or_default());
        shutdown.spawn(pages_listener.serve(pages, shutdown.clone()));
    }
    let sessions = Sessions::new(nodes, vec![registry.to_string()], shutdown.clone());
    let fleet =
        FleetServer::new(sessions).max_decoding_message_size(MAX_MESSAGE).max_encoding_message_size(MAX_MESSAGE);
    let front = Front::new(proxy, Routes::new(fleet), http.headers, requests);

    shutdown.on_signals().context("cannot listen for signals")?;
    tracing::info!(
        address = %listener.address()?,
        tls = is_secure,
        registry = %registry,
        upstream = %upstream.url,
        storage = %storage.root.display(),
        "larder-hub {} serves",
        env!("CARGO_PKG_VERSION"),
    );
    let listener = listener.with_threads().context("cannot start threads for connections")?;
    shutdown.spawn(listener.serve(front, shutdown.clone()));
    shutdown.complete().await;
    upkeep::finish(&content).await;
    tracing::info!("stopped");
    Ok(())
}

async fn bind(address: &ListenAddress, tls: Option<rustls::ServerConfig>) -> anyhow::Result<Listener> {
    let resolved =
        tokio::task::block_in_place(|| address.resolve()).with_context(|| format!("cannot listen on {address}"))?;
    Ok(Listener::bind(&resolved, tls).await?)
}

fn verifies_clients(tls: &config::Tls) -> bool {
    // Of the others, one that must be there is verified as well (see `settings`).
    let required = [config::ClientAuth::RequireAny, config::ClientAuth::RequireAndVerify];
    tls.clients.as_ref().is_some_and(|clients| required.contains(&clients.auth))
}

fn settings(tls: &config::Tls) -> ServerSettings {
    let client_auth = match &tls.clients {
        None => tls::ClientAuth::None,
        Some(clients) => match clients.auth {
            // Asked for and never checked: the same as not asking.
            config::ClientAuth::Request => tls::ClientAuth::None,
            config::ClientAuth::VerifyIfGiven => tls::ClientAuth::IfGiven(clients.cas.clone()),
            // A certificate that nobody checks keeps nobody out; checking it is what the CAs are given for.
            config::ClientAuth::RequireAny | config::ClientAuth::RequireAndVerify => {
                tls::ClientAuth::Required(clients.cas.clone())
            }
        },
    };
    ServerSettings {
        certificate: tls.certificate.clone(),
        key: tls.key.clone(),
        client_auth,
        only_tls13: tls.only_tls13,
    }
}

fn logging(log: &config::Log) -> telemetry::Settings {
    let level = match log.level {
        Level::Error => "error",
        Level::Warn => "warn",
        Level::Info => "info",
        // Of our own code: what the libraries say at this level is for their authors.
        Level::Debug => {
            "info,larder=debug,larder_hub=debug,larder_proxy=debug,larder_content=debug,larder_distribution=debug,larder_service=debug"
        }
    };
    telemetry::Settings {
        format: match log.formatter {
            Formatter::Text => telemetry::Format::Text,
            Formatter::Json => telemetry::Format::Json,
            Formatter::Logstash => telemetry::Format::Logstash,
        },
        level: level.to_owned(),
        fields: log.fields.clone().into_iter().collect(),
    }
}
