//! `larder-agent run …`.

use std::{
    ffi::OsString,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, Result};

use super::Daemon;
use crate::rig::{Rig, binaries, engine::Engine, ground::Ground, process::Launch};

/// An agent about to be started.
#[must_use = "nothing runs before start"]
pub struct AgentBuilder<'a> {
    ground: Arc<Ground>,
    name: String,
    hub: String,
    address: SocketAddr,
    observed_at: SocketAddr,
    folder: PathBuf,
    engine: Option<&'a Engine>,
    args: Vec<OsString>,
    env: Vec<(String, String)>,
    binary: Option<PathBuf>,
}

impl Rig {
    /// Prepares an agent called `name` of the hub at this URL, on free ports of the rig, without an engine.
    pub fn agent<'a>(&self, name: &str, hub: &str) -> AgentBuilder<'a> {
        let ground = self.ground();
        let (address, observed_at) = (ground.address(), ground.address());
        AgentBuilder {
            folder: ground.root().join(name),
            ground,
            name: name.to_owned(),
            hub: hub.to_owned(),
            address,
            observed_at,
            engine: None,
            args: vec![],
            env: vec![],
            binary: None,
        }
    }
}

impl<'a> AgentBuilder<'a> {
    /// Runs on this engine's node and cares for it: `--docker-host` and `--docker-config-dir` are the usual paths
    /// there.
    pub fn on(mut self, engine: &'a Engine) -> Self {
        self.engine = Some(engine);
        self
    }

    /// Listens here, instead of on a free port on 127.0.0.1.
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.address = address;
        self
    }

    /// Adds an argument.
    pub fn arg(mut self, arg: &str) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Sets a variable of its environment.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Runs this program instead of the one that was built.
    pub fn binary(mut self, path: &Path) -> Self {
        self.binary = Some(path.to_owned());
        self
    }

    /// The folder with its `cache`, its `state` and its admin socket `admin.sock`.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Starts it and waits until it is ready. A later start of the same [`Daemon`] is on the same node.
    ///
    /// # Errors
    /// When it is not built, ends, or does not get ready.
    pub fn start(mut self) -> Result<Daemon> {
        let binary = self.binary.take().map_or_else(|| binaries::find("larder-agent"), Ok)?;
        fs::create_dir(&self.folder).with_context(|| format!("is there a second {}?", self.name))?;
        let args = self.arguments();
        let (ground, name, env) = (Arc::clone(&self.ground), self.name.clone(), self.env);
        let node = self.engine.map(Engine::node_init);
        let recipe = move || {
            let launch = Launch::new(Arc::clone(&ground), &name, &binary).args(&args);
            let launch = env.iter().fold(launch, |launch, (name, value)| launch.env(name, value));
            match node {
                Some(init) => launch.in_node(init),
                None => launch.with_rig_hosts(),
            }
        };
        Daemon::start_new(self.ground, self.name, self.address, self.observed_at, Box::new(recipe))
    }

    fn arguments(&mut self) -> Vec<OsString> {
        let mut args: Vec<OsString> = vec!["run".into()];
        let mut set = |flag: &str, value: OsString| args.extend([flag.into(), value]);
        set("--hub", self.hub.clone().into());
        set("--listen", self.address.to_string().into());
        set("--metrics", self.observed_at.to_string().into());
        set("--cache-dir", self.folder.join("cache").into());
        set("--state-dir", self.folder.join("state").into());
        set("--admin-socket", self.folder.join("admin.sock").into());
        // What a test needs is not to depend on how full the machine's disk is. What it says itself comes later, and counts.
        if !self.args.iter().any(|arg| arg == "--free-floor" || arg == "--cache-size") {
            set("--cache-size", "100%".into());
            set("--free-floor", "0".into());
        }
        if self.engine.is_some() {
            set("--docker-host", "unix:///run/docker.sock".into());
            set("--docker-config-dir", "/etc/docker".into());
        }
        args.append(&mut self.args);
        args
    }
}
