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

/// Length of the longest text of a digest.
const LONGEST: usize = "sha512:".len() + 2 * 64;

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
        self.text(&mut [0; LONGEST])[self.algorithm().name().len() + 1..].to_owned()
    }

    /// Whether `content` is what this digest names.
    pub fn matches(&self, content: &[u8]) -> bool {
        Self::of(self.algorithm(), content) == *self
    }

    /// The whole text, written into `buffer`: every answer holds it twice, so it is made without a String.
    fn text<'a>(&self, buffer: &'a mut [u8; LONGEST]) -> &'a str {
        let (algorithm, bytes) = (self.algorithm().name(), self.bytes());
        let hash = algorithm.len() + 1;
        let text = &mut buffer[..hash + 2 * bytes.len()];
        text[..hash - 1].copy_from_slice(algorithm.as_bytes());
        text[hash - 1] = b':';
        hex::encode_to_slice(bytes, &mut text[hash..]).expect("there are two digits for each byte");
        std::str::from_utf8(text).expect("hex and the names of algorithms are ASCII")
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
        match algorithm {
            "sha256" => lower_hex(hash).map(Self::Sha256).ok_or(DigestError::Hash(Algorithm::Sha256)),
            "sha512" => lower_hex(hash).map(Self::Sha512).ok_or(DigestError::Hash(Algorithm::Sha512)),
            _ => Err(DigestError::Algorithm),
        }
    }
}

/// Reads exactly `N` bytes in lower-case hex.
fn lower_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    /// The value of a digit; 255 for what is none.
    const VALUES: [u8; 256] = {
        let (mut values, mut value) = ([255; 256], 0);
        while value < 16 {
            values[b"0123456789abcdef"[value as usize] as usize] = value;
            value += 1;
        }
        values
    };
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
    let pairs: &[[u8; 2]; N] = pairs.try_into().ok()?;
    // Neither digit of a pair that is hex has a bit of the upper four; whatever is none has all of them.
    let wrong = pairs.as_flattened().iter().fold(0, |wrong, &digit| wrong | VALUES[usize::from(digit)]);
    let byte = |&[high, low]: &[u8; 2]| VALUES[usize::from(high)] << 4 | VALUES[usize::from(low)];
    (wrong < 16).then(|| std::array::from_fn(|at| byte(&pairs[at])))
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text(&mut [0; LONGEST]))
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
            (&EMPTY.replace("855", "85g"), Hash(Algorithm::Sha256)),
            (&EMPTY.replace("855", "8\u{e9}"), Hash(Algorithm::Sha256)),
            (&format!("{EMPTY}0"), Hash(Algorithm::Sha256)),
            (&EMPTY.replace("sha256", "sha512"), Hash(Algorithm::Sha512)),
            ("sha256:../../../etc/passwd", Hash(Algorithm::Sha256)),
        ] {
            assert_eq!(text.parse::<Digest>(), Err(error), "{text}");
        }
    }
}
