//! Asking for blobs: a registry's repository as a source of content.

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::{StreamExt as _, future::BoxFuture, stream};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use larder_content::{ByteRange, Fault, Fetched, Source, SourceError};
use larder_oci::{Digest, RepositoryName};
use reqwest::Response;

use super::{Client, transport::Ask};
use crate::range::{content_range, unsatisfied_range};

/// A server that gives all instead of a range is asked again, without a condition, if that saves more than this, in
/// bytes.
const WORTH_ASKING_AGAIN: u64 = 1 << 20;

/// The blobs of one repository at a registry.
///
/// Whether it has one is asked by GET of one byte, as [`Source::size`] does: some registries answer 404 to a HEAD of a blob
/// that they have (Harbor's proxy projects). Where HEAD is known to be right there is [`RepositoryBlobs::head`].
#[derive(Debug, Clone)]
pub struct RepositoryBlobs {
    client: Client,
    repository: RepositoryName,
    /// What was last asked for, and the validator that the server gave with it: a range of the same is asked for only as
    /// long as that holds (RFC 9110, section 13.1.5).
    validator: Arc<Mutex<Option<(Digest, HeaderValue)>>>,
}

impl Client {
    /// The blobs of `repository`.
    pub fn blobs(&self, repository: &RepositoryName) -> RepositoryBlobs {
        RepositoryBlobs { client: self.clone(), repository: repository.clone(), validator: Arc::default() }
    }
}

impl Source for RepositoryBlobs {
    fn name(&self) -> &str {
        self.client.name()
    }

    fn fetch<'a>(&'a self, digest: &'a Digest, range: ByteRange) -> BoxFuture<'a, Result<Fetched, SourceError>> {
        Box::pin(self.fetch(digest, range))
    }
}

impl RepositoryBlobs {
    /// Asks by HEAD whether there is a blob, and how long it is, in bytes, where that is said.
    ///
    /// # Errors
    /// When there is none, or no answer.
    pub async fn head(&self, digest: &Digest) -> Result<Option<u64>, SourceError> {
        let Self { client, repository, .. } = self;
        let ask = Ask::head(client.url(repository, "blobs", &digest.to_string())?);
        let response = client.ask(ask, repository).await?;
        let length = response.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
        Ok(length.and_then(|length| length.parse().ok()))
    }

    async fn fetch(&self, digest: &Digest, range: ByteRange) -> Result<Fetched, SourceError> {
        let Self { client, repository, .. } = self;
        let mut ask = Ask::get(client.url(repository, "blobs", &digest.to_string())?);
        if range != ByteRange::ALL {
            let last = range.end.map(|end| end.saturating_sub(1).to_string()).unwrap_or_default();
            let value = HeaderValue::try_from(format!("bytes={}-{last}", range.start));
            ask = ask.with(header::RANGE, value.expect("digits and dashes are a header value"));
        }
        let condition = self.validator(digest).filter(|_| range != ByteRange::ALL);
        let conditional =
            condition.map_or_else(|| ask.clone(), |validator| ask.clone().with(header::IF_RANGE, validator));
        let response = client.send(&conditional, repository).await?;
        if says_nothing_is_left(&response, range) {
            let body = stream::empty().boxed();
            return Ok(Fetched { start: range.start, total: Some(range.start), body });
        }
        let mut response = client.shared.transport.accept(response, &conditional)?;
        let is_whole = response.status() != StatusCode::PARTIAL_CONTENT;
        if is_whole && conditional.headers.contains_key(header::IF_RANGE) && range.start > WORTH_ASKING_AGAIN {
            // Content does not change under its digest, but validators do from one storage server to the next.
            response = client.ask(ask.clone(), repository).await?;
        }
        self.learn(digest, response.headers());
        let (start, total) = if response.status() == StatusCode::PARTIAL_CONTENT {
            content_range_of(&response).and_then(content_range).filter(|(start, _)| *start == range.start).ok_or_else(
                || client.error(Fault::Invalid, format!("{}: answered with another range than asked", ask.describe())),
            )?
        } else {
            (0, response.content_length())
        };
        let (client, what) = (client.clone(), ask.describe());
        let body = response
            .bytes_stream()
            .map(move |chunk| chunk.map_err(|error| client.shared.transport.broken(&what, &error)))
            .boxed();
        Ok(Fetched { start, total, body })
    }

    fn validator(&self, digest: &Digest) -> Option<HeaderValue> {
        let validator = self.validator.lock().unwrap_or_else(PoisonError::into_inner);
        validator.as_ref().filter(|(of, _)| of == digest).map(|(_, validator)| validator.clone())
    }

    fn learn(&self, digest: &Digest, headers: &HeaderMap) {
        // A weak one does not say that the bytes are the same.
        let strong = headers.get(header::ETAG).filter(|tag| tag.as_bytes().starts_with(b"\""));
        *self.validator.lock().unwrap_or_else(PoisonError::into_inner) = strong.map(|tag| (*digest, tag.clone()));
    }
}

/// Whether the answer is that the blob ends where `range` begins: a body that said no length broke after its last byte, and
/// that could not be known.
fn says_nothing_is_left(response: &Response, range: ByteRange) -> bool {
    response.status() == StatusCode::RANGE_NOT_SATISFIABLE
        && range != ByteRange::ALL
        && content_range_of(response).and_then(unsatisfied_range) == Some(range.start)
}

fn content_range_of(response: &Response) -> Option<&str> {
    response.headers().get(header::CONTENT_RANGE)?.to_str().ok()
}
