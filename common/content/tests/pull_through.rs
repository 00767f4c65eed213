//! Stories of a disk in front of sources: once fetched, never wrong, never half.

#![allow(clippy::unwrap_used, reason = "a panic is how a test reports")]

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use futures_util::{StreamExt as _, future::BoxFuture, future::join_all, stream};
use larder_content::{
    Blob, ByteRange, Capacity, Disk, Fault, FetchError, Fetched, Limits, PullThrough, ReadError, Source, SourceError,
};
use larder_oci::Digest;
use tokio::sync::{mpsc, watch};

/// A source whose body the test feeds by hand. It answers once for each body that it has.
struct Fed {
    total: Option<u64>,
    bodies: std::sync::Mutex<Vec<mpsc::UnboundedReceiver<Result<Bytes, SourceError>>>>,
    asked: AtomicUsize,
}

type Feed = mpsc::UnboundedSender<Result<Bytes, SourceError>>;

fn fed(total: Option<usize>) -> (Arc<Fed>, Feed) {
    let (feed, body) = mpsc::unbounded_channel();
    let total = total.map(|total| total as u64);
    (Arc::new(Fed { total, bodies: vec![body].into(), asked: AtomicUsize::new(0) }), feed)
}

impl Source for Fed {
    fn name(&self) -> &str {
        "fed"
    }

    fn fetch<'a>(&'a self, _: &'a Digest, range: ByteRange) -> BoxFuture<'a, Result<Fetched, SourceError>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let body = self.bodies.lock().unwrap().pop();
        Box::pin(async move {
            let body = body.ok_or_else(|| SourceError::new("fed", Fault::NotFound, "nothing left"))?;
            let body = stream::unfold(body, |mut body| async { body.recv().await.map(|item| (item, body)) });
            Ok(Fetched { start: range.start, total: self.total, body: body.boxed() })
        })
    }
}

fn try_disk(folder: &Path) -> Option<Disk> {
    Disk::open(folder, Capacity::default()).ok()
}

fn disk(folder: &Path) -> Disk {
    try_disk(folder).unwrap()
}

fn cache(folder: &Path) -> PullThrough {
    PullThrough::new(disk(folder), Limits::default())
}

fn content(length: usize) -> Bytes {
    (0..length).map(|i| (i / 7 % 251) as u8).collect()
}

async fn all(blob: Blob) -> Result<Vec<u8>, ReadError> {
    let (mut bytes, mut body) = (Vec::new(), blob.read());
    while let Some(chunk) = body.next().await {
        bytes.extend_from_slice(&chunk?);
    }
    Ok(bytes)
}

/// Every file below the folder that holds content, finished or not.
fn files(folder: &Path) -> usize {
    let count = |entry: std::fs::DirEntry| match entry.path() {
        path if path.is_dir() => files(&path),
        path => usize::from(!["lock", "index"].iter().any(|known| path.ends_with(known))),
    };
    std::fs::read_dir(folder).unwrap().map(|entry| count(entry.unwrap())).sum()
}

#[tokio::test]
async fn many_readers_one_fetch_and_then_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let cache = cache(folder.path());
    let content = content(3_000_000);
    let digest = Digest::sha256(&content);
    let (source, feed) = fed(Some(content.len()));
    let open = || cache.open(&digest, None, vec![source.clone()]);

    feed.send(Ok(content.slice(..2_000_000))).unwrap();
    let early = join_all((0..16).map(|_| open())).await;
    let mut first = early.into_iter().map(Result::unwrap).collect::<Vec<_>>();
    assert!(first.iter().all(|blob| blob.size() == Some(3_000_000) && !blob.is_stored()));
    // The first byte leaves long before the last has come.
    let mut streaming = first.pop().unwrap().read();
    assert_eq!(streaming.next().await.unwrap().unwrap()[..100], content[..100]);
    first.push(open().await.unwrap());
    feed.send(Ok(content.slice(2_000_000..))).unwrap();
    drop(feed);
    for bytes in join_all(first.into_iter().map(all)).await {
        assert!(bytes.unwrap() == content);
    }
    assert_eq!(source.asked.load(Ordering::SeqCst), 1);

    landed(&cache, &digest).await;
    drop((streaming, cache));
    let disk = within(|| try_disk(folder.path())).await;
    let cache = PullThrough::new(disk, Limits::default());
    let blob = cache.open(&digest, None, vec![]).await.unwrap();
    assert!(blob.is_stored() && all(blob).await.unwrap() == content);
    let part = cache.stored(&digest).await.unwrap().read_range(5..300_000).into_stream();
    let part: Vec<Bytes> = part.map(Result::unwrap).collect().await;
    assert!(part.concat() == content[5..300_000]);
}

/// Waits, within a bound, until `condition` gives something.
async fn within<T>(mut condition: impl FnMut() -> Option<T>) -> T {
    let met = async {
        loop {
            match condition() {
                Some(value) => return value,
                None => tokio::task::yield_now().await,
            }
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), met).await.expect("it never came to be so")
}

/// Waits until the blob is on the disk.
async fn landed(cache: &PullThrough, digest: &Digest) {
    within(|| cache.size(digest)).await;
}

#[tokio::test]
async fn a_download_outlives_the_readers_who_asked_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let cache = cache(folder.path());
    let content = content(500_000);
    let digest = Digest::sha256(&content);
    let (source, feed) = fed(Some(content.len()));
    feed.send(Ok(content.slice(..200_000))).unwrap();
    drop(cache.open(&digest, None, vec![source]).await.unwrap().read());
    feed.send(Ok(content.slice(200_000..))).unwrap();
    drop(feed);
    landed(&cache, &digest).await;
}

#[tokio::test]
async fn nobody_gets_a_whole_blob_of_wrong_bytes_and_nothing_is_kept() {
    let right = content(1_000_000);
    let digest = Digest::sha256(&right);
    let mut flipped = right.to_vec();
    flipped[777_777] ^= 1;
    let longer = [&right[..], b"x"].concat();
    let shorter = right.slice(..right.len() - 1);
    for (total, sent, fault) in [
        (Some(1_000_000), Bytes::from(flipped.clone()), Fault::Corrupt),
        (None, Bytes::from(flipped), Fault::Corrupt),
        (None, longer.clone().into(), Fault::Corrupt),
        (Some(1_000_000), longer.into(), Fault::Corrupt),
        (None, shorter.clone(), Fault::Corrupt),
        (Some(1_000_000), shorter, Fault::NotFound),
        (Some(1_000_000), Bytes::new(), Fault::NotFound),
        (None, Bytes::new(), Fault::Corrupt),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let cache = cache(folder.path());
        let (source, feed) = fed(total);
        feed.send(Ok(sent)).unwrap();
        drop(feed);
        let mut got = 0;
        // It fails before anything has left, or in the middle.
        let error = match cache.open(&digest, None, vec![source]).await {
            Ok(blob) => {
                let mut body = blob.read();
                loop {
                    match body.next().await {
                        Some(Ok(chunk)) => got += chunk.len(),
                        Some(Err(ReadError::Fetch(FetchError::Source(error)))) => break error,
                        other => panic!("ended without an error: {other:?}"),
                    }
                }
            }
            Err(FetchError::Source(error)) => error,
            Err(error) => panic!("{error}"),
        };
        assert_eq!((error.fault, &*error.source_name), (fault, "fed"));
        assert!(got < right.len(), "the tail was not held back");
        within(|| (files(folder.path()) == 0).then_some(())).await;
        assert!(cache.stored(&digest).await.is_none());
    }
}

#[tokio::test]
async fn a_broken_source_cuts_every_reader_and_the_next_request_starts_anew() {
    let folder = tempfile::tempdir().unwrap();
    let cache = cache(folder.path());
    let content = content(400_000);
    let digest = Digest::sha256(&content);
    let (source, feed) = fed(Some(content.len()));
    feed.send(Ok(content.slice(..100_000))).unwrap();
    let blobs = join_all((0..4).map(|_| cache.open(&digest, None, vec![source.clone()]))).await;
    feed.send(Err(SourceError::new("fed", Fault::TimedOut, "silent for 30 s"))).unwrap();
    for blob in blobs {
        let error = all(blob.unwrap()).await.unwrap_err();
        assert!(matches!(error, ReadError::Fetch(FetchError::Source(e)) if e.fault == Fault::NotFound));
    }
    let (second, feed) = fed(None);
    feed.send(Ok(content.clone())).unwrap();
    drop(feed);
    // The broken flight may still be on its way off the list; whoever meets it asks again.
    let blob = loop {
        if let Ok(blob) = cache.open(&digest, None, vec![second.clone()]).await {
            break blob;
        }
        tokio::task::yield_now().await;
    };
    assert!(all(blob).await.unwrap() == content);
}

#[tokio::test]
async fn the_first_source_that_answers_is_taken_and_the_last_error_told() {
    let folder = tempfile::tempdir().unwrap();
    let cache = cache(folder.path());
    let content = content(10);
    let digest = Digest::sha256(&content);
    let empty = Arc::new(Fed { total: None, bodies: vec![].into(), asked: AtomicUsize::new(0) });
    let error = cache.open(&digest, None, vec![empty.clone()]).await.unwrap_err();
    assert!(matches!(error, FetchError::Source(SourceError { fault: Fault::NotFound, .. })));
    let error = cache.open(&digest, None, vec![]).await.unwrap_err();
    assert!(matches!(error, FetchError::Source(SourceError { fault: Fault::NotFound, .. })));
    let (second, feed) = fed(None);
    feed.send(Ok(content.clone())).unwrap();
    drop(feed);
    assert_eq!(all(cache.open(&digest, None, vec![empty, second]).await.unwrap()).await.unwrap(), content);
}

#[tokio::test]
async fn a_range_of_a_blob_on_its_way_waits_for_its_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let cache = cache(folder.path());
    let content = content(300_000);
    let digest = Digest::sha256(&content);
    let (source, feed) = fed(Some(content.len()));
    feed.send(Ok(content.slice(..100_000))).unwrap();
    let blob = cache.open(&digest, None, vec![source]).await.unwrap();
    let (started, mut has_started) = watch::channel(false);
    let reader = tokio::spawn(async move {
        started.send_replace(true);
        let mut bytes = Vec::new();
        let mut body = blob.read_range(250_000..260_000);
        while let Some(chunk) = body.next().await {
            bytes.extend_from_slice(&chunk.unwrap());
        }
        bytes
    });
    has_started.wait_for(|started| *started).await.unwrap();
    feed.send(Ok(content.slice(100_000..))).unwrap();
    drop(feed);
    assert!(reader.await.unwrap() == content[250_000..260_000]);
}

#[tokio::test]
async fn what_is_put_is_checked() {
    let folder = tempfile::tempdir().unwrap();
    let cache = cache(folder.path());
    let content = content(100);
    let digest = Digest::sha256(&content);
    cache.put(&digest, Bytes::from_static(b"something else")).await.unwrap_err();
    assert!(cache.stored(&digest).await.is_none());
    cache.put(&digest, content.clone()).await.unwrap();
    assert_eq!(all(cache.stored(&digest).await.unwrap()).await.unwrap(), content);
}

#[tokio::test]
async fn what_went_wrong_after_bytes_left_is_not_to_be_had_here_for_a_while() {
    let unreachable = || Err(SourceError::new("fed", Fault::Unreachable, "reset"));
    let flipped = |mut bytes: Vec<u8>| {
        bytes[0] ^= 1;
        Bytes::from(bytes)
    };
    for (length, sent, shut_out) in [
        (300_000, vec![Ok(flipped(content(300_000).to_vec()))], true),
        (300_000, vec![Ok(content(300_000).slice(..200_000)), unreachable()], true),
        // Nothing had left: whoever asks again gets it from here.
        (60_000, vec![Ok(content(60_000).slice(..50_000)), unreachable()], false),
    ] {
        let right = content(length);
        let digest = Digest::sha256(&right);
        let folder = tempfile::tempdir().unwrap();
        let disk = disk(folder.path());
        let cache = PullThrough::new(
            disk,
            Limits { quarantine: Some(std::time::Duration::from_secs(600)), ..Limits::default() },
        );
        let (source, feed) = fed(Some(right.len()));
        sent.into_iter().for_each(|item| feed.send(item).unwrap());
        drop(feed);
        if let Ok(blob) = cache.open(&digest, None, vec![source]).await {
            all(blob).await.unwrap_err();
        }
        let (second, feed) = fed(Some(right.len()));
        feed.send(Ok(right.clone())).unwrap();
        drop(feed);
        within(|| (files(folder.path()) == 0).then_some(())).await;
        let outcome = async {
            loop {
                match cache.open(&digest, None, vec![second.clone()]).await {
                    // The first flight, on its way off the list.
                    Err(FetchError::Source(error)) if error.fault != Fault::Skipped => tokio::task::yield_now().await,
                    other => return other,
                }
            }
        };
        assert_eq!(outcome.await.is_err(), shut_out);
    }
}

#[tokio::test(start_paused = true)]
async fn a_download_may_be_given_a_time_to_be_done_in() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits {
        download_time: Some(std::time::Duration::from_secs(300)),
        stall: std::time::Duration::from_secs(3600),
        ..Limits::default()
    };
    let cache = PullThrough::new(disk(folder.path()), limits);
    let content = content(200_000);
    let (source, feed) = fed(Some(content.len()));
    feed.send(Ok(content.slice(..100_000))).unwrap();
    let blob = cache.open(&Digest::sha256(&content), None, vec![source]).await.unwrap();
    let error = all(blob).await.unwrap_err();
    assert!(matches!(error, ReadError::Fetch(FetchError::Source(error)) if error.fault == Fault::TimedOut));
}

#[tokio::test]
async fn what_fails_before_its_first_byte_is_an_error_and_no_body() {
    let folder = tempfile::tempdir().unwrap();
    let cache = cache(folder.path());
    let digest = Digest::sha256(b"small and right");
    let (source, feed) = fed(Some(15));
    feed.send(Ok(Bytes::from_static(b"small and wrong"))).unwrap();
    drop(feed);
    let error = cache.open(&digest, None, vec![source]).await.unwrap_err();
    assert!(matches!(error, FetchError::Source(SourceError { fault: Fault::Corrupt, .. })));
}

#[tokio::test]
async fn a_blob_is_as_long_as_its_manifest_says() {
    for (size, announced, sent, goes) in [
        (Some(100), Some(100), 100, true),
        (Some(100), None, 100, true),
        (Some(100), Some(101), 100, false),
        // Without end.
        (Some(100), None, 5_000_000, false),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let cache = cache(folder.path());
        let (source, feed) = fed(announced);
        feed.send(Ok(content(sent))).unwrap();
        drop(feed);
        let outcome = cache.open(&Digest::sha256(&content(100)), size, vec![source]).await;
        assert_eq!(outcome.is_ok(), goes, "{size:?} {announced:?} {sent}");
        if let Ok(blob) = outcome {
            assert_eq!(blob.size(), size);
        }
    }
}

#[tokio::test]
async fn a_no_to_one_is_no_no_to_another() {
    let folder = tempfile::tempdir().unwrap();
    let cache = cache(folder.path());
    let content = content(10);
    let digest = Digest::sha256(&content);
    let empty = || Arc::new(Fed { total: None, bodies: vec![].into(), asked: AtomicUsize::new(0) });
    let (has, feed) = fed(None);
    feed.send(Ok(content.clone())).unwrap();
    drop(feed);
    let theirs = cache.open(&digest, None, vec![empty()]);
    let ours = cache.open(&digest, None, vec![has]);
    let (theirs, ours) = futures_util::join!(theirs, ours);
    theirs.unwrap_err();
    assert_eq!(all(ours.unwrap()).await.unwrap(), content);
}
