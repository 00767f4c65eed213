//! Hashing a blob as its bytes go by: the digest over all of it, and BLAKE3 over each piece.

use larder_oci::{Digest, Hasher};

use crate::pieces::{self, Hash, List};

/// The hashes of the pieces that go by.
#[derive(Debug, Clone)]
pub(crate) struct PieceHasher {
    piece: u64,
    /// Length of the blob, where it is known.
    total: Option<u64>,
    /// Offset of the next byte.
    at: u64,
    /// `None` before the start of the first whole piece.
    hasher: Option<blake3::Hasher>,
}

/// The hashes of a whole blob, from its first byte on.
#[derive(Debug, Clone)]
pub(crate) struct BlobHasher {
    digest: Hasher,
    /// `None` for a blob of one piece: its digest tells as much.
    pieces: Option<PieceHasher>,
    hashes: Vec<Hash>,
}

impl PieceHasher {
    /// For the bytes from `at` on.
    pub(crate) fn new(at: u64, total: Option<u64>, piece: u64) -> Self {
        Self { piece, total, at, hasher: at.is_multiple_of(piece).then(blake3::Hasher::new) }
    }

    /// Takes in the next bytes, and tells of each piece that they complete its number and hash.
    pub(crate) fn update(&mut self, mut bytes: &[u8], mut done: impl FnMut(u64, Hash)) {
        while !bytes.is_empty() {
            let number = self.at / self.piece;
            let end = match self.total {
                Some(total) => pieces::range(number, total, self.piece).end,
                None => (number + 1) * self.piece,
            };
            let room = usize::try_from(end.saturating_sub(self.at)).unwrap_or(usize::MAX);
            // Bytes past the end belong to no piece.
            let (now, later) = bytes.split_at(if room == 0 { bytes.len() } else { room.min(bytes.len()) });
            if let Some(hasher) = &mut self.hasher {
                hasher.update(now);
            }
            self.at += now.len() as u64;
            if self.at == end {
                if let Some(hasher) = self.hasher.take() {
                    done(number, hasher.finalize().into());
                }
                self.hasher = Some(blake3::Hasher::new());
            }
            bytes = later;
        }
    }

    /// The hash of a last piece that was not known to be the last.
    fn rest(&self) -> Option<Hash> {
        let open = self.total.is_none() && !self.at.is_multiple_of(self.piece);
        self.hasher.as_ref().filter(|_| open).map(|hasher| hasher.finalize().into())
    }
}

impl BlobHasher {
    /// For the blob `digest`, of `total` bytes where that is known.
    pub(crate) fn new(digest: &Digest, total: Option<u64>, piece: u64) -> Self {
        let of_pieces = total.is_none_or(|total| total > piece);
        Self {
            digest: digest.algorithm().hasher(),
            pieces: of_pieces.then(|| PieceHasher::new(0, total, piece)),
            hashes: Vec::new(),
        }
    }

    /// Takes in the next bytes, and tells of each piece that they complete its number and hash.
    pub(crate) fn update(&mut self, bytes: &[u8], mut done: impl FnMut(u64, &Hash)) {
        self.digest.update(bytes);
        let Self { pieces: Some(pieces), hashes, .. } = self else { return };
        pieces.update(bytes, |number, hash| {
            done(number, &hash);
            hashes.push(hash);
        });
    }

    /// The digest of the bytes so far, to be gone on with elsewhere.
    pub(crate) fn digest_so_far(&self) -> Hasher {
        self.digest.clone()
    }

    /// The hash of the last complete piece.
    pub(crate) fn last_piece(&self) -> Option<&Hash> {
        self.hashes.last()
    }

    /// The digest of everything taken in, and the list of its pieces if it has more than one.
    pub(crate) fn finish(mut self) -> (Digest, Option<List>) {
        let list = self.pieces.take().and_then(|pieces| {
            self.hashes.extend(pieces.rest());
            let list = List { total: pieces.at, piece: pieces.piece, hashes: self.hashes };
            (list.hashes.len() > 1).then_some(list)
        });
        (self.digest.finish(), list)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blake(bytes: &[u8]) -> Hash {
        blake3::hash(bytes).into()
    }

    #[test]
    fn pieces_of_a_whole_blob() {
        let content: Vec<u8> = (0..=255).collect();
        let digest = Digest::sha256(&content);
        let expected = List { total: 256, piece: 100, hashes: content.chunks(100).map(blake).collect() };
        for total in [None, Some(256)] {
            for step in [1, 7, 100, 256] {
                let mut hasher = BlobHasher::new(&digest, total, 100);
                let mut told = vec![];
                for chunk in content.chunks(step) {
                    hasher.update(chunk, |number, _| told.push(number));
                }
                assert_eq!(told.len(), if total.is_some() { 3 } else { 2 });
                assert_eq!(hasher.finish(), (digest, Some(expected.clone())), "{total:?} by {step}");
            }
        }
        let mut small = BlobHasher::new(&digest, Some(256), 256);
        small.update(&content, |_, _| panic!("a blob of one piece has no list"));
        assert_eq!(small.finish(), (digest, None));
    }

    #[test]
    fn only_whole_pieces_of_a_part() {
        let content: Vec<u8> = (0..=255).collect();
        let mut hasher = PieceHasher::new(50, Some(256), 100);
        let mut told = vec![];
        hasher.update(&content[50..], |number, hash| told.push((number, hash)));
        assert_eq!(told, [(1, blake(&content[100..200])), (2, blake(&content[200..]))]);
    }
}
