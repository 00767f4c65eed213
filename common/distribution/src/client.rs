//! Asking another registry: the client half.
//!
//! One [`Client`] speaks to one registry. It answers challenges, keeps tokens, follows redirects itself (so that an
//! `Authorization` never leaves the registry's origin), and waits for nothing without a deadline. It verifies nothing:
//! whoever keeps the bytes does.

mod auth;
mod blobs;
mod manifests;
mod token;
mod transport;

use std::{fmt, sync::Arc, time::Duration};

use base64::Engine as _;
use futures_util::future::BoxFuture;
use http::HeaderValue;
use larder_content::{Fault, SourceError};
use larder_oci::{Registry, RepositoryName};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

pub use blobs::RepositoryBlobs;
pub use manifests::{FetchedManifest, Resolved};

use auth::Auth;
use transport::Transport;

/// A client of one registry.
#[derive(Debug, Clone)]
pub struct Client {
    shared: Arc<Shared>,
    ask_for: Namespace,
}

#[derive(Debug)]
struct Shared {
    name: Arc<str>,
    transport: Transport,
    auth: Auth,
}

/// Which registry the other side is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Namespace {
    /// Its own content: the other side is the registry.
    Own,
    /// The content of a registry that it mirrors, said by `?ns=` in every request.
    Mirrored(Registry),
}

/// How to reach a registry.
pub struct Options {
    /// Scheme, host and port, and a path prefix if it has one.
    pub url: Url,
    /// What logs and metrics call it.
    pub name: String,
    /// Which registry it is asked for.
    pub namespace: Namespace,
    /// Whom to trust, and who we are.
    pub tls: rustls::ClientConfig,
    /// Who we are to the registry.
    pub credentials: Arc<dyn Credentials>,
    /// Hosts (`host` or `host:port`) of token realms that may see the credentials beside the registry's own.
    pub realms: Vec<String>,
    /// How long to wait for what.
    pub deadlines: Deadlines,
    /// Whether the environment's HTTP proxy is used (`HTTPS_PROXY`, `NO_PROXY`).
    pub system_proxy: bool,
}

/// How long to wait for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// For a connection, TLS included.
    pub connect: Duration,
    /// For the headers of an answer, from the start of the request.
    pub headers: Duration,
    /// Between two reads of a body.
    pub idle: Duration,
}

/// Who we are to a registry.
pub trait Credentials: Send + Sync + 'static {
    /// The user name and password to use now; `None` is anonymous. An error says why they cannot be had.
    fn get(&self) -> BoxFuture<'_, Result<Option<Login>, String>>;
}

/// A user name and its password.
#[derive(Debug, Clone)]
pub struct Login {
    /// The user name.
    pub username: String,
    /// The password, or a token that stands for one.
    pub password: SecretString,
}

/// Nobody in particular.
#[derive(Debug, Clone, Copy)]
pub struct Anonymous;

impl Credentials for Anonymous {
    fn get(&self) -> BoxFuture<'_, Result<Option<Login>, String>> {
        Box::pin(async { Ok(None) })
    }
}

impl Login {
    /// `Authorization: Basic …`, kept out of every Debug print.
    fn authorization(&self) -> HeaderValue {
        let pair = format!("{}:{}", self.username, self.password.expose_secret());
        let text = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair));
        let mut value = HeaderValue::try_from(text).expect("base64 is a header value");
        value.set_sensitive(true);
        value
    }
}

impl Credentials for Login {
    fn get(&self) -> BoxFuture<'_, Result<Option<Login>, String>> {
        Box::pin(async { Ok(Some(self.clone())) })
    }
}

impl Default for Deadlines {
    /// 5 s, 15 s, 18 s: what waits for the hub waits for 20 s, and engines give up after 30 s.
    fn default() -> Self {
        Self { connect: Duration::from_secs(5), headers: Duration::from_secs(15), idle: Duration::from_secs(18) }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options").field("url", &self.url.as_str()).field("name", &self.name).finish_non_exhaustive()
    }
}

impl Client {
    /// A client. No connection is made before the first request.
    pub fn new(options: Options) -> Result<Self, SourceError> {
        let name: Arc<str> = options.name.as_str().into();
        let transport = Transport::new(Arc::clone(&name), &options)?;
        let auth = Auth::new(options.credentials, options.realms);
        Ok(Self { shared: Arc::new(Shared { name, transport, auth }), ask_for: options.namespace })
    }

    /// The same client, asking for the content of another registry that the other side mirrors.
    #[must_use]
    pub fn asking_for(&self, namespace: Namespace) -> Self {
        Self { shared: Arc::clone(&self.shared), ask_for: namespace }
    }

    /// What logs and metrics call the registry.
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// Sends a request that reads from `repository`, answering a challenge if there is one. The answer has a status
    /// that says that it holds what was asked for.
    async fn ask(&self, ask: transport::Ask, repository: &RepositoryName) -> Result<reqwest::Response, SourceError> {
        let response = self.send(&ask, repository).await?;
        self.shared.transport.accept(response, &ask)
    }

    /// The same, whatever the answer says.
    async fn send(&self, ask: &transport::Ask, repository: &RepositoryName) -> Result<reqwest::Response, SourceError> {
        let Shared { transport, auth, .. } = &*self.shared;
        let scope = format!("repository:{repository}:pull");
        let known = auth.known(transport, &scope).await.inspect_err(|_| auth.forget())?;
        let response = transport.send(ask, known.as_ref()).await?;
        if response.status() != http::StatusCode::UNAUTHORIZED {
            return Ok(response);
        }
        // What we had is not (or no more) enough; the challenge says what is. Once, or it is a loop.
        let answer = auth.answer(transport, &response, &scope, known.is_some()).await?;
        transport.send(ask, Some(&answer)).await
    }

    /// The URL of something in a repository.
    fn url(&self, repository: &RepositoryName, kind: &str, reference: &str) -> Result<Url, SourceError> {
        let mut url = self
            .shared
            .transport
            .url(&format!("v2/{repository}/{kind}/{reference}"))
            .map_err(|error| self.error(Fault::Invalid, error))?;
        if let Namespace::Mirrored(registry) = &self.ask_for {
            url.query_pairs_mut().append_pair("ns", registry.as_str());
        }
        Ok(url)
    }

    fn error(&self, fault: Fault, detail: impl fmt::Display) -> SourceError {
        SourceError::new(&self.shared.name, fault, detail)
    }
}
