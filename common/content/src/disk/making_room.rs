//! Making room before it is taken.

use std::{fs, io, sync::PoisonError};

use super::Disk;
use crate::room::Room;

impl Disk {
    /// Makes room for `bytes` more, and takes it.
    pub(super) fn make_room(&self, bytes: u64) -> io::Result<Room> {
        let _one_at_a_time = self.making_room.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let taken = self.books().taken(self.free());
            let Some(excess) = self.capacity.excess(taken, bytes) else { return Err(no_room(bytes)) };
            if excess == 0 {
                let room = Room::of(&self.books, bytes);
                #[cfg(test)]
                let room = room.with_faults(self.faults.clone());
                return Ok(room);
            }
            if !self.drop_left() && !self.evict(excess)? {
                return Err(no_room(bytes));
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

    /// What ordinary processes may still write, in bytes.
    fn free(&self) -> Option<u64> {
        let stat = rustix::fs::statvfs(self.layout.root()).ok()?;
        Some(stat.f_bavail.saturating_mul(stat.f_frsize))
    }
}

/// The cache may not take that much more.
#[derive(Debug, thiserror::Error)]
#[error("there is no room for {0} bytes more within the cache's bounds, and nothing that may go to make it")]
struct NoRoom(u64);

fn no_room(bytes: u64) -> io::Error {
    io::Error::new(io::ErrorKind::StorageFull, NoRoom(bytes))
}

/// Whether it was our own bounds that said no, and not the disk.
pub(crate) fn is_refusal(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<NoRoom>())
}
