//! Stopping is a protocol: told once, everybody stops taking new work, finishes what runs, and is waited for.

use std::{io, time::Duration};

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// A handle on the end of the process. Clones are handles on the same end.
#[derive(Debug, Clone)]
pub struct Shutdown {
    token: CancellationToken,
    tasks: TaskTracker,
    drain: Duration,
}

impl Shutdown {
    /// A handle; what runs when the end begins has the time `drain` to finish.
    pub fn new(drain: Duration) -> Self {
        Self { token: CancellationToken::new(), tasks: TaskTracker::new(), drain }
    }

    /// Begins the end when the process is told so by SIGTERM or SIGINT.
    pub fn on_signals(&self) -> io::Result<()> {
        let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let shutdown = self.clone();
        tokio::spawn(async move {
            let name = tokio::select! {
                _ = terminate.recv() => "SIGTERM",
                _ = interrupt.recv() => "SIGINT",
            };
            tracing::info!(signal = name, drain_s = shutdown.drain.as_secs(), "stopping: taking no new requests");
            shutdown.begin();
        });
        Ok(())
    }

    /// Begins the end.
    pub fn begin(&self) {
        self.token.cancel();
        self.tasks.close();
    }

    /// Whether the end has begun.
    pub fn has_begun(&self) -> bool {
        self.token.is_cancelled()
    }

    /// Waits until the end begins.
    pub async fn begun(&self) {
        self.token.cancelled().await;
    }

    /// How long what runs may take to finish.
    pub fn drain(&self) -> Duration {
        self.drain
    }

    /// Runs a task that the end waits for. It must look at [`Shutdown::begun`] itself.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(task);
    }

    /// Waits until the end has begun, and then until every task is done or the time to drain is over. Gives whether
    /// all were done.
    pub async fn complete(&self) -> bool {
        self.begun().await;
        // A listener takes the whole time to drain at most; a little more lets it say what it cut.
        let limit = self.drain.saturating_add(Duration::from_secs(2));
        let done = tokio::time::timeout(limit, self.tasks.wait()).await.is_ok();
        if !done {
            tracing::warn!(left = self.tasks.len(), "stopped before all work was done");
        }
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn waits_for_tasks_but_not_for_ever() {
        let shutdown = Shutdown::new(Duration::from_secs(30));
        let seen = shutdown.clone();
        shutdown.spawn(async move { seen.begun().await });
        shutdown.begin();
        assert!(shutdown.complete().await && shutdown.has_begun());

        let shutdown = Shutdown::new(Duration::from_secs(30));
        shutdown.spawn(std::future::pending());
        shutdown.begin();
        let start = tokio::time::Instant::now();
        assert!(!shutdown.complete().await);
        assert_eq!(start.elapsed(), Duration::from_secs(32));
    }
}
