//! How an upstream fails, and what the hub makes of it.

use std::time::Duration;

use bytes::Bytes;
use larder_tests::rig::faults::{
    Ending::{Fin, Rst},
    Fault::{self, *},
};

use super::rows::{
    Row,
    Target::{self, *},
};

/// What may come of a request at the hub. What the agent may answer follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The content, whole.
    Served,
    /// An answer that breaks off.
    Cut,
    /// An error of the protocol.
    Says(u16, &'static str),
}

use Fate::{Cut, Says, Served};

pub(crate) const UNAVAILABLE: Fate = Says(503, "UNAVAILABLE");
pub(crate) const INVALID: Fate = Says(502, "MANIFEST_INVALID");
pub(crate) const DENIED: Fate = Says(403, "DENIED");
const UNKNOWN: Fate = Says(404, "MANIFEST_UNKNOWN");
pub(crate) const LIMITED: Fate = Says(429, "TOOMANYREQUESTS");
pub(crate) const NO_BLOB: Fate = Says(404, "BLOB_UNKNOWN");
/// What went wrong shows only in the body: by then a blob may be on its way.
const CUT_OR_NOT: &[Fate] = &[Cut, NO_BLOB];
/// What broke once is gone on with from the byte reached; whether before anybody gives up depends on what broke.
const MENDED_OR_CUT: &[Fate] = &[Served, Cut, NO_BLOB];

/// Where servers stand that a redirect may lead to.
pub(crate) struct Setting {
    /// The upstream itself.
    pub(crate) own: String,
    /// Another one, with the same content.
    pub(crate) other: String,
}

/// Makes the fault of a row.
type Make = fn(&Setting, &Row) -> Fault;

/// One way to fail.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) on: &'static [Target],
    pub(crate) fault: Make,
    pub(crate) manifest: &'static [Fate],
    pub(crate) blob: &'static [Fate],
    /// How long the headers of an answer may take.
    pub(crate) within: Duration,
}

/// Long for a fault that shows at once; this is for a machine that is busy with something else.
const SOON: Duration = Duration::from_secs(5);
/// The hub waits 15 s for headers.
pub(crate) const HEADERS: Duration = Duration::from_secs(18);
/// An agent waits 20 s for the hub: what the hub says later is heard by nobody.
pub(crate) const AGENT: Duration = Duration::from_secs(22);

const ALL: &[Target] = &[TagHead, Tag, Digest, BlobHead, Blob, Config];
const BODIES: &[Target] = &[Tag, Digest, Blob, Config];
const MANIFESTS: &[Target] = &[Tag, Digest];
const BLOBS: &[Target] = &[BlobHead, Blob, Config];

pub(crate) const fn case(
    name: &'static str,
    on: &'static [Target],
    fault: Make,
    manifest: &'static [Fate],
    blob: &'static [Fate],
) -> Case {
    Case { name, on, fault, manifest, blob, within: SOON }
}

pub(crate) const fn within(within: Duration, case: Case) -> Case {
    Case { within, ..case }
}

/// Those that take their time.
#[rustfmt::skip]
pub(crate) const SLOW: &[Case] = &[
    within(HEADERS, case("hangs before headers", ALL, |_, _| Hang, &[UNAVAILABLE], &[NO_BLOB])),
    within(AGENT, case("hangs in the body", BODIES, |_, row| HangAfter(row.len() / 2), &[UNAVAILABLE], MENDED_OR_CUT)),
    within(AGENT, case("drips 20 bytes a second", MANIFESTS, |_, _| Drip(20), &[Served, UNAVAILABLE], &[])),
    within(SOON, case("drips 50 kB a second", &[Blob], |_, _| Drip(50_000), &[], &[Served])),
];

/// Those that show at once.
#[rustfmt::skip]
pub(crate) const QUICK: &[Case] = &[
    case("ends the connection (FIN)", ALL, |_, _| Drop(Fin), &[UNAVAILABLE], &[NO_BLOB]),
    case("ends the connection (RST)", ALL, |_, _| Drop(Rst), &[UNAVAILABLE], &[NO_BLOB]),
    case("a web page with 200", ALL, |_, _| Html(200), &[INVALID], &[NO_BLOB]),
    case("a web page with 502", ALL, |_, _| Html(502), &[UNAVAILABLE], &[NO_BLOB]),
    case("500", ALL, |_, _| Status(500), &[UNAVAILABLE], &[NO_BLOB]),
    case("503", ALL, |_, _| Status(503), &[UNAVAILABLE], &[NO_BLOB]),
    case("429, Retry-After: 7", ALL, |_, _| RateLimited(7), &[LIMITED], &[NO_BLOB]),
    case("401 without a challenge", ALL, |_, _| Status(401), &[DENIED], &[NO_BLOB]),
    case("403", ALL, |_, _| Status(403), &[DENIED], &[NO_BLOB]),
    case("404", ALL, |_, _| Status(404), &[UNKNOWN], &[NO_BLOB]),
    case("204", ALL, |_, _| answer("204 No", &[], &Bytes::new()), &[INVALID], &[NO_BLOB]),
    case("999", ALL, |_, row| answer("999 Odd", &[], row.bytes()), &[INVALID, UNAVAILABLE], &[NO_BLOB]),
    case("one bit flipped", BODIES, |_, _| FlipBit, &[INVALID], CUT_OR_NOT),
    case("Content-Length 7 too large", BODIES, |_, _| LengthOff(7), &[UNAVAILABLE, INVALID], CUT_OR_NOT),
    case("Content-Length 7 too small", BODIES, |_, _| LengthOff(-7), &[INVALID], CUT_OR_NOT),
    case("Content-Length 1 EiB", BODIES, |_, _| LengthOff(1 << 60), &[INVALID], CUT_OR_NOT),
    case("body cut in the middle (FIN)", BODIES, |_, row| CutAfter(row.len() / 2, Fin), &[UNAVAILABLE], MENDED_OR_CUT),
    case("body cut in the middle (RST)", BODIES, |_, row| CutAfter(row.len() / 2, Rst), &[UNAVAILABLE], MENDED_OR_CUT),
    case("unheard-of Content-Type", ALL, |_, _| MediaType("application/x-unheard-of".to_owned()), &[Served], &[Served]),
    case("unheard-of mediaType inside", MANIFESTS, |_, row| manifest(&row.odd_manifest()), &[INVALID], &[]),
    case("manifest of 10 MB", MANIFESTS, |_, row| manifest(&row.large_manifest()), &[INVALID], &[]),
    case("manifest nested 100,000 deep", MANIFESTS, |_, _| manifest(&"[".repeat(100_000).into()), &[INVALID], &[]),
    case("redirect to a dead host", ALL, |_, _| Redirect("http://127.0.0.1:9".to_owned()), &[UNAVAILABLE], &[NO_BLOB]),
    case("redirect to another host", ALL, |at, _| Redirect(at.other.clone()), &[Served], &[Served]),
    case("redirect in a loop", ALL, |at, _| Redirect(at.own.clone()), &[INVALID], &[NO_BLOB]),
    case("redirect to file:///etc/passwd", ALL, |_, _| to("file:///etc/passwd"), &[INVALID], &[NO_BLOB]),
    case("redirect with a user in it", ALL, |_, _| to("http://a:b@127.0.0.1:9/"), &[INVALID], &[NO_BLOB]),
    case("redirect to nowhere", ALL, |_, _| answer("307 Go", &[("Content-Length", "0")], &Bytes::new()), &[INVALID], &[NO_BLOB]),
    case("gzip that nobody asked for", ALL, |_, _| Gzip, &[INVALID], &[NO_BLOB]),
    case("no Docker-Content-Digest", ALL, |_, _| NoDigest, &[Served], &[Served]),
    case("odd Docker-Content-Digest", &[Tag], |_, row| digest_says("sha256:../../../etc/passwd", row), &[Served], &[]),
    case("lying Docker-Content-Digest", &[Tag], |_, row| digest_says(&format!("sha256:{:064}", 7), row), &[Served, UNKNOWN, INVALID], &[]),
    case("ranges ignored", BLOBS, |_, _| IgnoreRange, &[], &[Served]),
    case("no HTTP at all", ALL, |_, _| Raw("SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n".into()), &[UNAVAILABLE, INVALID], &[NO_BLOB]),
    case("headers of 1 MB", ALL, |_, row| answer("200 OK", &[("X-Long", &"x".repeat(1 << 20))], row.bytes()), &[UNAVAILABLE, INVALID], &[NO_BLOB]),
    case("no length", BODIES, |_, row| answer("200 OK", &[], row.bytes()), &[Served], &[Served]),
    case("no length, half a body", BODIES, |_, row| answer("200 OK", &[], &row.bytes().slice(..row.len() / 2)), &[INVALID], CUT_OR_NOT),
    case("a length of 2^64 - 1, by Content-Range", BLOBS, |_, row| part(row, u64::MAX), &[], &[Cut, NO_BLOB, Served]),
    case("a part that nobody asked for", BODIES, |_, row| part(row, row.len() as u64), &[INVALID], CUT_OR_NOT),
    case("10,000 answers before the answer", BODIES, |_, row| interim(row), &[Served, UNAVAILABLE], &[Served, NO_BLOB]),
    case("manifest that names 30,000 layers", MANIFESTS, |_, row| manifest(&row.layered_manifest(30_000)), &[INVALID], &[]),
    case("broken chunks", BODIES, |_, row| chunks(row.bytes()), &[UNAVAILABLE, INVALID], CUT_OR_NOT),
];

/// An answer as it goes over the wire; the connection ends after it.
pub(crate) fn answer(status: &str, headers: &[(&str, &str)], body: &Bytes) -> Fault {
    let mut bytes = format!("HTTP/1.1 {status}\r\nConnection: close\r\n").into_bytes();
    for (name, value) in headers {
        bytes.extend(format!("{name}: {value}\r\n").bytes());
    }
    bytes.extend(b"\r\n");
    bytes.extend_from_slice(body);
    Raw(bytes.into())
}

/// An honest answer with this manifest.
fn manifest(body: &Bytes) -> Fault {
    let (length, digest) = (body.len().to_string(), larder_tests::rig::images::sha256(body));
    let media_type = ("Content-Type", "application/vnd.oci.image.manifest.v1+json");
    answer("200 OK", &[media_type, ("Content-Length", &length), ("Docker-Content-Digest", &digest)], body)
}

fn digest_says(digest: &str, row: &Row) -> Fault {
    let length = row.len().to_string();
    answer("200 OK", &[("Content-Length", &length), ("Docker-Content-Digest", digest)], row.bytes())
}

/// One byte, said to be the first of so many.
fn part(row: &Row, total: u64) -> Fault {
    let range = format!("bytes 0-0/{total}");
    answer("206 Part", &[("Content-Range", &range), ("Content-Length", "1")], &row.bytes().slice(..1))
}

/// Hints without end (RFC 8297), and then the answer.
fn interim(row: &Row) -> Fault {
    let mut bytes = b"HTTP/1.1 103 Early Hints\r\n\r\n".repeat(10_000);
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", row.len());
    bytes.extend(head.bytes());
    bytes.extend_from_slice(row.bytes());
    Raw(bytes.into())
}

fn to(location: &str) -> Fault {
    answer("307 Go", &[("Location", location), ("Content-Length", "0")], &Bytes::new())
}

/// A first chunk as it should be, and then nonsense.
fn chunks(body: &Bytes) -> Fault {
    let half = &body[..body.len() / 2];
    let mut bytes = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    bytes.extend(format!("{:x}\r\n", half.len()).bytes());
    bytes.extend_from_slice(half);
    bytes.extend(b"\r\nno number\r\n\r\n");
    Raw(bytes.into())
}
