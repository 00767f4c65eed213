//! What is here already: from memory or from the disk, and no byte of it before it has been checked.

use std::{io, sync::Arc};

use bytes::Bytes;
use larder_oci::Digest;

use super::{PullThrough, flights::Join, opened};
use crate::{blob::Origin, disk::Stored, error::ReadError, feed::Sources, flight::Ask, proof::Doubt};

/// Most bytes of a blob that is kept in memory.
const SMALL: u64 = 64 * 1024;

impl PullThrough {
    /// A blob that is here, in memory or on the disk, and its length.
    pub(super) async fn here(&self, digest: &Digest, said: Option<u64>, sources: &Sources) -> Option<(Origin, u64)> {
        if let Some(bytes) = self.small.get(digest)
            && self.hangar.disk.touch(digest)
        {
            let size = bytes.len() as u64;
            return Some((Origin::Memory(bytes), size));
        }
        let stored = self.hangar.stored(digest).await?;
        if stored.size <= SMALL {
            let bytes = self.read_small(digest, stored).await?;
            let size = bytes.len() as u64;
            return Some((Origin::Memory(bytes), size));
        }
        // Before anything was promised is the time to find that it is bad.
        if !stored.proof.is_whole() {
            if said.is_some_and(|said| said != stored.size) {
                self.settle(digest, &stored, Doubt::All).await.ok()?;
            }
            while let doubt @ (Doubt::Unasked | Doubt::Piece { .. }) = stored.proof.doubt(0) {
                self.settle(digest, &stored, doubt).await.ok()?;
            }
            if stored.proof.doubt(0) == Doubt::All {
                if stored.size > self.hangar.disk.geometry().piece {
                    return self.inspect(digest, stored, sources).await;
                }
                self.settle(digest, &stored, Doubt::All).await.ok()?;
            }
        }
        let size = stored.size;
        Some((Origin::Disk(stored), size))
    }

    /// All of a small blob, verified; and from now on in memory.
    async fn read_small(&self, digest: &Digest, stored: Stored) -> Option<Bytes> {
        if !stored.proof.is_whole() {
            self.settle(digest, &stored, Doubt::All).await.ok()?;
        }
        let mut bytes = Vec::new();
        while (bytes.len() as u64) < stored.size {
            let at = bytes.len() as u64;
            let read = stored.file.read(at, stored.size - at, &self.hangar.buffers).await;
            let read = read.inspect_err(|error| tracing::error!(%digest, %error, "cannot read a cached blob")).ok()?;
            bytes.extend_from_slice(&read);
        }
        let bytes = Bytes::from(bytes);
        self.small.insert(*digest, bytes.clone());
        Some(bytes)
    }

    /// Does what must be done before a byte of a stored blob may leave. An error says that it is not what it should be,
    /// or cannot be read; it is not given out again then.
    pub(crate) async fn settle(&self, digest: &Digest, stored: &Stored, doubt: Doubt) -> Result<(), ReadError> {
        let (hangar, digest, stored) = (Arc::clone(&self.hangar), *digest, stored.clone());
        let settle = move || {
            if doubt == Doubt::Unasked {
                let list = if stored.size > hangar.disk.geometry().piece { hangar.disk.pieces(&digest) } else { None };
                stored.proof.learn(list, stored.size);
                return Ok(());
            }
            let outcome = match doubt.resolve(&digest, &stored, hangar.disk.geometry().chunk) {
                Ok(true) => return Ok(()),
                Ok(false) => Err(io::Error::new(io::ErrorKind::InvalidData, "a cached blob is damaged")),
                Err(error) => Err(error),
            };
            hangar.counters.damaged.add(1);
            tracing::error!(%digest, "a cached blob is damaged, and is not used any more");
            hangar.disk.damaged(&digest, &stored.proof);
            outcome
        };
        Ok(tokio::task::spawn_blocking(settle).await.map_err(io::Error::other).flatten()?)
    }

    /// A long blob of which nothing is known is read as if it were just arriving: hashed on the way, its tail held back.
    async fn inspect(&self, digest: &Digest, stored: Stored, sources: &Sources) -> Option<(Origin, u64)> {
        let size = stored.size;
        let flight = self.flights.inspect(digest, stored, sources);
        let follower = opened(&flight).await.ok()?;
        Some((Origin::Flight(follower), size))
    }

    /// Another copy for a reader whose stored one is bad.
    pub(crate) async fn fetch_again(
        &self,
        digest: &Digest,
        stored: &Stored,
        sources: &Sources,
    ) -> Result<Origin, ReadError> {
        let bad = {
            let (hangar, digest, proof) = (Arc::clone(&self.hangar), *digest, Arc::clone(&stored.proof));
            move || hangar.disk.damaged(&digest, &proof)
        };
        tokio::task::spawn_blocking(bad).await.map_err(io::Error::other)?;
        // Its reader has had bytes already, or was promised them.
        let ask = Ask { digest, size: Some(stored.size), awaited: true, afresh: false };
        match self.flights.join_or_start(ask, sources, None).await {
            Join::Joined(flight) | Join::Started(flight) => Ok(Origin::Flight(opened(&flight).await?)),
            // Somebody else has fetched it again.
            Join::Landed(stored) => Ok(Origin::Disk(stored)),
        }
    }
}
