//! The downloads under way: one per digest, whoever asks.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use larder_oci::Digest;

use crate::{
    disk::Stored,
    feed::Sources,
    flight::{Ask, Flight, Hangar},
};

/// The downloads under way.
#[derive(Debug, Clone)]
pub(super) struct Flights {
    hangar: Arc<Hangar>,
    listed: Listed,
}

type Listed = Arc<Mutex<HashMap<Digest, Arc<Flight>>>>;

/// How a request comes to a flight.
pub(super) enum Join {
    /// There is none any more: the blob is here.
    Landed(Stored),
    /// Somebody else's.
    Joined(Arc<Flight>),
    /// Its own.
    Started(Arc<Flight>),
}

// === impl Flights ===

impl Flights {
    pub(super) fn new(hangar: Arc<Hangar>) -> Self {
        Self { hangar, listed: Arc::default() }
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.listed().len()
    }

    /// The flight of what is asked for, started if there is none or if it is the one that `failed`; or the blob, if one
    /// landed in between.
    pub(super) async fn join_or_start(&self, ask: Ask<'_>, sources: &Sources, failed: Option<&Arc<Flight>>) -> Join {
        let mut was_opened = false;
        let flight = loop {
            {
                let mut listed = self.listed();
                let running =
                    listed.get(ask.digest).filter(|running| failed.is_none_or(|failed| !Arc::ptr_eq(running, failed)));
                if let Some(running) = running {
                    self.hangar.counters.joined.add(1);
                    running.awaited_by(&ask);
                    return Join::Joined(Arc::clone(running));
                }
                if was_opened || self.hangar.disk.size(ask.digest).is_none() {
                    let flight = Flight::new(ask, Arc::clone(sources), None, Arc::clone(&self.hangar));
                    listed.insert(*ask.digest, Arc::clone(&flight));
                    break flight;
                }
            }
            // Not under the lock: a slow disk must not keep others from their flights.
            if let Some(stored) = self.hangar.stored(ask.digest).await {
                return Join::Landed(stored);
            }
            was_opened = true;
        };
        self.launch(ask.digest, &flight);
        Join::Started(flight)
    }

    /// The flight of a blob that lies on the disk and of which nothing is known; one that runs already, or one that reads
    /// it.
    pub(super) fn inspect(&self, digest: &Digest, stored: Stored, sources: &Sources) -> Arc<Flight> {
        let flight = {
            let mut listed = self.listed();
            if let Some(running) = listed.get(digest) {
                return Arc::clone(running);
            }
            let ask = Ask { digest, size: Some(stored.size), awaited: false, afresh: false };
            let flight = Flight::new(ask, Arc::clone(sources), Some(stored), Arc::clone(&self.hangar));
            listed.insert(*digest, Arc::clone(&flight));
            flight
        };
        self.launch(digest, &flight);
        flight
    }

    /// Not under the lock: a runtime that is going down drops the task at once, and that takes the lock.
    fn launch(&self, digest: &Digest, flight: &Arc<Flight>) {
        let landing = Landing { listed: Arc::clone(&self.listed), digest: *digest, flight: Arc::clone(flight) };
        self.hangar.runtime.spawn(async move {
            landing.flight.fly().await;
            drop(landing);
        });
    }

    fn listed(&self) -> MutexGuard<'_, HashMap<Digest, Arc<Flight>>> {
        self.listed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes a flight off the list when it ends, however it ends.
struct Landing {
    listed: Listed,
    digest: Digest,
    flight: Arc<Flight>,
}

impl Drop for Landing {
    fn drop(&mut self) {
        self.flight.abandon();
        let mut listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
        // Another flight may have taken its place.
        if listed.get(&self.digest).is_some_and(|listed| Arc::ptr_eq(listed, &self.flight)) {
            listed.remove(&self.digest);
        }
    }
}
