//! An archive: a store of finished blobs that several hubs share (an object store, or a folder).
//!
//! It is not a disk: an object is put whole, read by range, listed and deleted, and nothing about it is atomic but the
//! put. It is a hub's first [`Source`], and where finished blobs are copied to.

use std::{path::Path, time::SystemTime};

use futures_util::{future::BoxFuture, stream::BoxStream};
use larder_oci::Digest;

use crate::source::{Source, SourceError};

/// A store of whole blobs behind a hub's own disk.
pub trait Archive: Source {
    /// Stores the file at `content`, which is complete and verified. Putting a blob that is there already is no error.
    fn put<'a>(&'a self, digest: &'a Digest, content: &'a Path) -> BoxFuture<'a, Result<(), SourceError>>;

    /// Everything it holds, in no particular order.
    fn list(&self) -> BoxStream<'_, Result<Archived, SourceError>>;

    /// Removes a blob. Removing one that is not there is no error.
    fn delete<'a>(&'a self, digest: &'a Digest) -> BoxFuture<'a, Result<(), SourceError>>;
}

/// One blob of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archived {
    /// Its digest.
    pub digest: Digest,
    /// Its length in bytes.
    pub size: u64,
    /// When it was put.
    pub modified: SystemTime,
}
