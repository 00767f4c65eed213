//! A node: an engine and its agent.

use std::{
    net::SocketAddr,
    time::{Duration, UNIX_EPOCH},
};

use anyhow::{Context as _, Result, ensure};

use super::upstream::Upstream;
use crate::rig::{Rig, binaries, engine::Engine, larder::Daemon, until};

/// What a person may have in `daemon.json` before Larder comes.
const DAEMON_JSON: &str = r#"{
  "log-driver": "json-file",
  "log-opts": { "max-size": "10m", "max-file": "3" }
}
"#;

/// The agent's own default; the nodes of a rig share their loopback, so each has an address of its own on it.
const MIRROR_PORT: u16 = 797;

/// An engine confirms within a second. Agents have to end in time, too.
const PATIENCE: Duration = Duration::from_secs(40);

pub(super) struct Node {
    pub(super) name: String,
    pub(super) engine: Engine,
    pub(super) agent: Daemon,
    /// From the change of `daemon.json` to the engine's word that it goes by it.
    pub(super) confirmed_in: Duration,
}

/// The engine of the node with this index, without an agent.
pub(super) fn start_engine(rig: &Rig, upstream: &Upstream, index: usize) -> Result<Engine> {
    let engine = rig.engine(&format!("node-{}", index + 1)).daemon_json(DAEMON_JSON);
    upstream.within_reach(engine, index).start()
}

/// Its version, as people say it.
pub(super) fn version(engine: &Engine) -> Result<String> {
    let info = engine.info()?;
    let whole = info["ServerVersion"].as_str().context("an engine knows its version")?;
    Ok(whole.split(['+', '~']).next().unwrap_or(whole).to_owned())
}

impl Node {
    /// Puts an agent beside an engine, and waits until the engine pulls through it.
    pub(super) fn start(rig: &Rig, engine: Engine, hub: &Daemon, index: usize) -> Result<Self> {
        let name = engine.name().to_owned();
        let address = SocketAddr::from(([127, 0, 0, u8::try_from(index + 1)?], MIRROR_PORT));
        let agent = rig.agent(&format!("{name}-agent"), &hub.url()).on(&engine).listen(address);
        let agent = agent.arg("--node-id").arg(&name).start()?;
        let mirrors = engine.mirrors()?;
        ensure!(mirrors == [format!("{}/", agent.url())], "the engine's mirrors are {mirrors:?}");
        let confirmed_in = confirmed_in(&engine)?;
        Ok(Self { name, engine, agent, confirmed_in })
    }

    /// `daemon.json` as it was, and as it is.
    pub(super) fn daemon_json(&self) -> (&'static str, String) {
        (DAEMON_JSON, self.engine.daemon_json().unwrap_or_default())
    }

    /// Removes the one image that is on it.
    pub(super) fn forget(&self, reference: &str) -> Result<()> {
        self.engine.rmi(reference)
    }

    /// Takes Larder out, as a person on the node would, and looks whether nothing of it is left.
    pub(super) fn restore(&self, rig: &Rig) -> Result<()> {
        let folder = rig.root().join(self.agent.name());
        let restore = self.engine.command(&format!("{}-restore", self.name), binaries::find("larder-agent")?);
        restore
            .args(["restore", "--docker-host", "unix:///run/docker.sock", "--docker-config-dir", "/etc/docker"])
            .arg(format!("--listen={}", self.agent.address()))
            .arg(format!("--admin-socket={}", folder.join("admin.sock").display()))
            .arg(format!("--state-dir={}", folder.join("state").display()))
            .finish(PATIENCE)?
            .success()?;
        let (before, after) = self.daemon_json();
        ensure!(before == after, "daemon.json of {} is not what it was:\n{after}", self.name);
        let mirrors = self.engine.mirrors()?;
        ensure!(mirrors.is_empty(), "{} still has mirrors: {mirrors:?}", self.name);
        Ok(())
    }

    /// Empties its engine and starts its agent anew: after a restore that is how it takes care of the engine again.
    pub(super) fn begin_again(&self) -> Result<()> {
        self.engine.wipe()?;
        self.agent.stop(PATIENCE)?;
        self.agent.start()
    }
}

/// By the clock of the one machine both are on: when the file was last written, and when the engine said that it had
/// read it.
fn confirmed_in(engine: &Engine) -> Result<Duration> {
    let file = std::fs::metadata(engine.config_folder().join("daemon.json"))?;
    let written = u64::try_from(file.modified()?.duration_since(UNIX_EPOCH)?.as_nanos())?;
    until("the engine's word that it read daemon.json", PATIENCE, || {
        let events = engine.events()?;
        let reloads = events.iter().filter(|event| event["Type"] == "daemon" && event["Action"] == "reload");
        let times = reloads.filter_map(|event| event["timeNano"].as_u64());
        Ok(times.filter_map(|time| time.checked_sub(written)).map(Duration::from_nanos).min())
    })
}
