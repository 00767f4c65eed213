//! Gives the engine back as it was before Larder: `larder-agent restore`, and an uninstall. Works beside a running agent
//! (one waits for the other), while the engine is down, and when the journal is lost.

use std::fmt;

use super::{
    confirm::{self, any_of},
    daemon_json::{self, Desired, Edit, WhenEmpty},
    disk::{Disk, RealDisk},
    engine::{Engine, EngineFacts},
    journal::{Journal, Original},
    operation::{BeginError, Operation, Setup},
    withdraw::{EngineLeft, WithdrawError, Withdrawn},
};

/// The engine's configuration is without us.
#[derive(Debug)]
pub(crate) enum Restored {
    /// There was nothing of ours, in the file and as far as the engine answered. Nothing was touched.
    Nothing(EngineLeft),
    /// It is now.
    Withdrawn(Withdrawn),
}

impl fmt::Display for Restored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing(engine) => write!(f, "nothing to restore: daemon.json does not name our mirror; {engine}"),
            Self::Withdrawn(withdrawn) => withdrawn.fmt(f),
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
    let loaded = operation.journal.load().map_err(WithdrawError::from)?;
    let journal = match loaded {
        Some(journal) => Ok(journal),
        None => operation.reconstruct().await?,
    };
    match journal {
        Ok(journal) => Ok(Restored::Withdrawn(operation.withdraw(journal).await?)),
        Err(nothing) => Ok(Restored::Nothing(nothing)),
    }
}

impl<E: Engine> Operation<'_, E> {
    /// A journal for what is there without one: the file as it is counts as the original, so that nothing but our entry
    /// can go. An emptied list stays as `[]`: nobody knows who brought the key. No journal for nothing of ours.
    async fn reconstruct(&self) -> Result<Result<Journal, EngineLeft>, WithdrawError> {
        let target = self.setup.config.locate()?;
        let now = target.read()?;
        let (bytes, ours) = (now.bytes.as_deref(), std::slice::from_ref(&self.setup.mirror));
        let desired = Desired::Without(ours, WhenEmpty::KeepKey);
        let in_file = daemon_json::edit(bytes, desired, &EngineFacts::lenient())? != Edit::Unchanged;
        let engine = match confirm::mirrors(self.engine).await {
            Ok(live) if any_of(ours, &live) => None,
            Ok(_) => Some(EngineLeft::Clean),
            Err(error) => Some(EngineLeft::NotAsked(error)),
        };
        if let (false, Some(engine)) = (in_file, engine) {
            return Ok(Err(engine));
        }
        let mode = now.attributes.map(|attributes| attributes.mode);
        let original = Original::of(bytes, mode)?;
        Ok(Ok(Journal::new(target.host, original, self.setup.mirror.clone())))
    }
}
