//! `larder-hub serve --config FILE`.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::Daemon;
use crate::rig::{
    Rig, binaries,
    gate::WayOut,
    ground::Ground,
    process::Launch,
    registry::{Credentials, Registry},
};

/// A hub about to be started.
#[must_use = "nothing runs before start"]
pub struct HubBuilder {
    ground: Arc<Ground>,
    name: String,
    address: SocketAddr,
    observed_at: SocketAddr,
    folder: PathBuf,
    config: Value,
    text: Option<String>,
    env: Vec<(String, String)>,
    binary: Option<PathBuf>,
    descriptors: Option<u32>,
}

impl Rig {
    /// Prepares a hub called `name` on free ports of the rig. Its configuration is that of CNCF distribution with a
    /// filesystem store in the rig and a debug server, and leaves no room free; it has no upstream yet.
    pub fn hub(&self, name: &str) -> HubBuilder {
        let ground = self.ground();
        let (address, observed_at) = (ground.address(), ground.address());
        let folder = ground.root().join(name);
        let config = json!({
            "version": 0.1,
            "storage": { "filesystem": { "rootdirectory": folder.join("data") } },
            "http": {
                "addr": address.to_string(),
                "debug": { "addr": observed_at.to_string(), "prometheus": { "enabled": true, "path": "/metrics" } },
            },
            // What a test needs is not to depend on how full the machine's disk is.
            "larder": { "freefloor": "0" },
        });
        HubBuilder {
            ground,
            name: name.to_owned(),
            address,
            observed_at,
            folder,
            config,
            text: None,
            env: vec![],
            binary: None,
            descriptors: None,
        }
    }
}

impl HubBuilder {
    /// Mirrors this registry: its URL, its user if it has one, its authority if it has TLS.
    pub fn upstream(self, registry: &Registry) -> Self {
        let hub = self.remote(registry.url());
        let hub = match registry.credentials() {
            Some(who) => hub.credentials(who),
            None => hub,
        };
        match registry.ca_file() {
            Some(ca) => hub.trust(ca),
            None => hub,
        }
    }

    /// Mirrors the registry at this URL (`proxy.remoteurl`).
    pub fn remote(self, url: &str) -> Self {
        let url = json!(url);
        self.adjust(|config| config["proxy"]["remoteurl"] = url)
    }

    /// Pulls as this user (`proxy.username`, `proxy.password`).
    pub fn credentials(self, who: &Credentials) -> Self {
        let (user, password) = (json!(who.user), json!(who.password));
        self.adjust(|config| {
            config["proxy"]["username"] = user;
            config["proxy"]["password"] = password;
        })
    }

    /// Trusts this authority (`larder.ca`); may be said for several.
    pub fn trust(self, ca: &Path) -> Self {
        let ca = json!(ca);
        self.adjust(|config| match &mut config["larder"]["ca"] {
            Value::Array(all) => all.push(ca),
            none => *none = json!([ca]),
        })
    }

    /// Changes the configuration file, given as JSON (which is YAML), before the start.
    pub fn adjust(mut self, change: impl FnOnce(&mut Value)) -> Self {
        change(&mut self.config);
        self
    }

    /// Starts from this file instead of the one that the other methods make, as somebody has it who runs another cache.
    /// `ADDRESS` in it becomes the hub's address; where the hub is observed is set by `REGISTRY_HTTP_DEBUG_ADDR`.
    pub fn text(mut self, text: &str) -> Self {
        self.text = Some(text.replace("ADDRESS", &self.address.to_string()));
        let observed_at = self.observed_at.to_string();
        self.env("REGISTRY_HTTP_DEBUG_ADDR", &observed_at)
    }

    /// Sets a variable of its environment, such as `REGISTRY_PROXY_REMOTEURL`.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Reaches its upstream by this way out of the rig.
    pub fn by_way_of(mut self, way_out: &WayOut) -> Self {
        self.env.extend(way_out.environment());
        self
    }

    /// Runs this program instead of the one that was built.
    pub fn binary(mut self, path: &Path) -> Self {
        self.binary = Some(path.to_owned());
        self
    }

    /// May have so many files and connections open at a time, and no more.
    pub fn descriptors(mut self, most: u32) -> Self {
        self.descriptors = Some(most);
        self
    }

    /// Starts it and waits until it is ready.
    ///
    /// # Errors
    /// When it is not built, ends, or does not get ready.
    pub fn start(self) -> Result<Daemon> {
        let binary = self.binary.map_or_else(|| binaries::find("larder-hub"), Ok)?;
        fs::create_dir(&self.folder).with_context(|| format!("is there a second {}?", self.name))?;
        let file = self.folder.join("config.yml");
        let text = self.text.map_or_else(|| serde_json::to_string_pretty(&self.config), Ok)?;
        fs::write(&file, text)?;
        let (ground, name, env) = (Arc::clone(&self.ground), self.name.clone(), self.env);
        let limit = self.descriptors.map(|most| format!("--nofile={most}:{most}"));
        let recipe = move || {
            let launch = |program: &Path| Launch::new(Arc::clone(&ground), &name, program);
            let launch = match &limit {
                None => launch(&binary),
                // It replaces itself by the hub.
                Some(limit) => launch(Path::new("prlimit")).args([limit, "--"]).arg(&binary),
            };
            let launch = launch.args(["serve", "--config"]).arg(&file);
            env.iter().fold(launch, |launch, (name, value)| launch.env(name, value)).with_rig_hosts()
        };
        Daemon::start_new(self.ground, self.name, self.address, self.observed_at, Box::new(recipe))
    }
}
