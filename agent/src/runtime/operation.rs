//! What apply, restore and recovery have in common: whom they act on, and the lock that they hold meanwhile.

use std::path::PathBuf;

use super::{
    disk::Disk,
    engine::Engine,
    journal::{Journal, JournalError, JournalStore},
    lock::{Lock, LockError},
    mirror_url::MirrorUrl,
    target::{ConfigDir, ReplaceError, Snapshot, Target},
    writer::Writer,
};

/// How often an operation starts over when somebody else edits the file at the same time.
pub(super) const ATTEMPTS: usize = 3;

/// Where everything is.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    /// The engine's configuration folder.
    pub(crate) config: ConfigDir,
    /// The agent's state folder; this module uses `runtime/` in it.
    pub(crate) state: PathBuf,
    /// Our mirror.
    pub(crate) mirror: MirrorUrl,
    /// Whether the mirrors of others go from the files that we edit.
    pub(crate) adopt: bool,
}

/// One operation, which has the engine's configuration to itself while it lives.
///
/// Its future may be dropped at any point. That is a crash to the journal, and the next operation begins with
/// recovery. The file system calls in it are few, small and synced, and block their thread: run it beside the data
/// path, not on it.
pub(super) struct Operation<'a, E> {
    pub(super) setup: &'a Setup,
    pub(super) engine: &'a E,
    pub(super) disk: &'a dyn Disk,
    pub(super) journals: JournalStore,
    _lock: Lock,
}

/// Why an operation did not begin.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BeginError {
    /// The state folder cannot be used.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Another process is at it.
    #[error(transparent)]
    Lock(#[from] LockError),
}

impl<'a, E: Engine> Operation<'a, E> {
    /// Takes the lock and sweeps what crashed operations left half-written.
    pub(super) async fn begin(setup: &'a Setup, engine: &'a E, disk: &'a dyn Disk) -> Result<Self, BeginError> {
        let runtime = setup.state.join("runtime");
        let journals = JournalStore::new(runtime.join("journal"));
        journals.prepare()?;
        let lock = Lock::take(&runtime).await?;
        journals.sweep();
        for writer in [Writer::DaemonJson]
            .into_iter()
            .chain(journals.all().unwrap_or_default().into_iter().map(|journal| journal.writer))
        {
            if let Ok(target) = setup.config.locate(&writer.path()) {
                target.sweep();
            }
        }
        Ok(Self { setup, engine, disk, journals, _lock: lock })
    }

    pub(super) fn save(&self, journal: &mut Journal) -> Result<(), JournalError> {
        self.journals.save(self.disk, journal)
    }

    pub(super) fn put(&self, target: &Target, expected: &Snapshot, bytes: Option<&[u8]>) -> Result<(), ReplaceError> {
        target.replace(self.disk, expected, bytes)
    }
}
