//! Points the engine at our mirror, file by file: plan, journal, write, activate, confirm; or else everything back, and
//! why. What became of one file does not keep us from the next.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use larder_oci::Registry;

use super::{
    confirm::{self, Unconfirmed},
    disk::{Disk, RealDisk},
    engine::{Engine, EngineFacts, MirrorFlag, Way},
    journal::{Journal, JournalError, Phase},
    operation::{ATTEMPTS, BeginError, Operation, Setup},
    plan::{Kind, Plan, PlanRefusal, Situation, plan},
    target::{ReplaceError, Snapshot, Target, TargetError},
    withdraw::{WithdrawError, Withdrawn},
    writer::{CERTS_D, Writer},
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
    /// The file is one that this engine does not read, or of a registry that the hub does not serve any more: it is
    /// without us again.
    Dismissed,
}

/// For which registries, and where not.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted {
    /// What the hub serves. `None`: it is not known, so that what was configured stays.
    pub(crate) registries: Option<Vec<Registry>>,
    /// Files that are left to others.
    pub(crate) left_alone: BTreeSet<Writer>,
}

/// What became of a file.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Which.
    pub(crate) writer: Writer,
    /// What.
    pub(crate) applied: Result<Applied, ApplyError>,
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
    #[error("somebody else changed {0} {ATTEMPTS} times meanwhile; it was left to them")]
    Contended(Writer),
    /// The file has our mirror by somebody else's hand, so it was left as it is.
    #[error("the file names our mirror, but {0}")]
    NotTaken(Unconfirmed),
    /// Everything is back as it was, but for edits of others meanwhile.
    #[error("{why}; taken back: {left}")]
    Undone {
        /// What went wrong.
        why: Unconfirmed,
        /// How things are now.
        left: Box<Withdrawn>,
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
    #[error("an interrupted change of the engine's configuration could not be taken back: {0}")]
    Recovery(WithdrawError),
    /// The file is not wanted any more, and is not without us.
    #[error(transparent)]
    Withdraw(#[from] WithdrawError),
    /// The journal cannot be used. If the file was written already, the next operation takes that back.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// Points the engine at the mirror of `setup`, for Docker Hub and, where the engine can, for what is `wanted`. May be
/// called as often as one likes.
///
/// # Errors
/// When nothing could be begun. Otherwise each file has its own outcome.
pub(crate) async fn apply<E: Engine>(setup: &Setup, engine: &E, wanted: &Wanted) -> Result<Vec<Outcome>, ApplyError> {
    apply_on(setup, engine, &RealDisk, wanted).await
}

pub(super) async fn apply_on<E: Engine>(
    setup: &Setup,
    engine: &E,
    disk: &dyn Disk,
    Wanted { registries, left_alone }: &Wanted,
) -> Result<Vec<Outcome>, ApplyError> {
    let operation = Operation::begin(setup, engine, disk).await?;
    operation.recover().await?;
    let facts = confirm::facts(engine).await.map_err(ApplyError::Engine)?;
    let journals = operation.journals.all()?;
    let mut outcomes = Vec::new();

    let folders = setup.config.list(CERTS_D.as_ref())?.unwrap_or_default();
    let mut wanted: BTreeSet<Writer> = facts.capability.writers(registries.as_deref(), &folders).into_iter().collect();
    for journal in journals.into_iter().filter(|journal| !left_alone.contains(&journal.writer)) {
        let kept = registries.is_none() && facts.capability.reads(&journal.writer);
        if kept {
            wanted.insert(journal.writer);
        } else if !wanted.contains(&journal.writer) {
            let writer = journal.writer.clone();
            let withdrawn = operation.withdraw(journal).await;
            outcomes.push(Outcome { writer, applied: withdrawn.map(|_| Applied::Dismissed).map_err(Into::into) });
        }
    }
    for writer in wanted.into_iter().filter(|writer| !left_alone.contains(writer)) {
        let applied = operation.apply_one(&writer, &facts).await;
        outcomes.push(Outcome { writer, applied });
    }
    Ok(outcomes)
}

/// What [`apply()`] begins with, alone: takes back what a crash interrupted.
#[cfg(test)]
pub(super) async fn recover_on<E: Engine>(
    setup: &Setup,
    engine: &E,
    disk: &dyn Disk,
) -> Result<Vec<Withdrawn>, ApplyError> {
    Operation::begin(setup, engine, disk).await?.recover().await
}

impl<E: Engine> Operation<'_, E> {
    /// An interrupted edit is always taken back, never finished: one way to get right, and it works while the engine is
    /// down. An apply that follows plans afresh.
    async fn recover(&self) -> Result<Vec<Withdrawn>, ApplyError> {
        let mut recovered = Vec::new();
        for journal in self.journals.all()? {
            if journal.phase != Phase::Confirmed {
                recovered.push(self.withdraw(journal).await.map_err(ApplyError::Recovery)?);
            }
        }
        Ok(recovered)
    }

    async fn apply_one(&self, writer: &Writer, facts: &EngineFacts) -> Result<Applied, ApplyError> {
        for _ in 0..ATTEMPTS {
            if let Some(applied) = self.try_apply(writer, facts).await? {
                return Ok(applied);
            }
        }
        Err(ApplyError::Contended(writer.clone()))
    }

    /// `None`: somebody else edited the file meanwhile.
    async fn try_apply(&self, writer: &Writer, facts: &EngineFacts) -> Result<Option<Applied>, ApplyError> {
        let live = confirm::mirrors(self.engine).await.map_err(ApplyError::Engine)?;
        let target = self.setup.config.locate(&writer.path())?;
        let now = target.read()?;
        let previous = self.journals.load(writer)?;
        let origin;
        let kind = match writer {
            Writer::DaemonJson => Kind::DaemonJson { live: &live, facts },
            Writer::HostsToml { registry, folder } => {
                origin = self.origin(registry, folder, previous.as_ref(), &live, facts).await?;
                Kind::HostsToml { writer, origin: &origin }
            }
        };
        let situation = Situation {
            mirror: &self.setup.mirror,
            adopt: self.setup.adopt,
            kind,
            named: &self.setup.config.file(&writer.path()),
            file: &target.host,
            new_folders: &self.folders_of_ours(&target)?,
            now: &now,
            previous: previous.as_ref(),
        };
        let mut planned = plan(&situation);
        if *writer == Writer::DaemonJson && facts.mirror_flag == MirrorFlag::Unknown && planned != Ok(Plan::Nothing) {
            // Before anything is done by a guess, or refused by one.
            let near = confirm::facts_from_near(self.engine).await.map_err(ApplyError::Engine)?;
            planned = plan(&Situation { kind: Kind::DaemonJson { live: &live, facts: &near }, ..situation });
        }
        match planned? {
            Plan::Nothing => Ok(Some(Applied::AlreadyLive)),
            Plan::Reload => match (self.activate_and_confirm(writer, None).await?, previous) {
                (Ok(()), _) => Ok(Some(Applied::Reloaded)),
                (Err(why), Some(journal)) if journal.wrote(now.bytes.as_deref()) => Err(self.undo(journal, why).await),
                (Err(why), _) => Err(ApplyError::NotTaken(why)),
            },
            Plan::Write { bytes, journal } => self.write(&target, &now, &bytes, *journal, previous).await,
        }
    }

    /// The folders of a file that go with it: those that are still to be created, and those that we created for other
    /// files. Whichever file goes last takes them along.
    fn folders_of_ours(&self, target: &Target) -> Result<Vec<PathBuf>, JournalError> {
        let created: BTreeSet<PathBuf> =
            self.journals.all()?.into_iter().flat_map(|journal| journal.new_folders).collect();
        let mut folders: Vec<PathBuf> =
            target.host.ancestors().filter(|folder| created.contains(*folder)).map(Path::to_owned).collect();
        folders.reverse();
        folders.extend(target.new_folders.iter().cloned());
        Ok(folders)
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
        let writer = journal.writer.clone();
        if let Err(why) = self.activate_and_confirm(&writer, Some(&mut journal)).await? {
            return Err(self.undo(journal, why).await);
        }
        journal.phase = Phase::Confirmed;
        self.save(&mut journal)?;
        Ok(Some(Applied::Configured))
    }

    async fn activate_and_confirm(
        &self,
        writer: &Writer,
        journal: Option<&mut Journal>,
    ) -> Result<Result<(), Unconfirmed>, JournalError> {
        let registry = match writer {
            Writer::DaemonJson => None,
            // Read at every pull: there is nobody to tell.
            Writer::HostsToml { registry, .. } => Some(registry.clone()),
        };
        let Some(registry) = registry else {
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
            return Ok(confirm::canary(self.engine, &Way::Distribution).await);
        };
        Ok(confirm::canary(self.engine, &Way::Pull(registry)).await)
    }

    async fn undo(&self, mut journal: Journal, why: Unconfirmed) -> ApplyError {
        if journal.phase == Phase::Confirmed {
            journal.phase = Phase::Signalled;
        }
        match self.withdraw(journal).await {
            Ok(left) => ApplyError::Undone { why, left: Box::new(left) },
            Err(undo) => ApplyError::NotUndone { why, undo: Box::new(undo) },
        }
    }

    /// The file was not written after all: the journal is what it was.
    fn forget(&self, journal: &Journal, previous: Option<Journal>) -> Result<(), ApplyError> {
        self.setup.config.remove_empty(self.disk, &journal.new_folders)?;
        match previous {
            Some(mut previous) => self.save(&mut previous)?,
            None => self.journals.remove(self.disk, &journal.writer)?,
        }
        Ok(())
    }
}
