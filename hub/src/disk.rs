//! The hub's disk: how much of it may be taken, and how it is told of.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use larder_content::{Disk, FileSystem, share::About};
use larder_service::{Health, health::Condition};

use crate::config::Storage;

/// Takes the folder, and as much of its disk as it is given.
pub(crate) fn open(storage: &Storage) -> anyhow::Result<Disk> {
    let Storage { root, bounds } = storage;
    let about = || format!("cannot keep content in {}", root.display());
    let disk = FileSystem::of(root).with_context(about)?;
    let capacity = bounds.on(disk).with_context(about)?;
    for concern in disk.concerns(capacity) {
        tracing::warn!("larder.cachesize, larder.freefloor: {concern}");
    }
    let opened = Disk::open(root, capacity)?;
    tracing::info!(
        root = %root.display(),
        disk = %About(disk.size),
        free = %About(disk.free),
        cachesize = capacity.bytes.map_or_else(|| "unbounded".to_owned(), |bytes| About(bytes).to_string()),
        freefloor = %About(capacity.free_floor),
        "the cache's disk",
    );
    Ok(opened)
}

/// Who looks at the disk.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Look {
    /// Whoever writes what is fetched.
    Use,
    /// The health check `storagedriver`.
    Check,
}

/// The condition `storage`: met while nobody who looks at the disk finds a fault.
#[derive(Debug, Clone)]
pub(crate) struct StorageCondition {
    condition: Condition,
    /// What is wrong, by [`Look`].
    faults: Arc<Mutex<[Option<String>; 2]>>,
}

// === impl StorageCondition ===

impl StorageCondition {
    /// Not met until everybody has looked: the check too, if it `is_checked`.
    pub(crate) fn new(health: &Health, is_checked: bool) -> Self {
        const NOT_YET: &str = "not tried yet";
        let condition = health.condition("storage", NOT_YET);
        let faults = [Some(NOT_YET.to_owned()), is_checked.then(|| NOT_YET.to_owned())];
        Self { condition, faults: Arc::new(Mutex::new(faults)) }
    }

    /// Takes down what somebody found.
    pub(crate) fn say(&self, who: Look, found: Result<(), String>) {
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        faults[who as usize] = found.err();
        match faults.iter().flatten().next() {
            None => self.condition.met(),
            Some(why) => self.condition.failed(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn storage_is_well_while_nobody_finds_a_fault() {
        let health = Health::default();
        let unchecked = StorageCondition::new(&health, false);
        assert!(!health.is_ready());
        unchecked.say(Look::Use, Ok(()));
        assert!(health.is_ready());

        let storage = StorageCondition::new(&health, true);
        storage.say(Look::Use, Ok(()));
        assert!(!health.is_ready(), "the check has not looked");
        storage.say(Look::Check, Ok(()));
        assert!(health.is_ready());
        storage.say(Look::Use, Err("cannot be written".to_owned()));
        storage.say(Look::Check, Ok(()));
        assert_eq!(health.failures()["storage"], "cannot be written");
        storage.say(Look::Check, Err("cannot be read".to_owned()));
        storage.say(Look::Use, Ok(()));
        assert_eq!(health.failures()["storage"], "cannot be read");
        storage.say(Look::Check, Ok(()));
        assert!(health.is_ready());
    }
}
