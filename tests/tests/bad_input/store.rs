//! What is in the folder of a hub or of an agent's cache, and what may be.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Result;
use larder_tests::rig::{images::sha256, until_true};

/// Every file below `folder`, by its path from there.
pub(crate) fn files(folder: &Path) -> Result<Vec<String>> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            } else {
                found.push(entry.path().strip_prefix(folder)?.to_string_lossy().into_owned());
            }
        }
    }
    found.sort();
    Ok(found)
}

/// The file of a blob's content.
pub(crate) fn blob(folder: &Path, digest: &str) -> PathBuf {
    let (algorithm, hex) = digest.split_once(':').unwrap_or_default();
    let first = hex.get(..2).unwrap_or_default();
    folder.join("docker/registry/v2/blobs").join(algorithm).join(first).join(hex).join("data")
}

/// The folder of a repository of docker.io.
pub(crate) fn repository(folder: &Path, repository: &str) -> PathBuf {
    folder.join("larder/registries/docker.io/repositories").join(repository)
}

/// Waits until no download is under way.
pub(crate) fn no_partials(folder: &Path) -> Result<()> {
    let partials = folder.join("larder/partials");
    let what = format!("{} to be empty", partials.display());
    until_true(&what, Duration::from_secs(40), || fs::read_dir(&partials).is_ok_and(|mut all| all.next().is_none()))
}

/// The files that do not belong there, or are not what their name says.
pub(crate) fn unknown_files(folder: &Path) -> Result<Vec<String>> {
    let mut unknown = Vec::new();
    for file in files(folder)? {
        if !is_known(&file) {
            unknown.push(file);
        } else if file.ends_with("/data") {
            let hex = file.rsplit('/').nth(1).unwrap_or_default();
            // Nothing here is known by SHA-512.
            if sha256(&fs::read(folder.join(&file))?) != format!("sha256:{hex}") {
                unknown.push(format!("{file} with other content"));
            }
        }
    }
    Ok(unknown)
}

fn is_known(file: &str) -> bool {
    let parts: Vec<&str> = file.split('/').collect();
    let is_hex = |text: &str| text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    match parts.as_slice() {
        ["larder", "lock" | "index" | "filled-with-login"] => true,
        ["larder", "pieces", "sha256", first, hex] => is_hex(hex) && hex.starts_with(first) && first.len() == 2,
        ["docker", "registry", "v2", "blobs", "sha256", first, hex, "data"] => {
            is_hex(hex) && hex.starts_with(first) && first.len() == 2
        }
        ["larder", "registries", "docker.io", "repositories", rest @ ..] => match rest {
            [_, .., "_layers", "sha256", hex, "link"] => is_hex(hex),
            [_, .., "_manifests", "revisions", "sha256", hex, "link"] => is_hex(hex),
            [_, .., "_manifests", "tags", _, "current", "link"] => true,
            _ => false,
        },
        _ => false,
    }
}
