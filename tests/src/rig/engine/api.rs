//! The Engine API over its socket, for what the `docker` program does not tell.

use std::{
    io::{Read as _, Write as _},
    os::unix::net::UnixStream,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::Engine;

/// Answers come at once or the engine is stuck.
const LIMIT: Duration = Duration::from_secs(30);

/// An answer of the Engine API.
#[derive(Clone, Debug)]
pub struct ApiReply {
    /// Its status.
    pub status: u16,
    /// Its body.
    pub body: String,
}

impl ApiReply {
    /// The body as JSON.
    ///
    /// # Errors
    /// When it is none.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.body).with_context(|| format!("no JSON: {}", self.body))
    }
}

impl Engine {
    /// Asks `path` of the API, without a body. HTTP/1.0 keeps it simple: the answer ends with the connection.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn api(&self, method: &str, path: &str) -> Result<ApiReply> {
        let mut socket = UnixStream::connect(self.socket())?;
        socket.set_read_timeout(Some(LIMIT))?;
        write!(socket, "{method} {path} HTTP/1.0\r\nHost: docker\r\n\r\n")?;
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer)?;
        let answer = String::from_utf8_lossy(&answer);
        let Some((head, body)) = answer.split_once("\r\n\r\n") else { bail!("not an HTTP answer: {answer}") };
        let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).context("an answer without a status")?;
        Ok(ApiReply { status, body: body.to_owned() })
    }

    /// `GET /info`.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub fn info(&self) -> Result<Value> {
        self.api("GET", "/info")?.json()
    }

    /// The mirrors of Docker Hub it goes by now.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub fn mirrors(&self) -> Result<Vec<String>> {
        let info = self.info()?;
        let mirrors = info["RegistryConfig"]["Mirrors"].as_array().cloned().unwrap_or_default();
        Ok(mirrors.iter().filter_map(|m| m.as_str().map(str::to_owned)).collect())
    }

    /// What happened since the engine started, of the last 256 events it keeps; each as its JSON. An event may come a
    /// moment after what it tells of.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub fn events(&self) -> Result<Vec<Value>> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
        let until = format!("{}.{:09}", now.as_secs(), now.subsec_nanos());
        let text = self.api("GET", &format!("/events?since=0&until={until}"))?.body;
        text.lines().map(|line| serde_json::from_str(line).with_context(|| format!("no event: {line}"))).collect()
    }
}
