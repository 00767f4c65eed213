//! Which links were seen, in memory over those on the disk.
//!
//! Only that something is linked is kept, never that it is not: a link that somebody else writes counts at once. Larder
//! takes none away; one that a person removes counts for [`TRUSTED`] more, after which its file is read again.

use std::time::{Duration, Instant};

use larder_oci::{Digest, Repository};
use moka::sync::Cache;

use crate::tree::Kind;

/// Most links kept in memory. One takes about 550 bytes; what does not fit is read from its file again.
const IN_MEMORY: u64 = 4_000;

/// For how long a link is believed without a look at its file. A second would save nearly as many reads.
const TRUSTED: Duration = Duration::from_secs(5);

/// What a link says beside that it is there: the length in bytes, where that is known.
type Size = Option<u64>;

#[derive(Debug)]
pub(crate) struct Seen(Cache<(Repository, Kind, Digest), (Size, Instant)>);

impl Seen {
    pub(crate) fn new() -> Self {
        Self(Cache::new(IN_MEMORY))
    }

    /// The link as it was seen shortly before `now`.
    pub(crate) fn in_memory(&self, repository: &Repository, kind: Kind, digest: &Digest, now: Instant) -> Option<Size> {
        believed(self.0.get(&(repository.clone(), kind, *digest)), now)
    }

    /// The same, or else the link as `read` finds it.
    pub(crate) fn get(
        &self,
        repository: &Repository,
        kind: Kind,
        digest: &Digest,
        now: Instant,
        read: impl FnOnce() -> Option<Size>,
    ) -> Option<Size> {
        let key = (repository.clone(), kind, *digest);
        let seen = self.0.get(&key);
        if let Some(size) = believed(seen, now) {
            return Some(size);
        }
        let found = read();
        match found {
            Some(size) => self.0.insert(key, (size, now)),
            None if seen.is_some() => self.0.invalidate(&key),
            None => {}
        }
        found
    }

    /// Notes a link that was just written.
    pub(crate) fn put(&self, repository: &Repository, kind: Kind, digest: &Digest, now: Instant, size: Size) {
        self.0.insert((repository.clone(), kind, *digest), (size, now));
    }
}

fn believed(seen: Option<(Size, Instant)>, now: Instant) -> Option<Size> {
    seen.filter(|(_, at)| now.duration_since(*at) < TRUSTED).map(|(size, _)| size)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// What is asked and when, in seconds; what the disk would say; what is answered, and whether the disk was asked.
    #[test]
    fn a_link_is_believed_for_a_while_and_its_absence_never() {
        let repository = Repository { registry: "docker.io".parse().unwrap(), name: "library/alpine".parse().unwrap() };
        let (digest, start, seen) = (Digest::sha256(b"layer"), Instant::now(), Seen::new());
        for (at, on_disk, expected, asked) in [
            (0, None, None, true),
            (0, None, None, true),
            (0, Some(None), Some(None), true),
            (4, Some(Some(7)), Some(None), false),
            (4, None, Some(None), false),
            (5, Some(Some(7)), Some(Some(7)), true),
            (9, None, Some(Some(7)), false),
            (10, None, None, true),
            (10, Some(Some(7)), Some(Some(7)), true),
        ] {
            let was_asked = Cell::new(false);
            let read = || {
                was_asked.set(true);
                on_disk
            };
            let at = start + Duration::from_secs(at);
            let in_memory = seen.in_memory(&repository, Kind::Blob, &digest, at);
            let answer = seen.get(&repository, Kind::Blob, &digest, at, read);
            assert_eq!((answer, was_asked.get()), (expected, asked), "{:?} later", at - start);
            assert_eq!(in_memory, answer.filter(|_| !asked), "memory knows what the disk is not asked for");
        }
        let nothing = || None;
        assert_eq!(seen.get(&repository, Kind::Manifest, &digest, start, nothing), None, "a link is of one kind");
        seen.put(&repository, Kind::Blob, &digest, start, Some(8));
        assert_eq!(seen.get(&repository, Kind::Blob, &digest, start, nothing), Some(Some(8)));
    }
}
