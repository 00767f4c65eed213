//! A hub with little room: it takes no more than that, serves everything all the same, and knows after a stop what it has.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "that is how a test reports")]

#[path = "bounds/daemon.rs"]
mod daemon;
#[path = "bounds/upstream.rs"]
mod upstream;

use std::{fs, path::Path};

use daemon::Hub;
use larder_content::index::{self, Record};
use larder_oci::Digest;
use upstream::Upstream;

const SIZE: usize = 300 * 1024;
const ROOM: u64 = 1024 * 1024;

/// The lengths of the blobs on the disk.
fn stored(root: &Path) -> Vec<u64> {
    let list = |folder: &Path| -> Vec<_> { fs::read_dir(folder).into_iter().flatten().flatten().collect() };
    let prefixes = list(&root.join("docker/registry/v2/blobs/sha256"));
    let blobs = prefixes.iter().flat_map(|prefix| list(&prefix.path()));
    blobs.filter_map(|blob| Some(fs::metadata(blob.path().join("data")).ok()?.len())).collect()
}

#[test]
fn a_hub_keeps_within_its_room() {
    let blobs: Vec<Vec<u8>> = (0..12_u8).map(|n| vec![n; SIZE]).collect();
    let upstream = Upstream::with(&blobs);
    let folder = tempfile::tempdir().unwrap();
    let hub = Hub::start(folder.path(), &upstream.url(), "{cachesize: 1MiB, freefloor: 0}");
    assert_eq!(hub.metric("larder_cache_capacity_bytes"), Some(ROOM));
    for blob in &blobs {
        let (status, body) = hub.get(&format!("/v2/app/blobs/{}", Digest::sha256(blob)));
        assert_eq!(status, 200);
        assert!(body == *blob, "{} bytes came", body.len());
        let taken: u64 = stored(folder.path()).iter().sum();
        assert!(taken <= ROOM, "{taken} bytes are taken");
    }
    hub.until("the last blob is kept", || hub.metric("larder_cache_bytes{kind=\"downloading\"}") == Some(0));
    let kept = hub.metric("larder_cache_bytes{kind=\"mirrored\"}").unwrap();
    assert!((SIZE as u64..=ROOM).contains(&kept), "{kept} bytes are kept");
    let gone = (blobs.len() * SIZE) as u64 - kept;
    assert_eq!(hub.metric("larder_evicted_bytes_total"), Some(gone), "what is not kept was removed for its room");
    assert_eq!(hub.metric("larder_detours_total{cause=\"full\"}"), Some(0), "there was room for each");
    assert_eq!(hub.metric("larder_disk_failing"), Some(0));
    hub.until("it is ready", || hub.observe("/readyz").1.starts_with(b"[+] storage: ok\nready"));

    hub.stop();
    assert_eq!(stored(folder.path()).iter().sum::<u64>(), kept);
    let written = fs::read(folder.path().join("larder/index")).unwrap();
    let mut known = std::collections::HashSet::new();
    for record in index::decode(&written) {
        match record {
            Record::Blob(digest, _) => known.insert(digest),
            Record::Gone(digest) => known.remove(&digest),
        };
    }
    assert_eq!((known.len() * SIZE) as u64, kept, "what a stopped hub writes down is what it has");

    // With less room than before: what is too much goes when the next blob comes.
    let hub = Hub::start(folder.path(), &upstream.url(), "{cachesize: 400KiB, freefloor: 0}");
    let digest = Digest::sha256(&blobs[0]);
    assert_eq!(hub.get(&format!("/v2/app/blobs/{digest}")).0, 200);
    hub.until("it is within its new room", || stored(folder.path()) == [SIZE as u64]);
    hub.stop();
}

#[test]
fn a_hub_that_can_keep_nothing_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    let said = Hub::fails_to_start(folder.path(), "http://127.0.0.1:1", "{freefloor: 4000TiB}");
    assert!(said.contains("4000TiB is to stay free") && said.contains("lower the free floor"), "{said}");
}
