//! Listening: TCP, TLS, HTTP/1.1 and HTTP/2 on one port, and an end without a cut.

use std::{
    convert::Infallible,
    future::poll_fn,
    io,
    net::SocketAddr,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
    time::Duration,
};

use ::http::{Request, Response, Version};
use http_body_util::BodyExt as _;
use hyper::body::{Body, Bytes, Incoming};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
};
use larder_sendfile::{Outbox, SendfileStream};
use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};
use tokio_rustls::TlsAcceptor;

use crate::{Shutdown, descriptors, lanes::Lanes};

/// How long a client may take for a TLS handshake, and for the headers of a request: a connection that says nothing
/// costs memory, and is closed.
const PATIENCE: Duration = Duration::from_secs(15);
/// How often a client of HTTP/2 is asked whether it is still there, and how long it may take to say so.
const HTTP2_PING: Duration = Duration::from_secs(8);
const HTTP2_PONG: Duration = Duration::from_secs(5);
/// How long a client may take nothing of an answer that is there for it, in milliseconds.
const STALLED_MS: u32 = 120_000;
/// How many connections may wait to be taken. When a cluster pulls, all of it comes at once; whoever finds no room tries
/// again a second later. The kernel takes no more than `net.core.somaxconn`, 4096 unless it was changed.
const BACKLOG: u32 = 4096;

/// How often is said at most that there is no room: that may change with every connection that ends.
const SAY_AGAIN: Duration = Duration::from_secs(60);

/// A bound port.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    lanes: Lanes,
    /// How many connections there may be at a time.
    most: usize,
}

/// Who is on the other end of a connection: an extension of each request.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

/// Answers requests.
pub trait Handler: Clone + Send + Sync + 'static {
    /// The body of an answer.
    type Body: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static;

    /// Answers one request. There is always an answer.
    fn handle(&self, request: Request<Incoming>) -> impl Future<Output = Response<Self::Body>> + Send;
}

impl Listener {
    /// Binds the first of `addresses` that can be bound.
    pub async fn bind(addresses: &[SocketAddr], tls: Option<ServerConfig>) -> io::Result<Self> {
        let mut failure = io::Error::new(io::ErrorKind::InvalidInput, "there is no address to listen on");
        for address in addresses {
            match listen(*address) {
                Ok(socket) => {
                    let (tls, most) = (tls.map(Arc::new), descriptors::connections());
                    return Ok(Self { socket, tls, lanes: Lanes::default(), most });
                }
                Err(error) => failure = explain(*address, &error),
            }
            // Another address of the list would hide that somebody has the port already.
            if failure.kind() == io::ErrorKind::AddrInUse {
                break;
            }
        }
        Err(failure)
    }

    /// The address it is bound to.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Has threads of their own serve its connections: for a port that many and large answers leave by.
    pub fn with_threads(mut self) -> io::Result<Self> {
        self.lanes = Lanes::start()?;
        Ok(self)
    }

    /// Answers requests by `handler` until the end begins; then takes no new connection, lets running requests finish
    /// within the time to drain, and cuts what is left.
    pub async fn serve(self, handler: impl Handler, shutdown: Shutdown) {
        let graceful = GracefulShutdown::new();
        let mut server = auto::Builder::new(TokioExecutor::new());
        // By `writev` it writes buffers as they are, stand-ins for bytes of files among them.
        server.http1().timer(TokioTimer::new()).header_read_timeout(PATIENCE).writev(true);
        server
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(HTTP2_PING)
            .keep_alive_timeout(HTTP2_PONG)
            // What a client that never reads may have us keep.
            .max_send_buf_size(64 * 1024)
            .initial_stream_window_size(64 * 1024)
            .initial_connection_window_size(128 * 1024)
            .max_concurrent_streams(64);
        let acceptor = self.tls.clone().map(TlsAcceptor::from);
        // Each request takes a share of it, which costs less than a clone of its parts.
        let handler = Arc::new(handler);
        let mut room = Room::new(self.most);
        loop {
            let place = tokio::select! {
                () = shutdown.begun() => break,
                place = room.place() => place,
            };
            let (stream, peer) = tokio::select! {
                () = shutdown.begun() => break,
                accepted = self.socket.accept() => match accepted {
                    Ok(accepted) => accepted,
                    Err(error) => {
                        // Out of descriptors, most likely: an accept at full speed would only burn a core.
                        tracing::error!(%error, "cannot take a connection");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                        continue;
                    }
                },
            };
            // Small answers should not wait for more to come.
            let _ = stream.set_nodelay(true);
            // A client that takes nothing of its answer holds memory and descriptors: the kernel drops it in time.
            let _ = rustix::net::sockopt::set_tcp_user_timeout(&stream, STALLED_MS);
            let (server, handler, watcher) = (server.clone(), Arc::clone(&handler), graceful.watcher());
            let (acceptor, shutdown) = (acceptor.clone(), shutdown.clone());
            let serve = async move |stream| {
                let _place = place;
                let secured = tokio::select! {
                    biased;
                    secured = secure(stream, acceptor) => secured,
                    () = shutdown.begun() => None,
                };
                let Some((stream, outbox)) = secured else { return };
                let spoke = Arc::new(AtomicBool::new(false));
                let heard = Arc::clone(&spoke);
                let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
                    heard.store(true, Ordering::Relaxed);
                    request.extensions_mut().insert(Peer(peer));
                    // HTTP/2 copies what it is given.
                    if let Some(outbox) = outbox.clone().filter(|_| request.version() < Version::HTTP_2) {
                        request.extensions_mut().insert(outbox);
                    }
                    let handler = Arc::clone(&handler);
                    async move { Ok::<_, Infallible>(handler.handle(request).await.map(|body| body.map_err(Into::into))) }
                });
                let connection = server.serve_connection(TokioIo::new(stream), service).into_owned();
                // Which version of HTTP is spoken shows only by what is said: hyper waits for that without end. And who has
                // asked for nothing when the end begins is not waited for.
                let mut silence = pin!(async {
                    tokio::select! {
                        () = tokio::time::sleep(PATIENCE) => {}
                        () = shutdown.begun() => {}
                    }
                });
                let silence =
                    poll_fn(
                        |context| {
                            if spoke.load(Ordering::Relaxed) { Poll::Pending } else { silence.as_mut().poll(context) }
                        },
                    );
                tokio::select! {
                    // What was said shows when the connection had its turn.
                    biased;
                    ended = watcher.watch(connection) => if let Err(error) = ended {
                        // A client that goes away is no event; a body that broke was logged where it broke.
                        tracing::debug!(%peer, %error, "connection ended");
                    },
                    () = silence => tracing::debug!(%peer, "closed a connection that asked for nothing"),
                }
            };
            if let Err(error) = self.lanes.take(stream, serve) {
                tracing::error!(%error, "cannot serve a connection");
            }
        }
        drop(self.socket);
        if tokio::time::timeout(shutdown.drain(), graceful.shutdown()).await.is_err() {
            tracing::warn!(cut = room.taken(), "cut connections that did not end in time");
        }
    }
}

/// How many connections there may be at a time. Who comes after that waits in the backlog: a connection that is taken and
/// then finds no descriptor for its file would be one that fails.
struct Room {
    places: Arc<Semaphore>,
    most: usize,
    /// When was last said that there is no room.
    said: Option<Instant>,
}

impl Room {
    fn new(most: usize) -> Self {
        let most = most.min(Semaphore::MAX_PERMITS);
        Self { places: Arc::new(Semaphore::new(most)), most, said: None }
    }

    /// How many connections there are.
    fn taken(&self) -> usize {
        self.most - self.places.available_permits()
    }

    async fn place(&mut self) -> OwnedSemaphorePermit {
        if self.places.available_permits() == 0 && self.said.is_none_or(|at| at.elapsed() >= SAY_AGAIN) {
            self.said = Some(Instant::now());
            let most = self.most;
            tracing::warn!(
                most,
                "others wait until a connection ends: raise the limit of open files (LimitNOFILE, --ulimit nofile)"
            );
        }
        Arc::clone(&self.places).acquire_owned().await.expect("it is never closed")
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // Or a port could not be had again while connections of the process before linger.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

fn explain(address: SocketAddr, error: &io::Error) -> io::Error {
    let advice = match error.kind() {
        io::ErrorKind::AddrInUse => ": another process listens there",
        io::ErrorKind::PermissionDenied => ": a port below 1024 takes root or CAP_NET_BIND_SERVICE",
        _ => "",
    };
    io::Error::new(error.kind(), format!("cannot listen on {address}: {error}{advice}"))
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// The connection to speak by, and where it takes notes of what to send from files, if it can.
async fn secure(stream: TcpStream, acceptor: Option<TlsAcceptor>) -> Option<(Box<dyn Stream>, Option<Outbox>)> {
    let Some(acceptor) = acceptor else {
        let stream = SendfileStream::new(stream);
        let outbox = stream.outbox();
        return Some((Box::new(stream), Some(outbox)));
    };
    match tokio::time::timeout(PATIENCE, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => Some((Box::new(stream), None)),
        Ok(Err(error)) => {
            tracing::debug!(%error, "TLS handshake failed");
            None
        }
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests;
