//! `larder-agent status`: how this node stands, for people and for programs. What is said is put together here; how it
//! looks is for `render`.

mod render;

use std::time::{Duration, SystemTime};

use anyhow::{Context as _, bail};
use http::{Method, StatusCode};
use jiff::Timestamp;
use larder_content::PullThrough;
use larder_service::{
    Health,
    admin::{self, AskError},
};
use serde::{Deserialize, Serialize};

use crate::{
    config::Settings,
    keeper::{Keeper, status::KeeperStatus},
};

/// A running agent answers at once.
const DEADLINE: Duration = Duration::from_secs(10);

/// How a node stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Status {
    pub(crate) version: String,
    /// When the agent started.
    pub(crate) started: Timestamp,
    pub(crate) hub: HubStatus,
    /// Absent where the agent keeps no engine.
    pub(crate) engine: Option<KeeperStatus>,
    pub(crate) cache: CacheStatus,
    /// What is not as it should be.
    pub(crate) alarms: Vec<Alarm>,
}

/// The hub, as it is seen from here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HubStatus {
    pub(crate) url: String,
    /// Whether it answers.
    pub(crate) alive: bool,
    /// What it serves, once it said so.
    pub(crate) registries: Option<Vec<String>>,
}

/// The cache, since the agent started. Amounts are in bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CacheStatus {
    pub(crate) folder: String,
    /// On the disk, downloads under way among them.
    pub(crate) bytes: u64,
    /// The most that it may take.
    pub(crate) most: Option<u64>,
    pub(crate) blobs: u64,
    pub(crate) downloads: u64,
    /// Blobs asked for, and how many of them were here.
    pub(crate) requests: u64,
    pub(crate) hits: u64,
    /// What the engine got, and what came from the hub for it.
    pub(crate) served_bytes: u64,
    pub(crate) fetched_bytes: u64,
}

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Alarm {
    /// Where: `engine`, `storage`, `hub`.
    pub(crate) of: String,
    /// What is wrong, and what to do.
    pub(crate) what: String,
}

/// What a running agent puts its status together from.
#[derive(Debug, Clone)]
pub(crate) struct Sources {
    pub(crate) started: SystemTime,
    pub(crate) settings: Settings,
    pub(crate) content: PullThrough,
    pub(crate) breaker: std::sync::Arc<crate::hub::breaker::Breaker>,
    pub(crate) registries: tokio::sync::watch::Receiver<Option<Vec<larder_oci::Registry>>>,
    pub(crate) health: Health,
    pub(crate) keeper: Option<Keeper>,
}

impl Sources {
    /// How things are now.
    pub(crate) fn status(&self) -> Status {
        let Self { started, settings, content, breaker, registries, health, keeper } = self;
        let (counters, usage) = (content.counters(), content.usage());
        let alive = breaker.is_closed();
        let mut alarms: Vec<Alarm> = health.failures().into_iter().map(|(of, what)| Alarm { of, what }).collect();
        if !alive {
            let what = format!(
                "{} does not answer, so what is not on this node is pulled from the registries themselves: is it running, \
                 and can this node reach it?",
                settings.hub
            );
            alarms.push(Alarm { of: "hub".to_owned(), what });
        }
        let registries = registries.borrow().as_ref().map(|all| all.iter().map(ToString::to_string).collect());
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started: Timestamp::try_from(*started).unwrap_or(Timestamp::UNIX_EPOCH),
            hub: HubStatus { url: settings.hub.to_string(), alive, registries },
            engine: keeper.as_ref().map(Keeper::status),
            cache: CacheStatus {
                folder: settings.cache_dir.display().to_string(),
                bytes: usage.mirrored + usage.downloading,
                most: usage.capacity,
                blobs: usage.blobs,
                downloads: content.downloads() as u64,
                requests: counters.hits.get() + counters.misses.get(),
                hits: counters.hits.get(),
                served_bytes: counters.served_from_disk_bytes.get() + counters.served_from_download_bytes.get(),
                fetched_bytes: counters.fetched_bytes.get(),
            },
            alarms,
        }
    }
}

/// What came of the command.
pub(crate) struct Shown {
    /// The text to print.
    pub(crate) text: String,
    /// Whether nothing is wrong.
    pub(crate) is_well: bool,
}

/// Asks the running agent.
pub(crate) fn run(settings: &Settings, json: bool) -> anyhow::Result<Shown> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start")?;
    let asked = runtime.block_on(admin::ask(&settings.admin_socket, Method::GET, "/status", DEADLINE));
    let answer = match asked {
        Ok((StatusCode::OK, answer)) => answer,
        Ok((status, answer)) => bail!("the agent answered {status}: {}", String::from_utf8_lossy(&answer).trim_end()),
        Err(error @ AskError::Absent { .. }) => {
            bail!("{error}; is the agent running, and with the same --admin-socket?")
        }
        Err(error) => return Err(error.into()),
    };
    let status: Status = serde_json::from_slice(&answer).context("the agent's answer is not understood")?;
    let is_well = status.alarms.is_empty();
    let text = if json { serde_json::to_string_pretty(&status)? } else { render::table(&status, Timestamp::now()) };
    Ok(Shown { text, is_well })
}
