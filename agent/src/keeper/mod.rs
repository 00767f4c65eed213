//! Keeps the engine pointed at the mirror: at the start, again when that did not work, and again whenever somebody else
//! changes what it goes by, or the hub what it serves; not after a restore, and not in a fight.

mod fights;
pub(crate) mod status;
mod watch;

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use larder_oci::Registry;
use larder_proto::v1::{Engine as EngineFacts, ImageStore};
use larder_service::{Shutdown, health::Condition};
use tokio::{
    sync::{Mutex, watch::Receiver, watch::Sender},
    time::{Instant, sleep, timeout},
};

use crate::{
    engine::docker::DockerEngine,
    runtime::{
        apply::{self, Applied, ApplyError, Outcome, Wanted},
        operation::Setup,
        restore::{self, RestoreError, Restored},
    },
};
use fights::Fights;
use status::{EngineStatus, FileStatus, Files, KeeperStatus};
use watch::FolderWatch;

/// How long to wait after a try that failed: an engine may be starting.
const RETRY: Duration = Duration::from_secs(10);
/// The longest that the wait becomes when each try changes the file, signals the engine, and has to be undone.
const LONGEST_RETRY: Duration = Duration::from_secs(3600);
/// How long the hub is waited for at the start. Without it, the engine is configured for Docker Hub.
const HUB_FIRST: Duration = Duration::from_secs(5);
/// How often all is looked at though nobody is known to have touched anything: an engine may have been exchanged.
const LOOK_EVERY: Duration = Duration::from_secs(60);

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
    facts: Sender<Option<EngineFacts>>,
    /// What the hub serves, once it said so.
    registries: Receiver<Option<Vec<Registry>>>,
    /// As it was at the last look.
    status: Sender<KeeperStatus>,
    /// One at a time.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// It was restored: the engine is left alone.
    left_alone: bool,
    fights: Fights,
    files: Files,
}

impl Keeper {
    /// A keeper of `engine`, which has not done anything yet. It says in `facts` what the engine is.
    pub(crate) fn new(
        setup: Setup,
        engine: DockerEngine,
        condition: Condition,
        facts: Sender<Option<EngineFacts>>,
        registries: Receiver<Option<Vec<Registry>>>,
    ) -> Self {
        let (status, state) = (Sender::new(KeeperStatus::default()), Mutex::default());
        Self { shared: Arc::new(Shared { setup, engine, condition, facts, registries, status, state }) }
    }

    /// How things were at the last look.
    pub(crate) fn status(&self) -> KeeperStatus {
        self.shared.status.borrow().clone()
    }

    /// Works until the end begins.
    pub(crate) async fn keep(self, shutdown: Shutdown) {
        let mut folder = FolderWatch::new(self.shared.setup.config.seen());
        let mut registries = self.shared.registries.clone();
        let mut undone = RETRY;
        // Which files there are to write depends on what the hub serves.
        tokio::select! {
            () = shutdown.begun() => return,
            _ = timeout(HUB_FIRST, registries.wait_for(Option::is_some)) => {}
        }
        loop {
            folder.watch();
            registries.mark_unchanged();
            let tried = tokio::select! {
                // An edit that is interrupted here is taken back by the next start.
                () = shutdown.begun() => return,
                tried = self.configure() => tried,
            };
            // What we wrote ourselves, and perhaps took back, is no reason to try again.
            folder.know();
            undone = if tried == Tried::Undone { (undone * 3).min(LONGEST_RETRY) } else { RETRY };
            let wait = match tried {
                Tried::Done => LOOK_EVERY,
                Tried::Untouched => RETRY,
                Tried::Undone => undone,
            };
            if !matches!(tried, Tried::Done) {
                tracing::info!(wait_s = wait.as_secs(), "the engine's configuration is tried again later");
            }
            tokio::select! {
                () = shutdown.begun() => return,
                () = sleep(wait) => {}
                () = folder.changed() => {}
                Ok(()) = registries.changed() => {}
            }
        }
    }

    /// One try.
    async fn configure(&self) -> Tried {
        let Shared { setup, engine, facts, registries, state, .. } = &*self.shared;
        let mut state = state.lock().await;
        if state.left_alone {
            return Tried::Done;
        }
        match engine.describe().await {
            Ok(engine) => {
                self.shared.status.send_modify(|status| status.engine = Some(EngineStatus::of(&engine)));
                facts.send_if_modified(|known| {
                    let is_news = known.as_ref() != Some(&engine);
                    *known = Some(engine);
                    is_news
                });
            }
            Err(error) => {
                tracing::warn!("engine: {error:#}");
                self.report(&state, Some(format!("{error:#}")));
                return Tried::Untouched;
            }
        }
        let registries = registries.borrow().clone();
        let wanted = Wanted { registries, left_alone: state.fights.lost().clone() };
        let (tried, problem) = match apply::apply(setup, engine, &wanted).await {
            Ok(outcomes) => (state.judge(outcomes), None),
            Err(error) => {
                tracing::error!("the engine is not configured: {error}");
                (Tried::of(&error), Some(error.to_string()))
            }
        };
        self.report(&state, problem);
        tried
    }

    /// Says how things are, to whoever asks.
    fn report(&self, state: &State, problem: Option<String>) {
        let files = state.files.all();
        let of_file = |file: &FileStatus| Some(format!("{}: {}", file.file, file.problem.as_ref()?));
        let problems: Vec<String> = problem.iter().cloned().chain(files.iter().filter_map(of_file)).collect();
        match problems.as_slice() {
            [] => self.shared.condition.met(),
            problems => self.shared.condition.failed(problems.join("; ")),
        }
        self.shared.status.send_modify(|status| {
            (status.files, status.problem, status.looked) = (files, problem, Some(Timestamp::now()));
        });
    }

    /// Takes the mirror out again, and leaves the engine alone from then on. Whoever asked for it may leave: it goes on
    /// to its end. `None`: the agent is stopping.
    pub(crate) async fn restore(&self) -> Option<Result<Restored, RestoreError>> {
        let shared = Arc::clone(&self.shared);
        let restoring = tokio::spawn(async move {
            let Shared { setup, engine, condition, state, status, .. } = &*shared;
            let mut state = state.lock().await;
            state.left_alone = true;
            state.files = Files::default();
            status.send_modify(|status| (status.is_restored, status.files) = (true, Vec::new()));
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

impl State {
    /// What became of each file.
    fn judge(&mut self, outcomes: Vec<Outcome>) -> Tried {
        let mut tried = Tried::Done;
        for Outcome { writer, applied } in outcomes {
            match applied {
                Ok(applied) => {
                    let how = match applied {
                        Applied::AlreadyLive => "it did before",
                        Applied::Reloaded => "it was told to read the file again",
                        Applied::Configured => "the file was changed",
                        Applied::Dismissed => {
                            tracing::info!(file = %writer, "not needed any more: our mirror was taken out");
                            self.fights.dismissed(&writer);
                            self.files.dismissed(&writer);
                            continue;
                        }
                    };
                    let is_news = applied != Applied::AlreadyLive || !self.fights.is_confirmed(&writer);
                    if is_news {
                        tracing::info!(file = %writer, how, "the engine pulls through this mirror (confirmed by a canary)");
                    }
                    self.files.confirmed(&writer, is_news, Timestamp::now());
                    if self.fights.confirmed(&writer, applied == Applied::Configured, Instant::now()) {
                        tracing::error!(file = %writer, "somebody else keeps changing it: it is left to them");
                    }
                }
                Err(error) => {
                    tried = tried.max(Tried::of(&error));
                    if self.files.failed(&writer, error.to_string()) {
                        tracing::error!(file = %writer, "the engine is not configured: {error}");
                    }
                }
            }
        }
        for writer in self.fights.lost() {
            let problem = "somebody else changed it three times in ten minutes, so it is left to them: find out who (a \
                           configuration tool?), then start the agent again";
            self.files.failed(writer, problem.to_owned());
        }
        tried
    }
}

impl EngineStatus {
    fn of(engine: &EngineFacts) -> Self {
        let image_store = match engine.image_store() {
            ImageStore::Containerd => "containerd",
            ImageStore::Classic | ImageStore::Unspecified => "classic",
        };
        Self {
            version: engine.version.clone(),
            api_version: engine.api_version.clone(),
            image_store: image_store.to_owned(),
        }
    }
}

/// What came of a try to configure the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Tried {
    /// There is nothing more to do.
    Done,
    /// It failed, and nothing was changed.
    Untouched,
    /// The file was changed and the engine told, and that was taken back.
    Undone,
}

impl Tried {
    fn of(error: &ApplyError) -> Self {
        let changed = matches!(error, ApplyError::Undone { .. } | ApplyError::NotUndone { .. });
        if changed { Self::Undone } else { Self::Untouched }
    }
}
