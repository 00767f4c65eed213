//! Names: registries, repositories, tags, references.
//!
//! The grammar is the distribution specification's ("Pulling manifests": `<name>` and `<reference>`). What fails it
//! never becomes a value, so a path made from a name cannot leave its folder.

use std::{borrow::Cow, fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::{Digest, DigestError};

/// Longest repository name, in bytes: what distribution and the engines accept.
pub const MAX_NAME: usize = 255;
/// Longest tag, in bytes (distribution specification).
pub const MAX_TAG: usize = 128;

/// A registry by the `host[:port]` that a person would write in front of an image: `docker.io`, `ghcr.io`,
/// `msr.example.com:8443`. Lower case; Docker Hub's other host names are all `docker.io`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Registry(Arc<str>);

/// The path of a repository inside its registry: `library/alpine`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RepositoryName(Arc<str>);

/// What everything named is filed under: a registry and a repository in it.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Repository {
    /// The registry.
    pub registry: Registry,
    /// The repository inside it.
    pub name: RepositoryName,
}

/// A tag: a name that a registry may point elsewhere at any time.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag(Arc<str>);

/// How a manifest is asked for: by a tag, or by the digest that never changes its meaning.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reference {
    /// By tag.
    Tag(Tag),
    /// By digest.
    Digest(Digest),
}

/// Why a text is no name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Not `host[:port]`.
    #[error("a registry is written host or host:port")]
    Registry,
    /// Not lower-case path components joined by `/`, or too long.
    #[error("a repository name is lower-case letters, digits and single separators, at most {MAX_NAME} characters")]
    Repository,
    /// Not a tag.
    #[error("a tag is letters, digits, '_', '.', '-', at most {MAX_TAG} characters")]
    Tag,
    /// A digest that cannot be verified.
    #[error(transparent)]
    Digest(#[from] DigestError),
}

// === impl Registry ===

impl Serialize for Registry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Registry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl Registry {
    /// Docker Hub, as references name it.
    pub fn docker_hub() -> Self {
        Self("docker.io".into())
    }

    /// `host` or `host:port`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a first path component names a registry rather than a namespace: it has a dot or a port, or is
    /// `localhost`, as in the grammar of references.
    pub fn looks_like(component: &str) -> bool {
        component.contains(['.', ':']) || component == "localhost"
    }
}

impl FromStr for Registry {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let lower = text.to_ascii_lowercase();
        let (host, port) = match lower.rsplit_once(':') {
            Some((host, port)) if !host.ends_with(':') && !lower.ends_with(']') => (host, Some(port)),
            _ => (lower.as_str(), None),
        };
        let port_ok = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|p| p > 0));
        if !port_ok || !is_host(host) {
            return Err(NameError::Registry);
        }
        match lower.as_str() {
            "index.docker.io" | "registry-1.docker.io" => Ok(Self::docker_hub()),
            other => Ok(Self(other.into())),
        }
    }
}

/// A DNS name, an IPv4 address or a bracketed IPv6 address.
fn is_host(host: &str) -> bool {
    if let Some(inside) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return inside.parse::<std::net::Ipv6Addr>().is_ok();
    }
    !host.is_empty()
        && host.len() <= 253
        && host.split('.').all(|label| {
            !label.is_empty()
                && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
                && !label.starts_with('-')
                && !label.ends_with('-')
        })
}

// === impl RepositoryName ===

impl RepositoryName {
    /// The name as it stands in a path.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RepositoryName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let fits = text.len() <= MAX_NAME && text.split('/').all(is_component);
        fits.then(|| Self(text.into())).ok_or(NameError::Repository)
    }
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn is_component(component: &str) -> bool {
    let bytes = component.as_bytes();
    let alphanumeric = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    if !bytes.first().is_some_and(alphanumeric) || !bytes.last().is_some_and(alphanumeric) {
        return false;
    }
    bytes
        .split(alphanumeric)
        .all(|separator| matches!(separator, b"" | b"." | b"_" | b"__") || separator.iter().all(|&b| b == b'-'))
}

// === impl Repository ===

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.name)
    }
}

// === impl Tag ===

impl Tag {
    /// The tag as it stands in a path.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Tag {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        let bytes = text.as_bytes();
        let fits = bytes.len() <= MAX_TAG
            && bytes.first().is_some_and(|&b| word(b))
            && bytes.iter().all(|&b| word(b) || b == b'.' || b == b'-');
        fits.then(|| Self(text.into())).ok_or(NameError::Tag)
    }
}

// === impl Reference ===

impl FromStr for Reference {
    type Err = NameError;

    /// A tag cannot hold `:`, so whatever does must be a digest.
    fn from_str(text: &str) -> Result<Self, NameError> {
        if text.contains(':') { Ok(Self::Digest(text.parse()?)) } else { Ok(Self::Tag(text.parse()?)) }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => tag.fmt(f),
            Self::Digest(digest) => digest.fmt(f),
        }
    }
}

macro_rules! text {
    ($($type:ty),*) => {$(
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}
text!(Registry, RepositoryName, Tag);

impl fmt::Debug for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests;
