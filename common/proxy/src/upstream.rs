//! What a pull-through registry asks: the trait, and the client of the protocol as one.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use larder_content::{Source, SourceError};
use larder_distribution::{
    Client,
    client::{FetchedManifest, Resolved},
};
use larder_oci::{Reference, Registry, RepositoryName, Tag};

/// The registries that can be asked.
pub trait Upstreams: Send + Sync + 'static {
    /// The one that is meant when a request names none.
    fn default_registry(&self) -> &Registry;

    /// The way to `registry`; `None` if it is not configured, and then nothing of it is ever served.
    fn of(&self, registry: &Registry) -> Option<Arc<dyn Upstream>>;
}

/// One registry.
pub trait Upstream: Send + Sync + 'static {
    /// What a tag is now.
    fn resolve<'a>(
        &'a self,
        repository: &'a RepositoryName,
        tag: &'a Tag,
    ) -> BoxFuture<'a, Result<Resolved, SourceError>>;

    /// A manifest.
    fn manifest<'a>(
        &'a self,
        repository: &'a RepositoryName,
        reference: &'a Reference,
    ) -> BoxFuture<'a, Result<FetchedManifest, SourceError>>;

    /// The blobs of a repository.
    fn blobs(&self, repository: &RepositoryName) -> Arc<dyn Source>;

    /// What logs call it.
    fn name(&self) -> &str;
}

impl Upstream for Client {
    fn resolve<'a>(
        &'a self,
        repository: &'a RepositoryName,
        tag: &'a Tag,
    ) -> BoxFuture<'a, Result<Resolved, SourceError>> {
        Box::pin(self.resolve(repository, tag))
    }

    fn manifest<'a>(
        &'a self,
        repository: &'a RepositoryName,
        reference: &'a Reference,
    ) -> BoxFuture<'a, Result<FetchedManifest, SourceError>> {
        Box::pin(self.manifest(repository, reference))
    }

    fn blobs(&self, repository: &RepositoryName) -> Arc<dyn Source> {
        Arc::new(self.blobs(repository))
    }

    fn name(&self) -> &str {
        self.name()
    }
}
