//! Work that is done over and over: named, so that an operator can see which one fails, and stopped with the rest.

use std::time::Duration;

use crate::Shutdown;

/// Runs `work` every `period` until the end begins. A failure is logged under `name` once until it works again.
pub fn every<F>(shutdown: &Shutdown, name: &'static str, period: Duration, mut work: impl FnMut() -> F + Send + 'static)
where
    F: Future<Output = Result<(), String>> + Send,
{
    let end = shutdown.clone();
    shutdown.spawn(async move {
        let mut failing = false;
        let mut ticks = tokio::time::interval(period);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = end.begun() => return,
                _ = ticks.tick() => {}
            }
            let outcome = work().await;
            let was_failing = std::mem::replace(&mut failing, outcome.is_err());
            match outcome {
                Ok(()) if was_failing => tracing::info!(worker = name, "works again"),
                Ok(()) => {}
                Err(error) if was_failing => tracing::debug!(worker = name, %error, "still failing"),
                Err(error) => tracing::error!(worker = name, %error, "failed; it will be tried again"),
            }
        }
    });
}
