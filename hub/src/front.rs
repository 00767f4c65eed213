//! The hub's port: the registry protocol by HTTP/1.1 (or 2), gRPC by HTTP/2.

use http::{HeaderMap, Request, Response, header};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use larder_distribution::server::{self, Body};
use larder_proxy::Proxy;
use larder_service::{http::Requests, listener::Handler};
use tonic::service::Routes;
use tower::ServiceExt as _;

/// Answers what comes to the port.
#[derive(Debug, Clone)]
pub(crate) struct Front {
    proxy: Proxy,
    grpc: Routes,
    headers: HeaderMap,
    requests: Requests,
}

impl Front {
    /// Answers the registry protocol from `proxy`, adding `headers`, and gRPC by `grpc`.
    pub(crate) fn new(proxy: Proxy, grpc: Routes, headers: HeaderMap, requests: Requests) -> Self {
        Self { proxy, grpc, headers, requests }
    }

    async fn registry(&self, request: Request<Incoming>) -> Response<Body> {
        let mut response = server::answer(&self.proxy, &request).await;
        // The operator's word counts, where we say the same header.
        for name in self.headers.keys() {
            response.headers_mut().remove(name);
        }
        response.headers_mut().extend(self.headers.clone());
        response
    }

    async fn grpc(&self, request: Request<Incoming>) -> Response<Body> {
        let answer = self.grpc.clone().oneshot(request.map(tonic::body::Body::new)).await;
        let mut response = answer.unwrap_or_else(|never| match never {});
        response.extensions_mut().insert(server::Handler("grpc"));
        response.map(|body| body.map_err(Into::into).boxed_unsync())
    }
}

impl Handler for Front {
    type Body = Body;

    async fn handle(&self, request: Request<Incoming>) -> Response<Body> {
        let is_grpc = request
            .headers()
            .get(header::CONTENT_TYPE)
            .is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"));
        let answer = |request| async { if is_grpc { self.grpc(request).await } else { self.registry(request).await } };
        self.requests.observe(request, answer, handler).await
    }
}

fn handler(response: &Response<Body>) -> &'static str {
    response.extensions().get::<server::Handler>().map_or("none", |handler| handler.0)
}
