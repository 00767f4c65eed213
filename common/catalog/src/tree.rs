//! Where tags and links lie.
//!
//! Larder writes them in a tree of its own, one per registry, so that content of one is never taken for another's:
//!
//! ```text
//! larder/registries/<host>/repositories/<name>/_manifests/tags/<tag>/current/link
//! larder/registries/<host>/repositories/<name>/_manifests/revisions/<alg>/<hex>/link
//! larder/registries/<host>/repositories/<name>/_layers/<alg>/<hex>/link
//! larder/adopted                                       the registry whose content was there before us
//! ```
//!
//! A link file holds the digest as text, and after it the length in bytes where a manifest said it. When a tag was last
//! checked is the time of its link.
//!
//! What CNCF distribution left in its own tree (`docker/registry/v2/repositories`, the same names below it) is read and
//! never written: it is the operator's. It counts as content of the registry for which the folder was first opened.

use std::{fs, io, path::PathBuf, time::SystemTime};

use larder_content::{
    durable::{self, Sync},
    layout::Layout,
};
use larder_oci::{Digest, Registry, Repository, Tag};

/// What a link is to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A manifest.
    Manifest,
    /// A layer or a config.
    Blob,
}

/// A tag as a link file shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredTag {
    pub(crate) digest: Digest,
    pub(crate) checked: SystemTime,
}

#[derive(Debug)]
pub(crate) struct Tree {
    own: PathBuf,
    /// Distribution's tree, and whose content it holds.
    adopted: Option<(Registry, PathBuf)>,
}

impl Tree {
    /// The tree in a folder that is opened for `default`.
    pub(crate) fn open(layout: &Layout, default: &Registry) -> Self {
        let theirs = layout.v2().join("repositories");
        let adopted = theirs.is_dir().then(|| adopter(layout, default)).flatten().map(|whose| (whose, theirs));
        Self { own: layout.root().join("larder/registries"), adopted }
    }

    pub(crate) fn own_tag(&self, repository: &Repository, tag: &Tag) -> PathBuf {
        self.own(repository).join(tag_link(tag))
    }

    pub(crate) fn own_link(&self, repository: &Repository, kind: Kind, digest: &Digest) -> PathBuf {
        self.own(repository).join(content_link(kind, digest))
    }

    /// The tag as the disk has it: as we last heard, or as it was before us.
    pub(crate) fn tag(&self, repository: &Repository, tag: &Tag) -> Option<StoredTag> {
        let theirs = self.theirs(repository).map(|folder| folder.join(tag_link(tag)));
        [Some(self.own_tag(repository, tag)), theirs].into_iter().flatten().find_map(|path| {
            let (digest, _) = read(&path)?;
            let checked = fs::metadata(&path).and_then(|file| file.modified()).ok()?;
            Some(StoredTag { digest, checked })
        })
    }

    /// Whether the repository has the content, and the length in bytes where that is known.
    pub(crate) fn link(&self, repository: &Repository, kind: Kind, digest: &Digest) -> Option<Option<u64>> {
        let theirs = self.theirs(repository).map(|folder| folder.join(content_link(kind, digest)));
        let places = [Some(self.own_link(repository, kind, digest)), theirs];
        places
            .into_iter()
            .flatten()
            .find_map(|path| read(&path).filter(|(read, _)| read == digest))
            .map(|(_, size)| size)
    }

    fn own(&self, repository: &Repository) -> PathBuf {
        self.own.join(repository.registry.as_str()).join("repositories").join(repository.name.as_str())
    }

    fn theirs(&self, repository: &Repository) -> Option<PathBuf> {
        let (whose, folder) = self.adopted.as_ref()?;
        (*whose == repository.registry).then(|| folder.join(repository.name.as_str()))
    }
}

/// Whose content the folder held before us: noted when it is first opened, and the same from then on.
fn adopter(layout: &Layout, default: &Registry) -> Option<Registry> {
    let note = layout.root().join("larder/adopted");
    let noted = match fs::read_to_string(&note) {
        Ok(text) => text.trim().parse().ok(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let written = durable::replace(&note, default.as_str().as_bytes(), Sync::Yes);
            written.ok().map(|()| default.clone())
        }
        Err(_) => None,
    };
    match &noted {
        Some(whose) if whose == default => {}
        Some(whose) => {
            tracing::warn!(%whose, ours = %default, "the folder holds content of another registry: not used");
        }
        None => tracing::warn!(note = %note.display(), "cannot tell whose content the folder holds: not used"),
    }
    noted
}

/// The digest in a link file, and the length if it is there. What a crash left empty or cut is no link.
fn read(path: &std::path::Path) -> Option<(Digest, Option<u64>)> {
    let text = fs::read_to_string(path).ok()?;
    let mut words = text.split_whitespace();
    let digest = words.next()?.parse().ok()?;
    match words.next() {
        None => Some((digest, None)),
        Some(size) => Some((digest, Some(size.parse().ok()?))),
    }
}

fn tag_link(tag: &Tag) -> PathBuf {
    ["_manifests/tags", tag.as_str(), "current/link"].iter().collect()
}

fn content_link(kind: Kind, digest: &Digest) -> PathBuf {
    let folder = match kind {
        Kind::Manifest => "_manifests/revisions",
        Kind::Blob => "_layers",
    };
    [folder, digest.algorithm().name(), &digest.hex(), "link"].iter().collect()
}
