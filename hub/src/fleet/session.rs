//! The hub's side of a session: a hello, and then an answer to every beat.

use std::time::Duration;

use larder_proto::v1::{Down, HeartbeatReply, Hello, Up, Welcome, down, fleet_server::Fleet, up};
use larder_service::Shutdown;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::nodes::{Nodes, Place};

/// How often an agent beats.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// How long an agent may be silent before its session ends.
const SILENCE: Duration = Duration::from_secs(15);
/// How many answers may wait for an agent to take them.
const WAITING: usize = 4;
/// Longest name that an agent may give, in bytes.
const MAX_NAME: usize = 255;

/// Answers sessions.
#[derive(Debug, Clone)]
pub(crate) struct Sessions {
    nodes: Nodes,
    registries: Vec<String>,
    shutdown: Shutdown,
}

/// A session after its hello.
struct Session {
    up: Streaming<Up>,
    shutdown: Shutdown,
    place: Place,
}

impl Sessions {
    /// Sessions whose agents are listed in `nodes`; `registries` is what they are told that this hub serves.
    pub(crate) fn new(nodes: Nodes, registries: Vec<String>, shutdown: Shutdown) -> Self {
        Self { nodes, registries, shutdown }
    }
}

#[tonic::async_trait]
impl Fleet for Sessions {
    type SessionStream = ReceiverStream<Result<Down, Status>>;

    async fn session(&self, request: Request<Streaming<Up>>) -> Result<Response<Self::SessionStream>, Status> {
        let mut up = request.into_inner();
        let first = tokio::time::timeout(SILENCE, up.message()).await;
        let first = first.map_err(|_| Status::deadline_exceeded("no hello"))??;
        let Some(Up { message: Some(up::Message::Hello(hello)) }) = first else {
            return Err(Status::invalid_argument("a session begins with a hello"));
        };
        check(&hello)?;
        let welcome = Welcome {
            hub_version: env!("CARGO_PKG_VERSION").to_owned(),
            heartbeat_interval_ms: u32::try_from(HEARTBEAT.as_millis()).unwrap_or(u32::MAX),
            registries: self.registries.clone(),
        };
        let session = Session { up, shutdown: self.shutdown.clone(), place: self.nodes.enter(hello) };
        let (down, answers) = mpsc::channel(WAITING);
        // A task of its own: a client that takes no answers must not be what the session waits for.
        tokio::spawn(session.run(down, welcome));
        Ok(Response::new(ReceiverStream::new(answers)))
    }
}

impl Session {
    /// Answers until either side ends it, or the agent is silent or takes no answers for too long.
    async fn run(mut self, down: mpsc::Sender<Result<Down, Status>>, welcome: Welcome) {
        let mut answer = Ok(Down { message: Some(down::Message::Welcome(welcome)) });
        loop {
            if !matches!(tokio::time::timeout(SILENCE, down.send(answer)).await, Ok(Ok(()))) {
                tracing::debug!("a session ended that takes no answers");
                return;
            }
            match self.next().await {
                Some(next) => answer = next,
                None => return,
            }
        }
    }

    /// What to answer next; `None` ends the session.
    async fn next(&mut self) -> Option<Result<Down, Status>> {
        loop {
            let received = tokio::select! {
                // The hub is going away: its agents look for another at once.
                () = self.shutdown.begun() => return None,
                received = tokio::time::timeout(SILENCE, self.up.message()) => received.ok()?,
            };
            match received {
                Ok(Some(Up { message: Some(up::Message::Heartbeat(beat)) })) => {
                    let reply = HeartbeatReply { sequence: beat.sequence };
                    return Some(Ok(Down { message: Some(down::Message::HeartbeatReply(reply)) }));
                }
                Ok(Some(Up { message: Some(up::Message::Hello(hello)) })) => match check(&hello) {
                    Ok(()) => self.place.update(hello),
                    Err(status) => return Some(Err(status)),
                },
                // What a newer agent says beside it is not for us.
                Ok(Some(_)) => {}
                Ok(None) => return None,
                Err(status) => {
                    tracing::debug!(code = ?status.code(), "a session broke");
                    return None;
                }
            }
        }
    }
}

fn check(hello: &Hello) -> Result<(), Status> {
    let Hello { node_id, host_name, agent_version, engine, resources: _ } = hello;
    let engine = engine.clone().unwrap_or_default();
    let names = [node_id, host_name, agent_version, &engine.version, &engine.api_version];
    if node_id.is_empty() {
        return Err(Status::invalid_argument("a hello says which node it is of"));
    }
    if names.iter().any(|name| name.len() > MAX_NAME || name.chars().any(char::is_control)) {
        return Err(Status::invalid_argument("a name in the hello is too long or holds control characters"));
    }
    Ok(())
}
