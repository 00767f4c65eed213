//! The trunk goes on as long as somebody waits for bytes, and blames nobody for what he did not do.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, sleep};

use super::{
    QUARANTINE, Rig, all,
    source::{Answer, told},
};
use crate::{faults::Op, source::Fault};

const EIO: i32 = 5;
const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_hub_that_is_away_for_a_moment_cuts_nobody() {
    let rig = Rig::new(4000, Some(QUARANTINE));
    let content = rig.content.clone();
    // It breaks, and for ten seconds it is not even asked.
    let back = Instant::now() + 10 * SECOND;
    let hub = told("hub", move |number, _| match number {
        0 => Answer::of(&content).breaking_at(2000),
        _ if Instant::now() < back => Answer::fails(Fault::Skipped),
        _ => Answer::of(&content),
    });
    let blob = rig.open(&hub).await.unwrap();
    assert!(all(blob.read()).await.unwrap() == rig.content);
    assert!(!rig.is_shut_out() && hub.count() < 20);
}

/// The disk loses a blob while somebody reads it, and just then there is nobody to ask.
#[tokio::test(start_paused = true)]
async fn who_has_half_of_a_stored_blob_waits_for_the_other() {
    // More than is kept in memory.
    let rig = Rig::new(100_000, Some(QUARANTINE));
    let content = rig.content.clone();
    let (began, back) = (Instant::now(), 15 * SECOND);
    let hub = told("hub", move |number, _| match number {
        0 => Answer::of(&content).paced(10_000, SECOND / 10),
        _ if began.elapsed() < back => Answer::fails(Fault::Unreachable),
        _ => Answer::of(&content),
    });
    all(rig.open(&hub).await.unwrap().read()).await.unwrap();
    rig.settle().await;
    let mut body = rig.open(&hub).await.unwrap().read();
    let mut bytes = body.next().await.unwrap().unwrap().to_vec();
    rig.faults.plan(Op::Read, 0, 1, EIO);
    bytes.extend(all(body).await.unwrap());
    assert!(bytes == rig.content && began.elapsed() >= back);
    assert!(!rig.is_shut_out());
}

/// A registry that restarts: for some time nobody listens, or what listens is not ready.
#[tokio::test(start_paused = true)]
async fn a_registry_that_restarts_cuts_nobody() {
    for fault in [Fault::Unreachable, Fault::Failing, Fault::TimedOut] {
        for away in [2, 10, 30, 50] {
            let rig = Rig::new(4000, Some(QUARANTINE));
            let content = rig.content.clone();
            let back = Instant::now() + away * SECOND;
            let registry = told("registry", move |number, _| match number {
                0 => Answer::of(&content).breaking_at(2000),
                _ if Instant::now() < back => Answer::fails(fault),
                _ => Answer::of(&content),
            });
            let got = all(rig.open(&registry).await.unwrap().read()).await;
            assert!(got.is_ok_and(|got| got == rig.content), "{fault:?}, away for {away} s");
            assert!(registry.count() < 50 && !rig.is_shut_out());
        }
    }
}

/// It gives fewer bytes each time than show that it works, and never comes to the end.
#[tokio::test(start_paused = true)]
async fn who_dribbles_is_given_up() {
    for skips in [false, true] {
        let rig = Rig::new(4000, Some(QUARANTINE));
        let content = rig.content.clone();
        let at = std::sync::atomic::AtomicUsize::new(2000);
        let source = told("s", move |number, _| match (number, skips) {
            (0, _) => Answer::of(&content).breaking_at(2000),
            // What must be skipped before the byte that is wanted is none that helps.
            (_, true) => Answer::of(&content).all_of_it().breaking_at(1500),
            (_, false) => Answer::of(&content).breaking_at(at.fetch_add(2, std::sync::atomic::Ordering::Relaxed) + 2),
        });
        assert!(all(rig.open(&source).await.unwrap().read()).await.is_err());
        assert!((5..8).contains(&source.count()), "{}", source.count());
    }
}

/// Nothing of a short blob leaves before all of it is right: who asks is better told at once that it is not to be had.
#[tokio::test(start_paused = true)]
async fn what_is_held_back_is_waited_for_by_nobody() {
    for breaks in [1, 30] {
        let rig = Rig::new(60, Some(QUARANTINE));
        let content = rig.content.clone();
        let (began, source) = (Instant::now(), told("s", move |_, _| Answer::of(&content).breaking_at(breaks)));
        assert!(rig.open(&source).await.is_err());
        assert!(began.elapsed() < SECOND && source.count() <= 2 && !rig.is_shut_out());
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_really_given_up_is_left_to_others() {
    let rig = Rig::new(4000, Some(QUARANTINE));
    let content = rig.content.clone();
    let hub = told("hub", move |number, _| match number {
        0 => Answer::of(&content).breaking_at(2000),
        _ => Answer::fails(Fault::Skipped),
    });
    let began = Instant::now();
    assert!(all(rig.open(&hub).await.unwrap().read()).await.is_err());
    assert!(began.elapsed() >= 60 * SECOND && rig.is_shut_out());
}

#[tokio::test(start_paused = true)]
async fn what_fails_before_its_first_byte_shuts_nothing_out() {
    for fault in [Fault::Skipped, Fault::Unreachable, Fault::Failing, Fault::Limited(None)] {
        let rig = Rig::new(4000, Some(QUARANTINE));
        assert!(rig.open(&told("hub", move |_, _| Answer::fails(fault))).await.is_err());
        assert!(!rig.is_shut_out(), "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn bytes_that_must_be_skipped_are_no_silence() {
    let rig = Rig::new(4000, None);
    let content = rig.content.clone();
    // It breaks near the end, and gives all of it again, which takes more than any patience for silence.
    let source = told("slow", move |number, _| match number {
        0 => Answer::of(&content).breaking_at(3900),
        _ => Answer::of(&content).all_of_it().paced(10, SECOND),
    });
    let blob = rig.open(&source).await.unwrap();
    assert!(all(blob.read()).await.unwrap() == rig.content && source.count() == 2);
}

#[tokio::test(start_paused = true)]
async fn the_trouble_of_one_registry_is_none_of_another() {
    for fault in [Fault::Limited(None), Fault::Failing, Fault::TimedOut, Fault::NotFound] {
        let rig = Rig::new(1000, None);
        let content = rig.content.clone();
        let dead = told("dead", move |_, _| Answer::fails(fault).after(5 * SECOND));
        let dead_too = told("dead too", move |_, _| Answer::fails(fault).after(5 * SECOND));
        let alive = told("alive", move |_, _| Answer::of(&content));
        let later = async {
            sleep(SECOND).await;
            tokio::join!(rig.open(&dead_too), rig.open(&alive))
        };
        let (first, (_, mine)) = tokio::join!(rig.open(&dead), later);
        assert!(first.is_err() && all(mine.unwrap().read()).await.unwrap() == rig.content);
        assert_eq!((dead.count(), alive.count()), (1, 1), "{fault:?}");
    }
    // A no may be for one caller alone, and is asked for once more, however many wait.
    let rig = Rig::new(1000, None);
    let dead = told("dead", |_, _| Answer::fails(Fault::NotFound).after(SECOND));
    let all_fail = join_all((0..9).map(|_| rig.open(&dead))).await;
    assert!(all_fail.iter().all(Result::is_err) && dead.count() == 2);
    // Its own trouble is told to everybody who waited for it.
    let rig = Rig::new(1000, None);
    let dead = told("dead", |_, _| Answer::fails(Fault::Failing).after(SECOND));
    let (first, second) = tokio::join!(rig.open(&dead), rig.open(&dead));
    assert!(first.is_err() && second.is_err() && dead.count() == 1);
}

#[tokio::test(start_paused = true)]
async fn a_wrong_length_in_a_manifest_blames_and_shuts_out_nobody() {
    for size in [999, 1001] {
        let rig = Rig::new(1000, Some(QUARANTINE));
        let content = rig.content.clone();
        let honest = told("honest", move |_, _| Answer::of(&content));
        let error = rig.open_sized(Some(size), &honest).await.unwrap_err();
        assert!(error.to_string().contains("1000 bytes"), "{error}");
        rig.settle().await;
        assert!(!rig.is_shut_out() && rig.cache.counters().wrong_bytes().is_empty());
        let blob = rig.open_sized(Some(1000), &honest).await.unwrap();
        assert!(all(blob.read()).await.unwrap() == rig.content);
    }
}

#[tokio::test(start_paused = true)]
async fn who_was_told_a_wrong_length_gets_no_whole() {
    let rig = Rig::new(2000, None);
    let (short, content) = (rig.content.slice(..1000), rig.content.clone());
    let liar = told("liar", move |number, _| Answer::of(if number == 0 { &short } else { &content }));
    let honest = told("honest", {
        let content = rig.content.clone();
        move |_, _| Answer::of(&content)
    });
    let sources = [liar.clone() as std::sync::Arc<dyn crate::source::Source>, honest.clone()];
    let blob = rig.cache.open(&rig.digest, None, sources.to_vec()).await.unwrap();
    assert_eq!(blob.size(), Some(1000));
    let body = blob.read();
    // The second try has it all by the time that the first byte is read.
    rig.settle().await;
    assert!(rig.cache.size(&rig.digest) == Some(2000) && all(body).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn what_takes_too_long_is_gone_on_with() {
    let rig = Rig::hasty(4000, 10 * SECOND);
    let content = rig.content.clone();
    let slow = told("slow", move |_, _| Answer::of(&content).paced(100, SECOND / 2));
    let mut tries = 0;
    while all(rig.open(&slow).await.unwrap().read()).await.is_err() {
        rig.settle().await;
        tries += 1;
        assert!(tries < 5);
    }
    assert!(tries > 0, "it was in time");
    let last = slow.asked.lock().unwrap().last().unwrap().start;
    assert!(last > 0, "it began anew");
}
