//! What a daemon does for its cache over and over: the index is written down, the disk is looked at while it fails, and
//! once after the start everything on it is.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use larder_content::PullThrough;
use larder_service::{Shutdown, worker};

/// How often what changed in the index is written down: a crash costs what is known of the uses since.
const FLUSH: Duration = Duration::from_secs(30);
/// How often is asked whether the disk works. That costs nothing while it does.
const LOOK: Duration = Duration::from_secs(2);
/// How long a disk may take to write down the index at the end.
const CLOSE: Duration = Duration::from_secs(5);

/// Starts it. How the disk is goes to `tell`, each time it was looked at.
pub fn start(content: &PullThrough, tell: impl Fn(Result<(), String>) + Send + Sync + 'static, shutdown: &Shutdown) {
    let cache = content.clone();
    worker::every(shutdown, "index", FLUSH, move || {
        let cache = cache.clone();
        async move { cache.flush().await.map_err(|error| error.to_string()) }
    });
    let parts = Arc::new((content.clone(), tell, AtomicBool::new(false), shutdown.clone()));
    worker::every(shutdown, "disk", LOOK, move || {
        let parts = Arc::clone(&parts);
        async move {
            let (cache, tell, is_failing, end) = &*parts;
            if let Some(why) = cache.disk_failure() {
                // A disk that hangs keeps the next line waiting.
                tell(Err(why));
            }
            let looked = tokio::select! {
                looked = cache.check_disk() => looked,
                () = end.begun() => return Ok(()),
            };
            let was_failing = is_failing.swap(looked.is_err(), Ordering::Relaxed);
            // That it works again, the engine says: it may find out first.
            if let (Err(error), false) = (&looked, was_failing) {
                tracing::error!(%error, "the cache's disk fails: pulls go on, and nothing new is kept until it works");
            }
            tell(looked);
            Ok(())
        }
    });
    shutdown.spawn(survey(content.clone(), shutdown.clone()));
}

async fn survey(content: PullThrough, shutdown: Shutdown) {
    let (start, end) = (Instant::now(), shutdown.clone());
    let surveyed = tokio::select! {
        surveyed = content.survey(move || end.has_begun()) => surveyed,
        () = shutdown.begun() => return,
    };
    let took_ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
    match surveyed {
        Ok(()) => tracing::info!(blobs = content.usage().blobs, took_ms, "looked at everything on the cache's disk"),
        Err(error) => tracing::warn!(%error, took_ms, "cannot look at everything on the cache's disk"),
    }
}

/// Writes down the index for the next start. The disk does that too when the last one lets go of it, but a reader that is
/// cut off at the end may hold it for too long.
pub async fn finish(content: &PullThrough) {
    match tokio::time::timeout(CLOSE, content.flush()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::error!(%error, "cannot write the index of the cache"),
        Err(_) => tracing::error!("the disk did not take the index of the cache within {CLOSE:?}"),
    }
}
