//! What is known of tags, in memory over what the disk keeps.

use std::time::SystemTime;

use larder_oci::{Digest, Repository, Tag};
use moka::sync::Cache;

use crate::tree::StoredTag;

/// Most tags kept in memory. One takes about 200 bytes; what does not fit is read from its link again.
const IN_MEMORY: u64 = 50_000;

/// Where a tag pointed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TagRecord {
    /// What it pointed to.
    pub digest: Digest,
    /// When the upstream last said so.
    pub checked: SystemTime,
    /// Until when that may be repeated without asking.
    pub fresh_until: SystemTime,
}

#[derive(Debug)]
pub(crate) struct Records(Cache<(Repository, Tag), TagRecord>);

impl Records {
    pub(crate) fn new() -> Self {
        Self(Cache::new(IN_MEMORY))
    }

    /// The record in memory.
    pub(crate) fn in_memory(&self, repository: &Repository, tag: &Tag) -> Option<TagRecord> {
        self.0.get(&(repository.clone(), tag.clone()))
    }

    /// The record in memory, or the one that `stored` has. What was only on the disk is never fresh: until when it
    /// would have been is not written down.
    pub(crate) fn get(
        &self,
        repository: &Repository,
        tag: &Tag,
        stored: impl FnOnce() -> Option<StoredTag>,
    ) -> Option<TagRecord> {
        let key = (repository.clone(), tag.clone());
        self.0.get(&key).or_else(|| {
            let StoredTag { digest, checked } = stored()?;
            let record = TagRecord { digest, checked, fresh_until: checked };
            // What was said of the tag while the disk was read is newer.
            Some(self.0.entry(key).or_insert(record).into_value())
        })
    }

    pub(crate) fn set(&self, repository: &Repository, tag: &Tag, record: TagRecord) {
        self.0.insert((repository.clone(), tag.clone()), record);
    }

    pub(crate) fn remove(&self, repository: &Repository, tag: &Tag) {
        self.0.invalidate(&(repository.clone(), tag.clone()));
    }
}
