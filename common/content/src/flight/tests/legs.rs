//! Ranges that are fetched beside the trunk: they help, and hold nobody up.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, timeout};

use super::{
    QUARANTINE, Rig, all,
    source::{Answer, told},
};
use crate::source::{Fault, Source};

#[tokio::test(start_paused = true)]
async fn a_trunk_that_goes_on_behind_a_leg_is_not_given_up_at_once() {
    let rig = Rig::new(4000, None);
    let content = rig.content.clone();
    // The third request is the trunk's second.
    let source = told("once failing", move |number, _| match number {
        2 => Answer::fails(Fault::Failing),
        _ => Answer::of(&content),
    });
    let (whole, part) = (rig.open(&source).await.unwrap(), rig.open(&source).await.unwrap());
    let (whole, part) = tokio::join!(all(whole.read()), all(part.read_range(2000..3000)));
    assert!(whole.unwrap() == rig.content && part.unwrap() == rig.content[2000..3000]);
    assert_eq!(source.count(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_part_that_ends_the_blob_is_whole_only_if_the_blob_is_right() {
    let rig = Rig::new(4000, Some(QUARANTINE));
    // Wherever it is wrong: in the part, or before it.
    for at in [3950, 3000, 10] {
        let rig = Rig::new(4000, Some(QUARANTINE));
        let wrong = rig.wrong_at(at);
        let source = told("liar", move |_, _| Answer::of(&wrong));
        let part = rig.open(&source).await.unwrap().read_range(3000..4000);
        assert!(all(part).await.is_err() && rig.is_shut_out(), "{at}");
    }
    let content = rig.content.clone();
    let source = told("honest", move |_, _| Answer::of(&content));
    let part = rig.open(&source).await.unwrap().read_range(3000..4000);
    assert!(all(part).await.unwrap() == rig.content[3000..]);
    assert_eq!(source.count(), 2, "{:?}", source.asked.lock().unwrap());
}

#[tokio::test(start_paused = true)]
async fn who_gave_a_leg_is_among_those_who_may_be_wrong() {
    let rig = Rig::new(4000, None);
    let (content, wrong) = (rig.content.clone(), rig.wrong_at(2500));
    let right = told("right", move |_, range| match range.end {
        // It gives no second connection.
        Some(_) => Answer::fails(Fault::Failing),
        None => Answer::of(&content),
    });
    let wrong = told("wrong", move |_, _| Answer::of(&wrong).paced(100, Duration::from_millis(1)));
    let sources = || vec![right.clone() as Arc<dyn Source>, wrong.clone()];
    let whole = rig.cache.open(&rig.digest, None, sources()).await.unwrap();
    let part = rig.cache.open(&rig.digest, None, sources()).await.unwrap();
    let _ = tokio::join!(all(whole.read()), all(part.read_range(2000..3000)));
    rig.settle().await;
    assert_eq!(rig.cache.size(&rig.digest), Some(4000), "the right source has it, asked alone");
    assert!(!rig.cache.counters().wrong_bytes().contains_key("right"));
}

#[tokio::test(start_paused = true)]
async fn a_leg_that_trickles_is_not_waited_for() {
    let rig = Rig::new(4000, None);
    let content = rig.content.clone();
    let source = told("s", move |number, _| match number {
        1 => Answer::of(&content).paced(1, Duration::from_secs(29)),
        _ => Answer::of(&content),
    });
    let began = Instant::now();
    let whole = rig.open(&source).await.unwrap().read();
    let mut part = rig.open(&source).await.unwrap().read_range(2000..3000);
    // Its reader leaves.
    assert!(timeout(Duration::from_millis(50), part.next()).await.is_err());
    drop(part);
    assert!(all(whole).await.unwrap() == rig.content);
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
}
