//! The agent's side of the session: a hello, then a beat each second. Its silence is how a hub is known to be away.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use anyhow::{Context as _, bail};
use hyper_util::rt::TokioIo;
use larder_identity::tls;
use larder_oci::Registry;
use larder_proto::{
    MAX_MESSAGE,
    v1::{Down, Heartbeat, Up, Welcome, down, fleet_client::FleetClient, up},
};
use larder_service::Shutdown;
use rustls_pki_types::ServerName;
use tokio::{
    net::TcpStream,
    sync::{mpsc, watch},
    time::Instant,
};
use tokio_rustls::TlsConnector;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{
    Streaming,
    transport::{Channel, Endpoint, Uri},
};
use url::Url;

use super::breaker::Breaker;
use crate::{config::Settings, facts};

/// How long an answer to a beat may take before the hub counts as silent.
const DEADLINE: Duration = Duration::from_millis(1500);
/// How long a silent session is kept, in the hope that the hub was only busy.
const GIVE_UP: Duration = Duration::from_secs(10);
/// Longest and shortest time between two tries to connect.
const RETRY: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));
/// Every so many beats, the node's memory and disk go along.
const RESOURCES_EVERY: u64 = 30;

/// Keeps a session with the hub until the end begins.
/// In `served` it says which registries the hub serves, once that is known.
pub(crate) async fn keep(
    settings: Settings,
    breaker: Arc<Breaker>,
    mut facts: facts::Node,
    served: watch::Sender<Option<Vec<Registry>>>,
    shutdown: Shutdown,
) {
    let mut wait = RETRY.0;
    while !shutdown.has_begun() {
        let started = Instant::now();
        let outcome = tokio::select! {
            () = shutdown.begun() => return,
            outcome = session(&settings, &breaker, &mut facts, &served) => outcome,
        };
        let why = outcome.err().map_or_else(|| "it ended the session".to_owned(), |error| format!("{error:#}"));
        tracing::debug!(why, "no session with the hub");
        breaker.silent(&why);
        // A session that lasted was a good one; what ends several at once in a row is not tried at full speed.
        wait = if started.elapsed() > RETRY.1 { RETRY.0 } else { (wait * 2).min(RETRY.1) };
        tokio::select! {
            () = shutdown.begun() => return,
            () = tokio::time::sleep(jittered(wait)) => {}
        }
    }
}

/// One session, from its hello to its end.
async fn session(
    settings: &Settings,
    breaker: &Breaker,
    facts: &mut facts::Node,
    served: &watch::Sender<Option<Vec<Registry>>>,
) -> anyhow::Result<()> {
    let channel = connect(&settings.hub, settings).await?;
    let mut client =
        FleetClient::new(channel).max_decoding_message_size(MAX_MESSAGE).max_encoding_message_size(MAX_MESSAGE);
    let (up, messages) = mpsc::channel(4);
    up.send(message(up::Message::Hello(facts.hello().await))).await.context("the session ended")?;
    let opening = client.session(ReceiverStream::new(messages));
    let opened = tokio::time::timeout(DEADLINE, opening).await.context("no answer to the hello")?;
    let mut down = opened.map_err(|status| anyhow::anyhow!("refused: {}", status.message()))?.into_inner();
    let first = tokio::time::timeout(DEADLINE, down.message()).await.context("no welcome")??;
    let Some(Down { message: Some(down::Message::Welcome(welcome)) }) = first else { bail!("it does not welcome us") };
    tracing::info!(hub = %settings.hub, version = welcome.hub_version, registries = ?welcome.registries, "session with the hub");
    let registries: Vec<Registry> = welcome.registries.iter().filter_map(|name| name.parse().ok()).collect();
    served.send_if_modified(|known| {
        let is_news = known.as_ref() != Some(&registries);
        *known = Some(registries);
        is_news
    });
    breaker.heard();
    beat(up, down, &welcome, breaker, facts).await
}

async fn beat(
    up: mpsc::Sender<Up>,
    mut down: Streaming<Down>,
    welcome: &Welcome,
    breaker: &Breaker,
    facts: &mut facts::Node,
) -> anyhow::Result<()> {
    let every = Duration::from_millis(welcome.heartbeat_interval_ms.into());
    let mut ticks = tokio::time::interval(every.clamp(Duration::from_millis(100), Duration::from_secs(10)));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut sequence = 0;
    // The beats that are not answered, oldest first, and when each was sent.
    let mut waiting: VecDeque<(u64, Instant)> = VecDeque::new();
    loop {
        let due = waiting.front().map(|(_, since)| *since + DEADLINE);
        tokio::select! {
            received = down.message() => match received {
                Ok(Some(Down { message: Some(down::Message::HeartbeatReply(reply)) })) => {
                    while waiting.front().is_some_and(|(sent, _)| *sent <= reply.sequence) {
                        waiting.pop_front();
                    }
                    breaker.heard();
                }
                // What a newer hub says beside it is not for us.
                Ok(Some(_)) => {}
                Ok(None) => return Ok(()),
                Err(status) => bail!("the session broke: {}", status.message()),
            },
            _ = ticks.tick() => {
                if waiting.front().is_some_and(|(_, since)| since.elapsed() > GIVE_UP) {
                    bail!("silent for {GIVE_UP:?}");
                }
                sequence += 1;
                let resources = if sequence % RESOURCES_EVERY == 1 { Some(facts.resources().await) } else { None };
                // A full channel is a hub that takes nothing: its answer is missing already.
                let _ = up.try_send(message(up::Message::Heartbeat(Heartbeat { sequence, resources })));
                waiting.push_back((sequence, Instant::now()));
            }
            // An engine that has been found, or exchanged, since the last hello.
            () = facts.changed() => {
                up.send(message(up::Message::Hello(facts.hello().await))).await.context("the session ended")?;
            }
            // Told once: a breaker that is open stays so until the hub is heard.
            () = tokio::time::sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() && breaker.is_closed() => {
                breaker.silent("no answer to a heartbeat");
            }
        }
    }
}

/// A connection for gRPC: HTTP/2, over TLS if the hub's URL says so.
async fn connect(hub: &Url, settings: &Settings) -> anyhow::Result<Channel> {
    let host = hub.host_str().context("the hub's URL names no host")?.to_owned();
    let port = hub.port_or_known_default().context("the hub's URL names no port")?;
    let tls = if hub.scheme() == "https" {
        let mut config = tls::client(&settings.hub_cas, settings.hub_identity.as_ref())?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned()).context("the hub's host")?;
        Some((TlsConnector::from(Arc::new(config)), name))
    } else {
        None
    };
    let address = format!("{host}:{port}");
    let connector = tower::service_fn(move |_: Uri| {
        let (address, tls) = (address.clone(), tls.clone());
        async move {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            Ok::<_, std::io::Error>(match tls {
                None => TokioIo::new(Box::new(stream) as Box<dyn Stream>),
                Some((connector, name)) => {
                    TokioIo::new(Box::new(connector.connect(name, stream).await?) as Box<dyn Stream>)
                }
            })
        }
    });
    // The origin that requests name; the connector decides where they go.
    let endpoint = Endpoint::from_shared(hub.origin().ascii_serialization()).context("the hub's URL")?;
    let endpoint = endpoint.http2_keep_alive_interval(Duration::from_secs(20)).keep_alive_while_idle(true);
    let connecting = tokio::time::timeout(DEADLINE, endpoint.connect_with_connector(connector)).await;
    connecting.with_context(|| format!("no connection within {DEADLINE:?}"))?.map_err(|error| {
        let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_else(|| error.to_string());
        anyhow::anyhow!("no connection: {cause}")
    })
}

trait Stream: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin {}
impl<T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin> Stream for T {}

fn message(message: up::Message) -> Up {
    Up { message: Some(message) }
}

/// Between half and all of `time`, so that a fleet that lost its hub does not come back all at once.
fn jittered(time: Duration) -> Duration {
    use std::hash::{BuildHasher as _, RandomState};
    let random = RandomState::new().hash_one(0) % 1000;
    time / 2 + time.mul_f64(f64::from(u32::try_from(random).unwrap_or(0)) / 2000.0)
}
