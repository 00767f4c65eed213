//! Asking for manifests.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, header};
use larder_content::{Fault, SourceError};
use larder_oci::{Digest, MediaType, Reference, RepositoryName, Tag, manifest::MAX_MANIFEST};
use reqwest::Response;

use super::{
    Client,
    transport::{Ask, Transport},
};

/// What an upstream says of a tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// What the tag is.
    pub digest: Digest,
    /// The type, where it said one that can be served.
    pub media_type: Option<MediaType>,
    /// The length in bytes, where it said it.
    pub size: Option<u64>,
    /// The manifest itself, where it had to be fetched to learn its digest.
    pub content: Option<Bytes>,
    /// For how long the answer may be repeated, where it said so: `Cache-Control: max-age`, less the `Age`.
    pub fresh_for: Option<Duration>,
}

/// A manifest as it came.
#[derive(Debug, Clone)]
pub struct FetchedManifest {
    /// Its exact bytes, at most [`MAX_MANIFEST`]. Not verified.
    pub bytes: Bytes,
    /// `Content-Type`, as sent.
    pub content_type: Option<String>,
    /// For how long the answer may be repeated.
    pub fresh_for: Option<Duration>,
}

impl Client {
    /// What `tag` is now. By HEAD, which costs no pull at Docker Hub; by GET where the answer lacks the digest.
    pub async fn resolve(&self, repository: &RepositoryName, tag: &Tag) -> Result<Resolved, SourceError> {
        let ask = accepting(Ask::head(self.url(repository, "manifests", tag.as_str())?));
        match self.ask(ask, repository).await {
            Ok(response) => {
                let headers = response.headers();
                let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
                let digest = headers.get("docker-content-digest").and_then(|value| value.to_str().ok());
                if let Some(digest) = digest.and_then(|digest| digest.parse().ok()) {
                    return Ok(Resolved {
                        digest,
                        media_type: text(header::CONTENT_TYPE).and_then(MediaType::parse),
                        size: text(header::CONTENT_LENGTH).and_then(|size| size.parse().ok()),
                        content: None,
                        fresh_for: fresh_for(headers),
                    });
                }
            }
            // A registry may know no HEAD here (405), or say by it what it would not say to a GET.
            Err(error) if error.fault != Fault::Invalid => return Err(error),
            Err(_) => {}
        }
        let fetched = self.manifest(repository, &Reference::Tag(tag.clone())).await?;
        Ok(Resolved {
            digest: Digest::sha256(&fetched.bytes),
            media_type: fetched.content_type.as_deref().and_then(MediaType::parse),
            size: Some(fetched.bytes.len() as u64),
            content: Some(fetched.bytes),
            fresh_for: fetched.fresh_for,
        })
    }

    /// The manifest that `reference` names.
    pub async fn manifest(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
    ) -> Result<FetchedManifest, SourceError> {
        let ask = accepting(Ask::get(self.url(repository, "manifests", &reference.to_string())?));
        let transport = &self.shared.transport;
        let fetching = async {
            let response = self.ask(ask.clone(), repository).await?;
            let content_type = response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
            let content_type = content_type.map(str::to_owned);
            let fresh_for = fresh_for(response.headers());
            let bytes = read_limited(transport, response, MAX_MANIFEST, &ask).await?;
            Ok(FetchedManifest { bytes, content_type, fresh_for })
        };
        let deadline = transport.small_deadline();
        tokio::time::timeout(deadline, fetching).await.unwrap_or_else(|_| {
            Err(self.error(Fault::TimedOut, format!("{}: took longer than {deadline:?}", ask.describe())))
        })
    }
}

/// Names all four types: who does not ask for indexes is told that there is no such manifest.
fn accepting(ask: Ask) -> Ask {
    MediaType::ALL
        .iter()
        .fold(ask, |ask, media_type| ask.with(header::ACCEPT, HeaderValue::from_static(media_type.as_str())))
}

/// RFC 9111: `max-age` less `Age`.
fn fresh_for(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let directives = text(header::CACHE_CONTROL)?;
    let max_age = directives.split(',').find_map(|one| one.trim().strip_prefix("max-age="))?.parse().ok()?;
    let age = text(header::AGE).and_then(|age| age.trim().parse().ok()).unwrap_or(0);
    Some(Duration::from_secs(max_age).saturating_sub(Duration::from_secs(age)))
}

/// A body of at most `limit` bytes.
pub(super) async fn read_limited(
    transport: &Transport,
    mut response: Response,
    limit: usize,
    ask: &Ask,
) -> Result<Bytes, SourceError> {
    let too_large = || {
        let detail = format!("{}: the answer is larger than {} KiB", ask.describe(), limit >> 10);
        transport.error(Fault::Invalid, detail)
    };
    if response.content_length().is_some_and(|length| length > limit as u64) {
        return Err(too_large());
    }
    let mut bytes = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| transport.broken(&ask.describe(), &error))? {
        if bytes.len() + chunk.len() > limit {
            return Err(too_large());
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.freeze())
}
