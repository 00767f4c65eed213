//! Servers of the test program itself, inside the rig's network: an accept loop with or without TLS that can be
//! stopped and started again on the same port.

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context as _, Result};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::{ground::Ground, tls::Certified};

/// An accepted connection.
pub(crate) trait Wire: AsyncRead + AsyncWrite + Send + Unpin {
    /// From now on the connection ends by RST instead of FIN when it is dropped.
    fn reset_on_drop(&self) -> io::Result<()>;
}

impl Wire for TcpStream {
    fn reset_on_drop(&self) -> io::Result<()> {
        self.set_zero_linger()
    }
}

impl Wire for TlsStream<TcpStream> {
    fn reset_on_drop(&self) -> io::Result<()> {
        self.get_ref().0.set_zero_linger()
    }
}

/// What is done with a connection.
pub(crate) type Handler = Arc<dyn Fn(Pin<Box<dyn Wire>>) -> BoxFuture<'static, ()> + Send + Sync>;

/// A listening server; ends with the rig at the latest.
pub(crate) struct Server {
    ground: Arc<Ground>,
    address: SocketAddr,
    tls: Option<TlsAcceptor>,
    handler: Handler,
    running: Mutex<Option<JoinHandle<()>>>,
}

impl Server {
    pub(crate) fn start(
        ground: Arc<Ground>,
        address: SocketAddr,
        tls: Option<&Certified>,
        handler: Handler,
    ) -> Result<Self> {
        let tls = tls.map(Certified::server_config).transpose()?.map(TlsAcceptor::from);
        let server = Self { ground, address, tls, handler, running: Mutex::default() };
        server.listen()?;
        Ok(server)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Listens (again).
    pub(crate) fn listen(&self) -> Result<()> {
        self.refuse();
        let net = self.ground.net()?;
        let listener = net.block_on(TcpListener::bind(self.address));
        let listener = listener.with_context(|| format!("listening on {}", self.address))?;
        let loop_ = accept(listener, self.tls.clone(), Arc::clone(&self.handler));
        *self.running() = Some(net.runtime().spawn(loop_));
        Ok(())
    }

    /// Closes the port, so that connecting is refused, and cuts all connections.
    pub(crate) fn refuse(&self) {
        let Some(task) = self.running().take() else { return };
        task.abort();
        if let Ok(net) = self.ground.net() {
            // Cancelled, as asked for one line above.
            let _ = net.block_on(task);
        }
    }

    fn running(&self) -> std::sync::MutexGuard<'_, Option<JoinHandle<()>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.refuse();
    }
}

/// The connections belong to the loop: aborting it cuts them.
async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, handler: Handler) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        while connections.try_join_next().is_some() {}
        let (tls, handler) = (tls.clone(), Arc::clone(&handler));
        connections.spawn(async move {
            // Neither a failed handshake nor a socket option is this server's problem.
            let _ = stream.set_nodelay(true);
            match tls {
                None => handler(Box::pin(stream)).await,
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        handler(Box::pin(stream)).await;
                    }
                }
            }
        });
    }
}

/// A handler for servers whose answers are small and made at once.
pub(crate) fn answering(answer: impl Fn(Request<Bytes>) -> Response<Bytes> + Send + Sync + 'static) -> Handler {
    let answer = Arc::new(answer);
    Arc::new(move |wire| {
        let answer = Arc::clone(&answer);
        Box::pin(async move {
            let service = service_fn(move |request: Request<Incoming>| {
                let answer = Arc::clone(&answer);
                async move {
                    let (head, body) = request.into_parts();
                    let body = body.collect().await.map(|b| b.to_bytes()).unwrap_or_default();
                    Ok::<_, Infallible>(answer(Request::from_parts(head, body)).map(Full::new))
                }
            });
            // A client that went away is its own business.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(wire), service).await;
        })
    })
}
