//! Files of blobs that are kept open: for a blob of some 100 KB, opening its file costs as much as sending it. Longer ones
//! are opened by each reader, so that the kernel reads ahead for each.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use larder_oci::Digest;
use rustix::process::{Resource, getrlimit};

use crate::file::ContentFile;

/// Longest blob whose file is kept open, in bytes.
pub(crate) const LONGEST: u64 = 1 << 20;
/// Most files kept open,
const MOST: usize = 256;
/// and which part of the descriptors that the process may have they take at most.
const PART: u64 = 8;

/// The oldest goes when there is one too many.
#[derive(Debug)]
pub(crate) struct OpenFiles {
    most: usize,
    files: HashMap<Digest, Arc<ContentFile>>,
    /// May hold digests whose file was closed since.
    order: VecDeque<Digest>,
}

impl Default for OpenFiles {
    fn default() -> Self {
        let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX) / PART;
        let most = usize::try_from(limit).unwrap_or(MOST).min(MOST);
        Self { most, files: HashMap::new(), order: VecDeque::new() }
    }
}

impl OpenFiles {
    pub(crate) fn get(&self, digest: &Digest) -> Option<Arc<ContentFile>> {
        self.files.get(digest).map(Arc::clone)
    }

    pub(crate) fn put(&mut self, digest: Digest, file: Arc<ContentFile>) {
        self.files.insert(digest, file);
        self.order.push_back(digest);
        if self.order.len() > self.most
            && let Some(oldest) = self.order.pop_front()
        {
            self.files.remove(&oldest);
        }
    }

    /// Closes the file of `digest`, as soon as nobody reads it.
    pub(crate) fn close(&mut self, digest: &Digest) {
        self.files.remove(digest);
    }

    pub(crate) fn close_all(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn are_never_more_than_so_many() {
        let mut open = OpenFiles { most: MOST, ..OpenFiles::default() };
        let file = || Arc::new(ContentFile::from(tempfile::tempfile().unwrap()));
        let digests: Vec<Digest> = (0..=MOST).map(|n| Digest::sha256(&n.to_ne_bytes())).collect();
        for digest in &digests {
            open.put(*digest, file());
        }
        assert!(open.get(&digests[0]).is_none() && open.get(&digests[1]).is_some() && open.files.len() == MOST);
        open.close(&digests[1]);
        assert!(open.get(&digests[1]).is_none());
        open.close_all();
        assert!(open.get(&digests[MOST]).is_none());
    }
}
