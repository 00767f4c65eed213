//! What a server was asked: one form for the access log of a real registry, for a [tap](super::tap) and for a
//! [faulty upstream](super::faults).

use std::{
    ops::Deref,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use http::{HeaderMap, Method, Uri};

/// What a path of the distribution protocol is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `/v2/`
    Ping,
    /// `/v2/NAME/manifests/REFERENCE`
    Manifest,
    /// `/v2/NAME/blobs/DIGEST`
    Blob,
    /// Where tokens are had; by convention here a path that ends in `/token`.
    Token,
    /// Uploads, tag lists, catalogue, …
    Other,
}

impl Kind {
    /// Tells by the path alone; a query is ignored.
    pub fn of(path: &str) -> Self {
        let path = path.split('?').next().unwrap_or_default();
        if path.trim_end_matches('/') == "/v2" {
            return Self::Ping;
        }
        let segments: Vec<&str> = path.split('/').collect();
        match segments.as_slice() {
            [.., "token"] => Self::Token,
            ["", "v2", .., "manifests", _] => Self::Manifest,
            ["", "v2", .., "blobs", last] if !last.starts_with("upload") => Self::Blob,
            _ => Self::Other,
        }
    }
}

/// One request and how it was answered.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The method, in capitals.
    pub method: String,
    /// Path and query as they were sent.
    pub path: String,
    /// The status answered; 0 if there was no answer.
    pub status: u16,
    /// Bytes of body that were sent.
    pub bytes: u64,
    /// Who asked; empty if the request did not say.
    pub user_agent: String,
    /// The `Range` header. A real registry does not log it: its entries have `None` here also for a ranged request,
    /// and only the status 206 tells.
    pub range: Option<String>,
    /// All request headers; empty in the log of a real registry.
    pub headers: HeaderMap,
}

impl Entry {
    /// What it is about.
    pub fn kind(&self) -> Kind {
        Kind::of(&self.path)
    }

    /// The last part of the path: digest, tag, …
    pub fn reference(&self) -> &str {
        let path = self.path.split('?').next().unwrap_or_default();
        path.rsplit('/').next().unwrap_or_default()
    }

    /// A request header as text, where headers are known.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Whether it was a `method` request for this kind of thing.
    pub fn is(&self, method: &str, kind: Kind) -> bool {
        self.method == method && self.kind() == kind
    }
}

/// Requests in the order in which they came (in the log of a real registry: were answered). Behaves as a slice of
/// [`Entry`].
#[derive(Clone, Debug, Default)]
pub struct AccessLog(pub(crate) Vec<Entry>);

impl AccessLog {
    /// GETs of this blob, ranged ones and failed ones included.
    pub fn gets_of_blob(&self, digest: &str) -> usize {
        self.count("GET", Kind::Blob, Some(digest))
    }

    /// GETs of any blob.
    pub fn gets_of_blobs(&self) -> usize {
        self.count("GET", Kind::Blob, None)
    }

    /// GETs of the manifest of this tag or digest.
    pub fn gets_of_manifest(&self, reference: &str) -> usize {
        self.count("GET", Kind::Manifest, Some(reference))
    }

    /// HEADs of the manifest of this tag or digest.
    pub fn heads_of_manifest(&self, reference: &str) -> usize {
        self.count("HEAD", Kind::Manifest, Some(reference))
    }

    /// Requests for this kind of thing, by any method.
    pub fn of(&self, kind: Kind) -> usize {
        self.iter().filter(|e| e.kind() == kind).count()
    }

    /// Bytes of blobs that went out.
    pub fn blob_bytes(&self) -> u64 {
        self.iter().filter(|e| e.is("GET", Kind::Blob)).map(|e| e.bytes).sum()
    }

    /// One line per request, for messages.
    pub fn summary(&self) -> String {
        let line = |e: &Entry| format!("{} {} -> {} ({} bytes)\n", e.method, e.path, e.status, e.bytes);
        self.iter().map(line).collect()
    }

    fn count(&self, method: &str, kind: Kind, reference: Option<&str>) -> usize {
        let matches = |e: &&Entry| e.is(method, kind) && reference.is_none_or(|r| e.reference() == r);
        self.iter().filter(matches).count()
    }
}

impl Deref for AccessLog {
    type Target = [Entry];

    fn deref(&self) -> &[Entry] {
        &self.0
    }
}

/// Where servers of the rig itself note what they are asked, as soon as they are asked.
#[derive(Clone, Default)]
pub(crate) struct Recorder(Arc<Mutex<Vec<Ticket>>>);

/// One noted request; what becomes of it is added later.
#[derive(Clone)]
pub(crate) struct Ticket(Arc<Mutex<Entry>>);

impl Recorder {
    pub(crate) fn note(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Ticket {
        let text =
            |name| headers.get(name).map(|v: &http::HeaderValue| String::from_utf8_lossy(v.as_bytes()).into_owned());
        let entry = Entry {
            method: method.to_string(),
            path: uri.path_and_query().map_or_else(|| uri.to_string(), ToString::to_string),
            status: 0,
            bytes: 0,
            user_agent: text("user-agent").unwrap_or_default(),
            range: text("range"),
            headers: headers.clone(),
        };
        let ticket = Ticket(Arc::new(Mutex::new(entry)));
        lock(&self.0).push(ticket.clone());
        ticket
    }

    pub(crate) fn log(&self) -> AccessLog {
        AccessLog(lock(&self.0).iter().map(|ticket| lock(&ticket.0).clone()).collect())
    }

    pub(crate) fn reset(&self) {
        lock(&self.0).clear();
    }
}

impl Ticket {
    pub(crate) fn answered(&self, status: u16) {
        lock(&self.0).status = status;
    }

    pub(crate) fn sent(&self, bytes: usize) {
        lock(&self.0).bytes += bytes as u64;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::Kind;

    #[test]
    fn a_path_tells_what_it_is_about() {
        for (path, kind) in [
            ("/v2/", Kind::Ping),
            ("/v2", Kind::Ping),
            ("/v2/?ns=docker.io", Kind::Ping),
            ("/v2/library/tiny/manifests/1?ns=docker.io", Kind::Manifest),
            ("/v2/a/b/c/blobs/sha256:00", Kind::Blob),
            ("/v2/a/blobs/uploads/", Kind::Other),
            ("/auth/token?service=x", Kind::Token),
            ("/v2/a/tags/list", Kind::Other),
        ] {
            assert_eq!(Kind::of(path), kind, "{path}");
        }
    }
}
