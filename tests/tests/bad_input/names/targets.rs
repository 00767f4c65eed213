//! What to ask for that is no name, and what should come of it.

use larder_tests::rig::images::Image;

/// What may come of a request.
pub(super) enum Expected {
    /// It is another way to write what is there.
    Served,
    /// One of these codes; the agent says the same, or 404 where the hub says what it thinks of its upstream.
    Says(&'static [(u16, &'static str)]),
    /// One of these, by whoever reads HTTP: there may be no code in it.
    Refused(&'static [u16]),
}

use Expected::{Refused, Says, Served};

const BAD_NAME: Expected = Says(&[(400, "NAME_INVALID")]);
pub(super) const NO_NAME: Expected = Says(&[(404, "NAME_UNKNOWN")]);
/// Whatever it is taken for, it is not here.
const NO_PATH: Expected = Refused(&[400, 404]);
const BAD_TAG: Expected = Says(&[(400, "TAG_INVALID")]);
const BAD_DIGEST: Expected = Says(&[(400, "DIGEST_INVALID")]);
const NO_MANIFEST: Expected = Says(&[(404, "MANIFEST_UNKNOWN")]);
const NO_BLOB: Expected = Says(&[(404, "BLOB_UNKNOWN")]);
/// Distribution itself answers 500 to somebody who asks for a blob as a manifest.
const NO_MANIFEST_OR_500: Expected = Says(&[(503, "UNAVAILABLE"), (404, "MANIFEST_UNKNOWN")]);

/// What to ask for, as it goes over the wire.
// One row a line.
#[rustfmt::skip]
pub(super) fn targets(image: &Image) -> Vec<(String, Vec<u8>, Expected)> {
    let (a, hex) = ("a".repeat(300), "0".repeat(64));
    let (config, digest) = (image.config_digest(), image.digest());
    let upper = digest.to_uppercase().replace("SHA256", "sha256");
    let sha512 = format!("sha512:{}", "0".repeat(128));
    let rows: Vec<(&str, String, Expected)> = vec![
        ("../../etc as a name", "/v2/../../etc/passwd/manifests/1".into(), NO_PATH),
        ("library/../../../etc", "/v2/library/../../../etc/manifests/1".into(), BAD_NAME),
        ("../ up to /etc/passwd", "/v2/library/tiny/blobs/../../../../../../etc/passwd".into(), NO_PATH),
        ("%2e%2e", "/v2/%2e%2e/%2e%2e/etc/manifests/1".into(), NO_PATH),
        ("library/%2e%2e/tiny", "/v2/library/%2e%2e/tiny/manifests/1".into(), BAD_NAME),
        ("..%2f..%2fetc", "/v2/..%2f..%2fetc/manifests/1".into(), NO_PATH),
        ("%252e%252e, encoded twice", "/v2/library/%252e%252e/manifests/1".into(), BAD_NAME),
        ("%c0%ae, overlong", "/v2/library/%c0%ae%c0%ae/manifests/1".into(), BAD_NAME),
        ("backslashes", "/v2/library\\..\\..\\etc/manifests/1".into(), NO_PATH),
        ("library%2Ftiny", "/v2/library%2Ftiny/manifests/1".into(), Served),
        ("broken percent", "/v2/library/t%zzy/manifests/%".into(), BAD_NAME),
        ("upper case", "/v2/Library/Tiny/manifests/1".into(), BAD_NAME),
        ("255 characters", format!("/v2/{}/manifests/1", &a[..255]), NO_MANIFEST),
        ("256 characters", format!("/v2/{}/manifests/1", &a[..256]), BAD_NAME),
        ("300 characters", format!("/v2/{a}/manifests/1"), BAD_NAME),
        ("150 parts", format!("/v2/{}x/manifests/1", "x/".repeat(149)), BAD_NAME),
        ("%00", "/v2/library/ti%00ny/manifests/1".into(), BAD_NAME),
        ("a NUL", "/v2/library/ti\0ny/manifests/1".into(), NO_PATH),
        ("a line break, encoded", "/v2/library/tiny/manifests/1%0d%0aX-Evil%201".into(), BAD_TAG),
        ("é", "/v2/library/t%C3%A9/manifests/1".into(), BAD_NAME),
        ("é, not encoded", "/v2/library/té/manifests/1".into(), NO_PATH),
        ("right to left", "/v2/library/%E2%80%AEynit/manifests/1".into(), BAD_NAME),
        ("half a character", "/v2/library/%C3/manifests/1".into(), BAD_NAME),
        ("no name", "/v2//manifests/1".into(), NO_PATH),
        ("an empty part", "/v2/library//tiny/manifests/1".into(), BAD_NAME),
        ("an empty last part", "/v2/library/tiny//manifests/1".into(), BAD_NAME),
        ("no tag", "/v2/library/tiny/manifests/".into(), BAD_TAG),
        ("no digest", "/v2/library/tiny/blobs/".into(), BAD_DIGEST),
        ("//v2", "//v2/library/tiny/manifests/1".into(), NO_PATH),
        ("_manifests in a name", "/v2/library/tiny/_manifests/tags/manifests/1".into(), BAD_NAME),
        ("separators in a row", "/v2/library/ti..ny/manifests/1".into(), BAD_NAME),
        ("digest: md5", "/v2/library/tiny/blobs/md5:d41d8cd98f00b204e9800998ecf8427e".into(), BAD_DIGEST),
        ("digest: short", "/v2/library/tiny/blobs/sha256:00".into(), BAD_DIGEST),
        ("digest: long", format!("/v2/library/tiny/manifests/sha256:{hex}0"), BAD_DIGEST),
        ("digest: upper-case hex", format!("/v2/library/tiny/manifests/{upper}"), BAD_DIGEST),
        ("digest: SHA256", format!("/v2/library/tiny/blobs/SHA256:{hex}"), BAD_DIGEST),
        ("digest: of the length of another", format!("/v2/library/tiny/blobs/sha512:{hex}"), BAD_DIGEST),
        ("digest: ../../etc/passwd", "/v2/library/tiny/blobs/sha256:..%2f..%2f..%2fetc%2fpasswd".into(), NO_PATH),
        ("digest: two colons", format!("/v2/library/tiny/blobs/sha256:sha256:{hex}"), BAD_DIGEST),
        ("digest: %00", "/v2/library/tiny/blobs/sha256:%00".into(), BAD_DIGEST),
        ("digest: encoded colon", format!("/v2/library/tiny/blobs/{}", config.replace(':', "%3A")), Served),
        ("blob by sha512", format!("/v2/library/tiny/blobs/{sha512}"), NO_BLOB),
        ("manifest by sha512", format!("/v2/library/tiny/manifests/{sha512}"), NO_MANIFEST),
        ("tag: .x", "/v2/library/tiny/manifests/.x".into(), BAD_TAG),
        ("tag: -x", "/v2/library/tiny/manifests/-x".into(), BAD_TAG),
        ("tag: 128 characters", format!("/v2/library/tiny/manifests/{}", &a[..128]), NO_MANIFEST),
        ("tag: 129 characters", format!("/v2/library/tiny/manifests/{}", &a[..129]), BAD_TAG),
        ("tag: a space", "/v2/library/tiny/manifests/la%20test".into(), BAD_TAG),
        ("tag: ..%2f..", "/v2/library/tiny/manifests/..%2f..%2fetc".into(), NO_PATH),
        ("absent tag", "/v2/library/tiny/manifests/absent".into(), NO_MANIFEST),
        ("absent manifest", format!("/v2/library/tiny/manifests/sha256:{hex}"), NO_MANIFEST),
        ("absent blob", format!("/v2/library/tiny/blobs/sha256:{hex}"), NO_BLOB),
        ("absent repository", "/v2/library/absent/manifests/1".into(), NO_MANIFEST),
        ("a blob of another repository", format!("/v2/library/other/blobs/{config}"), NO_BLOB),
        ("a manifest of another repository", format!("/v2/library/other/manifests/{digest}"), NO_MANIFEST),
        ("a manifest as a blob", format!("/v2/library/tiny/blobs/{digest}"), Refused(&[200, 404])),
        ("a blob as a manifest", format!("/v2/library/tiny/manifests/{config}"), NO_MANIFEST_OR_500),
        ("no such path", "/v2/library/tiny".into(), NO_PATH),
        ("version 1", "/v1/repositories/library/tiny/images".into(), NO_PATH),
        ("tags", "/v2/library/tiny/tags/list".into(), NO_NAME),
        ("ns=docker.io", "/v2/library/tiny/manifests/1?ns=docker.io".into(), Served),
        ("ns=DOCKER.IO", "/v2/library/tiny/manifests/1?ns=DOCKER.IO".into(), Served),
        ("ns=docker.io, and another", "/v2/library/tiny/manifests/1?ns=docker.io&ns=evil.example".into(), Served),
        ("ns of another registry", "/v2/library/tiny/manifests/1?ns=evil.example".into(), NO_NAME),
        ("ns of another registry, stored blob", format!("/v2/library/tiny/blobs/{config}?ns=evil.example"), NO_NAME),
        ("ns of another registry, stored digest", format!("/v2/library/tiny/manifests/{digest}?ns=evil.example"), NO_NAME),
        ("another registry in the path", "/v2/evil.example/library/tiny/manifests/1".into(), NO_NAME),
        ("another registry in the path, stored blob", format!("/v2/evil.example/library/tiny/blobs/{config}"), NO_NAME),
        ("ns empty", "/v2/library/tiny/manifests/1?ns=".into(), NO_NAME),
        ("ns=../..", "/v2/library/tiny/manifests/1?ns=..%2f..%2fetc".into(), NO_NAME),
        ("ns with a line break", "/v2/library/tiny/manifests/1?ns=a%0d%0ab".into(), NO_NAME),
        ("ns of 300 characters", format!("/v2/library/tiny/manifests/1?ns={a}"), NO_NAME),
        ("ns with port 0", "/v2/library/tiny/manifests/1?ns=docker.io:0".into(), NO_NAME),
        ("a query of 60 kB", format!("/v2/library/tiny/manifests/1?{}", "x=y&".repeat(15_000)), Served),
        ("a URL of 60 kB", format!("/v2/{}/manifests/1", "a/".repeat(30_000)), BAD_NAME),
        ("a URL of 70 kB", format!("/v2/{}/manifests/1", "a".repeat(70_000)), Refused(&[400, 414, 431])),
        ("a URL of 1 MB", format!("/v2/{}/manifests/1", "a".repeat(1 << 20)), Refused(&[400, 414, 431])),
    ];
    rows.into_iter().map(|(what, target, expected)| (what.to_owned(), target.into_bytes(), expected)).collect()
}

pub(super) fn headers() -> Vec<(&'static str, Vec<String>, Expected)> {
    let long = |length| vec![format!("X-Long: {}", "x".repeat(length))];
    vec![
        ("a header of 60 kB", long(60_000), Refused(&[200, 431])),
        ("a header of 1 MB", long(1 << 20), Refused(&[400, 431])),
        ("1000 headers", (0..1000).map(|n| format!("X-{n}: y")).collect(), Refused(&[400, 431])),
        ("a header without a colon", vec!["no header".to_owned()], Refused(&[400])),
        ("a header with a NUL", vec!["X-Nul: a\0b".to_owned()], Refused(&[400])),
        ("an Accept that is nonsense", vec!["Accept: =;/,\\".to_owned()], Served),
        ("an Accept-Encoding", vec!["Accept-Encoding: gzip, zstd, br".to_owned()], Served),
        ("an Authorization", vec!["Authorization: Basic YTpi".to_owned()], Served),
    ]
}
