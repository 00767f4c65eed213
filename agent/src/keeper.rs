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
/// The longest that the wait becomes when each try changes the file, signals the engine, and has to be undone.
const LONGEST_RETRY: Duration = Duration::from_secs(3600);

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
        let mut wait = RETRY;
        loop {
            let tried = tokio::select! {
                // An edit that is interrupted here is taken back by the next start.
                () = shutdown.begun() => return,
                tried = self.configure() => tried,
            };
            match tried {
                Tried::Done => return,
                Tried::Untouched => wait = RETRY,
                Tried::Undone => wait = (wait * 3).min(LONGEST_RETRY),
            }
            tracing::info!(wait_s = wait.as_secs(), "the engine's configuration is tried again later");
            tokio::select! {
                () = shutdown.begun() => return,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// One try.
    async fn configure(&self) -> Tried {
        let Shared { setup, engine, condition, facts, left_alone } = &*self.shared;
        let left_alone = left_alone.lock().await;
        if *left_alone {
            return Tried::Done;
        }
        match engine.describe().await {
            Ok(engine) => drop(facts.send_replace(Some(engine))),
            Err(error) => {
                condition.failed(format!("{error:#}"));
                tracing::warn!("engine: {error:#}");
                return Tried::Untouched;
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
                Tried::Done
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
                tracing::error!(mirror, "{what}: {error}");
                let changed = matches!(error, ApplyError::Undone { .. } | ApplyError::NotUndone { .. });
                if changed { Tried::Undone } else { Tried::Untouched }
            }
        }
    }

    /// Takes the mirror out again, and leaves the engine alone from then on. Whoever asked for it may leave: it goes on
    /// to its end. `None`: the agent is stopping.
    pub(crate) async fn restore(&self) -> Option<Result<Restored, RestoreError>> {
        let shared = Arc::clone(&self.shared);
        let restoring = tokio::spawn(async move {
            let Shared { setup, engine, condition, left_alone, .. } = &*shared;
            let mut left_alone = left_alone.lock().await;
            *left_alone = true;
            condition.failed("being restored: the engine is left alone until the agent starts again");
            let restored = restore::restore(setup, engine).await;
            match &restored {
                Ok(restored) => {
                    tracing::info!("restore: {restored}");
                    condition.failed("restored: the engine is left alone until the agent starts again");
                }
                Err(error) => {
                    tracing::error!("restore: {error}; run `larder-agent restore` again");
                    condition.failed(format!("not restored: {error}; run `larder-agent restore` again"));
                }
            }
            restored
        });
        restoring.await.ok()
    }
}

/// What came of a try to configure the engine.
enum Tried {
    /// There is nothing more to do.
    Done,
    /// It failed, and nothing was changed.
    Untouched,
    /// The file was changed and the engine told, and that was taken back.
    Undone,
}
