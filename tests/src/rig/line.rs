//! A narrow line: TCP passed on, so many bytes per second on each connection, and counted.
//!
//! It knows no protocol, so that an agent's session with its hub goes through it as its downloads do. Only what the
//! server sends is narrowed.

use std::{
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::Result;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, WriteHalf},
    net::TcpSocket,
    time::{Instant, sleep_until},
};

use super::{
    Rig,
    ground::Ground,
    serve::{Handler, Server, Wire},
};

/// Parts of a second in which a connection gets its share. Short enough for a rate to be even.
const STEPS: u64 = 50;

/// What the kernel may take from the server ahead of us: it counts as sent at the server, and is lost with a connection.
const AHEAD: u32 = 64 << 10;

/// Stands between a client and a server.
pub struct Line {
    address: SocketAddr,
    server: Server,
    meter: Arc<Meter>,
}

struct Meter {
    /// Bytes per second of a connection; 0 for no limit.
    rate: AtomicU64,
    passed: AtomicU64,
}

impl Rig {
    /// A line to the server at this address, without a limit yet.
    ///
    /// # Errors
    /// Never, unless the rig is being dropped.
    pub fn line(&self, to: SocketAddr) -> Result<Line> {
        let ground: Arc<Ground> = self.ground();
        let address = ground.address();
        let meter = Arc::new(Meter { rate: AtomicU64::new(0), passed: AtomicU64::new(0) });
        let shared = Arc::clone(&meter);
        let handler: Handler = Arc::new(move |wire| {
            let meter = Arc::clone(&shared);
            // Either side went away: so does the other.
            Box::pin(async move { drop(pass(wire, to, &meter).await) })
        });
        let server = Server::start(ground, address, None, handler)?;
        Ok(Line { address, server, meter })
    }
}

impl Line {
    /// What to give to the client instead of the server's own URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on every connection gets so many bytes per second from the server; 0 for as many as there are.
    pub fn limit(&self, per_second: u64) {
        self.meter.rate.store(per_second, Ordering::Relaxed);
    }

    /// Bytes from the server to clients so far, heads of answers included.
    pub fn passed(&self) -> u64 {
        self.meter.passed.load(Ordering::Relaxed)
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

async fn pass(wire: Pin<Box<dyn Wire>>, to: SocketAddr, meter: &Meter) -> std::io::Result<()> {
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(AHEAD)?;
    let (mut from_server, mut to_server) = socket.connect(to).await?.into_split();
    let (mut from_client, to_client) = tokio::io::split(wire);
    let up = async {
        tokio::io::copy(&mut from_client, &mut to_server).await?;
        to_server.shutdown().await
    };
    let down = narrow(&mut from_server, to_client, meter);
    // The client may have said all it has to say long before its answer is over.
    let (_, down) = tokio::join!(up, down);
    down
}

async fn narrow(
    from: &mut (impl tokio::io::AsyncRead + Unpin),
    mut to: WriteHalf<Pin<Box<dyn Wire>>>,
    meter: &Meter,
) -> std::io::Result<()> {
    let mut buffer = vec![0; 256 << 10];
    let mut due = Instant::now();
    loop {
        let rate = meter.rate.load(Ordering::Relaxed);
        let most = if rate == 0 { buffer.len() } else { usize::try_from(rate / STEPS).unwrap_or(usize::MAX).max(1) };
        let most = most.min(buffer.len());
        let length = from.read(&mut buffer[..most]).await?;
        if length == 0 {
            return to.shutdown().await;
        }
        // Before it is passed on: who has it all finds it all counted.
        meter.passed.fetch_add(length as u64, Ordering::Relaxed);
        to.write_all(&buffer[..length]).await?;
        if rate > 0 {
            // A pause in what the server sends is no credit for later.
            due = due.max(Instant::now()) + Duration::from_secs_f64(length as f64 / rate as f64);
            sleep_until(due).await;
        }
    }
}
