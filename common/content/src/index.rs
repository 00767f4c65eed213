//! The index as a file: what is on the disk, when it came and when it was last used. Pure.
//!
//! A head, then records, each with a check of its own; the last one of a digest counts. Records are appended and not
//! forced to the disk: what a crash takes is found again, because the disk itself says what is there, and the file of
//! each blob that Larder fetched says so (an extended attribute).

use larder_oci::Digest;

/// What opens the file.
pub const MAGIC: &[u8; 8] = b"LRDRIDX1";
const SHA256: u8 = 1;
const SHA512: u8 = 2;
const GONE: u8 = 0x80;
/// Length of what follows the hash in a record of a blob: size, fetched, used, rank.
const FACTS: usize = 8 + 4 + 4 + 1;
const CHECK: usize = 4;

/// What is remembered of a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// Its length in bytes.
    pub size: u64,
    /// When Larder fetched it, in seconds since 1970; 0 if it did not.
    pub fetched: u32,
    /// When it was last asked for, in seconds since 1970.
    pub used: u32,
    /// Where it stands in the order in which blobs go.
    pub rank: u8,
}

/// One record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Record {
    /// It is there.
    Blob(Digest, Facts),
    /// It is gone.
    Gone(Digest),
}

impl Record {
    /// Appends it to `bytes`.
    pub fn encode(&self, bytes: &mut Vec<u8>) {
        let start = bytes.len();
        let (digest, gone) = match self {
            Self::Blob(digest, _) => (digest, 0),
            Self::Gone(digest) => (digest, GONE),
        };
        bytes.push(gone | if matches!(digest, Digest::Sha256(_)) { SHA256 } else { SHA512 });
        bytes.extend(digest.bytes());
        if let Self::Blob(_, Facts { size, fetched, used, rank }) = self {
            bytes.extend(size.to_le_bytes());
            bytes.extend(fetched.to_le_bytes());
            bytes.extend(used.to_le_bytes());
            bytes.push(*rank);
        }
        let check = check(&bytes[start..]);
        bytes.extend(check);
    }
}

/// Reads the records of a file that make sense. One that does not costs itself, and not those after it.
pub fn decode(bytes: &[u8]) -> impl Iterator<Item = Record> {
    let mut rest = bytes.strip_prefix(MAGIC).unwrap_or_default();
    std::iter::from_fn(move || {
        while !rest.is_empty() {
            if let Some((record, length)) = decode_one(rest) {
                rest = &rest[length..];
                return Some(record);
            }
            rest = &rest[1..];
        }
        None
    })
}

fn decode_one(bytes: &[u8]) -> Option<(Record, usize)> {
    let (kind, rest) = bytes.split_first()?;
    let (digest, rest) = match kind & !GONE {
        SHA256 => rest.split_first_chunk().map(|(hash, rest)| (Digest::Sha256(*hash), rest))?,
        SHA512 => rest.split_first_chunk().map(|(hash, rest)| (Digest::Sha512(*hash), rest))?,
        _ => return None,
    };
    let (record, rest) = if kind & GONE == 0 {
        let (facts, rest) = rest.split_first_chunk::<FACTS>()?;
        (Record::Blob(digest, read_facts(facts)?), rest)
    } else {
        (Record::Gone(digest), rest)
    };
    let length = bytes.len() - rest.len();
    (check(&bytes[..length]) == *rest.first_chunk::<CHECK>()?).then_some((record, length + CHECK))
}

fn read_facts(bytes: &[u8; FACTS]) -> Option<Facts> {
    let (size, rest) = bytes.split_first_chunk()?;
    let (fetched, rest) = rest.split_first_chunk()?;
    let (used, rest) = rest.split_first_chunk()?;
    Some(Facts {
        size: u64::from_le_bytes(*size),
        fetched: u32::from_le_bytes(*fetched),
        used: u32::from_le_bytes(*used),
        rank: *rest.first()?,
    })
}

/// Against torn and rotten records, not against anybody's will (FNV-1a).
fn check(bytes: &[u8]) -> [u8; CHECK] {
    let hash = bytes.iter().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
    hash.to_le_bytes()
}

#[cfg(test)]
mod tests {
    use larder_oci::digest::Algorithm;
    use proptest::prelude::*;

    use super::*;

    fn records() -> Vec<Record> {
        let facts = Facts { size: 1 << 40, fetched: 7, used: u32::MAX, rank: 7 };
        vec![
            Record::Blob(Digest::sha256(b"a"), facts),
            Record::Gone(Digest::sha256(b"b")),
            Record::Blob(Digest::of(Algorithm::Sha512, b"c"), facts),
            Record::Gone(Digest::of(Algorithm::Sha512, b"d")),
        ]
    }

    #[test]
    fn what_is_written_is_read_but_for_what_is_torn_or_rotten() {
        let mut bytes = MAGIC.to_vec();
        let mut ends = vec![];
        for record in records() {
            record.encode(&mut bytes);
            ends.push(bytes.len());
        }
        for cut in 0..=bytes.len() {
            let whole = ends.iter().filter(|end| **end <= cut).count();
            assert_eq!(decode(&bytes[..cut]).collect::<Vec<_>>(), records()[..whole], "cut at {cut}");
        }
        bytes[ends[0] + 3] ^= 1;
        let [first, _, third, fourth] = records()[..] else { panic!() };
        assert_eq!(decode(&bytes).collect::<Vec<_>>(), [first, third, fourth]);
        bytes[0] ^= 1;
        assert_eq!(decode(&bytes).count(), 0);
    }

    proptest! {
        #[test]
        fn whatever_is_read_is_no_crash(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut file = MAGIC.to_vec();
            file.extend(bytes);
            prop_assert!(decode(&file).count() < 10);
        }
    }
}
