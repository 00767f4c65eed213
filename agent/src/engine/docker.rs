//! The engine by its API: what it is, what it uses, and making it ask for the canary.

use std::{collections::BTreeMap, path::Path, time::Duration};

use anyhow::Context as _;
use bollard::{API_DEFAULT_VERSION, Docker, models::SystemInfo, query_parameters::CreateImageOptions};
use futures_util::TryStreamExt as _;
use larder_proto::v1::{Engine as EngineFactsUp, ImageStore};

use super::{
    canary::Canary,
    helper::{self, Task},
    own::Own,
};
use crate::{
    config, mounts,
    runtime::{
        capability::{Capability, Store},
        engine::{Dialect, Engine, EngineFacts, MirrorFlag, Way},
        hosts_toml::InsecureRegistries,
        reload::{FindError, Reloader, Seen},
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
    own: Own,
}

impl DockerEngine {
    /// The engine of `settings`, which asks for `canary` when told to. Nothing is connected yet.
    pub(crate) fn new(settings: &config::Engine, canary: Canary) -> Self {
        let reloader = Reloader::new(&settings.socket).with_pid_file(&settings.pid_file);
        let container = mounts::container(&mounts::own()).map(|(id, _)| id);
        let own = Own { task: settings.task_id.clone(), container };
        Self { socket: settings.socket.to_string_lossy().into_owned(), reloader, canary, own }
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
        let image_store = match store(&info) {
            Store::Containerd => ImageStore::Containerd,
            Store::Classic => ImageStore::Classic,
        };
        Ok(EngineFactsUp {
            version: version.version.unwrap_or_default(),
            api_version: docker.client_version().to_string(),
            image_store: image_store.into(),
        })
    }

    async fn help(&self, task: Task) -> anyhow::Result<String> {
        helper::run(&self.api().await?, &self.own, Path::new(&self.socket), task).await
    }

    /// Waits for the canary while the engine is `asked` for it, and says why it did not come.
    async fn hear<T>(&self, asked: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<()> {
        let mut seen = self.canary.watch();
        seen.mark_unchanged();
        let asked = tokio::time::timeout(Duration::from_secs(DEADLINE_S), asked);
        tokio::pin!(asked);
        // What the engine makes of the answer does not matter: that it asked here does.
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

fn store(info: &SystemInfo) -> Store {
    let status = info.driver_status.iter().flatten().flatten();
    Store::of_status(status.map(String::as_str))
}

fn insecure(info: SystemInfo) -> InsecureRegistries {
    let registries = info.registry_config.unwrap_or_default();
    let indexes = registries.index_configs.unwrap_or_default();
    InsecureRegistries {
        indexes: indexes.into_iter().map(|(name, index)| (name, index.secure.unwrap_or(true))).collect(),
        networks: registries.insecure_registry_cidrs.unwrap_or_default(),
        addresses: BTreeMap::new(),
    }
}

impl Engine for DockerEngine {
    async fn facts(&self) -> anyhow::Result<EngineFacts> {
        let docker = self.api().await?;
        let (version, info) = (docker.version().await?.version.unwrap_or_default(), docker.info().await?);
        let (mirror_flag, config_file) = match self.reloader.find().await {
            Ok(dockerd) => (dockerd.mirror_flag(), dockerd.config_file()),
            // A helper sees more.
            Err(FindError::NotVisible) => (MirrorFlag::Unknown, None),
            Err(error) => return Err(error.into()),
        };
        Ok(EngineFacts {
            capability: Capability::of(store(&info), &version),
            dialect: Dialect::of_version(&version),
            mirror_flag,
            config_file,
            insecure: insecure(info),
        })
    }

    async fn facts_from_near(&self) -> anyhow::Result<EngineFacts> {
        let mut facts = self.facts().await?;
        if facts.mirror_flag == MirrorFlag::Unknown {
            let seen = self.help(Task::Look).await?;
            let seen: Seen = serde_json::from_str(&seen).with_context(|| format!("a helper said {seen:?}"))?;
            facts.mirror_flag = if seen.registry_mirror { MirrorFlag::Present } else { MirrorFlag::Absent };
            facts.config_file = seen.config_file;
        }
        Ok(facts)
    }

    async fn mirrors(&self) -> anyhow::Result<Vec<String>> {
        let info = self.api().await?.info().await?;
        Ok(info.registry_config.and_then(|registries| registries.mirrors).unwrap_or_default())
    }

    async fn reload(&self) -> anyhow::Result<()> {
        match self.reloader.find().await {
            Ok(dockerd) => Ok(dockerd.hang_up()?),
            Err(FindError::NotVisible) => {
                let said = self.help(Task::HangUp).await?;
                tracing::info!(said, "a helper container told dockerd to read its configuration again");
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn canary(&self, way: &Way) -> anyhow::Result<()> {
        let docker = self.api().await?;
        let reference = self.canary.reference();
        match way {
            Way::Distribution => {
                let asked = async { Ok(docker.inspect_registry_image(&reference, None).await?) };
                self.hear(asked).await
            }
            Way::Pull(registry) => {
                let from_image = Some(format!("{registry}/{reference}"));
                let options = CreateImageOptions { from_image, ..CreateImageOptions::default() };
                let pull = docker.create_image(Some(options), None, None);
                self.hear(async { Ok(pull.try_collect::<Vec<_>>().await?) }).await
            }
        }
    }
}
