//! Points the engine at our mirror: plan, journal, write, reload, confirm; or else everything back, and why.

use super::{
    confirm::{self, Unconfirmed},
    disk::{Disk, RealDisk},
    engine::Engine,
    journal::{Journal, JournalError, Phase},
    operation::{ATTEMPTS, BeginError, Operation, Setup},
    plan::{Plan, PlanRefusal, Situation, plan},
    target::{ReplaceError, Snapshot, Target, TargetError, remove_empty_folder},
    withdraw::{WithdrawError, Withdrawn},
};

/// The engine uses our mirror.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Applied {
    /// It did before: nothing was written, no signal was sent.
    AlreadyLive,
    /// The file was right; the engine had to be told.
    Reloaded,
    /// The file was written and the engine took it.
    Configured,
}

/// The engine does not use our mirror.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApplyError {
    /// The file, or the way dockerd was started, does not allow it. Nothing was touched.
    #[error(transparent)]
    Refused(#[from] PlanRefusal),
    /// The file cannot be used. Nothing was touched.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// The engine does not answer. Nothing was touched.
    #[error("the engine could not be asked: {0:#}")]
    Engine(anyhow::Error),
    /// Not begun. Nothing was touched.
    #[error(transparent)]
    Begin(#[from] BeginError),
    /// Somebody else keeps editing the file. Their edits stand.
    #[error("somebody else changed daemon.json {ATTEMPTS} times meanwhile; it was left to them")]
    Contended,
    /// The file has our mirror by somebody else's hand, so it was left as it is.
    #[error("daemon.json names our mirror, but {0}")]
    NotTaken(Unconfirmed),
    /// Everything is back as it was, but for edits of others meanwhile.
    #[error("{why}; taken back: {left}")]
    Undone {
        /// What went wrong.
        why: Unconfirmed,
        /// How things are now.
        left: Withdrawn,
    },
    /// Not everything is back as it was. The next operation tries again.
    #[error("{why}; and that could not be undone: {undo}")]
    NotUndone {
        /// What went wrong first.
        why: Unconfirmed,
        /// What went wrong then.
        undo: Box<WithdrawError>,
    },
    /// An earlier operation was interrupted and cannot be taken back.
    #[error("an interrupted change of daemon.json could not be taken back: {0}")]
    Recovery(WithdrawError),
    /// The journal cannot be used. If the file was written already, the next operation takes that back.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// Points the engine at the mirror of `setup`. May be called as often as one likes.
pub(crate) async fn apply<E: Engine>(setup: &Setup, engine: &E) -> Result<Applied, ApplyError> {
    apply_on(setup, engine, &RealDisk).await
}

pub(super) async fn apply_on<E: Engine>(setup: &Setup, engine: &E, disk: &dyn Disk) -> Result<Applied, ApplyError> {
    let operation = Operation::begin(setup, engine, disk).await?;
    operation.recover().await?;
    for _ in 0..ATTEMPTS {
        if let Some(applied) = operation.try_apply().await? {
            return Ok(applied);
        }
    }
    Err(ApplyError::Contended)
}

/// What [`apply()`] begins with, alone: takes back what a crash interrupted; `None` if there was nothing.
#[cfg(test)]
pub(super) async fn recover_on<E: Engine>(
    setup: &Setup,
    engine: &E,
    disk: &dyn Disk,
) -> Result<Option<Withdrawn>, ApplyError> {
    Operation::begin(setup, engine, disk).await?.recover().await
}

impl<E: Engine> Operation<'_, E> {
    /// An interrupted edit is always taken back, never finished: one way to get right, and it works while the engine is
    /// down. An apply that follows plans afresh.
    async fn recover(&self) -> Result<Option<Withdrawn>, ApplyError> {
        match self.journal.load()? {
            Some(journal) if journal.phase != Phase::Confirmed => {
                self.withdraw(journal).await.map(Some).map_err(ApplyError::Recovery)
            }
            _ => Ok(None),
        }
    }

    /// `None`: somebody else edited the file meanwhile.
    async fn try_apply(&self) -> Result<Option<Applied>, ApplyError> {
        let facts = confirm::facts(self.engine).await.map_err(ApplyError::Engine)?;
        let live = confirm::mirrors(self.engine).await.map_err(ApplyError::Engine)?;
        let target = self.setup.config.locate()?;
        let now = target.read()?;
        let previous = self.journal.load()?;
        let plan = plan(&Situation {
            mirror: &self.setup.mirror,
            named: &self.setup.config.file(),
            file: &target.host,
            new_folder: target.new_folder.as_deref(),
            now: &now,
            live: &live,
            facts: &facts,
            previous: previous.as_ref(),
        })?;
        match plan {
            Plan::Nothing => Ok(Some(Applied::AlreadyLive)),
            Plan::Reload => match (self.reload_and_confirm(None).await?, previous) {
                (Ok(()), _) => Ok(Some(Applied::Reloaded)),
                (Err(why), Some(journal)) if journal.wrote(now.bytes.as_deref()) => Err(self.undo(journal, why).await),
                (Err(why), _) => Err(ApplyError::NotTaken(why)),
            },
            Plan::Write { bytes, journal } => self.write(&target, &now, &bytes, *journal, previous).await,
        }
    }

    async fn write(
        &self,
        target: &Target,
        now: &Snapshot,
        bytes: &[u8],
        mut journal: Journal,
        previous: Option<Journal>,
    ) -> Result<Option<Applied>, ApplyError> {
        self.save(&mut journal)?;
        if let Err(error) = self.put(target, now, Some(bytes)) {
            let landed = target.read().is_ok_and(|now| now.bytes.as_deref() == Some(bytes));
            return match error {
                ReplaceError::Target(error) if landed => Err(self.undo(journal, Unconfirmed::Disk(error)).await),
                ReplaceError::Target(error) => self.forget(&journal, previous).and(Err(error.into())),
                ReplaceError::Changed => self.forget(&journal, previous).and(Ok(None)),
            };
        }
        tracing::info!(file = %target.host.display(), mirror = %self.setup.mirror, "wrote our mirror into the engine's configuration");
        journal.phase = Phase::Written;
        self.save(&mut journal)?;
        if let Err(why) = self.reload_and_confirm(Some(&mut journal)).await? {
            return Err(self.undo(journal, why).await);
        }
        journal.phase = Phase::Confirmed;
        self.save(&mut journal)?;
        Ok(Some(Applied::Configured))
    }

    async fn reload_and_confirm(&self, journal: Option<&mut Journal>) -> Result<Result<(), Unconfirmed>, JournalError> {
        if let Err(why) = confirm::reload(self.engine).await {
            return Ok(Err(why));
        }
        if let Some(journal) = journal {
            journal.phase = Phase::Signalled;
            self.save(journal)?;
        }
        if let Err(why) = confirm::first(self.engine, &self.setup.mirror).await {
            return Ok(Err(why));
        }
        Ok(confirm::canary(self.engine).await)
    }

    async fn undo(&self, mut journal: Journal, why: Unconfirmed) -> ApplyError {
        if journal.phase == Phase::Confirmed {
            journal.phase = Phase::Signalled;
        }
        match self.withdraw(journal).await {
            Ok(left) => ApplyError::Undone { why, left },
            Err(undo) => ApplyError::NotUndone { why, undo: Box::new(undo) },
        }
    }

    /// The file was not written after all: the journal is what it was.
    fn forget(&self, journal: &Journal, previous: Option<Journal>) -> Result<(), ApplyError> {
        if let Some(folder) = &journal.new_folder {
            remove_empty_folder(self.disk, folder)?;
        }
        match previous {
            Some(mut previous) => self.save(&mut previous)?,
            None => self.journal.remove(self.disk)?,
        }
        Ok(())
    }
}
