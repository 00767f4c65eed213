//! Making room before it is taken.

use std::{fs, io, sync::PoisonError};

use super::Disk;
use crate::room::{Room, Short};

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
        loop {
            let taken = self.books().taken(self.space().map(|space| space.free));
            let excess = self.capacity.excess(taken, bytes).map_err(|short| no_room(bytes, short))?;
            if excess == 0 {
                let room = Room::of(&self.books, bytes);
                #[cfg(test)]
                let room = room.with_faults(self.faults.clone());
                return Ok(room);
            }
            if !self.drop_left() && !self.evict(excess)? {
                return Err(no_room(bytes, Short::Bound));
            }
        }
    }

    /// Drops what one broken download left.
    fn drop_left(&self) -> bool {
        let left = self.books().left().first().copied();
        let Some(digest) = left else { return false };
        let _ = fs::remove_file(self.layout.partial_pieces(&digest));
        let _ = fs::remove_file(self.layout.partial(&digest));
        self.books().take_up(&digest);
        true
    }

    /// Removes blobs of so many bytes, if there are.
    fn evict(&self, bytes: u64) -> io::Result<bool> {
        let victims = self.books().victims(bytes);
        let mut failure = None;
        for digest in &victims {
            if failure.is_some() {
                self.books().spared(digest);
                continue;
            }
            match self.remove(digest) {
                Ok(bytes) => {
                    self.counters.evicted.add(1);
                    self.counters.evicted_bytes.add(bytes);
                    tracing::debug!(%digest, bytes, "evicted a blob");
                }
                Err(error) => {
                    self.books().spared(digest);
                    failure = Some(error);
                }
            }
        }
        match failure {
            Some(error) => Err(error),
            None => Ok(!victims.is_empty()),
        }
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
    const ENOUGH: u64 = 64 << 20;
    match error.get_ref().and_then(|inner| inner.downcast_ref()) {
        Some(NoRoom::Disk(bytes)) => *bytes,
        _ if error.kind() == io::ErrorKind::StorageFull => ENOUGH,
        _ => 0,
    }
}
