//! Real Docker engines, each on a node of its own.
//!
//! A node has its own mounts and process numbers, so that paths on it are the usual ones (`/etc/docker`,
//! `/run/docker.sock`, `/run/docker.pid`) and a helper container with the host's process namespace sees that engine
//! alone. Its network is the rig's: 127.0.0.1 is shared by all nodes of a rig.

mod api;
mod builder;
mod cli;
mod node;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::{
    ground::Ground,
    poll::until,
    process::{Launch, Process, Signal},
};
use node::Node;

pub use api::ApiReply;
pub use builder::EngineBuilder;
pub(crate) use cli::program as docker_program;

/// An engine is up within two seconds; this is for machines that are busy with something else.
const READY: Duration = Duration::from_secs(60);
/// Engines give containers ten seconds to end.
const STOP: Duration = Duration::from_secs(40);

/// A `dockerd` with its containerd and all that belongs to it.
///
/// Dropping it ends it and its containers at once.
pub struct Engine {
    ground: Arc<Ground>,
    name: String,
    folder: PathBuf,
    flags: Vec<String>,
    env: Vec<(String, String)>,
    node: Node,
    daemon: Mutex<Option<Process>>,
}

impl Engine {
    /// What it was called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its API, as seen from anywhere on this machine. On its node `/run/docker.sock` leads there as well.
    pub fn socket(&self) -> PathBuf {
        self.folder.join("docker.sock")
    }

    /// [`Self::socket`] as a `-H` or `DOCKER_HOST` value.
    pub fn host(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// What is `/etc/docker` on its node: `daemon.json`, `certs.d`.
    pub fn config_folder(&self) -> PathBuf {
        self.folder.join("etc-docker")
    }

    /// Where it keeps images and containers.
    pub fn data_root(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// `daemon.json` as it is now; `None` if there is none.
    pub fn daemon_json(&self) -> Option<String> {
        fs::read_to_string(self.config_folder().join("daemon.json")).ok()
    }

    /// Replaces `daemon.json`. The engine reads it after [`Self::reload`] or [`Self::restart`].
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_daemon_json(&self, content: &Value) -> Result<()> {
        let text = serde_json::to_string_pretty(content)?;
        fs::write(self.config_folder().join("daemon.json"), text).context("writing daemon.json")
    }

    /// The number of `dockerd` in the machine's own process namespace, where the test runs.
    ///
    /// # Errors
    /// When it is stopped.
    pub fn pid(&self) -> Result<i32> {
        Ok(self.daemon()?.pid())
    }

    /// What `dockerd` and containerd have said so far.
    pub fn logs(&self) -> String {
        fs::read_to_string(self.ground.log_file(&self.name)).unwrap_or_default()
    }

    /// Prepares another program on this engine's node, under `name`: it finds the engine at the usual paths.
    pub fn command(&self, name: &str, program: impl AsRef<std::ffi::OsStr>) -> Launch {
        Launch::new(Arc::clone(&self.ground), name, program).in_node(self.node.init())
    }

    /// Lets it read `daemon.json` again (SIGHUP). There is no answer: look for the `reload` event or at
    /// [`Self::info`].
    ///
    /// # Errors
    /// When it is stopped.
    pub fn reload(&self) -> Result<()> {
        self.daemon()?.signal(Signal::HUP);
        Ok(())
    }

    /// Ends it as its service manager would (SIGTERM). The node stays.
    ///
    /// # Errors
    /// When it does not end in time.
    pub fn stop(&self) -> Result<()> {
        let daemon = self.daemon()?;
        daemon.terminate(STOP)?;
        self.forget(&daemon);
        Ok(())
    }

    /// Lets it crash (SIGKILL). The node stays, and so do containers.
    ///
    /// # Errors
    /// When it is stopped already.
    pub fn kill(&self) -> Result<()> {
        let daemon = self.daemon()?;
        daemon.kill()?;
        self.forget(&daemon);
        Ok(())
    }

    /// Starts it after [`Self::stop`] or [`Self::kill`].
    ///
    /// # Errors
    /// When it does not come up, or runs.
    pub fn start(&self) -> Result<()> {
        let launch = self.command(&self.name, "dockerd").args(&self.flags).expendable();
        let daemon = self.env.iter().fold(launch, |launch, (name, value)| launch.env(name, value)).start()?;
        *self.daemon.lock().unwrap_or_else(PoisonError::into_inner) = Some(daemon.clone());
        until(&format!("engine {} to answer", self.name), READY, || {
            daemon.still_running()?;
            Ok(self.api("GET", "/_ping").ok().filter(|reply| reply.status == 200))
        })?;
        Ok(())
    }

    /// [`Self::stop`] and [`Self::start`].
    ///
    /// # Errors
    /// As those two.
    pub fn restart(&self) -> Result<()> {
        self.stop()?;
        self.start()
    }

    /// The first process of its node, to start others beside it.
    pub(crate) fn node_init(&self) -> i32 {
        self.node.init()
    }

    fn daemon(&self) -> Result<Process> {
        let daemon = self.daemon.lock().unwrap_or_else(PoisonError::into_inner);
        daemon.clone().with_context(|| format!("engine {} is stopped", self.name))
    }

    fn forget(&self, daemon: &Process) {
        self.ground.forget(daemon);
        *self.daemon.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The folder of the `docker` program's own configuration, empty at first.
    fn cli_folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // With the node's first process the kernel ends all others on it. The rig does it in any case.
        let _ = self.node.end();
    }
}
