//! Listening in on a connection of the protocol: a [`Tap`] passes requests on to a real server and notes them with all
//! their headers. It is the way to see a `Range` that a real registry was asked for, and what an engine asks an agent.

use std::{convert::Infallible, net::SocketAddr, pin::Pin, sync::Arc};

use anyhow::{Context as _, Result};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, combinators::BoxBody};
use hyper::{body::Incoming, client, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use url::Url;

use super::{
    Rig,
    access::{AccessLog, Recorder},
    ground::Ground,
    serve::{Handler, Server, Wire},
};

type Body = BoxBody<Bytes, hyper::Error>;

/// Stands between a client and a server, without TLS towards the client.
pub struct Tap {
    url: String,
    server: Server,
    recorder: Recorder,
}

/// The server that is listened in on.
struct Target {
    address: SocketAddr,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl Rig {
    /// Listens in on the server at `url`. Names must be known to the rig. `Host` is passed on as the client sent it.
    ///
    /// # Errors
    /// When `url` cannot be understood.
    pub fn tap(&self, url: &str) -> Result<Tap> {
        let ground = self.ground();
        let target = Arc::new(Target::of(&ground, url)?);
        let recorder = Recorder::default();
        let address = ground.address();
        let noting = recorder.clone();
        let handler: Handler = Arc::new(move |wire| Box::pin(relay(wire, Arc::clone(&target), noting.clone())));
        let server = Server::start(ground, address, None, handler)?;
        Ok(Tap { url: format!("http://{address}"), server, recorder })
    }
}

impl Tap {
    /// What to give to the client instead of the server's own URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What passed so far.
    pub fn log(&self) -> AccessLog {
        self.recorder.log()
    }

    /// Forgets what passed.
    pub fn reset_log(&self) {
        self.recorder.reset();
    }

    /// Cuts the line: connecting is refused, and what is under way ends.
    pub fn cut(&self) {
        self.server.refuse();
    }

    /// Mends it after [`Self::cut`].
    ///
    /// # Errors
    /// When the port is taken meanwhile.
    pub fn mend(&self) -> Result<()> {
        self.server.listen()
    }
}

impl Target {
    fn of(ground: &Ground, url: &str) -> Result<Self> {
        let url = Url::parse(url).with_context(|| format!("no URL: {url}"))?;
        let host = url.host_str().context("a URL without a host")?;
        let port = url.port_or_known_default().context("a URL without a port")?;
        let ip = match ground.hosts().get(host) {
            Some(ip) => *ip,
            None => host.parse().with_context(|| format!("{host} is not known to the rig"))?,
        };
        let tls = (url.scheme() == "https").then(|| -> Result<_> {
            let mut roots = rustls::RootCertStore::empty();
            roots.add(ground.ca().der().clone())?;
            let config = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
            Ok((TlsConnector::from(Arc::new(config)), ServerName::try_from(host.to_owned())?))
        });
        Ok(Self { address: SocketAddr::new(ip, port), tls: tls.transpose()? })
    }

    async fn ask(&self, request: Request<Incoming>) -> Result<Response<Incoming>> {
        let stream = TcpStream::connect(self.address).await?;
        let (mut sender, connection) = match &self.tls {
            None => {
                let (sender, connection) = client::conn::http1::handshake(TokioIo::new(stream)).await?;
                (sender, futures_util::future::Either::Left(connection))
            }
            Some((connector, name)) => {
                let stream = connector.connect(name.clone(), stream).await?;
                let (sender, connection) = client::conn::http1::handshake(TokioIo::new(stream)).await?;
                (sender, futures_util::future::Either::Right(connection))
            }
        };
        // It ends with the answer, or by an error that the answer's reader sees too.
        tokio::spawn(connection);
        Ok(sender.send_request(request).await?)
    }
}

async fn relay(wire: Pin<Box<dyn Wire>>, target: Arc<Target>, recorder: Recorder) {
    let service = service_fn(move |request: Request<Incoming>| {
        let (target, recorder) = (Arc::clone(&target), recorder.clone());
        async move {
            let ticket = recorder.note(request.method(), request.uri(), request.headers());
            let response = match target.ask(request).await {
                Ok(response) => {
                    let noting = ticket.clone();
                    let counted = move |frame: hyper::body::Frame<Bytes>| {
                        noting.sent(frame.data_ref().map_or(0, Bytes::len));
                        frame
                    };
                    response.map(|body| -> Body { body.map_frame(counted).boxed() })
                }
                Err(e) => {
                    let body = Full::new(Bytes::from(format!("tap: {e:#}"))).map_err(|never| match never {});
                    let mut response: Response<Body> = Response::new(body.boxed());
                    *response.status_mut() = StatusCode::BAD_GATEWAY;
                    response
                }
            };
            ticket.answered(response.status().as_u16());
            Ok::<_, Infallible>(response)
        }
    });
    // Either side went away: nothing to be done about it.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(wire), service).await;
}
