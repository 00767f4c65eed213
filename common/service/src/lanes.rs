//! Threads that serve connections, each by a scheduler of its own.
//!
//! On the scheduler that all else runs on, whoever wakes up has another worker watch the sockets meanwhile, and may find
//! its connection on another core each time. Measured beside nginx, in CPU time per byte: 1.15-1.19 × with one client of
//! a large blob and 1.3-1.4 × with four; 0.96 × and 1.1 × with connections that stay where they are.

use std::{io, num::NonZero, sync::Arc, thread};

use tokio::{
    net::TcpStream,
    sync::mpsc::{self, UnboundedSender},
};

/// Most threads of a lane that wait for a disk. Left alone, 512 of each lane may, and there is a lane for each core: where a
/// disk hangs, all readers of a cluster would hold a thread each. So many keep a disk busy; who comes then waits in line, and who
/// needs no disk does not wait.
const WAITING_FOR_DISK: usize = 64;

/// The threads. Dropped, what they still serve is cut.
#[derive(Debug, Default)]
pub(crate) struct Lanes(Vec<Lane>);

#[derive(Debug)]
struct Lane {
    connections: UnboundedSender<Start>,
    /// Each connection holds a share of it, which counts them.
    load: Arc<()>,
}

/// Starts to serve a connection, on the lane.
type Start = Box<dyn FnOnce() + Send>;

impl Lanes {
    /// A thread for each core.
    pub(crate) fn start() -> io::Result<Self> {
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        (0..cores).map(Lane::start).collect::<io::Result<_>>().map(Self)
    }

    /// Has `serve` run for a connection, on the thread that has the fewest. Without threads it runs where it is called.
    pub(crate) fn take<F>(
        &self,
        stream: TcpStream,
        serve: impl FnOnce(TcpStream) -> F + Send + 'static,
    ) -> io::Result<()>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let Some(lane) = self.0.iter().min_by_key(|lane| Arc::strong_count(&lane.load)) else {
            tokio::spawn(serve(stream));
            return Ok(());
        };
        let (stream, load) = (stream.into_std()?, Arc::clone(&lane.load));
        let start = move || {
            tokio::spawn(async move {
                let _load = load;
                match TcpStream::from_std(stream) {
                    Ok(stream) => serve(stream).await,
                    Err(error) => tracing::error!(%error, "cannot serve a connection"),
                }
            });
        };
        lane.connections.send(Box::new(start)).map_err(|_| io::Error::other("a thread for connections has ended"))
    }
}

impl Lane {
    fn start(number: usize) -> io::Result<Self> {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().max_blocking_threads(WAITING_FOR_DISK).build()?;
        let (connections, mut starts) = mpsc::unbounded_channel::<Start>();
        let run = move || {
            runtime.block_on(async {
                while let Some(start) = starts.recv().await {
                    start();
                }
            });
            // A read from a disk that hangs must not be waited for.
            runtime.shutdown_background();
        };
        thread::Builder::new().name(format!("connections-{number}")).spawn(run)?;
        Ok(Self { connections, load: Arc::default() })
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            Barrier,
            atomic::{AtomicUsize, Ordering},
        },
        time::Duration,
    };

    use tokio::{io::AsyncReadExt as _, net::TcpListener};

    use super::*;

    #[tokio::test]
    async fn so_many_wait_for_a_disk_and_no_more_threads_than_that() {
        let lane = Lane::start(0).unwrap();
        // Each of them is let go by the one that comes last: they are there at the same time.
        let (together, most) = (Arc::new(Barrier::new(WAITING_FOR_DISK)), Arc::new(AtomicUsize::new(0)));
        let (said, mut done) = mpsc::unbounded_channel();
        let running = Arc::new(AtomicUsize::new(0));
        let (shared, highest) = (Arc::clone(&running), Arc::clone(&most));
        let start = move || {
            for _ in 0..4 * WAITING_FOR_DISK {
                let (together, running, most) = (Arc::clone(&together), Arc::clone(&shared), Arc::clone(&highest));
                let said = said.clone();
                tokio::task::spawn_blocking(move || {
                    most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    together.wait();
                    running.fetch_sub(1, Ordering::SeqCst);
                    said.send(())
                });
            }
        };
        lane.connections.send(Box::new(start)).unwrap();
        let all = async {
            for _ in 0..4 * WAITING_FOR_DISK {
                done.recv().await.unwrap();
            }
        };
        tokio::time::timeout(Duration::from_secs(20), all).await.unwrap();
        assert_eq!(most.load(Ordering::SeqCst), WAITING_FOR_DISK);
    }

    #[tokio::test]
    async fn connections_are_spread_and_cut_with_the_lanes() {
        let lanes = Lanes((0..2).map(|number| Lane::start(number).unwrap()).collect());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (said, mut names) = mpsc::unbounded_channel();
        let mut clients = Vec::new();
        for _ in 0..4 {
            clients.push(TcpStream::connect(listener.local_addr().unwrap()).await.unwrap());
            let (stream, _) = listener.accept().await.unwrap();
            let said = said.clone();
            let serve = |stream| async move {
                let _stream: TcpStream = stream;
                said.send(thread::current().name().unwrap().to_owned()).unwrap();
                std::future::pending::<()>().await;
            };
            lanes.take(stream, serve).unwrap();
        }
        let mut seen = Vec::new();
        for _ in 0..4 {
            seen.push(names.recv().await.unwrap());
        }
        seen.sort();
        assert_eq!(seen, ["connections-0", "connections-0", "connections-1", "connections-1"]);
        drop(lanes);
        for mut client in clients {
            let end = tokio::time::timeout(Duration::from_secs(5), client.read(&mut [0])).await.unwrap();
            assert!(matches!(end, Ok(0) | Err(_)));
        }
    }
}
