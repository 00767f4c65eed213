//! Ranges that are fetched beside the trunk: they help, and hold nobody up.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep, timeout};

use super::{
    QUARANTINE, Rig, all,
    source::{Answer, told},
};
use crate::source::{Fault, Source};

const SECOND: Duration = Duration::from_secs(1);

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
async fn the_limit_of_a_download_counts_while_its_trunk_waits_for_a_leg() {
    let rig = Rig::hasty(100_000, 10 * SECOND);
    let content = rig.content.clone();
    let slow = told("slow", move |_, _| Answer::of(&content).paced(100, SECOND));
    let began = Instant::now();
    let part = rig.open(&slow).await.unwrap().read_range(2000..100_000);
    assert!(all(part).await.is_err());
    rig.settle().await;
    assert!(began.elapsed() < 60 * SECOND, "{:?}", began.elapsed());
    // And nothing is begun for a download that is over.
    let asked = slow.count();
    sleep(100 * SECOND).await;
    assert_eq!(slow.count(), asked);
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

/// Two who read parts far apart: one asks for all the rest, and the other for a little far behind that one's start.
#[tokio::test(start_paused = true)]
async fn who_wants_a_little_does_not_wait_for_all_that_another_wants() {
    let rig = Rig::new(100_000, None);
    let content = rig.content.clone();
    // 1 KB a second.
    let source = told("s", move |_, _| Answer::of(&content).paced(100, SECOND / 10));
    let rest = rig.open(&source).await.unwrap().read_range(10_000..100_000);
    let little = rig.open(&source).await.unwrap().read_range(90_000..90_100);
    let (rest, began) = (tokio::spawn(all(rest)), Instant::now());
    sleep(SECOND).await;
    assert!(all(little).await.unwrap() == rig.content[90_000..90_100]);
    assert!(began.elapsed() < 3 * SECOND, "{:?}", began.elapsed());
    assert!(rest.await.unwrap().unwrap() == rig.content[10_000..]);
    // The trunk, the two, and what the little one left to be fetched behind it.
    let asked: Vec<u64> = source.asked.lock().unwrap().iter().map(|range| range.start).collect();
    assert_eq!(asked, [0, 10_000, 90_000, 90_100], "and nobody else");
}

/// The first leg is told to end while it has long batches in hand, and again and again.
#[tokio::test(start_paused = true)]
async fn a_leg_that_is_cut_spoils_nothing() {
    let rig = Rig::new(40_000, Some(QUARANTINE));
    let content = rig.content.clone();
    let source = told("s", move |_, _| Answer::of(&content).paced(900, SECOND / 20));
    let open = async |range| rig.open(&source).await.unwrap().read_range(range);
    let rest = tokio::spawn(all(open(5000..40_000).await));
    let whole = tokio::spawn(all(rig.open(&source).await.unwrap().read()));
    for start in [30_000, 20_000, 12_000, 31_000, 25_000] {
        sleep(SECOND / 10).await;
        let little = timeout(SECOND, all(open(start..start + 1500).await)).await.unwrap().unwrap();
        assert!(little == rig.content[start as usize..][..1500], "{start}");
    }
    assert!(rest.await.unwrap().unwrap() == rig.content[5000..]);
    assert!(whole.await.unwrap().unwrap() == rig.content);
    rig.settle().await;
    assert_eq!(rig.cache.size(&rig.digest), Some(40_000));
}

/// As many legs as may be are under way: nobody waits for one to end, or for the trunk, who may go alone.
#[tokio::test(start_paused = true)]
async fn who_finds_no_leg_free_goes_alone() {
    let rig = Rig::new(100_000, None);
    let content = rig.content.clone();
    let source = told("s", move |_, _| Answer::of(&content).paced(100, SECOND / 10));
    let open = async |range| rig.open(&source).await.unwrap().read_range(range);
    let long = [tokio::spawn(all(open(20_000..40_000).await)), tokio::spawn(all(open(60_000..80_000).await))];
    sleep(SECOND).await;
    // Far from all of them, and behind where one of them is.
    for start in [90_000, 39_000] {
        let little = timeout(SECOND, all(open(start..start + 100).await)).await.unwrap().unwrap();
        assert!(little == rig.content[start as usize..][..100]);
    }
    assert_eq!(rig.cache.counters().detours_busy.get(), 2);
    long.iter().for_each(tokio::task::JoinHandle::abort);
}

/// A registry that restarts: who has been promised a part waits for it as others do for the whole.
#[tokio::test(start_paused = true)]
async fn a_leg_waits_for_a_registry_that_restarts() {
    let rig = Rig::new(100_000, None);
    let content = rig.content.clone();
    let (began, away) = (Instant::now(), SECOND..10 * SECOND);
    let source = told("s", move |_, _| match began.elapsed() {
        now if away.contains(&now) => Answer::fails(Fault::Failing),
        _ => Answer::of(&content).paced(100, SECOND / 10),
    });
    let part = rig.open(&source).await.unwrap().read_range(50_000..50_100);
    sleep(SECOND).await;
    assert!(all(part).await.unwrap() == rig.content[50_000..50_100]);
    assert!(began.elapsed() < 20 * SECOND, "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_leg_that_fails_is_not_the_end_of_all() {
    let rig = Rig::new(100_000, None);
    let content = rig.content.clone();
    // Every second request for a part is refused.
    let refused = std::sync::atomic::AtomicBool::new(false);
    let source = told("s", move |_, range| match range.end {
        Some(_) if !refused.fetch_xor(true, std::sync::atomic::Ordering::Relaxed) => Answer::fails(Fault::Denied),
        _ => Answer::of(&content).paced(100, SECOND / 10),
    });
    let whole = rig.open(&source).await.unwrap();
    for start in (10_000..100_000).step_by(10_000) {
        let part = rig.open(&source).await.unwrap().read_range(start..start + 100);
        let part = timeout(SECOND, all(part)).await.expect("it does not wait for the trunk").unwrap();
        assert!(part == rig.content[start as usize..][..100]);
    }
    drop(whole);
}

/// A source that gives nothing beside the trunk is not asked for ever: the trunk comes to all.
#[tokio::test(start_paused = true)]
async fn no_leg_begins_where_none_is_given_its_range() {
    for (fault, most) in [(Some(Fault::Denied), 3), (Some(Fault::Invalid), 1), (None, 1)] {
        let rig = Rig::new(20_000, Some(QUARANTINE));
        let content = rig.content.clone();
        let source = told("s", move |_, range| match (fault, range.end) {
            (_, None) => Answer::of(&content),
            (Some(fault), _) => Answer::fails(fault),
            (None, _) => Answer::of(&content).all_of_it(),
        });
        let part = rig.open(&source).await.unwrap().read_range(10_000..12_000);
        let other = rig.open(&source).await.unwrap().read_range(15_000..20_000);
        let (part, other) = tokio::join!(all(part), async {
            sleep(SECOND / 10).await;
            all(other).await
        });
        assert!(part.unwrap() == rig.content[10_000..12_000] && other.unwrap() == rig.content[15_000..], "{fault:?}");
        assert!(source.count() <= 1 + most, "{fault:?}: {:?}", source.asked.lock().unwrap());
    }
}

/// Readers run on threads of connections; what is fetched for them must not end with those.
#[test]
fn what_readers_have_fetched_is_fetched_where_downloads_are() {
    let runtime = |name: &str| {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(1).thread_name(name).enable_all().build().unwrap()
    };
    let (home, connections) = (runtime("downloads"), runtime("connections"));
    for is_full in [false, true] {
        let rig = home.block_on(async { if is_full { Rig::full(40_000) } else { Rig::new(40_000, None) } });
        let content = rig.content.clone();
        let threads = Arc::new(std::sync::Mutex::new(Vec::new()));
        let seen = Arc::clone(&threads);
        let source = told("s", move |_, _| {
            seen.lock().unwrap().push(std::thread::current().name().unwrap().to_owned());
            Answer::of(&content).paced(1000, Duration::from_millis(1))
        });
        let range = 30_000..31_000;
        let part = async {
            let part = rig.open(&source).await.unwrap().read_range(range.clone());
            assert!(all(part).await.unwrap() == rig.content[30_000..31_000]);
        };
        // On a worker, as a connection is.
        std::thread::scope(|scope| {
            scope.spawn(|| connections.block_on(part));
        });
        let threads = threads.lock().unwrap();
        assert!(threads.len() >= 2 && threads.iter().all(|name| name == "downloads"), "{threads:?}");
    }
}

#[test]
fn a_leg_outlives_the_thread_of_who_asked_for_it() {
    let home = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let rig = home.block_on(async { Rig::new(100_000, None) });
    let content = rig.content.clone();
    let source = told("s", move |_, _| Answer::of(&content).paced(100, Duration::from_millis(2)));
    let part = async || rig.open(&source).await.unwrap().read_range(90_000..95_000);
    std::thread::scope(|scope| {
        let connection = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async { part().await.next().await.unwrap().unwrap() });
        });
        connection.join().unwrap();
    });
    home.block_on(async { assert!(all(part().await).await.unwrap() == rig.content[90_000..95_000]) });
    assert_eq!(source.count(), 2, "the trunk and the leg");
}
