//! Reading the head of an answer. Pure.

use anyhow::{Context as _, Result, ensure};

/// More headers than any registry sends.
const MOST: usize = 64;

/// What the head of an answer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// Bytes of the head itself.
    pub(crate) size: usize,
    /// Bytes of the body.
    pub(crate) length: u64,
    /// The server closes the connection after this answer.
    pub(crate) closes: bool,
}

/// Reads the head at the start of `bytes`; `None` while it is not whole.
///
/// # Errors
/// When it is no HTTP, no success, or does not say how long the body is.
pub(crate) fn parse(bytes: &[u8]) -> Result<Option<Head>> {
    let mut headers = [httparse::EMPTY_HEADER; MOST];
    let mut response = httparse::Response::new(&mut headers);
    let size = match response.parse(bytes).context("no HTTP/1.1 answer")? {
        httparse::Status::Complete(size) => size,
        httparse::Status::Partial => return Ok(None),
    };
    let status = response.code.unwrap_or_default();
    ensure!(status == 200, "status {status}: {}", String::from_utf8_lossy(&bytes[..size.min(300)]).trim_end());
    let (mut length, mut closes) = (None, false);
    for header in response.headers {
        if header.name.eq_ignore_ascii_case("content-length") {
            length = std::str::from_utf8(header.value)?.trim().parse().ok();
        } else if header.name.eq_ignore_ascii_case("connection") {
            closes = header.value.eq_ignore_ascii_case(b"close");
        }
    }
    let length = length.context("an answer without Content-Length is not measured")?;
    Ok(Some(Head { size, length, closes }))
}

#[cfg(test)]
mod tests {
    use super::{Head, parse};

    #[test]
    fn a_head_is_read_once_it_is_whole() {
        let text = b"HTTP/1.1 200 OK\r\nContent-Type: a/b\r\ncontent-LENGTH: 12\r\n\r\nhello";
        assert_eq!(parse(text).unwrap(), Some(Head { size: text.len() - 5, length: 12, closes: false }));
        for end in 0..text.len() - 5 {
            assert_eq!(parse(&text[..end]).unwrap(), None, "{end}");
        }
        let closing = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
        assert!(parse(closing).unwrap().unwrap().closes);
    }

    #[test]
    fn whatever_cannot_be_measured_is_an_error() {
        for text in [
            "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n",
            "HTTP/1.1 206 Partial Content\r\nContent-Length: 2\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
            "SSH-2.0-OpenSSH\r\n",
        ] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
        let message = parse(b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n").unwrap_err().to_string();
        assert!(message.contains("404"), "{message}");
    }
}
