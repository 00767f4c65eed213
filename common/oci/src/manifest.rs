//! A view of a manifest over its exact bytes.
//!
//! A manifest's digest is over its bytes, so the bytes are kept as they came and never written anew; what is parsed is
//! only what Larder must know: the type, and which content it names.

use serde::Deserialize;

use crate::{Digest, MediaType};

/// Largest manifest taken, in bytes: the size that the distribution specification lets a registry refuse above
/// ("registries SHOULD enforce some limit", 4 MiB being the least they take).
pub const MAX_MANIFEST: usize = 4 * 1024 * 1024;

/// Most contents one manifest may name. Far above any real image; it bounds what a hostile manifest makes us link.
const MAX_DESCRIPTORS: usize = 20_000;

/// What a manifest says, as far as Larder needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Its type: what its `mediaType` says, or what its fields show when it says none (OCI lets it be absent).
    pub media_type: MediaType,
    /// The manifests it lists (an index), in order.
    pub manifests: Vec<Descriptor>,
    /// Its config and layers (an image), in order.
    pub blobs: Vec<Descriptor>,
}

/// A reference from a manifest to content.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Descriptor {
    /// What the content is called.
    pub digest: Digest,
    /// Its length in bytes.
    pub size: u64,
}

/// Why bytes are no manifest that can be served.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// More than [`MAX_MANIFEST`] bytes.
    #[error("manifest is larger than {} MiB", MAX_MANIFEST >> 20)]
    TooLarge,
    /// Not a JSON object of a manifest's form.
    #[error("not a manifest: {0}")]
    Malformed(String),
    /// A type that is none of the four, schema 1 among them.
    #[error("manifest type {0:?} is not supported")]
    Unsupported(String),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    #[serde(default)]
    schema_version: u64,
    media_type: Option<String>,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    manifests: Option<Vec<Descriptor>>,
}

impl Manifest {
    /// Reads `bytes`.
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        if bytes.len() > MAX_MANIFEST {
            return Err(ManifestError::TooLarge);
        }
        let raw: Raw = serde_json::from_slice(bytes).map_err(|error| ManifestError::Malformed(error.to_string()))?;
        let media_type = match &raw.media_type {
            Some(text) => MediaType::parse(text).ok_or_else(|| ManifestError::Unsupported(text.clone()))?,
            None if raw.schema_version != 2 => {
                return Err(ManifestError::Unsupported(format!("schema {}", raw.schema_version)));
            }
            None if raw.manifests.is_some() => MediaType::OciIndex,
            None => MediaType::OciManifest,
        };
        // A document that is both would mean different things to different readers (CVE-2021-41190).
        if raw.manifests.is_some() && (raw.layers.is_some() || raw.config.is_some()) {
            return Err(ManifestError::Malformed("it has both manifests and layers".into()));
        }
        let (manifests, blobs) = if media_type.is_index() {
            (raw.manifests.ok_or_else(|| ManifestError::Malformed("an index without manifests".into()))?, Vec::new())
        } else {
            let config = raw.config.ok_or_else(|| ManifestError::Malformed("an image without config".into()))?;
            (Vec::new(), std::iter::once(config).chain(raw.layers.unwrap_or_default()).collect())
        };
        if manifests.len() + blobs.len() > MAX_DESCRIPTORS {
            return Err(ManifestError::Malformed(format!("it names more than {MAX_DESCRIPTORS} contents")));
        }
        Ok(Self { media_type, manifests, blobs })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn descriptor(byte: u8) -> (String, Descriptor) {
        let digest = Digest::sha256(&[byte]);
        let text = format!(r#"{{"mediaType":"x/y","digest":"{digest}","size":{byte}}}"#);
        (text, Descriptor { digest, size: byte.into() })
    }

    #[test]
    fn reads_the_four_kinds() {
        let ((config, c), (layer, l)) = (descriptor(1), descriptor(2));
        for (media_type, index) in MediaType::ALL.map(|t| (t, t.is_index())) {
            let body = if index {
                format!(r#"{{"schemaVersion":2,"mediaType":"{media_type}","manifests":[{config},{layer}]}}"#)
            } else {
                format!(r#"{{"schemaVersion":2,"mediaType":"{media_type}","config":{config},"layers":[{layer}]}}"#)
            };
            let seen = Manifest::parse(body.as_bytes()).unwrap();
            let both = vec![c.clone(), l.clone()];
            let (manifests, blobs) = if index { (both, vec![]) } else { (vec![], both) };
            assert_eq!(seen, Manifest { media_type, manifests, blobs });
        }
    }

    #[test]
    fn infers_what_oci_may_leave_out() {
        let (d, _) = descriptor(1);
        let index = format!(r#"{{"schemaVersion":2,"manifests":[{d}]}}"#);
        assert_eq!(Manifest::parse(index.as_bytes()).unwrap().media_type, MediaType::OciIndex);
        let image = format!(r#"{{"schemaVersion":2,"config":{d},"layers":[]}}"#);
        assert_eq!(Manifest::parse(image.as_bytes()).unwrap().media_type, MediaType::OciManifest);
    }

    #[test]
    fn refuses_the_rest() {
        let (d, _) = descriptor(1);
        let oci = MediaType::OciManifest;
        for bad in [
            "".to_owned(),
            "<html>".to_owned(),
            "[]".to_owned(),
            "{}".to_owned(),
            r#"{"schemaVersion":1,"name":"a","fsLayers":[]}"#.to_owned(),
            r#"{"schemaVersion":2,"mediaType":"application/json"}"#.to_owned(),
            format!(r#"{{"schemaVersion":2,"mediaType":"{oci}","layers":[{d}]}}"#),
            format!(r#"{{"schemaVersion":2,"mediaType":"{oci}","config":{d},"layers":[{d}],"manifests":[{d}]}}"#),
            r#"{"schemaVersion":2,"config":{"digest":"sha256:../..","size":1}}"#.to_owned(),
            format!(r#"{{"schemaVersion":2,"config":{}}}"#, d.replace(":1}", ":-1}")),
        ] {
            assert!(Manifest::parse(bad.as_bytes()).is_err(), "{bad}");
        }
        assert_eq!(Manifest::parse(&vec![b' '; MAX_MANIFEST + 1]), Err(ManifestError::TooLarge));
    }
}
