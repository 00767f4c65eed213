//! What an agent is told: by options, environment variables, or a file, and what it assumes where nothing is said.

use std::{
    fmt::Display,
    net::SocketAddr,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};
use larder_content::Share;
use larder_identity::tls::Identity;
use larder_service::telemetry::Format;
use serde::Deserialize;
use url::Url;

use crate::disk::Said;

/// Largest configuration file, in bytes.
const MAX_FILE: u64 = 1024 * 1024;

/// What may be said. The same names serve as options, as variables and as keys.
#[derive(Debug, Clone, Default, Args, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct Options {
    /// Where the hub is [default: http://127.0.0.1:5000]
    #[arg(long, value_name = "URL", env = "LARDER_HUB", hide_env_values = true)]
    hub: Option<String>,
    /// Go on although the way to the hub is not encrypted and leaves this machine
    #[arg(long, env = "LARDER_INSECURE_HUB", hide_env_values = true, num_args = 0..=1, default_missing_value = "true")]
    insecure_hub: Option<bool>,
    /// CA certificates (PEM) to trust for the hub, beside the system's
    #[arg(long, value_name = "FILE", env = "LARDER_HUB_CA", hide_env_values = true)]
    hub_ca: Option<PathBuf>,
    /// Certificate (PEM) to show to a hub that asks for one
    #[arg(long, value_name = "FILE", env = "LARDER_HUB_CERT", hide_env_values = true)]
    hub_cert: Option<PathBuf>,
    /// The certificate's key (PEM)
    #[arg(long, value_name = "FILE", env = "LARDER_HUB_KEY", hide_env_values = true)]
    hub_key: Option<PathBuf>,
    /// Where the engine reaches the mirror [default: 127.0.0.1:797]
    #[arg(long, value_name = "ADDR", env = "LARDER_LISTEN", hide_env_values = true)]
    listen: Option<String>,
    /// Where metrics and health are served; "off" for nowhere [default: 127.0.0.1:798]
    #[arg(long, value_name = "ADDR", env = "LARDER_METRICS", hide_env_values = true)]
    metrics: Option<String>,
    /// Where layers are kept [default: /var/lib/larder-agent/cache]
    #[arg(long, value_name = "DIR", env = "LARDER_CACHE_DIR", hide_env_values = true)]
    cache_dir: Option<PathBuf>,
    /// Most that kept layers may take, like 50GiB or 20% [default: 10% of the file system, at most 50GiB]
    #[arg(long, value_name = "SIZE", env = "LARDER_CACHE_SIZE", hide_env_values = true)]
    cache_size: Option<String>,
    /// What stays free on the cache's file system [default: 10%]
    #[arg(long, value_name = "SIZE", env = "LARDER_FREE_FLOOR", hide_env_values = true)]
    free_floor: Option<String>,
    /// Where the agent keeps what it must not forget [default: /var/lib/larder-agent/state]
    #[arg(long, value_name = "DIR", env = "LARDER_STATE_DIR", hide_env_values = true)]
    state_dir: Option<PathBuf>,
    /// The socket by which the other commands reach a running agent [default: /run/larder/agent.sock]
    #[arg(long, value_name = "PATH", env = "LARDER_ADMIN_SOCKET", hide_env_values = true)]
    admin_socket: Option<PathBuf>,
    /// The engine to configure: "docker", or "none" to run the mirror alone [default: docker]
    #[arg(long, value_name = "ENGINE", env = "LARDER_ENGINE", hide_env_values = true)]
    engine: Option<EngineKind>,
    /// The engine's socket [default: unix:///var/run/docker.sock]
    #[arg(long, value_name = "URL", env = "LARDER_DOCKER_HOST", hide_env_values = true)]
    docker_host: Option<String>,
    /// The folder of the engine's daemon.json [default: /etc/docker]
    #[arg(long, value_name = "DIR", env = "LARDER_DOCKER_CONFIG_DIR", hide_env_values = true)]
    docker_config_dir: Option<PathBuf>,
    /// What the engine calls that folder, where the agent sees it through a mount
    #[arg(long, value_name = "DIR", env = "LARDER_DOCKER_CONFIG_DIR_ON_HOST", hide_env_values = true)]
    docker_config_dir_on_host: Option<PathBuf>,
    /// The engine's pid file [default: /var/run/docker.pid]
    #[arg(long, value_name = "FILE", env = "LARDER_DOCKER_PID_FILE", hide_env_values = true)]
    docker_pid_file: Option<PathBuf>,
    /// Take the mirrors of others out of the engine's configuration; without it they stay, behind this one
    #[arg(long, env = "LARDER_ADOPT", hide_env_values = true, num_args = 0..=1, default_missing_value = "true")]
    adopt: Option<bool>,
    /// The task's id, by which the agent finds its own container; in a Swarm service {{.Task.ID}}
    #[arg(long, value_name = "ID", env = "LARDER_TASK_ID", hide_env_values = true)]
    task_id: Option<String>,
    /// What the engine does when the mirror cannot serve: "origin" sends it there at once, "none" (nodes without a way
    /// out) waits for the hub and serves the last known tags [default: origin]
    #[arg(long, value_name = "WHERE", env = "LARDER_FALLBACK", hide_env_values = true)]
    fallback: Option<Fallback>,
    /// The node's id; in a Swarm service {{.Node.ID}} [default: the host name]
    #[arg(long, value_name = "ID", env = "LARDER_NODE_ID", hide_env_values = true)]
    node_id: Option<String>,
    /// Seconds that running downloads may take when the agent stops [default: 30]
    #[arg(long, value_name = "SECONDS", env = "LARDER_DRAIN", hide_env_values = true)]
    drain: Option<u64>,
    /// Log lines for people ("text") or for machines ("json") [default: text]
    #[arg(long, value_name = "FORMAT", env = "LARDER_LOG_FORMAT", hide_env_values = true)]
    log_format: Option<LogFormat>,
    /// Least important log lines: error, warn, info, debug [default: info]
    #[arg(long, value_name = "LEVEL", env = "LARDER_LOG_LEVEL", hide_env_values = true)]
    log_level: Option<LogLevel>,
}

/// Which engine is configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum EngineKind {
    /// A Docker engine.
    Docker,
    /// None.
    None,
}

/// Where an engine goes when the mirror cannot serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Fallback {
    /// To the registry itself.
    Origin,
    /// Nowhere.
    None,
}

impl Fallback {
    /// How long a living hub is waited for. Engines give up after 30 s at the earliest.
    pub(crate) fn patience(self) -> Duration {
        match self {
            Self::Origin => Duration::from_secs(20),
            Self::None => Duration::from_secs(25),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
}

/// What holds.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// Scheme, host and port of the hub.
    pub(crate) hub: Url,
    /// CA files to trust for the hub beside the system's.
    pub(crate) hub_cas: Vec<PathBuf>,
    /// Who we are to a hub that asks.
    pub(crate) hub_identity: Option<Identity>,
    /// Where the engine reaches the mirror.
    pub(crate) listen: SocketAddr,
    /// Where metrics and health are served.
    pub(crate) metrics: Option<SocketAddr>,
    /// Where layers are kept.
    pub(crate) cache_dir: PathBuf,
    /// How much of the disk they may take.
    pub(crate) disk: Said,
    /// Where the journal is kept.
    pub(crate) state_dir: PathBuf,
    /// The admin socket.
    pub(crate) admin_socket: PathBuf,
    /// The engine to configure, if any.
    pub(crate) engine: Option<Engine>,
    /// Where the engine goes when the mirror cannot serve.
    pub(crate) fallback: Fallback,
    /// The node's id.
    pub(crate) node_id: Option<String>,
    /// How long running downloads may take at the end.
    pub(crate) drain: Duration,
    /// Form of a log line.
    pub(crate) log_format: Format,
    /// Least important log lines.
    pub(crate) log_level: &'static str,
}

/// The engine to configure.
#[derive(Debug, Clone)]
pub(crate) struct Engine {
    /// Its socket.
    pub(crate) socket: PathBuf,
    /// The folder of its daemon.json.
    pub(crate) config_dir: PathBuf,
    /// What the engine calls that folder, if we see it through a mount.
    pub(crate) config_dir_on_host: Option<PathBuf>,
    /// Its pid file.
    pub(crate) pid_file: PathBuf,
    /// Whether the mirrors of others go.
    pub(crate) adopt: bool,
    /// The id of the agent's own task, if it runs in a Swarm service.
    pub(crate) task_id: Option<String>,
}

impl Options {
    /// Reads a file.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let cannot = || format!("cannot use the configuration {}", path.display());
        if std::fs::metadata(path).with_context(cannot)?.len() > MAX_FILE {
            bail!("{}: it is larger than {MAX_FILE} bytes", cannot());
        }
        let text = std::fs::read_to_string(path).with_context(cannot)?;
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        serde_saphyr::from_str(&text).map_err(|error| anyhow::anyhow!("{}:\n{error}", cannot()))
    }

    /// What these options say, and where they say nothing, what `other` says.
    pub(crate) fn or(self, other: Self) -> Self {
        Self {
            hub: self.hub.or(other.hub),
            insecure_hub: self.insecure_hub.or(other.insecure_hub),
            hub_ca: self.hub_ca.or(other.hub_ca),
            hub_cert: self.hub_cert.or(other.hub_cert),
            hub_key: self.hub_key.or(other.hub_key),
            listen: self.listen.or(other.listen),
            metrics: self.metrics.or(other.metrics),
            cache_dir: self.cache_dir.or(other.cache_dir),
            cache_size: self.cache_size.or(other.cache_size),
            free_floor: self.free_floor.or(other.free_floor),
            state_dir: self.state_dir.or(other.state_dir),
            admin_socket: self.admin_socket.or(other.admin_socket),
            engine: self.engine.or(other.engine),
            docker_host: self.docker_host.or(other.docker_host),
            docker_config_dir: self.docker_config_dir.or(other.docker_config_dir),
            docker_config_dir_on_host: self.docker_config_dir_on_host.or(other.docker_config_dir_on_host),
            docker_pid_file: self.docker_pid_file.or(other.docker_pid_file),
            adopt: self.adopt.or(other.adopt),
            task_id: self.task_id.or(other.task_id),
            fallback: self.fallback.or(other.fallback),
            node_id: self.node_id.or(other.node_id),
            drain: self.drain.or(other.drain),
            log_format: self.log_format.or(other.log_format),
            log_level: self.log_level.or(other.log_level),
        }
    }
}

impl Settings {
    /// Fills in what was not said, and refuses what cannot be.
    pub(crate) fn new(options: Options) -> anyhow::Result<Self> {
        let folder = |said: Option<PathBuf>, default: &str| said.unwrap_or_else(|| default.into());
        let hub: Url = parse("hub", options.hub.as_deref().unwrap_or("http://127.0.0.1:5000"))?;
        check_hub(&hub, options.insecure_hub.unwrap_or(false))?;
        let listen: SocketAddr = parse("listen", options.listen.as_deref().unwrap_or("127.0.0.1:797"))?;
        if !listen.ip().is_loopback() {
            bail!(
                "listen: {listen} can be reached from other machines; the mirror is for this node's engine only, so give a loopback address such as 127.0.0.1:797"
            );
        }
        let metrics = match options.metrics.as_deref() {
            Some("off") => None,
            said => Some(parse("metrics", said.unwrap_or("127.0.0.1:798"))?),
        };
        let engine = match options.engine.unwrap_or(EngineKind::Docker) {
            EngineKind::None => None,
            EngineKind::Docker => Some(Engine {
                socket: socket(options.docker_host.as_deref().unwrap_or("unix:///var/run/docker.sock"))?,
                config_dir: folder(options.docker_config_dir, "/etc/docker"),
                config_dir_on_host: options.docker_config_dir_on_host,
                pid_file: folder(options.docker_pid_file, "/var/run/docker.pid"),
                adopt: options.adopt.unwrap_or(false),
                task_id: options.task_id.filter(|id| !id.is_empty()),
            }),
        };
        Ok(Self {
            hub,
            hub_cas: options.hub_ca.into_iter().collect(),
            hub_identity: match (options.hub_cert, options.hub_key) {
                (Some(certificate), Some(key)) => Some(Identity { certificate, key }),
                (None, None) => None,
                _ => bail!("hub-cert and hub-key go together: give both or neither"),
            },
            listen,
            metrics,
            cache_dir: folder(options.cache_dir, "/var/lib/larder-agent/cache"),
            disk: disk(options.cache_size.as_deref(), options.free_floor.as_deref())?,
            state_dir: folder(options.state_dir, "/var/lib/larder-agent/state"),
            admin_socket: folder(options.admin_socket, "/run/larder/agent.sock"),
            engine,
            fallback: options.fallback.unwrap_or(Fallback::Origin),
            node_id: options.node_id,
            drain: Duration::from_secs(options.drain.unwrap_or(30).min(24 * 3600)),
            log_format: match options.log_format.unwrap_or(LogFormat::Text) {
                LogFormat::Text => Format::Text,
                LogFormat::Json => Format::Json,
            },
            log_level: match options.log_level.unwrap_or(LogLevel::Info) {
                LogLevel::Error => "error",
                LogLevel::Warn => "warn",
                LogLevel::Info => "info",
                LogLevel::Debug => {
                    "info,larder_agent=debug,larder_proxy=debug,larder_content=debug,larder_service=debug"
                }
            },
        })
    }
}

fn check_hub(hub: &Url, insecure: bool) -> anyhow::Result<()> {
    let is_loopback = match hub.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => bail!("hub: {hub} names no host"),
    };
    match hub.scheme() {
        "https" => {}
        "http" if is_loopback || insecure => {}
        "http" => bail!(
            "hub: {hub} is not encrypted and leaves this machine: use https, or say --insecure-hub if the network is \
             trusted"
        ),
        other => bail!("hub: {other} is not http or https"),
    }
    if !hub.username().is_empty() || hub.password().is_some() || hub.query().is_some() || hub.path() != "/" {
        bail!("hub: write only scheme, host and port, such as https://hub.example.com:5000");
    }
    Ok(())
}

fn disk(cache_size: Option<&str>, free_floor: Option<&str>) -> anyhow::Result<Said> {
    let share = |name, said: Option<&str>| said.map(|text| parse::<Share>(name, text)).transpose();
    let said = Said { cache_size: share("cache-size", cache_size)?, free_floor: share("free-floor", free_floor)? };
    if said.cache_size.is_some_and(Share::is_nothing) {
        bail!("cache-size: a cache of no size keeps nothing: give it some GiB, or leave the option out");
    }
    if said.free_floor.is_some_and(Share::is_everything) {
        bail!("free-floor: if all of the disk stays free, nothing is left for the cache: lower it");
    }
    Ok(said)
}

pub(crate) fn socket(docker_host: &str) -> anyhow::Result<PathBuf> {
    match docker_host.strip_prefix("unix://") {
        Some(path) if path.starts_with('/') => Ok(path.into()),
        _ => bail!("docker-host: {docker_host} is not a Unix socket; write unix:///path/to/docker.sock"),
    }
}

fn parse<T: FromStr<Err: Display>>(name: &str, text: &str) -> anyhow::Result<T> {
    text.parse().map_err(|error| anyhow::anyhow!("{name}: {text:?}: {error}"))
}

#[cfg(test)]
mod tests;
