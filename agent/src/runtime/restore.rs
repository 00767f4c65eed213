//! Gives the engine back as it was before Larder: `larder-agent restore`, and an uninstall. Works beside a running agent
//! (one waits for the other), while the engine is down, and when the journal is lost.

use std::fmt;

use super::{
    confirm::{self, any_of},
    daemon_json::WhenEmpty,
    disk::{Disk, RealDisk},
    edit::Edit,
    engine::Engine,
    journal::{Journal, Original},
    operation::{BeginError, Operation, Setup},
    target::TargetError,
    withdraw::{EngineLeft, WithdrawError, Withdrawn},
    writer::{CERTS_D, Refusal, Writer},
};

/// The engine's configuration is without us.
#[derive(Debug)]
pub(crate) enum Restored {
    /// There was nothing of ours, in the files and as far as the engine answered. Nothing was touched.
    Nothing(EngineLeft),
    /// It is now: these files named our mirror.
    Withdrawn(Vec<Withdrawn>),
}

impl fmt::Display for Restored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing(engine) => {
                write!(f, "nothing to restore: no file of the engine's names our mirror; {engine}")
            }
            Self::Withdrawn(files) => {
                for (index, file) in files.iter().enumerate() {
                    write!(f, "{}{file}", if index > 0 { "\n" } else { "" })?;
                }
                Ok(())
            }
        }
    }
}

/// The engine's configuration is not, or not certainly, without us.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RestoreError {
    /// Not begun. Nothing was touched.
    #[error(transparent)]
    Begin(#[from] BeginError),
    /// Begun; the same call again goes on from there.
    #[error(transparent)]
    Withdraw(#[from] WithdrawError),
    /// The folder of the engine's files cannot be read.
    #[error(transparent)]
    Target(#[from] TargetError),
}

/// Takes the mirror of `setup`, and those that the journal knows, out of the file and the engine.
pub(crate) async fn restore<E: Engine>(setup: &Setup, engine: &E) -> Result<Restored, RestoreError> {
    restore_on(setup, engine, &RealDisk).await
}

pub(super) async fn restore_on<E: Engine>(
    setup: &Setup,
    engine: &E,
    disk: &dyn Disk,
) -> Result<Restored, RestoreError> {
    let operation = Operation::begin(setup, engine, disk).await?;
    let mut journals = operation.journals.all().map_err(WithdrawError::from)?;
    let known: Vec<Writer> = journals.iter().map(|journal| journal.writer.clone()).collect();
    let mut nothing = EngineLeft::Clean;
    if !known.contains(&Writer::DaemonJson) {
        let live = confirm::mirrors(operation.engine).await;
        let is_live = live.as_ref().is_ok_and(|live| any_of(std::slice::from_ref(&setup.mirror), live));
        nothing = live.map_or_else(EngineLeft::NotAsked, |_| EngineLeft::Clean);
        journals.extend(operation.reconstruct(Writer::DaemonJson, is_live)?);
    }
    for writer in operation.hosts_files()?.into_iter().filter(|writer| !known.contains(writer)) {
        // One that nobody can read is not one that the engine goes by.
        match operation.reconstruct(writer.clone(), false) {
            Err(WithdrawError::Refused(refusal)) => tracing::warn!("{writer} is left alone: {refusal}"),
            journal => journals.extend(journal?),
        }
    }
    if journals.is_empty() {
        return Ok(Restored::Nothing(nothing));
    }
    let mut files = Vec::new();
    for journal in journals {
        files.push(operation.withdraw(journal).await?);
    }
    Ok(Restored::Withdrawn(files))
}

impl<E: Engine> Operation<'_, E> {
    /// A journal for a file that names our mirror without one: the file as it is counts as the original, so that nothing
    /// but our entry can go. An emptied list stays as `[]`: nobody knows who brought the key. `None` for nothing of ours,
    /// unless `is_live`: then the engine goes by our mirror all the same.
    fn reconstruct(&self, writer: Writer, is_live: bool) -> Result<Option<Journal>, WithdrawError> {
        let target = self.setup.config.locate(&writer.path())?;
        let now = target.read()?;
        let (bytes, ours) = (now.bytes.as_deref(), std::slice::from_ref(&self.setup.mirror));
        let is_in_file = writer.without(bytes, ours, WhenEmpty::KeepKey)? != Edit::Unchanged;
        if !is_in_file && !is_live {
            return Ok(None);
        }
        let mode = now.attributes.map(|attributes| attributes.mode);
        let original = Original::of(bytes, mode).map_err(Refusal::from)?;
        Ok(Some(Journal::new(writer, target.host, original, self.setup.mirror.clone())))
    }

    /// Every `hosts.toml` that there is.
    fn hosts_files(&self) -> Result<Vec<Writer>, TargetError> {
        let folders = self.setup.config.list(CERTS_D.as_ref())?.unwrap_or_default();
        Ok(folders.into_iter().filter_map(Writer::of_folder).collect())
    }
}
