//! Why content cannot be had, or stops coming.

use std::{io, sync::Arc};

use crate::source::{Fault, SourceError};

/// Why a blob cannot be had.
#[derive(Debug, Clone, thiserror::Error)]
pub enum FetchError {
    /// The last source asked is to blame.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// Our disk is to blame.
    #[error("the cache's disk failed: {0}")]
    Disk(Arc<io::Error>),
}

/// Why the bytes stopped. Whoever sees it must cut the connection: what was sent so far is no blob.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The download broke, or was not what the digest names.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The disk failed under the reader.
    #[error("reading the cache failed: {0}")]
    Disk(#[from] io::Error),
}

impl FetchError {
    /// The error of a flight that ended without saying how: the process is shutting down.
    pub(crate) fn abandoned() -> Self {
        SourceError::new("cache", Fault::Skipped, "the download was given up").into()
    }
}
