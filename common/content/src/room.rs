//! How much the cache may take, and what must go before it takes more. The rule is pure; the guard is a number.

use std::sync::{Arc, Mutex, PoisonError};

use crate::{books::Books, file::ContentFile};

/// How much of a disk the cache may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Capacity {
    /// Most bytes of what Larder fetched itself, downloads in progress included. `None`: as many as there is room for.
    pub bytes: Option<u64>,
    /// Bytes that stay free on the file system, whoever takes the others.
    pub free_floor: u64,
}

/// What is taken at the moment, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Taken {
    /// By blobs that Larder fetched itself, and so may remove.
    pub(crate) blobs: u64,
    /// By downloads in progress.
    pub(crate) reserved: u64,
    /// By what broken downloads left.
    pub(crate) left: u64,
    /// Free on the file system; `None` where it does not say.
    pub(crate) free: Option<u64>,
}

impl Capacity {
    /// How many bytes must go before `more` may be taken, if any, and what is too small without; or, if that is more than
    /// can go, what is too small in any case.
    pub(crate) fn excess(&self, taken: Taken, more: u64) -> Result<Option<(u64, Short)>, Short> {
        let Taken { blobs, reserved, left, free } = taken;
        let ours = blobs.saturating_add(reserved).saturating_add(left);
        let over = self.bytes.map_or(0, |bytes| ours.saturating_add(more).saturating_sub(bytes));
        let short = free.map_or(0, |free| more.saturating_add(self.free_floor).saturating_sub(free));
        let may_go = blobs.saturating_add(left);
        match (over <= may_go, short <= may_go) {
            (true, true) if over >= short => Ok((over > 0).then_some((over, Short::Bound))),
            (true, true) => Ok(Some((short, Short::Disk))),
            (false, _) => Err(Short::Bound),
            (true, false) => Err(Short::Disk),
        }
    }
}

/// What has no room for more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Short {
    /// The cache's own bound.
    Bound,
    /// The disk, which others fill.
    Disk,
}

/// Room that a download has taken. Dropped, it is given back.
#[derive(Debug)]
pub(crate) struct Room {
    books: Arc<Mutex<Books>>,
    bytes: u64,
    /// Of these, what is not taken on the disk yet.
    promised: u64,
    #[cfg(test)]
    faults: Option<Arc<crate::faults::Faults>>,
}

impl Room {
    /// Notes `bytes` as taken.
    pub(crate) fn of(books: &Arc<Mutex<Books>>, bytes: u64) -> Self {
        books.lock().unwrap_or_else(PoisonError::into_inner).reserve(bytes);
        Self {
            books: Arc::clone(books),
            bytes,
            promised: bytes,
            #[cfg(test)]
            faults: None,
        }
    }

    /// Takes over another.
    pub(crate) fn extend(&mut self, mut more: Self) {
        self.bytes += std::mem::take(&mut more.bytes);
        self.promised += std::mem::take(&mut more.promised);
    }

    /// So many bytes of it are taken on the disk by now: others find them taken there.
    pub(crate) fn is_on_disk(&mut self, bytes: u64) {
        let promised = self.bytes.saturating_sub(bytes);
        if promised < self.promised {
            self.lock().take(self.promised - promised);
            self.promised = promised;
        }
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Gives the room back, in `books`, which are its own.
    pub(crate) fn give_back(&mut self, books: &mut Books) {
        books.release(std::mem::take(&mut self.bytes), std::mem::take(&mut self.promised));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(crate) fn with_faults(mut self, faults: Option<Arc<crate::faults::Faults>>) -> Self {
        self.faults = faults;
        self
    }

    #[cfg_attr(not(test), expect(clippy::unused_self, reason = "tests have the file fail as the disk does"))]
    pub(crate) fn disk_file(&self, file: ContentFile) -> ContentFile {
        #[cfg(test)]
        let file = file.with_faults(self.faults.clone());
        file
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.lock().release(self.bytes, self.promised);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_must_go_before_more_may_come() {
        let taken = Taken { blobs: 500, reserved: 200, left: 50, free: Some(1000) };
        for (bytes, free_floor, more, excess) in [
            (None, 0, 1000, Ok(None)),
            (None, 0, 1001, Ok(Some((1, Short::Disk)))),
            (None, 100, 1000, Ok(Some((100, Short::Disk)))),
            (Some(1000), 0, 250, Ok(None)),
            (Some(1000), 0, 251, Ok(Some((1, Short::Bound)))),
            (Some(1000), 900, 251, Ok(Some((151, Short::Disk)))),
            (Some(1000), 0, 800, Ok(Some((550, Short::Bound)))),
            // More than the cache may ever take: nothing goes for it.
            (Some(1000), 0, 801, Err(Short::Bound)),
            (Some(1000), 0, u64::MAX, Err(Short::Bound)),
            (None, 2000, 0, Err(Short::Disk)),
            (Some(1000), 2000, 801, Err(Short::Bound)),
        ] {
            let found = Capacity { bytes, free_floor }.excess(taken, more);
            assert_eq!(found, excess, "{bytes:?} {free_floor} {more}");
        }
        let silent = Taken { free: None, ..taken };
        assert_eq!(Capacity { bytes: None, free_floor: 5 }.excess(silent, 1 << 40), Ok(None));
    }
}
