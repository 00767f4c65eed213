//! The mirror that the engine asks, and how it fails.
//!
//! "Not me" is 404, and at once: every engine then goes on to the next endpoint within a second. Whatever the reason, the
//! engine is told nothing else, because everything else costs it seconds to minutes.

use std::{sync::Arc, time::Duration};

use http::{Request, Response};
use hyper::body::Incoming;
use larder_content::Blob;
use larder_distribution::{
    Code, Error, Registry,
    route::Name,
    server::{self, Body, ManifestAnswer},
};
use larder_oci::{Digest, Reference};
use larder_proxy::Proxy;
use larder_service::{http::Requests, listener::Handler};

use crate::engine::canary::Canary;

/// Answers the engine.
#[derive(Debug, Clone)]
pub(crate) struct Mirror {
    registry: Arc<Shelf>,
    requests: Requests,
}

#[derive(Debug)]
struct Shelf {
    proxy: Proxy,
    canary: Canary,
    patience: Duration,
}

impl Mirror {
    /// Answers from `proxy`, within the time `patience`; the request for `canary` is noticed by itself.
    pub(crate) fn new(proxy: Proxy, canary: Canary, patience: Duration, requests: Requests) -> Self {
        Self { registry: Arc::new(Shelf { proxy, canary, patience }), requests }
    }
}

impl Handler for Mirror {
    type Body = Body;

    async fn handle(&self, request: Request<Incoming>) -> Response<Body> {
        let answer = |request: Request<Incoming>| async move { server::answer(&*self.registry, &request).await };
        self.requests.observe(request, answer, handler).await
    }
}

impl Registry for Shelf {
    async fn manifest(&self, name: &Name, reference: &Reference, head: bool) -> Result<ManifestAnswer, Error> {
        if let Some(answer) = self.canary.answer(name, reference) {
            return Ok(answer);
        }
        self.soon(self.proxy.manifest(name, reference, head)).await
    }

    async fn blob(&self, name: &Name, digest: &Digest) -> Result<Blob, Error> {
        self.soon(self.proxy.blob(name, digest)).await
    }

    async fn blob_size(&self, name: &Name, digest: &Digest) -> Result<u64, Error> {
        self.soon(self.proxy.blob_size(name, digest)).await
    }
}

impl Shelf {
    /// What `asking` gives, if it gives it in time: an engine that is kept waiting may wait for ever (dockerd before
    /// containerd 2.3 has no limit of its own). What was begun goes on, for whoever asks next.
    async fn soon<T>(&self, asking: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let late = || Error::new(Code::ManifestUnknown, "the hub did not answer in time");
        tokio::time::timeout(self.patience, asking).await.map_err(|_| late()).flatten().map_err(not_here)
    }
}

/// "Not me": a 404 with the reason in its message.
fn not_here(error: Error) -> Error {
    let code = match error.code {
        code @ (Code::NameUnknown | Code::BlobUnknown) => code,
        _ => Code::ManifestUnknown,
    };
    Error { code, retry_after: None, ..error }
}

fn handler(response: &Response<Body>) -> &'static str {
    response.extensions().get::<server::Handler>().map_or("none", |handler| handler.0)
}

#[cfg(test)]
mod tests;
