//! Answering the protocol: the server half, over a [`Registry`].
//!
//! It reads what is asked, and writes the answer with exactly the headers that engines look at. Two rules come from how
//! engines treat a mirror, and bind every answer: a blob that cannot be had is 404, whatever the reason (a 5xx there
//! costs the classic store 75 s of retries), and nobody is ever asked to authenticate (it would have engines hand over
//! their passwords). And no `Content-Encoding`, whatever was accepted.

mod headers;

pub use headers::{asked_for, is_not_modified};

use std::{fmt, time::Duration};

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version, header};
use http_body::Frame;
use http_body_util::{BodyExt, Empty, Full, StreamBody, combinators::UnsyncBoxBody};
use larder_content::{Blob, BlobBody, Chunk};
use larder_oci::{Digest, MediaType, Reference};
use larder_sendfile::Outbox;

use crate::{
    error::{Code, Error},
    range::Requested,
    route::{Name, Route},
};

/// After how long a blob that cannot be had at the moment is worth asking for again, where nobody said it.
const PASSING: Duration = Duration::from_secs(1);

/// A body of an answer. An error in it cuts the connection, which tells the client that what it has is not all.
pub type Body = UnsyncBoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;

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
    headers::mark(response.headers_mut());
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
        Route::Blob(name, digest) => {
            let is_known = headers::is_not_modified(request.headers(), &digest);
            if head || is_known {
                // Only where it is, and is theirs to ask for.
                let size = registry.blob_size(&name, &digest).await.map_err(no_blob)?;
                let mut headers = headers::naming_blob(&digest);
                if is_known {
                    return Ok(respond(StatusCode::NOT_MODIFIED, headers, empty()));
                }
                headers.insert(header::CONTENT_LENGTH, size.into());
                return Ok(respond(StatusCode::OK, headers, empty()));
            }
            let mut content = registry.blob(&name, &digest).await.map_err(no_blob)?;
            if request.version() < Version::HTTP_11 {
                content = measured(content).await?;
            }
            Ok(blob(request, &digest, content))
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
    let mut headers = headers::naming_manifest(&answer);
    if headers::is_not_modified(request, &answer.digest) {
        return respond(StatusCode::NOT_MODIFIED, headers, empty());
    }
    headers::describe_manifest(&mut headers, answer.media_type, answer.size);
    let body = answer.content.filter(|_| !head).map_or_else(empty, full);
    respond(StatusCode::OK, headers, body)
}

/// HTTP/1.0 tells the end of a body without a length by closing, which is how one that broke ends as well: a client, or a
/// proxy in front of it, would take what came for all.
async fn measured(content: Blob) -> Result<Blob, Error> {
    let content = content.measured().await.map_err(|error| Error::new(Code::BlobUnknown, error.to_string()))?;
    match content.size() {
        Some(_) => Ok(content),
        None => Err(Error::new(Code::BlobUnknown, "its length is not known, which HTTP/1.0 needs")),
    }
}

fn blob<B>(request: &Request<B>, digest: &Digest, content: Blob) -> Response<Body> {
    let outbox = request.extensions().get();
    let mut headers = headers::naming_blob(digest);
    let Some(size) = content.size() else {
        // Its length is not known yet, so neither can a range be: all of it, its end told by the framing.
        return respond(StatusCode::OK, headers, stream(content.read(), outbox));
    };
    match headers::asked_for(request.headers(), digest, size) {
        Requested::All => {
            headers.insert(header::CONTENT_LENGTH, size.into());
            // Not as many as there are by now: a server cuts off what is beyond the length it said.
            respond(StatusCode::OK, headers, stream(content.read_range(0..size), outbox))
        }
        Requested::Part(range) => {
            headers::describe_part(&mut headers, &range, size);
            respond(StatusCode::PARTIAL_CONTENT, headers, stream(content.read_range(range), outbox))
        }
        Requested::Unsatisfiable => {
            let mut response = refuse(&Error::new(Code::RangeInvalid, "the range lies outside the blob"));
            headers::describe_whole(response.headers_mut(), size);
            response
        }
    }
}

/// A blob that cannot be had is not here, whatever the reason: that sends an engine on at once. One that cannot be had at
/// the moment is worth asking for again, which `Retry-After` says: to a cache that has promised its bytes.
fn no_blob(error: Error) -> Error {
    let is_passing = matches!(error.code, Code::Unavailable | Code::TooManyRequests);
    let retry_after = is_passing.then(|| error.retry_after.unwrap_or(PASSING));
    let code = match error.code {
        code @ (Code::NameUnknown | Code::NameInvalid | Code::DigestInvalid) => code,
        _ => Code::BlobUnknown,
    };
    Error { code, retry_after, ..error }
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
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    headers.insert(header::CONTENT_LENGTH, text.len().into());
    respond(status, headers, full(text))
}

fn plain(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(header::CONTENT_LENGTH, text.len().into());
    respond(status, headers, full(text))
}

fn respond(status: StatusCode, headers: HeaderMap, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// A body of a blob. Where the connection can send from files, nothing of it passes through here.
fn stream(body: BlobBody, outbox: Option<&Outbox>) -> Body {
    let frames = stream::unfold(Some((body, outbox.cloned(), true)), |state| async {
        let (mut body, outbox, is_first) = state?;
        if let Some(outbox) = outbox.as_ref().filter(|_| is_first) {
            // hyper asks for a body when all of the answer before has left its hands (`can_headers_buf`). The request it may
            // take earlier, if the one before had a body.
            outbox.clear();
        }
        let chunk = match &outbox {
            None => body.next().await?,
            Some(outbox) => body.next_chunk().await?.map(|chunk| match chunk {
                Chunk::Bytes(bytes) => bytes,
                Chunk::File { file, offset, length } => {
                    let served = body.served();
                    outbox.put(file, offset, length, move |sent| served.add(sent))
                }
            }),
        };
        if chunk.is_err() {
            // hyper throws away what it has not flushed when a body fails, headers included; let it flush first.
            tokio::task::yield_now().await;
        }
        let rest = chunk.is_ok().then_some((body, outbox, false));
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
