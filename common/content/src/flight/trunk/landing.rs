//! How a flight ends: as a blob, without one, or with each of its readers for itself.

use std::{collections::BTreeSet, io, sync::Arc};

use super::{Verified, put_away};
use crate::{
    disk,
    error::FetchError,
    flight::{Flight, Outcome, detour::Why, writer::Writer},
    source::{Fault, SourceError},
};

impl Flight {
    pub(super) async fn land(self: &Arc<Self>, verified: Verified) {
        self.change(|state| {
            state.progress.verify();
            state.outcome = Outcome::Landed;
        });
        // Readers have all they need by now: what fails from here on costs the cache a blob, and nobody a pull.
        let Verified { partial, list } = verified;
        let (hangar, digest) = (Arc::clone(&self.hangar), self.digest);
        let commit = move || match (partial, &list) {
            (Some(partial), list) => hangar.disk.commit(partial, &digest, list.as_ref()),
            (None, Some(list)) => {
                hangar.disk.keep_pieces(&digest, list);
                Ok(None)
            }
            (None, None) => Ok(None),
        };
        let committed = tokio::task::spawn_blocking(commit).await.map_err(io::Error::other).flatten();
        match committed {
            Ok(proof) => {
                // Or nothing was written, and that says nothing.
                if let Some(proof) = proof {
                    self.hangar.disk_works(self.state().progress.passed());
                    // Readers of the flight read the blob's file: it is in use.
                    let _ = self.kept.set(proof);
                }
            }
            Err(error) => {
                self.hangar.disk_failed(&error);
                tracing::error!(digest = %self.digest, %error, "cannot keep a blob that was fetched: check the disk of the cache");
            }
        }
    }

    pub(super) fn fail(&self, error: &SourceError) {
        let digest = &self.digest;
        let SourceError { source_name, fault, detail } = error;
        let (shown, past) = self.change(|state| {
            // Under one lock: nobody is given bytes in between, and nobody who is told comes back too early.
            if state.shown || *fault == Fault::Corrupt {
                self.hangar.quarantine.shut_out(self.digest);
            }
            state.outcome = Outcome::Failed(error.clone().into());
            (state.shown, state.leave_file())
        });
        match fault {
            Fault::NotFound | Fault::Skipped if !shown => {
                tracing::debug!(%digest, source = %source_name, %detail, "not fetched");
            }
            _ => tracing::warn!(%digest, source = %source_name, fault = fault.label(), %detail, "download failed"),
        }
        match fault {
            Fault::Corrupt => {}
            Fault::NotFound | Fault::Denied | Fault::Skipped if !shown => {}
            _ => self.hangar.counters.broken.add(1),
        }
        // Removed they are already. Who asks again meanwhile must not find this flight: so nobody waits.
        drop(tokio::task::spawn_blocking(move || drop(past)));
    }

    /// The disk failed: readers go on by themselves.
    pub(super) async fn go_adrift(&self, writer: Option<Box<Writer>>, error: &io::Error) {
        self.hangar.disk_failed(error);
        let digest = &self.digest;
        if disk::is_refusal(error) {
            tracing::warn!(%digest, %error, "a blob is not cached, and each of its readers fetches it for itself");
        } else {
            tracing::error!(
                %digest, %error,
                "cannot cache a blob, so each reader fetches it for itself: check the disk of the cache",
            );
        }
        let why = if error.kind() == io::ErrorKind::StorageFull { Why::Full } else { Why::Disk };
        self.change(|state| {
            state.outcome = match &writer {
                Some(writer) => Outcome::Adrift(writer.digest_so_far(), why),
                None if state.progress.passed() == 0 => Outcome::Adrift(self.digest.algorithm().hasher(), why),
                // The writer is lost, and with it the digest of what it wrote.
                None => Outcome::Failed(FetchError::abandoned()),
            };
        });
        put_away(writer).await;
    }

    /// Counts who gave a wrong blob, and says so.
    pub(super) fn blame(&self, error: &SourceError, givers: &BTreeSet<usize>) {
        if givers.is_empty() && &*error.source_name == "cache" {
            return;
        }
        self.hangar.counters.corrupt.add(1);
        let names: Vec<&str> =
            givers.iter().filter_map(|giver| self.sources.get(*giver)).map(|one| one.name()).collect();
        // Of several it is not known who it was, until each was asked alone.
        if let [name] = names[..] {
            self.hangar.counters.wrong_bytes_from(name);
        }
        let SourceError { source_name, detail, .. } = error;
        tracing::warn!(digest = %self.digest, source = %source_name, %detail, "what came is not what the digest names");
    }
}
