//! Why a `hosts.toml` is left as it is. Each message says what to do; none repeats values out of the file, which may
//! hold credentials in its headers.

use super::document::MAX_BYTES;

/// A reason not to edit. The file was not touched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// Larger than any configuration a person wrote.
    #[error("hosts.toml is larger than {MAX_BYTES} bytes; that is no engine configuration: look at what it holds")]
    TooLarge,
    /// Not UTF-8.
    #[error("hosts.toml is not UTF-8 (byte {offset}); save it as UTF-8 without a byte-order mark")]
    NotUtf8 {
        /// Where the first bad byte is.
        offset: usize,
    },
    /// A byte-order mark, which TOML 1.0 does not know.
    #[error("hosts.toml starts with a byte-order mark; Docker ignores such a file: save it as UTF-8 without BOM")]
    Bom,
    /// Not TOML.
    #[error("line {line} of hosts.toml is not TOML ({problem}); Docker ignores such a file: correct that line")]
    Syntax {
        /// Counted from 1.
        line: usize,
        /// What the TOML reader says, without values.
        problem: String,
    },
    /// TOML that only some engines read.
    #[error("line {line} of hosts.toml has {found}; engines before 29.7 ignore such a file: write it as TOML 1.0")]
    LaterToml {
        /// Counted from 1.
        line: usize,
        /// What TOML 1.0 does not have.
        found: &'static str,
    },
    /// A host in another form than a table with a header of its own.
    #[error(
        "line {line} of hosts.toml gives a host in a form that Docker does not take for one; write it as a table with \
         a header of its own: [host.\"https://HOST\"]"
    )]
    HostForm {
        /// Counted from 1.
        line: usize,
    },
    /// A table with both a header and dotted keys, which TOML readers do not agree on.
    #[error(
        "line {line} of hosts.toml opens a table inside one that is written with dotted keys: write both as tables"
    )]
    Mixed {
        /// Counted from 1.
        line: usize,
    },
    /// A key in other letter case. Docker takes it for the key, or for half of it.
    #[error("line {line} of hosts.toml has the key `{wanted}` in other letter case: write it `{wanted}`")]
    KeyCase {
        /// Counted from 1.
        line: usize,
        /// How it is written.
        wanted: &'static str,
    },
    /// A value that Docker does not take under this key.
    #[error("line {line} of hosts.toml: `{key}` wants {wanted}; Docker ignores the file as it is: correct it")]
    Value {
        /// Counted from 1.
        line: usize,
        /// The key.
        key: &'static str,
        /// What it wants.
        wanted: &'static str,
    },
    /// A certificate that cannot be named in TOML.
    #[error(
        "a certificate for {registry} has a file name that is not UTF-8 and cannot be named in hosts.toml: rename it"
    )]
    FileName {
        /// The registry that it is for.
        registry: String,
    },
    /// `_default/hosts.toml`, which rules for this registry now, cannot be taken over.
    #[error("the engine uses _default/hosts.toml for this registry, and that cannot be taken over: {0}")]
    Default(Box<Refusal>),
    /// The edit did more or less than it should. It was thrown away.
    #[error(
        "the edit of hosts.toml failed its own check ({0}) and was not made; this is a bug in Larder: please report it \
         with the file"
    )]
    Internal(&'static str),
}
