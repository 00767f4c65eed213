//! The engine by its API: what it is, what it uses, and making it ask for the canary.

use std::{path::Path, time::Duration};

use anyhow::Context as _;
use bollard::{API_DEFAULT_VERSION, Docker};
use larder_proto::v1::{Engine as EngineFactsUp, ImageStore};

use super::canary::Canary;
use crate::{
    config,
    runtime::{
        engine::{Dialect, Engine, EngineFacts},
        reload::Reloader,
    },
};

/// How long one call of the API may take, in seconds. The canary's goes through a ping of every endpoint, which an
/// origin that drops packets makes last 15 s (engines from 23 on).
const DEADLINE_S: u64 = 30;

/// The engine behind a socket.
#[derive(Debug, Clone)]
pub(crate) struct DockerEngine {
    socket: String,
    reloader: Reloader,
    canary: Canary,
}

impl DockerEngine {
    /// The engine of `settings`, which asks for `canary` when told to. Nothing is connected yet.
    pub(crate) fn new(settings: &config::Engine, canary: Canary) -> Self {
        let reloader = Reloader::new(&settings.socket).with_pid_file(&settings.pid_file);
        Self { socket: settings.socket.to_string_lossy().into_owned(), reloader, canary }
    }

    /// A connection whose API version both sides speak. Made anew each time: the engine may have been exchanged.
    async fn api(&self) -> anyhow::Result<Docker> {
        let cannot = || format!("cannot reach the engine at {}", self.socket);
        if !Path::new(&self.socket).exists() {
            anyhow::bail!("{}: there is no such socket", cannot());
        }
        let docker = Docker::connect_with_unix(&self.socket, DEADLINE_S, API_DEFAULT_VERSION).with_context(cannot)?;
        docker.negotiate_version().await.with_context(cannot)
    }

    /// What it is, as the hub is told.
    pub(crate) async fn describe(&self) -> anyhow::Result<EngineFactsUp> {
        let docker = self.api().await?;
        let (version, info) = (docker.version().await?, docker.info().await?);
        // The containerd store shows itself by its status (`driver-type`), not by the name of its driver.
        let status = info.driver_status.unwrap_or_default();
        let is_containerd = status.iter().flatten().any(|text| text.starts_with("io.containerd.snapshotter"));
        let store = if is_containerd { ImageStore::Containerd } else { ImageStore::Classic };
        Ok(EngineFactsUp {
            version: version.version.unwrap_or_default(),
            api_version: docker.client_version().to_string(),
            image_store: store.into(),
        })
    }
}

impl Engine for DockerEngine {
    async fn facts(&self) -> anyhow::Result<EngineFacts> {
        let version = self.api().await?.version().await?.version.unwrap_or_default();
        let dockerd = self.reloader.find().await?;
        tracing::debug!(?dockerd, "found dockerd");
        Ok(EngineFacts {
            dialect: Dialect::of_version(&version),
            mirror_flag: dockerd.mirror_flag(),
            config_file: dockerd.config_file(),
        })
    }

    async fn mirrors(&self) -> anyhow::Result<Vec<String>> {
        let info = self.api().await?.info().await?;
        Ok(info.registry_config.and_then(|registries| registries.mirrors).unwrap_or_default())
    }

    async fn reload(&self) -> anyhow::Result<()> {
        let dockerd = self.reloader.find().await?;
        tracing::info!("telling dockerd to read its configuration again (SIGHUP)");
        Ok(dockerd.hang_up()?)
    }

    async fn canary(&self) -> anyhow::Result<()> {
        let mut seen = self.canary.watch();
        seen.mark_unchanged();
        let docker = self.api().await?;
        let (reference, asking) = (self.canary.reference(), Duration::from_secs(DEADLINE_S));
        // What the engine makes of the answer does not matter: that it asked here does.
        let asked = tokio::time::timeout(asking, docker.inspect_registry_image(&reference, None));
        tokio::pin!(asked);
        tokio::select! {
            changed = seen.changed() => changed.context("the mirror is gone"),
            answer = &mut asked => match (answer, seen.has_changed()) {
                (_, Ok(true)) => Ok(()),
                (Ok(Err(error)), _) => Err(error).context("the engine did not ask the mirror for the canary"),
                (Ok(Ok(_)), _) => anyhow::bail!("the engine got the canary from somewhere else than this mirror"),
                (Err(_), _) => anyhow::bail!("the engine did not ask the mirror for the canary in time"),
            },
        }
    }
}
