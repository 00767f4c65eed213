//! Where tags and links lie: CNCF distribution's tree (`registry/storage/paths.go`).
//!
//! ```text
//! docker/registry/v2/repositories/<name>/_manifests/tags/<tag>/current/link
//! docker/registry/v2/repositories/<name>/_manifests/tags/<tag>/index/<alg>/<hex>/link
//! docker/registry/v2/repositories/<name>/_manifests/revisions/<alg>/<hex>/link
//! docker/registry/v2/repositories/<name>/_layers/<alg>/<hex>/link
//! larder/registries/<host>/repositories/<name>/…              the same, for registries other than the default
//! ```
//!
//! A link file holds the digest as text. When a tag was last checked is the time of its `current/link`.

use std::{io, path::PathBuf};

use larder_content::layout::Layout;
use larder_oci::{Digest, Registry, Repository, Tag};

use crate::StoredTag;

/// What a link is to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A manifest.
    Manifest,
    /// A layer or a config.
    Blob,
}

#[derive(Debug)]
pub(crate) struct Tree {
    default: Registry,
    v2: PathBuf,
    others: PathBuf,
}

impl Tree {
    pub(crate) fn new(layout: &Layout, default: Registry) -> Self {
        Self { default, v2: layout.v2().join("repositories"), others: layout.root().join("larder/registries") }
    }

    /// The folder of a repository.
    fn repository(&self, repository: &Repository) -> PathBuf {
        let top = if repository.registry == self.default {
            self.v2.clone()
        } else {
            self.others.join(repository.registry.as_str()).join("repositories")
        };
        top.join(repository.name.as_str())
    }

    /// The folder of a tag.
    pub(crate) fn tag_folder(&self, repository: &Repository, tag: &Tag) -> PathBuf {
        self.repository(repository).join("_manifests/tags").join(tag.as_str())
    }

    pub(crate) fn current(&self, repository: &Repository, tag: &Tag) -> PathBuf {
        self.tag_folder(repository, tag).join("current/link")
    }

    pub(crate) fn index(&self, repository: &Repository, tag: &Tag, digest: &Digest) -> PathBuf {
        self.tag_folder(repository, tag).join("index").join(link(digest))
    }

    pub(crate) fn link(&self, repository: &Repository, kind: Kind, digest: &Digest) -> PathBuf {
        let folder = match kind {
            Kind::Manifest => "_manifests/revisions",
            Kind::Blob => "_layers",
        };
        self.repository(repository).join(folder).join(link(digest))
    }

    /// The tag as the disk has it. A link that cannot be read is none: it will be asked for and written again.
    pub(crate) fn tag(&self, repository: &Repository, tag: &Tag) -> Option<StoredTag> {
        let path = self.current(repository, tag);
        let read = || -> io::Result<(String, std::time::SystemTime)> {
            let text = std::fs::read_to_string(&path)?;
            Ok((text, std::fs::metadata(&path)?.modified()?))
        };
        let (text, checked) = read().ok()?;
        let digest = text.trim().parse().ok()?;
        Some(StoredTag { digest, checked, path })
    }
}

fn link(digest: &Digest) -> PathBuf {
    [digest.algorithm().name(), &digest.hex(), "link"].iter().collect()
}
