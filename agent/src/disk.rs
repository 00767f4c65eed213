//! The cache's disk on a node: how much of it may be taken. The rest is the engine's.

use std::path::Path;

use anyhow::Context as _;
use larder_content::{Bounds, Disk, FileSystem, Share, share::About};

/// What a cache takes of its file system if nobody says so: this part,
const SIZE: Share = Share::Percent(10);
/// and no more bytes than these.
const AT_MOST: u64 = 50 << 30;
/// What stays free of it if nobody says so.
const FREE_FLOOR: Share = Share::Percent(10);

/// What was said of the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Said {
    /// Most that the cache may take.
    pub(crate) cache_size: Option<Share>,
    /// What stays free.
    pub(crate) free_floor: Option<Share>,
}

impl Said {
    /// With what holds where nothing was said.
    fn bounds(self, disk: FileSystem) -> Bounds {
        let size = self.cache_size.unwrap_or_else(|| Share::Bytes(SIZE.of(disk.size).min(AT_MOST)));
        Bounds { size: Some(size), free_floor: self.free_floor.unwrap_or(FREE_FLOOR) }
    }
}

/// Takes the folder, and as much of its disk as it is given.
pub(crate) fn open(root: &Path, said: Said) -> anyhow::Result<Disk> {
    let about = || format!("cannot keep layers in {}", root.display());
    let disk = FileSystem::of(root).with_context(about)?;
    let capacity = said.bounds(disk).on(disk).with_context(about)?;
    for concern in disk.concerns(capacity) {
        tracing::warn!("cache-size, free-floor: {concern}");
    }
    let opened = Disk::open(root, capacity)?;
    tracing::info!(
        root = %root.display(),
        disk = %About(disk.size),
        free = %About(disk.free),
        cache_size = %About(capacity.bytes.unwrap_or(u64::MAX)),
        free_floor = %About(capacity.free_floor),
        "the cache's disk",
    );
    Ok(opened)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_of_the_disk_and_not_too_much_if_nobody_says_anything() {
        const NOTHING: Said = Said { cache_size: None, free_floor: None };
        for (said, size, bytes) in [
            (NOTHING, 100 << 30, 10 << 30),
            (NOTHING, 8 << 40, 50 << 30),
            (Said { cache_size: Some(Share::Percent(20)), ..NOTHING }, 8 << 40, (8 << 40) / 5),
        ] {
            let disk = FileSystem { size, free: size };
            let capacity = said.bounds(disk).on(disk).unwrap();
            assert_eq!((capacity.bytes, capacity.free_floor), (Some(bytes), size / 10));
        }
        let folder = tempfile::tempdir().unwrap();
        let too_high = Said { free_floor: Some(Share::Bytes(u64::MAX)), ..NOTHING };
        let error = format!("{:#}", open(folder.path(), too_high).unwrap_err());
        assert!(error.contains("cannot keep layers in") && error.contains("lower the free floor"), "{error}");
    }
}
