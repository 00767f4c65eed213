//! What engines look at in an answer, and what must never be in one.

mod over_tcp;
mod unmeasured;

use larder_content::{Disk, Limits, PullThrough};

use super::*;

struct Shelf {
    cache: PullThrough,
    manifest: Result<ManifestAnswer, Error>,
    blob: Result<Digest, Error>,
}

impl Registry for Shelf {
    async fn manifest(&self, _: &Name, _: &Reference, head: bool) -> Result<ManifestAnswer, Error> {
        let mut answer = self.manifest.clone()?;
        answer.content = answer.content.filter(|_| !head);
        Ok(answer)
    }

    async fn blob(&self, _: &Name, digest: &Digest) -> Result<Blob, Error> {
        self.blob.clone()?;
        self.cache.stored(digest).await.ok_or(Error::new(Code::BlobUnknown, "no such blob"))
    }

    async fn blob_size(&self, name: &Name, digest: &Digest) -> Result<u64, Error> {
        Ok(self.blob(name, digest).await?.size().unwrap())
    }
}

async fn shelf(folder: &tempfile::TempDir) -> (Shelf, Digest) {
    let cache =
        PullThrough::new(Disk::open(folder.path(), larder_content::Capacity::default()).unwrap(), Limits::default());
    let blob: Bytes = (0..1000_u32).map(|i| i as u8).collect();
    let digest = Digest::sha256(&blob);
    cache.put(&digest, blob).await.unwrap();
    let content = Bytes::from_static(br#"{"schemaVersion":2}"#);
    let manifest = ManifestAnswer {
        digest: Digest::sha256(&content),
        media_type: MediaType::OciIndex,
        size: content.len() as u64,
        content: Some(content),
        fresh_for: Some(Duration::from_secs(42)),
    };
    (Shelf { cache, manifest: Ok(manifest), blob: Ok(digest) }, digest)
}

async fn ask(shelf: &Shelf, request: &str, headers: &[(&str, &str)]) -> (u16, HeaderMap, Bytes) {
    let (method, target) = request.split_once(' ').unwrap();
    let mut builder = Request::builder().method(method).uri(target);
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    let response = answer(shelf, &builder.body(()).unwrap()).await;
    let (parts, body) = response.into_parts();
    (parts.status.as_u16(), parts.headers, body.collect().await.unwrap().to_bytes())
}

#[tokio::test]
async fn manifests() {
    let folder = tempfile::tempdir().unwrap();
    let (shelf, _) = shelf(&folder).await;
    let digest = shelf.manifest.as_ref().unwrap().digest.to_string();
    let (status, headers, body) = ask(&shelf, "GET /v2/a/manifests/1", &[]).await;
    assert_eq!((status, &body[..]), (200, br#"{"schemaVersion":2}"#.as_slice()));
    for (name, value) in [
        ("content-type", "application/vnd.oci.image.index.v1+json"),
        ("content-length", "19"),
        ("docker-content-digest", &digest),
        ("etag", &format!("\"{digest}\"")),
        ("cache-control", "max-age=42"),
        ("docker-distribution-api-version", "registry/2.0"),
    ] {
        assert_eq!(headers[name], value);
    }
    let (status, head, body) = ask(&shelf, "HEAD /v2/a/manifests/1", &[]).await;
    assert_eq!((status, body.len(), head), (200, 0, headers));

    for (tags, expected) in [
        (format!("\"{digest}\""), 304),
        (digest.clone(), 304),
        (format!("W/\"x\", \"{digest}\""), 304),
        ("\"x\"".to_owned(), 200),
    ] {
        let (status, headers, body) = ask(&shelf, "GET /v2/a/manifests/1", &[("if-none-match", &tags)]).await;
        assert_eq!((status, headers["docker-content-digest"].to_str().unwrap()), (expected, &*digest));
        assert_eq!(body.is_empty(), expected == 304);
    }
}

#[tokio::test]
async fn blobs_and_their_ranges() {
    let folder = tempfile::tempdir().unwrap();
    let (shelf, digest) = shelf(&folder).await;
    let get = format!("GET /v2/a/blobs/{digest}");
    let (status, headers, body) = ask(&shelf, &get, &[("accept-encoding", "zstd;q=1.0, gzip;q=0.8")]).await;
    assert_eq!((status, body.len(), &headers["content-length"]), (200, 1000, &HeaderValue::from(1000)));
    assert_eq!(headers["accept-ranges"], "bytes");
    assert!(!headers.contains_key("content-encoding"));
    let (status, head, body) = ask(&shelf, &format!("HEAD /v2/a/blobs/{digest}"), &[]).await;
    assert_eq!((status, body.len(), head), (200, 0, headers));

    let etag = format!("\"{digest}\"");
    for method in ["GET", "HEAD"] {
        let (status, headers, body) =
            ask(&shelf, &format!("{method} /v2/a/blobs/{digest}"), &[("if-none-match", &etag)]).await;
        assert_eq!((status, body.len(), &headers["etag"]), (304, 0, &HeaderValue::from_str(&etag).unwrap()));
        assert!(!headers.contains_key("content-length"));
    }
    for (headers, expected, length, content_range) in [
        (vec![("range", "bytes=100-")], 206, 900, Some("bytes 100-999/1000")),
        (vec![("range", "bytes=-1")], 206, 1, Some("bytes 999-999/1000")),
        (vec![("range", "bytes=0-9"), ("if-range", &*etag)], 206, 10, Some("bytes 0-9/1000")),
        (vec![("range", "bytes=0-9"), ("if-range", "\"other\"")], 200, 1000, None),
        (vec![("range", "bytes=0-1,3-4")], 200, 1000, None),
        (vec![("range", "bytes=1000-")], 416, 0, Some("bytes */1000")),
    ] {
        let (status, answered, body) = ask(&shelf, &get, &headers).await;
        assert_eq!(status, expected, "{headers:?}");
        assert_eq!(answered.get("content-range").map(|v| v.to_str().unwrap()), content_range);
        assert!(status == 416 || body.len() == length);
        if status == 206 {
            assert_eq!(answered["content-length"], length.to_string());
        }
    }
    let (status, _, body) = ask(&shelf, &format!("{get}?ns=docker.io&x=y"), &[("range", "bytes=10-12")]).await;
    assert_eq!((status, &body[..]), (206, [10, 11, 12].as_slice()));
}

#[tokio::test]
async fn the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let (shelf, digest) = shelf(&folder).await;
    for (request, expected, has) in [
        ("GET /", 200, ""),
        ("GET /v2/", 200, "{}"),
        ("GET /v2", 200, "{}"),
        ("GET /v2/_catalog", 200, r#"{"repositories":[]}"#),
        ("GET /nothing", 404, "404"),
        ("GET /v2/A/manifests/1", 400, "NAME_INVALID"),
        ("GET /v2/a/manifests/..", 400, "TAG_INVALID"),
        ("GET /v2/a/blobs/sha256:0", 400, "DIGEST_INVALID"),
        ("GET /v2/a/tags/list", 404, "NAME_UNKNOWN"),
        (&format!("GET /v2/a/referrers/{digest}"), 404, "MANIFEST_UNKNOWN"),
        ("POST /v2/a/blobs/uploads/", 405, "UNSUPPORTED"),
        ("PUT /v2/a/manifests/1", 405, "UNSUPPORTED"),
        ("DELETE /v2/a/manifests/1", 405, "UNSUPPORTED"),
    ] {
        let (status, headers, body) = ask(&shelf, request, &[]).await;
        assert_eq!(status, expected, "{request}");
        assert!(String::from_utf8_lossy(&body).contains(has), "{request}: {body:?}");
        assert_eq!(headers["docker-distribution-api-version"], "registry/2.0");
        assert_eq!(headers.contains_key("allow"), expected == 405);
    }
}

/// Whatever goes wrong behind it, an engine is never asked for a password, and never told 5xx for a blob.
#[tokio::test]
async fn no_answer_stalls_an_engine() {
    let folder = tempfile::tempdir().unwrap();
    let (mut shelf, digest) = shelf(&folder).await;
    for code in [
        Code::BlobUnknown,
        Code::DigestInvalid,
        Code::ManifestUnknown,
        Code::ManifestInvalid,
        Code::NameInvalid,
        Code::NameUnknown,
        Code::TagInvalid,
        Code::RangeInvalid,
        Code::Denied,
        Code::Unsupported,
        Code::TooManyRequests,
        Code::Unavailable,
    ] {
        let error = Error { retry_after: Some(Duration::from_secs(9)), ..Error::new(code, "because") };
        shelf.manifest = Err(error.clone());
        shelf.blob = Err(error);
        for method in ["GET", "HEAD"] {
            for target in ["/v2/a/manifests/1".to_owned(), format!("/v2/a/blobs/{digest}")] {
                let (status, headers, _) = ask(&shelf, &format!("{method} {target}"), &[]).await;
                assert_ne!(status, 401);
                assert!(!headers.contains_key("www-authenticate") && !headers.contains_key("content-encoding"));
                if target.contains("blobs") {
                    assert!(status == 404 || status == 400, "{code:?}: {status}");
                    let passes = matches!(code, Code::TooManyRequests | Code::Unavailable);
                    assert_eq!(headers.contains_key("retry-after"), passes, "{code:?}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_body_that_breaks_is_an_error_and_no_end() {
    let folder = tempfile::tempdir().unwrap();
    let (shelf, digest) = shelf(&folder).await;
    let path = shelf.cache.disk().layout().blob(&digest);
    let request = Request::get(format!("/v2/a/blobs/{digest}")).body(()).unwrap();
    let response = answer(&shelf, &request).await;
    std::fs::File::options().write(true).open(path).unwrap().set_len(10).unwrap();
    let error = response.into_body().collect().await.unwrap_err();
    assert!(error.to_string().contains("became shorter"), "{error}");
}
