//! What a pull-through disk is told beside being read: content to keep, its age, its health.

use std::{
    io,
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use larder_oci::Digest;

use super::PullThrough;
use crate::disk::Disk;

impl PullThrough {
    /// Keeps `content`, which must be what `digest` names (it is checked). For content that is small and already in
    /// memory.
    pub async fn put(&self, digest: &Digest, content: Bytes) -> io::Result<()> {
        let (hangar, digest) = (Arc::clone(&self.hangar), *digest);
        let size = content.len() as u64;
        let put = move || {
            if !digest.matches(&content) {
                return Err(io::Error::new(io::ErrorKind::InvalidData, format!("content is not {digest}")));
            }
            hangar.disk.put(&digest, &content)
        };
        let outcome = tokio::task::spawn_blocking(put).await.map_err(io::Error::other).flatten();
        match &outcome {
            Ok(true) => self.hangar.disk_works(size),
            // Nothing was written: that says nothing.
            Ok(false) => {}
            Err(error) => self.hangar.disk_failed(error),
        }
        outcome.map(drop)
    }

    /// Removes what was fetched before `then`, never what somebody else put on the disk. Gives how many blobs went.
    pub async fn expire(&self, then: SystemTime) -> io::Result<u64> {
        self.on_disk_thread(move |disk| disk.expire(then)).await
    }

    /// Writes down what changed in the index. To be called now and then: a crash loses what was not written.
    pub async fn flush(&self) -> io::Result<()> {
        self.on_disk_thread(Disk::flush).await
    }

    /// Looks at everything on the disk, gently, and mends what is known of it. To be called once after the start. It ends
    /// early when `end` says so.
    pub async fn survey(&self, end: impl Fn() -> bool + Send + 'static) -> io::Result<()> {
        // So many files at a time, with a rest in between.
        const AT_A_TIME: u32 = 64;
        const REST: Duration = Duration::from_millis(2);
        let mut looked = 0_u32;
        #[expect(clippy::disallowed_methods, reason = "it is a thread that may wait")]
        let mut rest = move || {
            looked = looked.wrapping_add(1);
            if looked.is_multiple_of(AT_A_TIME) {
                std::thread::sleep(REST);
            }
            !end()
        };
        self.on_disk_thread(move |disk| disk.survey(&mut rest)).await
    }

    /// Whether the disk takes what is fetched: what the last write said, or if that failed, a try now.
    pub async fn check_disk(&self) -> Result<(), String> {
        if self.hangar.health.failure().is_some() { self.probe().await } else { Ok(()) }
    }

    /// Whether the disk takes what is fetched, by a try.
    pub async fn probe(&self) -> Result<(), String> {
        let wanted = self.hangar.health.wants();
        let outcome = self.on_disk_thread(move |disk| disk.probe(wanted)).await;
        match &outcome {
            Ok(()) => self.hangar.disk_works(u64::MAX),
            Err(error) => self.hangar.health.failed(error),
        }
        outcome.map_err(|error| error.to_string())
    }

    /// Why the disk does not take what is fetched, as far as its use has shown.
    pub fn disk_failure(&self) -> Option<String> {
        self.hangar.health.failure()
    }

    async fn on_disk_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Disk) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let hangar = Arc::clone(&self.hangar);
        tokio::task::spawn_blocking(move || work(&hangar.disk)).await.map_err(io::Error::other).flatten()
    }
}
