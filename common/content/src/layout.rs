//! Where things lie under a root folder. Pure.
//!
//! Finished blobs lie where CNCF distribution's storage driver puts them (`registry/storage/paths.go`), so that the
//! folder of an existing registry is warm on the first start, and can be handed back:
//!
//! ```text
//! <root>/docker/registry/v2/blobs/<alg>/<first 2 hex>/<hex>/data     blobs, manifests among them
//! <root>/docker/registry/v2/repositories/…                           links and tags (larder-catalog)
//! <root>/larder/lock                                                 held by the process that owns the folder
//! <root>/larder/partials/<alg>-<hex>                                 downloads in progress
//! <root>/larder/partials/<alg>-<hex>.pieces                          what is known of their pieces
//! <root>/larder/pieces/<alg>/<first 2 hex>/<hex>                     the pieces of finished blobs
//! <root>/larder/index                                                what is here, and when it was last used
//!
//! What lies in `larder/pieces` and `larder/index` can be lost: it is made anew.
//! ```

use std::path::{Path, PathBuf};

use larder_oci::Digest;

/// The paths under one root folder.
#[derive(Debug, Clone)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    /// The layout of the folder `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The top of distribution's tree.
    pub fn v2(&self) -> PathBuf {
        self.root.join("docker/registry/v2")
    }

    /// The file that holds the content of `digest` once it is complete and verified.
    pub fn blob(&self, digest: &Digest) -> PathBuf {
        let hex = digest.hex();
        let mut path = self.v2();
        path.extend(["blobs", digest.algorithm().name(), &hex[..2], &hex, "data"]);
        path
    }

    /// The folder of downloads in progress.
    pub fn partials(&self) -> PathBuf {
        self.larder().join("partials")
    }

    /// The folder of all that only Larder has.
    pub(crate) fn larder(&self) -> PathBuf {
        self.root.join("larder")
    }

    /// The file of a download of `digest`.
    pub fn partial(&self, digest: &Digest) -> PathBuf {
        self.partials().join(partial_name(digest))
    }

    /// The journal of a download of `digest`.
    pub fn partial_pieces(&self, digest: &Digest) -> PathBuf {
        self.partials().join(format!("{}{JOURNAL}", partial_name(digest)))
    }

    /// The list of the pieces of a finished blob.
    pub fn pieces(&self, digest: &Digest) -> PathBuf {
        let hex = digest.hex();
        let mut path = self.root.join("larder/pieces");
        path.extend([digest.algorithm().name(), &hex[..2], &hex]);
        path
    }

    /// The file whose lock says that a process owns the folder.
    pub fn lock(&self) -> PathBuf {
        self.root.join("larder/lock")
    }

    /// The index.
    pub fn index(&self) -> PathBuf {
        self.root.join("larder/index")
    }
}

const JOURNAL: &str = ".pieces";

fn partial_name(digest: &Digest) -> String {
    format!("{}-{}", digest.algorithm(), digest.hex())
}

/// The digest whose download, or the journal of it, a file in [`Layout::partials`] is.
pub fn digest_of_partial(name: &str) -> Option<Digest> {
    name.strip_suffix(JOURNAL).unwrap_or(name).replacen('-', ":", 1).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blobs_lie_where_distribution_puts_them() {
        let digest: Digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855".parse().unwrap();
        let hex = digest.hex();
        let expected = format!("/r/docker/registry/v2/blobs/sha256/e3/{hex}/data");
        let layout = Layout::new("/r");
        assert_eq!(layout.blob(&digest), PathBuf::from(expected));
        for path in [layout.partial(&digest), layout.partial_pieces(&digest)] {
            assert_eq!(digest_of_partial(path.file_name().unwrap().to_str().unwrap()), Some(digest));
        }
        assert_eq!(digest_of_partial(".probe"), None);
    }
}
