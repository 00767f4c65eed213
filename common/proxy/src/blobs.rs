//! Blobs, for those whose repository has them.
//!
//! That the bytes are on our disk is no reason to give them out: a caller must ask in a repository that is known to have
//! them, or that the upstream says has them.

use std::sync::Arc;

use larder_catalog::Kind;
use larder_content::{Blob, Fault, FetchError, Source, SourceError};
use larder_oci::{Digest, Repository};

use crate::{Proxy, Target, coalesce::Coalesce, tags::given_up};

/// Questions under way: whether a repository has a blob, and its length where it is said.
pub(crate) type Asking = Coalesce<(Repository, Digest), Result<Option<u64>, FetchError>>;

impl Proxy {
    pub(crate) async fn open_blob(&self, target: &Target, digest: &Digest) -> Result<Blob, FetchError> {
        let source = target.upstream.blobs(&target.repository.name);
        let size = match self.linked(&target.repository, Kind::Blob, digest).await {
            Some(size) => size,
            None => self.prove(target, digest, &source).await?,
        };
        self.shared.content.open(digest, size, vec![source]).await
    }

    pub(crate) async fn size_of_blob(&self, target: &Target, digest: &Digest) -> Result<u64, FetchError> {
        if let Some(size) = self.shared.content.size(digest)
            && self.linked(&target.repository, Kind::Blob, digest).await.is_some()
        {
            return Ok(size);
        }
        self.shared.content.admit(digest)?;
        let source = target.upstream.blobs(&target.repository.name);
        let work = || {
            let (proxy, target, digest, source) = (self.clone(), target.clone(), *digest, Arc::clone(&source));
            async move { proxy.ask_for_blob(&target, &digest, source.as_ref()).await }
        };
        let key = (target.repository.clone(), *digest);
        let size = self.shared.sizing.run(key, work).await.unwrap_or_else(|| Err(given_up()))?;
        let unsaid = || SourceError::new(source.name(), Fault::Invalid, "did not say how long a blob is").into();
        size.ok_or_else(unsaid)
    }

    /// Finds out whether the upstream lets us have the blob in this repository, and its length where it is said. If the
    /// blob is not here, by fetching it; if it is, by asking. However many want to know, one does it.
    async fn prove(
        &self,
        target: &Target,
        digest: &Digest,
        source: &Arc<dyn Source>,
    ) -> Result<Option<u64>, FetchError> {
        let work = || {
            let (proxy, target, digest, source) = (self.clone(), target.clone(), *digest, Arc::clone(source));
            async move {
                // Who asked the same just before may have written it down by now.
                if let Some(size) = proxy.linked(&target.repository, Kind::Blob, &digest).await {
                    return Ok(size);
                }
                match proxy.shared.content.start(&digest, None, vec![Arc::clone(&source)]).await {
                    Some(blob) => {
                        let size = blob?.size();
                        proxy.note_blob(&target, &digest).await;
                        Ok(size)
                    }
                    None => proxy.ask_for_blob(&target, &digest, source.as_ref()).await,
                }
            }
        };
        let key = (target.repository.clone(), *digest);
        self.shared.proving.run(key, work).await.unwrap_or_else(|| Err(given_up()))
    }

    /// Asks whether the upstream lets us have the blob in this repository, and its length where it is said.
    async fn ask_for_blob(
        &self,
        target: &Target,
        digest: &Digest,
        source: &dyn Source,
    ) -> Result<Option<u64>, FetchError> {
        let size = source.size(digest).await?;
        self.note_blob(target, digest).await;
        Ok(size)
    }

    async fn note_blob(&self, target: &Target, digest: &Digest) {
        let (repository, digest) = (target.repository.clone(), *digest);
        // First of all in memory: a disk that hangs must not have every pull ask.
        self.shared.catalog.believe(&repository, Kind::Blob, &digest, None);
        let link = move |proxy: &Self| proxy.shared.catalog.link(&repository, Kind::Blob, &digest, None);
        self.note("keep what a repository holds", link).await;
    }
}
