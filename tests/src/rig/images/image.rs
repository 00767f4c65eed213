//! An image that has been made: its digests, sizes and bytes.

use std::{collections::BTreeMap, fs, path::PathBuf};

use anyhow::{Context as _, Result};
use bytes::Bytes;

/// A configuration or a layer.
#[derive(Clone, Debug)]
pub struct Blob {
    pub(crate) media_type: &'static str,
    pub(crate) digest: String,
    pub(crate) size: u64,
    pub(crate) source: Source,
}

/// Where a blob's bytes are.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    Memory(Bytes),
    /// A file of the layer cache: never to be changed.
    File(PathBuf),
}

impl Blob {
    /// Its media type.
    pub fn media_type(&self) -> &str {
        self.media_type
    }

    /// Its digest, `sha256:…`.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Its size in bytes, as it is stored and sent.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Its bytes, all of them in memory.
    ///
    /// # Errors
    /// When the layer cache was removed meanwhile.
    pub fn bytes(&self) -> Result<Bytes> {
        match &self.source {
            Source::Memory(bytes) => Ok(bytes.clone()),
            Source::File(path) => {
                Ok(fs::read(path).with_context(|| format!("reading layer {}", path.display()))?.into())
            }
        }
    }
}

/// A manifest or an index. For an index, `config` is `None` and `layers` is empty.
#[derive(Clone, Debug)]
pub struct Manifest {
    pub(crate) media_type: &'static str,
    pub(crate) digest: String,
    pub(crate) bytes: Bytes,
    pub(crate) config: Option<Blob>,
    pub(crate) layers: Vec<Blob>,
}

impl Manifest {
    /// Its media type.
    pub fn media_type(&self) -> &str {
        self.media_type
    }

    /// Its digest, `sha256:…`.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Its exact bytes.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Configuration and layers.
    pub fn blobs(&self) -> impl Iterator<Item = &Blob> {
        self.config.iter().chain(&self.layers)
    }
}

/// An image under its name and tag.
#[derive(Clone, Debug)]
pub struct Image {
    pub(crate) repository: String,
    pub(crate) tag: String,
    pub(crate) index: Option<Manifest>,
    /// The one for this machine's architecture first.
    pub(crate) manifests: Vec<Manifest>,
    pub(crate) config: String,
}

impl Image {
    /// Its repository as a registry knows it: `library/tiny`, not `tiny`.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// Its tag.
    pub fn tag(&self) -> &str {
        &self.tag
    }

    /// What a person gives to `docker pull` for Docker Hub: `tiny:1` for `library/tiny:1`.
    pub fn hub_name(&self) -> String {
        let short = self.repository.strip_prefix("library/").unwrap_or(&self.repository);
        format!("{short}:{}", self.tag)
    }

    /// The digest the tag stands for: the index's, or the manifest's if there is no index.
    pub fn digest(&self) -> &str {
        self.index.as_ref().map_or_else(|| self.manifest_digest(), |index| index.digest())
    }

    /// The digest of the manifest an engine on this machine takes.
    pub fn manifest_digest(&self) -> &str {
        &self.manifests[0].digest
    }

    /// The digest of its configuration; a classic engine calls it the image's ID.
    pub fn config_digest(&self) -> &str {
        &self.config
    }

    /// The layers an engine on this machine takes, the lowest first.
    pub fn layers(&self) -> &[Blob] {
        &self.manifests[0].layers
    }

    /// The index, if there is one.
    pub fn index(&self) -> Option<&Manifest> {
        self.index.as_ref()
    }

    /// The manifests of all architectures, this machine's first.
    pub fn manifests(&self) -> &[Manifest] {
        &self.manifests
    }

    /// Manifests and index, in the order in which a registry takes them.
    pub fn documents(&self) -> impl Iterator<Item = &Manifest> {
        self.manifests.iter().chain(&self.index)
    }

    /// Every blob of every architecture, once.
    pub fn blobs(&self) -> Vec<&Blob> {
        let all = self.manifests.iter().flat_map(Manifest::blobs);
        all.map(|b| (b.digest(), b)).collect::<BTreeMap<_, _>>().into_values().collect()
    }

    /// What an engine on this machine downloads as blobs: configuration and layers, each once.
    pub fn pull_bytes(&self) -> u64 {
        let blobs: BTreeMap<_, _> = self.manifests[0].blobs().map(|b| (b.digest(), b.size())).collect();
        blobs.values().sum()
    }

    /// All that a registry stores for it: blobs of every architecture, manifests and index.
    pub fn total_bytes(&self) -> u64 {
        let documents: usize = self.documents().map(|d| d.bytes.len()).sum();
        self.blobs().iter().map(|b| b.size).sum::<u64>() + documents as u64
    }
}
