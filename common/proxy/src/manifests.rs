//! Manifests by digest: from memory, from the disk, or once from upstream.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use larder_catalog::Kind;
use larder_content::{Fault, FetchError, SourceError};
use larder_distribution::server::ManifestAnswer;
use larder_oci::{Digest, Manifest, MediaType, Reference, Repository, manifest::MAX_MANIFEST};
use moka::sync::Cache;
use tokio::runtime::Handle;

use crate::{Proxy, Target, coalesce::Coalesce, tags::given_up};

/// Manifests in memory, and those being fetched.
pub(crate) struct Manifests {
    /// A manifest is here only under a repository that is linked to it.
    memory: Cache<(Repository, Digest), Arc<Stored>>,
    fetching: Coalesce<(Repository, Digest), Result<Arc<Stored>, FetchError>>,
}

/// A verified manifest.
#[derive(Debug)]
pub(crate) struct Stored {
    digest: Digest,
    media_type: MediaType,
    bytes: Bytes,
}

impl Manifests {
    pub(crate) fn new(most: u64, runtime: &Handle) -> Self {
        // What a manifest takes beside its bytes: keys, the cache's own records.
        const BESIDE: u32 = 400;
        let weigh = |_: &(Repository, Digest), stored: &Arc<Stored>| {
            u32::try_from(stored.bytes.len()).unwrap_or(u32::MAX).saturating_add(BESIDE)
        };
        Self { memory: Cache::builder().max_capacity(most).weigher(weigh).build(), fetching: Coalesce::new(runtime) }
    }
}

impl Manifests {
    /// Lets go of what is in memory: the disk has to be asked again.
    pub(crate) fn forget(&self) {
        self.memory.invalidate_all();
    }
}

impl Stored {
    pub(crate) fn answer(&self, fresh_for: Option<Duration>) -> ManifestAnswer {
        ManifestAnswer {
            digest: self.digest,
            media_type: self.media_type,
            size: self.bytes.len() as u64,
            content: Some(self.bytes.clone()),
            fresh_for,
        }
    }
}

impl Proxy {
    pub(crate) async fn manifest_by_digest(&self, target: &Target, digest: &Digest) -> Result<Arc<Stored>, FetchError> {
        let shared = &self.shared;
        let key = (target.repository.clone(), *digest);
        if let Some(stored) = shared.manifests.memory.get(&key) {
            // What is hot in memory is not to go from the disk.
            shared.content.touch(digest);
            shared.counters.manifest_hits.add(1);
            return Ok(stored);
        }
        if self.linked(&target.repository, Kind::Manifest, digest).await.is_some()
            && let Some(stored) = self.read_manifest(digest).await
        {
            shared.counters.manifest_hits.add(1);
            shared.manifests.memory.insert(key, Arc::clone(&stored));
            return Ok(stored);
        }
        shared.counters.manifest_misses.add(1);
        let work = || {
            let (proxy, target, digest) = (self.clone(), target.clone(), *digest);
            async move {
                // Who asked just before may have it by now: looking at the disk took its time.
                let memory = &proxy.shared.manifests.memory;
                if let Some(stored) = memory.get(&(target.repository.clone(), digest)) {
                    return Ok(stored);
                }
                proxy.fetch_manifest(&target, &digest).await
            }
        };
        shared.manifests.fetching.run(key, work).await.unwrap_or_else(|| Err(given_up()))
    }

    async fn fetch_manifest(&self, target: &Target, digest: &Digest) -> Result<Arc<Stored>, FetchError> {
        let reference = Reference::Digest(*digest);
        let kept = match target.upstream.manifest(&target.repository.name, &reference).await {
            Ok(fetched) => self.keep_manifest(target, digest, fetched.bytes).await,
            Err(error) => Err(error.into()),
        };
        match &kept {
            Ok(_) => self.save_tags(&target.repository, digest).await,
            Err(_) => self.forget_tags(&target.repository, digest),
        }
        kept
    }

    /// Checks a manifest that came from upstream, and keeps it, and that its repository has it and what it names.
    pub(crate) async fn keep_manifest(
        &self,
        target: &Target,
        digest: &Digest,
        bytes: Bytes,
    ) -> Result<Arc<Stored>, FetchError> {
        let shared = &self.shared;
        shared.counters.manifest_fetched_bytes.add(bytes.len() as u64);
        let wrong = |fault, detail: String| SourceError::new(target.upstream.name(), fault, detail);
        if !digest.matches(&bytes) {
            let sent = Digest::of(digest.algorithm(), &bytes);
            return Err(wrong(Fault::Corrupt, format!("sent {sent} for manifest {digest}")).into());
        }
        let manifest = Manifest::parse(&bytes).map_err(|error| wrong(Fault::Invalid, error.to_string()))?;
        let stored = Arc::new(Stored { digest: *digest, media_type: manifest.media_type, bytes });
        let put = shared.content.put(digest, stored.bytes.clone()).await;
        if let Err(error) = put {
            tracing::error!(%digest, %error, "cannot keep a manifest: check the disk of the cache");
        } else {
            let (repository, digest) = (target.repository.clone(), *digest);
            self.note("keep what a repository holds", move |proxy| proxy.link(&repository, &digest, &manifest)).await;
        }
        shared.manifests.memory.insert((target.repository.clone(), *digest), Arc::clone(&stored));
        Ok(stored)
    }

    fn link(&self, repository: &Repository, digest: &Digest, manifest: &Manifest) -> std::io::Result<()> {
        let catalog = &self.shared.catalog;
        for blob in &manifest.blobs {
            catalog.link(repository, Kind::Blob, &blob.digest, Some(blob.size))?;
        }
        catalog.link(repository, Kind::Manifest, digest, None)
    }

    /// The manifest on the disk, if it is there, and is what it should be.
    async fn read_manifest(&self, digest: &Digest) -> Option<Arc<Stored>> {
        let bytes = self.shared.content.small(digest, MAX_MANIFEST as u64).await?;
        let parsed = digest.matches(&bytes).then(|| Manifest::parse(&bytes).ok()).flatten();
        let Some(manifest) = parsed else {
            tracing::error!(%digest, "a cached manifest is damaged: fetching it again");
            return None;
        };
        Some(Arc::new(Stored { digest: *digest, media_type: manifest.media_type, bytes }))
    }
}
