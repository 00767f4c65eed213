//! A registry that is a disk in front of other registries: what hub and agent have in common.
//!
//! It answers the protocol ([`larder_distribution::Registry`]) from what is known and stored, and asks the upstream for
//! the rest: tags when they are no longer fresh, manifests once, blobs through the engine. Where the tiers differ is in
//! their [`Policy`] and in what their [`Upstreams`] do before they ask.

mod blobs;
mod catalog;
mod coalesce;
pub mod content_metrics;
mod manifests;
pub mod metrics;
pub mod policy;
mod tags;
pub mod upkeep;
pub mod upstream;

use std::{sync::Arc, time::SystemTime};

use larder_catalog::Catalog;
use larder_content::{Blob, Fault, FetchError, PullThrough, SourceError};
use larder_distribution::{Code, Error, Registry, route::Name, server::ManifestAnswer};
use larder_oci::{Digest, Reference, Repository};
use tokio::runtime::Handle;

pub use policy::{Freshness, Policy};
pub use upstream::{Upstream, Upstreams};

use metrics::Counters;

/// A pull-through registry.
#[derive(Debug, Clone)]
pub struct Proxy {
    shared: Arc<Shared>,
}

struct Shared {
    upstreams: Box<dyn Upstreams>,
    content: PullThrough,
    catalog: Catalog,
    policy: Policy,
    counters: Counters,
    tags: tags::Resolving,
    unsaved: tags::Unsaved,
    hanging: catalog::Hanging,
    manifests: manifests::Manifests,
    proving: blobs::Asking,
    sizing: blobs::Asking,
}

/// What a request is about, once it is known whose it is.
#[derive(Clone)]
struct Target {
    repository: Repository,
    upstream: Arc<dyn Upstream>,
}

impl Proxy {
    /// A pull-through registry that keeps content and names under one folder, and asks `upstreams` for what it has not,
    /// all of it on the runtime that this is called from: connections to an upstream live and die where they were asked for,
    /// and who serves a client may be busy with others or gone.
    pub fn new(upstreams: impl Upstreams, content: PullThrough, policy: Policy) -> Self {
        let runtime = Handle::current();
        let catalog = Catalog::new(content.disk().layout(), upstreams.default_registry());
        let shared = Shared {
            upstreams: Box::new(upstreams),
            content,
            catalog,
            policy,
            counters: Counters::default(),
            tags: tags::Resolving::new(&runtime),
            unsaved: tags::Unsaved::new(),
            hanging: catalog::Hanging::default(),
            manifests: manifests::Manifests::new(policy.manifest_memory, &runtime),
            proving: blobs::Asking::new(&runtime),
            sizing: blobs::Asking::new(&runtime),
        };
        Self { shared: Arc::new(shared) }
    }

    /// The engine below it.
    pub fn content(&self) -> &PullThrough {
        &self.shared.content
    }

    /// Removes what was fetched before `then`, never what somebody else put on the disk. Gives how many blobs went.
    pub async fn expire(&self, then: SystemTime) -> std::io::Result<u64> {
        let removed = self.shared.content.expire(then).await?;
        if removed > 0 {
            self.shared.manifests.forget();
        }
        Ok(removed)
    }

    fn target(&self, name: &Name) -> Result<Target, Error> {
        let upstreams = &self.shared.upstreams;
        let registry = name.registry.as_ref().unwrap_or_else(|| upstreams.default_registry());
        let upstream = upstreams
            .of(registry)
            .ok_or_else(|| Error::new(Code::NameUnknown, format!("registry {registry} is not configured here")))?;
        let repository = Repository { registry: registry.clone(), name: name.repository.clone() };
        Ok(Target { repository, upstream })
    }
}

impl Registry for Proxy {
    async fn manifest(&self, name: &Name, reference: &Reference, head: bool) -> Result<ManifestAnswer, Error> {
        let target = self.target(name)?;
        self.shared.counters.manifest_requests.add(1);
        let answer = match reference {
            Reference::Digest(digest) => self.manifest_by_digest(&target, digest).await.map(|m| m.answer(None)),
            Reference::Tag(tag) => self.manifest_by_tag(&target, tag, head).await,
        };
        let answer = answer.map_err(|error| self.explain(&target, &reference.to_string(), error))?;
        if !head {
            self.shared.counters.manifest_served_bytes.add(answer.size);
        }
        Ok(answer)
    }

    async fn blob(&self, name: &Name, digest: &Digest) -> Result<Blob, Error> {
        let target = self.target(name)?;
        self.open_blob(&target, digest).await.map_err(|error| self.explain(&target, &digest.to_string(), error))
    }

    async fn blob_size(&self, name: &Name, digest: &Digest) -> Result<u64, Error> {
        let target = self.target(name)?;
        self.size_of_blob(&target, digest).await.map_err(|error| self.explain(&target, &digest.to_string(), error))
    }
}

impl Proxy {
    /// Logs why something could not be had, and makes of it what a client may know.
    fn explain(&self, target: &Target, what: &str, error: FetchError) -> Error {
        let repository = &target.repository;
        let error = match error {
            FetchError::Source(error) => error,
            FetchError::Disk(error) => {
                tracing::error!(%repository, what, %error, "cannot serve: the cache's disk failed");
                return Error::new(Code::Unavailable, "the cache's disk failed");
            }
        };
        let SourceError { source_name, fault, detail } = &error;
        self.shared.counters.failed(*fault);
        match fault {
            Fault::NotFound | Fault::Skipped => {
                tracing::debug!(%repository, what, upstream = %source_name, %detail, "not here");
            }
            _ => {
                tracing::warn!(%repository, what, upstream = %source_name, fault = fault.label(), %detail, "cannot fetch");
            }
        }
        match fault {
            Fault::NotFound => Error::new(Code::ManifestUnknown, "the upstream does not have it"),
            Fault::Denied => Error::new(Code::Denied, "the upstream does not let this cache have it"),
            Fault::Limited(after) => Error {
                retry_after: *after,
                ..Error::new(Code::TooManyRequests, "the upstream says that it is asked too often")
            },
            Fault::Unreachable => Error::new(Code::Unavailable, "the upstream cannot be reached"),
            Fault::TimedOut => Error::new(Code::Unavailable, "the upstream did not answer in time"),
            Fault::Failing => Error::new(Code::Unavailable, "the upstream is in trouble"),
            Fault::Skipped => Error::new(Code::Unavailable, "the upstream is not asked at this time"),
            Fault::Invalid => Error::new(Code::ManifestInvalid, "the upstream's answer is not what was asked for"),
            Fault::Corrupt => Error::new(Code::ManifestInvalid, "the upstream sent other content than its digest says"),
        }
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Proxy").field("content", &self.content).field("policy", &self.policy).finish_non_exhaustive()
    }
}
