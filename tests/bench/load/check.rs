//! Whether the bytes are the right ones.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};

use anyhow::{Context as _, Result, ensure};
use aws_lc_rs::digest::{Context, SHA256};

use super::{head, target::Target};

const CHUNK: usize = 256 << 10;

/// More than any head has.
const HEAD: u64 = 64 << 10;

/// Downloads it once and compares its SHA-256 with `digest`, `sha256:…`.
///
/// # Errors
/// When the answer is no 200, breaks off, or is something else.
pub(crate) fn check(target: &Target, digest: &str) -> Result<()> {
    fetch(target, digest).with_context(|| format!("checking {}", target.url()))
}

fn fetch(target: &Target, digest: &str) -> Result<()> {
    let mut stream = target.connect()?;
    stream.write_all(target.request())?;
    let (mut answer, mut text) = (BufReader::with_capacity(CHUNK, stream), Vec::new());
    while !text.ends_with(b"\r\n\r\n") {
        let count = answer.by_ref().take(HEAD).read_until(b'\n', &mut text)?;
        ensure!(count > 0, "the connection was closed instead of an answer");
    }
    let head = head::parse(&text)?.context("a head ends where it ends")?;
    let (mut hash, mut chunk, mut left) = (Context::new(&SHA256), vec![0; CHUNK], head.length);
    while left > 0 {
        let part = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
        let count = answer.read(&mut chunk[..part])?;
        ensure!(count > 0, "the body broke off {left} bytes before its end");
        hash.update(&chunk[..count]);
        left -= count as u64;
    }
    let found = format!("sha256:{}", hex::encode(hash.finish().as_ref()));
    ensure!(found == digest, "wrong bytes: {found} instead of {digest}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{io::Write as _, net::TcpListener, thread};

    use larder_tests::rig::images::sha256;

    use super::*;

    /// What `check` says of a server that answers this.
    fn verdict(answer: &'static str, digest: &str) -> Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let target = Target::get(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
        thread::scope(|scope| {
            scope.spawn(|| {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = BufReader::new(stream.try_clone().unwrap()).lines();
                while !request.next().unwrap().unwrap().is_empty() {}
                stream.write_all(answer.as_bytes()).unwrap();
            });
            check(&target, digest)
        })
    }

    #[test]
    fn wrong_short_and_refused_answers_are_told() {
        let right = sha256(b"hello");
        verdict("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", &right).unwrap();
        for (answer, message) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhallo", "wrong bytes"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", "broke off"),
            ("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "404"),
            ("HTTP/1.1 200", "closed"),
        ] {
            let error = format!("{:#}", verdict(answer, &right).unwrap_err());
            assert!(error.contains(message), "{error}");
        }
    }
}
