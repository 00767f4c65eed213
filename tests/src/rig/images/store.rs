//! Writing an image straight into distribution's v2 storage layout: what a registry has on its disk after a push.
//! (`registry/storage/paths.go` of distribution describes it in one comment.)

use std::{fs, path::Path};

use anyhow::{Context as _, Result};

use super::image::{Image, Source};

impl Image {
    /// Writes blobs, links and the tag below `root`, the `rootdirectory` of a registry's filesystem storage. What is
    /// there already stays; the tag is moved.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write_storage(&self, root: &Path) -> Result<()> {
        let v2 = root.join("docker/registry/v2");
        let repository = v2.join("repositories").join(&self.repository);
        for blob in self.blobs() {
            put(&v2, &blob.digest, |to| match &blob.source {
                Source::Memory(bytes) => fs::write(to, bytes),
                // A copy, not a hard link: a test may well spoil the registry's file, but must not spoil the cache.
                Source::File(from) => fs::copy(from, to).map(drop),
            })?;
            link(&repository.join("_layers"), &blob.digest)?;
        }
        for document in self.documents() {
            put(&v2, &document.digest, |to| fs::write(to, &document.bytes))?;
            link(&repository.join("_manifests/revisions"), &document.digest)?;
        }
        let tag = repository.join("_manifests/tags").join(&self.tag);
        link(&tag.join("index"), self.digest())?;
        fs::create_dir_all(tag.join("current"))?;
        fs::write(tag.join("current/link"), self.digest()).context("writing the tag")
    }
}

fn put(v2: &Path, digest: &str, write: impl FnOnce(&Path) -> std::io::Result<()>) -> Result<()> {
    let hash = digest.trim_start_matches("sha256:");
    let folder = v2.join("blobs/sha256").join(&hash[..2]).join(hash);
    if folder.join("data").exists() {
        return Ok(());
    }
    fs::create_dir_all(&folder)?;
    let part = folder.join("data.part");
    write(&part).with_context(|| format!("writing blob {digest}"))?;
    fs::rename(&part, folder.join("data")).with_context(|| format!("putting blob {digest} in place"))
}

fn link(folder: &Path, digest: &str) -> Result<()> {
    let folder = folder.join("sha256").join(digest.trim_start_matches("sha256:"));
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("link"), digest).with_context(|| format!("linking {digest}"))
}
