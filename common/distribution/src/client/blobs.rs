//! Asking for blobs: a registry's repository as a source of content.

use futures_util::{StreamExt as _, future::BoxFuture};
use http::{HeaderValue, StatusCode, header};
use larder_content::{ByteRange, Fault, Fetched, Source, SourceError};
use larder_oci::{Digest, RepositoryName};

use super::{Client, transport::Ask};
use crate::range::content_range;

/// The blobs of one repository at a registry.
#[derive(Debug, Clone)]
pub struct RepositoryBlobs {
    client: Client,
    repository: RepositoryName,
}

impl Client {
    /// The blobs of `repository`.
    pub fn blobs(&self, repository: &RepositoryName) -> RepositoryBlobs {
        RepositoryBlobs { client: self.clone(), repository: repository.clone() }
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
    async fn fetch(&self, digest: &Digest, range: ByteRange) -> Result<Fetched, SourceError> {
        let Self { client, repository } = self;
        let mut ask = Ask::get(client.url(repository, "blobs", &digest.to_string())?);
        if range != ByteRange::ALL {
            let last = range.end.map(|end| end.saturating_sub(1).to_string()).unwrap_or_default();
            let value = HeaderValue::try_from(format!("bytes={}-{last}", range.start));
            ask = ask.with(header::RANGE, value.expect("digits and dashes are a header value"));
        }
        let response = client.ask(ask.clone(), repository).await?;
        let (start, total) = if response.status() == StatusCode::PARTIAL_CONTENT {
            let header = response.headers().get(header::CONTENT_RANGE).and_then(|value| value.to_str().ok());
            header.and_then(content_range).filter(|(start, _)| *start == range.start).ok_or_else(|| {
                client.error(Fault::Invalid, format!("{}: answered with another range than asked", ask.describe()))
            })?
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
}
