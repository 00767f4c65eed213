//! How a blob comes to be on the disk: room is taken, it is written beside, and gets its name when it is verified.

use std::{fs, io, sync::Arc};

use larder_oci::Digest;
use rustix::fs::XattrFlags;

use super::{Disk, FETCHED, now};
use crate::{
    durable,
    index::Facts,
    partial::{Order, Partial},
    pieces::{Journal, List},
    proof::Proof,
};

/// A download about to be written.
#[derive(Debug)]
pub(crate) struct Begun {
    pub(crate) partial: Partial,
    /// What an earlier download left.
    pub(crate) left: Option<Journal>,
}

impl Disk {
    /// What an earlier download of `digest` left, if it can be gone on with.
    pub(crate) fn left(&self, digest: &Digest) -> Option<Journal> {
        Partial::left(&self.layout, digest, self.geometry.piece)
    }

    /// Whether an earlier download of `digest` left something.
    pub(crate) fn is_left(&self, digest: &Digest) -> bool {
        self.books().has_left(digest)
    }

    /// Takes the room for a download of `digest`, of `total` bytes where that is known, and opens its files. It goes on
    /// with what is `left` of an earlier one.
    pub(crate) fn begin(&self, digest: &Digest, total: Option<u64>, left: Option<Journal>) -> io::Result<Begun> {
        #[cfg(test)]
        self.meet(crate::faults::Op::Create)?;
        let held = self.books().take_up(digest);
        let left = left.filter(|left| Some(left.total) == total);
        let (room, left) = match (left, held) {
            (Some(left), Some(bytes)) => (self.room_of(bytes), Some(left)),
            (_, held) => {
                if held.is_some() {
                    Partial::sweep(&self.layout, digest);
                }
                (self.make_room(total.unwrap_or(0))?, None)
            }
        };
        let order = Order { digest, total, piece: self.geometry.piece };
        let opened = Partial::open(&self.layout, order, left.is_some(), (&self.books, &self.files), room);
        if let (Err(_), Some(bytes)) = (&opened, held)
            && self.left(digest).is_some()
        {
            // It could not even be opened: it is still there for somebody to go on with, and still takes its room.
            self.books().leave(*digest, bytes);
        }
        let (partial, goes_on) = opened?;
        Ok(Begun { partial, left: left.filter(|_| goes_on) })
    }

    /// Takes more room for a download whose length is not known.
    pub(crate) fn extend(&self, partial: &mut Partial, more: u64) -> io::Result<()> {
        let room = self.make_room(more)?;
        partial.room().extend(room);
        Ok(())
    }

    /// Keeps what a broken download got.
    pub(crate) fn leave(&self, digest: &Digest, mut partial: Partial) {
        let mut books = self.books();
        // Or it would be somebody else's files.
        if partial.is_current(&books) {
            books.leave(*digest, partial.room().bytes());
            drop(books);
            partial.leave();
        }
    }

    /// Keeps `content`, which is what `digest` names, unless it is here; whether it was written.
    pub(crate) fn put(&self, digest: &Digest, content: &[u8]) -> io::Result<bool> {
        if self.size(digest).is_some() && self.blob(digest)?.is_some() {
            return Ok(false);
        }
        let begun = self.begin(digest, Some(content.len() as u64), None)?;
        begun.partial.file().write_at(content, 0)?;
        self.commit(begun.partial, digest, None).map(|proof| proof.is_some())
    }

    /// Makes a download that was verified to be `digest` a blob: fsync, then rename, so that the name is never there
    /// without the content. Gives its proof, for who reads it to hold; none if another download has taken its place.
    ///
    /// What is somebody else's stays so, also when it was damaged and this mends it.
    pub(crate) fn commit(
        &self,
        mut partial: Partial,
        digest: &Digest,
        list: Option<&List>,
    ) -> io::Result<Option<Arc<Proof>>> {
        let path = self.layout.blob(digest);
        let folder = path.parent().expect("a blob lies in a folder of its own");
        let file = Arc::clone(partial.file());
        // Nothing is owned for a clock that was never set.
        let (at, owned) = (now().max(1), self.books().is_owned(digest));
        // Where the file system has no attributes, the blob is owned if ever the index is lost: it takes room for longer.
        if !owned {
            let _ = rustix::fs::fsetxattr(file.file(), FETCHED, at.to_string().as_bytes(), XattrFlags::empty());
        }
        file.sync()?;
        #[cfg(test)]
        self.meet(crate::faults::Op::Rename)?;
        let (size, identity) = (file.len()?, file.identity()?);
        let proof = {
            // Held over all of it, or a removal in between would take the entry and leave the file.
            let _files = self.files.of(digest);
            if !partial.is_current(&self.books()) {
                return Ok(None);
            }
            if let Some(list) = list {
                self.keep_pieces(digest, list);
            }
            if let Err(error) = fs::create_dir_all(folder).and_then(|()| partial.rename(&path)) {
                if !self.books().knows(digest) {
                    let _ = fs::remove_file(self.layout.pieces(digest));
                }
                return Err(error);
            }
            // Together, or somebody who needs room would find the blob counted twice.
            let mut books = self.books();
            partial.room().give_back(&mut books);
            let fetched = if owned { 0 } else { at };
            books.add(*digest, Facts { size, fetched, used: at, rank: 0 }, Proof::whole(identity))
        };
        match durable::sync_folder(folder) {
            // It has gone again.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            synced => synced?,
        }
        Ok(Some(proof))
    }

    /// Writes down the pieces of a blob. It is only a list: one that is lost is made again.
    pub(crate) fn keep_pieces(&self, digest: &Digest, list: &List) {
        if let Err(error) = durable::replace(&self.layout.pieces(digest), &list.encode(), durable::Sync::No) {
            tracing::warn!(%digest, %error, "cannot write down the pieces of a blob");
        }
    }
}
