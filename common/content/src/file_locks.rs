//! Who creates, renames or removes files of a digest holds its lock meanwhile. The books are held for what needs no disk:
//! everybody who asks for anything needs those, and a disk may hang.

use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use larder_oci::Digest;

/// So many digests at a time; two may share a lock. Nobody holds two.
const LOCKS: usize = 64;

/// See the module. Locked before the books, never after.
#[derive(Debug)]
pub(crate) struct FileLocks([Mutex<()>; LOCKS]);

impl Default for FileLocks {
    fn default() -> Self {
        Self([const { Mutex::new(()) }; LOCKS])
    }
}

impl FileLocks {
    /// The lock of `digest`. For threads that may wait for a disk.
    pub(crate) fn of(&self, digest: &Digest) -> MutexGuard<'_, ()> {
        self.lock(digest).lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lock of `digest`, unless somebody has it.
    pub(crate) fn try_of(&self, digest: &Digest) -> Option<MutexGuard<'_, ()>> {
        match self.lock(digest).try_lock() {
            Ok(guard) => Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    fn lock(&self, digest: &Digest) -> &Mutex<()> {
        &self.0[usize::from(digest.bytes()[0]) % LOCKS]
    }
}
