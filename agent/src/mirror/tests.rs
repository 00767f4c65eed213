//! Whatever a hub says, the engine gets what it can live with: the right bytes, a body that breaks, or "not here". Never a 401
//! (the classic store would hand over passwords), never a 5xx (75 s of retries a layer), never an encoding.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::BodyExt as _;
use larder_content::{Capacity, Disk, Limits, PullThrough};
use larder_proxy::{Freshness, Policy};
use proptest::{collection::vec, prelude::*, sample::select};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    time::timeout,
};

use super::*;
use crate::{
    config::{Options, Settings},
    hub::{breaker::Breaker, upstream::Hub},
};

const MANIFEST: &str = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},"layers":[]}"#;
/// No answer may take longer here, where nobody is slow.
const LIMIT: Duration = Duration::from_secs(20);

/// What a hub answers to everything.
#[derive(Debug, Clone)]
struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    /// What of the content it sends.
    body: Sent,
    /// How long it says that is.
    length: Length,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sent {
    Right,
    Wrong,
    Half,
    Nothing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Length {
    True,
    TooMuch,
    TooLittle,
    Unsaid,
    Chunked,
}

fn header() -> impl Strategy<Value = (&'static str, String)> {
    let right = larder_oci::Digest::sha256(MANIFEST.as_bytes()).to_string();
    let texts = |name: &'static str, values: Vec<String>| select(values).prop_map(move |value| (name, value));
    let of = |values: &[&str]| values.iter().map(|&value| value.to_owned()).collect::<Vec<_>>();
    prop_oneof![
        texts(
            "Content-Type",
            of(&["application/vnd.oci.image.manifest.v1+json", "text/html", "application/octet-stream", "x"])
        ),
        texts("Docker-Content-Digest", vec![right, format!("sha256:{}", "0".repeat(64)), "sha256:x".to_owned()]),
        texts("Content-Encoding", of(&["gzip", "identity", "zstd", "br, gzip"])),
        texts("WWW-Authenticate", of(&["Basic realm=\"x\"", "Bearer realm=\"http://127.0.0.1:1/token\"", "Negotiate"])),
        texts("Retry-After", of(&["1", "0", "86400", "soon"])),
        texts("Location", of(&["/v2/other", "http://127.0.0.1:1/", "ftp://x", "//", ""])),
        texts("Content-Range", of(&["bytes 0-0/1", "bytes 5-9/10", "bytes */7", "x", "bytes 0-267/268"])),
        texts("ETag", of(&["\"x\"", "W/\"x\"", "x"])),
        texts("Cache-Control", of(&["max-age=60", "no-store", "max-age=-1"])),
        texts("Transfer-Encoding", of(&["gzip"])),
        texts("Connection", of(&["close", "upgrade"])),
    ]
}

fn answers() -> impl Strategy<Value = Answer> {
    let status = prop_oneof![
        3 => Just(200_u16),
        2 => Just(206),
        2 => select(vec![401_u16, 403, 404, 416, 429, 500, 502, 503, 504]),
        1 => 200..=599_u16,
    ];
    let body = select(vec![Sent::Right, Sent::Right, Sent::Wrong, Sent::Half, Sent::Nothing]);
    let length =
        select(vec![Length::True, Length::True, Length::TooMuch, Length::TooLittle, Length::Unsaid, Length::Chunked]);
    (status, vec(header(), 0..4), body, length).prop_map(|(status, headers, body, length)| Answer {
        status,
        headers,
        body,
        length,
    })
}

impl Answer {
    fn bytes(&self, head: bool) -> Vec<u8> {
        let content = MANIFEST.as_bytes();
        let body: Vec<u8> = match self.body {
            Sent::Right => content.to_vec(),
            Sent::Wrong => content.iter().map(|byte| byte ^ 1).collect(),
            Sent::Half => content[..content.len() / 2].to_vec(),
            Sent::Nothing => Vec::new(),
        };
        let mut text = format!("HTTP/1.1 {} Said\r\n", self.status);
        for (name, value) in &self.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        let length = match self.length {
            Length::True => Some(body.len()),
            Length::TooMuch => Some(body.len() + 10),
            Length::TooLittle => Some(body.len().saturating_sub(10)),
            Length::Unsaid | Length::Chunked => None,
        };
        if let Some(length) = length {
            text.push_str(&format!("Content-Length: {length}\r\n"));
        }
        if self.length == Length::Chunked {
            text.push_str("Transfer-Encoding: chunked\r\n");
        }
        text.push_str("\r\n");
        let mut bytes = text.into_bytes();
        match (head, self.length) {
            (true, _) => {}
            (false, Length::Chunked) => {
                bytes.extend(format!("{:x}\r\n", body.len()).bytes());
                bytes.extend(&body);
                bytes.extend(b"\r\n0\r\n\r\n");
            }
            (false, _) => bytes.extend(&body),
        }
        bytes
    }
}

/// A hub that says the same to everybody, and hangs up.
async fn hub(answer: Answer) -> url::Url {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut request = vec![0; 8192];
                let mut read = 0;
                while !request[..read].ends_with(b"\r\n\r\n") {
                    match stream.read(&mut request[read..]).await {
                        Ok(0) | Err(_) => return,
                        Ok(more) => read += more,
                    }
                }
                let _ = stream.write_all(&answer.bytes(request.starts_with(b"HEAD"))).await;
            });
        }
    });
    url
}

fn mirror(hub: &url::Url, folder: &std::path::Path) -> Shelf {
    let options: Options = serde_json::from_value(serde_json::json!({ "hub": hub.as_str() })).unwrap();
    let settings = Settings::new(options).unwrap();
    let limits = Limits { quarantine: Some(Duration::from_secs(600)), ..Limits::default() };
    let content = PullThrough::new(Disk::open(folder, Capacity::default()).unwrap(), limits);
    let breaker = Arc::new(Breaker::new(true));
    breaker.heard();
    let policy = Policy {
        freshness: Freshness::AsTold { at_most: Duration::from_secs(60) },
        stale_limit: None,
        manifest_memory: 1 << 20,
    };
    let proxy = Proxy::new(Hub::new(&settings, breaker).unwrap(), content, policy);
    Shelf { proxy, canary: Canary::new(), patience: Duration::from_secs(20) }
}

/// What the engine gets of one request: the status, and the body if it was whole.
async fn ask(
    shelf: &Shelf,
    method: &str,
    path: &str,
    range: Option<&str>,
) -> Result<(u16, Option<Bytes>), TestCaseError> {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(range) = range {
        request = request.header("range", range);
    }
    let request = request.body(()).unwrap();
    let answering = server::answer(shelf, &request);
    let Ok(response) = timeout(LIMIT, answering).await else {
        return Err(TestCaseError::fail(format!("{method} {path} hangs")));
    };
    for name in ["www-authenticate", "content-encoding", "location", "set-cookie"] {
        prop_assert!(!response.headers().contains_key(name), "{method} {path}: {name}");
    }
    let status = response.status().as_u16();
    prop_assert!(matches!(status, 200 | 206 | 404 | 416), "{method} {path}: {status}");
    let Ok(body) = timeout(LIMIT, response.into_body().collect()).await else {
        return Err(TestCaseError::fail(format!("the body of {method} {path} hangs")));
    };
    Ok((status, body.ok().map(|body| body.to_bytes())))
}

/// Every kind of request, first of what is not here, then of what perhaps is.
async fn all(answer: Answer) -> Result<(), TestCaseError> {
    let folder = tempfile::tempdir().unwrap();
    let shelf = mirror(&hub(answer).await, folder.path());
    let digest = larder_oci::Digest::sha256(MANIFEST.as_bytes());
    let (blob, manifest) = (format!("/v2/library/a/blobs/{digest}"), format!("/v2/library/a/manifests/{digest}"));
    for path in [blob.as_str(), &manifest, "/v2/library/a/manifests/1", &format!("{blob}?ns=ghcr.io")] {
        for (method, range) in [("HEAD", None), ("GET", Some("bytes=5-9")), ("GET", None), ("GET", None)] {
            let (status, body) = ask(&shelf, method, path, range).await?;
            if let (200, "GET", Some(body)) = (status, method, body)
                && path.contains(&digest.to_string())
            {
                prop_assert!(body == MANIFEST.as_bytes(), "wrong bytes for {path}");
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, ..ProptestConfig::default() })]

    #[test]
    fn the_engine_never_gets_what_it_cannot_live_with(answer in answers()) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let outcome = runtime.block_on(all(answer));
        runtime.shutdown_timeout(Duration::from_secs(1));
        outcome?;
    }
}

#[tokio::test]
async fn every_status_there_is() {
    for status in 200..=599 {
        let answer = Answer { status, headers: vec![], body: Sent::Right, length: Length::True };
        all(answer).await.unwrap();
    }
}

#[tokio::test]
async fn a_good_hub_is_passed_on() {
    let answer = Answer {
        status: 200,
        headers: vec![("Content-Type", "application/vnd.oci.image.manifest.v1+json".to_owned())],
        body: Sent::Right,
        length: Length::True,
    };
    let folder = tempfile::tempdir().unwrap();
    let shelf = mirror(&hub(answer).await, folder.path());
    let digest = larder_oci::Digest::sha256(MANIFEST.as_bytes());
    for path in [format!("/v2/library/a/blobs/{digest}"), format!("/v2/library/a/manifests/{digest}")] {
        let (status, body) = ask(&shelf, "GET", &path, None).await.unwrap();
        assert_eq!((status, body.as_deref()), (200, Some(MANIFEST.as_bytes())));
    }
}
