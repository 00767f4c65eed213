//! One of the connections of [`requests`](super::requests): how far its answer has come.

use std::{net::TcpStream, time::Instant};

use anyhow::{Context as _, Result};

use super::{head, target::Target};

pub(super) struct Connection {
    pub(super) stream: TcpStream,
    /// Which target is being asked for.
    pub(super) target: usize,
    pub(super) sent: Instant,
    /// The head as far as it came, if not at once.
    head: Vec<u8>,
    /// What is still to come of the body, once the head is there, and whether the server closes after it.
    body: Option<(u64, bool)>,
    /// Answers on this very connection: only an idle one may be closed by the server without an error.
    answers: u64,
}

impl Connection {
    pub(super) fn open(target: &Target) -> Result<Self> {
        let stream = target.connect()?;
        stream.set_nonblocking(true)?;
        Ok(Self { stream, target: 0, sent: Instant::now(), head: vec![], body: None, answers: 0 })
    }

    /// The head is there and more is to come: what comes need not be looked at.
    pub(super) fn is_in_body(&self) -> bool {
        self.body.is_some()
    }

    /// Whether the server may close the connection: it has answered, and has not begun to answer again.
    pub(super) fn is_idle(&self) -> bool {
        self.answers > 0 && self.head.is_empty() && self.body.is_none()
    }

    /// Takes `count` bytes, which are `bytes` as far as they are a head's; if the answer is whole now, whether the
    /// server closes after it.
    pub(super) fn take(&mut self, bytes: &[u8], count: u64) -> Result<Option<bool>> {
        let (left, closes) = if let Some((left, closes)) = self.body {
            (left.checked_sub(count).context("more bytes than announced")?, closes)
        } else {
            let whole = if self.head.is_empty() {
                head::parse(bytes)?
            } else {
                self.head.extend_from_slice(bytes);
                head::parse(&self.head)?
            };
            let Some(head) = whole else {
                if self.head.is_empty() {
                    self.head.extend_from_slice(bytes);
                }
                return Ok(None);
            };
            let came = self.head.len().max(bytes.len()) - head.size;
            self.head.clear();
            (head.length.checked_sub(came as u64).context("more bytes than announced")?, head.closes)
        };
        if left > 0 {
            self.body = Some((left, closes));
            return Ok(None);
        }
        self.body = None;
        self.answers += 1;
        Ok(Some(closes))
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// A connection to nobody: only [`Connection::take`] is looked at.
    fn connection() -> Connection {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        Connection::open(&Target::get(&url).unwrap()).unwrap()
    }

    #[test]
    fn answers_are_whole_however_they_are_cut() {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
        for cut in 1..answer.len() {
            let mut connection = connection();
            for part in [&answer[..cut], &answer[cut..]] {
                let done = connection.take(part, part.len() as u64).unwrap();
                assert_eq!(done.is_some(), part.len() == answer.len() - cut && part.ends_with(b"o"), "cut at {cut}");
            }
            assert_eq!((connection.answers, connection.body), (1, None));
        }
        assert!(connection().take(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nhello", 43).is_err());
    }
}
