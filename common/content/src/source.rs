//! Where content can be had from: the trait, and how a source fails.

use std::{fmt, ops::Range, pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{Stream, future::BoxFuture};
use larder_oci::Digest;

/// The bytes of a blob as they arrive.
pub type ByteStream = Pin<Box<dyn Stream<Item = Result<Bytes, SourceError>> + Send>>;

/// Somewhere that may have a blob: an upstream registry, the hub, a peer, an archive.
///
/// A source says its name for logs and metrics, and gives bytes by range. It does not verify: whoever fetches does.
pub trait Source: Send + Sync + 'static {
    /// The name that logs and metrics give it, such as the registry's host.
    fn name(&self) -> &str;

    /// Asks for `range` of `digest`. The answer may hold more than was asked for (a source that knows no ranges gives
    /// everything); [`Fetched::start`] says where it begins.
    fn fetch<'a>(&'a self, digest: &'a Digest, range: ByteRange) -> BoxFuture<'a, Result<Fetched, SourceError>>;

    /// Asks whether it has `digest`, and how long that is, in bytes, where it says so. A source that answers that without
    /// fetching anything itself should be asked so; the others are asked for one byte.
    fn size<'a>(&'a self, digest: &'a Digest) -> BoxFuture<'a, Result<Option<u64>, SourceError>> {
        Box::pin(async move {
            // The empty blob has no first byte.
            let range = if digest.matches(b"") { ByteRange::ALL } else { (0..1).into() };
            Ok(self.fetch(digest, range).await?.total)
        })
    }
}

/// Which bytes are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteRange {
    /// Offset of the first byte.
    pub start: u64,
    /// Offset after the last byte; `None` is the end of the blob.
    pub end: Option<u64>,
}

/// A source's answer, its body still to come.
pub struct Fetched {
    /// Offset of the body's first byte in the blob.
    pub start: u64,
    /// Length of the whole blob in bytes, where the source said it.
    pub total: Option<u64>,
    /// The bytes.
    pub body: ByteStream,
}

/// Why a source did not give what it was asked for.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{source_name}: {detail}")]
pub struct SourceError {
    /// [`Source::name`] of the one to blame.
    pub source_name: Arc<str>,
    /// What kind of failure, for whoever must decide what comes next.
    pub fault: Fault,
    /// For the log: what was being done and what came of it. Never holds a credential.
    pub detail: Arc<str>,
}

/// The kinds of failure that callers tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// It answered that it does not have it.
    NotFound,
    /// It answered that we may not have it (401, 403).
    Denied,
    /// It answered that we ask too often, and perhaps for how long.
    Limited(Option<Duration>),
    /// No connection, or one that broke.
    Unreachable,
    /// It did not answer, or stopped answering, within the deadline.
    TimedOut,
    /// It answered that it is in trouble (5xx).
    Failing,
    /// It answered with something that is not the protocol.
    Invalid,
    /// It gave bytes that are not what the digest names.
    Corrupt,
    /// We did not ask, because it is known not to answer now.
    Skipped,
}

// === impl ByteRange ===

impl ByteRange {
    /// The whole blob.
    pub const ALL: Self = Self { start: 0, end: None };
}

impl From<Range<u64>> for ByteRange {
    fn from(range: Range<u64>) -> Self {
        Self { start: range.start, end: Some(range.end) }
    }
}

// === impl Fetched ===

impl fmt::Debug for Fetched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetched").field("start", &self.start).field("total", &self.total).finish_non_exhaustive()
    }
}

// === impl SourceError ===

impl SourceError {
    /// An error of the source called `source_name`.
    pub fn new(source_name: &str, fault: Fault, detail: impl fmt::Display) -> Self {
        Self { source_name: source_name.into(), fault, detail: detail.to_string().into() }
    }
}

// === impl Fault ===

impl Fault {
    /// Every [`Fault::label`].
    pub const LABELS: [&'static str; 9] =
        ["not_found", "denied", "limited", "unreachable", "timed_out", "failing", "invalid", "corrupt", "skipped"];

    /// A short name, as a metric's label has it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::Denied => "denied",
            Self::Limited(_) => "limited",
            Self::Unreachable => "unreachable",
            Self::TimedOut => "timed_out",
            Self::Failing => "failing",
            Self::Invalid => "invalid",
            Self::Corrupt => "corrupt",
            Self::Skipped => "skipped",
        }
    }

    /// Whether the source spoke to the question: a yes or no of its own, not a failure to answer.
    pub const fn is_answer(self) -> bool {
        matches!(self, Self::NotFound | Self::Denied)
    }
}
