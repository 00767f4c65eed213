//! What is on the disk already, and is not what it should be.

use std::time::Duration;

use bytes::Bytes;
use larder_oci::Digest;

use super::{
    QUARANTINE, Rig, all,
    source::{Answer, told},
};
use crate::{
    durable::{Sync, replace},
    faults::Op,
    source::Fault,
};

const EROFS: i32 = 30;

/// Index and manifest say 200,000 bytes, and half of them are there.
#[tokio::test(start_paused = true)]
async fn a_stored_blob_that_was_cut_is_fetched_again() {
    for (quarantine, index) in [(None, true), (None, false), (Some(QUARANTINE), true), (Some(QUARANTINE), false)] {
        let rig = Rig::new(200_000, quarantine);
        let content = rig.content.clone();
        let source = told("s", move |_, _| Answer::of(&content).paced(10_000, Duration::from_millis(10)));
        let path = rig.cache.disk().layout().blob(&rig.digest);
        if index {
            all(rig.open(&source).await.unwrap().read()).await.unwrap();
            rig.settle().await;
            std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(100_000).unwrap();
        } else {
            replace(&path, &rig.content[..100_000], Sync::No).unwrap();
        }
        let blob = rig.open_sized(Some(200_000), &source).await.unwrap();
        assert_eq!(blob.size(), Some(200_000));
        assert!(all(blob.read()).await.unwrap() == rig.content);
        rig.settle().await;
        assert!(!rig.is_shut_out() && rig.cache.size(&rig.digest) == Some(200_000));
    }
}

/// A write that failed is told of until a write works. What is here already is not written.
#[tokio::test(start_paused = true)]
async fn what_writes_nothing_says_nothing_of_the_disk() {
    let rig = Rig::new(200_000, None);
    let (known, new) = (Bytes::from_static(b"a manifest"), Bytes::from_static(b"another"));
    rig.cache.put(&Digest::sha256(&known), known.clone()).await.unwrap();
    replace(&rig.cache.disk().layout().blob(&rig.digest), &rig.content, Sync::No).unwrap();
    rig.faults.plan(Op::Create, 0, u32::MAX, EROFS);
    rig.cache.put(&Digest::sha256(&new), new.clone()).await.unwrap_err();
    rig.cache.put(&Digest::sha256(&known), known).await.unwrap();
    assert!(rig.cache.disk_failure().is_some());
    // A blob that is looked at.
    let source = told("s", |_, _| Answer::fails(Fault::NotFound));
    assert!(all(rig.open(&source).await.unwrap().read()).await.unwrap() == rig.content);
    rig.settle().await;
    assert!(rig.cache.disk_failure().is_some());
    rig.faults.heal();
    rig.cache.put(&Digest::sha256(&new), new).await.unwrap();
    assert!(rig.cache.disk_failure().is_none());
}
