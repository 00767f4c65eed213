//! Keeps the engine pointed at the mirror: once at the start, again when that did not work, and not at all after a
//! restore.

use std::{sync::Arc, time::Duration};

use larder_proto::v1::Engine as EngineFacts;
use larder_service::{Shutdown, health::Condition};
use tokio::sync::{Mutex, watch};

use crate::{
    engine::docker::DockerEngine,
    runtime::{
        apply::{self, Applied, ApplyError},
        operation::Setup,
        restore::{self, RestoreError, Restored},
    },
};

/// How long to wait after a try that failed: an engine may be starting.
const RETRY: Duration = Duration::from_secs(10);

/// The engine's configuration, in the hands of the running agent.
#[derive(Debug, Clone)]
pub(crate) struct Keeper {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    setup: Setup,
    engine: DockerEngine,
    condition: Condition,
    facts: watch::Sender<Option<EngineFacts>>,
    /// One at a time; `true` once it was restored: then the engine is left alone.
    left_alone: Mutex<bool>,
}

impl Keeper {
    /// A keeper of `engine`, which has not done anything yet. It says in `facts` what the engine is.
    pub(crate) fn new(
        setup: Setup,
        engine: DockerEngine,
        condition: Condition,
        facts: watch::Sender<Option<EngineFacts>>,
    ) -> Self {
        Self { shared: Arc::new(Shared { setup, engine, condition, facts, left_alone: Mutex::new(false) }) }
    }

    /// Works until the engine is configured, or the end begins.
    pub(crate) async fn keep(self, shutdown: Shutdown) {
        loop {
            let done = tokio::select! {
                // An edit that is interrupted here is taken back by the next start.
                () = shutdown.begun() => return,
                done = self.configure() => done,
            };
            if done {
                return;
            }
            tokio::select! {
                () = shutdown.begun() => return,
                () = tokio::time::sleep(RETRY) => {}
            }
        }
    }

    /// One try. `true` if there is nothing more to do.
    async fn configure(&self) -> bool {
        let Shared { setup, engine, condition, facts, left_alone } = &*self.shared;
        let left_alone = left_alone.lock().await;
        if *left_alone {
            return true;
        }
        match engine.describe().await {
            Ok(engine) => drop(facts.send_replace(Some(engine))),
            Err(error) => {
                condition.failed(format!("{error:#}"));
                tracing::warn!("engine: {error:#}; trying again every {} s", RETRY.as_secs());
                return false;
            }
        }
        let mirror = setup.mirror.as_str();
        match apply::apply(setup, engine).await {
            Ok(applied) => {
                let how = match applied {
                    Applied::AlreadyLive => "it did before",
                    Applied::Reloaded => "it was told to read daemon.json again",
                    Applied::Configured => "daemon.json was changed",
                };
                tracing::info!(mirror, how, "the engine pulls through this mirror (confirmed by a canary)");
                condition.met();
                true
            }
            Err(error) => {
                // What a person must mend first will not mend itself, but may be mended while we run.
                let refused = matches!(error, ApplyError::Refused(_) | ApplyError::Target(_));
                condition.failed(error.to_string());
                let what = if refused {
                    "the engine's configuration cannot be changed"
                } else {
                    "the engine is not configured"
                };
                tracing::error!(mirror, "{what}: {error}; trying again every {} s", RETRY.as_secs());
                false
            }
        }
    }

    /// Takes the mirror out again, and leaves the engine alone from then on.
    pub(crate) async fn restore(&self) -> Result<Restored, RestoreError> {
        let Shared { setup, engine, condition, left_alone, .. } = &*self.shared;
        let mut left_alone = left_alone.lock().await;
        *left_alone = true;
        condition.failed("restored: the engine is left alone until the agent starts again");
        let restored = restore::restore(setup, engine).await;
        tracing::info!(outcome = ?restored, "restore");
        restored
    }
}
