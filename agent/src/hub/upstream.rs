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
        Box::pin(guarded(&self.breaker, Source::fetch(&self.blobs, digest, range)))
    }
}
