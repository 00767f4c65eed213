//! Chunks as they are taken: what arrived together, and what of it is wanted.

use bytes::Bytes;
use futures_util::{FutureExt as _, StreamExt as _, stream::Fuse};
use tokio::task::coop;

use crate::source::{ByteStream, SourceError};

/// Most chunks in one batch: each takes a write, and memory beside its bytes.
pub(super) const MOST_CHUNKS: usize = 1024;

/// Bytes that arrived together, and how the body ended if it did.
pub(super) struct Batch {
    pub(super) chunks: Vec<Bytes>,
    pub(super) end: Option<Result<(), SourceError>>,
}

/// The next bytes, and with them whatever else has arrived already: one trip to a writing thread for many packets,
/// and no waiting for a batch to fill.
pub(super) async fn next_batch(body: &mut Fuse<ByteStream>, most: usize) -> Batch {
    let (mut chunks, mut length, mut taken) = (Vec::new(), 0, 0);
    let mut next = loop {
        match body.next().await {
            // No sign of life: who sends nothing else is silent. (And he may do so without a pause.)
            Some(Ok(chunk)) if chunk.is_empty() => coop::consume_budget().await,
            next => break next,
        }
    };
    loop {
        match next {
            Some(Ok(chunk)) => {
                length += chunk.len();
                if !chunk.is_empty() {
                    chunks.push(chunk);
                }
            }
            Some(Err(error)) => return Batch { chunks, end: Some(Err(error)) },
            None => return Batch { chunks, end: Some(Ok(())) },
        }
        taken += 1;
        if length >= most || taken == MOST_CHUNKS {
            return Batch { chunks, end: None };
        }
        next = match body.next().now_or_never() {
            Some(next) => next,
            None => return Batch { chunks, end: None },
        };
    }
}

pub(super) fn length(chunks: &[Bytes]) -> u64 {
    chunks.iter().map(|chunk| chunk.len() as u64).sum()
}

/// Drops the first `count` bytes, or all; gives how many more are to go.
pub(super) fn drop_front(chunks: &mut Vec<Bytes>, mut count: u64) -> u64 {
    chunks.retain_mut(|chunk| {
        let here = count.min(chunk.len() as u64);
        count -= here;
        let _ = chunk.split_to(usize::try_from(here).expect("no more than a chunk's length"));
        !chunk.is_empty()
    });
    count
}

/// Keeps the first `count` bytes.
pub(super) fn keep_front(chunks: &mut Vec<Bytes>, mut count: u64) {
    chunks.retain_mut(|chunk| {
        let here = count.min(chunk.len() as u64);
        count -= here;
        chunk.truncate(usize::try_from(here).expect("no more than a chunk's length"));
        !chunk.is_empty()
    });
}
