//! Whether the disk works, as far as its use has shown.

use std::{
    io,
    sync::{Mutex, PoisonError},
};

use crate::disk;

/// What the last write said. Reading a blob says nothing of whether the next can be written.
#[derive(Debug, Default)]
pub(crate) struct Health(Mutex<Option<Failure>>);

#[derive(Debug, Clone)]
struct Failure {
    what: String,
    /// See [`disk::wanted`].
    wanted: u64,
}

impl Health {
    /// A write failed.
    pub(crate) fn failed(&self, error: &io::Error) {
        *self.lock() = Some(Failure { what: error.to_string(), wanted: disk::wanted(error) });
    }

    /// A write of so many bytes worked; whether the disk works again by that. A small file may fit where the next blob
    /// does not.
    pub(crate) fn works(&self, bytes: u64) -> bool {
        self.lock().take_if(|failure| bytes >= failure.wanted).is_some()
    }

    /// Why the disk cannot be used.
    pub(crate) fn failure(&self) -> Option<String> {
        self.lock().as_ref().map(|failure| failure.what.clone())
    }

    /// How many bytes there must be room for, for the disk to work again.
    pub(crate) fn wants(&self) -> u64 {
        self.lock().as_ref().map_or(0, |failure| failure.wanted)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Failure>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_was_full_wants_room() {
        let health = Health::default();
        assert_eq!((health.failure(), health.wants()), (None, 0));
        health.failed(&io::ErrorKind::ReadOnlyFilesystem.into());
        assert!(health.failure().is_some() && health.wants() == 0);
        health.failed(&io::ErrorKind::StorageFull.into());
        assert!(health.wants() > 0 && !health.works(1000));
        assert!(health.works(u64::MAX) && !health.works(u64::MAX));
        assert_eq!((health.failure(), health.wants()), (None, 0));
    }
}
