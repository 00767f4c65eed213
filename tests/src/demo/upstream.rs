//! Where images come from: Docker Hub, or a registry here that plays its part.

use std::{fmt, time::Duration};

use anyhow::{Context as _, Result};

use super::images::{self, Names};
use crate::rig::{
    Rig,
    access::Entry,
    engine::EngineBuilder,
    gate::{Gate, WayOut},
    larder::HubBuilder,
    registry::{Registry, Rules},
};

/// Where Docker Hub speaks the registry protocol.
const DOCKER_HUB: &str = "https://registry-1.docker.io";

/// How long Docker Hub may take to be there.
const PATIENCE: Duration = Duration::from_secs(3);

/// Which one to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    DockerHub,
    Local,
}

pub(super) enum Upstream {
    /// One way out for each who takes from it, to know how much.
    DockerHub { hub: WayOut, engines: Vec<WayOut> },
    /// Under Docker Hub's names, and with its manners: TLS, and tokens for all.
    Local(Box<Registry>),
}

/// Bytes that an upstream has sent.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sent {
    pub(super) all: u64,
    /// Those that went to an engine, past Larder.
    pub(super) past_larder: u64,
}

/// Docker Hub would not give what was asked for: a reason to go on without it.
#[derive(Debug)]
pub(super) struct DockerHubFailed;

impl fmt::Display for DockerHubFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Docker Hub did not deliver")
    }
}

impl Upstream {
    /// Sets it up for this many engines.
    pub(super) fn start(rig: &Rig, gate: &Gate, place: Place, engines: usize) -> Result<(Self, Names)> {
        match place {
            Place::DockerHub => {
                let engines = (0..engines).map(|_| gate.way_out()).collect::<Result<_>>()?;
                Ok((Self::DockerHub { hub: gate.way_out()?, engines }, images::of_docker_hub()))
            }
            Place::Local => {
                let made = images::make(&rig.root().join("layers"))?;
                let registry = rig.docker_hub().tokens(Rules::new().public("library/*")).start()?;
                made.iter().try_for_each(|image| registry.load(image))?;
                Ok((Self::Local(Box::new(registry)), Names::of(&made)))
            }
        }
    }

    /// At the head of a column.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::DockerHub { .. } => "Docker Hub",
            Self::Local(_) => "Upstream",
        }
    }

    /// In a sentence.
    pub(super) fn in_words(&self) -> &'static str {
        match self {
            Self::DockerHub { .. } => "Docker Hub",
            Self::Local(_) => "upstream",
        }
    }

    /// Bytes that may pass where nothing is pulled: the TLS of a client that only looks.
    pub(super) fn noise(&self) -> u64 {
        match self {
            Self::DockerHub { .. } => 64 * 1024,
            Self::Local(_) => 0,
        }
    }

    /// Points a hub at it.
    pub(super) fn behind(&self, hub: HubBuilder) -> Result<HubBuilder> {
        let builder = hub.remote(DOCKER_HUB);
        Ok(match self {
            Self::DockerHub { hub, .. } => builder.by_way_of(hub),
            Self::Local(registry) => builder.trust(registry.ca_file().context("it has TLS")?),
        })
    }

    /// Lets an engine, the one with this index, reach it by itself.
    pub(super) fn within_reach<'a>(&self, engine: EngineBuilder<'a>, index: usize) -> EngineBuilder<'a> {
        match self {
            Self::DockerHub { engines, .. } => engine.by_way_of(&engines[index]),
            Self::Local(_) => engine,
        }
    }

    /// What it has sent so far; `hub_received` is what the hub says to have got from it.
    pub(super) fn sent(&self, hub_received: u64) -> Result<Sent> {
        match self {
            Self::DockerHub { engines, .. } => {
                let past_larder = engines.iter().map(WayOut::received).sum();
                Ok(Sent { all: hub_received + past_larder, past_larder })
            }
            Self::Local(registry) => {
                let log = registry.log()?;
                let bytes = |whose: fn(&Entry) -> bool| {
                    let gets = log.iter().filter(|entry| entry.method == "GET" && whose(entry));
                    gets.filter(|entry| matches!(entry.status, 200 | 206)).map(|entry| entry.bytes).sum()
                };
                let is_past_larder = |entry: &Entry| !entry.user_agent.starts_with("larder/");
                Ok(Sent { all: bytes(|_| true), past_larder: bytes(is_past_larder) })
            }
        }
    }
}

/// Whether Docker Hub answers this machine, as a registry does.
pub(super) fn docker_hub_answers() -> bool {
    // Only the first call in a process does anything, and everything here uses the same library.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return false };
    let answered = runtime.block_on(async {
        let ask = async {
            let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().ok()?;
            client.get(format!("{DOCKER_HUB}/v2/")).send().await.ok()
        };
        tokio::time::timeout(PATIENCE, ask).await.ok().flatten()
    });
    // A look-up of a name may still hang, and nobody waits for it.
    runtime.shutdown_background();
    // What a company's proxy has to say instead does not have this header.
    answered.is_some_and(|answer| {
        matches!(answer.status().as_u16(), 200 | 401)
            && answer.headers().contains_key("docker-distribution-api-version")
    })
}
