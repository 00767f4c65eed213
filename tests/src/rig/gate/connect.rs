//! What a client says to an HTTP proxy that is to pass its TLS on (RFC 9110, section 9.3.6). Pure.

use anyhow::{Context as _, Result, bail, ensure};

/// The longest head that is read.
pub(super) const MAX_HEAD: usize = 8 * 1024;

/// A whole request: where to, and how long its head was. `None` while its end has not come.
pub(super) fn parse(head: &[u8]) -> Result<Option<(Target, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut request = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(length) = request.parse(head).context("no HTTP request")? else {
        ensure!(head.len() < MAX_HEAD, "a request without an end");
        return Ok(None);
    };
    let (method, path) = (request.method.unwrap_or_default(), request.path.unwrap_or_default());
    ensure!(method == "CONNECT", "only CONNECT is served here, not {method}");
    Ok(Some((Target::parse(path)?, length)))
}

/// Host and port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) host: String,
    pub(super) port: u16,
}

impl Target {
    fn parse(text: &str) -> Result<Self> {
        let Some((host, port)) = text.rsplit_once(':') else { bail!("no port in {text:?}") };
        let port = port.parse().with_context(|| format!("the port of {text:?}"))?;
        Ok(Self { host: host.trim_matches(['[', ']']).to_owned(), port })
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_HEAD, Target, parse};

    #[test]
    fn a_request_says_where_to() {
        let head = b"CONNECT registry-1.docker.io:443 HTTP/1.1\r\nHost: registry-1.docker.io:443\r\n\r\nrest";
        let target = Target { host: "registry-1.docker.io".to_owned(), port: 443 };
        assert_eq!(parse(head).unwrap(), Some((target, head.len() - 4)));
        assert_eq!(parse(&head[..30]).unwrap(), None);
        let six = parse(b"CONNECT [::1]:443 HTTP/1.1\r\n\r\n").unwrap().unwrap().0;
        assert_eq!((six.host.as_str(), six.port), ("::1", 443));
    }

    #[test]
    fn anything_else_is_refused() {
        for head in
            ["GET / HTTP/1.1\r\n\r\n", "CONNECT host HTTP/1.1\r\n\r\n", "CONNECT h:x HTTP/1.1\r\n\r\n", "\u{16}"]
        {
            assert!(parse(head.as_bytes()).is_err(), "{head:?}");
        }
        let mut endless = b"CONNECT a:1 HTTP/1.1\r\nx: ".to_vec();
        endless.resize(MAX_HEAD, b'a');
        assert!(parse(&endless).is_err());
    }
}
