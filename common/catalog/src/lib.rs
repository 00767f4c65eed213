//! What is known of repositories: where a tag pointed and when that was checked, and which content belongs to which
//! repository.
//!
//! Content is kept once, whoever it belongs to; a link says that a repository has it. A link is what lets a cached copy
//! be given to somebody who asks for it in that repository: having the bytes is no reason of its own.

pub mod freshness;
mod links;
mod records;
mod seen;
mod tree;

pub use freshness::{Verdict, judge};
pub use records::TagRecord;
pub use tree::Kind;

use std::{io, time::Instant};

use larder_content::layout::Layout;
use larder_oci::{Digest, Registry, Repository, Tag};

/// The tags and links under one root folder.
///
/// Its methods read and write small files: call them from a thread that may wait for a disk. Those that are said to look
/// at memory alone never wait.
#[derive(Debug)]
pub struct Catalog {
    tree: tree::Tree,
    records: records::Records,
    seen: seen::Seen,
}

impl Catalog {
    /// The catalog in the folder of `layout`. What another program left there counts as content of `default`, if the
    /// folder was never opened for another registry.
    pub fn new(layout: &Layout, default: &Registry) -> Self {
        Self { tree: tree::Tree::open(layout, default), records: records::Records::new(), seen: seen::Seen::new() }
    }

    /// What is known of a tag, in memory alone. `None` says nothing of the disk.
    pub fn tag_in_memory(&self, repository: &Repository, tag: &Tag) -> Option<TagRecord> {
        self.records.in_memory(repository, tag)
    }

    /// What is known of a tag. `None` if nothing is.
    pub fn tag(&self, repository: &Repository, tag: &Tag) -> Option<TagRecord> {
        self.records.get(repository, tag, || self.tree.tag(repository, tag))
    }

    /// Notes that the upstream said, at `checked`, that `tag` is `digest`, and that this holds until `fresh_until`.
    pub fn set_tag(&self, repository: &Repository, tag: &Tag, record: TagRecord) -> io::Result<()> {
        self.records.set(repository, tag, record);
        links::set_tag(&self.tree, repository, tag, &record)
    }

    /// Lets `record` be repeated until its `fresh_until`, although nobody confirmed it: in memory only.
    pub fn repeat_tag(&self, repository: &Repository, tag: &Tag, record: TagRecord) {
        self.records.set(repository, tag, record);
    }

    /// Forgets what is in memory of a tag, and there alone; what is written down stays.
    pub fn forget_tag(&self, repository: &Repository, tag: &Tag) {
        self.records.remove(repository, tag);
    }

    /// Notes that the upstream said that there is no such tag.
    pub fn remove_tag(&self, repository: &Repository, tag: &Tag) -> io::Result<()> {
        self.records.remove(repository, tag);
        links::remove_tag(&self.tree, repository, tag)
    }

    /// Notes that `repository` has `digest`, and that it is `size` bytes long where a manifest said so.
    pub fn link(&self, repository: &Repository, kind: Kind, digest: &Digest, size: Option<u64>) -> io::Result<()> {
        let size = links::link(&self.tree, repository, kind, digest, size)?;
        self.seen.put(repository, kind, digest, Instant::now(), size);
        Ok(())
    }

    /// Notes in memory, and there alone, that `repository` was just found to have `digest`.
    pub fn believe(&self, repository: &Repository, kind: Kind, digest: &Digest, size: Option<u64>) {
        self.seen.put(repository, kind, digest, Instant::now(), size);
    }

    /// What [`linked`](Self::linked) says, as far as memory alone tells. `None` says nothing of the disk.
    pub fn linked_in_memory(&self, repository: &Repository, kind: Kind, digest: &Digest) -> Option<Option<u64>> {
        self.seen.in_memory(repository, kind, digest, Instant::now())
    }

    /// Whether `repository` is known to have `digest`; and if it is, its length in bytes where that is known. A link
    /// that somebody takes off the disk by hand counts for some seconds more.
    pub fn linked(&self, repository: &Repository, kind: Kind, digest: &Digest) -> Option<Option<u64>> {
        self.seen.get(repository, kind, digest, Instant::now(), || self.tree.link(repository, kind, digest))
    }
}

#[cfg(test)]
mod tests;
