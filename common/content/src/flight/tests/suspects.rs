//! Blobs that lie on the disk and of which nothing is known: a registry left them here.

use std::{sync::Arc, time::Duration};

use tokio::time::sleep;

use super::{
    QUARANTINE, Rig, all,
    source::{Answer, Told, told},
};
use crate::{durable, faults::Op, source::ByteRange};

const EIO: i32 = 5;
/// More than twice what is hashed in one go: readers follow.
const LONG: u32 = 16 << 20;
/// So many of the hasher's reads: there is time for a reader to be given bytes before.
const NEARLY_ALL: u32 = 250_000;

/// A cache with such a blob.
fn rig(quarantine: Option<Duration>) -> Rig {
    let rig = Rig::new(LONG, quarantine);
    durable::replace(&rig.cache.disk().layout().blob(&rig.digest), &rig.content, durable::Sync::No).unwrap();
    rig
}

/// Somebody who has it too.
fn source(rig: &Rig) -> Arc<Told<impl Fn(usize, ByteRange) -> Answer + Send + Sync + 'static>> {
    let content = rig.content.clone();
    told("s", move |_, _| Answer::of(&content).paced(1 << 20, Duration::ZERO))
}

#[tokio::test(start_paused = true)]
async fn one_that_cannot_be_read_is_fetched() {
    // It shows before anybody has had a byte, or after.
    for working in [0, NEARLY_ALL] {
        let rig = rig(Some(QUARANTINE));
        let source = source(&rig);
        rig.faults.plan(Op::Read, working, u32::MAX, EIO);
        let Ok(blob) = rig.open(&source).await else { panic!("{working}: nobody had a byte of it") };
        rig.settle().await;
        rig.faults.heal();
        // Who follows it from the first byte was to be given some before the bad ones were met.
        let first = all(blob.read()).await;
        assert!(first.is_err() && working > 0 || first.is_ok_and(|got| got == rig.content));
        sleep(QUARANTINE).await;
        // The owner's file may lie there still. It is not given out.
        assert!(all(rig.open(&source).await.unwrap().read()).await.unwrap() == rig.content);
        rig.settle().await;
        assert!(source.count() == 1 && rig.cache.counters().damaged.get() == 1, "{working}: {}", source.count());
    }
}

/// Whoever has bytes of it goes elsewhere, as from a download that went wrong.
#[tokio::test(start_paused = true)]
async fn who_is_cut_is_not_given_it_again_at_once() {
    let rig = rig(Some(QUARANTINE));
    let source = source(&rig);
    rig.faults.plan(Op::Read, NEARLY_ALL, 1, EIO);
    let mut body = rig.open(&source).await.unwrap().read();
    body.next().await.unwrap().unwrap();
    rig.settle().await;
    assert!(all(body).await.is_err() && rig.is_shut_out());
    sleep(Duration::from_secs(1)).await;
    assert!(rig.open(&source).await.is_err());
    assert_eq!(rig.cache.size(&rig.digest), None);
}

#[tokio::test(start_paused = true)]
async fn where_nothing_is_shut_out_the_next_has_it_from_the_source() {
    let rig = rig(None);
    let source = source(&rig);
    rig.faults.plan(Op::Read, NEARLY_ALL, 1, EIO);
    let mut body = rig.open(&source).await.unwrap().read();
    body.next().await.unwrap().unwrap();
    rig.settle().await;
    assert!(all(body).await.is_err());
    assert!(all(rig.open(&source).await.unwrap().read()).await.unwrap() == rig.content);
    assert_eq!(source.count(), 1);
}
