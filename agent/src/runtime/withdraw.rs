//! Takes our entry out of a file and out of the running engine: the one way back, for an undo, for a restore and after
//! a crash. It can be interrupted at any step and begun again.

use std::fmt;

use super::{
    confirm::{self, Unconfirmed},
    ending::{Ending, FileLeft, clearing, ending, rebase},
    engine::Engine,
    journal::{Journal, JournalError, Phase},
    operation::{ATTEMPTS, Operation},
    target::{ReplaceError, Snapshot, Target, TargetError},
    writer::{Refusal, Writer},
};

/// How things are after a withdrawal.
#[derive(Debug)]
pub(crate) struct Withdrawn {
    /// Which file.
    pub(crate) writer: Writer,
    /// The file.
    pub(crate) file: FileLeft,
    /// The engine.
    pub(crate) engine: EngineLeft,
}

/// What is known of the engine after a withdrawal.
#[derive(Debug)]
pub(crate) enum EngineLeft {
    /// It does not use our mirror, as far as this file goes.
    Clean,
    /// It does not answer. If it is down, it will start without our mirror; if it runs, it may still use it.
    NotAsked(anyhow::Error),
}

/// Why our entry is not out. The journal knows how far it came: the same call again goes on from there.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WithdrawError {
    /// The file cannot be read any more.
    #[error("our entry cannot be taken out: {0}")]
    Refused(#[from] Refusal),
    /// The file cannot be written.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// The journal cannot be used.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The file is ready, the engine is not.
    #[error(
        "daemon.json is ready, but the engine still uses our mirror ({0}): send SIGHUP to dockerd, then run this again"
    )]
    StillLive(Unconfirmed),
    /// Somebody else keeps editing the file.
    #[error("somebody else changed {0} {ATTEMPTS} times meanwhile: find out who, then run this again")]
    Contended(Writer),
}

impl fmt::Display for Withdrawn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.file {
            FileLeft::AsBefore => write!(f, "{} is as it was before Larder", self.writer)?,
            FileLeft::OnlyOursTakenOut => write!(f, "our entry was taken out of {}, and nothing else", self.writer)?,
        }
        match (&self.writer, &self.engine) {
            // Read at every pull: there is nothing more to say.
            (Writer::HostsToml { .. }, EngineLeft::Clean) => Ok(()),
            (_, engine) => write!(f, "; {engine}"),
        }
    }
}

impl fmt::Display for EngineLeft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Clean => f.write_str("the engine does not use our mirror"),
            Self::NotAsked(error) => write!(
                f,
                "the engine did not answer ({error:#}): if it is down, it will start without our mirror; if it runs, \
                 restore again when it answers"
            ),
        }
    }
}

enum Attempt {
    Done(Withdrawn),
    Overtaken,
}

/// Whether a running engine had to be told.
enum Cleared {
    /// It does not go by our mirror.
    Not,
    /// It was told, and dropped it; or it remembers nothing of this file.
    Now,
    /// It does not answer.
    Silent(anyhow::Error),
}

impl<E: Engine> Operation<'_, E> {
    /// Withdraws the edit of `journal`, and removes the journal at the end.
    pub(super) async fn withdraw(&self, mut journal: Journal) -> Result<Withdrawn, WithdrawError> {
        let in_doubt = matches!(journal.phase, Phase::Written | Phase::Signalled);
        journal.phase = Phase::Withdrawing;
        self.save(&mut journal)?;
        for _ in 0..ATTEMPTS {
            if let Attempt::Done(withdrawn) = self.try_withdraw(&mut journal, in_doubt).await? {
                return Ok(withdrawn);
            }
        }
        Err(WithdrawError::Contended(journal.writer))
    }

    /// `in_doubt`: a signal is perhaps on its way, so that what the engine shows may be about to change.
    async fn try_withdraw(&self, journal: &mut Journal, in_doubt: bool) -> Result<Attempt, WithdrawError> {
        let target = self.setup.config.locate(&journal.writer.path())?;
        let mut now = target.read()?;
        let ending = ending(now.bytes.as_deref(), &target.host, journal)?;
        let engine = if journal.writer.is_remembered() {
            match self.clear(journal, &target, &mut now, &ending).await? {
                Some(engine) => engine,
                None => return Ok(Attempt::Overtaken),
            }
        } else {
            Cleared::Now
        };

        match self.put(&target, &now, ending.bytes.as_deref()) {
            Err(ReplaceError::Changed) => return Ok(Attempt::Overtaken),
            Err(ReplaceError::Target(error)) => return Err(error.into()),
            Ok(()) => {}
        }
        if in_doubt && matches!(engine, Cleared::Not) {
            // It has not taken our mirror; a signal after this one cannot find it in the file any more.
            if let Err(error) = confirm::reload(self.engine).await {
                tracing::warn!(%error, "the engine was left to find the restored daemon.json by itself");
            }
        }
        self.finish(journal, &ending)?;
        tracing::info!(file = %target.host.display(), left = ?ending.file, "our mirror is out of the engine's configuration");
        let writer = journal.writer.clone();
        let engine = match engine {
            Cleared::Silent(error) => EngineLeft::NotAsked(error),
            Cleared::Not | Cleared::Now => EngineLeft::Clean,
        };
        Ok(Attempt::Done(Withdrawn { writer, file: ending.file, engine }))
    }

    /// Has a running engine that goes by our mirror drop it, with a file that says so. `None`: somebody else edited the
    /// file meanwhile.
    async fn clear(
        &self,
        journal: &mut Journal,
        target: &Target,
        now: &mut Snapshot,
        ending: &Ending,
    ) -> Result<Option<Cleared>, WithdrawError> {
        let ours = journal.ours();
        match confirm::mirrors(self.engine).await {
            Err(error) => return Ok(Some(Cleared::Silent(error))),
            Ok(live) if !confirm::any_of(&ours, &live) => return Ok(Some(Cleared::Not)),
            Ok(_) => {}
        }
        let clearing = clearing(ending)?;
        if journal.file != target.host || !journal.wrote(now.bytes.as_deref()) {
            rebase(journal, &target.host, ending)?;
        }
        journal.will_write(clearing.as_deref());
        self.save(journal)?;
        match self.put(target, now, clearing.as_deref()) {
            Err(ReplaceError::Changed) => return Ok(None),
            Err(ReplaceError::Target(error)) => return Err(error.into()),
            Ok(()) => {}
        }
        confirm::reload(self.engine).await.map_err(WithdrawError::StillLive)?;
        confirm::gone(self.engine, &ours).await.map_err(WithdrawError::StillLive)?;
        *now = target.read()?;
        Ok((now.bytes == clearing).then_some(Cleared::Now))
    }

    fn finish(&self, journal: &Journal, ending: &Ending) -> Result<(), WithdrawError> {
        if ending.bytes.is_none() {
            self.setup.config.remove_empty(self.disk, &journal.new_folders)?;
        }
        Ok(self.journals.remove(self.disk, &journal.writer)?)
    }
}
