//! A registry that has some blobs, and nothing else.

use std::{
    collections::HashMap,
    io::{BufRead as _, BufReader, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::Arc,
    thread,
};

use larder_oci::Digest;

/// See the module. Its thread ends with the test's process.
pub(crate) struct Upstream {
    address: SocketAddr,
}

impl Upstream {
    /// A registry that has these, in every repository.
    pub(crate) fn with(blobs: &[Vec<u8>]) -> Self {
        let blobs: Arc<HashMap<String, Vec<u8>>> =
            Arc::new(blobs.iter().map(|blob| (Digest::sha256(blob).to_string(), blob.clone())).collect());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let blobs = Arc::clone(&blobs);
                thread::spawn(move || answer(&connection, &blobs));
            }
        });
        Self { address }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// Answers one request. A connection that ends early is the hub's affair.
fn answer(mut connection: &TcpStream, blobs: &HashMap<String, Vec<u8>>) {
    let head: Vec<String> =
        BufReader::new(connection).lines().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
    let mut request = head.first().map(String::as_str).unwrap_or_default().split(' ');
    let (method, path) = (request.next().unwrap_or_default(), request.next().unwrap_or_default());
    let blob = path.rsplit('/').next().and_then(|digest| blobs.get(digest));
    let (status, body) = match blob {
        Some(blob) => ("200 OK", blob.as_slice()),
        None => ("404 Not Found", [].as_slice()),
    };
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    let _ = connection.write_all(head.as_bytes());
    if method != "HEAD" {
        let _ = connection.write_all(body);
    }
}
