//! The configuration as the hub uses it: plain types, every default filled in, nothing left to check but the world.
//!
//! Paths are as written. Whether they exist is for whoever opens them to say.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use http::{HeaderMap, StatusCode};
use larder_content::Bounds;
use secrecy::SecretString;
use url::Url;

use super::address::ListenAddress;

/// Everything the hub is told.
#[derive(Debug)]
pub(crate) struct Config {
    /// What is logged.
    pub(crate) log: Log,
    /// Listeners.
    pub(crate) http: Http,
    /// Where content is kept.
    pub(crate) storage: Storage,
    /// The registry whose images are cached.
    pub(crate) upstream: Upstream,
    /// How long an answer about a tag may be used.
    pub(crate) freshness: Freshness,
    /// The checks behind the health endpoint.
    pub(crate) health: Health,
}

/// `log`
#[derive(Debug)]
pub(crate) struct Log {
    /// Least important messages that are logged.
    pub(crate) level: Level,
    /// Form of a log line.
    pub(crate) formatter: Formatter,
    /// Added to each line; nested values are written out as text.
    pub(crate) fields: BTreeMap<String, String>,
    /// Whether each request is logged.
    pub(crate) access_log: bool,
}

/// Least important messages that are logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    /// Only what failed.
    Error,
    /// Also what should be looked at.
    Warn,
    /// Also what is worth knowing.
    Info,
    /// Everything.
    Debug,
}

/// Form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Formatter {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
    /// JSON with the field names that Logstash expects.
    Logstash,
}

/// `http`
#[derive(Debug)]
pub(crate) struct Http {
    /// Where engines and agents reach the hub.
    pub(crate) addr: ListenAddress,
    /// HTTPS, if a certificate is given.
    pub(crate) tls: Option<Tls>,
    /// Added to each answer.
    pub(crate) headers: HeaderMap,
    /// How long running answers may take when the hub stops.
    pub(crate) drain_timeout: Duration,
    /// Where health and metrics are served; `None` if that is switched off.
    pub(crate) debug_addr: Option<ListenAddress>,
    /// The path of the metrics there; `None` if they are switched off.
    pub(crate) metrics_path: Option<String>,
}

/// `http.tls`
#[derive(Debug)]
pub(crate) struct Tls {
    /// Certificate chain, PEM.
    pub(crate) certificate: PathBuf,
    /// Its private key, PEM.
    pub(crate) key: PathBuf,
    /// What is asked of clients; `None` for nothing.
    pub(crate) clients: Option<Clients>,
    /// Whether TLS 1.2 is refused too; anything older always is.
    pub(crate) only_tls13: bool,
}

/// What is asked of clients. There is at least one CA file.
#[derive(Debug)]
pub(crate) struct Clients {
    /// CA files, PEM, that client certificates must come from.
    pub(crate) cas: Vec<PathBuf>,
    /// How much is asked.
    pub(crate) auth: ClientAuth,
}

/// How much is asked of clients, by Go's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClientAuth {
    /// A certificate is asked for, and never checked.
    Request,
    /// There must be one, and it is not checked.
    RequireAny,
    /// One that is sent is checked.
    VerifyIfGiven,
    /// There must be one, and it is checked.
    RequireAndVerify,
}

/// `storage`
#[derive(Debug)]
pub(crate) struct Storage {
    /// The folder that holds `docker/registry/v2`.
    pub(crate) root: PathBuf,
    /// How much of its disk may be taken: `larder.cachesize` and `larder.freefloor`. The size is not nothing, the floor
    /// not everything.
    pub(crate) bounds: Bounds,
}

/// `proxy`, or MSR's `middleware.registry` of the name `downstream`: they say the same.
#[derive(Debug)]
pub(crate) struct Upstream {
    /// The registry: `http` or `https`, no user info, no query. A path, if there is one, goes before `/v2/`.
    pub(crate) url: Url,
    /// The registry whose images it has, where that is not itself: `host` or `host:port`.
    pub(crate) registry: Option<String>,
    /// The login there.
    pub(crate) login: Option<Login>,
    /// CA files, PEM, to trust for it beside the system's: `cas` of `downstream` and `larder.ca`.
    pub(crate) ca_files: Vec<PathBuf>,
    /// Hosts, perhaps with a port and in lower case, that it may send us to for tokens, beside its own.
    pub(crate) realms: Vec<String>,
    /// How long after it came content is dropped; never 0. `None`: age alone drops nothing, content stays until its
    /// room is needed. That is also what `ttl: 0`, no `ttl` and `storage.delete.enabled: false` come to.
    pub(crate) ttl: Option<Duration>,
    /// Longest time for the download of one blob; never 0. `None`: a download ends only when nothing more arrives.
    pub(crate) cache_write_timeout: Option<Duration>,
}

/// How to log in at the upstream.
#[derive(Debug)]
pub(crate) enum Login {
    /// Given in the configuration.
    Password {
        /// The user.
        username: String,
        /// Its password or token.
        password: SecretString,
    },
    /// Asked of a Docker credential helper.
    Helper {
        /// The helper's command.
        command: String,
        /// How long its answer is used: zero for one request, `None` as long as the hub runs.
        lifetime: Option<Duration>,
    },
}

/// How long an answer about a tag may be used.
#[derive(Debug)]
pub(crate) struct Freshness {
    /// This long without asking the upstream; zero to ask each time.
    pub(crate) tag: Duration,
    /// This long while the upstream fails; zero to serve nothing stale.
    pub(crate) stale_limit: Duration,
}

/// `health`
#[derive(Debug)]
pub(crate) struct Health {
    /// Check of the storage; `None` if that is switched off.
    pub(crate) storage: Option<Pace>,
    /// Unhealthy while one of these exists. Such a check fails at the first time.
    pub(crate) files: Vec<FileCheck>,
    /// Unhealthy unless each of these answers.
    pub(crate) http: Vec<HttpCheck>,
    /// Unhealthy unless each of these accepts.
    pub(crate) tcp: Vec<TcpCheck>,
}

/// When a check runs and when it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pace {
    /// Time between runs; never 0.
    pub(crate) interval: Duration,
    /// Failures in a row that make it unhealthy; at least 1.
    pub(crate) threshold: u32,
}

/// Unhealthy while `path` exists.
#[derive(Debug)]
pub(crate) struct FileCheck {
    /// The file that takes the hub out of service.
    pub(crate) path: PathBuf,
    /// Time between looks; never 0.
    pub(crate) interval: Duration,
}

/// Unhealthy unless `url` answers HEAD with `status`.
#[derive(Debug)]
pub(crate) struct HttpCheck {
    /// The URL; no user info.
    pub(crate) url: Url,
    /// Sent along; every value is marked sensitive.
    pub(crate) headers: HeaderMap,
    /// The answer that is well.
    pub(crate) status: StatusCode,
    /// Longest wait; never 0.
    pub(crate) timeout: Duration,
    /// When it runs and counts.
    pub(crate) pace: Pace,
}

/// Unhealthy unless `address` accepts a connection.
#[derive(Debug)]
pub(crate) struct TcpCheck {
    /// `host:port`, to be resolved at each run.
    pub(crate) address: String,
    /// Longest wait; never 0.
    pub(crate) timeout: Duration,
    /// When it runs and counts.
    pub(crate) pace: Pace,
}
