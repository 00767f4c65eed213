//! From a spec to an image: configuration, manifest and index around the layers.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::{
    cache::{self, Cached},
    image::{Blob, Image, Manifest, Source},
    sha256,
    spec::{Compression, Format, ImageSpec, LayerSpec},
};

/// All images are of one age, so that they are always the same; engines do not mind.
const CREATED: &str = "2020-01-01T00:00:00Z";

impl ImageSpec {
    /// Makes the image, or takes it from what was made before.
    ///
    /// # Errors
    /// When a file it copies is not there (busybox-static not installed?) or the cache folder cannot be written.
    pub fn build(&self) -> Result<Image> {
        self.build_in(&cache::folder())
    }

    /// The same, with its layers in `folder`, which must outlive the image, and not among those kept between runs.
    ///
    /// # Errors
    /// As [`Self::build`].
    pub fn build_in(&self, folder: &Path) -> Result<Image> {
        let (native, foreign) = match std::env::consts::ARCH {
            "aarch64" => ("arm64", "amd64"),
            _ => ("amd64", "arm64"),
        };
        let mut parts = vec![(native, self.manifest(native, &self.layers, folder)?)];
        if !self.foreign_layers.is_empty() {
            parts.push((foreign, self.manifest(foreign, &self.foreign_layers, folder)?));
        }
        let index = self.index.then(|| self.make_index(&parts)).transpose()?;
        let manifests: Vec<Manifest> = parts.into_iter().map(|(_, manifest)| manifest).collect();
        let config = manifests[0].config.as_ref().context("every image has a configuration")?.digest.clone();
        Ok(Image { repository: self.repository.clone(), tag: self.tag.clone(), index, manifests, config })
    }

    fn manifest(&self, architecture: &str, layers: &[LayerSpec], folder: &Path) -> Result<Manifest> {
        let made: Vec<(Cached, &LayerSpec)> =
            layers.iter().map(|spec| Ok((cache::layer(spec, folder)?, spec))).collect::<Result<_>>()?;
        let config = self.config(architecture, &made)?;
        let blob = |(layer, spec): (Cached, &LayerSpec)| Blob {
            media_type: layer_type(self.format, spec.compression),
            digest: layer.digest,
            size: layer.size,
            source: Source::File(layer.file),
        };
        let layers: Vec<Blob> = made.into_iter().map(blob).collect();
        let media_type = match self.format {
            Format::Docker => "application/vnd.docker.distribution.manifest.v2+json",
            Format::Oci => "application/vnd.oci.image.manifest.v1+json",
        };
        let document = json!({
            "schemaVersion": 2,
            "mediaType": media_type,
            "config": descriptor(&config),
            "layers": layers.iter().map(descriptor).collect::<Vec<_>>(),
        });
        let bytes = serde_json::to_vec_pretty(&document)?;
        Ok(Manifest { media_type, digest: sha256(&bytes), bytes: bytes.into(), config: Some(config), layers })
    }

    fn config(&self, architecture: &str, layers: &[(Cached, &LayerSpec)]) -> Result<Blob> {
        let labels: serde_json::Map<String, Value> =
            self.labels.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        let document = json!({
            "architecture": architecture,
            "os": "linux",
            "created": CREATED,
            "config": { "Cmd": self.command, "Env": ["PATH=/bin"], "Labels": labels },
            "rootfs": { "type": "layers", "diff_ids": layers.iter().map(|(l, _)| &l.diff_id).collect::<Vec<_>>() },
            "history": layers.iter().map(|_| json!({ "created": CREATED })).collect::<Vec<_>>(),
        });
        let bytes = serde_json::to_vec(&document)?;
        let media_type = match self.format {
            Format::Docker => "application/vnd.docker.container.image.v1+json",
            Format::Oci => "application/vnd.oci.image.config.v1+json",
        };
        let (digest, size) = (sha256(&bytes), bytes.len() as u64);
        Ok(Blob { media_type, digest, size, source: Source::Memory(bytes.into()) })
    }

    fn make_index(&self, parts: &[(&str, Manifest)]) -> Result<Manifest> {
        let media_type = match self.format {
            Format::Docker => "application/vnd.docker.distribution.manifest.list.v2+json",
            Format::Oci => "application/vnd.oci.image.index.v1+json",
        };
        let entry = |(architecture, manifest): &(&str, Manifest)| {
            json!({
                "mediaType": manifest.media_type,
                "size": manifest.bytes.len(),
                "digest": manifest.digest,
                "platform": { "architecture": architecture, "os": "linux" },
            })
        };
        let document = json!({
            "schemaVersion": 2,
            "mediaType": media_type,
            "manifests": parts.iter().map(entry).collect::<Vec<_>>(),
        });
        let bytes = serde_json::to_vec_pretty(&document)?;
        Ok(Manifest { media_type, digest: sha256(&bytes), bytes: bytes.into(), config: None, layers: vec![] })
    }
}

fn descriptor(blob: &Blob) -> Value {
    json!({ "mediaType": blob.media_type, "size": blob.size, "digest": blob.digest })
}

fn layer_type(format: Format, compression: Compression) -> &'static str {
    match (format, compression) {
        (Format::Docker, Compression::None) => "application/vnd.docker.image.rootfs.diff.tar",
        (Format::Docker, _) => "application/vnd.docker.image.rootfs.diff.tar.gzip",
        (Format::Oci, Compression::None) => "application/vnd.oci.image.layer.v1.tar",
        (Format::Oci, _) => "application/vnd.oci.image.layer.v1.tar+gzip",
    }
}
