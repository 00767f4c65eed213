//! Reading a request, as simply as the rig's clients allow.

use std::pin::Pin;

use anyhow::{Context as _, Result, bail, ensure};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use tokio::io::AsyncReadExt as _;

use crate::rig::serve::Wire;

/// No client here sends more.
const MOST: usize = 64 << 10;

/// A request without its body.
pub(crate) struct Head {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
}

/// What arrived and was not used yet.
#[derive(Default)]
pub(crate) struct Inbox(Vec<u8>);

impl Inbox {
    /// The next request; `None` when the client has said goodbye. A body is read and thrown away.
    pub(crate) async fn next(&mut self, wire: &mut Pin<Box<dyn Wire>>) -> Result<Option<Head>> {
        loop {
            if let Some((head, length)) = parse(&self.0)? {
                let body: usize = match head.headers.get("content-length") {
                    Some(value) => value.to_str()?.parse()?,
                    None => 0,
                };
                while self.0.len() < length + body {
                    ensure!(self.more(wire).await? > 0, "the request ended in its body");
                }
                self.0.drain(..length + body);
                return Ok(Some(head));
            }
            ensure!(self.0.len() < MOST, "a request of more than {MOST} bytes");
            if self.more(wire).await? == 0 {
                return Ok(None);
            }
        }
    }

    async fn more(&mut self, wire: &mut Pin<Box<dyn Wire>>) -> Result<usize> {
        Ok(wire.read_buf(&mut self.0).await?)
    }
}

fn parse(bytes: &[u8]) -> Result<Option<(Head, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut request = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(length) = request.parse(bytes)? else { return Ok(None) };
    let (Some(method), Some(path)) = (request.method, request.path) else { bail!("a request without a path") };
    let mut map = HeaderMap::new();
    for header in request.headers.iter() {
        map.append(HeaderName::from_bytes(header.name.as_bytes())?, HeaderValue::from_bytes(header.value)?);
    }
    let head = Head { method: method.parse()?, uri: path.parse().context("the path of a request")?, headers: map };
    Ok(Some((head, length)))
}
