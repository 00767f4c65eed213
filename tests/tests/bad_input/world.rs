//! A hub in front of an upstream, and an agent in front of the hub.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use anyhow::{Result, ensure};
use larder_tests::rig::{
    Rig,
    larder::{Daemon, HubBuilder},
    until,
};
use serde_json::json;

use super::store;

/// The two tiers, by the names they have in tables and as daemons.
pub(crate) const TIERS: [&str; 2] = ["hub", "agent"];

/// The password that a hub with a login has. It must never be seen anywhere else.
pub(crate) const PASSWORD: &str = "s3cret-of-the-hub";

/// Hub and agent of one name.
pub(crate) struct World<'a> {
    pub(crate) rig: &'a Rig,
    name: String,
    pub(crate) hub: Daemon,
    pub(crate) agent: Daemon,
}

impl<'a> World<'a> {
    /// A hub that calls the registry at `upstream` docker.io, and an agent without an engine.
    pub(crate) fn start(
        rig: &'a Rig,
        name: &str,
        upstream: &str,
        adjust: impl FnOnce(HubBuilder) -> HubBuilder,
    ) -> Result<Self> {
        let hub = rig.hub(&format!("{name}-hub")).remote(upstream);
        let hub = adjust(hub.adjust(|config| config["larder"]["registry"] = json!("docker.io"))).start()?;
        let agent = rig.agent(&format!("{name}-agent"), &hub.url()).arg("--engine").arg("none").start()?;
        let world = Self { rig, name: name.to_owned(), hub, agent };
        world.agent_sees_hub()?;
        Ok(world)
    }

    /// Waits until the agent asks the hub, which it does not while it has not heard of it.
    pub(crate) fn agent_sees_hub(&self) -> Result<()> {
        until("the agent to hear of its hub", Duration::from_secs(10), || {
            Ok((self.agent.metrics()?.sum("larder_hub_alive") == 1.0).then_some(()))
        })
    }

    /// The daemon of a tier.
    pub(crate) fn tier(&self, tier: &str) -> &Daemon {
        if tier == "hub" { &self.hub } else { &self.agent }
    }

    /// Where it listens.
    pub(crate) fn address(&self, tier: &str) -> SocketAddr {
        self.tier(tier).address()
    }

    /// The folder that it keeps content in.
    pub(crate) fn folder(&self, tier: &str) -> PathBuf {
        let folder = if tier == "hub" { "data" } else { "cache" };
        self.rig.root().join(format!("{}-{tier}", self.name)).join(folder)
    }

    /// After everything: both serve, end with 0, have logged neither a panic nor a secret, and leave in their folders
    /// what belongs there.
    pub(crate) fn farewell(&self) -> Result<Vec<String>> {
        let mut wrong = Vec::new();
        for tier in TIERS {
            let daemon = self.tier(tier);
            let base = daemon.get("/v2/").limit(Duration::from_secs(5)).send()?;
            ensure!(base.status == 200, "{tier} does not serve any more: {base:?}");
        }
        for tier in ["agent", "hub"] {
            let daemon = self.tier(tier);
            let status = daemon.stop(Duration::from_secs(40))?;
            if status.code() != Some(0) {
                wrong.push(format!("{tier} ended with {status}"));
            }
            wrong.extend(log_is_clean(&daemon.logs()).map(|line| format!("{tier} logged: {line}")));
            wrong
                .extend(store::unknown_files(&self.folder(tier))?.into_iter().map(|file| format!("{tier} has {file}")));
        }
        let agent = self.rig.root().join(format!("{}-agent", self.name));
        for entry in std::fs::read_dir(agent)? {
            let entry = entry?.file_name();
            if entry != "cache" && entry != "state" {
                wrong.push(format!("the agent left {}", entry.display()));
            }
        }
        Ok(wrong)
    }
}

/// The lines of a log that tell of a panic or hold a secret.
pub(crate) fn log_is_clean(log: &str) -> impl Iterator<Item = &str> {
    let bad = [
        "panicked",
        "RUST_BACKTRACE",
        "stack backtrace",
        PASSWORD,
        larder_tests::rig::faults::TOKEN,
        "Basic ",
        "Bearer ",
    ];
    log.lines().filter(move |line| bad.iter().any(|bad| line.contains(bad)))
}
