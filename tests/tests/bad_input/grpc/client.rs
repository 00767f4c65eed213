//! A gRPC client that says what it likes: HTTP/2 by hyper, messages by hand.

use std::{
    convert::Infallible,
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use http::{HeaderMap, Request};
use http_body_util::{BodyExt as _, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    body::{Frame, Incoming},
    client::conn::http2::{self, SendRequest},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

pub(super) type Body = UnsyncBoxBody<Bytes, Infallible>;

/// What came of a call.
pub(super) struct Outcome {
    /// `grpc-status`, from the headers or the trailers; `None` if there was none.
    pub(super) status: Option<u16>,
    pub(super) message: String,
    /// Messages received, each with its prefix.
    pub(super) bytes: usize,
    /// What ended it otherwise.
    pub(super) broken: Option<String>,
    pub(super) took: Duration,
}

/// A connection, which is cut when this is dropped.
pub(super) struct Connection {
    pub(super) sender: SendRequest<Body>,
    /// Another handle on the socket: hyper's own goes only when the last stream has come to its end.
    socket: std::net::TcpStream,
}

impl Drop for Connection {
    fn drop(&mut self) {
        // Ended already.
        let _ = self.socket.shutdown(std::net::Shutdown::Both);
    }
}

/// Connects. `window`: how much the other side may send before it is read.
pub(super) async fn connect(address: SocketAddr, window: Option<u32>) -> Result<Connection> {
    let stream = TcpStream::connect(address).await?.into_std()?;
    let socket = stream.try_clone()?;
    let stream = TcpStream::from_std(stream)?;
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder.initial_stream_window_size(window);
    let (sender, connection) = builder.handshake(TokioIo::new(stream)).await?;
    // An error in it the sender sees too.
    tokio::spawn(connection);
    Ok(Connection { sender, socket })
}

/// A request of a method with these chunks of body; with `open`, more might come and does not.
pub(super) fn request(path: &str, headers: &[(&str, &str)], chunks: Vec<Bytes>, open: bool) -> Result<Request<Body>> {
    let chunks = stream::iter(chunks);
    if open { streaming(path, headers, chunks.chain(stream::pending())) } else { streaming(path, headers, chunks) }
}

/// A request whose body comes from a stream.
pub(super) fn streaming(
    path: &str,
    headers: &[(&str, &str)],
    chunks: impl Stream<Item = Bytes> + Send + 'static,
) -> Result<Request<Body>> {
    let body = StreamBody::new(chunks.map(|chunk| Ok::<_, Infallible>(Frame::data(chunk)))).boxed_unsync();
    let uri = format!("http://larder-hub{path}");
    let mut request = Request::builder().method("POST").uri(uri).header("te", "trailers");
    if !headers.iter().any(|(name, _)| *name == "content-type") {
        request = request.header("content-type", "application/grpc");
    }
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    request.body(body).context("a request")
}

/// Sends it and reads to the end, for as long as `limit` at most.
pub(super) async fn call(address: SocketAddr, request: Request<Body>, limit: Duration) -> Outcome {
    let start = Instant::now();
    let done = tokio::time::timeout(limit, exchange(address, request)).await;
    let took = start.elapsed();
    let failed =
        |broken: String| Outcome { status: None, message: String::new(), bytes: 0, broken: Some(broken), took };
    match done {
        Err(_) => failed("no end".to_owned()),
        Ok(Err(error)) => failed(format!("{error:#}")),
        Ok(Ok(outcome)) => Outcome { took, ..outcome },
    }
}

async fn exchange(address: SocketAddr, request: Request<Body>) -> Result<Outcome> {
    let mut connection = connect(address, None).await?;
    let response = connection.sender.send_request(request).await?;
    let (head, mut body) = response.into_parts();
    let mut outcome = Outcome { status: None, message: String::new(), bytes: 0, broken: None, took: Duration::ZERO };
    outcome.note(&head.headers);
    if head.status != 200 {
        outcome.broken = Some(format!("HTTP {}", head.status));
    }
    while let Some(frame) = next(&mut body).await {
        match frame {
            Err(error) => {
                outcome.broken = Some(format!("{:#}", anyhow::Error::from(error)));
                break;
            }
            Ok(frame) => match frame.into_data() {
                Ok(data) => outcome.bytes += data.len(),
                Err(frame) => frame.trailers_ref().into_iter().for_each(|trailers| outcome.note(trailers)),
            },
        }
    }
    Ok(outcome)
}

async fn next(body: &mut Incoming) -> Option<Result<Frame<Bytes>, hyper::Error>> {
    body.frame().await
}

impl Outcome {
    fn note(&mut self, headers: &HeaderMap) {
        let text = |name| headers.get(name).and_then(|value: &http::HeaderValue| value.to_str().ok());
        if let Some(status) = text("grpc-status") {
            self.status = status.parse().ok();
            self.message = text("grpc-message").unwrap_or_default().to_owned();
        }
    }

    /// In a few words, for the table.
    pub(super) fn brief(&self) -> String {
        let message: String = self.message.chars().take(50).collect();
        match (self.status, &self.broken) {
            (Some(status), _) => format!("status {status} {message}"),
            (None, Some(broken)) => broken.chars().take(60).collect(),
            (None, None) => format!("ended without a status after {} bytes", self.bytes),
        }
    }
}

/// A message as gRPC frames it: a flag for compression, the length, the bytes.
pub(super) fn framed(flag: u8, length: u32, message: &[u8]) -> Bytes {
    [&[flag][..], &length.to_be_bytes(), message].concat().into()
}

/// A message with the right prefix.
pub(super) fn message(bytes: &[u8]) -> Bytes {
    framed(0, u32::try_from(bytes.len()).unwrap_or(u32::MAX), bytes)
}

/// `Up { hello { node_id, host_name, agent_version, engine { version } } }`
pub(super) fn hello(node_id: &str, host_name: &str, version: &str, engine: &str) -> Bytes {
    let engine = field(4, &field(1, engine.as_bytes()));
    let hello = [field(1, node_id.as_bytes()), field(2, host_name.as_bytes()), field(3, version.as_bytes()), engine];
    message(&field(1, &hello.concat()))
}

/// `Up { heartbeat { sequence } }`
pub(super) fn beat(sequence: u8) -> Bytes {
    message(&field(2, &[0x08, sequence & 0x7f]))
}

/// A field of protobuf whose value has a length.
fn field(number: u8, value: &[u8]) -> Vec<u8> {
    let mut bytes = vec![number << 3 | 2];
    let mut length = value.len();
    while length >= 0x80 {
        bytes.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
    bytes.extend_from_slice(value);
    bytes
}
