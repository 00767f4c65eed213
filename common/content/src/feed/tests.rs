//! What a feed makes of bodies that come in odd pieces.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::{FutureExt as _, future::BoxFuture, stream};

use super::{batch::MOST_CHUNKS, *};
use crate::source::ByteStream;

/// A source that gives this body.
struct Gives<F>(F);

impl<F: Fn() -> ByteStream + Send + Sync + 'static> Source for Gives<F> {
    fn name(&self) -> &str {
        "s"
    }

    fn fetch<'a>(&'a self, _: &'a Digest, range: ByteRange) -> BoxFuture<'a, Result<Fetched, SourceError>> {
        let body = (self.0)();
        async move { Ok(Fetched { start: range.start, total: None, body }) }.boxed()
    }
}

fn feed(stall: Duration, body: impl Fn() -> ByteStream + Send + Sync + 'static) -> Feed {
    let order = Order {
        digest: Digest::sha256(b""),
        sources: Arc::new([Arc::new(Gives(body)) as Arc<dyn Source>]),
        total: None,
        total_is_claimed: false,
        from: 0,
        until: None,
        flowing: false,
        most_skipped: 0,
        pace: Pace { stall, batch: 1 << 20, tail: 0 },
    };
    Feed::start(order, Arc::default(), &Handle::current())
}

fn chunks(chunks: impl Iterator<Item = &'static [u8]> + Send + 'static) -> ByteStream {
    stream::iter(chunks.map(|chunk| Ok(Bytes::from_static(chunk)))).boxed()
}

/// On a clock that runs, as nobody is ever idle.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_body_of_nothing_without_end_is_silence() {
    let nothing = || std::iter::repeat(&b""[..]);
    let mut silent = feed(Duration::from_millis(20), move || chunks(nothing()));
    assert!(matches!(silent.next().await, Ok(Fed::Opened { .. })));
    assert_eq!(silent.next().await.unwrap_err().fault, Fault::TimedOut);
    // What came before it is not kept back.
    let mut once = feed(Duration::from_secs(30), move || chunks(std::iter::once(&b"a"[..]).chain(nothing())));
    assert!(matches!(once.next().await, Ok(Fed::Opened { .. })));
    let Ok(Fed::Bytes(chunks)) = once.next().await else { panic!("no bytes") };
    assert_eq!(chunks, ["a"]);
}

#[tokio::test]
async fn no_batch_has_more_chunks_than_it_may_and_none_that_is_empty() {
    let body = || chunks([&b""[..], b"a", b"", b"b"].into_iter().cycle().take(20_000));
    let (mut feed, mut got) = (feed(Duration::from_secs(30), body), Vec::new());
    loop {
        match feed.next().await.unwrap() {
            Fed::Opened { .. } => {}
            Fed::Bytes(chunks) => {
                assert!(chunks.len() <= MOST_CHUNKS && chunks.iter().all(|chunk| chunk.len() == 1));
                got.extend(chunks.concat());
            }
            Fed::End => break,
        }
    }
    assert_eq!(got, b"ab".repeat(5000));
}

/// It takes the bytes so late that the source has long gone away again.
#[tokio::test(start_paused = true)]
async fn who_takes_his_time_is_no_fault_of_the_source() {
    let asked = AtomicUsize::new(0);
    let broke = || stream::iter([Err(SourceError::new("s", Fault::Unreachable, "broke"))]);
    let mut feed = feed(Duration::from_secs(30), move || match asked.fetch_add(1, Ordering::Relaxed) {
        0 => chunks([&b"a"[..]].into_iter()).chain(broke()).boxed(),
        1 => broke().boxed(),
        _ => chunks([&b"b"[..]].into_iter()).boxed(),
    });
    let mut got = Vec::new();
    loop {
        match feed.next().await.unwrap() {
            Fed::Opened { .. } if got.is_empty() => sleep(Duration::from_secs(100)).await,
            Fed::Opened { .. } => {}
            Fed::Bytes(chunks) => got.extend(chunks.concat()),
            Fed::End => break,
        }
    }
    assert_eq!(got, b"ab");
}
