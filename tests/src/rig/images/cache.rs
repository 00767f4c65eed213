//! Layers made before. One folder per spec, put in place by a rename, so that test programs can share it.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use super::{
    layer, sha256,
    spec::{Content, Item, LayerSpec},
};

/// Part of every key: to be raised when the same spec comes to mean other bytes.
const VERSION: u32 = 1;

/// A layer in the cache.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Cached {
    pub(crate) digest: String,
    pub(crate) size: u64,
    pub(crate) diff_id: String,
    #[serde(skip)]
    pub(crate) file: PathBuf,
}

/// The layer of this spec in the cache `folder`, made now if it never was.
pub(crate) fn layer(spec: &LayerSpec, folder: &Path) -> Result<Cached> {
    let folder = folder.join(key(spec)?);
    if let Some(found) = look_up(&folder) {
        return Ok(found);
    }
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let part = format!("partial-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let part = folder.with_file_name(part);
    fs::create_dir_all(&part).with_context(|| format!("creating {}", part.display()))?;
    let made = layer::write(spec, &part.join("blob"))?;
    let made = Cached { digest: made.digest, size: made.size, diff_id: made.diff_id, file: folder.join("blob") };
    fs::write(part.join("layer.json"), serde_json::to_vec(&made)?)?;
    match fs::rename(&part, &folder) {
        Ok(()) => Ok(made),
        // Somebody else was faster, with the same bytes.
        Err(_) => {
            fs::remove_dir_all(&part)?;
            look_up(&folder).with_context(|| format!("{} cannot be put in place", folder.display()))
        }
    }
}

fn look_up(folder: &Path) -> Option<Cached> {
    let mut found: Cached = serde_json::from_slice(&fs::read(folder.join("layer.json")).ok()?).ok()?;
    found.file = folder.join("blob");
    (fs::metadata(&found.file).ok()?.len() == found.size).then_some(found)
}

/// `LARDER_RIG_CACHE`, or a folder beside cargo's own output.
pub(crate) fn folder() -> PathBuf {
    if let Some(chosen) = std::env::var_os("LARDER_RIG_CACHE") {
        return chosen.into();
    }
    super::super::binaries::target_folder().join("rig-cache")
}

fn key(spec: &LayerSpec) -> Result<String> {
    let mut text = format!("{VERSION} {}", serde_json::to_string(spec)?);
    for item in &spec.items {
        if let Item::File(_, _, Content::HostFile(path)) = item {
            let bytes = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
            text.push_str(&sha256(&bytes));
        }
    }
    Ok(sha256(text.as_bytes()).trim_start_matches("sha256:").to_owned())
}
