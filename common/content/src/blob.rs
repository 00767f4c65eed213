//! A blob that is being read, from the disk or from a download under way.

use std::{fs::File, io, ops::Range, sync::Arc};

use bytes::Bytes;
use futures_util::{Stream, stream};

use crate::{
    counters::Counters,
    disk::Stored,
    error::ReadError,
    flight::{Follower, Progress},
    read_at::read_at,
};

/// A blob that can be read.
#[derive(Debug)]
pub struct Blob {
    origin: Origin,
    counters: Arc<Counters>,
}

#[derive(Debug)]
enum Origin {
    Disk(Stored),
    Flight(Follower),
}

/// The bytes of (a part of) a blob.
#[derive(Debug)]
pub struct BlobBody {
    origin: Origin,
    offset: u64,
    end: Option<u64>,
    counters: Arc<Counters>,
}

// === impl Blob ===

impl Blob {
    pub(crate) fn stored(stored: Stored, counters: Arc<Counters>) -> Self {
        Self { origin: Origin::Disk(stored), counters }
    }

    pub(crate) fn following(follower: Follower, counters: Arc<Counters>) -> Self {
        Self { origin: Origin::Flight(follower), counters }
    }

    /// Its length in bytes. `None` while it is downloaded from a source that did not say.
    pub fn size(&self) -> Option<u64> {
        match &self.origin {
            Origin::Disk(stored) => Some(stored.size),
            Origin::Flight(follower) => follower.total(),
        }
    }

    /// Whether it was on the disk when it was asked for.
    pub fn is_stored(&self) -> bool {
        matches!(self.origin, Origin::Disk(_))
    }

    /// All of its bytes.
    pub fn read(self) -> BlobBody {
        let end = self.size();
        BlobBody { origin: self.origin, offset: 0, end, counters: self.counters }
    }

    /// The bytes of `range`, which must lie within [`Blob::size`].
    pub fn read_range(self, range: Range<u64>) -> BlobBody {
        BlobBody { origin: self.origin, offset: range.start, end: Some(range.end), counters: self.counters }
    }
}

// === impl BlobBody ===

impl BlobBody {
    /// The next bytes, in order; `None` when all were given.
    pub async fn next(&mut self) -> Option<Result<Bytes, ReadError>> {
        match self.next_chunk().await {
            Ok(chunk) if chunk.is_empty() => None,
            Ok(chunk) => Some(Ok(chunk)),
            Err(error) => Some(Err(error)),
        }
    }

    /// The same as a stream, which ends after an error.
    pub fn into_stream(self) -> impl Stream<Item = Result<Bytes, ReadError>> + Send {
        stream::unfold(Some(self), |body| async {
            let mut body = body?;
            let item = body.next().await?;
            let rest = item.is_ok().then_some(body);
            Some((item, rest))
        })
    }

    async fn next_chunk(&mut self) -> Result<Bytes, ReadError> {
        let (file, available, stored) = match &mut self.origin {
            Origin::Disk(stored) => (Arc::clone(&stored.file), stored.size, true),
            Origin::Flight(follower) => {
                let Progress { file, readable } = follower.readable_past(self.offset).await?;
                (file, readable, false)
            }
        };
        let end = self.end.map_or(available, |end| end.min(available));
        let wanted = end.saturating_sub(self.offset);
        if wanted == 0 {
            return Ok(Bytes::new());
        }
        self.read_from(&file, wanted, stored).await
    }

    async fn read_from(&mut self, file: &Arc<File>, wanted: u64, stored: bool) -> Result<Bytes, ReadError> {
        let chunk = read_at(file, self.offset, wanted).await?;
        if chunk.is_empty() {
            // Ending quietly would make a short body look whole where no length was announced.
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "a cached blob became shorter").into());
        }
        let length = chunk.len() as u64;
        self.offset += length;
        let Counters { served_from_disk_bytes, served_from_download_bytes, .. } = &*self.counters;
        if stored {
            served_from_disk_bytes.add(length);
        } else {
            served_from_download_bytes.add(length);
        }
        Ok(chunk)
    }
}
