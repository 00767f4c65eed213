//! What is to be in an image. Plain data; nothing is made here.

use std::path::PathBuf;

use serde::Serialize;

/// Which family of media types an image speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Docker's schema 2: what `docker push` makes.
    Docker,
    /// OCI 1.0: what most builders make today.
    Oci,
}

/// How a layer's tar is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Compression {
    /// gzip, as engines do it.
    Gzip,
    /// gzip that does not try: for content that cannot be made smaller anyway.
    Stored,
    /// The bare tar.
    None,
}

/// What is in a file.
#[derive(Clone, Debug, Serialize)]
pub enum Content {
    /// These bytes.
    Bytes(Vec<u8>),
    /// A copy of a file of this machine.
    HostFile(PathBuf),
    /// So many bytes that look random, always the same for one seed. They cannot be compressed.
    Random {
        /// What the bytes are made from.
        seed: u64,
        /// How many.
        size: u64,
    },
}

/// A member of a layer. Paths are relative to the image's root.
#[derive(Clone, Debug, Serialize)]
pub enum Item {
    /// A folder with this mode.
    Folder(String, u32),
    /// A file with this mode.
    File(String, u32, Content),
    /// A symbolic link and where it leads.
    Link(String, String),
}

/// One layer.
#[derive(Clone, Debug, Serialize)]
pub struct LayerSpec {
    pub(crate) items: Vec<Item>,
    pub(crate) compression: Compression,
}

impl LayerSpec {
    /// A layer of these members, in this order, packed by gzip.
    pub fn new(items: impl IntoIterator<Item = Item>) -> Self {
        Self { items: items.into_iter().collect(), compression: Compression::Gzip }
    }

    /// A layer of one text file.
    pub fn text(path: &str, text: &str) -> Self {
        Self::new([Item::File(path.to_owned(), 0o644, Content::Bytes(text.as_bytes().to_vec()))])
    }

    /// A layer of one file with `size` random bytes: as a blob it is that size and a little more.
    pub fn random(path: &str, seed: u64, size: u64) -> Self {
        let layer = Self::new([Item::File(path.to_owned(), 0o644, Content::Random { seed, size })]);
        layer.packed(Compression::Stored)
    }

    /// The same layer, packed otherwise.
    #[must_use]
    pub fn packed(mut self, compression: Compression) -> Self {
        self.compression = compression;
        self
    }
}

/// An image to be. [`samples`](super::busybox) has the usual ones to start from.
#[derive(Clone, Debug)]
pub struct ImageSpec {
    pub(crate) repository: String,
    pub(crate) tag: String,
    pub(crate) format: Format,
    pub(crate) index: bool,
    pub(crate) layers: Vec<LayerSpec>,
    pub(crate) foreign_layers: Vec<LayerSpec>,
    pub(crate) command: Vec<String>,
    pub(crate) labels: Vec<(String, String)>,
}

impl ImageSpec {
    /// An image without layers, in Docker's format, under an index with this machine's architecture.
    pub fn new(repository: &str, tag: &str) -> Self {
        Self {
            repository: repository.to_owned(),
            tag: tag.to_owned(),
            format: Format::Docker,
            index: true,
            layers: vec![],
            foreign_layers: vec![],
            command: vec![],
            labels: vec![],
        }
    }

    /// Chooses the media types.
    #[must_use]
    pub fn format(mut self, format: Format) -> Self {
        self.format = format;
        self
    }

    /// The tag names the manifest itself, without an index (manifest list).
    #[must_use]
    pub fn without_index(mut self) -> Self {
        self.index = false;
        self
    }

    /// Adds a layer on top.
    #[must_use]
    pub fn layer(mut self, layer: LayerSpec) -> Self {
        self.layers.push(layer);
        self
    }

    /// Adds a layer to the other architecture of the index, which comes to be by the first of these.
    #[must_use]
    pub fn foreign_layer(mut self, layer: LayerSpec) -> Self {
        self.foreign_layers.push(layer);
        self
    }

    /// What `docker run` runs by default.
    #[must_use]
    pub fn command(mut self, words: &[&str]) -> Self {
        self.command = words.iter().map(|&w| w.to_owned()).collect();
        self
    }

    /// Adds a label: another config, the same layers.
    #[must_use]
    pub fn label(mut self, name: &str, value: &str) -> Self {
        self.labels.push((name.to_owned(), value.to_owned()));
        self
    }
}
