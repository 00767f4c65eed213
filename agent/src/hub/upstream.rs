//! The hub as the upstream of this node: every registry is asked of it, and never when it is known not to answer.

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use larder_content::{ByteRange, Fault, Fetched, Source, SourceError};
use larder_distribution::{
    Client,
    client::{Anonymous, Deadlines, FetchedManifest, Namespace, Options, RepositoryBlobs, Resolved},
};
use larder_identity::tls;
use larder_oci::{Digest, Reference, Registry, RepositoryName, Tag};
use larder_proxy::{Upstream, Upstreams};

use super::breaker::Breaker;
use crate::config::Settings;

/// The hub, for every registry.
#[derive(Debug)]
pub(crate) struct Hub {
    default: Registry,
    client: Client,
    breaker: Arc<Breaker>,
}

/// The hub, asked for the content of one registry.
struct Mirrored {
    client: Client,
    breaker: Arc<Breaker>,
}

/// The blobs of a repository at the hub.
struct Blobs {
    blobs: RepositoryBlobs,
    breaker: Arc<Breaker>,
}

impl Hub {
    /// The hub of `settings`; nothing is asked of it yet.
    pub(crate) fn new(settings: &Settings, breaker: Arc<Breaker>) -> anyhow::Result<Self> {
        // Less than the engine waits for us, so that there is time to answer from what is known.
        let headers = settings.fallback.patience() - Duration::from_secs(2);
        let client = Client::new(Options {
            url: settings.hub.clone(),
            name: "hub".to_owned(),
            namespace: Namespace::Own,
            tls: tls::client(&settings.hub_cas, settings.hub_identity.as_ref())?,
            credentials: Arc::new(Anonymous),
            realms: Vec::new(),
            deadlines: Deadlines { connect: Duration::from_millis(1500), headers, idle: Duration::from_secs(30) },
            system_proxy: false,
        })?;
        // A classic engine asks its mirrors for Docker Hub only, and does not say so.
        Ok(Self { default: Registry::docker_hub(), client, breaker })
    }
}

impl Upstreams for Hub {
    fn default_registry(&self) -> &Registry {
        &self.default
    }

    /// The hub knows which registries it serves; for the others it answers 404.
    fn of(&self, registry: &Registry) -> Option<Arc<dyn Upstream>> {
        Some(Arc::new(Mirrored {
            client: self.client.asking_for(Namespace::Mirrored(registry.clone())),
            breaker: Arc::clone(&self.breaker),
        }))
    }
}

/// Asks if the breaker lets us, and stops waiting when it no longer does.
async fn guarded<T>(breaker: &Breaker, ask: impl Future<Output = Result<T, SourceError>>) -> Result<T, SourceError> {
    let silent = |detail| Err(SourceError::new("hub", Fault::Skipped, detail));
    let Some(pass) = breaker.admit() else { return silent("it is silent") };
    let outcome = tokio::select! {
        outcome = ask => outcome,
        () = pass.withdrawn() => return silent("it fell silent"),
    };
    breaker.learn(&outcome);
    outcome
}

/// The same for content. That a hub which was silent cannot be reached is no news: a download under way waits for it as
/// if it had not been asked, whether the breaker keeps requests back or not.
async fn guarded_fetch(
    breaker: &Breaker,
    ask: impl Future<Output = Result<Fetched, SourceError>>,
) -> Result<Fetched, SourceError> {
    let was_silent = !breaker.is_closed();
    let outcome = guarded(breaker, ask).await;
    outcome.map_err(|error| match error.fault {
        Fault::Unreachable if was_silent => SourceError { fault: Fault::Skipped, ..error },
        _ => error,
    })
}

impl Upstream for Mirrored {
    fn resolve<'a>(
        &'a self,
        repository: &'a RepositoryName,
        tag: &'a Tag,
    ) -> BoxFuture<'a, Result<Resolved, SourceError>> {
        Box::pin(guarded(&self.breaker, self.client.resolve(repository, tag)))
    }

    fn manifest<'a>(
        &'a self,
        repository: &'a RepositoryName,
        reference: &'a Reference,
    ) -> BoxFuture<'a, Result<FetchedManifest, SourceError>> {
        Box::pin(guarded(&self.breaker, self.client.manifest(repository, reference)))
    }

    fn blobs(&self, repository: &RepositoryName) -> Arc<dyn Source> {
        Arc::new(Blobs { blobs: self.client.blobs(repository), breaker: Arc::clone(&self.breaker) })
    }

    fn name(&self) -> &str {
        self.client.name()
    }
}

impl Source for Blobs {
    fn name(&self) -> &str {
        self.blobs.name()
    }

    fn fetch<'a>(&'a self, digest: &'a Digest, range: ByteRange) -> BoxFuture<'a, Result<Fetched, SourceError>> {
        Box::pin(guarded_fetch(&self.breaker, Source::fetch(&self.blobs, digest, range)))
    }

    /// By HEAD, or the hub would fetch a blob that nobody wants.
    fn size<'a>(&'a self, digest: &'a Digest) -> BoxFuture<'a, Result<Option<u64>, SourceError>> {
        Box::pin(guarded(&self.breaker, self.blobs.head(digest)))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures_util::{StreamExt as _, stream};
    use larder_content::{Capacity, Disk, Limits, PullThrough};
    use tokio::time::{Instant, sleep_until};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// A hub that is killed after half of the first answer; the session notices, and hears it again later.
    struct Restarting {
        content: Bytes,
        breaker: Arc<Breaker>,
        back: Instant,
    }

    impl Source for Restarting {
        fn name(&self) -> &'static str {
            "hub"
        }

        fn fetch<'a>(&'a self, _: &'a Digest, range: ByteRange) -> BoxFuture<'a, Result<Fetched, SourceError>> {
            let answer = async move {
                let away = || SourceError::new("hub", Fault::Unreachable, "killed");
                let (start, half) = (usize::try_from(range.start).unwrap(), self.content.len() / 2);
                if start > 0 && Instant::now() < self.back {
                    return Err(away());
                }
                let (bytes, breaks) =
                    if start > 0 { (start..self.content.len(), None) } else { (0..half, Some(Err(away()))) };
                let breaker = Arc::clone(&self.breaker);
                let end = stream::iter(breaks).inspect(move |_| breaker.silent("the session broke"));
                let body = stream::iter([Ok(self.content.slice(bytes))]).chain(end).boxed();
                Ok(Fetched { start: range.start, total: Some(self.content.len() as u64), body })
            };
            Box::pin(guarded_fetch(&self.breaker, answer))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_download_goes_on_when_the_hub_is_back() {
        // On a node that can go to the origin, and on one that can reach nothing but the hub.
        for breaks in [true, false] {
            let folder = tempfile::tempdir().unwrap();
            let disk = Disk::open(folder.path(), Capacity::default()).unwrap();
            let cache = PullThrough::new(disk, Limits { quarantine: Some(600 * SECOND), ..Limits::default() });
            let content = Bytes::from_iter((0..400_000_u32).map(|byte| byte.to_le_bytes()[0]));
            let breaker = Arc::new(Breaker::new(breaks));
            breaker.heard();
            let back = Instant::now() + 30 * SECOND;
            let session = {
                let breaker = Arc::clone(&breaker);
                tokio::spawn(async move {
                    sleep_until(back).await;
                    breaker.heard();
                })
            };
            let hub = Restarting { content: content.clone(), breaker, back };
            let mut body = cache.open(&Digest::sha256(&content), None, vec![Arc::new(hub)]).await.unwrap().read();
            let mut bytes = Vec::new();
            while let Some(chunk) = body.next().await {
                bytes.extend_from_slice(&chunk.expect("cut"));
            }
            session.await.unwrap();
            assert!(bytes == content);
        }
    }
}
