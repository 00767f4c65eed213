//! Digests and bytes: what both tiers keep on disk, and how it comes there.
//!
//! A pull-through cache is a disk in front of sources. This crate is that, and knows no repository, no registry and no
//! protocol: it is given a digest and the [`Source`]s that may have it, and gives back bytes that are what the digest
//! names.

pub mod archive;
mod attempts;
pub mod blob;
mod books;
pub mod bounds;
mod buffers;
mod closer;
pub mod counters;
pub mod disk;
pub mod durable;
mod error;
mod eviction;
#[cfg(test)]
mod faults;
mod feed;
mod file;
mod file_locks;
mod flight;
mod geometry;
mod hashing;
mod health;
pub mod index;
pub mod layout;
mod open_files;
mod partial;
pub mod pieces;
mod proof;
pub mod pull_through;
mod quarantine;
pub mod room;
#[cfg(test)]
mod schedules;
pub mod share;
pub mod source;

pub use blob::{Blob, BlobBody, Chunk};
pub use bounds::{Bounds, FileSystem};
pub use counters::Counters;
pub use disk::{Disk, DiskError, Usage};
pub use error::{FetchError, ReadError};
pub use pull_through::{Limits, PullThrough};
pub use room::Capacity;
pub use share::Share;
pub use source::{ByteRange, Fault, Fetched, Source, SourceError};
