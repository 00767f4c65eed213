//! Digests that are not asked for again for a while.
//!
//! When a download goes wrong after bytes have left, an engine keeps the bad prefix and resumes after it (containerd's
//! store). The one cure is that it goes elsewhere: for some minutes the digest is not to be had here.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use larder_oci::Digest;
use tokio::time::Instant;

/// The digests that are shut out, and until when.
#[derive(Debug)]
pub(crate) struct Quarantine {
    /// `None`: nothing is ever shut out.
    time: Option<Duration>,
    until: Mutex<HashMap<Digest, Instant>>,
}

impl Quarantine {
    pub(crate) fn new(time: Option<Duration>) -> Self {
        Self { time, until: Mutex::default() }
    }

    /// Whether anything is ever shut out.
    pub(crate) fn shuts_out(&self) -> bool {
        self.time.is_some()
    }

    /// Shuts `digest` out from now on.
    pub(crate) fn shut_out(&self, digest: Digest) {
        let Some(time) = self.time else { return };
        let now = Instant::now();
        let mut until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        until.retain(|_, until| *until > now);
        until.insert(digest, now + time);
    }

    /// Whether `digest` is shut out now.
    pub(crate) fn holds(&self, digest: &Digest) -> bool {
        let until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        until.get(digest).is_some_and(|until| *until > Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn for_its_time_and_no_longer() {
        let minute = Duration::from_secs(60);
        let quarantine = Quarantine::new(Some(10 * minute));
        let (bad, good) = (Digest::sha256(b"bad"), Digest::sha256(b"good"));
        quarantine.shut_out(bad);
        assert!(quarantine.holds(&bad) && !quarantine.holds(&good));
        tokio::time::advance(9 * minute).await;
        assert!(quarantine.holds(&bad));
        tokio::time::advance(minute).await;
        assert!(!quarantine.holds(&bad));
        let none = Quarantine::new(None);
        none.shut_out(bad);
        assert!(!none.holds(&bad));
    }
}
