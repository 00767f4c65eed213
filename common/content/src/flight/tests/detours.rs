//! Readers who fetch for themselves get the right bytes or an error too.

use std::{sync::Arc, time::Duration};

use tokio::time::sleep;

use super::{
    QUARANTINE, Rig, SMALL, all,
    source::{Answer, told},
};
use crate::{
    faults::Op,
    source::{Fault, Source},
};

const EIO: i32 = 5;

#[tokio::test(start_paused = true)]
async fn a_slow_reader_is_gone_on_with() {
    let rig = Rig::full(8000);
    let content = rig.content.clone();
    // The first request is the flight's, which finds no room. The next is broken by a server that lost patience.
    let source = told("impatient", move |number, _| match number {
        0 | 1 => Answer::of(&content).breaking_at(4000),
        _ => Answer::of(&content),
    });
    let (mut body, mut bytes) = (rig.open(&source).await.unwrap().read(), Vec::new());
    while let Some(chunk) = body.next().await {
        bytes.extend_from_slice(&chunk.unwrap());
        if (3800..3900).contains(&bytes.len()) {
            sleep(Duration::from_secs(61)).await;
        }
    }
    assert!(bytes == rig.content && source.count() == 3);
}

#[tokio::test(start_paused = true)]
async fn wrong_bytes_past_a_full_disk_are_not_asked_for_again() {
    for at in [10, 500, 990] {
        let rig = Rig::full(1000);
        let wrong = rig.wrong_at(at);
        let source = told("wrong", move |_, _| Answer::of(&wrong));
        assert!(all(rig.open(&source).await.unwrap().read()).await.is_err());
        assert!(rig.is_shut_out());
    }
}

#[tokio::test(start_paused = true)]
async fn another_source_is_asked_while_nothing_has_left() {
    let length = u32::try_from(SMALL.tail).unwrap();
    let rig = Rig::full(length);
    let (content, wrong) = (rig.content.clone(), rig.wrong_at(10));
    let wrong = told("wrong", move |_, _| Answer::of(&wrong));
    let right = told("right", move |_, _| Answer::of(&content));
    let blob = rig.cache.open(&rig.digest, None, vec![wrong.clone() as Arc<dyn Source>, right]).await.unwrap();
    assert!(all(blob.read()).await.unwrap() == rig.content);
    assert!(!rig.is_shut_out() && rig.cache.counters().wrong_bytes().contains_key("wrong"));
}

#[tokio::test(start_paused = true)]
async fn a_part_past_a_full_disk_is_that_part() {
    for range in [0..100, 300..900, 600..1000, 700..800] {
        let rig = Rig::full(1000);
        let content = rig.content.clone();
        let source = told("source", move |_, _| Answer::of(&content));
        let part = rig.open(&source).await.unwrap().read_range(range.start as u64..range.end as u64);
        assert!(all(part).await.unwrap() == rig.content[range.clone()], "{range:?}");
    }
}

/// The disk takes nothing any more, and gives nothing either.
#[tokio::test(start_paused = true)]
async fn who_cannot_read_what_was_written_fetches_it() {
    // The second is right where the first was wrong: a reader that has bytes of both has no blob.
    for (lies, only_reads) in [(false, false), (false, true), (true, false), (true, true)] {
        let rig = Rig::new(4000, Some(QUARANTINE));
        let (content, wrong) = (rig.content.clone(), rig.wrong_at(10));
        let source = told("source", move |number, _| Answer::of(if lies && number == 0 { &wrong } else { &content }));
        let mut body = rig.open(&source).await.unwrap().read();
        let mut bytes = body.next().await.unwrap().unwrap().to_vec();
        rig.faults.plan(Op::Read, 0, u32::MAX, EIO);
        if !only_reads {
            rig.faults.plan(Op::Write, 0, u32::MAX, EIO);
        }
        let rest = all(body).await;
        assert_eq!(rest.is_err(), lies, "{lies} {only_reads}");
        if let Ok(rest) = rest {
            bytes.extend(rest);
            assert!(bytes == rig.content);
        }
        assert_eq!(rig.is_shut_out(), lies);
    }
}

/// The writes fail first, and the reader has not read all that was written.
#[tokio::test(start_paused = true)]
async fn what_was_written_and_cannot_be_read_is_fetched_too() {
    for lies in [false, true] {
        let rig = Rig::new(4000, None);
        let (content, wrong) = (rig.content.clone(), rig.wrong_at(10));
        let source = told("source", move |number, _| Answer::of(if lies && number == 0 { &wrong } else { &content }));
        rig.faults.plan(Op::Write, 10, u32::MAX, EIO);
        let mut body = rig.open(&source).await.unwrap().read();
        let mut bytes = body.next().await.unwrap().unwrap().to_vec();
        sleep(Duration::from_secs(1)).await;
        rig.faults.plan(Op::Read, 0, u32::MAX, EIO);
        let rest = all(body).await;
        assert_eq!(rest.is_err(), lies);
        if let Ok(rest) = rest {
            bytes.extend(rest);
            assert!(bytes == rig.content);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_detour_that_is_given_up_leaves_the_rest_to_others() {
    let rig = Rig::full(4000);
    let content = rig.content.clone();
    let source = told("source", move |number, _| match number {
        0 | 1 => Answer::of(&content).breaking_at(2000),
        _ => Answer::fails(Fault::NotFound),
    });
    assert!(all(rig.open(&source).await.unwrap().read()).await.is_err());
    assert!(rig.is_shut_out());
}
