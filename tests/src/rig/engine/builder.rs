//! How an engine is set up before it starts.

use std::{fs, sync::Mutex};

use anyhow::{Context as _, Result};
use serde_json::{Map, Value, json};

use super::{Engine, node::Node};
use crate::rig::{Rig, gate::WayOut};

/// An engine about to be started.
#[must_use = "nothing runs before start"]
pub struct EngineBuilder<'a> {
    rig: &'a Rig,
    name: String,
    config: Map<String, Value>,
    text: Option<String>,
    flags: Vec<String>,
    way_out: Option<Vec<(String, String)>>,
}

impl Rig {
    /// Prepares an engine called `name`. Its Docker Hub is [`Rig::docker_hub`] if that runs, and otherwise refuses it; it
    /// trusts the rig's authority.
    pub fn engine(&self, name: &str) -> EngineBuilder<'_> {
        EngineBuilder { rig: self, name: name.to_owned(), config: Map::new(), text: None, flags: vec![], way_out: None }
    }
}

impl EngineBuilder<'_> {
    /// Adds a mirror of Docker Hub, `http://HOST:PORT`, to `daemon.json`.
    pub fn mirror(mut self, url: &str) -> Self {
        let mirrors = self.config.entry("registry-mirrors").or_insert_with(|| json!([]));
        if let Value::Array(mirrors) = mirrors {
            mirrors.push(json!(url));
        }
        self
    }

    /// Sets a key of `daemon.json`. Without any there is no such file, as on a fresh machine.
    pub fn setting(mut self, key: &str, value: Value) -> Self {
        self.config.insert(key.to_owned(), value);
        self
    }

    /// Starts with this very `daemon.json`, to the byte, instead of one made of [`Self::setting`] and
    /// [`Self::mirror`].
    pub fn daemon_json(mut self, text: &str) -> Self {
        self.text = Some(text.to_owned());
        self
    }

    /// Reaches the real Docker Hub, and registries anywhere, by this way out of the rig. It trusts whom this process
    /// trusts, and not the rig's authority.
    pub fn by_way_of(mut self, way_out: &WayOut) -> Self {
        self.way_out = Some(way_out.environment());
        self
    }

    /// Adds a flag to `dockerd`'s own.
    pub fn flag(mut self, flag: &str) -> Self {
        self.flags.push(flag.to_owned());
        self
    }

    /// Starts it and waits until it answers.
    ///
    /// # Errors
    /// When it does not; the message has the end of its log.
    pub fn start(self) -> Result<Engine> {
        let ground = self.rig.ground();
        let folder = ground.root().join(&self.name);
        fs::create_dir(&folder).with_context(|| format!("is there a second {}?", self.name))?;
        let config = folder.join("etc-docker");
        fs::create_dir(&config)?;
        let node = Node::start(&ground, &self.name, &config)?;
        let mut flags = vec![
            format!("--data-root={}", folder.join("data").display()),
            format!("--host=unix://{}", folder.join("docker.sock").display()),
            "--host=unix:///run/docker.sock".to_owned(),
            // The rig finds and removes its control groups by this name.
            format!("--cgroup-parent=/{}", ground.name()),
        ];
        flags.extend(["--bridge=none", "--iptables=false", "--ip6tables=false"].map(str::to_owned));
        flags.extend(self.flags);
        let ca = ground.ca().file().display().to_string();
        let env = self.way_out.unwrap_or_else(|| vec![("SSL_CERT_FILE".to_owned(), ca)]);
        let engine = Engine { ground, name: self.name, folder, flags, env, node, daemon: Mutex::default() };
        if let Some(text) = self.text {
            fs::write(engine.config_folder().join("daemon.json"), text).context("writing daemon.json")?;
        } else if !self.config.is_empty() {
            engine.write_daemon_json(&Value::Object(self.config))?;
        }
        engine.start()?;
        Ok(engine)
    }
}
