//! The pieces of a blob: a BLAKE3 hash of every 4 MiB, and how they are written down. Pure.
//!
//! A digest says only at the end of a blob whether it was right; pieces say it of every part. While a blob is fetched
//! they are our own word for what was written; once the digest is verified they are as good as it.
//!
//! Two files hold them, both rebuildable:
//!
//! * a **list**, for a finished blob: [`List`], checked as a whole;
//! * a **journal**, for a download in progress: a head, then an entry as each piece is complete. It is not forced to the
//!   disk: whoever goes on with the download checks every piece against its entry first.

use std::collections::BTreeMap;

/// The hash of one piece.
pub(crate) type Hash = [u8; 32];

const LIST: &[u8; 8] = b"LRDRPCS1";
const JOURNAL: &[u8; 8] = b"LRDRJNL1";
/// Length of the head of either file: magic, length of the blob, length of a piece.
const HEAD: usize = 8 + 8 + 8;
/// Length of an entry of the journal: number of the piece, its hash, and a check of both.
const ENTRY: usize = 8 + 32 + 8;
const CHECK: usize = 8;

/// The pieces of a finished blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List {
    /// Length of the blob in bytes.
    pub total: u64,
    /// Length of every piece but the last, in bytes.
    pub piece: u64,
    /// Their hashes, in order.
    pub hashes: Vec<Hash>,
}

/// What the journal of a download says. Nothing of it is true before it is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Journal {
    /// Length of the blob in bytes.
    pub total: u64,
    /// Length of every piece but the last, in bytes.
    pub piece: u64,
    /// By number, the hashes of the pieces that were written.
    pub hashes: BTreeMap<u64, Hash>,
}

/// How many pieces a blob of `total` bytes has.
pub(crate) fn count(total: u64, piece: u64) -> u64 {
    total.div_ceil(piece)
}

/// The bytes of the piece `number`, as offsets in the blob.
pub(crate) fn range(number: u64, total: u64, piece: u64) -> std::ops::Range<u64> {
    let start = number.saturating_mul(piece).min(total);
    start..start.saturating_add(piece).min(total)
}

// === impl List ===

impl List {
    /// As the file has it.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = head(LIST, self.total, self.piece);
        bytes.extend(self.hashes.as_flattened());
        let check = blake3::hash(&bytes);
        bytes.extend(&check.as_bytes()[..CHECK]);
        bytes
    }

    /// Reads a file. `None` if it is not whole, or not one.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (bytes, check) = bytes.split_last_chunk::<CHECK>()?;
        if blake3::hash(bytes).as_bytes()[..CHECK] != *check {
            return None;
        }
        let (total, piece, hashes) = read_head(LIST, bytes)?;
        let (hashes, []) = hashes.as_chunks::<32>() else { return None };
        (hashes.len() as u64 == count(total, piece)).then(|| Self { total, piece, hashes: hashes.to_vec() })
    }
}

// === impl Journal ===

impl Journal {
    /// The start of the file.
    pub fn head(total: u64, piece: u64) -> Vec<u8> {
        head(JOURNAL, total, piece)
    }

    /// Of a file of `length` bytes, how many are whole entries.
    pub(crate) fn whole(length: u64) -> u64 {
        let (head, entry) = (HEAD as u64, ENTRY as u64);
        length - length.saturating_sub(head) % entry
    }

    /// What is appended when a piece is complete.
    pub fn entry(number: u64, hash: &Hash) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(ENTRY);
        bytes.extend(number.to_le_bytes());
        bytes.extend(hash);
        let check = blake3::hash(&bytes);
        bytes.extend(&check.as_bytes()[..CHECK]);
        bytes
    }

    /// Reads a file as far as it makes sense: a crash may have cut its last entry, or lost any of them. `None` if it is
    /// not one. The last entry for a piece counts.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (total, piece, entries) = read_head(JOURNAL, bytes)?;
        let mut hashes = BTreeMap::new();
        for entry in entries.as_chunks::<ENTRY>().0 {
            let (content, check) = entry.split_last_chunk::<CHECK>()?;
            if blake3::hash(content).as_bytes()[..CHECK] != *check {
                continue;
            }
            let (number, hash) = content.split_first_chunk::<8>()?;
            let number = u64::from_le_bytes(*number);
            if number < count(total, piece) {
                hashes.insert(number, *hash.first_chunk()?);
            }
        }
        Some(Self { total, piece, hashes })
    }
}

fn head(magic: &[u8; 8], total: u64, piece: u64) -> Vec<u8> {
    let mut bytes = magic.to_vec();
    bytes.extend(total.to_le_bytes());
    bytes.extend(piece.to_le_bytes());
    bytes
}

fn read_head<'a>(magic: &[u8; 8], bytes: &'a [u8]) -> Option<(u64, u64, &'a [u8])> {
    let (head, rest) = bytes.split_first_chunk::<HEAD>()?;
    let (found, numbers) = head.split_first_chunk::<8>()?;
    let (total, piece) = numbers.split_first_chunk::<8>()?;
    let (total, piece) = (u64::from_le_bytes(*total), u64::from_le_bytes(*piece.first_chunk()?));
    (found == magic && piece > 0).then_some((total, piece, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_list_is_whole_or_none() {
        let list = List { total: 250, piece: 100, hashes: vec![[1; 32], [2; 32], [3; 32]] };
        let bytes = list.encode();
        assert_eq!(List::decode(&bytes), Some(list));
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 4;
            assert_eq!(List::decode(&flipped), None, "byte {at}");
            assert_eq!(List::decode(&bytes[..at]), None, "cut at {at}");
        }
        let few = List { total: 250, piece: 100, hashes: vec![[1; 32]] };
        assert_eq!(List::decode(&few.encode()), None, "it must speak of all pieces");
    }

    #[test]
    fn a_journal_is_read_as_far_as_it_makes_sense() {
        let mut bytes = Journal::head(250, 100);
        for (number, hash) in [(2, [9; 32]), (0, [7; 32]), (2, [8; 32]), (3, [1; 32])] {
            bytes.extend(Journal::entry(number, &hash));
        }
        let hashes = BTreeMap::from([(0, [7; 32]), (2, [8; 32])]);
        assert_eq!(Journal::decode(&bytes), Some(Journal { total: 250, piece: 100, hashes }));
        bytes.truncate(HEAD + ENTRY + 20);
        let hashes = BTreeMap::from([(2, [9; 32])]);
        assert_eq!(Journal::decode(&bytes), Some(Journal { total: 250, piece: 100, hashes }));
        bytes[HEAD] ^= 1;
        assert_eq!(Journal::decode(&bytes).unwrap().hashes, BTreeMap::new());
        assert_eq!(Journal::decode(&bytes[..HEAD - 1]), None);
        let [none, one] = [0, 1].map(|entries| (HEAD + entries * ENTRY) as u64);
        assert_eq!([none, none + 1, one - 1, one, one + 1].map(Journal::whole), [none, none, none, one, one]);
    }

    #[test]
    fn the_last_piece_is_what_is_left() {
        assert_eq!((count(0, 100), count(100, 100), count(101, 100)), (0, 1, 2));
        assert_eq!((range(0, 250, 100), range(2, 250, 100), range(3, 250, 100)), (0..100, 200..250, 250..250));
        assert_eq!(range(u64::MAX, 250, 100), 250..250);
    }

    proptest! {
        #[test]
        fn whatever_is_read_is_no_crash(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = List::decode(&bytes);
            let mut journal = Journal::head(1000, 100);
            journal.extend(bytes);
            let _ = Journal::decode(&journal);
        }
    }
}
