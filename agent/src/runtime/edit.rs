//! The outcome of an edit of a file.

/// What should become of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Edit {
    /// It is as desired.
    Unchanged,
    /// These should be its bytes.
    Write(Vec<u8>),
    /// There should be no file: all of it was ours.
    Remove,
}

impl Edit {
    /// The bytes that the file should have, which has `now`; `None`: there should be none.
    pub(super) fn over(self, now: Option<&[u8]>) -> Option<Vec<u8>> {
        match self {
            Self::Unchanged => now.map(<[u8]>::to_vec),
            Self::Write(bytes) => Some(bytes),
            Self::Remove => None,
        }
    }
}
