//! Why a `daemon.json` is left as it is. Each message says what to do; none repeats values out of the file, which may
//! hold credentials.

use super::document::{MAX_BYTES, MAX_DEPTH};

/// A reason not to edit. The file was not touched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// Larger than any configuration a person wrote.
    #[error("daemon.json is larger than {MAX_BYTES} bytes; that is no engine configuration: look at what it holds")]
    TooLarge,
    /// Not UTF-8, for example UTF-16 as PowerShell writes it.
    #[error("daemon.json is not UTF-8 (byte {offset}); save it as UTF-8 without a byte-order mark")]
    NotUtf8 {
        /// Where the first bad byte is.
        offset: usize,
    },
    /// A byte-order mark, on an engine before 23.
    #[error(
        "daemon.json starts with a byte-order mark, which this engine (before 23) cannot read and would not start with; save it as UTF-8 without BOM"
    )]
    Bom,
    /// A comment, which JSON does not have.
    #[error(
        "daemon.json holds a comment in line {line}; dockerd reads plain JSON and would not start with it: take the comments out"
    )]
    Comment {
        /// Counted from 1.
        line: usize,
    },
    /// A comma before a closing brace or bracket.
    #[error(
        "daemon.json has a comma before a closing brace or bracket in line {line}; dockerd would not start with it: take the comma out"
    )]
    TrailingComma {
        /// Counted from 1.
        line: usize,
    },
    /// Something after the closing brace. 20.10 overlooks it, later engines do not start with it.
    #[error(
        "daemon.json goes on after its closing brace, in line {line}; engines from 23 on would not start with it: take the rest out"
    )]
    TrailingGarbage {
        /// Counted from 1.
        line: usize,
    },
    /// Any other text that dockerd's JSON reader does not take.
    #[error(
        "daemon.json is not JSON that dockerd can read ({problem}); dockerd would not start with it: correct that place first"
    )]
    Syntax {
        /// What and where, in the words of the JSON reader.
        problem: String,
    },
    /// Nested deeper than any engine option.
    #[error("daemon.json nests deeper than {MAX_DEPTH} levels; that is no engine configuration: look at what it holds")]
    TooDeep,
    /// The text is JSON, but not an object.
    #[error("daemon.json holds {found} at its top; dockerd wants an object: write {{}} or the options in braces")]
    NotAnObject {
        /// The type that is there.
        found: &'static str,
    },
    /// Our key in other letter case: to dockerd an unknown option, for which it refuses the whole file.
    #[error("daemon.json has the key `{found}`; dockerd knows only `registry-mirrors` and would not start: rename it")]
    KeyCase {
        /// The key as it stands there.
        found: String,
    },
    /// `registry-mirrors` is something else than a list.
    #[error(
        "`registry-mirrors` in daemon.json is {found}; dockerd wants a list of addresses and would not start: correct it"
    )]
    NotAList {
        /// The type that is there.
        found: &'static str,
    },
    /// An entry of `registry-mirrors` is something else than a string.
    #[error(
        "entry {position} of `registry-mirrors` in daemon.json is {found}; dockerd wants addresses and would not start: correct it"
    )]
    NotAnAddress {
        /// Counted from 1.
        position: usize,
        /// The type that is there.
        found: &'static str,
    },
    /// dockerd was started with `--registry-mirror`.
    #[error(
        "dockerd runs with --registry-mirror, and with that flag and `registry-mirrors` in daemon.json it would not \
         start again: move the mirrors from dockerd's command line (its systemd unit) to daemon.json"
    )]
    FlagConflict,
    /// The edit did more or less than it should. It was thrown away.
    #[error(
        "the edit of daemon.json failed its own check ({0}) and was not made; this is a bug in Larder: please report it with the file"
    )]
    Internal(&'static str),
}
