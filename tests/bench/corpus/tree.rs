//! Where CNCF distribution keeps things under its `rootdirectory` (`registry/storage/paths.go` there).

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Result;

use super::REPOSITORY;

/// Below it each blob has a folder of its own, by the first two digits of its name and its name.
pub(super) const BLOBS: &str = "docker/registry/v2/blobs/sha256";

/// The part of a digest behind its algorithm.
pub(super) fn hex(digest: &str) -> &str {
    digest.split_once(':').map_or(digest, |(_, hex)| hex)
}

/// The file with the content.
pub(super) fn blob(store: &Path, digest: &str) -> PathBuf {
    let hex = hex(digest);
    store.join(BLOBS).join(&hex[..2]).join(hex).join("data")
}

/// Writes a link of the repository: `place/link`, which holds the digest it leads to.
pub(super) fn link(folder: &Path, place: &str, digest: &str) -> Result<()> {
    let place = folder.join("store/docker/registry/v2/repositories").join(REPOSITORY).join(place);
    fs::create_dir_all(&place)?;
    Ok(fs::write(place.join("link"), digest)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blobs_lie_where_distribution_puts_them() {
        let expected = Path::new("/r/docker/registry/v2/blobs/sha256/ab/abcd/data");
        assert_eq!(blob(Path::new("/r"), "sha256:abcd"), expected);
    }
}
