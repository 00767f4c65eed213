//! The checks of the `health` section, each a condition of readiness.
//!
//! Distribution answers every request with 503 while a check fails, and so takes all replicas of a shared store down at
//! once. Here a failing check makes the hub unready, and it goes on serving what it can.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use larder_content::PullThrough;
use larder_identity::tls;
use larder_service::{Health, Shutdown, worker};

use crate::{
    config::{self, HttpCheck, Pace},
    disk::{Look, StorageCondition},
};

/// How long a disk may take to write and read a few bytes.
const PROBE: Duration = Duration::from_secs(10);

/// What is looked at.
enum Check {
    /// The disk can be written and read.
    Storage(PullThrough),
    /// A file is not there.
    File(PathBuf),
    /// A port takes connections.
    Tcp { address: String, timeout: Duration },
    /// A URL answers.
    Http { client: reqwest::Client, check: HttpAsk },
}

/// The part of an [`HttpCheck`] that says what to ask.
struct HttpAsk {
    url: url::Url,
    headers: http::HeaderMap,
    status: http::StatusCode,
}

/// Starts the checks of `config`. What becomes of the disk is told to `storage`.
pub(crate) fn start(
    config: config::Health,
    content: &PullThrough,
    storage: &StorageCondition,
    health: &Health,
    shutdown: &Shutdown,
) -> anyhow::Result<()> {
    if let Some(pace) = config.storage {
        let storage = storage.clone();
        watch(Check::Storage(content.clone()), pace, move |found| storage.say(Look::Check, found), shutdown);
    }
    for file in config.files {
        let pace = Pace { interval: file.interval, threshold: 1 };
        watch_as_condition(Check::File(file.path), pace, health, shutdown);
    }
    for tcp in config.tcp {
        watch_as_condition(Check::Tcp { address: tcp.address, timeout: tcp.timeout }, tcp.pace, health, shutdown);
    }
    for HttpCheck { url, headers, status, timeout, pace } in config.http {
        let client =
            reqwest::Client::builder().tls_backend_preconfigured(tls::client(&[], None)?).timeout(timeout).build()?;
        watch_as_condition(Check::Http { client, check: HttpAsk { url, headers, status } }, pace, health, shutdown);
    }
    Ok(())
}

/// Runs a check that has a condition of its own.
fn watch_as_condition(check: Check, pace: Pace, health: &Health, shutdown: &Shutdown) {
    let condition = health.condition(&check.name(), "not tried yet");
    let tell = move |found: Result<(), String>| match found {
        Ok(()) => condition.met(),
        Err(why) => condition.failed(why),
    };
    watch(check, pace, tell, shutdown);
}

/// Runs a check at its pace, and tells what it finds: a failure when there were so many in a row as its threshold says.
fn watch(check: Check, pace: Pace, tell: impl Fn(Result<(), String>) + Send + Sync + 'static, shutdown: &Shutdown) {
    let state = Arc::new((check, tell, AtomicU32::new(0)));
    worker::every(shutdown, "health check", pace.interval, move || {
        let state = Arc::clone(&state);
        async move {
            let (check, tell, failures) = &*state;
            let outcome = check.run().await.map_err(|why| format!("{}: {why}", check.name()));
            match &outcome {
                Ok(()) => {
                    failures.store(0, Ordering::Relaxed);
                    tell(Ok(()));
                }
                Err(why) if failures.fetch_add(1, Ordering::Relaxed) + 1 >= pace.threshold => tell(Err(why.clone())),
                Err(_) => {}
            }
            outcome
        }
    });
}

impl Check {
    fn name(&self) -> String {
        match self {
            Self::Storage(_) => "storage".to_owned(),
            Self::File(path) => format!("file {}", path.display()),
            Self::Tcp { address, .. } => format!("tcp {address}"),
            Self::Http { check, .. } => {
                format!("http {}{}", check.url.host_str().unwrap_or_default(), check.url.path())
            }
        }
    }

    async fn run(&self) -> Result<(), String> {
        match self {
            Self::Storage(content) => {
                let probed = tokio::time::timeout(PROBE, content.probe()).await;
                probed.unwrap_or_else(|_| Err(format!("the disk did not answer within {PROBE:?}")))
            }
            // What cannot be looked at may be there.
            Self::File(path) => match tokio::fs::try_exists(path).await {
                Ok(false) => Ok(()),
                Ok(true) => Err("it exists".to_owned()),
                Err(error) => Err(error.to_string()),
            },
            Self::Tcp { address, timeout } => {
                match tokio::time::timeout(*timeout, tokio::net::TcpStream::connect(address)).await {
                    Ok(Ok(_)) => Ok(()),
                    Ok(Err(error)) => Err(error.to_string()),
                    Err(_) => Err(format!("no connection within {timeout:?}")),
                }
            }
            Self::Http { client, check } => {
                let request = client.head(check.url.clone()).headers(check.headers.clone());
                match request.send().await {
                    Ok(answer) if answer.status() == check.status => Ok(()),
                    Ok(answer) => Err(format!("answered with {}", answer.status())),
                    Err(error) => Err(error.without_url().to_string()),
                }
            }
        }
    }
}
