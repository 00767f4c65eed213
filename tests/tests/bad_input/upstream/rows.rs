//! One thing asked of one tier, under one fault: each with an image of its own, so that all can be tried at once.

use anyhow::{Context as _, Result};
use bytes::Bytes;
use http::Method;
use larder_tests::rig::{
    access::Kind,
    images::{Image, ImageSpec, LayerSpec, sha256},
};
use serde_json::{Value, json};

use super::cases::{Case, Fate};
use crate::answer::Answer;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// HEAD of a manifest by tag.
    TagHead,
    /// GET of a manifest by tag.
    Tag,
    /// GET of a manifest by digest.
    Digest,
    /// HEAD of a blob whose manifest was never asked for.
    BlobHead,
    /// GET of a layer of 200 KiB.
    Blob,
    /// GET of a configuration: so small that none of it leaves before all of it is verified.
    Config,
}

/// One thing asked of one tier, under one fault.
pub(crate) struct Row {
    pub(crate) case: &'static Case,
    pub(crate) target: Target,
    pub(crate) tier: &'static str,
    pub(crate) image: Image,
    digest: String,
    bytes: Bytes,
}

impl Row {
    pub(crate) fn new(case: &'static Case, n: usize, target: Target, tier: &'static str) -> Result<Self> {
        let name = format!("row-{n}-{tier}-{target:?}").to_lowercase();
        let spec = ImageSpec::new(&format!("library/{name}"), &name).without_index().label("row", &name);
        let layer = match target {
            Target::Blob | Target::BlobHead => LayerSpec::random("data", seed(&name), 200 << 10),
            _ => LayerSpec::text("etc/image", "the same in every row\n"),
        };
        let image = spec.layer(layer).build()?;
        let document = &image.manifests()[0];
        let blob = |digest: &str| {
            let blob = document.blobs().find(|blob| blob.digest() == digest).context("it has this blob")?;
            anyhow::Ok((blob.digest().to_owned(), blob.bytes()?))
        };
        let (digest, bytes) = match target {
            Target::TagHead | Target::Tag | Target::Digest => (document.digest().to_owned(), document.bytes().clone()),
            Target::Blob | Target::BlobHead => blob(image.layers()[0].digest())?,
            Target::Config => blob(image.config_digest())?,
        };
        Ok(Self { case, target, tier, image, digest, bytes })
    }

    /// As tables have it.
    pub(crate) fn name(&self) -> String {
        format!("{:?}: {}", self.target, self.case.name)
    }

    /// The name of its repository, which no other row has.
    pub(crate) fn repository(&self) -> &str {
        self.image.repository()
    }

    /// What its fault is for.
    pub(crate) fn kind(&self) -> Kind {
        if self.is_manifest() { Kind::Manifest } else { Kind::Blob }
    }

    pub(crate) fn is_manifest(&self) -> bool {
        matches!(self.target, Target::TagHead | Target::Tag | Target::Digest)
    }

    pub(crate) fn method(&self) -> Method {
        if matches!(self.target, Target::TagHead | Target::BlobHead) { Method::HEAD } else { Method::GET }
    }

    /// The path that is asked for.
    pub(crate) fn path(&self) -> String {
        let reference =
            if matches!(self.target, Target::TagHead | Target::Tag) { self.image.tag() } else { &self.digest };
        let kind = if self.is_manifest() { "manifests" } else { "blobs" };
        format!("/v2/{}/{kind}/{reference}", self.repository())
    }

    /// The manifest that has to be asked for first, so that the repository is known to hold the blob: as engines do.
    pub(crate) fn first(&self) -> Option<String> {
        let needs = matches!(self.target, Target::Blob | Target::Config);
        needs.then(|| format!("/v2/{}/manifests/{}", self.repository(), self.image.digest()))
    }

    /// The digest of what should come.
    pub(crate) fn digest(&self) -> &str {
        &self.digest
    }

    pub(crate) fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Its manifest, said to be of a type that nobody knows.
    pub(crate) fn odd_manifest(&self) -> Bytes {
        self.changed("mediaType", json!("application/vnd.unheard-of.v9+json"))
    }

    /// Its manifest with 10 MB of annotation.
    pub(crate) fn large_manifest(&self) -> Bytes {
        self.changed("annotations", json!({ "padding": "x".repeat(10 << 20) }))
    }

    /// Its manifest with so many layers that nobody has.
    pub(crate) fn layered_manifest(&self, layers: u64) -> Bytes {
        let layer = |n: u64| json!({ "mediaType": "x/y", "size": n, "digest": format!("sha256:{n:064x}") });
        self.changed("layers", (0..layers).map(layer).collect())
    }

    fn changed(&self, field: &str, value: Value) -> Bytes {
        let mut document: Value = serde_json::from_slice(&self.bytes).unwrap_or_default();
        document[field] = value;
        document.to_string().into()
    }

    /// Whether it went wrong for good. What the hub got at last, for somebody who did not wait for it, did not.
    pub(crate) fn has_failed(&self, answer: &Answer) -> bool {
        let hub = if self.is_manifest() { self.case.manifest } else { self.case.blob };
        !answer.is_content(&self.digest) && !hub.contains(&Fate::Served)
    }

    /// Whether some of it may have left before it went wrong.
    pub(crate) fn may_be_cut(&self) -> bool {
        !self.is_manifest() && self.case.blob.contains(&Fate::Cut)
    }

    /// Why this should not have come of it; `None` if it may.
    pub(crate) fn judge(&self, answer: &Answer) -> Option<String> {
        let hub = if self.is_manifest() { self.case.manifest } else { self.case.blob };
        let agent: Vec<Fate> = hub.iter().map(|fate| self.at_agent(*fate)).collect();
        let may = if self.tier == "hub" { hub } else { &agent };
        if !may.iter().any(|fate| self.is(answer, *fate)) {
            let got = answer.broken.as_deref().unwrap_or_default();
            return Some(format!("{} {got}, where it may be {may:?}", answer.brief()));
        }
        if answer.headers_after > self.case.within {
            let took = answer.headers_after.as_secs_f64();
            return Some(format!("{}, but after {took:.1} s instead of {:?}", answer.brief(), self.case.within));
        }
        // Whatever the upstream says that it is, an engine is told what it is.
        let media_type =
            if self.is_manifest() { self.image.manifests()[0].media_type() } else { "application/octet-stream" };
        if answer.is_content(&self.digest) && answer.header("content-type") != Some(media_type) {
            return Some(format!("Content-Type is {:?}", answer.header("content-type")));
        }
        if let Some(encoding) = answer.header("content-encoding") {
            return Some(format!("Content-Encoding is {encoding:?}"));
        }
        let limited = answer.status == Some(429) && answer.header("retry-after") != Some("7");
        limited.then(|| format!("Retry-After is {:?}", answer.header("retry-after")))
    }

    /// An engine is told 404, whatever the reason.
    fn at_agent(&self, fate: Fate) -> Fate {
        match fate {
            Fate::Says(..) if self.is_manifest() => Fate::Says(404, "MANIFEST_UNKNOWN"),
            Fate::Says(..) => Fate::Says(404, "BLOB_UNKNOWN"),
            other => other,
        }
    }

    fn is(&self, answer: &Answer, fate: Fate) -> bool {
        match fate {
            Fate::Served => answer.is_content(&self.digest),
            Fate::Cut => answer.is_cut() && sha256(&answer.body) != self.digest,
            Fate::Says(status, code) => answer.says(status, code),
        }
    }
}

/// Different rows get different layers, the same one always the same.
fn seed(name: &str) -> u64 {
    name.bytes().fold(7, |sum: u64, byte| sum.wrapping_mul(31).wrapping_add(byte.into()))
}
