//! What a healthy upstream answers: the distribution protocol over a few images in memory.

use bytes::Bytes;
use http::HeaderMap;
use serde_json::{Value, json};

use super::{TOKEN, head::Head};
use crate::rig::{access::Kind, images::Image, images::sha256};

/// An answer before anything goes wrong with it.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn new(status: u16, content_type: &str, body: impl Into<Bytes>) -> Self {
        Self { status, headers: vec![("Content-Type", content_type.to_owned())], body: body.into() }
    }

    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self::new(status, "application/json", body.to_string())
    }

    /// An error as registries tell it.
    pub(crate) fn error(status: u16) -> Self {
        let code = match status {
            401 => "UNAUTHORIZED",
            403 => "DENIED",
            404 => "NOT_FOUND",
            429 => "TOOMANYREQUESTS",
            _ => "UNKNOWN",
        };
        Self::json(status, &json!({ "errors": [{ "code": code, "message": "a fault of the rig" }] }))
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.retain(|(n, _)| *n != name);
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(n, _)| *n != name);
        self
    }
}

pub(crate) struct Content {
    pub(crate) images: Vec<Image>,
    /// Where tokens are had, if they are wanted.
    pub(crate) realm: Option<String>,
}

impl Content {
    /// The right answer, as if to GET. With `ranges`, a `Range` header counts.
    pub(crate) fn answer(&self, head: &Head, ranges: bool) -> Answer {
        let path = head.uri.path();
        let kind = Kind::of(path);
        if kind == Kind::Token {
            let token = json!({ "token": TOKEN, "access_token": TOKEN, "expires_in": 300 });
            return Answer::json(200, &token);
        }
        if let Some(realm) = self.realm.as_deref().filter(|_| !has_token(&head.headers)) {
            let challenge = format!("Bearer realm=\"{realm}\",service=\"faulty.rig\"");
            return Answer::error(401).with("WWW-Authenticate", challenge);
        }
        let answer = match kind {
            Kind::Ping => Some(Answer::json(200, &json!({}))),
            Kind::Manifest => self.manifest(path),
            Kind::Blob => self.blob(path).map(|a| if ranges { cut_to_range(a, &head.headers) } else { a }),
            Kind::Token | Kind::Other => None,
        };
        answer.unwrap_or_else(|| Answer::error(404)).with("Docker-Distribution-Api-Version", "registry/2.0")
    }

    fn manifest(&self, path: &str) -> Option<Answer> {
        let (repository, reference) = parts(path, "/manifests/")?;
        let mut images = self.images.iter().filter(|image| image.repository() == repository);
        let document = images.find_map(|image| {
            let wanted = if reference == image.tag() { image.digest() } else { reference };
            image.documents().find(|d| d.digest() == wanted)
        })?;
        Some(Answer::new(200, document.media_type(), document.bytes().clone()).with(DIGEST, document.digest()))
    }

    fn blob(&self, path: &str) -> Option<Answer> {
        let (repository, digest) = parts(path, "/blobs/")?;
        let mut images = self.images.iter().filter(|image| image.repository() == repository);
        let blob = images.find_map(|image| image.blobs().into_iter().find(|b| b.digest() == digest))?;
        let answer = Answer::new(200, "application/octet-stream", blob.bytes().ok()?).with(DIGEST, digest);
        Some(answer.with("Accept-Ranges", "bytes"))
    }
}

/// The header that names the content's digest.
pub(crate) const DIGEST: &str = "Docker-Content-Digest";

/// A manifest that says the same in at least `size` bytes.
pub(crate) fn pad(answer: Answer, size: usize) -> Answer {
    let Ok(Value::Object(mut document)) = serde_json::from_slice(&answer.body) else { return answer };
    document.insert("annotations".to_owned(), json!({ "padding": "x".repeat(size) }));
    let body = Bytes::from(Value::Object(document).to_string());
    let digest = sha256(&body);
    Answer { body, ..answer }.with(DIGEST, digest)
}

fn parts<'a>(path: &'a str, between: &str) -> Option<(&'a str, &'a str)> {
    path.strip_prefix("/v2/")?.rsplit_once(between)
}

fn has_token(headers: &HeaderMap) -> bool {
    headers.get("authorization").is_some_and(|value| value.as_bytes() == format!("Bearer {TOKEN}").as_bytes())
}

/// Takes `bytes=A-` and `bytes=A-B`; anything else is ignored, as RFC 9110 §14.2 allows.
fn cut_to_range(answer: Answer, headers: &HeaderMap) -> Answer {
    let total = answer.body.len();
    let range = headers.get("range").and_then(|v| v.to_str().ok()).and_then(|v| v.strip_prefix("bytes="));
    let Some((first, last)) = range.and_then(|r| r.split_once('-')) else { return answer };
    let Ok(first) = first.parse::<usize>() else { return answer };
    let last = last.parse::<usize>().unwrap_or(usize::MAX).min(total.saturating_sub(1));
    if first > last {
        return Answer::error(416).with("Content-Range", format!("bytes */{total}"));
    }
    let body = answer.body.slice(first..=last);
    Answer { status: 206, body, ..answer }.with("Content-Range", format!("bytes {first}-{last}/{total}"))
}
