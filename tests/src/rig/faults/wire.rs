//! Serving a connection: the right answer, spoiled as the plan says, byte by byte.

use std::{
    io::{self, Write as _},
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http::{Method, Uri};
use tokio::{io::AsyncWriteExt as _, time::sleep};

use super::{
    Shared,
    content::{Answer, DIGEST, pad},
    fault::{Ending, Fault},
    head::Inbox,
};
use crate::rig::{access::Ticket, serve::Wire};

/// Drips come this often per second.
const DRIPS: u32 = 20;

pub(crate) async fn serve(mut wire: Pin<Box<dyn Wire>>, shared: Arc<Shared>) {
    let mut inbox = Inbox::default();
    // A request that cannot be read ends the connection, as does a client that went away.
    while let Ok(Some(head)) = inbox.next(&mut wire).await {
        let ticket = shared.recorder.note(&head.method, &head.uri, &head.headers);
        let target = head.uri.path_and_query().map_or("", |target| target.as_str());
        let fault = shared.plan().next(head.method.as_str(), target);
        let answer = shared.content.answer(&head, !matches!(fault, Some(Fault::IgnoreRange)));
        let (answer, sending) = spoil(answer, fault, &head.uri);
        let mut wire = Sender { wire: &mut wire, ticket, head_only: head.method == Method::HEAD };
        match wire.send(answer, sending).await {
            Ok(After::GoOn) if head.headers.get("connection").is_none_or(|v| v.as_bytes() != b"close") => {}
            _ => break,
        }
    }
}

/// How an answer goes out.
enum Sending {
    Well,
    Not(Ending),
    Never,
    Part(usize, Option<Ending>),
    LengthOff(i64),
    Slowly(usize),
    Raw(Bytes),
}

/// What may follow on the connection.
enum After {
    GoOn,
    End,
}

/// Turns the right answer into the wrong one. What is wrong with the sending itself is left to the [`Sender`].
fn spoil(answer: Answer, fault: Option<Fault>, asked: &Uri) -> (Answer, Sending) {
    let Some(fault) = fault else { return (answer, Sending::Well) };
    let sending = match &fault {
        Fault::Drop(ending) => Sending::Not(*ending),
        Fault::Hang => Sending::Never,
        Fault::HangAfter(bytes) => Sending::Part(*bytes, None),
        Fault::CutAfter(bytes, ending) => Sending::Part(*bytes, Some(*ending)),
        Fault::LengthOff(by) => Sending::LengthOff(*by),
        Fault::Drip(bytes) => Sending::Slowly(*bytes),
        Fault::Raw(bytes) => Sending::Raw(bytes.clone()),
        _ => Sending::Well,
    };
    let answer = match fault {
        Fault::Status(status) => Answer::error(status),
        Fault::Html(status) => Answer::new(status, "text/html", "<!doctype html><title>Welcome</title><h1>Log in</h1>"),
        Fault::RateLimited(seconds) => Answer::error(429).with("Retry-After", seconds.to_string()),
        Fault::FlipBit => Answer { body: flip(&answer.body), ..answer },
        Fault::MediaType(media_type) => answer.with("Content-Type", media_type),
        Fault::Padded(size) => pad(answer, size),
        Fault::Redirect(base) => Answer::new(307, "text/plain", "").with("Location", format!("{base}{asked}")),
        Fault::Gzip => Answer { body: gzip(&answer.body), ..answer }.with("Content-Encoding", "gzip"),
        Fault::NoDigest => answer.without(DIGEST),
        // What is too much must not be taken for the beginning of another answer.
        Fault::LengthOff(_) => answer.with("Connection", "close"),
        _ => answer,
    };
    (answer, sending)
}

fn flip(body: &Bytes) -> Bytes {
    let mut body = body.to_vec();
    let middle = body.len() / 2;
    if let Some(byte) = body.get_mut(middle) {
        *byte ^= 1;
    }
    body.into()
}

fn gzip(body: &Bytes) -> Bytes {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let packed = encoder.write_all(body).and_then(|()| encoder.finish());
    packed.expect("writing to memory cannot fail").into()
}

struct Sender<'a> {
    wire: &'a mut Pin<Box<dyn Wire>>,
    ticket: Ticket,
    head_only: bool,
}

impl Sender<'_> {
    async fn send(&mut self, answer: Answer, sending: Sending) -> io::Result<After> {
        let whole = answer.body.len();
        match sending {
            Sending::Not(ending) => return self.end(ending),
            Sending::Never => return self.hang().await,
            Sending::Raw(bytes) => {
                self.body(&bytes).await?;
                return self.end(Ending::Fin);
            }
            Sending::LengthOff(by) => self.head(&answer, i64::try_from(whole).unwrap_or(i64::MAX) + by).await?,
            _ => self.head(&answer, i64::try_from(whole).unwrap_or(i64::MAX)).await?,
        }
        if self.head_only {
            return Ok(After::GoOn);
        }
        match sending {
            Sending::Part(bytes, ending) => {
                self.body(&answer.body[..bytes.min(whole)]).await?;
                match ending {
                    Some(ending) => self.end(ending),
                    None => self.hang().await,
                }
            }
            Sending::LengthOff(_) => {
                self.body(&answer.body).await?;
                self.end(Ending::Fin)
            }
            Sending::Slowly(per_second) => {
                let drip = (per_second / DRIPS as usize).max(1);
                for part in answer.body.chunks(drip) {
                    self.body(part).await?;
                    sleep(Duration::from_secs(1) / DRIPS).await;
                }
                Ok(After::GoOn)
            }
            _ => self.body(&answer.body).await.map(|()| After::GoOn),
        }
    }

    async fn head(&mut self, answer: &Answer, length: i64) -> io::Result<()> {
        self.ticket.answered(answer.status);
        let mut text = format!("HTTP/1.1 {} Rig\r\nContent-Length: {}\r\n", answer.status, length.max(0));
        for (name, value) in &answer.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str("\r\n");
        self.wire.write_all(text.as_bytes()).await?;
        self.wire.flush().await
    }

    async fn body(&mut self, bytes: &[u8]) -> io::Result<()> {
        for part in bytes.chunks(64 << 10) {
            self.wire.write_all(part).await?;
            self.ticket.sent(part.len());
        }
        self.wire.flush().await
    }

    fn end(&self, ending: Ending) -> io::Result<After> {
        if ending == Ending::Rst {
            self.wire.reset_on_drop()?;
        }
        Ok(After::End)
    }

    /// Until the client has had enough and the server is stopped: whichever comes first ends this task.
    async fn hang(&mut self) -> io::Result<After> {
        let mut ignored = [0; 512];
        while tokio::io::AsyncReadExt::read(self.wire, &mut ignored).await? > 0 {}
        Ok(After::End)
    }
}
