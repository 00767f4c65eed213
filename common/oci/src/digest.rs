//! A digest names content by its hash (OCI image specification, "Digests").
//!
//! Only registered algorithms are known: a digest of another one could not be verified, so it is refused here and
//! never becomes a value.

use std::{fmt, str::FromStr};

use aws_lc_rs::digest as hash;
use serde::{Deserialize, Serialize};

/// A registered digest algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    /// SHA-256, which every registry uses.
    Sha256,
    /// SHA-512, which the specification registers and few use.
    Sha512,
}

/// The name of a piece of content: `sha256:<64 hex>` or `sha512:<128 hex>`, always in lower case.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Digest {
    /// A SHA-256 digest.
    Sha256([u8; 32]),
    /// A SHA-512 digest.
    Sha512([u8; 64]),
}

/// Why a text is no digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// There is no `:` between algorithm and hash.
    #[error("a digest is written algorithm:hex")]
    Form,
    /// The algorithm is none of sha256 and sha512.
    #[error("digest algorithm is not sha256 or sha512")]
    Algorithm,
    /// The hash has the wrong length for the algorithm or holds something else than lower-case hex.
    #[error("{0} takes {len} lower-case hex digits", len = 2 * .0.size())]
    Hash(Algorithm),
}

/// Hashes content as it arrives.
#[derive(Clone)]
pub struct Hasher(hash::Context, Algorithm);

// === impl Algorithm ===

impl Algorithm {
    /// The name in a digest, and the folder name in distribution's storage layout.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    /// Length of the hash in bytes.
    pub const fn size(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }

    /// Starts hashing.
    pub fn hasher(self) -> Hasher {
        let algorithm = match self {
            Self::Sha256 => &hash::SHA256,
            Self::Sha512 => &hash::SHA512,
        };
        Hasher(hash::Context::new(algorithm), self)
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

// === impl Digest ===

impl Digest {
    /// The digest of `content` under `algorithm`.
    pub fn of(algorithm: Algorithm, content: &[u8]) -> Self {
        let mut hasher = algorithm.hasher();
        hasher.update(content);
        hasher.finish()
    }

    /// The SHA-256 digest of `content`.
    pub fn sha256(content: &[u8]) -> Self {
        Self::of(Algorithm::Sha256, content)
    }

    /// The algorithm it was made with.
    pub const fn algorithm(&self) -> Algorithm {
        match self {
            Self::Sha256(_) => Algorithm::Sha256,
            Self::Sha512(_) => Algorithm::Sha512,
        }
    }

    /// The hash alone, in lower-case hex.
    pub fn hex(&self) -> String {
        hex::encode(self.bytes())
    }

    /// Whether `content` is what this digest names.
    pub fn matches(&self, content: &[u8]) -> bool {
        Self::of(self.algorithm(), content) == *self
    }

    /// The hash alone: 32 or 64 bytes.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Sha256(bytes) => bytes,
            Self::Sha512(bytes) => bytes,
        }
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let (algorithm, hash) = text.split_once(':').ok_or(DigestError::Form)?;
        let lower_hex = hash.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        match algorithm {
            "sha256" => {
                let mut bytes = [0; 32];
                let read = lower_hex && hex::decode_to_slice(hash, &mut bytes).is_ok();
                read.then_some(Self::Sha256(bytes)).ok_or(DigestError::Hash(Algorithm::Sha256))
            }
            "sha512" => {
                let mut bytes = [0; 64];
                let read = lower_hex && hex::decode_to_slice(hash, &mut bytes).is_ok();
                read.then_some(Self::Sha512(bytes)).ok_or(DigestError::Hash(Algorithm::Sha512))
            }
            _ => Err(DigestError::Algorithm),
        }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm(), self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

// === impl Hasher ===

impl Hasher {
    /// Takes in the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of everything taken in.
    pub fn finish(self) -> Digest {
        let hash = self.0.finish();
        let hash = hash.as_ref();
        match self.1 {
            Algorithm::Sha256 => Digest::Sha256(hash.try_into().expect("SHA-256 gives 32 bytes")),
            Algorithm::Sha512 => Digest::Sha512(hash.try_into().expect("SHA-512 gives 64 bytes")),
        }
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Hasher").field(&self.1).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn names_content() {
        let digest = Digest::sha256(b"");
        assert_eq!(digest.to_string(), EMPTY);
        assert_eq!(EMPTY.parse(), Ok(digest));
        assert!(digest.matches(b"") && !digest.matches(b"x"));
        let long = Digest::of(Algorithm::Sha512, b"abc");
        assert_eq!(long.to_string().parse(), Ok(long));
        assert!(long.to_string().starts_with("sha512:ddaf35a1"));
    }

    #[test]
    fn refuses_what_cannot_be_verified() {
        use DigestError::{Algorithm as A, Form, Hash};
        let upper = EMPTY.to_uppercase().replace("SHA256", "sha256");
        for (text, error) in [
            ("", Form),
            ("e3b0", Form),
            ("md5:d41d8cd98f00b204e9800998ecf8427e", A),
            ("SHA256:00", A),
            ("sha256:", Hash(Algorithm::Sha256)),
            ("sha256:zz", Hash(Algorithm::Sha256)),
            (&upper, Hash(Algorithm::Sha256)),
            (&EMPTY[..EMPTY.len() - 1], Hash(Algorithm::Sha256)),
            (&format!("{EMPTY}0"), Hash(Algorithm::Sha256)),
            (&EMPTY.replace("sha256", "sha512"), Hash(Algorithm::Sha512)),
            ("sha256:../../../etc/passwd", Hash(Algorithm::Sha256)),
        ] {
            assert_eq!(text.parse::<Digest>(), Err(error), "{text}");
        }
    }
}
