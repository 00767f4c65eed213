//! Digests and bytes: what both tiers keep on disk, and how it comes there.
//!
//! A pull-through cache is a disk in front of sources. This crate is that, and knows no repository, no registry and no
//! protocol: it is given a digest and the [`Source`]s that may have it, and gives back bytes that are what the digest
//! names.

pub mod archive;
pub mod blob;
pub mod counters;
pub mod disk;
pub mod durable;
mod error;
mod flight;
pub mod layout;
mod ledger;
mod partial;
pub mod pull_through;
mod quarantine;
mod read_at;
pub mod source;

pub use blob::{Blob, BlobBody};
pub use counters::Counters;
pub use disk::{Disk, DiskError};
pub use error::{FetchError, ReadError};
pub use pull_through::{Limits, PullThrough};
pub use source::{ByteRange, Fault, Fetched, Source, SourceError};
