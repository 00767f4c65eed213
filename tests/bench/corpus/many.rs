//! A folder with very many small blobs.

use std::{
    fs::{self, File},
    io::Write as _,
    path::Path,
};

use anyhow::{Context as _, Result};
use larder_tests::rig::images::sha256;
use rustix::fs::XattrFlags;

use super::tree;

/// The attribute by which Larder knows what it fetched.
const FETCHED: &str = "user.larder.fetched";

/// Fills `store` with `count` blobs as a hub leaves them that fetched them, each a few bytes long and rightly named. What
/// is there already stays.
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
            Ok(()) => {
                let mut file = File::create(&place)?;
                file.write_all(content.as_bytes())?;
                rustix::fs::fsetxattr(&file, FETCHED, b"1700000000", XattrFlags::empty())?;
            }
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(e).with_context(|| format!("making {}", folder.display())),
        }
    }
    Ok(())
}
