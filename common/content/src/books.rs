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
    /// Of `reserved`, what is not taken on the disk yet.
    promised: u64,
    /// Downloads under way, by digest: the number of the one whose files these are.
    begun: HashMap<Digest, u64>,
    /// How many downloads there were.
    downloads: u64,
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
    /// It is being removed.
    leaving: bool,
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
            promised: 0,
            begun: HashMap::new(),
            downloads: 0,
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
                    let entry = Entry { digest, facts, proof: None, changed: false, damaged: false, leaving: false };
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
        self.entry(digest).filter(|entry| !entry.is_withheld()).map(|entry| entry.facts.size)
    }

    /// The length of a blob, if it is known to be there, right or not.
    pub(crate) fn length(&self, digest: &Digest) -> Option<u64> {
        self.entry(digest).map(|entry| entry.facts.size)
    }

    /// Whether a blob is known to be there.
    pub(crate) fn knows(&self, digest: &Digest) -> bool {
        self.entry(digest).is_some()
    }

    /// Whether a blob is there and not to be given out: it was found to be wrong, or is being removed.
    pub(crate) fn is_withheld(&self, digest: &Digest) -> bool {
        self.entry(digest).is_some_and(Entry::is_withheld)
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

    /// What is known of the bytes of a blob, if it is known to be there.
    pub(crate) fn proof_of(&mut self, digest: &Digest) -> Option<Arc<Proof>> {
        let entry = self.blobs.get_mut(&key(digest)).filter(|entry| entry.digest == *digest)?;
        Some(Arc::clone(entry.proof.get_or_insert_default()))
    }

    /// A blob was found. To be called in the order of their last use.
    pub(crate) fn find(&mut self, digest: Digest, facts: Facts) {
        let entry = Entry { digest, facts, proof: None, changed: true, damaged: false, leaving: false };
        if entry.is_owned() {
            self.owned += facts.size;
        } else {
            self.order.restore(key(&digest), facts.size, Rank::from(facts.rank), facts.used);
        }
        self.blobs.insert(key(&digest), entry);
        self.changed.push(digest);
    }

    /// A blob is there. Its proof.
    pub(crate) fn add(&mut self, digest: Digest, facts: Facts, proof: Proof) -> Arc<Proof> {
        self.remove(&digest);
        let proof = Arc::new(proof);
        let entry =
            Entry { digest, facts, proof: Some(Arc::clone(&proof)), changed: true, damaged: false, leaving: false };
        if entry.is_owned() {
            self.owned += facts.size;
        } else {
            self.order.insert(key(&digest), facts.size, facts.used);
        }
        self.blobs.insert(key(&digest), entry);
        self.changed.push(digest);
        proof
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

    /// The blob that `proof` is of is not what it should be, and is not given out again. Whether it is ours to remove;
    /// `None` if that is not the one which is there by now.
    pub(crate) fn damaged(&mut self, digest: &Digest, proof: &Arc<Proof>) -> Option<bool> {
        let entry = self.blobs.get_mut(&key(digest)).filter(|entry| entry.digest == *digest && entry.is_of(proof))?;
        entry.damaged = true;
        let is_ours = !entry.is_owned();
        self.open.close(digest);
        Some(is_ours)
    }

    /// Whether a blob is somebody else's.
    pub(crate) fn is_owned(&self, digest: &Digest) -> bool {
        self.entry(digest).is_some_and(Entry::is_owned)
    }

    /// A victim is to be removed. From here on nobody gets it; unless somebody reads it, then it stays. Whether it goes.
    pub(crate) fn withhold(&mut self, digest: &Digest) -> bool {
        let Some(entry) = self.blobs.get_mut(&key(digest)).filter(|entry| entry.digest == *digest) else { return true };
        entry.leaving = entry.is_idle();
        entry.leaving
    }

    /// The file of a blob, if it was kept open.
    pub(crate) fn open_file(&self, digest: &Digest) -> Option<Arc<ContentFile>> {
        self.open.get(digest)
    }

    /// Keeps the file of a blob open; of the very blob that `proof` is of, which may have been replaced.
    pub(crate) fn keep_open(&mut self, digest: &Digest, proof: &Arc<Proof>, file: &Arc<ContentFile>) {
        if self.entry(digest).is_some_and(|entry| !entry.is_withheld() && entry.is_of(proof)) {
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
        let is_idle = |key: &Key| blobs.get(key).is_none_or(Entry::is_idle);
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
        if let Some(entry) = self.blobs.get_mut(&key(digest)).filter(|entry| entry.digest == *digest) {
            entry.leaving = false;
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

    /// So many bytes will be written.
    pub(crate) fn reserve(&mut self, bytes: u64) {
        self.reserved += bytes;
        self.promised += bytes;
    }

    /// So many bytes of what was reserved are taken on the disk now.
    pub(crate) fn take(&mut self, bytes: u64) {
        self.promised -= bytes;
    }

    /// So many bytes are not reserved any more, of which `promised` were not taken.
    pub(crate) fn release(&mut self, bytes: u64, promised: u64) {
        self.reserved -= bytes;
        self.promised -= promised;
    }

    /// A download begins: its number, and whether no other of the same blob is under way.
    pub(crate) fn begin(&mut self, digest: &Digest) -> (u64, bool) {
        self.downloads += 1;
        (self.downloads, self.begun.insert(*digest, self.downloads).is_none())
    }

    /// Whether the files of downloads of this blob are still those of this one.
    pub(crate) fn is_begun(&self, digest: &Digest, number: u64) -> bool {
        self.begun.get(digest) == Some(&number)
    }

    /// A download is over.
    pub(crate) fn end(&mut self, digest: &Digest, number: u64) {
        if self.is_begun(digest, number) {
            self.begun.remove(digest);
        }
    }

    /// A broken download left this.
    pub(crate) fn leave(&mut self, digest: Digest, bytes: u64) {
        self.left.insert(digest, bytes);
    }

    /// What a broken download left does not count as such any more; how many bytes that is.
    pub(crate) fn take_up(&mut self, digest: &Digest) -> Option<u64> {
        self.left.remove(digest)
    }

    /// Whether a broken download of `digest` left something.
    pub(crate) fn has_left(&self, digest: &Digest) -> bool {
        self.left.contains_key(digest)
    }

    /// What broken downloads left.
    pub(crate) fn left(&self) -> Vec<Digest> {
        self.left.keys().copied().collect()
    }

    /// What is taken, with what the file system has free.
    pub(crate) fn taken(&self, free: Option<u64>) -> Taken {
        let free = free.map(|free| free.saturating_sub(self.promised));
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

    fn is_of(&self, proof: &Arc<Proof>) -> bool {
        self.proof.as_ref().is_some_and(|known| Arc::ptr_eq(known, proof))
    }

    fn is_withheld(&self) -> bool {
        self.damaged || self.leaving
    }

    fn is_idle(&self) -> bool {
        self.proof.as_ref().is_none_or(|proof| Arc::strong_count(proof) == 1)
    }
}

#[cfg(test)]
mod tests;
