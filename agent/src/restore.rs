//! `larder-agent restore`: through the running agent, or without one.

use anyhow::{Context as _, bail};
use http::{Method, StatusCode};
use larder_service::admin::{self, AskError};

use crate::{
    config::{Engine, Settings},
    engine::{canary::Canary, docker::DockerEngine},
    run::setup,
    runtime::restore,
};

/// How long a running agent may take: it waits for an edit under way (up to 180 s), and for the engine to confirm.
const DEADLINE: std::time::Duration = std::time::Duration::from_secs(240);

/// Takes Larder out of the engine's configuration, and says what came of it.
pub(crate) fn run(settings: &Settings) -> anyhow::Result<String> {
    let Some(engine) = settings.engine.clone() else { bail!("with --engine none there is nothing to restore") };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start")?;
    runtime.block_on(async {
        match admin::ask(&settings.admin_socket, Method::POST, "/restore", DEADLINE).await {
            Ok((StatusCode::OK, said)) => Ok(String::from_utf8_lossy(&said).trim_end().to_owned()),
            Ok((_, said)) => bail!("{}", String::from_utf8_lossy(&said).trim_end()),
            Err(AskError::Absent { .. }) => alone(settings, &engine).await,
            Err(error) => Err(error.into()),
        }
    })
}

async fn alone(settings: &Settings, engine: &Engine) -> anyhow::Result<String> {
    let docker = DockerEngine::new(engine, Canary::new());
    let restored = restore::restore(&setup(settings, engine)?, &docker).await?;
    Ok(restored.to_string())
}
