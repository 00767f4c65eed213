//! What is asked for, and where.

use std::{
    net::{SocketAddr, TcpStream, ToSocketAddrs as _},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use url::Url;

/// No byte for so long is a failure, not a slow server: whoever fetches 64 copies over a slow link is done by then.
const SILENCE: Duration = Duration::from_secs(300);

/// What engines accept, in their order: a registry makes another answer of a tag for a client that takes less.
const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
                         application/vnd.docker.distribution.manifest.list.v2+json, \
                         application/vnd.docker.distribution.manifest.v2+json, */*";

/// A GET of one address, ready to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    url: String,
    address: SocketAddr,
    request: Vec<u8>,
    copies: bool,
}

impl Target {
    /// # Errors
    /// When `url` is none of plain HTTP, or its host is not found.
    pub(crate) fn get(url: &str) -> Result<Self> {
        let parsed = Url::parse(url).with_context(|| format!("no URL: {url}"))?;
        if parsed.scheme() != "http" {
            bail!("{url}: only plain http is measured");
        }
        let host = parsed.host_str().context("a URL without a host")?;
        let port = parsed.port_or_known_default().context("a URL without a port")?;
        let name = host.trim_start_matches('[').trim_end_matches(']');
        let found = (name, port).to_socket_addrs().with_context(|| format!("looking up {host}"))?.next();
        let address = found.with_context(|| format!("{host} has no address"))?;
        let place = &parsed[url::Position::BeforePath..url::Position::AfterQuery];
        let request = format!(
            "GET {place} HTTP/1.1\r\nHost: {host}:{port}\r\nUser-Agent: larder-bench\r\nAccept: {MANIFESTS}\r\n\r\n"
        );
        Ok(Self { url: url.to_owned(), address, request: request.into_bytes(), copies: false })
    }

    /// The address as it was given.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Bodies are read, or dropped in the kernel.
    pub(crate) fn copying(mut self, copies: bool) -> Self {
        self.copies = copies;
        self
    }

    /// Whether they are read.
    pub(crate) fn copies(&self) -> bool {
        self.copies
    }

    /// The whole request.
    pub(crate) fn request(&self) -> &[u8] {
        &self.request
    }

    /// A new connection to the server.
    ///
    /// # Errors
    /// When the server refuses.
    pub(crate) fn connect(&self) -> Result<TcpStream> {
        let stream = TcpStream::connect(self.address).with_context(|| format!("connecting to {}", self.address))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(SILENCE))?;
        Ok(stream)
    }
}

#[cfg(test)]
mod tests {
    use super::Target;

    #[test]
    fn the_request_names_path_query_and_host() {
        let target = Target::get("http://127.0.0.1:5000/v2/a/b/manifests/x?ns=docker.io#part").unwrap();
        let text = String::from_utf8(target.request().to_vec()).unwrap();
        assert!(
            text.starts_with("GET /v2/a/b/manifests/x?ns=docker.io HTTP/1.1\r\nHost: 127.0.0.1:5000\r\n"),
            "{text}"
        );
        assert!(text.ends_with("\r\n\r\n"));
        assert_eq!(target.address().to_string(), "127.0.0.1:5000");
        assert_eq!(Target::get("http://[::1]/").unwrap().address().to_string(), "[::1]:80");
        assert!(Target::get("https://127.0.0.1/").is_err());
        assert!(Target::get("127.0.0.1:5000").is_err());
    }
}
