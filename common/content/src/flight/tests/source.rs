//! A source that answers each request as it is told.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{FutureExt as _, StreamExt as _, future::BoxFuture, stream};
use larder_oci::Digest;
use tokio::time::sleep;

use crate::source::{ByteRange, Fault, Fetched, Source, SourceError};

/// What it says to one request.
#[derive(Clone)]
pub(super) struct Answer {
    content: Bytes,
    wait: Duration,
    fault: Option<Fault>,
    chunk: usize,
    pace: Duration,
    /// Breaks before this offset.
    breaks_at: usize,
    knows_ranges: bool,
}

impl Answer {
    /// The bytes that were asked for, 100 at a time.
    pub(super) fn of(content: &Bytes) -> Self {
        let (wait, pace) = (Duration::ZERO, Duration::from_millis(10));
        Self {
            content: content.clone(),
            wait,
            fault: None,
            chunk: 100,
            pace,
            breaks_at: usize::MAX,
            knows_ranges: true,
        }
    }

    /// No.
    pub(super) fn fails(fault: Fault) -> Self {
        Self { fault: Some(fault), ..Self::of(&Bytes::new()) }
    }

    pub(super) fn after(self, wait: Duration) -> Self {
        Self { wait, ..self }
    }

    pub(super) fn paced(self, chunk: usize, pace: Duration) -> Self {
        Self { chunk, pace, ..self }
    }

    pub(super) fn breaking_at(self, breaks_at: usize) -> Self {
        Self { breaks_at, ..self }
    }

    pub(super) fn all_of_it(self) -> Self {
        Self { knows_ranges: false, ..self }
    }
}

pub(super) struct Told<F> {
    name: &'static str,
    answer: F,
    pub(super) asked: Mutex<Vec<ByteRange>>,
}

/// A source called `name`; `answer` is told how often it was asked before, and for what it is now.
pub(super) fn told<F: Fn(usize, ByteRange) -> Answer>(name: &'static str, answer: F) -> Arc<Told<F>> {
    Arc::new(Told { name, answer, asked: Mutex::default() })
}

impl<F> Told<F> {
    pub(super) fn count(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

impl<F: Fn(usize, ByteRange) -> Answer + Send + Sync + 'static> Source for Told<F> {
    fn name(&self) -> &str {
        self.name
    }

    fn fetch<'a>(&'a self, _: &'a Digest, range: ByteRange) -> BoxFuture<'a, Result<Fetched, SourceError>> {
        let number = self.count();
        self.asked.lock().unwrap().push(range);
        let answer = (self.answer)(number, range);
        respond(self.name, answer, range).boxed()
    }
}

async fn respond(name: &'static str, answer: Answer, range: ByteRange) -> Result<Fetched, SourceError> {
    let Answer { content, wait, fault, chunk, pace, breaks_at, knows_ranges } = answer;
    sleep(wait).await;
    if let Some(fault) = fault {
        return Err(SourceError::new(name, fault, "as it was told"));
    }
    let total = content.len();
    let place = |offset: u64| usize::try_from(offset).unwrap().min(total);
    let (start, end) = match range.end {
        _ if !knows_ranges => (0, total),
        end => (place(range.start), end.map_or(total, place)),
    };
    let given = content.slice(start..end.min(breaks_at).max(start));
    let broken = (end > breaks_at).then(|| Err(SourceError::new(name, Fault::Unreachable, "broke")));
    let chunks: Vec<Bytes> = given.chunks(chunk).map(Bytes::copy_from_slice).collect();
    let bytes = stream::iter(chunks).then(move |chunk| async move {
        sleep(pace).await;
        Ok(chunk)
    });
    Ok(Fetched { start: start as u64, total: Some(total as u64), body: bytes.chain(stream::iter(broken)).boxed() })
}
