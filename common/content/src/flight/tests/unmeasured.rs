//! Bodies that do not say how long they are.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::{FutureExt as _, StreamExt as _, future::BoxFuture, stream};
use larder_oci::Digest;

use super::{QUARANTINE, Rig, all};
use crate::source::{ByteRange, Fault, Fetched, Source, SourceError};

/// Gives the bytes up to an offset, and breaks there; when it is asked again, says that the blob is so long.
struct Chunked {
    content: Bytes,
    breaks_at: usize,
    says: u64,
    asked: Mutex<Vec<u64>>,
}

impl Source for Chunked {
    fn name(&self) -> &str {
        "chunked"
    }

    fn fetch<'a>(&'a self, _: &'a Digest, range: ByteRange) -> BoxFuture<'a, Result<Fetched, SourceError>> {
        self.asked.lock().unwrap().push(range.start);
        let broke = Err(SourceError::new("chunked", Fault::Unreachable, "reset"));
        let (total, body) = match range.start {
            0 => (None, stream::iter([Ok(self.content.slice(..self.breaks_at)), broke]).boxed()),
            // As the client has it of 416 and `bytes */N`.
            start if start == self.says => (Some(start), stream::empty().boxed()),
            _ => return async { Err(SourceError::new("chunked", Fault::Invalid, "416")) }.boxed(),
        };
        async move { Ok(Fetched { start: range.start, total, body }) }.boxed()
    }
}

async fn pull(breaks_at: usize, says: u64, size: Option<u64>) -> (bool, Rig) {
    let rig = Rig::new(4000, Some(QUARANTINE));
    let source = Arc::new(Chunked { content: rig.content.clone(), breaks_at, says, asked: Mutex::default() });
    let got = match rig.open_sized(size, &source).await {
        Ok(blob) => all(blob.read()).await,
        Err(error) => Err(error.into()),
    };
    rig.settle().await;
    assert_eq!(source.asked.lock().unwrap()[0], 0);
    (got.is_ok_and(|got| got == rig.content), rig)
}

#[tokio::test(start_paused = true)]
async fn one_that_breaks_after_its_last_byte_is_all_there() {
    for size in [None, Some(4000)] {
        let (is_whole, rig) = pull(4000, 4000, size).await;
        assert!(is_whole && !rig.is_shut_out(), "{size:?}");
        assert_eq!(rig.cache.size(&rig.digest), Some(4000));
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_breaks_before_is_no_whole_whatever_is_said() {
    for (breaks_at, says, size) in [(3000, 3000, None), (3000, 3000, Some(4000)), (4000, 4000, Some(5000))] {
        let (is_whole, rig) = pull(breaks_at, says, size).await;
        assert!(!is_whole && rig.cache.size(&rig.digest).is_none(), "{breaks_at} {size:?}");
    }
}
