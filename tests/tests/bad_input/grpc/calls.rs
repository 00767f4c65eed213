//! Calls of every kind, and what may come of each.

use bytes::Bytes;

use super::client::{beat, framed, hello, message};

pub(super) const SESSION: &str = "/larder.v1.Fleet/Session";

pub(super) const OK: u16 = 0;
pub(super) const INVALID: u16 = 3;
pub(super) const DEADLINE: u16 = 4;
pub(super) const OUT_OF_RANGE: u16 = 11;
pub(super) const UNIMPLEMENTED: u16 = 12;
pub(super) const INTERNAL: u16 = 13;

/// Whoever notices first, tonic or the hub.
const NOT_UNDERSTOOD: &[u16] = &[INVALID, INTERNAL, UNIMPLEMENTED];

/// One call.
pub(super) struct Call {
    pub(super) what: &'static str,
    pub(super) path: &'static str,
    pub(super) headers: Vec<(&'static str, &'static str)>,
    pub(super) body: Vec<Bytes>,
    /// The status it may end with.
    pub(super) may_be: &'static [u16],
    /// How many bytes must have come back.
    pub(super) replies: usize,
}

type Header = (&'static str, &'static str);

fn call(
    what: &'static str,
    path: &'static str,
    headers: Vec<Header>,
    body: Vec<Bytes>,
    may_be: &'static [u16],
    replies: usize,
) -> Call {
    Call { what, path, headers, body, may_be, replies }
}

// One call a line.
#[rustfmt::skip]
pub(super) fn all() -> Vec<Call> {
    let good = || hello("node", "host", "1", "28");
    let long = "x".repeat(10_000);
    let giant = vec![b'x'; 5 << 20];
    let noise = message(&[0xff; 100]);
    vec![
        call("unknown method", "/larder.v1.Fleet/Nothing", vec![], vec![good()], &[UNIMPLEMENTED], 0),
        call("unknown service", "/larder.v9.Army/Session", vec![], vec![good()], &[UNIMPLEMENTED], 0),
        call("no path", "/", vec![], vec![good()], &[UNIMPLEMENTED], 0),
        call("a good hello", SESSION, vec![], vec![good()], &[OK], 10),
        call("no message", SESSION, vec![], vec![], &[INVALID], 0),
        call("an empty message", SESSION, vec![], vec![message(b"")], &[INVALID], 0),
        call("a beat before the hello", SESSION, vec![], vec![beat(1)], &[INVALID], 0),
        call("noise for a message", SESSION, vec![], vec![noise.clone()], NOT_UNDERSTOOD, 0),
        call("an endless varint", SESSION, vec![], vec![message(&[&[0x0a][..], &[0xff; 10], &[0x7f]].concat())], NOT_UNDERSTOOD, 0),
        call("10,000 groups in each other", SESSION, vec![], vec![message(&[0x1b; 10_000])], NOT_UNDERSTOOD, 0),
        call("a name that is no UTF-8", SESSION, vec![], vec![message(&[0x0a, 0x04, 0x0a, 0x02, 0xc3, 0x28])], NOT_UNDERSTOOD, 0),
        call("a flag that is none", SESSION, vec![], vec![framed(7, 5, b"hello")], NOT_UNDERSTOOD, 0),
        call("half a prefix", SESSION, vec![], vec![Bytes::from_static(&[0, 0])], NOT_UNDERSTOOD, 0),
        call("half a message", SESSION, vec![], vec![framed(0, 100, b"hello")], NOT_UNDERSTOOD, 0),
        call("a message of 2 GiB, announced", SESSION, vec![], vec![framed(0, 1 << 31, b"hello")], &[OUT_OF_RANGE], 0),
        call("a message of 4 GiB, announced", SESSION, vec![], vec![framed(0, u32::MAX, b"hello")], &[OUT_OF_RANGE], 0),
        call("a message of 5 MiB", SESSION, vec![], vec![message(&giant)], &[OUT_OF_RANGE], 0),
        call("compressed by nobody knows what", SESSION, vec![("grpc-encoding", "cow")], vec![framed(1, 5, b"hello")], &[UNIMPLEMENTED], 0),
        call("compressed by gzip", SESSION, vec![("grpc-encoding", "gzip")], vec![framed(1, 5, b"hello")], &[UNIMPLEMENTED], 0),
        call("compressed, and not said how", SESSION, vec![], vec![framed(1, 5, b"hello")], NOT_UNDERSTOOD, 0),
        call("hello: empty node id", SESSION, vec![], vec![hello("", "host", "1", "28")], &[INVALID], 0),
        call("hello: control characters", SESSION, vec![], vec![hello("a\u{7}\nINFO all is well", "host", "1", "28")], &[INVALID], 0),
        call("hello: name of 10 kB", SESSION, vec![], vec![hello(&long, "host", "1", "28")], &[INVALID], 0),
        call("hello: engine of 10 kB", SESSION, vec![], vec![hello("node", "host", "1", &long)], &[INVALID], 0),
        call("second hello: empty node id", SESSION, vec![], vec![good(), hello("", "host", "1", "28")], &[INVALID], 10),
        call("second hello: control characters", SESSION, vec![], vec![good(), hello("a\u{1b}[2Jb", "host", "1", "28")], &[INVALID], 10),
        call("second hello: host of 10 kB", SESSION, vec![], vec![good(), hello("node", &long, "1", "28")], &[INVALID], 10),
        call("a hello, then noise", SESSION, vec![], vec![good(), noise], &[OK, INVALID, INTERNAL], 10),
        call("a hello, then 5 MiB", SESSION, vec![], vec![good(), message(&giant)], &[OK, OUT_OF_RANGE], 10),
        call("a hello and 10,000 more", SESSION, vec![], vec![good().repeat(10_001).into()], &[OK], 10),
        call("a hello and 10,000 beats", SESSION, vec![], vec![good(), beat(1).repeat(10_000).into()], &[OK], 10_000),
        call("grpc-timeout that is none", SESSION, vec![("grpc-timeout", "99999999999999999999X")], vec![good()], &[OK, INVALID, INTERNAL], 0),
        call("JSON that says it is gRPC", SESSION, vec![("content-type", "application/grpc+json")], vec![message(b"{}")], NOT_UNDERSTOOD, 0),
    ]
}
