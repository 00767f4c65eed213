//! Requests that are odd or broken, and what may come of each.

use larder_tests::rig::images::Image;

use crate::wire::request;

/// What it is, the bytes, and the statuses it may be answered with; 0 is a closed connection.
pub(super) type Odd = (&'static str, Vec<u8>, &'static [u16]);

#[rustfmt::skip]
pub(super) fn all(image: &Image) -> Vec<Odd> {
    let manifest = "/v2/library/tiny/manifests/1";
    let blob = format!("/v2/library/tiny/blobs/{}", image.config_digest());
    let layer = format!("/v2/library/tiny/blobs/{}", image.layers()[image.layers().len() - 1].digest());
    let of = |method: &str| request(&format!("{method} {manifest}"), &[], b"");
    let get = |headers: &[&str], body: &[u8]| request(&format!("GET {manifest}"), headers, body);
    let raw = |text: &str| text.as_bytes().to_vec();
    vec![
        ("POST", of("POST"), &[405]),
        ("PUT", of("PUT"), &[405]),
        ("PATCH", of("PATCH"), &[405]),
        ("DELETE", of("DELETE"), &[405]),
        ("DELETE of a blob", request(&format!("DELETE {blob}"), &[], b""), &[405]),
        ("POST of an upload", request("POST /v2/library/tiny/blobs/uploads/", &[], b""), &[405]),
        ("OPTIONS", of("OPTIONS"), &[405]),
        ("OPTIONS *", request("OPTIONS *", &[], b""), &[400, 404, 405]),
        ("TRACE", of("TRACE"), &[405]),
        ("BREW", of("BREW"), &[405]),
        ("get", of("get"), &[405]),
        ("CONNECT", request("CONNECT evil.example:443", &[], b""), &[400, 404, 405]),
        ("a method of 10 kB", of(&"A".repeat(10_000)), &[400, 405, 431, 0]),
        ("another host's URL", request(&format!("GET http://evil.example{manifest}"), &[], b""), &[200]),
        ("a URL with a user", request(&format!("GET http://a:b@evil.example{manifest}"), &[], b""), &[200, 400]),
        ("GET with a body", get(&["Content-Length: 5"], b"hello"), &[200]),
        ("GET with a body that never comes", get(&["Content-Length: 1000000000"], b""), &[200]),
        ("GET with a body in chunks", get(&["Transfer-Encoding: chunked"], b"5\r\nhello\r\n0\r\n\r\n"), &[200]),
        ("GET with broken chunks", get(&["Transfer-Encoding: chunked"], b"zz\r\nhello"), &[200, 400]),
        ("two lengths", get(&["Content-Length: 5", "Content-Length: 6"], b"hello"), &[400]),
        ("a length below zero", get(&["Content-Length: -1"], b""), &[400]),
        ("a length of 2^70", get(&["Content-Length: 1180591620717411303424"], b""), &[400]),
        ("length and chunks", get(&["Content-Length: 3", "Transfer-Encoding: chunked"], b"0\r\n\r\n"), &[200, 400]),
        ("an encoding that is none", get(&["Transfer-Encoding: cow"], b""), &[200, 400, 501]),
        ("Expect: 100-continue, GET", get(&["Expect: 100-continue", "Content-Length: 5"], b""), &[200]),
        ("Expect: 100-continue, PUT", request(&format!("PUT {manifest}"), &["Expect: 100-continue", "Content-Length: 1000000"], b""), &[405]),
        ("Expect: a miracle", get(&["Expect: a-miracle"], b""), &[200, 417]),
        ("Upgrade: h2c", get(&["Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"], b""), &[200]),
        ("Upgrade: websocket", get(&["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Key: AAAA"], b""), &[200]),
        ("Content-Type: application/grpc", get(&["Content-Type: application/grpc"], b""), &[200, 400, 415]),
        ("HTTP/1.0", raw(&format!("GET {manifest} HTTP/1.0\r\n\r\n")), &[200]),
        ("HTTP/1.0, a blob", raw(&format!("GET {blob} HTTP/1.0\r\n\r\n")), &[200]),
        ("HTTP/1.0, a large layer", raw(&format!("GET {layer} HTTP/1.0\r\n\r\n")), &[200]),
        ("HTTP/0.9", raw(&format!("GET {manifest}\r\n\r\n")), &[400, 0]),
        ("HTTP/1.1 without Host", raw(&format!("GET {manifest} HTTP/1.1\r\nConnection: close\r\n\r\n")), &[200, 400]),
        ("HTTP/2.0 in words", raw(&format!("GET {manifest} HTTP/2.0\r\n\r\n")), &[400, 505, 0]),
        ("HTTP/9.9", raw(&format!("GET {manifest} HTTP/9.9\r\n\r\n")), &[400, 505, 0]),
        ("bare line feeds", raw(&format!("GET {manifest} HTTP/1.1\nHost: x\nConnection: close\n\n")), &[200, 400]),
        ("no request at all", raw("\r\n\r\n\r\nhello\r\n\r\n"), &[400, 0]),
        ("zeros", vec![0; 4096], &[400, 0]),
        ("a TLS ClientHello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".iter().copied().chain([7; 600]).collect(), &[400, 0]),
        ("64 kB of noise", (0_u32..65_536).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect(), &[400, 414, 431, 0]),
    ]
}
