//! What the catalog knows, for those who serve connections: all of a thread's connections would wait with one that reads
//! a link from a slow disk. What is in memory is answered in place, and the rest is read on a thread that may wait.

use larder_catalog::{Catalog, Kind, TagRecord};
use larder_oci::{Digest, Repository, Tag};

use crate::Proxy;

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
        let proxy = self.clone();
        // What cannot be looked up is asked for at the upstream.
        tokio::task::spawn_blocking(move || look(&proxy.shared.catalog)).await.ok().flatten()
    }
}
