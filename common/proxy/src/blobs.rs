//! Blobs, for those whose repository has them.
//!
//! That the bytes are on our disk is no reason to give them out: a caller must ask in a repository that is known to have
//! them, or that the upstream says has them.

use larder_catalog::Kind;
use larder_content::{Blob, Fault, FetchError, Source, SourceError};
use larder_oci::Digest;

use crate::{Proxy, Target};

impl Proxy {
    pub(crate) async fn open_blob(&self, target: &Target, digest: &Digest) -> Result<Blob, FetchError> {
        let source = target.upstream.blobs(&target.repository.name);
        if !self.is_linked(target, digest) {
            self.ask_for_blob(target, digest, source.as_ref()).await?;
        }
        self.shared.content.open(digest, vec![source]).await
    }

    pub(crate) async fn size_of_blob(&self, target: &Target, digest: &Digest) -> Result<u64, FetchError> {
        if self.is_linked(target, digest)
            && let Some(size) = self.shared.content.stored(digest).and_then(|blob| blob.size())
        {
            return Ok(size);
        }
        let source = target.upstream.blobs(&target.repository.name);
        let size = self.ask_for_blob(target, digest, source.as_ref()).await?;
        let unsaid = || SourceError::new(source.name(), Fault::Invalid, "did not say how long a blob is").into();
        size.ok_or_else(unsaid)
    }

    fn is_linked(&self, target: &Target, digest: &Digest) -> bool {
        self.shared.catalog.is_linked(&target.repository, Kind::Blob, digest)
    }

    /// Whether the upstream lets us have the blob in this repository, and its length where it is said. By GET of one
    /// byte: some registries answer 404 to a HEAD of a blob that they have (Harbor's proxy projects).
    async fn ask_for_blob(
        &self,
        target: &Target,
        digest: &Digest,
        source: &dyn Source,
    ) -> Result<Option<u64>, FetchError> {
        let total = source.fetch(digest, (0..1).into()).await?.total;
        let (proxy, repository, digest) = (self.clone(), target.repository.clone(), *digest);
        let link = move || proxy.shared.catalog.link(&repository, Kind::Blob, &digest);
        let linked = tokio::task::spawn_blocking(link).await.map_err(std::io::Error::other);
        self.note("keep what a repository holds", linked.flatten());
        Ok(total)
    }
}
