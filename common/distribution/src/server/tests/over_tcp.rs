//! A blob of several MiB by way of a listener as the daemons have it, every byte compared: over HTTP/1 it leaves by
//! sendfile, over HTTP/2 it must not.

use std::{net::SocketAddr, ops::Range, sync::Arc};

use http::Version;
use http_body_util::BodyExt as _;
use hyper::{
    body::Incoming,
    client::conn::{http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use larder_service::{Listener, Shutdown};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
};

use super::*;

const MIB: u64 = 1 << 20;
const SIZE: u64 = 9 * MIB + 12_345;

#[derive(Clone)]
struct Door(Arc<Shelf>);

impl larder_service::listener::Handler for Door {
    type Body = Body;

    async fn handle(&self, request: Request<Incoming>) -> Response<Body> {
        if let Some(outbox) = request.extensions().get::<Outbox>() {
            // As if the server had cut off the end of the answer before.
            assert!(request.version() < Version::HTTP_2);
            outbox.put(Arc::new(tempfile::tempfile().unwrap()), 0, 1000, |_| ());
        }
        answer(&*self.0, &request).await
    }
}

struct House {
    shelf: Arc<Shelf>,
    address: SocketAddr,
    path: String,
    content: Bytes,
    shutdown: Shutdown,
    serving: tokio::task::JoinHandle<()>,
    _folder: tempfile::TempDir,
}

impl House {
    async fn build() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (shelf, _) = shelf(&folder).await;
        let content: Bytes = (0..SIZE).map(|at| (at % 251) as u8 ^ (at >> 16) as u8).collect();
        let digest = Digest::sha256(&content);
        shelf.cache.put(&digest, content.clone()).await.unwrap();
        let shelf = Arc::new(shelf);
        let listener = Listener::bind(&["127.0.0.1:0".parse().unwrap()], None).await.unwrap();
        let listener = listener.with_threads().unwrap();
        let (address, shutdown) = (listener.address().unwrap(), Shutdown::new(Duration::from_secs(5)));
        let serving = tokio::spawn(listener.serve(Door(Arc::clone(&shelf)), shutdown.clone()));
        let path = format!("/v2/a/blobs/{digest}");
        Self { shelf, address, path, content, shutdown, serving, _folder: folder }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    fn request(&self, range: Option<&Range<u64>>) -> Request<Empty<Bytes>> {
        let uri = format!("http://{}{}", self.address, self.path);
        let mut request = Request::get(uri).body(Empty::new()).unwrap();
        request.headers_mut().insert(header::HOST, "larder".parse().unwrap());
        if let Some(Range { start, end }) = range {
            let value = format!("bytes={start}-{}", end - 1).parse().unwrap();
            request.headers_mut().insert(header::RANGE, value);
        }
        request
    }

    fn judge(&self, range: Option<&Range<u64>>, status: StatusCode, body: &[u8]) {
        let Range { start, end } = range.cloned().unwrap_or(0..SIZE);
        let expected = if range.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
        assert_eq!((status, body.len() as u64), (expected, end - start), "{range:?}");
        // Not by `assert_eq`, which would print megabytes.
        assert!(body == &self.content[start as usize..end as usize], "other bytes in {range:?}");
    }

    async fn close(self) {
        self.shutdown.begin();
        self.serving.await.unwrap();
    }
}

/// All of it, and ranges whose ends lie on the borders of what is looked at, noted and sent at once.
fn ranges() -> Vec<Option<Range<u64>>> {
    let mut ranges = vec![None];
    for border in [MIB / 4, MIB / 2, MIB, 4 * MIB, 8 * MIB] {
        ranges.extend([border - 1..border, border..border + 1, border - 70_000..border + 70_000].map(Some));
    }
    ranges.extend([0..1, MIB - 1..4 * MIB + 1, 17..SIZE - 17, 5 * MIB..SIZE, SIZE - 1..SIZE].map(Some));
    ranges.push(None);
    ranges
}

#[tokio::test]
async fn ranges_on_one_connection() {
    let house = House::build().await;
    let (mut one, connection) = http1::handshake(TokioIo::new(house.connect().await)).await.unwrap();
    tokio::spawn(connection);
    let (mut two, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(house.connect().await)).await.unwrap();
    tokio::spawn(connection);
    for range in ranges() {
        for version in [Version::HTTP_11, Version::HTTP_2] {
            let request = house.request(range.as_ref());
            let response = match version {
                Version::HTTP_2 => two.send_request(request).await,
                _ => {
                    one.ready().await.unwrap();
                    one.send_request(request).await
                }
            };
            let (head, body) = response.unwrap().into_parts();
            assert_eq!(head.version, version);
            house.judge(range.as_ref(), head.status, &body.collect().await.unwrap().to_bytes());
        }
    }
    drop((one, two));
    house.close().await;
}

#[tokio::test]
async fn ranges_over_http_1_0() {
    let house = House::build().await;
    for range in ranges() {
        let header =
            range.as_ref().map_or(String::new(), |range| format!("Range: bytes={}-{}\r\n", range.start, range.end - 1));
        let mut stream = house.connect().await;
        stream.write_all(format!("GET {} HTTP/1.0\r\n{header}\r\n", house.path).as_bytes()).await.unwrap();
        let mut all = Vec::new();
        stream.read_to_end(&mut all).await.unwrap();
        let head = all.windows(4).position(|end| end == b"\r\n\r\n").unwrap() + 4;
        let status = StatusCode::from_bytes(&all[9..12]).unwrap();
        house.judge(range.as_ref(), status, &all[head..]);
    }
    house.close().await;
}

/// Not what was noted to be sent: of a client that leaves, what was under way to it.
#[tokio::test]
async fn what_was_sent_is_counted() {
    let house = House::build().await;
    let (mut one, connection) = http1::handshake(TokioIo::new(house.connect().await)).await.unwrap();
    tokio::spawn(connection);
    let body = one.send_request(house.request(None)).await.unwrap().into_body();
    body.collect().await.unwrap();

    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(64 * 1024).unwrap();
    let mut stream = socket.connect(house.address).await.unwrap();
    stream.write_all(format!("GET {} HTTP/1.0\r\n\r\n", house.path).as_bytes()).await.unwrap();
    stream.read_exact(&mut [0]).await.unwrap();
    drop((stream, one));
    let shelf = Arc::clone(&house.shelf);
    house.close().await;
    let counted = shelf.cache.counters().served_from_disk_bytes.get();
    assert!((SIZE + 1..SIZE + 4 * MIB).contains(&counted), "{counted}");
}
