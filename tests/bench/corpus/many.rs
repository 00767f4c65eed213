//! A folder with very many small blobs.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};
use larder_tests::rig::images::sha256;

use super::tree;

/// Fills `store` with `count` blobs, each a few bytes long and rightly named. What is there already stays.
pub(crate) fn many(store: &Path, count: usize) -> Result<()> {
    // The 256 folders first: then each blob is one folder and one file.
    for first in 0..=u8::MAX {
        fs::create_dir_all(store.join(tree::BLOBS).join(format!("{first:02x}")))?;
    }
    for index in 0..count {
        let content = format!("blob {index}\n");
        let place = tree::blob(store, &sha256(content.as_bytes()));
        let folder = place.parent().context("a blob lies in a folder")?;
        match fs::create_dir(folder) {
            Ok(()) => fs::write(&place, content)?,
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(e).with_context(|| format!("making {}", folder.display())),
        }
    }
    Ok(())
}
