//! What a listener does with clients that do not behave.

use std::sync::Mutex;

use http_body_util::Full;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

#[derive(Clone)]
struct Hello;

impl Handler for Hello {
    type Body = Full<Bytes>;

    async fn handle(&self, _: Request<Incoming>) -> Response<Full<Bytes>> {
        Response::new("hello".into())
    }
}

#[tokio::test(start_paused = true)]
async fn who_asks_for_nothing_is_not_kept() {
    let listener = Listener::bind(&["127.0.0.1:0".parse().unwrap()], None).await.unwrap();
    let (address, shutdown) = (listener.address().unwrap(), Shutdown::new(Duration::from_secs(1)));
    let serving = tokio::spawn(listener.serve(Hello, shutdown.clone()));
    for said in ["", "PRI * HT", "GET / HTTP/1.1\r\nHost", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(said.as_bytes()).await.unwrap();
        let start = tokio::time::Instant::now();
        let mut answer = Vec::new();
        // Closed or reset: either ends the read.
        let _ = stream.read_to_end(&mut answer).await;
        assert!(start.elapsed() <= PATIENCE + Duration::from_secs(1), "{said:?}: {:?}", start.elapsed());
    }
    shutdown.begin();
    serving.await.unwrap();
}

/// A server that has no certificate gets as far as a ClientHello, and there is none.
fn tls() -> ServerConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    builder.with_no_client_auth().with_cert_resolver(Arc::new(rustls::server::ResolvesServerCertUsingSni::new()))
}

#[tokio::test(start_paused = true)]
async fn who_asks_for_nothing_does_not_hold_up_a_stop() {
    for (tls, said) in [
        (None, &b""[..]),
        (None, b"GET / HT"),
        (None, b"GET / HTTP/1.1\r\nHost"),
        (None, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        (Some(tls()), b""),
        (Some(tls()), b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    ] {
        let listener = Listener::bind(&["127.0.0.1:0".parse().unwrap()], tls).await.unwrap();
        let (address, shutdown) = (listener.address().unwrap(), Shutdown::new(Duration::from_secs(60)));
        let serving = tokio::spawn(listener.serve(Hello, shutdown.clone()));
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(said).await.unwrap();
        // It is heard of before the end: the time that passes is none where somebody waits for nothing but time.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let start = tokio::time::Instant::now();
        shutdown.begin();
        serving.await.unwrap();
        assert!(start.elapsed() < Duration::from_secs(1), "{said:?}: {:?}", start.elapsed());
    }
}

/// They wait to be taken, and none is sent away.
#[tokio::test]
async fn many_who_come_at_once_find_room() {
    let listener = Listener::bind(&["127.0.0.1:0".parse().unwrap()], None).await.unwrap();
    let address = listener.address().unwrap();
    let mut waiting = Vec::new();
    for number in 0..300 {
        let connected = tokio::time::timeout(Duration::from_secs(5), TcpStream::connect(address)).await;
        waiting.push(connected.unwrap_or_else(|_| panic!("number {number} found no room")).unwrap());
    }
}

/// Or it would be taken, and find no descriptor for its file.
#[tokio::test]
async fn one_too_many_waits_until_another_goes() {
    let mut listener = Listener::bind(&["127.0.0.1:0".parse().unwrap()], None).await.unwrap();
    listener.most = 2;
    let (address, shutdown) = (listener.address().unwrap(), Shutdown::new(Duration::from_secs(1)));
    let serving = tokio::spawn(listener.serve(Hello, shutdown.clone()));
    let (silent, _other) = (TcpStream::connect(address).await.unwrap(), TcpStream::connect(address).await.unwrap());
    let mut third = TcpStream::connect(address).await.unwrap();
    third.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let unheard = tokio::time::timeout(Duration::from_millis(200), third.read_to_end(&mut answer)).await;
    assert!(unheard.is_err() && answer.is_empty());
    drop(silent);
    tokio::time::timeout(Duration::from_secs(5), third.read_to_end(&mut answer)).await.unwrap().unwrap();
    assert!(answer.ends_with(b"hello"));
    shutdown.begin();
    serving.await.unwrap();
}

/// Answers when it is told to, and that is never.
#[derive(Clone)]
struct Silent;

impl Handler for Silent {
    type Body = Full<Bytes>;

    async fn handle(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        if request.uri().path() == "/never" {
            std::future::pending::<()>().await;
        }
        Hello.handle(request).await
    }
}

/// What is logged on this thread, as long as it lives.
fn logged() -> (Arc<Mutex<Vec<u8>>>, tracing::subscriber::DefaultGuard) {
    let log = Arc::new(Mutex::new(Vec::new()));
    let writer = Log(Arc::clone(&log));
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone());
    (log, tracing::subscriber::set_default(subscriber.finish()))
}

#[derive(Clone)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn at_the_end_is_said_how_many_were_cut() {
    let (log, _guard) = logged();
    let listener = Listener::bind(&["127.0.0.1:0".parse().unwrap()], None).await.unwrap();
    let (address, shutdown) = (listener.address().unwrap(), Shutdown::new(Duration::from_secs(9)));
    let serving = tokio::spawn(listener.serve(Silent, shutdown.clone()));
    let mut clients = Vec::new();
    for path in ["/", "/never", "/", ""] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        if !path.is_empty() {
            stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await.unwrap();
        }
        if path == "/" {
            assert!(stream.read(&mut [0; 999]).await.unwrap() > 0);
        }
        clients.push(stream);
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    shutdown.begin();
    serving.await.unwrap();
    let log = String::from_utf8(log.lock().unwrap().clone()).unwrap();
    assert!(log.contains("did not end in time cut=1\n"), "{log}");
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let address = ["127.0.0.1:0".parse().unwrap()];
    let first = Listener::bind(&address, None).await.unwrap();
    let error = Listener::bind(&[first.address().unwrap()], None).await.unwrap_err().to_string();
    assert!(error.contains(&first.address().unwrap().to_string()) && error.contains("another process"), "{error}");
    assert!(Listener::bind(&[], None).await.is_err());
}
