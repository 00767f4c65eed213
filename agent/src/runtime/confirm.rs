//! Asking the engine, each time with a deadline, and waiting for what a reload should bring about.

use std::time::Duration;

use anyhow::anyhow;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::{
    engine::{Engine, EngineFacts, Way},
    mirror_url::MirrorUrl,
};

/// For one question to the engine: longer than an engine under load takes for `/info`.
const ANSWER_DEADLINE: Duration = Duration::from_secs(10);
/// For sending the signal, which may take a helper container.
const RELOAD_DEADLINE: Duration = Duration::from_secs(30);
/// From the signal until `/info` shows it: dockerd takes less than a second.
const LIVE_DEADLINE: Duration = Duration::from_secs(5);
const LIVE_POLL: Duration = Duration::from_millis(200);
/// Until the canary arrives: engines from 23 on first ping every endpoint, an origin that drops packets for 15 s
/// (`reference/dockerd.md` §6).
const CANARY_DEADLINE: Duration = Duration::from_secs(20);
const CANARY_POLL: Duration = Duration::from_millis(500);

/// Why the engine does not use our mirror, or still uses it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unconfirmed {
    /// The file was written, but the disk reports a failure.
    #[error("the disk failed: {0}")]
    Disk(super::target::TargetError),
    /// It could not be told to reload.
    #[error("the engine could not be told to reload: {0:#}")]
    Reload(anyhow::Error),
    /// It was told, and shows other mirrors than it should: it refuses the file, and its log says why.
    #[error(
        "the engine did not follow the reload within {} s and shows the mirrors [{}]; see dockerd's log",
        LIVE_DEADLINE.as_secs(), shown.join(", ")
    )]
    NotFollowed {
        /// What `/info` shows.
        shown: Vec<String>,
    },
    /// It does not answer any more.
    #[error("the engine did not answer after the reload: {0:#}")]
    Silent(anyhow::Error),
    /// It was told of our mirror, but asks it for nothing.
    #[error("the engine asks our mirror for nothing: the canary did not arrive within {} s: {error:#}", CANARY_DEADLINE.as_secs())]
    Canary {
        /// What the last try said.
        error: anyhow::Error,
    },
}

pub(super) async fn facts<E: Engine>(engine: &E) -> anyhow::Result<EngineFacts> {
    timeout(ANSWER_DEADLINE, engine.facts()).await.unwrap_or_else(|_| Err(no_answer(ANSWER_DEADLINE)))
}

pub(super) async fn facts_from_near<E: Engine>(engine: &E) -> anyhow::Result<EngineFacts> {
    timeout(RELOAD_DEADLINE, engine.facts_from_near()).await.unwrap_or_else(|_| Err(no_answer(RELOAD_DEADLINE)))
}

pub(super) async fn mirrors<E: Engine>(engine: &E) -> anyhow::Result<Vec<String>> {
    timeout(ANSWER_DEADLINE, engine.mirrors()).await.unwrap_or_else(|_| Err(no_answer(ANSWER_DEADLINE)))
}

pub(super) async fn reload<E: Engine>(engine: &E) -> Result<(), Unconfirmed> {
    let sent = timeout(RELOAD_DEADLINE, engine.reload()).await;
    sent.unwrap_or_else(|_| Err(no_answer(RELOAD_DEADLINE))).map_err(Unconfirmed::Reload)
}

/// Waits until `/info` shows our mirror in front.
pub(super) async fn first<E: Engine>(engine: &E, ours: &MirrorUrl) -> Result<(), Unconfirmed> {
    shown(engine, |live| live.first().is_some_and(|first| ours.is(first))).await
}

/// Waits until `/info` shows none of `ours`.
pub(super) async fn gone<E: Engine>(engine: &E, ours: &[MirrorUrl]) -> Result<(), Unconfirmed> {
    shown(engine, |live| !any_of(ours, live)).await
}

/// Whether one of `ours` is among the mirrors in `/info`.
pub(super) fn any_of(ours: &[MirrorUrl], live: &[String]) -> bool {
    live.iter().any(|live| ours.iter().any(|ours| ours.is(live)))
}

async fn shown<E: Engine>(engine: &E, wanted: impl Fn(&[String]) -> bool + Send) -> Result<(), Unconfirmed> {
    let deadline = Instant::now() + LIVE_DEADLINE;
    loop {
        let last = match timeout_at(deadline, engine.mirrors()).await {
            Ok(Ok(live)) if wanted(&live) => return Ok(()),
            Ok(Ok(shown)) => Unconfirmed::NotFollowed { shown },
            Ok(Err(error)) => Unconfirmed::Silent(error),
            Err(_) => return Err(Unconfirmed::Silent(no_answer(LIVE_DEADLINE))),
        };
        if Instant::now() + LIVE_POLL > deadline {
            return Err(last);
        }
        sleep(LIVE_POLL).await;
    }
}

/// Waits until the canary was seen.
pub(super) async fn canary<E: Engine>(engine: &E, way: &Way) -> Result<(), Unconfirmed> {
    let deadline = Instant::now() + CANARY_DEADLINE;
    loop {
        let error = match timeout_at(deadline, engine.canary(way)).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => error,
            Err(_) => return Err(Unconfirmed::Canary { error: no_answer(CANARY_DEADLINE) }),
        };
        if Instant::now() + CANARY_POLL > deadline {
            return Err(Unconfirmed::Canary { error });
        }
        sleep(CANARY_POLL).await;
    }
}

fn no_answer(within: Duration) -> anyhow::Error {
    anyhow!("no answer within {} s", within.as_secs())
}
