//! A source that does what its script says.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;
use futures_util::{StreamExt as _, future::BoxFuture, stream};
use larder_oci::Digest;
use tokio::time::sleep;

use super::script::{AnswerScript, Ends, SourceScript};
use crate::source::{ByteRange, Fault, Fetched, Source, SourceError};

pub(super) struct Scripted {
    name: String,
    content: Bytes,
    script: SourceScript,
    asked: AtomicUsize,
    /// Every range that it was asked for.
    pub(super) ranges: Mutex<Vec<ByteRange>>,
}

impl Scripted {
    pub(super) fn new(number: usize, content: &Bytes, script: &SourceScript) -> Arc<Self> {
        Arc::new(Self {
            name: format!("source {number}"),
            content: content.clone(),
            script: script.clone(),
            asked: AtomicUsize::new(0),
            ranges: Mutex::default(),
        })
    }

    async fn answer(&self, range: ByteRange) -> Result<Fetched, SourceError> {
        let number = self.asked.fetch_add(1, Ordering::SeqCst);
        self.ranges.lock().unwrap().push(range);
        let well = AnswerScript::Gives {
            delay: std::time::Duration::ZERO,
            pace: std::time::Duration::ZERO,
            total_off_by: 0,
            wrong_byte: None,
            ends: Ends::Well,
        };
        let last = self.script.answers.last().filter(|_| self.script.for_ever);
        let (delay, pace, off_by, wrong, ends) = match self.script.answers.get(number).or(last).cloned().unwrap_or(well)
        {
            AnswerScript::Refuses(fault) => return Err(SourceError::new(&self.name, fault, "as the script says")),
            AnswerScript::NeverAnswers => std::future::pending().await,
            AnswerScript::Gives { delay, pace, total_off_by, wrong_byte, ends } => {
                (delay, pace, total_off_by, wrong_byte, ends)
            }
        };
        sleep(delay).await;
        let length = self.content.len();
        let at = |offset: u64| usize::try_from(offset).unwrap().min(length);
        let (start, end) = if self.script.knows_ranges {
            (at(range.start), range.end.map_or(length, at).max(at(range.start)))
        } else {
            (0, length)
        };
        let mut body = self.content[start..end].to_vec();
        if let Some(wrong) = wrong.and_then(|wrong| body.get_mut(at(wrong).checked_sub(start)?)) {
            *wrong ^= 0x40;
        }
        let (kept, last) = match ends {
            Ends::Well => (body.len(), Last::End),
            Ends::TooLong => {
                body.extend_from_slice(b"too long");
                (body.len(), Last::End)
            }
            Ends::Broken { after, quietly: true } => (at(after).min(body.len()), Last::End),
            Ends::Broken { after, quietly: false } => (at(after).min(body.len()), Last::Error),
            Ends::Stalled { after } => (at(after).min(body.len()), Last::Silence),
        };
        body.truncate(kept);
        let chunks: Vec<Bytes> = body.chunks(self.script.chunk).map(Bytes::copy_from_slice).collect();
        let name = self.name.clone();
        let bytes = stream::iter(chunks).then(move |chunk| async move {
            sleep(pace).await;
            Ok(chunk)
        });
        let last = stream::once(async move {
            match last {
                Last::End => None,
                Last::Error => Some(Err(SourceError::new(&name, Fault::Unreachable, "broke as the script says"))),
                Last::Silence => std::future::pending().await,
            }
        });
        let total = self.script.says_total.then(|| length as u64 + off_by);
        let body = bytes.chain(last.filter_map(std::future::ready)).boxed();
        Ok(Fetched { start: start as u64, total, body })
    }
}

enum Last {
    End,
    Error,
    Silence,
}

impl Source for Scripted {
    fn name(&self) -> &str {
        &self.name
    }

    fn fetch<'a>(&'a self, _: &'a Digest, range: ByteRange) -> BoxFuture<'a, Result<Fetched, SourceError>> {
        Box::pin(self.answer(range))
    }
}
