//! `larder-agent restore`: through the running agent, or without one.

use anyhow::{Context as _, bail};
use http::{Method, StatusCode};
use larder_service::admin::{self, AskError};

use crate::{
    config::{Engine, Settings},
    engine::{canary::Canary, docker::DockerEngine},
    run::setup,
    runtime::{
        ending::FileLeft,
        restore::{self, Restored},
        withdraw::{EngineLeft, Withdrawn},
    },
};

/// How long a running agent may take: it waits for an edit under way, and for the engine to confirm.
const DEADLINE: std::time::Duration = std::time::Duration::from_secs(120);

/// Takes Larder out of the engine's configuration, and says what came of it.
pub(crate) fn run(settings: Settings) -> anyhow::Result<String> {
    let Some(engine) = settings.engine.clone() else { bail!("with --engine none there is nothing to restore") };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start")?;
    runtime.block_on(async {
        match admin::ask(&settings.admin_socket, Method::POST, "/restore", DEADLINE).await {
            Ok((StatusCode::OK, said)) => Ok(String::from_utf8_lossy(&said).trim_end().to_owned()),
            Ok((_, said)) => bail!("{}", String::from_utf8_lossy(&said).trim_end()),
            Err(AskError::Absent { .. }) => alone(&settings, &engine).await,
            Err(error) => Err(error.into()),
        }
    })
}

async fn alone(settings: &Settings, engine: &Engine) -> anyhow::Result<String> {
    let docker = DockerEngine::new(engine, Canary::new());
    let restored = restore::restore(&setup(settings, engine)?, &docker).await?;
    Ok(describe(&restored))
}

/// What came of a restore, for a person.
pub(crate) fn describe(restored: &Restored) -> String {
    let Restored::Withdrawn(Withdrawn { file, engine }) = restored else {
        return "nothing to restore: the engine was not configured by Larder".to_owned();
    };
    let file = match file {
        FileLeft::AsBefore => "daemon.json is byte for byte as it was before",
        FileLeft::OnlyOursTakenOut => "daemon.json was edited by somebody else meanwhile: only Larder's entry was taken out",
    };
    match engine {
        EngineLeft::Clean => format!("{file}; the engine no longer uses the mirror"),
        EngineLeft::NotAsked(error) => format!(
            "{file}; the engine could not be asked ({error:#}): if it runs, send SIGHUP to dockerd for it to notice"
        ),
    }
}
