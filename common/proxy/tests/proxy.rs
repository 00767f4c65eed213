//! Stories of a pull-through registry: what it asks, what it repeats, what it gives to whom.

#![allow(clippy::unwrap_used, reason = "a panic is how a test reports")]

mod upstream;

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use futures_util::future::join_all;
use larder_content::{Capacity, Disk, Fault, Limits, PullThrough};
use larder_distribution::{Code, Error, Registry as _, route::Name, server::ManifestAnswer};
use larder_oci::{Digest, MediaType, Reference};
use larder_proxy::{Freshness, Policy, Proxy};
use upstream::{Fake, Only};

const MINUTE: Freshness = Freshness::Fixed(Duration::from_secs(60));
const NEVER: Freshness = Freshness::Fixed(Duration::ZERO);

async fn proxy(folder: &Path, fake: &Arc<Fake>, freshness: Freshness, stale_limit: Option<Duration>) -> Proxy {
    let policy = Policy { freshness, stale_limit, manifest_memory: 1 << 20 };
    // The download that the test before a restart left behind may be about to let go of the folder.
    let opened = async {
        loop {
            match Disk::open(folder, Capacity::default()) {
                Ok(disk) => return disk,
                Err(_) => tokio::task::yield_now().await,
            }
        }
    };
    let disk = tokio::time::timeout(Duration::from_secs(20), opened).await.expect("the folder stays in use");
    let content = PullThrough::new(disk, Limits::default());
    Proxy::new(Only::new("docker.io", fake), content, policy)
}

fn name(text: &str) -> Name {
    Name { registry: None, repository: text.parse().unwrap() }
}

fn tag(text: &str) -> Reference {
    Reference::Tag(text.parse().unwrap())
}

async fn get(proxy: &Proxy, repository: &str, reference: &Reference) -> Result<ManifestAnswer, Error> {
    proxy.manifest(&name(repository), reference, false).await
}

async fn blob(proxy: &Proxy, repository: &str, digest: &Digest) -> Result<Bytes, Error> {
    let mut body = proxy.blob(&name(repository), digest).await?.read();
    let mut bytes = Vec::new();
    while let Some(chunk) = body.next().await {
        bytes.extend_from_slice(&chunk.map_err(|_| Error::new(Code::Unavailable, "cut"))?);
    }
    Ok(bytes.into())
}

fn code<T>(outcome: Result<T, Error>) -> Code {
    outcome.map(|_| ()).unwrap_err().code
}

#[tokio::test]
async fn a_tag_is_asked_for_when_it_is_no_longer_fresh_and_its_manifest_once() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::with_image("a", "1", b"layer");
    let proxy_ = proxy(folder.path(), &fake, MINUTE, None).await;
    let one = tag("1");
    let many = join_all((0..10).map(|_| get(&proxy_, "a", &one))).await;
    let first = many[0].clone().unwrap();
    assert!(many.iter().all(|answer| answer.as_ref().unwrap().digest == first.digest));
    assert_eq!(first.media_type, MediaType::OciManifest);
    assert!(first.fresh_for.unwrap() > Duration::from_secs(50));
    assert_eq!(fake.asked(), ["resolve a:1", &format!("manifest a@{}", first.digest)]);
    drop(proxy_);

    // A new process knows the tag and the manifest, but not that it is fresh.
    let proxy_ = proxy(folder.path(), &fake, NEVER, None).await;
    for _ in 0..2 {
        assert_eq!(get(&proxy_, "a", &tag("1")).await.unwrap().digest, first.digest);
    }
    assert_eq!(fake.asked(), ["resolve a:1", "resolve a:1"]);
    // A digest is never asked for again.
    get(&proxy_, "a", &Reference::Digest(first.digest)).await.unwrap();
    assert_eq!(fake.asked(), [""; 0]);
}

#[tokio::test]
async fn a_blob_that_nobody_has_linked_is_proved_by_the_one_who_fetches_it() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::with_image("a", "1", b"layer");
    let proxy = proxy(folder.path(), &fake, MINUTE, None).await;
    let digest = Digest::sha256(b"layer");
    for got in join_all((0..16).map(|_| blob(&proxy, "a", &digest))).await {
        assert_eq!(got.unwrap(), &b"layer"[..]);
    }
    assert_eq!(fake.asked(), [format!("blob a@{digest} 0-")]);
    // That it is here is no right in another repository: that one asks.
    assert_eq!(code(blob(&proxy, "b", &digest).await), Code::ManifestUnknown);
}

#[tokio::test]
async fn a_head_of_a_tag_costs_no_manifest() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::with_image("a", "1", b"layer");
    let proxy = proxy(folder.path(), &fake, MINUTE, None).await;
    let answer = proxy.manifest(&name("a"), &tag("1"), true).await.unwrap();
    assert_eq!(fake.asked(), ["resolve a:1"]);
    let whole = get(&proxy, "a", &tag("1")).await.unwrap();
    assert_eq!((answer.digest, answer.size, answer.media_type), (whole.digest, whole.size, whole.media_type));
}

#[tokio::test]
async fn the_hub_decides_for_both_tiers_how_long_a_tag_is_fresh() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::with_image("a", "1", b"layer");
    let at_most = Duration::from_secs(60);
    let proxy = proxy(folder.path(), &fake, Freshness::AsTold { at_most }, None).await;
    for (told, fresh) in [(None, 0), (Some(0), 0), (Some(7), 7), (Some(3600), 60)] {
        fake.fresh_for(told.map(Duration::from_secs));
        fake.point("a", &format!("t{fresh}{}", told.is_some()), b"layer");
        let answer = get(&proxy, "a", &tag(&format!("t{fresh}{}", told.is_some()))).await.unwrap();
        let left = answer.fresh_for.unwrap();
        assert!(left <= Duration::from_secs(fresh) && left + Duration::from_secs(2) > Duration::from_secs(fresh));
    }
}

#[tokio::test]
async fn when_the_upstream_fails_the_last_known_tag_is_served_and_when_it_answers_its_word_counts() {
    let day = Some(Duration::from_secs(86_400));
    for (fault, stale, otherwise) in [
        (Fault::Unreachable, true, Code::Unavailable),
        (Fault::TimedOut, true, Code::Unavailable),
        (Fault::Failing, true, Code::Unavailable),
        (Fault::Limited(None), true, Code::TooManyRequests),
        (Fault::Invalid, true, Code::ManifestInvalid),
        (Fault::Skipped, true, Code::Unavailable),
        (Fault::NotFound, false, Code::ManifestUnknown),
        (Fault::Denied, false, Code::Denied),
    ] {
        for stale_limit in [day, None] {
            let folder = tempfile::tempdir().unwrap();
            let fake = Fake::with_image("a", "1", b"layer");
            let proxy = proxy(folder.path(), &fake, NEVER, stale_limit).await;
            let digest = get(&proxy, "a", &tag("1")).await.unwrap().digest;
            fake.fail(Some(fault));
            let outcome = get(&proxy, "a", &tag("1")).await;
            if stale && stale_limit.is_some() {
                let answer = outcome.unwrap();
                assert_eq!(answer.digest, digest);
                assert!(answer.fresh_for.unwrap() <= Duration::from_secs(10));
                // The failure is not paid for again at once.
                fake.asked();
                get(&proxy, "a", &tag("1")).await.unwrap();
                assert_eq!(fake.asked(), [""; 0]);
            } else {
                assert_eq!(code(outcome), otherwise, "{fault:?}");
            }
            assert_eq!(code(get(&proxy, "a", &tag("unknown")).await), otherwise, "{fault:?}");
            // What a digest names is served whatever happens.
            assert_eq!(get(&proxy, "a", &Reference::Digest(digest)).await.unwrap().digest, digest);
        }
    }
}

#[tokio::test]
async fn a_manifest_that_is_not_what_its_digest_says_is_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::with_image("a", "1", b"layer");
    let proxy = proxy(folder.path(), &fake, MINUTE, None).await;
    let honest = fake.manifest_of("a", "1");
    for wrong in [Bytes::from_static(b"<html>"), Bytes::from(vec![b' '; 5 << 20]), Bytes::from_static(b"{}")] {
        fake.replace_manifest(&honest, wrong);
        assert_eq!(code(get(&proxy, "a", &tag("1")).await), Code::ManifestInvalid);
        assert!(proxy.content().stored(&honest).await.is_none());
    }
    // Right by its digest, and still nothing that can be served.
    for odd in [&b"not json"[..], br#"{"schemaVersion":1}"#, br#"{"schemaVersion":2,"mediaType":"x/y"}"#] {
        let digest = fake.put_raw("a", odd);
        assert_eq!(code(get(&proxy, "a", &Reference::Digest(digest)).await), Code::ManifestInvalid);
        assert!(proxy.content().stored(&digest).await.is_none());
    }
    fake.point("a", "1", b"layer");
    assert_eq!(get(&proxy, "a", &tag("1")).await.unwrap().digest, honest);
}

#[tokio::test]
async fn content_is_given_only_where_it_belongs() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::with_image("a", "1", b"layer");
    let proxy = proxy(folder.path(), &fake, MINUTE, None).await;
    let layer = Digest::sha256(b"layer");
    let manifest = get(&proxy, "a", &tag("1")).await.unwrap().digest;
    assert_eq!(blob(&proxy, "a", &layer).await.unwrap(), &b"layer"[..]);
    fake.asked();
    // On the disk, and known to be of this repository: nobody is asked.
    assert_eq!(blob(&proxy, "a", &layer).await.unwrap(), &b"layer"[..]);
    assert_eq!(fake.asked(), [""; 0]);
    // On the disk, and asked for in another repository: the upstream says.
    assert_eq!(code(blob(&proxy, "b", &layer).await), Code::ManifestUnknown);
    assert_eq!(code(proxy.blob_size(&name("b"), &layer).await), Code::ManifestUnknown);
    assert_eq!(code(get(&proxy, "b", &Reference::Digest(manifest)).await), Code::ManifestUnknown);
    fake.point("b", "9", b"layer");
    assert_eq!(blob(&proxy, "b", &layer).await.unwrap(), &b"layer"[..]);
    assert_eq!(proxy.blob_size(&name("b"), &layer).await.unwrap(), 5);

    let mut elsewhere = name("a");
    elsewhere.registry = Some("ghcr.io".parse().unwrap());
    assert_eq!(code(proxy.manifest(&elsewhere, &tag("1"), false).await), Code::NameUnknown);
    assert_eq!(code(proxy.blob(&elsewhere, &layer).await), Code::NameUnknown);
    elsewhere.registry = Some("docker.io".parse().unwrap());
    proxy.manifest(&elsewhere, &tag("1"), false).await.unwrap();
}

#[tokio::test]
async fn what_is_here_in_part_opens_nothing_to_strangers() {
    let folder = tempfile::tempdir().unwrap();
    let content: &[u8] = Box::leak((0..9_u32 << 20).map(|at| (at >> 8) as u8).collect());
    let fake = Fake::with_image("private", "1", content);
    let proxy = proxy(folder.path(), &fake, MINUTE, None).await;
    let layer = Digest::sha256(content);
    fake.break_off_at(Some(5 << 20));
    assert!(blob(&proxy, "private", &layer).await.is_err());
    let is_left = || proxy.content().usage().downloading == content.len() as u64;
    while !is_left() {
        tokio::task::yield_now().await;
    }
    assert_eq!(code(blob(&proxy, "stranger", &layer).await), Code::ManifestUnknown);
    fake.break_off_at(None);
    assert!(blob(&proxy, "private", &layer).await.unwrap() == content);
    assert_eq!(code(blob(&proxy, "stranger", &layer).await), Code::ManifestUnknown);
}

#[tokio::test]
async fn who_has_a_manifest_in_memory_uses_the_blob() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::with_image("a", "1", b"layer");
    let proxy = proxy(folder.path(), &fake, MINUTE, None).await;
    let digest = fake.manifest_of("a", "1");
    let asked = Reference::Digest(digest);
    get(&proxy, "a", &asked).await.unwrap();
    let last_use = async || {
        proxy.content().flush().await.unwrap();
        let index = std::fs::read(proxy.content().disk().layout().index()).unwrap();
        let used = larder_content::index::decode(&index).filter_map(|record| match record {
            larder_content::index::Record::Blob(found, facts) if found == digest => Some(facts.used),
            _ => None,
        });
        used.last().unwrap()
    };
    let before = last_use().await;
    // Uses are known to the second.
    let used_again = async {
        while last_use().await == before {
            get(&proxy, "a", &asked).await.unwrap();
        }
    };
    tokio::time::timeout(Duration::from_secs(20), used_again).await.expect("what is asked for looks unused");
}

#[tokio::test]
async fn the_size_of_a_blob_starts_no_download() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::with_image("a", "1", b"layer");
    let proxy = proxy(folder.path(), &fake, MINUTE, None).await;
    let layer = Digest::sha256(b"layer");
    assert_eq!(proxy.blob_size(&name("a"), &layer).await.unwrap(), 5);
    assert_eq!(fake.asked(), [format!("blob a@{layer} 0-1")]);
    assert!(proxy.content().stored(&layer).await.is_none());
    assert_eq!(code(proxy.blob_size(&name("a"), &Digest::sha256(b"none")).await), Code::ManifestUnknown);
}

#[tokio::test]
async fn what_expired_is_fetched_again() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::with_image("a", "1", b"layer");
    let proxy_ = proxy(folder.path(), &fake, MINUTE, None).await;
    let layer = Digest::sha256(b"layer");
    get(&proxy_, "a", &tag("1")).await.unwrap();
    blob(&proxy_, "a", &layer).await.unwrap();
    // A reader is done before the disk is; and who asks before the download is over joins it.
    let landed = async {
        while proxy_.content().downloads() > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), landed).await.unwrap();
    let removed = proxy_.expire(SystemTime::now() + Duration::from_secs(5)).await.unwrap();
    assert_eq!(removed, 2, "a manifest and a layer");
    // In this process as well: what is in memory goes with the disk's.
    fake.asked();
    get(&proxy_, "a", &tag("1")).await.unwrap();
    assert_eq!(blob(&proxy_, "a", &layer).await.unwrap(), &b"layer"[..]);
    assert_eq!(fake.asked().len(), 2, "the tag is fresh, the manifest and the layer are gone");
}

#[tokio::test]
async fn a_damaged_manifest_on_the_disk_is_fetched_again() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::with_image("a", "1", b"layer");
    let proxy_ = proxy(folder.path(), &fake, MINUTE, None).await;
    let digest = get(&proxy_, "a", &tag("1")).await.unwrap().digest;
    let path = proxy_.content().disk().layout().blob(&digest);
    drop(proxy_);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[3] ^= 1;
    larder_content::durable::replace(&path, &bytes, larder_content::durable::Sync::No).unwrap();
    let proxy_ = proxy(folder.path(), &fake, MINUTE, None).await;
    let answer = get(&proxy_, "a", &Reference::Digest(digest)).await.unwrap();
    assert!(digest.matches(&answer.content.unwrap()));
    assert!(digest.matches(&std::fs::read(&path).unwrap()), "the disk is mended too");
}

/// Who serves a client may wait for a disk, and ends when the daemon does: connections to an upstream are not to.
#[test]
fn whoever_asks_the_upstream_is_asked_from_the_daemons_runtime() {
    let runtime = || tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (daemon, lane) = (runtime(), runtime());
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::with_image("a", "1", b"layer");
    let layer = Digest::sha256(b"layer");
    let proxy = daemon.block_on(proxy(folder.path(), &fake, NEVER, None));
    lane.block_on(async {
        let manifest = get(&proxy, "a", &tag("1")).await.unwrap().digest;
        proxy.manifest(&name("a"), &tag("1"), true).await.unwrap();
        assert_eq!(proxy.blob_size(&name("a"), &layer).await.unwrap(), 5);
        assert_eq!(blob(&proxy, "a", &layer).await.unwrap(), &b"layer"[..]);
        fake.point("b", "1", b"layer");
        assert_eq!(blob(&proxy, "b", &layer).await.unwrap(), &b"layer"[..]);
        code(get(&proxy, "c", &Reference::Digest(manifest)).await);
    });
    assert_eq!(fake.asked().len(), 7);
    assert_eq!(fake.asked_from(), [daemon.handle().id()].into());
}
