//! Removing what is past its time (`proxy.ttl`, MSR's `blobttl`).

use std::time::{Duration, SystemTime};

use larder_proxy::Proxy;
use larder_service::{Shutdown, worker};

/// Removes, over and over, what was fetched longer than `ttl` ago.
pub(crate) fn start(proxy: Proxy, ttl: Duration, shutdown: &Shutdown) {
    worker::every(shutdown, "expiry", period(ttl), move || {
        let proxy = proxy.clone();
        async move {
            let Some(then) = SystemTime::now().checked_sub(ttl) else { return Ok(()) };
            let removed = proxy.expire(then).await.map_err(|error| error.to_string())?;
            if removed > 0 {
                tracing::info!(removed, ttl_s = ttl.as_secs(), "removed blobs that are past their time");
            }
            Ok(())
        }
    });
}

/// Often enough that nothing stays a tenth longer than its time, and no more often than each second.
fn period(ttl: Duration) -> Duration {
    (ttl / 10).clamp(Duration::from_secs(1), Duration::from_secs(600))
}
