//! What comes back of a request: told apart as far as a client can tell.

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method};
use larder_tests::rig::images::sha256;

/// The longest that anything here may take; what takes longer is told as a failure of its own.
const LIMIT: Duration = Duration::from_secs(70);

/// What came back.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// Whether it answers a HEAD.
    head: bool,
    /// `None` if no headers came.
    pub(crate) status: Option<u16>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// Why it did not come to its end; `None` if it did.
    pub(crate) broken: Option<String>,
    /// From the start of the request to the headers of the answer, or to the end without any.
    pub(crate) headers_after: Duration,
    /// To the end of the body.
    pub(crate) elapsed: Duration,
}

/// Asks, and reads whatever comes.
pub(crate) async fn ask(client: &reqwest::Client, method: Method, url: &str) -> Answer {
    let (start, head) = (Instant::now(), method == Method::HEAD);
    let sent = client.request(method, url).timeout(LIMIT).send().await;
    let headers_after = start.elapsed();
    let mut response = match sent {
        Ok(response) => response,
        Err(error) => {
            let broken = Some(format!("{:#}", anyhow::Error::from(error)));
            let (headers, body) = (HeaderMap::new(), Bytes::new());
            return Answer { head, status: None, headers, body, broken, headers_after, elapsed: headers_after };
        }
    };
    let mut body = BytesMut::new();
    let broken = loop {
        match response.chunk().await {
            Ok(Some(part)) => body.extend_from_slice(&part),
            Ok(None) => break None,
            Err(error) => break Some(format!("{:#}", anyhow::Error::from(error))),
        }
    };
    let status = Some(response.status().as_u16());
    let headers = std::mem::take(response.headers_mut());
    Answer { head, status, headers, body: body.freeze(), broken, headers_after, elapsed: start.elapsed() }
}

impl Answer {
    /// A header as text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The protocol's code, if this is an error as the protocol has them.
    pub(crate) fn code(&self) -> Option<String> {
        let body: serde_json::Value = serde_json::from_slice(&self.body).ok()?;
        let error = body.get("errors")?.get(0)?;
        error.get("message")?.as_str()?;
        Some(error.get("code")?.as_str()?.to_owned())
    }

    /// Whether it is the content of this digest, all of it. An answer to HEAD only says so.
    pub(crate) fn is_content(&self, digest: &str) -> bool {
        let right =
            if self.head { self.header("docker-content-digest") == Some(digest) } else { sha256(&self.body) == digest };
        self.status == Some(200) && self.broken.is_none() && right
    }

    /// Whether it ended before its end.
    pub(crate) fn is_cut(&self) -> bool {
        self.broken.is_some() && self.status.is_none_or(|status| status == 200)
    }

    /// Whether it is this error, as the protocol has it. An answer to HEAD has no body to say it in.
    pub(crate) fn says(&self, status: u16, code: &str) -> bool {
        let said = self.head || self.code().as_deref() == Some(code);
        self.status == Some(status) && self.broken.is_none() && said
    }

    /// In a few words, for the table.
    pub(crate) fn brief(&self) -> String {
        let bytes = self.body.len();
        match (self.status, &self.broken) {
            (None, Some(why)) if why.contains("timed out") => "nothing".to_owned(),
            (None, _) => "closed without an answer".to_owned(),
            (Some(status), Some(_)) => format!("{status}, cut after {bytes} bytes"),
            (Some(status), None) if self.head => status.to_string(),
            (Some(200), None) => format!("200, {bytes} bytes"),
            (Some(status), None) => format!("{status} {}", self.code().unwrap_or_else(|| "without a code".to_owned())),
        }
    }
}
