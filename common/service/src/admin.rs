//! The admin socket: how command-line tools reach a running daemon. HTTP over a Unix socket that only its owner may
//! open.

use std::{
    convert::Infallible,
    fs, io,
    os::unix::fs::{FileTypeExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

use ::http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::{Bytes, Incoming};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{UnixListener, UnixStream};

use crate::{Shutdown, listener::Handler};

/// Longest answer that a tool reads, in bytes.
const MAX_ANSWER: usize = 16 * 1024 * 1024;

/// How long a tool may take to say what it wants.
const PATIENCE: Duration = Duration::from_secs(15);

/// A bound admin socket. It is removed when this value goes.
#[derive(Debug)]
pub struct AdminSocket {
    listener: UnixListener,
    path: PathBuf,
}

/// Why a daemon could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// No daemon listens there.
    #[error("no daemon answers at {}: {error}", path.display())]
    Absent {
        /// The socket.
        path: PathBuf,
        /// What connecting to it said.
        error: io::Error,
    },
    /// It answered, but not well.
    #[error("the daemon at {}: {why}", path.display())]
    Failed {
        /// The socket.
        path: PathBuf,
        /// What went wrong.
        why: String,
    },
}

impl AdminSocket {
    /// Binds `path`, mode 0600. A socket that a killed daemon left is replaced; one that answers is not.
    pub async fn bind(path: &Path) -> io::Result<Self> {
        let fail = |error: io::Error| {
            io::Error::new(error.kind(), format!("cannot bind the admin socket {}: {error}", path.display()))
        };
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(fail)?;
        }
        match UnixStream::connect(path).await {
            Ok(_) => return Err(fail(io::Error::new(io::ErrorKind::AddrInUse, "another daemon answers there"))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(_) if fs::symlink_metadata(path).is_ok_and(|what| what.file_type().is_socket()) => {
                fs::remove_file(path).map_err(fail)?;
            }
            Err(_) => return Err(fail(io::Error::new(io::ErrorKind::AlreadyExists, "something else is there"))),
        }
        // Bound under another name first: nobody can connect before the mode is right.
        let own = path.with_extension(format!("new-{}", std::process::id()));
        let _ = fs::remove_file(&own);
        let listener = UnixListener::bind(&own).map_err(fail)?;
        fs::set_permissions(&own, fs::Permissions::from_mode(0o600)).map_err(fail)?;
        fs::rename(&own, path).map_err(fail)?;
        Ok(Self { listener, path: path.to_owned() })
    }

    /// Answers by `handler` until the end begins.
    pub async fn serve(self, handler: impl Handler, shutdown: Shutdown) {
        loop {
            let stream = tokio::select! {
                () = shutdown.begun() => return,
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => stream,
                    Err(error) => {
                        tracing::error!(%error, "cannot take an admin connection");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                        continue;
                    }
                },
            };
            let handler = handler.clone();
            tokio::spawn(async move {
                let service = hyper::service::service_fn(move |request| {
                    let handler = handler.clone();
                    async move { Ok::<_, Infallible>(handler.handle(request).await.map(|body| body.map_err(Into::into))) }
                });
                let mut server = hyper::server::conn::http1::Builder::new();
                server.timer(TokioTimer::new()).header_read_timeout(PATIENCE);
                let served = server.serve_connection(TokioIo::new(stream), service);
                if let Err(error) = served.await {
                    tracing::debug!(%error, "admin connection ended");
                }
            });
        }
    }
}

impl Drop for AdminSocket {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Asks the daemon behind the admin socket `path`, waiting at most `deadline`. Gives the status and the body.
pub async fn ask(
    path: &Path,
    method: Method,
    target: &str,
    deadline: Duration,
) -> Result<(StatusCode, Bytes), AskError> {
    let absent = |error| AskError::Absent { path: path.to_owned(), error };
    let failed = |why: &dyn std::fmt::Display| AskError::Failed { path: path.to_owned(), why: why.to_string() };
    let stream = UnixStream::connect(path).await.map_err(absent)?;
    let exchange = async {
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| failed(&error))?;
        tokio::spawn(connection);
        let request =
            Request::builder().method(method).uri(target).header("host", "larder").body(Empty::<Bytes>::new());
        let request = request.map_err(|error| failed(&error))?;
        let response: Response<Incoming> = sender.send_request(request).await.map_err(|error| failed(&error))?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, MAX_ANSWER).collect().await.map_err(|error| failed(&error))?;
        Ok((head.status, body.to_bytes()))
    };
    match tokio::time::timeout(deadline, exchange).await {
        Ok(outcome) => outcome,
        Err(_) => Err(failed(&format!("no answer within {deadline:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::Full;

    use super::*;
    use crate::http::page;

    #[derive(Clone)]
    struct Echo;

    impl Handler for Echo {
        type Body = Full<Bytes>;

        async fn handle(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
            page(StatusCode::OK, "text/plain", request.uri().path().to_owned())
        }
    }

    #[tokio::test]
    async fn only_its_owner_and_only_one_daemon() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run/admin.sock");
        let deadline = Duration::from_secs(10);
        let error = ask(&path, Method::GET, "/x", deadline).await.unwrap_err();
        assert!(matches!(error, AskError::Absent { .. }), "{error}");

        // Somebody's file is not ours to remove.
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        drop(fs::File::create(&path).unwrap());
        AdminSocket::bind(&path).await.unwrap_err();
        fs::remove_file(&path).unwrap();

        // What a killed daemon leaves.
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let socket = AdminSocket::bind(&path).await.unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let shutdown = Shutdown::new(Duration::ZERO);
        let serving = tokio::spawn(socket.serve(Echo, shutdown.clone()));
        assert_eq!(ask(&path, Method::GET, "/status", deadline).await.unwrap().1, "/status");
        AdminSocket::bind(&path).await.unwrap_err();
        shutdown.begin();
        serving.await.unwrap();
        assert!(!path.exists());
    }
}
