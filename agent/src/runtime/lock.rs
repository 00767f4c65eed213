//! One operation at a time: the agent and `larder-agent restore` are two processes that edit the same file.

use std::{
    fs::{File, TryLockError},
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::time::{Instant, sleep};

/// Longer than an operation takes, undo included, unless everything in it waits to its deadline.
pub(super) const LOCK_DEADLINE: Duration = Duration::from_secs(180);
const POLL: Duration = Duration::from_millis(100);

/// Held for the time of an operation; given back when dropped, by a crash too.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

/// Why there is no lock.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LockError {
    /// Somebody else has it.
    #[error("another larder-agent has been changing the engine's configuration for {} s (it holds {}): wait for it or stop it", LOCK_DEADLINE.as_secs(), .0.display())]
    Busy(PathBuf),
    /// The disk does not answer, or not as it should.
    #[error("cannot lock {}: {source}", path.display())]
    Io {
        /// The lock file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Lock {
    /// Takes the lock of `folder`, waiting up to [`LOCK_DEADLINE`] for whoever has it.
    pub(super) async fn take(folder: &Path) -> Result<Self, LockError> {
        let path = folder.join("lock");
        let failed = |source| LockError::Io { path: path.clone(), source };
        // Whoever may open it may lock it, to read or to write.
        let file = File::options().create(true).truncate(false).write(true).mode(0o600).open(&path).map_err(failed)?;
        let deadline = Instant::now() + LOCK_DEADLINE;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _file: file }),
                Err(TryLockError::Error(source)) => return Err(failed(source)),
                Err(TryLockError::WouldBlock) if Instant::now() >= deadline => return Err(LockError::Busy(path)),
                Err(TryLockError::WouldBlock) => sleep(POLL).await,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_second_waits_for_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let first = Lock::take(folder.path()).await.unwrap();
        let second = tokio::spawn({
            let folder = folder.path().to_owned();
            async move { Lock::take(&folder).await }
        });
        sleep(LOCK_DEADLINE / 2).await;
        assert!(!second.is_finished());
        drop(first);
        assert!(second.await.unwrap().is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn the_wait_ends() {
        let folder = tempfile::tempdir().unwrap();
        let _first = Lock::take(folder.path()).await.unwrap();
        assert!(matches!(Lock::take(folder.path()).await, Err(LockError::Busy(_))));
    }
}
