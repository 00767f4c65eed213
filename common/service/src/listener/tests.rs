//! What a listener does with clients that do not behave.

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

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let address = ["127.0.0.1:0".parse().unwrap()];
    let first = Listener::bind(&address, None).await.unwrap();
    let error = Listener::bind(&[first.address().unwrap()], None).await.unwrap_err().to_string();
    assert!(error.contains(&first.address().unwrap().to_string()) && error.contains("another process"), "{error}");
    assert!(Listener::bind(&[], None).await.is_err());
}
