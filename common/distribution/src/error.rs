//! The protocol's errors (distribution specification, "Error Codes").

use std::{borrow::Cow, time::Duration};

use http::StatusCode;
use serde_json::json;

/// What a client is told when it does not get what it asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code:?}: {message}")]
pub struct Error {
    /// The code that programs read.
    pub code: Code,
    /// The sentence that people read. Never holds anything internal.
    pub message: Cow<'static, str>,
    /// When it is worth asking again.
    pub retry_after: Option<Duration>,
}

/// An error code of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// No such blob here.
    BlobUnknown,
    /// The digest is malformed, or of an algorithm that cannot be verified.
    DigestInvalid,
    /// No such manifest here.
    ManifestUnknown,
    /// The manifest cannot be served: too large, malformed, or of an unknown type.
    ManifestInvalid,
    /// The repository name is malformed.
    NameInvalid,
    /// No such repository or registry here.
    NameUnknown,
    /// The tag is malformed.
    TagInvalid,
    /// The range lies outside the blob.
    RangeInvalid,
    /// The upstream does not let us have it.
    Denied,
    /// Not a thing that a pull-through cache does.
    Unsupported,
    /// The upstream says that we ask too often.
    TooManyRequests,
    /// It cannot be had at this time.
    Unavailable,
}

impl Code {
    /// The code as it stands in an answer.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BlobUnknown => "BLOB_UNKNOWN",
            Self::DigestInvalid => "DIGEST_INVALID",
            Self::ManifestUnknown => "MANIFEST_UNKNOWN",
            Self::ManifestInvalid => "MANIFEST_INVALID",
            Self::NameInvalid => "NAME_INVALID",
            Self::NameUnknown => "NAME_UNKNOWN",
            Self::TagInvalid => "TAG_INVALID",
            Self::RangeInvalid => "RANGE_INVALID",
            Self::Denied => "DENIED",
            Self::Unsupported => "UNSUPPORTED",
            Self::TooManyRequests => "TOOMANYREQUESTS",
            Self::Unavailable => "UNAVAILABLE",
        }
    }

    /// The status it is sent with.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::BlobUnknown | Self::ManifestUnknown | Self::NameUnknown => StatusCode::NOT_FOUND,
            Self::DigestInvalid | Self::NameInvalid | Self::TagInvalid => StatusCode::BAD_REQUEST,
            // It is the upstream's manifest that is bad, not the request.
            Self::ManifestInvalid => StatusCode::BAD_GATEWAY,
            Self::RangeInvalid => StatusCode::RANGE_NOT_SATISFIABLE,
            Self::Denied => StatusCode::FORBIDDEN,
            Self::Unsupported => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

impl Error {
    /// An error with a code and a sentence.
    pub fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: message.into(), retry_after: None }
    }

    /// The body: `{"errors":[{"code":…,"message":…}]}`.
    pub fn body(&self) -> String {
        json!({ "errors": [{ "code": self.code.as_str(), "message": self.message }] }).to_string()
    }
}
