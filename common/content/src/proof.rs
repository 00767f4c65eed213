//! What is known of the bytes of a stored blob since the process started. Nothing that the disk gives is believed before
//! it was checked once.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use crate::pieces::{self, Hash, List};

/// The proof of one stored blob. Whoever reads the blob holds it, which also says that the blob is in use.
#[derive(Debug, Default)]
pub(crate) struct Proof {
    /// Of which file; 0 before it was opened.
    file: AtomicU64,
    /// Every byte was checked, or written by this process.
    whole: AtomicBool,
    parts: Mutex<Parts>,
}

#[derive(Debug, Default)]
enum Parts {
    /// Its list of pieces has not been looked for.
    #[default]
    Unasked,
    /// There is no list: only the digest can tell.
    None,
    /// By the list.
    Pieces { list: List, checked: Vec<bool> },
}

/// What must be done before a byte may leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// Nothing.
    No,
    /// This piece must be checked.
    Piece { number: u64, range: std::ops::Range<u64>, hash: Hash },
    /// All of it must be hashed.
    All,
    /// The list of pieces must be looked for: [`Proof::learn`].
    Unasked,
}

impl Proof {
    /// Of a blob that this process wrote and verified, in this [file](crate::file::ContentFile::identity).
    pub(crate) fn whole(file: u64) -> Self {
        Self { file: AtomicU64::new(file), whole: AtomicBool::new(true), parts: Mutex::default() }
    }

    /// Of a blob of which nothing is known but that it is this [file](crate::file::ContentFile::identity).
    pub(crate) fn of(file: u64) -> Self {
        Self { file: AtomicU64::new(file), ..Self::default() }
    }

    /// Whether it is of this file, as far as is known: one that somebody put in its place proves nothing.
    pub(crate) fn is_of(&self, file: u64) -> bool {
        match self.file.compare_exchange(0, file, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => true,
            Err(known) => known == file,
        }
    }

    pub(crate) fn is_whole(&self) -> bool {
        self.whole.load(Ordering::Acquire)
    }

    /// What must be done before the byte at `offset` may leave.
    pub(crate) fn doubt(&self, offset: u64) -> Doubt {
        if self.is_whole() {
            return Doubt::No;
        }
        match &*self.parts.lock().unwrap_or_else(PoisonError::into_inner) {
            Parts::Unasked => Doubt::Unasked,
            Parts::None => Doubt::All,
            Parts::Pieces { list, checked } => {
                let number = offset / list.piece;
                let at = usize::try_from(number).unwrap_or(usize::MAX);
                match (checked.get(at), list.hashes.get(at)) {
                    (Some(false), Some(hash)) => {
                        Doubt::Piece { number, range: pieces::range(number, list.total, list.piece), hash: *hash }
                    }
                    // Past the end there is nothing to doubt.
                    _ => Doubt::No,
                }
            }
        }
    }

    /// How far from `offset` on nothing is in doubt.
    pub(crate) fn sure_until(&self, offset: u64) -> u64 {
        if self.is_whole() {
            return u64::MAX;
        }
        match &*self.parts.lock().unwrap_or_else(PoisonError::into_inner) {
            Parts::Pieces { list, checked } => {
                let first = usize::try_from(offset / list.piece).unwrap_or(usize::MAX);
                let sure = checked.iter().skip(first).take_while(|checked| **checked).count() as u64;
                if sure == 0 { offset } else { (offset / list.piece + sure) * list.piece }
            }
            _ => offset,
        }
    }

    /// What was found when the list of pieces was looked for; `size` is the length of the blob.
    pub(crate) fn learn(&self, list: Option<List>, size: u64) {
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*parts, Parts::Unasked) {
            *parts = match list.filter(|list| list.total == size) {
                Some(list) => Parts::Pieces { checked: vec![false; list.hashes.len()], list },
                None => Parts::None,
            };
        }
    }

    /// The piece `number` was checked, and is right.
    pub(crate) fn checked(&self, number: u64) {
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        let Parts::Pieces { checked, .. } = &mut *parts else { return };
        if let Some(one) = usize::try_from(number).ok().and_then(|number| checked.get_mut(number)) {
            *one = true;
        }
        if checked.iter().all(|checked| *checked) {
            // The list is not needed any more.
            *parts = Parts::None;
            self.whole.store(true, Ordering::Release);
        }
    }

    /// All of it was checked, and is right.
    pub(crate) fn proven(&self) {
        *self.parts.lock().unwrap_or_else(PoisonError::into_inner) = Parts::None;
        self.whole.store(true, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn piece_by_piece_until_nothing_is_in_doubt() {
        let proof = Proof::default();
        assert_eq!(proof.doubt(0), Doubt::Unasked);
        proof.learn(Some(List { total: 250, piece: 100, hashes: vec![[1; 32], [2; 32], [3; 32]] }), 250);
        assert_eq!(proof.doubt(150), Doubt::Piece { number: 1, range: 100..200, hash: [2; 32] });
        proof.checked(1);
        assert_eq!((proof.doubt(150), proof.sure_until(150), proof.sure_until(0)), (Doubt::No, 200, 0));
        assert_eq!(proof.doubt(249), Doubt::Piece { number: 2, range: 200..250, hash: [3; 32] });
        proof.checked(2);
        assert!(!proof.is_whole());
        proof.checked(0);
        assert!(proof.is_whole() && proof.sure_until(7) == u64::MAX);
    }

    #[test]
    fn without_a_list_of_the_right_length_only_the_digest_tells() {
        for list in [None, Some(List { total: 90, piece: 100, hashes: vec![[1; 32]] })] {
            let proof = Proof::default();
            proof.learn(list, 100);
            assert_eq!(proof.doubt(0), Doubt::All);
            proof.proven();
            assert_eq!(proof.doubt(0), Doubt::No);
        }
        let proof = Proof::whole(1);
        assert_eq!((proof.doubt(0), proof.is_of(1), proof.is_of(2)), (Doubt::No, true, false));
        assert!(Proof::default().is_of(3));
    }
}
