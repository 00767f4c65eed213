//! Requests from inside the rig's network, one at a time and told in order.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method};
use serde::de::DeserializeOwned;

use super::{Rig, ground::Ground, images::sha256};

/// Longer than any fault a test should sit through; see [`Request::limit`].
const LIMIT: Duration = Duration::from_secs(60);

impl Rig {
    /// A client in the rig's network. It trusts the rig's authority only, follows no redirects, decodes nothing, uses
    /// no proxy, and knows the names given to [`Rig::add_host`] so far.
    ///
    /// # Errors
    /// Never, unless the rig is being dropped.
    pub fn http(&self) -> Result<Http> {
        Http::new(self.ground())
    }
}

/// See [`Rig::http`].
#[derive(Clone)]
pub struct Http {
    ground: Arc<Ground>,
    client: reqwest::Client,
}

impl Http {
    pub(crate) fn new(ground: Arc<Ground>) -> Result<Self> {
        let ca = reqwest::Certificate::from_der(ground.ca().der())?;
        let mut builder = reqwest::Client::builder()
            .tls_certs_only([ca])
            .redirect(reqwest::redirect::Policy::none())
            .http1_only()
            .no_proxy();
        for (name, address) in ground.hosts() {
            // Port 0 leaves the port to the URL.
            builder = builder.resolve(&name, SocketAddr::new(address, 0));
        }
        Ok(Self { client: builder.build().context("making an HTTP client")?, ground })
    }

    /// The client itself, to be used in [`Rig::block_on`].
    pub fn client(&self) -> &reqwest::Client {
        &self.client
    }

    /// Prepares a GET.
    pub fn get(&self, url: impl AsRef<str>) -> Request {
        self.request(Method::GET, url)
    }

    /// Prepares a HEAD.
    pub fn head(&self, url: impl AsRef<str>) -> Request {
        self.request(Method::HEAD, url)
    }

    /// Prepares any request.
    pub fn request(&self, method: Method, url: impl AsRef<str>) -> Request {
        let builder = self.client.request(method, url.as_ref());
        Request { ground: Arc::clone(&self.ground), builder, limit: LIMIT }
    }
}

/// A request about to be sent.
#[must_use = "nothing is sent before send"]
pub struct Request {
    ground: Arc<Ground>,
    builder: reqwest::RequestBuilder,
    limit: Duration,
}

impl Request {
    /// Adds a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.builder = self.builder.header(name, value);
        self
    }

    /// Sends name and password.
    pub fn basic(mut self, user: &str, password: &str) -> Self {
        self.builder = self.builder.basic_auth(user, Some(password));
        self
    }

    /// Sends a token.
    pub fn bearer(mut self, token: &str) -> Self {
        self.builder = self.builder.bearer_auth(token);
        self
    }

    /// Sends a body.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.builder = self.builder.body(body.into());
        self
    }

    /// How long headers and body together may take; a minute if not said.
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Sends it and reads the whole answer.
    ///
    /// # Errors
    /// When no headers come. A body that breaks off is an answer with [`Reply::broken`] set.
    pub fn send(self) -> Result<Reply> {
        let Self { ground, builder, limit } = self;
        ground.net()?.block_on(async move {
            let start = Instant::now();
            let mut response = builder.timeout(limit).send().await?;
            let mut body = BytesMut::new();
            let broken = loop {
                match response.chunk().await {
                    Ok(Some(part)) => body.extend_from_slice(&part),
                    Ok(None) => break None,
                    Err(e) => break Some(format!("{:#}", anyhow::Error::from(e))),
                }
            };
            let (status, headers) = (response.status().as_u16(), std::mem::take(response.headers_mut()));
            Ok(Reply { status, headers, body: body.freeze(), broken, elapsed: start.elapsed() })
        })
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Its status.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// As much of its body as came.
    pub body: Bytes,
    /// Why the body did not come to its end; `None` if it did.
    pub broken: Option<String>,
    /// From the start to the end of the body.
    pub elapsed: Duration,
}

impl Reply {
    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// When it is none, or not of this form.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.body).with_context(|| format!("not the JSON expected: {}", self.text()))
    }

    /// The digest of the body, `sha256:…`.
    pub fn digest(&self) -> String {
        sha256(&self.body)
    }

    /// Fails unless the status is this one and the body came whole.
    ///
    /// # Errors
    /// As said, with the body in the message.
    pub fn expect(self, status: u16) -> Result<Self> {
        match &self.broken {
            Some(why) => bail!("the body broke off after {} bytes: {why}", self.body.len()),
            None if self.status != status => bail!("{} instead of {status}: {}", self.status, self.text()),
            None => Ok(self),
        }
    }
}
