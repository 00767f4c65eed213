//! Making room before it is taken.

use std::{io, sync::PoisonError};

use larder_oci::Digest;

use super::Disk;
use crate::{
    partial::Partial,
    room::{Room, Short},
};

/// A victim that cannot be removed.
struct Stuck {
    digest: Digest,
    bytes: u64,
    error: io::Error,
}

/// The room of a file system, in bytes.
struct Space {
    /// What ordinary processes may still write.
    free: u64,
    total: u64,
}

impl Disk {
    /// Makes room for `bytes` more, and takes it.
    pub(super) fn make_room(&self, bytes: u64) -> io::Result<Room> {
        let _one_at_a_time = self.making_room.lock().unwrap_or_else(PoisonError::into_inner);
        // Not eligible again until there is room, or nothing else to remove.
        let mut stuck = Vec::new();
        let made = self.make_room_but_for(bytes, &mut stuck);
        let mut books = self.books();
        for Stuck { digest, .. } in &stuck {
            books.spared(digest);
        }
        drop(books);
        match (made, stuck.pop()) {
            (Err(short), Some(Stuck { digest, error, .. })) if short.kind() == io::ErrorKind::StorageFull => {
                tracing::error!(%digest, %error, "cannot remove a blob to make room");
                Err(error)
            }
            (made, _) => made,
        }
    }

    fn make_room_but_for(&self, bytes: u64, stuck: &mut Vec<Stuck>) -> io::Result<Room> {
        // What goes may be free only later, or never: that nobody waits for, and nothing more goes for it.
        let (at_first, mut freed) = (self.space().map(|space| space.free), 0);
        loop {
            let free = self.space().map(|space| space.free).max(at_first.map(|free| free.saturating_add(freed)));
            let taken = self.books().taken(free);
            // What cannot be removed counts no more to the books, and takes its room all the same.
            let wanted = bytes.saturating_add(stuck.iter().map(|stuck| stuck.bytes).sum());
            let excess = self.capacity.excess(taken, wanted).map_err(|short| no_room(bytes, short))?;
            let Some((excess, short)) = excess else { return Ok(self.room_of(bytes)) };
            freed += match self.drop_left() {
                Some(bytes) => bytes,
                None => self.evict(excess, stuck).ok_or_else(|| no_room(bytes, short))?,
            };
        }
    }

    /// Room that is there.
    pub(super) fn room_of(&self, bytes: u64) -> Room {
        let room = Room::of(&self.books, bytes);
        #[cfg(test)]
        let room = room.with_faults(self.faults.clone());
        room
    }

    /// Drops what one broken download left; how many bytes that was.
    fn drop_left(&self) -> Option<u64> {
        let digest = self.books().left().first().copied()?;
        let _files = self.files.of(&digest);
        // Unless somebody goes on with it by now.
        let bytes = self.books().take_up(&digest);
        if bytes.is_some() {
            Partial::sweep(&self.layout, &digest);
        }
        Some(bytes.unwrap_or_default())
    }

    /// Removes blobs of so many bytes, if there are; how many bytes went. Those that cannot be removed are `stuck`.
    fn evict(&self, bytes: u64, stuck: &mut Vec<Stuck>) -> Option<u64> {
        let victims = self.books().victims(bytes);
        let mut freed = 0;
        for digest in &victims {
            match self.remove_idle(digest) {
                Ok(None) => {}
                Ok(Some(bytes)) => {
                    freed += bytes;
                    self.counters.evicted.add(1);
                    self.counters.evicted_bytes.add(bytes);
                    tracing::debug!(%digest, bytes, "evicted a blob");
                }
                Err(error) => {
                    let bytes = self.books().length(digest).unwrap_or_default();
                    stuck.push(Stuck { digest: *digest, bytes, error });
                }
            }
        }
        (!victims.is_empty()).then_some(freed)
    }

    /// Removes a blob, unless somebody has begun to read it.
    fn remove_idle(&self, digest: &Digest) -> io::Result<Option<u64>> {
        let _files = self.files.of(digest);
        {
            let mut books = self.books();
            if !books.withhold(digest) {
                books.spared(digest);
                return Ok(None);
            }
        }
        self.unlink(digest).map(Some)
    }

    /// Whether there would be room for `bytes` more; at most for a quarter of the disk.
    pub(super) fn try_room(&self, bytes: u64) -> io::Result<()> {
        let Some(space) = self.space() else { return Ok(()) };
        let bytes = bytes.min(space.total / 4);
        let taken = self.books().taken(Some(space.free));
        match self.capacity.excess(taken, bytes) {
            Err(short @ Short::Disk) => Err(no_room(bytes, short)),
            Ok(_) | Err(Short::Bound) => Ok(()),
        }
    }

    /// What the file system says of its room. Not all do.
    fn space(&self) -> Option<Space> {
        let stat = rustix::fs::statvfs(self.layout.root()).ok()?;
        let bytes = |blocks: u64| blocks.saturating_mul(stat.f_frsize);
        Some(Space { free: bytes(stat.f_bavail), total: bytes(stat.f_blocks) })
    }
}

/// There is no room for that much more, and nothing that may go to make it.
#[derive(Debug, thiserror::Error)]
enum NoRoom {
    #[error("{0} bytes more are more than the cache may take: give it more room")]
    Bound(u64),
    #[error("others fill the disk of the cache: there is no room for {0} bytes more and for what is to stay free")]
    Disk(u64),
}

fn no_room(bytes: u64, short: Short) -> io::Error {
    let why = match short {
        Short::Bound => NoRoom::Bound(bytes),
        Short::Disk => NoRoom::Disk(bytes),
    };
    io::Error::new(io::ErrorKind::StorageFull, why)
}

/// Whether it was our own bounds that said no, and not the disk.
pub(crate) fn is_refusal(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| matches!(inner.downcast_ref(), Some(NoRoom::Bound(_))))
}

/// How many bytes there must be room for before a disk that said `error` is believed to work again: a small file fits long
/// before the next blob does.
pub(crate) fn wanted(error: &io::Error) -> u64 {
    // As large as most layers are. A source may say of a blob that it is as large as it likes.
    const ENOUGH: u64 = 64 << 20;
    match error.get_ref().and_then(|inner| inner.downcast_ref()) {
        Some(NoRoom::Disk(bytes)) => (*bytes).min(ENOUGH),
        _ if error.kind() == io::ErrorKind::StorageFull => ENOUGH,
        _ => 0,
    }
}
