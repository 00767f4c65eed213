//! Waiting, the only way this crate does it: a condition is looked at again and again until a named deadline.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

/// Between two looks. Short enough not to show in a suite's time, long enough to leave a busy machine its cores.
const STEP: Duration = Duration::from_millis(20);

/// Waits until `check` answers with a value.
///
/// # Errors
/// When `limit` passes first (the message names `what`), or at once when `check` itself fails.
pub fn until<T>(what: &str, limit: Duration, mut check: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let start = Instant::now();
    loop {
        if let Some(value) = check().with_context(|| format!("waiting for {what}"))? {
            return Ok(value);
        }
        if start.elapsed() >= limit {
            bail!("waited {:.1} s in vain for {what}", limit.as_secs_f64());
        }
        std::thread::sleep(STEP);
    }
}

/// Waits until `check` holds.
///
/// # Errors
/// When `limit` passes first; the message names `what`.
pub fn until_true(what: &str, limit: Duration, mut check: impl FnMut() -> bool) -> Result<()> {
    until(what, limit, || Ok(check().then_some(())))
}
