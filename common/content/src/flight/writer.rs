//! The trunk's hand: writes and hashes, in order, on a thread that may wait.

use std::{io, sync::Arc};

use bytes::Bytes;
use larder_oci::{Digest, Hasher};

use super::Hangar;
use crate::{
    buffers::Buffers,
    file::ContentFile,
    hashing::BlobHasher,
    partial::Partial,
    pieces::{Hash, List},
};

/// Room that is taken at a time for a download whose length is not known.
const STRIDE: u64 = 64 << 20;

/// A download as the thread that writes it has it.
pub(super) struct Writer {
    file: Arc<ContentFile>,
    /// `None` for a blob that lies there finished, and is only hashed.
    pub(super) partial: Option<Partial>,
    hasher: BlobHasher,
    /// Everything before this offset is written and hashed.
    pub(super) at: u64,
    /// Whether the length is known, and the room for it taken.
    sized: bool,
    buffers: Arc<Buffers>,
}

/// A writer whose disk failed.
pub(super) struct Stuck {
    pub(super) writer: Box<Writer>,
    pub(super) error: io::Error,
}

pub(super) type Written = Result<Box<Writer>, Stuck>;

impl Writer {
    pub(super) fn new(digest: &Digest, total: Option<u64>, partial: Partial, hangar: &Hangar) -> Self {
        let file = Arc::clone(partial.file());
        Self { partial: Some(partial), ..Self::reading(digest, total, file, hangar) }
    }

    /// One that only hashes what is in `file`.
    pub(super) fn reading(digest: &Digest, total: Option<u64>, file: Arc<ContentFile>, hangar: &Hangar) -> Self {
        Self {
            file,
            partial: None,
            hasher: BlobHasher::new(digest, total, hangar.disk.geometry().piece),
            at: 0,
            sized: total.is_some(),
            buffers: Arc::clone(&hangar.buffers),
        }
    }

    /// Writes and hashes `chunks`, but nothing at or after the offset `wall`.
    pub(super) fn write(mut self: Box<Self>, chunks: &[Bytes], wall: Option<u64>, hangar: &Hangar) -> Written {
        match self.try_write(chunks, wall, hangar) {
            Ok(()) => Ok(self),
            Err(error) => Err(Stuck { writer: self, error }),
        }
    }

    fn try_write(&mut self, chunks: &[Bytes], wall: Option<u64>, hangar: &Hangar) -> io::Result<()> {
        for chunk in chunks {
            let room = wall.map_or(u64::MAX, |wall| wall.saturating_sub(self.at));
            let chunk = &chunk[..usize::try_from(room).unwrap_or(usize::MAX).min(chunk.len())];
            let end = self.at + chunk.len() as u64;
            if let Some(partial) = self.partial.as_mut().filter(|_| !self.sized)
                && end > partial.room().bytes()
            {
                hangar.disk.extend(partial, STRIDE.max(chunk.len() as u64))?;
            }
            self.file.write_at(chunk, self.at)?;
            if let Some(partial) = &mut self.partial {
                partial.wrote(end);
            }
            self.hash(chunk, true);
        }
        Ok(())
    }

    /// Hashes what is in the file already, up to the offset `end`.
    pub(super) fn absorb(mut self: Box<Self>, end: u64) -> Written {
        match self.try_absorb(end, true) {
            Ok(()) => Ok(self),
            Err(error) => Err(Stuck { writer: self, error }),
        }
    }

    /// Hashes the piece that ends at `end` and should be in the file already; a piece that is not what it should be is
    /// none. Whether it was.
    pub(super) fn absorb_piece(mut self: Box<Self>, end: u64, hash: &Hash) -> (Written, bool) {
        let (before, at) = (self.hasher.clone(), self.at);
        // It is in the journal if it is right, and must not get there if it is not.
        match self.try_absorb(end, false) {
            Ok(()) if self.hasher.last_piece() == Some(hash) => (Ok(self), true),
            // What cannot be read is as good as not there: it is written again.
            Ok(()) | Err(_) => {
                (self.hasher, self.at) = (before, at);
                (Ok(self), false)
            }
        }
    }

    fn try_absorb(&mut self, end: u64, note: bool) -> io::Result<()> {
        let mut buffer = self.buffers.take();
        while self.at < end {
            let bytes = buffer.first(end - self.at);
            self.file.read_exact_at(bytes, self.at)?;
            self.hash(bytes, note);
        }
        Ok(())
    }

    /// Takes in the next bytes; with `note`, a piece that they complete is written down.
    fn hash(&mut self, bytes: &[u8], note: bool) {
        let Self { hasher, partial, .. } = self;
        hasher.update(bytes, |number, hash| {
            if let Some(partial) = partial.as_ref().filter(|_| note) {
                partial.note(number, hash);
            }
        });
        self.at += bytes.len() as u64;
    }

    /// The digest of what was written so far.
    pub(super) fn digest_so_far(&self) -> Hasher {
        self.hasher.digest_so_far()
    }

    /// Whether it would be worth going on with later.
    pub(super) fn has_pieces(&self) -> bool {
        self.sized && self.hasher.last_piece().is_some()
    }

    /// The digest of everything that was written, and its pieces.
    pub(super) fn finish(self) -> (Digest, Option<List>, Option<Partial>) {
        let (digest, list) = self.hasher.finish();
        (digest, list, self.partial)
    }
}
