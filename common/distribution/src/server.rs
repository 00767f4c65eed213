//! Answering the protocol: the server half, over a [`Registry`].
//!
//! It reads what is asked, and writes the answer with exactly the headers that engines look at. Two rules come from how
//! engines treat a mirror, and bind every answer: a blob that cannot be had is 404, whatever the reason (a 5xx there
//! costs the classic store 75 s of retries), and nobody is ever asked to authenticate (it would have engines hand over
//! their passwords). And no `Content-Encoding`, whatever was accepted.

use std::{fmt, time::Duration};

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header, response::Builder};
use http_body::Frame;
use http_body_util::{BodyExt, Empty, Full, StreamBody, combinators::UnsyncBoxBody};
use larder_content::{Blob, BlobBody, Chunk};
use larder_oci::{Digest, MediaType, Reference};
use larder_sendfile::Outbox;

use crate::{
    error::{Code, Error},
    range::{Requested, requested},
    route::{Name, Route},
};

/// A body of an answer. An error in it cuts the connection, which tells the client that what it has is not all.
pub type Body = UnsyncBoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;

/// How long a client may keep what a digest names: as long as it likes.
const FOREVER: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// What a server answers from.
pub trait Registry: Send + Sync + 'static {
    /// The manifest that `reference` names. With `head`, only what its headers need.
    fn manifest(
        &self,
        name: &Name,
        reference: &Reference,
        head: bool,
    ) -> impl Future<Output = Result<ManifestAnswer, Error>> + Send;

    /// The blob, to be read.
    fn blob(&self, name: &Name, digest: &Digest) -> impl Future<Output = Result<Blob, Error>> + Send;

    /// The length of the blob in bytes, without starting a download of it.
    fn blob_size(&self, name: &Name, digest: &Digest) -> impl Future<Output = Result<u64, Error>> + Send;
}

/// A manifest, or what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestAnswer {
    /// Its digest.
    pub digest: Digest,
    /// Its type.
    pub media_type: MediaType,
    /// Its length in bytes.
    pub size: u64,
    /// Its exact bytes. May be `None` for a HEAD.
    pub content: Option<Bytes>,
    /// For how long the answer may be repeated, where it was asked for by tag.
    pub fresh_for: Option<Duration>,
}

/// Which handler an answer came from, as an extension of it: for logs and metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Handler(pub &'static str);

/// Answers one request. The request's body is never read: nothing that a pull-through cache serves has one.
pub async fn answer<R: Registry, B>(registry: &R, request: &Request<B>) -> Response<Body> {
    let (handler, outcome) = match Route::parse(request.uri().path(), request.uri().query()) {
        Ok(Some(route)) => (route.handler(), dispatch(registry, request, route).await),
        Ok(None) => ("none", Ok(plain(StatusCode::NOT_FOUND, "404 page not found\n"))),
        Err(error) => ("none", Err(error)),
    };
    let mut response = outcome.unwrap_or_else(|error| refuse(&error));
    let headers = response.headers_mut();
    headers.insert("docker-distribution-api-version", HeaderValue::from_static("registry/2.0"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response.extensions_mut().insert(Handler(handler));
    response
}

async fn dispatch<R: Registry, B>(registry: &R, request: &Request<B>, route: Route) -> Result<Response<Body>, Error> {
    let head = match *request.method() {
        Method::GET => false,
        Method::HEAD => true,
        _ => return Err(Error::new(Code::Unsupported, "this is a pull-through cache: push to the registry itself")),
    };
    match route {
        Route::Root => Ok(plain(StatusCode::OK, "")),
        Route::Base => Ok(json(StatusCode::OK, "{}".to_owned())),
        // A cache knows what it was asked for, not what there is.
        Route::Catalog => Ok(json(StatusCode::OK, r#"{"repositories":[]}"#.to_owned())),
        Route::Manifest(name, reference) => {
            let answer = registry.manifest(&name, &reference, head).await?;
            Ok(manifest(request.headers(), answer, head))
        }
        Route::Blob(name, digest) if head => {
            let size = registry.blob_size(&name, &digest).await.map_err(no_blob)?;
            Ok(finish(blob_headers(&digest, StatusCode::OK).header(header::CONTENT_LENGTH, size), empty()))
        }
        Route::Blob(name, digest) => {
            if not_modified(request.headers(), &digest) {
                // Only where it is, and is theirs to ask for.
                registry.blob_size(&name, &digest).await.map_err(no_blob)?;
                return Ok(finish(blob_headers(&digest, StatusCode::NOT_MODIFIED), empty()));
            }
            let content = registry.blob(&name, &digest).await.map_err(no_blob)?;
            blob(request, &digest, content)
        }
        Route::Tags(_) => Err(Error::new(Code::NameUnknown, "this cache does not list tags: ask the registry itself")),
        // Clients then look for the tag that stands for the list (distribution specification, "Listing Referrers").
        Route::Referrers(..) => Err(Error::new(Code::ManifestUnknown, "this cache does not list referrers")),
        Route::Upload => {
            Err(Error::new(Code::Unsupported, "this is a pull-through cache: push to the registry itself"))
        }
    }
}

fn manifest(request: &HeaderMap, answer: ManifestAnswer, head: bool) -> Response<Body> {
    let ManifestAnswer { digest, media_type, size, content, fresh_for } = answer;
    let mut builder = Response::builder()
        .header("docker-content-digest", digest.to_string())
        .header(header::ETAG, format!("\"{digest}\""));
    if let Some(fresh_for) = fresh_for {
        builder = builder.header(header::CACHE_CONTROL, format!("max-age={}", fresh_for.as_secs()));
    }
    if not_modified(request, &digest) {
        return finish(builder.status(StatusCode::NOT_MODIFIED), empty());
    }
    builder = builder.header(header::CONTENT_TYPE, media_type.as_str()).header(header::CONTENT_LENGTH, size);
    let body = content.filter(|_| !head).map_or_else(empty, full);
    finish(builder, body)
}

fn blob<B>(request: &Request<B>, digest: &Digest, content: Blob) -> Result<Response<Body>, Error> {
    let outbox = request.extensions().get();
    let request = request.headers();
    let Some(size) = content.size() else {
        // Its length is not known yet, so neither can a range be: all of it, its end told by the framing.
        return Ok(finish(blob_headers(digest, StatusCode::OK), stream(content.read(), outbox)));
    };
    let etag = format!("\"{digest}\"");
    let if_range = request.get(header::IF_RANGE).is_none_or(|value| value.as_bytes() == etag.as_bytes());
    let range = request.get(header::RANGE).and_then(|value| value.to_str().ok()).filter(|_| if_range);
    match requested(range, size) {
        Requested::All => {
            let builder = blob_headers(digest, StatusCode::OK).header(header::CONTENT_LENGTH, size);
            Ok(finish(builder, stream(content.read(), outbox)))
        }
        Requested::Part(range) => {
            let builder = blob_headers(digest, StatusCode::PARTIAL_CONTENT)
                .header(header::CONTENT_LENGTH, range.end - range.start)
                .header(header::CONTENT_RANGE, format!("bytes {}-{}/{size}", range.start, range.end - 1));
            Ok(finish(builder, stream(content.read_range(range), outbox)))
        }
        Requested::Unsatisfiable => {
            let mut response = refuse(&Error::new(Code::RangeInvalid, "the range lies outside the blob"));
            let value = HeaderValue::try_from(format!("bytes */{size}")).expect("digits are a header value");
            response.headers_mut().insert(header::CONTENT_RANGE, value);
            Ok(response)
        }
    }
}

fn blob_headers(digest: &Digest, status: StatusCode) -> Builder {
    Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, "application/octet-stream")
        .header("docker-content-digest", digest.to_string())
        .header(header::ETAG, format!("\"{digest}\""))
        .header(header::CACHE_CONTROL, FOREVER)
        .header(header::ACCEPT_RANGES, "bytes")
}

/// `If-None-Match` against a strong validator that is the digest.
fn not_modified(request: &HeaderMap, digest: &Digest) -> bool {
    let digest = digest.to_string();
    request.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok()).any(|list| {
        list.split(',')
            .map(|one| one.trim().trim_start_matches("W/").trim_matches('"'))
            .any(|tag| tag == "*" || tag == digest)
    })
}

/// A blob that cannot be had is not here, whatever the reason: that sends an engine on at once.
fn no_blob(error: Error) -> Error {
    let code = match error.code {
        code @ (Code::NameUnknown | Code::NameInvalid | Code::DigestInvalid) => code,
        _ => Code::BlobUnknown,
    };
    Error { code, retry_after: None, ..error }
}

/// The answer that tells a client why not.
pub fn refuse(error: &Error) -> Response<Body> {
    let mut response = json(error.code.status(), error.body());
    if let Some(after) = error.retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(after.as_secs().max(1)));
    }
    if error.code == Code::Unsupported {
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    response
}

fn json(status: StatusCode, text: String) -> Response<Body> {
    let builder = Response::builder().status(status).header(header::CONTENT_TYPE, "application/json; charset=utf-8");
    finish(builder.header(header::CONTENT_LENGTH, text.len()), full(text))
}

fn plain(status: StatusCode, text: &'static str) -> Response<Body> {
    let builder = Response::builder().status(status).header(header::CONTENT_TYPE, "text/plain; charset=utf-8");
    finish(builder.header(header::CACHE_CONTROL, "no-cache").header(header::CONTENT_LENGTH, text.len()), full(text))
}

fn finish(builder: Builder, body: Body) -> Response<Body> {
    builder.body(body).expect("header values made of digests and numbers are valid")
}

/// A body of a blob. Where the connection can send from files, nothing of it passes through here.
fn stream(body: BlobBody, outbox: Option<&Outbox>) -> Body {
    let outbox = outbox.cloned();
    let frames = stream::unfold(Some((body, outbox)), |state| async {
        let (mut body, outbox) = state?;
        let chunk = match &outbox {
            None => body.next().await?,
            Some(outbox) => body.next_chunk().await?.map(|chunk| match chunk {
                Chunk::Bytes(bytes) => bytes,
                Chunk::File { file, offset, length } => outbox.put(file, offset, length),
            }),
        };
        if chunk.is_err() {
            // hyper throws away what it has not flushed when a body fails, headers included; let it flush first.
            tokio::task::yield_now().await;
        }
        let rest = chunk.is_ok().then_some((body, outbox));
        Some((chunk.map(Frame::data).map_err(Into::into), rest))
    });
    BodyExt::boxed_unsync(StreamBody::new(frames))
}

fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

fn empty() -> Body {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

impl fmt::Display for Handler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

#[cfg(test)]
mod tests;
