//! A registry that answers as a test says, and remembers what it was asked.

#![allow(clippy::unwrap_used, reason = "a panic is how a test reports")]

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::{HeaderMap, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody, combinators::BoxBody};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, task::JoinHandle};

pub(crate) type Answer = Response<BoxBody<Bytes, Infallible>>;

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// Method and target.
    pub(crate) line: String,
    pub(crate) headers: HeaderMap,
}

pub(crate) struct Server {
    address: std::net::SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    task: JoinHandle<()>,
}

impl Seen {
    pub(crate) fn path(&self) -> &str {
        let target = self.line.split(' ').nth(1).unwrap();
        target.split('?').next().unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

impl Server {
    pub(crate) async fn start(answer: impl Fn(&Seen) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, seen) = (listener.local_addr().unwrap(), Arc::<Mutex<Vec<Seen>>>::default());
        let (answer, log) = (Arc::new(answer), Arc::clone(&seen));
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (answer, log) = (Arc::clone(&answer), Arc::clone(&log));
                let service = service_fn(move |request: Request<Incoming>| {
                    let line = format!("{} {}", request.method(), request.uri());
                    let seen = Seen { line, headers: request.headers().clone() };
                    log.lock().unwrap().push(seen.clone());
                    let answer = answer(&seen);
                    async move { Ok::<_, Infallible>(answer) }
                });
                let connection =
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                tokio::spawn(connection);
            }
        });
        Self { address, seen, task }
    }

    /// One that takes connections and says nothing.
    pub(crate) async fn silent() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move {
            let mut open = Vec::new();
            loop {
                open.push(listener.accept().await.unwrap());
            }
        });
        Self { address, seen: Arc::default(), task }
    }

    /// The same address with nobody there.
    pub(crate) async fn closed(mut self) -> Self {
        self.task.abort();
        let _ = (&mut self.task).await;
        self
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(crate) fn text(text: &str) -> BoxBody<Bytes, Infallible> {
    Full::new(Bytes::copy_from_slice(text.as_bytes())).boxed()
}

/// A body that never ends after its first bytes.
pub(crate) fn half(text: &'static str) -> BoxBody<Bytes, Infallible> {
    let first = stream::once(async move { Ok(Frame::data(Bytes::from_static(text.as_bytes()))) });
    BodyExt::boxed(StreamBody::new(first.chain(stream::pending())))
}

pub(crate) fn json(text: &str) -> Answer {
    Response::builder().header("content-type", "application/json").body(self::text(text)).unwrap()
}
