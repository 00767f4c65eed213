//! Takes our entry out of the file and out of the running engine: the one way back, for an undo, for a restore and after
//! a crash. It can be interrupted at any step and begun again.

use std::fmt;

use super::{
    confirm::{self, Unconfirmed},
    daemon_json::Refusal,
    ending::{Ending, FileLeft, clearing, ending, rebase},
    engine::Engine,
    journal::{Journal, JournalError, Phase},
    operation::{ATTEMPTS, Operation},
    target::{ReplaceError, TargetError, remove_empty_folder},
};

/// How things are after a withdrawal.
#[derive(Debug)]
pub(crate) struct Withdrawn {
    /// The file.
    pub(crate) file: FileLeft,
    /// The engine.
    pub(crate) engine: EngineLeft,
}

/// What is known of the engine after a withdrawal.
#[derive(Debug)]
pub(crate) enum EngineLeft {
    /// It does not use our mirror.
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
    #[error("somebody else changed daemon.json {ATTEMPTS} times meanwhile: find out who, then run this again")]
    Contended,
}

impl fmt::Display for Withdrawn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = match self.file {
            FileLeft::AsBefore => "daemon.json is as it was before Larder",
            FileLeft::OnlyOursTakenOut => "our entry was taken out of daemon.json, and nothing else",
        };
        write!(f, "{file}; {}", self.engine)
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
        Err(WithdrawError::Contended)
    }

    /// `in_doubt`: a signal is perhaps on its way, so that what the engine shows may be about to change.
    async fn try_withdraw(&self, journal: &mut Journal, in_doubt: bool) -> Result<Attempt, WithdrawError> {
        let target = self.setup.config.locate()?;
        let mut now = target.read()?;
        let ending = ending(now.bytes.as_deref(), &target.host, journal)?;
        let mut signalled = false;

        let engine = match confirm::mirrors(self.engine).await {
            Err(error) => EngineLeft::NotAsked(error),
            Ok(live) if confirm::any_of(&journal.ours(), &live) => {
                let clearing = clearing(&ending)?;
                if journal.file != target.host || !journal.wrote(now.bytes.as_deref()) {
                    rebase(journal, &target.host, &ending)?;
                }
                journal.will_write(clearing.as_deref());
                self.save(journal)?;
                match self.put(&target, &now, clearing.as_deref()) {
                    Err(ReplaceError::Changed) => return Ok(Attempt::Overtaken),
                    Err(ReplaceError::Target(error)) => return Err(error.into()),
                    Ok(()) => {}
                }
                confirm::reload(self.engine).await.map_err(WithdrawError::StillLive)?;
                confirm::gone(self.engine, &journal.ours()).await.map_err(WithdrawError::StillLive)?;
                signalled = true;
                now = target.read()?;
                if now.bytes != clearing {
                    return Ok(Attempt::Overtaken);
                }
                EngineLeft::Clean
            }
            Ok(_) => EngineLeft::Clean,
        };

        match self.put(&target, &now, ending.bytes.as_deref()) {
            Err(ReplaceError::Changed) => return Ok(Attempt::Overtaken),
            Err(ReplaceError::Target(error)) => return Err(error.into()),
            Ok(()) => {}
        }
        if in_doubt && !signalled && matches!(engine, EngineLeft::Clean) {
            // It has not taken our mirror; a signal after this one cannot find it in the file any more.
            if let Err(error) = confirm::reload(self.engine).await {
                tracing::warn!(%error, "the engine was left to find the restored daemon.json by itself");
            }
        }
        self.finish(journal, &ending)?;
        tracing::info!(file = %target.host.display(), left = ?ending.file, "our mirror is out of the engine's configuration");
        Ok(Attempt::Done(Withdrawn { file: ending.file, engine }))
    }

    fn finish(&self, journal: &Journal, ending: &Ending) -> Result<(), WithdrawError> {
        if let (None, Some(folder)) = (&ending.bytes, &journal.new_folder) {
            remove_empty_folder(self.disk, folder)?;
        }
        Ok(self.journal.remove(self.disk)?)
    }
}
