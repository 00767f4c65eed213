//! Stories of a client and the registries it meets: what it sends, to whom, and what it makes of the answers.

#![allow(clippy::unwrap_used, reason = "a panic is how a test reports")]

mod server;

use std::{sync::Arc, time::Duration};

use futures_util::StreamExt as _;
use http::{Response, StatusCode};
use larder_content::{ByteRange, Fault, Source as _, SourceError};
use larder_distribution::{
    Client,
    client::{Anonymous, Credentials, Deadlines, Login, Namespace, Options},
};
use larder_oci::{Digest, MediaType, Reference, RepositoryName, Tag};
use server::{Answer, Seen, Server, json, text};

const MANIFEST: &str = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#;

fn login() -> Arc<dyn Credentials> {
    Arc::new(Login { username: "u".to_owned(), password: "p4ss".to_owned().into() })
}

fn client(server: &Server, credentials: Arc<dyn Credentials>) -> Client {
    client_with(server, credentials, Namespace::Own, vec![])
}

fn client_with(
    server: &Server,
    credentials: Arc<dyn Credentials>,
    namespace: Namespace,
    realms: Vec<String>,
) -> Client {
    install_provider();
    let tls =
        rustls::ClientConfig::builder().with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth();
    let deadlines = Deadlines {
        connect: Duration::from_secs(2),
        headers: Duration::from_millis(400),
        idle: Duration::from_millis(400),
    };
    let url = server.url("").parse().unwrap();
    let name = "upstream".to_owned();
    Client::new(Options { url, name, namespace, tls, credentials, realms, deadlines, system_proxy: false }).unwrap()
}

fn install_provider() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

fn repository() -> RepositoryName {
    "library/x".parse().unwrap()
}

fn tag() -> Tag {
    "1".parse().unwrap()
}

fn manifest() -> Answer {
    Response::builder()
        .header("content-type", MediaType::OciIndex.as_str())
        .header("docker-content-digest", Digest::sha256(MANIFEST.as_bytes()).to_string())
        .header("cache-control", "max-age=60")
        .header("age", "18")
        .body(text(MANIFEST))
        .unwrap()
}

fn challenge(value: &str) -> Answer {
    Response::builder().status(401).header("www-authenticate", value).body(text("{}")).unwrap()
}

fn fault<T: std::fmt::Debug>(outcome: Result<T, SourceError>) -> Fault {
    outcome.unwrap_err().fault
}

#[tokio::test]
async fn resolves_by_head_and_asks_for_all_four_types() {
    let server = Server::start(|_| manifest()).await;
    let client = client_with(&server, Arc::new(Anonymous), Namespace::Mirrored("ghcr.io".parse().unwrap()), vec![]);
    let resolved = client.resolve(&repository(), &tag()).await.unwrap();
    assert_eq!((resolved.digest, resolved.content), (Digest::sha256(MANIFEST.as_bytes()), None));
    assert_eq!((resolved.media_type, resolved.size), (Some(MediaType::OciIndex), Some(MANIFEST.len() as u64)));
    assert_eq!(resolved.fresh_for, Some(Duration::from_secs(42)));
    let [Seen { line, headers, .. }] = &server.seen()[..] else { panic!("one request") };
    assert_eq!(line, "HEAD /v2/library/x/manifests/1?ns=ghcr.io");
    let accepted: Vec<_> = headers.get_all("accept").iter().map(|v| v.to_str().unwrap().to_owned()).collect();
    assert_eq!(accepted, MediaType::ALL.map(|t| t.as_str().to_owned()));
    assert_eq!(headers["accept-encoding"], "identity");
    assert!(headers["user-agent"].to_str().unwrap().starts_with("larder/"));
    assert!(!headers.contains_key("authorization"));
}

#[tokio::test]
async fn a_head_without_digest_costs_a_get() {
    for answer_head in [StatusCode::OK, StatusCode::METHOD_NOT_ALLOWED] {
        let server = Server::start(move |seen| match seen.line.starts_with("HEAD") {
            true => Response::builder().status(answer_head).body(text("")).unwrap(),
            false => manifest(),
        })
        .await;
        let resolved = client(&server, Arc::new(Anonymous)).resolve(&repository(), &tag()).await.unwrap();
        assert_eq!(resolved.digest, Digest::sha256(MANIFEST.as_bytes()));
        assert_eq!(resolved.content.unwrap(), MANIFEST);
    }
}

#[tokio::test]
async fn a_token_is_asked_for_once_per_repository_and_used_from_then_on() {
    let server = Server::start(|seen| match seen.path() {
        "/token" => json(r#"{"token":"T","expires_in":300}"#),
        _ if seen.header("authorization") == Some("Bearer T") => manifest(),
        _ => challenge(r#"Bearer realm="/token",service="s",scope="repository:library/x:pull""#),
    })
    .await;
    let client = client(&server, login());
    for _ in 0..3 {
        client.resolve(&repository(), &tag()).await.unwrap();
    }
    client.resolve(&"library/y".parse().unwrap(), &tag()).await.unwrap();
    let lines: Vec<_> = server.seen().iter().map(|seen| seen.line.clone()).collect();
    let head = "HEAD /v2/library/x/manifests/1";
    assert_eq!(
        lines,
        [
            head,
            "GET /token?service=s&scope=repository%3Alibrary%2Fx%3Apull&account=u",
            head,
            head,
            head,
            // The second repository needs no refusal to know where tokens are.
            "GET /token?service=s&scope=repository%3Alibrary%2Fy%3Apull&account=u",
            "HEAD /v2/library/y/manifests/1",
        ]
    );
    let authorizations: Vec<_> =
        server.seen().iter().map(|seen| seen.header("authorization").map(str::to_owned)).collect();
    assert_eq!(authorizations[1].as_deref(), Some("Basic dTpwNHNz"));
    assert_eq!(authorizations[0], None);
}

#[tokio::test]
async fn a_token_that_is_refused_is_renewed_once_and_no_more() {
    let server = Server::start(|seen| match seen.path() {
        "/token" => json(r#"{"access_token":"T"}"#),
        _ => challenge(r#"Bearer realm="/token",service="s""#),
    })
    .await;
    let client = client(&server, Arc::new(Anonymous));
    assert_eq!(fault(client.resolve(&repository(), &tag()).await), Fault::Denied);
    assert_eq!(server.seen().len(), 3);
    assert_eq!(fault(client.resolve(&repository(), &tag()).await), Fault::Denied);
    // A kept token, a refusal, a new token, a refusal.
    assert_eq!(server.seen().iter().filter(|seen| seen.path() == "/token").count(), 2);
}

#[tokio::test]
async fn credentials_go_to_the_upstreams_own_realm_only() {
    let stranger = Server::start(|_| json(r#"{"token":"T"}"#)).await;
    // Another host by name: an address would be another port of the same host.
    let realm = stranger.url("/token").replace("127.0.0.1", "localhost");
    let header = format!(r#"Bearer realm="{realm}",service="s""#);
    let server = Server::start(move |seen| match seen.header("authorization") {
        Some("Bearer T") => manifest(),
        _ => challenge(&header),
    })
    .await;
    let error = client(&server, login()).resolve(&repository(), &tag()).await.unwrap_err();
    assert_eq!(error.fault, Fault::Denied);
    assert!(error.detail.contains("larder.realms") && !error.detail.contains("p4ss"), "{error}");
    assert!(stranger.seen().is_empty());

    // Without credentials there is nothing to lose, and an operator may know better.
    client(&server, Arc::new(Anonymous)).resolve(&repository(), &tag()).await.unwrap();
    assert_eq!(stranger.seen()[0].header("authorization"), None);
    let listed = vec!["localhost".to_owned()];
    client_with(&server, login(), Namespace::Own, listed).resolve(&repository(), &tag()).await.unwrap();
    assert_eq!(stranger.seen()[1].header("authorization"), Some("Basic dTpwNHNz"));
}

#[tokio::test]
async fn basic_is_answered_with_the_login_or_not_at_all() {
    let server = Server::start(|seen| match seen.header("authorization") {
        Some("Basic dTpwNHNz") => manifest(),
        _ => challenge("Basic realm=x"),
    })
    .await;
    let client = client(&server, login());
    client.resolve(&repository(), &tag()).await.unwrap();
    client.resolve(&repository(), &tag()).await.unwrap();
    assert_eq!(server.seen().len(), 3);
    let anonymous = self::client(&server, Arc::new(Anonymous));
    assert_eq!(fault(anonymous.resolve(&repository(), &tag()).await), Fault::Denied);
    let wrong = Arc::new(Login { username: "u".to_owned(), password: "wr0ng".to_owned().into() });
    let error = self::client(&server, wrong).resolve(&repository(), &tag()).await.unwrap_err();
    assert!(error.fault == Fault::Denied && !format!("{error:?}").contains("wr0ng"));
}

#[tokio::test]
async fn a_redirect_is_followed_without_the_authorization() {
    let blob = bytes::Bytes::from_static(b"0123456789");
    let digest = Digest::sha256(&blob);
    let store = Server::start(move |seen| match seen.header("range") {
        Some("bytes=4-6") => {
            Response::builder().status(206).header("content-range", "bytes 4-6/10").body(text("456")).unwrap()
        }
        _ => Response::new(text("0123456789")),
    })
    .await;
    let location = store.url("/signed?sig=s3cret");
    let server = Server::start(move |seen| match seen.header("authorization") {
        Some(_) => Response::builder().status(307).header("location", &location).body(text("")).unwrap(),
        None => challenge("Basic realm=x"),
    })
    .await;
    let blobs = client(&server, login()).blobs(&repository());
    for (range, start, expected) in [(ByteRange::ALL, 0, "0123456789"), ((4..7).into(), 4, "456")] {
        let fetched = blobs.fetch(&digest, range).await.unwrap();
        assert_eq!((fetched.start, fetched.total), (start, Some(10)));
        let body: Vec<_> = fetched.body.map(Result::unwrap).collect().await;
        assert_eq!(body.concat(), expected.as_bytes());
    }
    assert!(store.seen().iter().all(|seen| seen.header("authorization").is_none()));
    assert!(server.seen().iter().skip(1).all(|seen| seen.header("authorization").is_some()));
}

/// What was there all along is found by asking for more: the body that brought it did not say how long it was.
#[tokio::test]
async fn a_blob_that_ends_where_more_is_asked_for_is_all_there() {
    let digest = Digest::sha256(b"0123456789");
    let refuses = |content_range: Option<&'static str>| {
        Server::start(move |_| {
            let builder = Response::builder().status(416);
            let builder = content_range.into_iter().fold(builder, |builder, it| builder.header("content-range", it));
            builder.body(text("no")).unwrap()
        })
    };
    let server = refuses(Some("bytes */10")).await;
    let blobs = client(&server, Arc::new(Anonymous)).blobs(&repository());
    for end in [None, Some(20)] {
        let fetched = blobs.fetch(&digest, ByteRange { start: 10, end }).await.unwrap();
        assert_eq!((fetched.start, fetched.total, fetched.body.count().await), (10, Some(10), 0));
    }
    // Of a blob that is said to be shorter or longer it is no answer, nor to a question for all.
    for range in [ByteRange { start: 9, end: None }, ByteRange { start: 11, end: None }, ByteRange::ALL] {
        assert_eq!(fault(blobs.fetch(&digest, range).await), Fault::Invalid, "{range:?}");
    }
    for content_range in [None, Some("bytes */*"), Some("bytes 0-9/10")] {
        let server = refuses(content_range).await;
        let blobs = client(&server, Arc::new(Anonymous)).blobs(&repository());
        assert_eq!(fault(blobs.fetch(&digest, ByteRange { start: 10, end: None }).await), Fault::Invalid);
    }
}

#[tokio::test]
async fn redirects_end() {
    let server = Server::start(|seen| {
        let next = format!("{}x", seen.path());
        Response::builder().status(302).header("location", next).body(text("")).unwrap()
    })
    .await;
    let error = client(&server, Arc::new(Anonymous)).resolve(&repository(), &tag()).await.unwrap_err();
    assert!(error.fault == Fault::Invalid && error.detail.contains("more than 5 redirects"), "{error}");
}

#[tokio::test]
async fn what_an_answer_says_of_the_upstream() {
    let status = |status: u16| move || Response::builder().status(status).body(text("no")).unwrap();
    let with = |name: &'static str, value: &'static str| {
        move || Response::builder().header(name, value).body(text(MANIFEST)).unwrap()
    };
    let limited = || Response::builder().status(429).header("retry-after", "7").body(text("")).unwrap();
    let away = || Response::builder().status(404).header("retry-after", "1").body(text("")).unwrap();
    let odd = || Response::builder().status(429).header("retry-after", "880.092µs").body(text("")).unwrap();
    let cases: Vec<(Box<dyn Fn() -> Answer + Send + Sync>, Fault)> = vec![
        (Box::new(status(404)), Fault::NotFound),
        (Box::new(away), Fault::Failing),
        (Box::new(status(403)), Fault::Denied),
        (Box::new(status(401)), Fault::Denied),
        (Box::new(status(500)), Fault::Failing),
        (Box::new(status(503)), Fault::Failing),
        (Box::new(status(400)), Fault::Invalid),
        (Box::new(limited), Fault::Limited(Some(Duration::from_secs(7)))),
        (Box::new(odd), Fault::Limited(None)),
        (Box::new(with("content-encoding", "gzip")), Fault::Invalid),
        (Box::new(with("content-type", "text/html; charset=utf-8")), Fault::Invalid),
        (Box::new(|| Response::new(text(&" ".repeat(10 << 20)))), Fault::Invalid),
    ];
    for (answer, expected) in cases {
        let server = Server::start(move |_| answer()).await;
        let client = client(&server, Arc::new(Anonymous));
        assert_eq!(fault(client.manifest(&repository(), &Reference::Tag(tag())).await), expected);
    }
    let closed = Server::start(|_| manifest()).await.closed().await;
    let error = client(&closed, Arc::new(Anonymous)).manifest(&repository(), &Reference::Tag(tag())).await.unwrap_err();
    assert_eq!(error.fault, Fault::Unreachable);
    assert!(error.detail.contains("onnection refused"), "{error}");
}

#[tokio::test]
async fn a_head_of_a_blob_tells_its_length() {
    let server = Server::start(|seen| {
        let status = if seen.line.starts_with("HEAD") { 200 } else { 500 };
        Response::builder().status(status).header("content-length", "12345").body(text("")).unwrap()
    })
    .await;
    let blobs = client(&server, Arc::new(Anonymous)).blobs(&repository());
    assert_eq!(blobs.head(&Digest::sha256(b"x")).await.unwrap(), Some(12_345));
    let without = Server::start(|_| Response::builder().status(404).body(text("")).unwrap()).await;
    let blobs = client(&without, Arc::new(Anonymous)).blobs(&repository());
    assert_eq!(fault(blobs.head(&Digest::sha256(b"x")).await), Fault::NotFound);
}

#[tokio::test]
async fn nothing_is_waited_for_without_a_deadline() {
    let silent = Server::silent().await;
    let client = client(&silent, Arc::new(Anonymous));
    assert_eq!(fault(client.manifest(&repository(), &Reference::Tag(tag())).await), Fault::TimedOut);

    let half =
        Server::start(|_| Response::builder().header("content-length", "10").body(server::half("01234")).unwrap())
            .await;
    let blobs = self::client(&half, Arc::new(Anonymous)).blobs(&repository());
    let mut fetched = blobs.fetch(&Digest::sha256(b""), ByteRange::ALL).await.unwrap();
    assert_eq!(fetched.total, Some(10));
    assert_eq!(fetched.body.next().await.unwrap().unwrap(), "01234");
    assert_eq!(fault(fetched.body.next().await.unwrap()), Fault::TimedOut);
}

#[tokio::test]
async fn a_range_is_asked_for_as_long_as_the_content_is_the_same() {
    let server = Server::start(|_| {
        let builder = Response::builder().status(206).header("content-range", "bytes 2000000-2000001/2000002");
        builder.header("etag", "\"same\"").body(text("ab")).unwrap()
    })
    .await;
    let blobs = client(&server, Arc::new(Anonymous)).blobs(&repository());
    let digest = Digest::sha256(b"");
    let range = ByteRange { start: 2_000_000, end: None };
    // Nothing is known of it, so there is no condition.
    assert_eq!(blobs.fetch(&digest, range).await.unwrap().start, 2_000_000);
    // The same validator holds.
    assert_eq!(blobs.fetch(&digest, range).await.unwrap().start, 2_000_000);
    let conditions = |server: &Server| -> Vec<Option<String>> {
        server.seen().iter().map(|seen| seen.header("if-range").map(str::to_owned)).collect()
    };
    assert_eq!(conditions(&server), [None, Some("\"same\"".to_owned())]);

    // One that gives all, because it has another validator, is asked again: the digest tells if that was wrong.
    let moody = Server::start(|seen| match seen.header("if-range") {
        Some(_) => Response::builder().header("etag", "\"other\"").body(text("all of it")).unwrap(),
        None if seen.header("range").is_some() => Response::builder()
            .status(206)
            .header("content-range", "bytes 2000000-2000001/2000002")
            .header("etag", "\"third\"")
            .body(text("ab"))
            .unwrap(),
        None => Response::builder().header("etag", "\"first\"").body(text("all of it")).unwrap(),
    })
    .await;
    let blobs = client(&moody, Arc::new(Anonymous)).blobs(&repository());
    assert_eq!(blobs.fetch(&digest, ByteRange::ALL).await.unwrap().start, 0);
    assert_eq!(blobs.fetch(&digest, range).await.unwrap().start, 2_000_000);
    assert_eq!(conditions(&moody), [None, Some("\"first\"".to_owned()), None]);
}
