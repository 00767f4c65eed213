//! The words of the OCI distribution protocol as types: digests, names, references, media types, manifests.
//!
//! Everything here is pure: no I/O, no clock, no async. A value that exists is valid; it was checked when it was
//! made and is never checked again.

pub mod digest;
pub mod manifest;
pub mod media_type;
pub mod name;

pub use digest::{Algorithm, Digest, DigestError, Hasher};
pub use manifest::{Descriptor, Manifest, ManifestError};
pub use media_type::MediaType;
pub use name::{NameError, Reference, Registry, Repository, RepositoryName, Tag};
