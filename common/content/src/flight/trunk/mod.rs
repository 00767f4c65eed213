//! The trunk of a flight: from the first byte to the last, through whatever breaks on the way.

mod attempt;
mod fetching;
mod landing;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeSet,
    fs::File,
    io,
    sync::{Arc, Mutex},
};

use tokio::time::Instant;

use super::{
    Flight, Outcome, State,
    corruption::Corruption,
    progress::Progress,
    writer::{Stuck, Writer},
};
use crate::{
    disk::Stored,
    error::FetchError,
    feed::Sources,
    file::ContentFile,
    partial::Partial,
    pieces::List,
    source::{Fault, SourceError},
};

/// Most bytes that are hashed in one go: readers follow.
const STRIDE: u64 = 4 << 20;

/// Why a try ended without a blob.
enum Failure {
    /// The sources.
    Source(SourceError),
    /// The disk.
    Disk(Option<Box<Writer>>, io::Error),
    /// What came is not what the digest names.
    Wrong { error: SourceError, givers: BTreeSet<usize>, mixed: bool },
}

/// The files of a try that is over: they may be the last to hold them.
type Past = (Option<Arc<ContentFile>>, Option<Arc<Mutex<File>>>);

/// A verified blob that has not got its name yet.
struct Verified {
    partial: Option<Partial>,
    list: Option<List>,
}

impl Flight {
    /// Downloads, and makes the result a blob. Returns when it is one, or when it never will be.
    pub(crate) async fn fly(self: &Arc<Self>) {
        let deadline = self.hangar.download_time.map(|limit| Instant::now() + limit);
        match self.tries(deadline).await {
            Ok(verified) => self.land(verified).await,
            Err(Failure::Source(error) | Failure::Wrong { error, .. }) => self.fail(&error),
            Err(Failure::Disk(writer, error)) => self.go_adrift(writer, &error).await,
        }
    }

    /// Gives up, if nothing else came of it: the process is going down.
    pub(crate) fn abandon(&self) {
        self.change(|state| {
            if matches!(state.outcome, Outcome::Flying) {
                state.outcome = Outcome::Failed(FetchError::abandoned());
            }
        });
    }

    async fn tries(self: &Arc<Self>, deadline: Option<Instant>) -> Result<Verified, Failure> {
        let mut corruption = Corruption::new(self.sources.len());
        let mut outcome = match &self.suspect {
            Some(_) => self.inspect().await,
            None => self.attempt(Arc::clone(&self.sources), deadline).await,
        };
        loop {
            let Err(Failure::Wrong { error, givers, mixed }) = outcome else { return outcome };
            self.blame(&error, &givers);
            let Some(next) = corruption.next(&givers, mixed) else {
                return Err(Failure::Wrong { error, givers, mixed });
            };
            let sources: Sources = next.iter().map(|source| Arc::clone(&self.sources[*source])).collect();
            let Some((number, past)) = self.begin_anew(&sources, &error) else {
                return Err(Failure::Wrong { error, givers, mixed });
            };
            put_away(past).await;
            let flight = Arc::clone(self);
            blocking(move || flight.let_legs_write(number)).await?;
            outcome = self.attempt(sources, deadline).await.map_err(|failure| match failure {
                Failure::Wrong { error, givers, mixed } => {
                    let givers = givers.iter().map(|giver| next[*giver]).collect();
                    Failure::Wrong { error, givers, mixed }
                }
                other => other,
            });
        }
    }

    /// Forgets what came and was wrong, for a try with other `sources`: gives its number, and what is left of the one
    /// before. `None` if somebody has had bytes, and is to be kept away: an engine keeps the part that was wrong, and what
    /// is right now would only follow it.
    fn begin_anew(&self, sources: &Sources, error: &SourceError) -> Option<(u32, Past)> {
        let keeps_away = self.hangar.quarantine.shuts_out();
        // Under one lock: who is given bytes is either seen here, or is given those of the new try.
        self.change(|state| {
            if state.shown && keeps_away {
                return None;
            }
            state.progress = Progress::new(self.size, self.hangar.disk.geometry());
            state.so_far = self.digest.algorithm().hasher();
            state.sources = Arc::clone(sources);
            state.leg_givers.clear();
            (state.shown, state.legs_fly, state.legs_failed) = (false, true, 0);
            state.try_number += 1;
            state.wrong = Some(error.clone().into());
            Some((state.try_number, state.leave_file()))
        })
    }

    /// Hashes a blob that lies on the disk and of which nothing is known.
    async fn inspect(self: &Arc<Self>) -> Result<Verified, Failure> {
        let Some(stored) = &self.suspect else { return Err(Failure::Source(nothing_known())) };
        self.change(|state| {
            state.file = Some(Arc::clone(&stored.file));
            state.progress.total = Some(stored.size);
        });
        let mut writer =
            Box::new(Writer::reading(&self.digest, Some(stored.size), Arc::clone(&stored.file), &self.hangar));
        let wrong = |detail: String| Failure::Wrong {
            error: SourceError::new("cache", Fault::Corrupt, detail),
            givers: BTreeSet::new(),
            mixed: true,
        };
        while writer.at < stored.size {
            let end = (writer.at + STRIDE).min(stored.size);
            writer = match blocking(move || writer.absorb(end)).await? {
                Ok(writer) => writer,
                Err(Stuck { error, .. }) => {
                    self.hangar.disk_failed(&error);
                    self.is_damaged(stored).await;
                    return Err(wrong(format!("cannot read the cached {}: {error}", self.digest)));
                }
            };
            self.change(|state| state.pass(&writer));
        }
        let (digest, list, _) = writer.finish();
        if digest == self.digest {
            stored.proof.proven();
            return Ok(Verified { partial: None, list });
        }
        self.is_damaged(stored).await;
        Err(wrong(format!("the cached {} is {digest}", self.digest)))
    }

    /// The blob that lies on the disk is not what it should be, or cannot be read: nobody is given it again.
    async fn is_damaged(&self, stored: &Stored) {
        self.hangar.counters.damaged.add(1);
        tracing::error!(digest = %self.digest, "a cached blob is damaged: fetching it again");
        let (hangar, digest, proof) = (Arc::clone(&self.hangar), self.digest, Arc::clone(&stored.proof));
        let _ = tokio::task::spawn_blocking(move || hangar.disk.damaged(&digest, &proof)).await;
    }
}

impl State {
    /// Lets go of the files of a try that is over.
    fn leave_file(&mut self) -> Past {
        (self.file.take(), self.journal.take())
    }
}

fn nothing_known() -> SourceError {
    SourceError::new("cache", Fault::Skipped, "the download was given up")
}

/// Drops what has files, on a thread that may wait: to remove them, or to close them for the last time, may take as long
/// as the disk likes. When this returns, that is done.
async fn put_away<T: Send + 'static>(files: T) {
    let _ = tokio::task::spawn_blocking(move || drop(files)).await;
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Failure::Disk(None, io::Error::other(error)))
}
