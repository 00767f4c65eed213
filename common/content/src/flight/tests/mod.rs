//! Stories of downloads that break, are lied to, or are told wrong things, each on its own. (Schedules make up the rest.)

mod detours;
mod legs;
mod source;
mod stored;
mod suspects;
mod trunk;
mod unmeasured;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use larder_oci::Digest;

use crate::{
    blob::{Blob, BlobBody},
    disk::Disk,
    error::{FetchError, ReadError},
    faults::Faults,
    geometry::Geometry,
    pull_through::{Limits, PullThrough},
    room::Capacity,
    source::Source,
};

/// Everything is small, so that a blob of kilobytes has many pieces.
const SMALL: Geometry = Geometry { chunk: 64, tail: 64, piece: 128, ahead: 512, beside: 2 };
const QUARANTINE: Duration = Duration::from_secs(600);

/// A cache that shuts out what went wrong, and its folder.
struct Rig {
    cache: PullThrough,
    content: Bytes,
    digest: Digest,
    faults: Arc<Faults>,
    _folder: tempfile::TempDir,
}

impl Rig {
    /// For one blob of `length` bytes.
    fn new(length: u32, quarantine: Option<Duration>) -> Self {
        Self::bounded(length, quarantine, None)
    }

    /// On a disk that has no room for it: every reader is on a detour.
    fn full(length: u32) -> Self {
        Self::bounded(length, Some(QUARANTINE), Some(10))
    }

    /// One whose downloads may take this long.
    fn hasty(length: u32, download_time: Duration) -> Self {
        Self::made(length, Limits { download_time: Some(download_time), ..Limits::default() }, None)
    }

    fn bounded(length: u32, quarantine: Option<Duration>, bytes: Option<u64>) -> Self {
        Self::made(length, Limits { quarantine, ..Limits::default() }, bytes)
    }

    fn made(length: u32, limits: Limits, bytes: Option<u64>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut disk = Disk::open_with(folder.path(), Capacity { bytes, free_floor: 0 }, SMALL).unwrap();
        let faults = Arc::new(Faults::default());
        disk.faults = Some(Arc::clone(&faults));
        let cache = PullThrough::new(disk, limits);
        let content: Bytes = (0..length).flat_map(u32::to_le_bytes).take(length as usize).collect();
        Self { cache, digest: Digest::sha256(&content), content, faults, _folder: folder }
    }

    /// The content, but for the byte at `at`.
    fn wrong_at(&self, at: usize) -> Bytes {
        let mut bytes = self.content.to_vec();
        bytes[at] ^= 1;
        bytes.into()
    }

    async fn open<S: Source>(&self, source: &Arc<S>) -> Result<Blob, FetchError> {
        self.open_sized(None, source).await
    }

    async fn open_sized<S: Source>(&self, size: Option<u64>, source: &Arc<S>) -> Result<Blob, FetchError> {
        self.cache.open(&self.digest, size, vec![Arc::clone(source) as Arc<dyn Source>]).await
    }

    fn is_shut_out(&self) -> bool {
        self.cache.hangar().quarantine.holds(&self.digest)
    }

    /// Waits until no download is under way.
    async fn settle(&self) {
        while self.cache.downloads() > 0 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

async fn all(mut body: BlobBody) -> Result<Vec<u8>, ReadError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = body.next().await {
        bytes.extend_from_slice(&chunk?);
    }
    Ok(bytes)
}
