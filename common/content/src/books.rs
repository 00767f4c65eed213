//! What is on the disk, as far as is known without looking: every blob with its length, when it was last used, and whose
//! it is; what downloads have taken; and in which order blobs go when room is needed. In memory, no I/O.

use std::{collections::HashMap, sync::Arc};

use larder_oci::Digest;

use crate::{
    eviction::{Eviction, Rank, Victim},
    file::ContentFile,
    index::{Facts, Record},
    open_files::OpenFiles,
    proof::Proof,
    room::Taken,
};

/// The first half of a hash: enough to tell blobs apart, and to find nobody's blob by another's digest, as the whole
/// digest is compared after.
type Key = [u8; 16];

/// See the module.
#[derive(Debug)]
pub(crate) struct Books {
    blobs: HashMap<Key, Entry>,
    /// Of what Larder fetched itself, and may remove.
    order: Eviction<Key>,
    /// Bytes of blobs that somebody else put there.
    owned: u64,
    reserved: u64,
    /// What broken downloads left, in bytes by digest.
    left: HashMap<Digest, u64>,
    /// What is not written down yet.
    changed: Vec<Digest>,
    open: OpenFiles,
}

#[derive(Debug)]
struct Entry {
    digest: Digest,
    facts: Facts,
    /// Made when it is first opened. Whoever reads the blob holds it as well.
    proof: Option<Arc<Proof>>,
    /// Whether it is among `changed`.
    changed: bool,
    /// It was found to be wrong, and is not ours to remove.
    damaged: bool,
}

fn key(digest: &Digest) -> Key {
    *digest.bytes().first_chunk().expect("no hash is shorter than 32 bytes")
}

impl Books {
    /// Empty books.
    pub(crate) fn new() -> Self {
        Self {
            blobs: HashMap::new(),
            order: Eviction::new(),
            owned: 0,
            reserved: 0,
            left: HashMap::new(),
            changed: Vec::new(),
            open: OpenFiles::default(),
        }
    }

    /// Books as they were written down.
    pub(crate) fn restore(records: impl Iterator<Item = Record>) -> Self {
        let mut books = Self::new();
        for record in records {
            match record {
                Record::Blob(digest, facts) => {
                    let entry = Entry { digest, facts, proof: None, changed: false, damaged: false };
                    books.blobs.insert(key(&digest), entry);
                }
                Record::Gone(digest) => drop(books.blobs.remove(&key(&digest))),
            }
        }
        books.owned = books.blobs.values().filter(|entry| entry.is_owned()).map(|entry| entry.facts.size).sum();
        let mirrored = books.blobs.iter().filter(|(_, entry)| !entry.is_owned());
        let mut mirrored: Vec<(u32, Key, u64, u8)> =
            mirrored.map(|(key, Entry { facts, .. })| (facts.used, *key, facts.size, facts.rank)).collect();
        mirrored.sort_unstable();
        for (used, key, size, rank) in mirrored {
            books.order.restore(key, size, Rank::from(rank), used);
        }
        books
    }

    /// The length of a blob, if it is known to be there and to be right.
    pub(crate) fn size(&self, digest: &Digest) -> Option<u64> {
        self.entry(digest).filter(|entry| !entry.damaged).map(|entry| entry.facts.size)
    }

    /// Whether a blob is known to be there.
    pub(crate) fn knows(&self, digest: &Digest) -> bool {
        self.entry(digest).is_some()
    }

    /// Whether a blob is there and was found to be wrong.
    pub(crate) fn is_damaged(&self, digest: &Digest) -> bool {
        self.entry(digest).is_some_and(|entry| entry.damaged)
    }

    /// A blob is asked for at `now`: its length, and what is known of its bytes.
    pub(crate) fn use_blob(&mut self, digest: &Digest, now: u32) -> Option<(u64, Arc<Proof>)> {
        let key = key(digest);
        let entry = self.blobs.get_mut(&key).filter(|entry| entry.digest == *digest)?;
        self.order.touch(&key, now);
        if entry.facts.used != now {
            entry.facts.used = now;
            if !std::mem::replace(&mut entry.changed, true) {
                self.changed.push(*digest);
            }
        }
        Some((entry.facts.size, Arc::clone(entry.proof.get_or_insert_default())))
    }

    /// A blob was found. To be called in the order of their last use.
    pub(crate) fn find(&mut self, digest: Digest, facts: Facts) {
        let entry = Entry { digest, facts, proof: None, changed: true, damaged: false };
        if entry.is_owned() {
            self.owned += facts.size;
        } else {
            self.order.restore(key(&digest), facts.size, Rank::from(facts.rank), facts.used);
        }
        self.blobs.insert(key(&digest), entry);
        self.changed.push(digest);
    }

    /// A blob is there.
    pub(crate) fn add(&mut self, digest: Digest, facts: Facts, proof: Proof) {
        self.remove(&digest);
        let entry = Entry { digest, facts, proof: Some(Arc::new(proof)), changed: true, damaged: false };
        if entry.is_owned() {
            self.owned += facts.size;
        } else {
            self.order.insert(key(&digest), facts.size, facts.used);
        }
        self.blobs.insert(key(&digest), entry);
        self.changed.push(digest);
    }

    /// A blob is gone.
    pub(crate) fn remove(&mut self, digest: &Digest) -> Option<Facts> {
        self.entry(digest)?;
        let key = key(digest);
        let entry = self.blobs.remove(&key)?;
        self.order.remove(&key);
        self.open.close(digest);
        if entry.is_owned() {
            self.owned -= entry.facts.size;
        }
        if !entry.changed {
            self.changed.push(*digest);
        }
        Some(entry.facts)
    }

    /// A blob is not what it should be. Whether it is ours to remove; if not, it is never given out again.
    pub(crate) fn damaged(&mut self, digest: &Digest) -> bool {
        let Some(entry) = self.blobs.get_mut(&key(digest)).filter(|entry| entry.digest == *digest) else {
            return false;
        };
        entry.damaged = true;
        let is_ours = !entry.is_owned();
        self.open.close(digest);
        is_ours
    }

    /// The file of a blob, if it was kept open.
    pub(crate) fn open_file(&self, digest: &Digest) -> Option<Arc<ContentFile>> {
        self.open.get(digest)
    }

    /// Keeps the file of a blob open; of the very blob that `proof` is of, which may have been replaced.
    pub(crate) fn keep_open(&mut self, digest: &Digest, proof: &Arc<Proof>, file: &Arc<ContentFile>) {
        let is_same = |entry: &Entry| entry.proof.as_ref().is_some_and(|known| Arc::ptr_eq(known, proof));
        if self.entry(digest).is_some_and(|entry| !entry.damaged && is_same(entry)) {
            self.open.put(*digest, Arc::clone(file));
        }
    }

    /// Closes what was kept open, as soon as nobody reads it.
    pub(crate) fn close_files(&mut self) {
        self.open.close_all();
    }

    /// The next blobs to go, to free so many bytes: off the order, but still known to be there. None at all if that many
    /// cannot go. What cannot be removed after all is [`Books::spared`].
    pub(crate) fn victims(&mut self, bytes: u64) -> Vec<Digest> {
        let blobs = &self.blobs;
        let is_idle = |key: &Key| {
            blobs.get(key).and_then(|entry| entry.proof.as_ref()).is_none_or(|proof| Arc::strong_count(proof) == 1)
        };
        let victims = self.order.victims(bytes, &is_idle);
        for Victim { key, rank, .. } in &victims {
            if let Some(entry) = self.blobs.get_mut(key) {
                entry.facts.rank = (*rank).into();
            }
        }
        victims.iter().filter_map(|victim| self.blobs.get(&victim.key)).map(|entry| entry.digest).collect()
    }

    /// A victim could not be removed.
    pub(crate) fn spared(&mut self, digest: &Digest) {
        if let Some(entry) = self.entry(digest) {
            let Facts { size, rank, used, .. } = entry.facts;
            self.order.restore(key(digest), size, Rank::from(rank), used);
        }
    }

    /// What Larder fetched before `then`.
    pub(crate) fn fetched_before(&self, then: u32) -> Vec<Digest> {
        let old = self.blobs.values().filter(|entry| !entry.is_owned() && entry.facts.fetched < then);
        old.map(|entry| entry.digest).collect()
    }

    /// Every blob.
    pub(crate) fn all(&self) -> Vec<Digest> {
        self.blobs.values().map(|entry| entry.digest).collect()
    }

    /// How many blobs there are.
    pub(crate) fn len(&self) -> usize {
        self.blobs.len()
    }

    // --- room

    pub(crate) fn reserve(&mut self, bytes: u64) {
        self.reserved += bytes;
    }

    pub(crate) fn release(&mut self, bytes: u64) {
        self.reserved -= bytes;
    }

    /// A broken download left this.
    pub(crate) fn leave(&mut self, digest: Digest, bytes: u64) {
        self.left.insert(digest, bytes);
    }

    /// Somebody goes on with what a broken download left.
    pub(crate) fn take_up(&mut self, digest: &Digest) {
        self.left.remove(digest);
    }

    /// What broken downloads left.
    pub(crate) fn left(&self) -> Vec<Digest> {
        self.left.keys().copied().collect()
    }

    /// What is taken, with what the file system has free.
    pub(crate) fn taken(&self, free: Option<u64>) -> Taken {
        Taken { blobs: self.order.bytes(), reserved: self.reserved, left: self.left.values().sum(), free }
    }

    /// Bytes of what somebody else put there.
    pub(crate) fn owned(&self) -> u64 {
        self.owned
    }

    // --- writing down

    /// What changed since this was last asked.
    pub(crate) fn changes(&mut self) -> Vec<Record> {
        let changed = std::mem::take(&mut self.changed);
        changed.iter().map(|digest| self.record(digest).unwrap_or(Record::Gone(*digest))).collect()
    }

    /// Everything, as it is to be written down.
    pub(crate) fn records(&mut self) -> Vec<Record> {
        self.changed.clear();
        self.all().iter().filter_map(|digest| self.record(digest)).collect()
    }

    fn record(&mut self, digest: &Digest) -> Option<Record> {
        let key = key(digest);
        let rank = self.order.rank(&key).unwrap_or_default();
        let entry = self.blobs.get_mut(&key).filter(|entry| entry.digest == *digest)?;
        entry.changed = false;
        entry.facts.rank = rank.into();
        Some(Record::Blob(*digest, entry.facts))
    }

    fn entry(&self, digest: &Digest) -> Option<&Entry> {
        self.blobs.get(&key(digest)).filter(|entry| entry.digest == *digest)
    }
}

impl Entry {
    fn is_owned(&self) -> bool {
        self.facts.fetched == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(size: u64, fetched: u32) -> Facts {
        Facts { size, fetched, used: 1, rank: 0 }
    }

    #[test]
    fn what_is_owned_or_read_never_goes() {
        let mut books = Books::new();
        let [owned, read, idle] = [b"owned", b"-read", b"-idle"].map(|content| Digest::sha256(content));
        books.add(owned, facts(10, 0), Proof::whole());
        books.add(read, facts(20, 5), Proof::whole());
        books.add(idle, facts(30, 6), Proof::whole());
        assert_eq!((books.owned(), books.taken(None).blobs, books.len()), (10, 50, 3));
        let reader = books.use_blob(&read, 2).unwrap();
        assert!(books.victims(31).is_empty(), "nothing goes for nothing");
        assert_eq!(books.victims(25), [idle]);
        books.spared(&idle);
        drop(reader);
        let mut both = books.victims(50);
        both.sort();
        let mut expected = vec![read, idle];
        expected.sort();
        assert_eq!(both, expected);
        for digest in [read, idle] {
            books.spared(&digest);
        }
        assert_eq!(books.fetched_before(6), [read]);
        assert!(!books.damaged(&owned) && books.damaged(&idle));
        assert_eq!((books.size(&owned), books.size(&read)), (None, Some(20)));
    }

    #[test]
    fn are_written_down_and_restored() {
        let mut books = Books::new();
        let [a, b, c] = [b"a", b"b", b"c"].map(|content| Digest::sha256(content));
        for (digest, fetched) in [(a, 5), (b, 0), (c, 7)] {
            books.add(digest, facts(10, fetched), Proof::whole());
        }
        assert_eq!(books.changes().len(), 3);
        assert!(books.changes().is_empty());
        books.use_blob(&a, 9);
        books.use_blob(&a, 9);
        books.remove(&c);
        let changes = books.changes();
        assert_eq!(changes.len(), 2);
        assert!(changes.contains(&Record::Gone(c)));
        let again = Books::restore(books.records().into_iter());
        assert_eq!((again.len(), again.owned(), again.taken(None).blobs), (2, 10, 10));
        assert_eq!(again.entry(&a).unwrap().facts.used, 9);
    }

    #[test]
    fn count_what_downloads_take_and_leave() {
        let mut books = Books::new();
        books.reserve(100);
        books.leave(Digest::sha256(b"a"), 40);
        assert_eq!(books.taken(Some(7)), Taken { blobs: 0, reserved: 100, left: 40, free: Some(7) });
        books.release(100);
        books.take_up(&Digest::sha256(b"a"));
        assert_eq!(books.taken(None), Taken { blobs: 0, reserved: 0, left: 0, free: None });
    }
}
