//! The engine as people use it: by the `docker` program.

use std::{fs, path::Path, sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::Engine;
use crate::rig::{
    process::{Finished, Launch},
    registry::Credentials,
};

const DEBIAN: &str = "/usr/bin/docker";

/// Longer than an engine's own longest fallback (80 s, classic store, mirror killed in mid-blob).
const LIMIT: Duration = Duration::from_secs(180);

/// The `docker` program: the one that Debian ships with its engine, if a newer one is installed beside it. 29 refuses
/// 20.10.
pub(crate) fn program() -> &'static str {
    if Path::new(DEBIAN).exists() { DEBIAN } else { "docker" }
}

impl Engine {
    /// Runs `docker ARGS` against this engine, with a configuration of its own.
    ///
    /// # Errors
    /// When it fails, with all it wrote in the message.
    pub fn docker(&self, args: &[&str]) -> Result<Finished> {
        self.try_docker(LIMIT, args)?.success()
    }

    /// The same, for what may fail or take its time.
    ///
    /// # Errors
    /// When it does not end within `limit`; not when it fails.
    pub fn try_docker(&self, limit: Duration, args: &[&str]) -> Result<Finished> {
        let launch = Launch::new(Arc::clone(&self.ground), &format!("{}-docker", self.name), program());
        let launch = launch.env("DOCKER_CONFIG", self.cli_folder()).env("DOCKER_BUILDKIT", "0");
        launch.arg("--host").arg(self.host()).args(args).finish(limit)
    }

    /// Pulls an image; [`Finished::elapsed`] is how long it took.
    ///
    /// # Errors
    /// When the pull fails.
    pub fn pull(&self, reference: &str) -> Result<Finished> {
        self.docker(&["pull", reference])
    }

    /// Runs a command in a fresh container and hands back what it wrote. The container's network is the rig's.
    ///
    /// # Errors
    /// When the command fails.
    pub fn run(&self, reference: &str, command: &[&str]) -> Result<String> {
        let args = ["run", "--rm", "--network", "host", reference];
        Ok(self.docker(&[&args, command].concat())?.stdout)
    }

    /// Removes a reference and, if it was the last, the image.
    ///
    /// # Errors
    /// When it is in use or not there.
    pub fn rmi(&self, reference: &str) -> Result<()> {
        self.docker(&["rmi", reference]).map(drop)
    }

    /// Removes all images, so that the next pull is a first one.
    ///
    /// # Errors
    /// When one is in use.
    pub fn wipe(&self) -> Result<()> {
        let ids = self.docker(&["images", "--quiet", "--no-trunc", "--all"])?.stdout;
        let mut ids: Vec<&str> = ids.lines().collect();
        ids.sort_unstable();
        ids.dedup();
        if ids.is_empty() {
            return Ok(());
        }
        self.docker(&[&["rmi", "--force"], ids.as_slice()].concat()).map(drop)
    }

    /// Logs `docker` in at `registry` (`HOST:PORT`, or `https://index.docker.io/v1/` for Docker Hub), as
    /// `docker login` would, but without asking anybody.
    ///
    /// # Errors
    /// When the configuration cannot be written.
    pub fn log_in(&self, registry: &str, who: &Credentials) -> Result<()> {
        let auth = STANDARD.encode(format!("{}:{}", who.user, who.password));
        let file = self.cli_folder().join("config.json");
        let mut config: Value = fs::read(&file).ok().and_then(|b| serde_json::from_slice(&b).ok()).unwrap_or(json!({}));
        config["auths"][registry] = json!({ "auth": auth });
        fs::write(file, serde_json::to_vec_pretty(&config)?).context("writing docker's config.json")
    }
}
