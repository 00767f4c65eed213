//! The bytes that all servers are fed with: made anew for every run, random, so that nothing can be compressed or known
//! before.
//!
//! They lie in a folder twice, by hard links, so that they are in memory once: as a registry of CNCF distribution keeps
//! them (`store`), and as nginx serves them under the same addresses (`www`).

mod many;
mod tree;

use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use aws_lc_rs::{
    digest::{Context, SHA256},
    rand::{SecureRandom as _, SystemRandom},
};
use larder_tests::rig::images::sha256;
use serde_json::json;

pub(crate) use many::many;

use crate::plan::Plan;

/// As a server writes a file that comes over a network.
const CHUNK: usize = 1 << 20;

/// Everything is in it.
pub(crate) const REPOSITORY: &str = "library/bench";

const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const CONFIG: &str = "application/vnd.docker.container.image.v1+json";
const LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";

/// As many as a common image has.
const LAYERS: usize = 8;

/// A content and its name.
#[derive(Clone, Debug)]
pub(crate) struct Blob {
    pub(crate) digest: String,
    pub(crate) size: u64,
}

/// What there is to be asked for.
pub(crate) struct Corpus {
    folder: PathBuf,
    pub(crate) large: Blob,
    pub(crate) medium: Blob,
    pub(crate) small: Vec<Blob>,
    /// Manifests, each with its tag.
    pub(crate) manifests: Vec<(String, Blob)>,
}

impl Corpus {
    /// Makes it in `folder`.
    pub(crate) fn make(folder: &Path, plan: &Plan) -> Result<Self> {
        let maker = Maker { folder: folder.to_owned() };
        let (count, size) = Plan::SMALL;
        let small: Vec<Blob> = (0..count).map(|_| maker.blob(size)).collect::<Result<_>>()?;
        let manifests = (0..plan.manifests).map(|index| maker.manifest(index, &small));
        Ok(Self {
            folder: folder.to_owned(),
            manifests: manifests.collect::<Result<_>>()?,
            small,
            large: maker.blob(plan.large)?,
            medium: maker.blob(plan.medium)?,
        })
    }

    /// The folder for a registry's `rootdirectory`.
    pub(crate) fn store(&self) -> PathBuf {
        self.folder.join("store")
    }

    /// The folder for nginx's `root`.
    pub(crate) fn www(&self) -> PathBuf {
        self.folder.join("www")
    }
}

/// Where a blob is asked for at a server.
pub(crate) fn blob_path(blob: &Blob) -> String {
    format!("/v2/{REPOSITORY}/blobs/{}", blob.digest)
}

/// Where a manifest is asked for, by tag or digest.
pub(crate) fn manifest_path(reference: &str) -> String {
    format!("/v2/{REPOSITORY}/manifests/{reference}")
}

struct Maker {
    folder: PathBuf,
}

impl Maker {
    /// A blob of random bytes.
    fn blob(&self, size: u64) -> Result<Blob> {
        fs::create_dir_all(&self.folder)?;
        let path = self.folder.join("new");
        let (mut file, mut hash) = (File::create(&path)?, Context::new(&SHA256));
        let (random, mut chunk) = (SystemRandom::new(), vec![0; CHUNK]);
        let mut left = size;
        while left > 0 {
            let part = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
            random.fill(&mut chunk[..part]).ok().context("no random bytes")?;
            hash.update(&chunk[..part]);
            file.write_all(&chunk[..part])?;
            left -= part as u64;
        }
        let blob = Blob { digest: format!("sha256:{}", hex::encode(hash.finish().as_ref())), size };
        self.keep(&path, &blob)?;
        let hex = tree::hex(&blob.digest);
        tree::link(&self.folder, &format!("_layers/sha256/{hex}"), &blob.digest)?;
        self.show(&blob, &blob_path(&blob))?;
        Ok(blob)
    }

    /// A manifest like those of common images, of blobs there are.
    fn manifest(&self, index: usize, small: &[Blob]) -> Result<(String, Blob)> {
        let part = |number: usize, kind: &str| {
            let blob = &small[(index * LAYERS + number) % small.len()];
            json!({ "mediaType": kind, "size": blob.size, "digest": blob.digest })
        };
        let layers: Vec<_> = (1..=LAYERS).map(|number| part(number, LAYER)).collect();
        let tag = format!("tag-{index}");
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": part(0, CONFIG),
            "layers": layers,
            // No two are the same.
            "annotations": { "org.opencontainers.image.ref.name": tag },
        });
        let bytes = serde_json::to_vec_pretty(&manifest)?;
        let blob = Blob { digest: sha256(&bytes), size: bytes.len() as u64 };
        let path = self.folder.join("new");
        fs::write(&path, bytes)?;
        self.keep(&path, &blob)?;
        let hex = tree::hex(&blob.digest);
        for place in [
            format!("_manifests/revisions/sha256/{hex}"),
            format!("_manifests/tags/{tag}/current"),
            format!("_manifests/tags/{tag}/index/sha256/{hex}"),
        ] {
            tree::link(&self.folder, &place, &blob.digest)?;
        }
        for reference in [&tag, &blob.digest] {
            self.show(&blob, &manifest_path(reference))?;
        }
        Ok((tag, blob))
    }

    /// Moves a file to where the registry has its blobs.
    fn keep(&self, path: &Path, blob: &Blob) -> Result<()> {
        let place = tree::blob(&self.folder.join("store"), &blob.digest);
        fs::create_dir_all(place.parent().context("a blob lies in a folder")?)?;
        fs::rename(path, place).context("keeping a blob")
    }

    /// Lets nginx serve it, too.
    fn show(&self, blob: &Blob, address: &str) -> Result<()> {
        let place = self.folder.join("www").join(address.trim_start_matches('/'));
        fs::create_dir_all(place.parent().context("an address has a folder")?)?;
        fs::hard_link(tree::blob(&self.folder.join("store"), &blob.digest), place).context("linking a blob")
    }
}
