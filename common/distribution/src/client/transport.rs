//! One request and its redirects, under deadlines.

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use larder_content::{Fault, SourceError};
use reqwest::{Response, redirect::Policy};
use url::Url;

use super::{Deadlines, Options};
use crate::origin;

/// Sends requests to one registry, and where it redirects them.
#[derive(Debug)]
pub(super) struct Transport {
    name: Arc<str>,
    base: Url,
    http: reqwest::Client,
    deadlines: Deadlines,
}

/// A request, which may be sent more than once.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
}

impl Ask {
    pub(super) fn get(url: Url) -> Self {
        Self { method: Method::GET, url, headers: HeaderMap::new() }
    }

    pub(super) fn head(url: Url) -> Self {
        Self { method: Method::HEAD, ..Self::get(url) }
    }

    pub(super) fn with(mut self, name: header::HeaderName, value: HeaderValue) -> Self {
        self.headers.append(name, value);
        self
    }

    /// The request as a log has it: a query may hold a signature, so it is left out.
    pub(super) fn describe(&self) -> String {
        format!("{} {}", self.method, self.url.path())
    }
}

impl Transport {
    pub(super) fn new(name: Arc<str>, options: &Options) -> Result<Self, SourceError> {
        let mut base = options.url.clone();
        base.set_query(None);
        base.set_fragment(None);
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        let deadlines = options.deadlines;
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(options.tls.clone())
            .redirect(Policy::none())
            .connect_timeout(deadlines.connect)
            .read_timeout(deadlines.idle)
            .tcp_nodelay(true)
            // Shorter than servers keep an idle connection, so that none is closed as it is taken up again.
            .pool_idle_timeout(Duration::from_secs(10))
            // Registries answer 403 to a client that does not say what it is (Docker Hub).
            .user_agent(concat!("larder/", env!("CARGO_PKG_VERSION")));
        if !options.system_proxy {
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|error| {
            SourceError::new(&name, Fault::Invalid, format!("cannot set up its client: {}", chain(&error)))
        })?;
        Ok(Self { name, base, http, deadlines })
    }

    /// For how long something small may take as a whole: a trickle that never pauses long enough to be called silent
    /// must end too.
    pub(super) fn small_deadline(&self) -> Duration {
        self.deadlines.headers
    }

    pub(super) fn base(&self) -> &Url {
        &self.base
    }

    pub(super) fn url(&self, path: &str) -> Result<Url, url::ParseError> {
        self.base.join(path)
    }

    pub(super) fn error(&self, fault: Fault, detail: impl std::fmt::Display) -> SourceError {
        SourceError::new(&self.name, fault, detail)
    }

    /// Sends `ask`, with `authorization` as long as it stays at the origin it is meant for, and follows redirects.
    pub(super) async fn send(&self, ask: &Ask, authorization: Option<&HeaderValue>) -> Result<Response, SourceError> {
        let mut url = ask.url.clone();
        for _ in 0..=origin::MAX_REDIRECTS {
            let mut request = self
                .http
                .request(ask.method.clone(), url.clone())
                .headers(ask.headers.clone())
                // A digest is over the bytes as they are, not as some proxy packed them.
                .header(header::ACCEPT_ENCODING, "identity");
            if let Some(authorization) = authorization.filter(|_| origin::same_origin(&ask.url, &url)) {
                request = request.header(header::AUTHORIZATION, authorization);
            }
            let response = match tokio::time::timeout(self.deadlines.headers, request.send()).await {
                Ok(Ok(response)) => response,
                Ok(Err(error)) => return Err(self.broken(&ask.describe(), &error)),
                Err(_) => {
                    let detail = format!("{}: no answer within {:?}", ask.describe(), self.deadlines.headers);
                    return Err(self.error(Fault::TimedOut, detail));
                }
            };
            let Some(location) = redirection(&response) else { return Ok(response) };
            url = origin::redirect(&self.base, &url, location).map_err(|refusal| {
                self.error(Fault::Invalid, format!("{}: the redirect was not followed: {refusal}", ask.describe()))
            })?;
        }
        let detail = format!("{}: more than {} redirects", ask.describe(), origin::MAX_REDIRECTS);
        Err(self.error(Fault::Invalid, detail))
    }

    /// Takes an answer that holds what was asked for, and says why any other one does not.
    pub(super) fn accept(&self, response: Response, ask: &Ask) -> Result<Response, SourceError> {
        let status = response.status();
        let answered = |fault| self.error(fault, format!("{}: answered with {status}", ask.describe()));
        match status {
            StatusCode::OK | StatusCode::PARTIAL_CONTENT => {}
            // A cache has not got it at the moment: ours says so (see `server`).
            StatusCode::NOT_FOUND if retry_after(&response).is_some() => return Err(answered(Fault::Failing)),
            StatusCode::NOT_FOUND | StatusCode::GONE => return Err(answered(Fault::NotFound)),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => return Err(answered(Fault::Denied)),
            StatusCode::TOO_MANY_REQUESTS => return Err(answered(Fault::Limited(retry_after(&response)))),
            status if status.is_server_error() => return Err(answered(Fault::Failing)),
            _ => return Err(answered(Fault::Invalid)),
        }
        let header = |name| response.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        if let Some(encoding) = header(header::CONTENT_ENCODING).filter(|encoding| *encoding != "identity") {
            let detail = format!("{}: encoded as {encoding:?}, which was not asked for", ask.describe());
            return Err(self.error(Fault::Invalid, detail));
        }
        // A captive portal, a login page, an error page with the wrong status.
        if header(header::CONTENT_TYPE).is_some_and(|text| text.trim_start().starts_with("text/html")) {
            return Err(self.error(Fault::Invalid, format!("{}: answered with a web page", ask.describe())));
        }
        Ok(response)
    }

    /// The error of a connection or a body that broke.
    pub(super) fn broken(&self, what: &str, error: &reqwest::Error) -> SourceError {
        let fault = if error.is_timeout() { Fault::TimedOut } else { Fault::Unreachable };
        self.error(fault, format!("{what}: {}", chain(error)))
    }
}

fn redirection(response: &Response) -> Option<&str> {
    match response.status().as_u16() {
        301 | 302 | 303 | 307 | 308 => response.headers().get(header::LOCATION)?.to_str().ok(),
        _ => None,
    }
}

/// `Retry-After` in seconds, where it makes sense: some registries send dates, fractions or units.
fn retry_after(response: &Response) -> Option<Duration> {
    let seconds: u64 = response.headers().get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    (1..=86_400).contains(&seconds).then(|| Duration::from_secs(seconds))
}

/// An error with its causes, without the URL that reqwest puts in front (it may hold a signature).
pub(super) fn chain(error: &reqwest::Error) -> String {
    let mut text = String::new();
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&cause_text);
        }
        next = cause.source();
    }
    if text.is_empty() && error.is_timeout() {
        text.push_str("timed out");
    }
    if text.is_empty() {
        text.push_str("the connection broke");
    }
    text
}
