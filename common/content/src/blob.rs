//! A blob that is being read: from memory, from the disk, from a download under way, or past a disk that fails.

use std::{io, ops::Range, os::fd::AsFd, sync::Arc};

use bytes::Bytes;
use futures_util::{Stream, stream};
use larder_oci::Digest;

use crate::{
    buffers::Buffers,
    counters::Counters,
    disk::Stored,
    error::{FetchError, ReadError},
    feed::Sources,
    file::ContentFile,
    flight::{Follower, Turn, detour::Detour},
    proof::Doubt,
    pull_through::PullThrough,
};

/// How often a reader goes on from another copy when the one it reads turns out to be bad.
const RECOVERIES: u32 = 2;

/// Fewer bytes are read: that takes fewer calls than to look whether they are in memory, and to send them.
const WORTH_SENDING: u64 = 32 * 1024;
/// Most bytes that are sent from a file at once.
const SENT_AT_ONCE: u64 = 4 << 20;

/// A blob that can be read.
pub struct Blob {
    pub(crate) digest: Digest,
    pub(crate) origin: Origin,
    pub(crate) cache: PullThrough,
    /// Where it can be had if what is here is bad.
    pub(crate) sources: Sources,
}

#[derive(Debug)]
pub(crate) enum Origin {
    Memory(Bytes),
    Disk(Stored),
    Flight(Follower),
    Detour(Box<Detour>),
}

/// The next bytes of a blob.
pub enum Chunk {
    /// Themselves.
    Bytes(Bytes),
    /// Where they are: in this file, which was in memory there a moment ago. Whoever sends them says so to
    /// [`BlobBody::served`].
    File {
        /// The file.
        file: Arc<dyn AsFd + Send + Sync>,
        /// Offset of the first byte.
        offset: u64,
        /// How many bytes.
        length: usize,
    },
}

/// Counts the bytes of a blob that were sent.
#[derive(Debug, Clone)]
pub struct Served {
    counters: Arc<Counters>,
    from_disk: bool,
}

/// The bytes of (a part of) a blob.
#[derive(Debug)]
pub struct BlobBody {
    blob: Blob,
    offset: u64,
    end: Option<u64>,
    recoveries: u32,
}

// === impl Blob ===

impl Blob {
    /// Its length in bytes. `None` while it is downloaded from a source that did not say.
    pub fn size(&self) -> Option<u64> {
        match &self.origin {
            Origin::Memory(bytes) => Some(bytes.len() as u64),
            Origin::Disk(stored) => Some(stored.size),
            Origin::Flight(follower) => follower.total(),
            Origin::Detour(detour) => detour.total(),
        }
    }

    /// Whether it was here when it was asked for.
    pub fn is_stored(&self) -> bool {
        matches!(self.origin, Origin::Memory(_) | Origin::Disk(_))
    }

    /// Waits until its length is known: where no source says it, until all of it is here and verified. A reader that
    /// fetches for itself never knows it before the end.
    pub async fn measured(mut self) -> Result<Self, FetchError> {
        if let Origin::Flight(follower) = &mut self.origin
            && follower.total().is_none()
        {
            follower.landed().await?;
        }
        Ok(self)
    }

    /// All of its bytes.
    pub fn read(self) -> BlobBody {
        let end = self.size();
        BlobBody { blob: self, offset: 0, end, recoveries: 0 }
    }

    /// The bytes of `range`, which must lie within [`Blob::size`].
    pub fn read_range(mut self, range: Range<u64>) -> BlobBody {
        if let Origin::Detour(detour) = &mut self.origin {
            detour.part(range.clone());
        }
        BlobBody { blob: self, offset: range.start, end: Some(range.end), recoveries: 0 }
    }
}

// === impl BlobBody ===

impl BlobBody {
    /// The next bytes, in order; `None` when all were given.
    pub async fn next(&mut self) -> Option<Result<Bytes, ReadError>> {
        match self.step(false).await {
            Some(Ok(Chunk::Bytes(bytes))) => Some(Ok(bytes)),
            Some(Ok(Chunk::File { .. })) | None => None,
            Some(Err(error)) => Some(Err(error)),
        }
    }

    /// The next bytes, or where they are, for somebody who can send from a file.
    pub async fn next_chunk(&mut self) -> Option<Result<Chunk, ReadError>> {
        self.step(true).await
    }

    async fn step(&mut self, from_files: bool) -> Option<Result<Chunk, ReadError>> {
        let chunk = match self.advance(from_files).await {
            Ok(chunk) => chunk,
            Err(error) => return Some(Err(error)),
        };
        let length = match &chunk {
            Chunk::Bytes(bytes) => {
                self.served().add(bytes.len());
                bytes.len()
            }
            Chunk::File { length, .. } => *length,
        };
        if length == 0 {
            return None;
        }
        self.offset += length as u64;
        Some(Ok(chunk))
    }

    /// What counts the bytes of the last [`Chunk::File`] as they are sent. Other bytes count when they are given.
    pub fn served(&self) -> Served {
        let counters = Arc::clone(self.blob.cache.counters());
        Served { counters, from_disk: self.blob.is_stored() }
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

    async fn advance(&mut self, from_files: bool) -> Result<Chunk, ReadError> {
        loop {
            let Self { blob, offset, end, .. } = self;
            let (offset, end) = (*offset, *end);
            let buffers = &blob.cache.hangar().buffers;
            match &mut blob.origin {
                Origin::Memory(bytes) => {
                    let at = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
                    let range = at(offset)..at(end.unwrap_or(u64::MAX)).max(at(offset));
                    return Ok(Chunk::Bytes(bytes.slice(range)));
                }
                Origin::Disk(stored) => {
                    let end = end.unwrap_or(stored.size).min(stored.size);
                    if offset >= end {
                        return Ok(Chunk::Bytes(Bytes::new()));
                    }
                    let doubt = stored.proof.doubt(offset);
                    if doubt == Doubt::No {
                        let sure = stored.proof.sure_until(offset).min(end);
                        match take(&stored.file, offset, sure - offset, buffers, from_files).await {
                            Ok(chunk) => return Ok(chunk),
                            Err(error) => self.recover(error.into()).await?,
                        }
                    } else if let Err(error) = blob.cache.settle(&blob.digest, stored, doubt).await {
                        self.recover(error).await?;
                    }
                }
                Origin::Flight(follower) => match follower.turn(offset, end).await? {
                    Turn::Done => return Ok(Chunk::Bytes(Bytes::new())),
                    Turn::Read(file, up_to) => match take(&file, offset, up_to - offset, buffers, from_files).await {
                        Ok(chunk) => return Ok(chunk),
                        Err(error) => {
                            blob.cache.hangar().counters.disk_errors.add(1);
                            tracing::error!(digest = %blob.digest, %error, "cannot read what was just written");
                            let detour = follower.past_the_file(offset, end);
                            blob.origin = Origin::Detour(Box::new(detour));
                        }
                    },
                    Turn::Alone(adrift) => {
                        let detour = follower.alone(adrift, offset, end);
                        blob.origin = Origin::Detour(Box::new(detour));
                    }
                },
                Origin::Detour(detour) => return detour.next().await.map(Chunk::Bytes),
            }
        }
    }

    /// What is stored is bad: goes on with a copy that is fetched anew, from the byte reached.
    async fn recover(&mut self, error: ReadError) -> Result<(), ReadError> {
        let Blob { digest, cache, sources, origin } = &mut self.blob;
        if self.recoveries == RECOVERIES || sources.is_empty() {
            return Err(error);
        }
        self.recoveries += 1;
        tracing::warn!(%digest, %error, "a stored blob cannot be read: going on with another copy");
        let Origin::Disk(stored) = origin else { return Err(error) };
        let (end, size) = (self.end, stored.size);
        *origin = match cache.fetch_again(digest, stored, sources).await? {
            Origin::Flight(follower) if end.is_none_or(|end| end == size) => Origin::Flight(follower.on_the_trunk()),
            other => other,
        };
        Ok(())
    }
}

// === impl Served ===

impl Served {
    /// So many bytes were sent.
    pub fn add(&self, bytes: usize) {
        let Counters { served_from_disk_bytes, served_from_download_bytes, .. } = &*self.counters;
        let count = if self.from_disk { served_from_disk_bytes } else { served_from_download_bytes };
        count.add(bytes as u64);
    }
}

/// The next of `wanted` bytes at `offset`. A file that cannot be read shows here, where there may be another copy: so all
/// that is to be sent is looked at.
async fn take(
    file: &Arc<ContentFile>,
    offset: u64,
    wanted: u64,
    buffers: &Arc<Buffers>,
    from_files: bool,
) -> io::Result<Chunk> {
    if from_files && wanted >= WORTH_SENDING {
        let length = usize::try_from(wanted.min(SENT_AT_ONCE)).expect("no more than is sent at once");
        if file.is_cached(offset, length) {
            return Ok(Chunk::File { file: Arc::clone(file) as _, offset, length });
        }
    }
    file.read(offset, wanted, buffers).await.map(Chunk::Bytes)
}

impl std::fmt::Debug for Blob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Blob").field("digest", &self.digest).field("origin", &self.origin).finish_non_exhaustive()
    }
}

impl Doubt {
    /// Reads what must be read, and says whether it is right.
    pub(crate) fn resolve(self, digest: &Digest, stored: &Stored, chunk: usize) -> io::Result<bool> {
        match self {
            Self::No | Self::Unasked => Ok(true),
            Self::Piece { number, range, hash } => {
                let mut hasher = blake3::Hasher::new();
                read_through(stored, range, chunk, |bytes| {
                    hasher.update(bytes);
                })?;
                let is_right = *hasher.finalize().as_bytes() == hash;
                if is_right {
                    stored.proof.checked(number);
                }
                Ok(is_right)
            }
            Self::All => {
                let mut hasher = digest.algorithm().hasher();
                read_through(stored, 0..stored.size, chunk, |bytes| hasher.update(bytes))?;
                let is_right = hasher.finish() == *digest;
                if is_right {
                    stored.proof.proven();
                }
                Ok(is_right)
            }
        }
    }
}

fn read_through(stored: &Stored, range: Range<u64>, chunk: usize, mut take: impl FnMut(&[u8])) -> io::Result<()> {
    let mut buffer = vec![0; chunk];
    let mut at = range.start;
    while at < range.end {
        let length = usize::try_from(range.end - at).unwrap_or(usize::MAX).min(chunk);
        stored.file.read_exact_at(&mut buffer[..length], at)?;
        take(&buffer[..length]);
        at += length as u64;
    }
    Ok(())
}
