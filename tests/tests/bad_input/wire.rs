//! Requests byte by byte, for what no client library sends.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    os::unix::net::UnixStream,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use larder_tests::rig::Rig;
use serde_json::Value;

/// Where to send to.
#[derive(Clone, Debug)]
pub(crate) enum To {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// What came back until the connection ended or the time was over.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) bytes: Vec<u8>,
    /// Whether the other side ended the connection.
    pub(crate) ended: bool,
    pub(crate) took: Duration,
}

/// One answer in it.
#[derive(Clone, Debug)]
pub(crate) struct Parsed {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// Sends bytes and reads what comes, for as long as `limit` at most.
pub(crate) fn send(rig: &Rig, to: &To, bytes: &[u8], limit: Duration) -> Result<Reply> {
    rig.inside(|| {
        let start = Instant::now();
        let mut stream = connect(to)?;
        stream.patience(limit)?;
        // A server that has had enough closes before it has read all.
        let _ = stream.write_all(bytes);
        read(stream, start, limit)
    })?
}

/// Sends bytes one by one, a few a second, until the other side has had enough.
pub(crate) fn trickle(rig: &Rig, to: &To, bytes: &[u8], limit: Duration) -> Result<Reply> {
    rig.inside(|| {
        let start = Instant::now();
        let mut stream = connect(to)?;
        let (mut got, mut part) = (Vec::new(), [0; 4096]);
        // Reading is the pause between two bytes.
        stream.patience(Duration::from_millis(500))?;
        for byte in bytes {
            let ended = match (stream.write_all(&[*byte]), stream.read(&mut part)) {
                (Err(_), _) | (_, Ok(0)) => true,
                (_, Ok(n)) => {
                    got.extend_from_slice(&part[..n]);
                    false
                }
                (_, Err(error)) => !is_late(&error),
            };
            if ended || start.elapsed() > limit {
                return Ok(Reply { bytes: got, ended, took: start.elapsed() });
            }
        }
        Ok(Reply { bytes: got, ended: false, took: start.elapsed() })
    })?
}

fn read(mut stream: Box<dyn Stream>, start: Instant, limit: Duration) -> Result<Reply> {
    let (mut bytes, mut part) = (Vec::new(), vec![0; 64 << 10]);
    let ended = loop {
        let left = limit.saturating_sub(start.elapsed());
        if left.is_zero() {
            break false;
        }
        stream.patience(left)?;
        match stream.read(&mut part) {
            Ok(0) => break true,
            Ok(n) => bytes.extend_from_slice(&part[..n]),
            Err(error) => break !is_late(&error),
        }
    };
    Ok(Reply { bytes, ended, took: start.elapsed() })
}

fn is_late(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

fn connect(to: &To) -> Result<Box<dyn Stream>> {
    Ok(match to {
        To::Tcp(address) => Box::new(TcpStream::connect(address).with_context(|| format!("connecting to {address}"))?),
        To::Unix(path) => Box::new(UnixStream::connect(path).with_context(|| format!("connecting to {path:?}"))?),
    })
}

trait Stream: std::io::Read + std::io::Write {
    fn patience(&self, limit: Duration) -> Result<()>;
}

impl Stream for TcpStream {
    fn patience(&self, limit: Duration) -> Result<()> {
        self.set_write_timeout(Some(limit))?;
        Ok(self.set_read_timeout(Some(limit))?)
    }
}

impl Stream for UnixStream {
    fn patience(&self, limit: Duration) -> Result<()> {
        self.set_write_timeout(Some(limit))?;
        Ok(self.set_read_timeout(Some(limit))?)
    }
}

/// A request that asks for the connection to be closed after it.
pub(crate) fn request(line: &str, headers: &[&str], body: &[u8]) -> Vec<u8> {
    let mut text = format!("{line} HTTP/1.1\r\nHost: larder\r\nConnection: close\r\n");
    for header in headers {
        text.push_str(header);
        text.push_str("\r\n");
    }
    text.push_str("\r\n");
    [text.as_bytes(), body].concat()
}

impl Reply {
    /// The first answer; `None` if there is none.
    pub(crate) fn first(&self) -> Option<Parsed> {
        self.all().into_iter().next()
    }

    /// The answers in it, of requests that are not HEAD. A body without a length is the rest.
    pub(crate) fn all(&self) -> Vec<Parsed> {
        let (mut found, mut rest) = (Vec::new(), self.bytes.as_slice());
        while let Some((parsed, length)) = parse(rest) {
            found.push(parsed);
            rest = &rest[length..];
        }
        found
    }

    /// In a few words, for the table.
    pub(crate) fn brief(&self) -> String {
        match (self.first(), self.ended) {
            (Some(answer), _) => answer.brief(),
            (None, true) => "closed without an answer".to_owned(),
            (None, false) => "nothing".to_owned(),
        }
    }
}

impl Parsed {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The protocol's code, if this is an error as the protocol has them.
    pub(crate) fn code(&self) -> Option<String> {
        let body: Value = serde_json::from_slice(&self.body).ok()?;
        let error = body.get("errors")?.get(0)?;
        error.get("message")?.as_str()?;
        Some(error.get("code")?.as_str()?.to_owned())
    }

    pub(crate) fn brief(&self) -> String {
        format!("{} {}", self.status, self.code().unwrap_or_else(|| format!("({} bytes)", self.body.len())))
    }
}

fn parse(bytes: &[u8]) -> Option<(Parsed, usize)> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head) = response.parse(bytes).ok()? else { return None };
    let headers: Vec<_> =
        response.headers.iter().map(|h| (h.name.to_owned(), String::from_utf8_lossy(h.value).into_owned())).collect();
    let length = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let length: usize = length.and_then(|(_, value)| value.parse().ok()).unwrap_or(usize::MAX);
    let end = head.saturating_add(length).min(bytes.len());
    Some((Parsed { status: response.code?, headers, body: bytes[head..end].to_vec() }, end))
}
