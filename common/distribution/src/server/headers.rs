//! The headers of answers, and what a request's own headers ask of them. Pure.
//!
//! Every answer passes here: nothing is written into a text that the answer does not need.

use std::ops::Range;

use http::{HeaderMap, HeaderName, HeaderValue, header};
use larder_oci::{Digest, MediaType};

use super::ManifestAnswer;
use crate::range::{Requested, requested};

const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");
const API_VERSION: HeaderName = HeaderName::from_static("docker-distribution-api-version");

/// How long a client may keep what a digest names: as long as it likes.
const FOREVER: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// Room for the headers of any answer: a map that grows moves all it has.
const ROOM: usize = 12;

/// What names a manifest: in any answer about it.
pub(super) fn naming_manifest(answer: &ManifestAnswer) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(ROOM);
    name(&mut headers, &answer.digest);
    if let Some(fresh_for) = answer.fresh_for {
        headers.insert(header::CACHE_CONTROL, value(format!("max-age={}", fresh_for.as_secs())));
    }
    headers
}

/// What describes the bytes of a manifest.
pub(super) fn describe_manifest(headers: &mut HeaderMap, media_type: MediaType, size: u64) {
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type.as_str()));
    headers.insert(header::CONTENT_LENGTH, size.into());
}

/// What names a blob: in any answer about it.
pub(super) fn naming_blob(digest: &Digest) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(ROOM);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    name(&mut headers, digest);
    headers.insert(header::CACHE_CONTROL, FOREVER);
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers
}

/// Which bytes of a blob of `size` bytes an answer holds.
pub(super) fn describe_part(headers: &mut HeaderMap, range: &Range<u64>, size: u64) {
    headers.insert(header::CONTENT_LENGTH, (range.end - range.start).into());
    let part = format!("bytes {}-{}/{size}", range.start, range.end - 1);
    headers.insert(header::CONTENT_RANGE, value(part));
}

/// That a blob of `size` bytes does not have the range asked for.
pub(super) fn describe_whole(headers: &mut HeaderMap, size: u64) {
    headers.insert(header::CONTENT_RANGE, value(format!("bytes */{size}")));
}

/// What every answer says.
pub(super) fn mark(headers: &mut HeaderMap) {
    headers.insert(API_VERSION, HeaderValue::from_static("registry/2.0"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
}

/// `If-None-Match` against a strong validator that is the digest (RFC 9110, section 13.1.2).
pub fn is_not_modified(request: &HeaderMap, digest: &Digest) -> bool {
    if !request.contains_key(header::IF_NONE_MATCH) {
        return false;
    }
    let digest = digest.to_string();
    request.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok()).any(|list| {
        list.split(',')
            .map(|one| one.trim().trim_start_matches("W/").trim_matches('"'))
            .any(|tag| tag == "*" || tag == digest)
    })
}

/// What of content of `size` bytes is asked for: by `Range`, unless `If-Range` says that it is of other content.
pub fn asked_for(request: &HeaderMap, digest: &Digest, size: u64) -> Requested {
    let Some(range) = request.get(header::RANGE).and_then(|range| range.to_str().ok()) else { return Requested::All };
    let is_same = |value: &HeaderValue| value.as_bytes() == etag(&digest.to_string()).as_bytes();
    if request.get(header::IF_RANGE).is_none_or(is_same) { requested(Some(range), size) } else { Requested::All }
}

fn name(headers: &mut HeaderMap, digest: &Digest) {
    let digest = digest.to_string();
    let etag = etag(&digest);
    headers.insert(CONTENT_DIGEST, value(digest));
    headers.insert(header::ETAG, value(etag));
}

fn etag(digest: &str) -> String {
    ["\"", digest, "\""].concat()
}

fn value(text: String) -> HeaderValue {
    HeaderValue::try_from(text).expect("digests and numbers are valid in a header")
}
