//! A blob whose source does not say how long it is.

use std::sync::Arc;

use futures_util::{StreamExt as _, future::BoxFuture};
use http::Version;
use larder_content::{ByteRange, Fault, Fetched, Source, SourceError};

use super::*;

/// What comes, and whether it breaks after it.
#[derive(Clone)]
struct Upstream {
    sends: Bytes,
    breaks: bool,
}

impl Source for Upstream {
    fn name(&self) -> &'static str {
        "upstream"
    }

    fn fetch<'a>(&'a self, _: &'a Digest, range: ByteRange) -> BoxFuture<'a, Result<Fetched, SourceError>> {
        let start = range.start.min(self.sends.len() as u64);
        let bytes = self.sends.slice(start as usize..);
        let chunks = bytes.chunks(64 * 1024).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect::<Vec<_>>();
        let broken = self.breaks.then(|| Err(SourceError::new("upstream", Fault::Unreachable, "broke")));
        let body = Box::pin(stream::iter(chunks.into_iter().chain(broken)).then(async |chunk| {
            tokio::time::sleep(Duration::from_secs(1)).await;
            chunk
        }));
        Box::pin(async move { Ok(Fetched { start, total: None, body }) })
    }
}

struct Mirror {
    cache: PullThrough,
    upstream: Arc<Upstream>,
}

impl Registry for Mirror {
    async fn manifest(&self, _: &Name, _: &Reference, _: bool) -> Result<ManifestAnswer, Error> {
        Err(Error::new(Code::ManifestUnknown, "there is none"))
    }

    async fn blob(&self, _: &Name, digest: &Digest) -> Result<Blob, Error> {
        let sources = vec![Arc::clone(&self.upstream) as Arc<dyn Source>];
        let blob = self.cache.open(digest, None, sources).await;
        blob.map_err(|error| Error::new(Code::BlobUnknown, error.to_string()))
    }

    async fn blob_size(&self, _: &Name, _: &Digest) -> Result<u64, Error> {
        Err(Error::new(Code::BlobUnknown, "nobody says"))
    }
}

/// Only HTTP/1.1 and later can tell a client that what came is not all.
#[tokio::test(start_paused = true)]
async fn over_http_1_0_it_is_whole_or_not_there() {
    let content: Bytes = (0..500_000_u32).map(|at| (at % 251) as u8).collect();
    let digest = Digest::sha256(&content);
    let half = content.slice(..250_000);
    let mut wrong = content.to_vec();
    wrong[100] ^= 1;
    for (what, sends, breaks, is_right) in [
        ("right", content.clone(), false, true),
        ("wrong", wrong.into(), false, false),
        ("half", half.clone(), false, false),
        ("broken", half, true, false),
    ] {
        for version in [Version::HTTP_10, Version::HTTP_11] {
            let folder = tempfile::tempdir().unwrap();
            let disk = Disk::open(folder.path(), larder_content::Capacity::default()).unwrap();
            let upstream = Arc::new(Upstream { sends: sends.clone(), breaks });
            let mirror = Mirror { cache: PullThrough::new(disk, Limits::default()), upstream };
            let request = Request::get(format!("/v2/a/blobs/{digest}")).version(version).body(()).unwrap();
            let (head, body) = answer(&mirror, &request).await.into_parts();
            let body = body.collect().await.map(http_body_util::Collected::to_bytes);
            if is_right {
                let length = head.headers.get("content-length").map(|length| length.to_str().unwrap());
                assert_eq!(length, (version == Version::HTTP_10).then_some("500000"));
                assert!(head.status == 200 && body.unwrap() == content, "{what}");
            } else if version == Version::HTTP_10 {
                assert_eq!(head.status, 404, "{what}");
            } else {
                assert!(head.status == 404 || body.is_err(), "{what}");
            }
        }
    }
}
