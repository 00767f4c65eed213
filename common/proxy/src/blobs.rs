//! Blobs, for those whose repository has them.
//!
//! That the bytes are on our disk is no reason to give them out: a caller must ask in a repository that is known to have
//! them, or that the upstream says has them.

use larder_catalog::Kind;
use larder_content::{Blob, ByteRange, Fault, FetchError, Source, SourceError};
use larder_oci::Digest;

use crate::{Proxy, Target};

impl Proxy {
    pub(crate) async fn open_blob(&self, target: &Target, digest: &Digest) -> Result<Blob, FetchError> {
        let source = target.upstream.blobs(&target.repository.name);
        let size = match self.linked(target, digest) {
            Some(size) => size,
            None => self.ask_for_blob(target, digest, source.as_ref()).await?,
        };
        self.shared.content.open(digest, size, vec![source]).await
    }

    pub(crate) async fn size_of_blob(&self, target: &Target, digest: &Digest) -> Result<u64, FetchError> {
        if self.linked(target, digest).is_some()
            && let Some(size) = self.shared.content.stored(digest).and_then(|blob| blob.size())
        {
            return Ok(size);
        }
        let source = target.upstream.blobs(&target.repository.name);
        let size = self.ask_for_blob(target, digest, source.as_ref()).await?;
        let unsaid = || SourceError::new(source.name(), Fault::Invalid, "did not say how long a blob is").into();
        size.ok_or_else(unsaid)
    }

    fn linked(&self, target: &Target, digest: &Digest) -> Option<Option<u64>> {
        self.shared.catalog.linked(&target.repository, Kind::Blob, digest)
    }

    /// Whether the upstream lets us have the blob in this repository, and its length where it is said. By GET of one
    /// byte: some registries answer 404 to a HEAD of a blob that they have (Harbor's proxy projects).
    async fn ask_for_blob(
        &self,
        target: &Target,
        digest: &Digest,
        source: &dyn Source,
    ) -> Result<Option<u64>, FetchError> {
        // The empty blob has no first byte.
        let range = if digest.matches(b"") { ByteRange::ALL } else { (0..1).into() };
        let total = source.fetch(digest, range).await?.total;
        let (repository, digest) = (target.repository.clone(), *digest);
        let link = move |proxy: &Self| proxy.shared.catalog.link(&repository, Kind::Blob, &digest, None);
        self.note("keep what a repository holds", link).await;
        Ok(total)
    }
}
