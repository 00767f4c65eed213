//! What the catalog knows, for those who serve connections: all of a thread's connections would wait with one that reads
//! a link from a slow disk. What is in memory is answered in place, and the rest is read on a thread that may wait.
//!
//! Nobody waits for a disk that hangs: what it does not say in time is asked for at the upstream, and what it does not take
//! in time is written whenever it does.

use std::{
    io,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use larder_catalog::{Catalog, Kind, TagRecord};
use larder_oci::{Digest, Repository, Tag};

use crate::Proxy;

/// How long a look at the disk may keep a request waiting. A disk that is only slow takes tenths of a second.
const PATIENCE: Duration = Duration::from_secs(1);
/// With so many looks that take longer than that, no more are begun: each holds a thread.
const HANGING: usize = 16;

/// Looks at the disk that take too long.
#[derive(Debug, Default)]
pub(crate) struct Hanging(AtomicUsize);

impl Proxy {
    /// Whether `repository` is known to have `digest`; and if it is, its length in bytes where that is known.
    pub(crate) async fn linked(&self, repository: &Repository, kind: Kind, digest: &Digest) -> Option<Option<u64>> {
        let known = self.shared.catalog.linked_in_memory(repository, kind, digest);
        if known.is_some() {
            return known;
        }
        let (repository, digest) = (repository.clone(), *digest);
        self.look_up(move |catalog| catalog.linked(&repository, kind, &digest)).await
    }

    /// What is known of a tag. `None` if nothing is.
    pub(crate) async fn known_tag(&self, repository: &Repository, tag: &Tag) -> Option<TagRecord> {
        let known = self.shared.catalog.tag_in_memory(repository, tag);
        if known.is_some() {
            return known;
        }
        let (repository, tag) = (repository.clone(), tag.clone());
        self.look_up(move |catalog| catalog.tag(&repository, &tag)).await
    }

    async fn look_up<T: Send + 'static>(&self, look: impl FnOnce(&Catalog) -> Option<T> + Send + 'static) -> Option<T> {
        self.patiently(move |proxy| look(&proxy.shared.catalog)).await.ok().flatten()
    }

    /// Writes something down. What cannot be written costs a question later, and no pull now.
    pub(crate) async fn note(&self, what: &'static str, write: impl FnOnce(&Self) -> io::Result<()> + Send + 'static) {
        if let Err(error) = self.patiently(write).await.flatten() {
            self.shared.content.counters().disk_errors.add(1);
            tracing::error!(%error, "cannot {what}: check the disk of the cache");
        }
    }

    /// Does `work` with the disk on a thread that may wait, and waits for it so long. It goes on to its end all the same.
    async fn patiently<T: Send + 'static>(&self, work: impl FnOnce(&Self) -> T + Send + 'static) -> io::Result<T> {
        let late = || io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {PATIENCE:?}"));
        let hanging = |proxy: &Self| proxy.shared.hanging.0.load(Ordering::Relaxed);
        if hanging(self) >= HANGING {
            return Err(late());
        }
        let proxy = self.clone();
        let mut working = tokio::task::spawn_blocking(move || work(&proxy));
        if let Ok(done) = tokio::time::timeout(PATIENCE, &mut working).await {
            return done.map_err(io::Error::other);
        }
        let proxy = self.clone();
        proxy.shared.hanging.0.fetch_add(1, Ordering::Relaxed);
        tokio::spawn(async move {
            let _ = working.await;
            proxy.shared.hanging.0.fetch_sub(1, Ordering::Relaxed);
        });
        Err(late())
    }
}
