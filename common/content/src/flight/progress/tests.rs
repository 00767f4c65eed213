mod writers;

use super::*;

const SMALL: Geometry = Geometry { chunk: 10, tail: 100, piece: 100, ahead: 200, beside: 2 };

fn at(passed: u64, total: Option<u64>) -> Progress {
    let mut progress = Progress::new(total, SMALL);
    progress.claim(passed);
    progress.pass(passed);
    progress
}

#[test]
fn the_first_byte_leaves_at_once_and_the_tail_last() {
    let mut progress = at(0, Some(1000));
    assert!(!progress.has_opened());
    assert_eq!(progress.step(0, None, Seat::Trunk), Step::Wait);
    progress.pass(1);
    assert!(progress.has_opened());
    assert_eq!(progress.step(0, None, Seat::Trunk), Step::Read(1));
    progress.pass(1000);
    assert_eq!(progress.step(0, None, Seat::Trunk), Step::Read(900));
    assert_eq!(progress.step(900, None, Seat::Trunk), Step::Wait);
    progress.verify();
    assert_eq!(progress.step(900, None, Seat::Trunk), Step::Read(1000));
    assert_eq!(progress.step(1000, None, Seat::Trunk), Step::Done);
}

#[test]
fn without_a_length_whatever_came_last_is_held_back() {
    let mut progress = at(150, None);
    assert_eq!(progress.step(0, None, Seat::Trunk), Step::Read(50));
    assert_eq!(progress.step(50, None, Seat::Trunk), Step::Wait);
    progress.verify();
    assert_eq!(progress.step(50, None, Seat::Trunk), Step::Read(150));
}

#[test]
fn who_is_far_ahead_has_a_range_fetched_and_others_share_it() {
    let mut progress = at(100, Some(5000));
    assert_eq!((progress.seat(300), progress.seat(301)), (Seat::Trunk, Seat::Beside));
    assert_eq!(progress.step(1000, Some(2000), Seat::Beside), Step::Fetch(1000..2000));
    assert!(progress.begin_leg(&(1000..2000)) && !progress.begin_leg(&(1100..2500)));
    // Waits for the leg near its front; further on, it is worth another.
    assert_eq!(progress.step(1200, Some(2000), Seat::Beside), Step::Wait);
    assert_eq!(progress.claim_leg(1000, 1100), Some(2000));
    progress.hold(1000..1100);
    assert_eq!(progress.step(1000, Some(2000), Seat::Beside), Step::Read(1100));
    assert_eq!(progress.step(1300, Some(2000), Seat::Beside), Step::Wait);
    // What lies before it ends where it begins.
    assert_eq!(progress.step(700, None, Seat::Beside), Step::Fetch(700..1000));
    assert!(progress.begin_leg(&(700..1000)));
    assert_eq!(progress.step(4000, Some(4500), Seat::Beside), Step::Alone);
    assert_eq!(progress.step(4000, None, Seat::Beside), Step::Wait, "nobody could tell it that all was right");
    progress.end_leg(700);
    assert_eq!(progress.step(4000, None, Seat::Beside), Step::Fetch(4000..5000));
}

#[test]
fn the_last_bytes_of_the_blob_wait_for_the_digest_wherever_a_reader_began() {
    let mut progress = at(100, Some(5000));
    assert_eq!(progress.step(4800, None, Seat::Beside), Step::Fetch(4800..5000));
    assert!(progress.begin_leg(&(4800..5000)));
    progress.hold(4800..5000);
    progress.end_leg(4800);
    for (offset, end, step) in [
        (4800, None, Step::Read(4900)),
        (4800, Some(5000), Step::Read(4900)),
        (4900, None, Step::Wait),
        // What is no end of the blob is no whole of anything.
        (4800, Some(4999), Step::Read(4999)),
    ] {
        assert_eq!(progress.step(offset, end, Seat::Beside), step, "{offset} to {end:?}");
    }
    // What is left of it then is the trunk's to fetch.
    assert_eq!(at(100, Some(5000)).step(4950, None, Seat::Beside), Step::Wait);
    // Who wants no more than that is not kept waiting.
    assert_eq!((progress.seat(4899), progress.seat(4950)), (Seat::Beside, Seat::Footer));
    assert_eq!(progress.step(4950, None, Seat::Footer), Step::Read(5000));
    assert_eq!(at(100, Some(5000)).step(4950, None, Seat::Footer), Step::Fetch(4950..5000));
    progress.pass(5000);
    progress.verify();
    assert_eq!(progress.step(4900, None, Seat::Beside), Step::Read(5000));
}

#[test]
fn what_the_digest_must_speak_of_is_not_written_over() {
    let mut progress = at(100, Some(5000));
    progress.hold(4800..4950);
    assert_eq!(progress.wall(), None, "it is short");
    progress.give(4800..4900, Some(4900), Seat::Beside);
    assert_eq!(progress.wall(), None, "the reader does not wait for the digest");
    progress.give(4800..4900, None, Seat::Beside);
    assert_eq!(progress.wall(), Some(4800));
    // Nor is given what is about to be.
    progress.hold(2000..2100);
    progress.pass(1990);
    progress.claim(2050);
    assert_eq!(progress.step(2000, None, Seat::Beside), Step::Wait);
    assert_eq!(progress.step(2000, Some(2100), Seat::Beside), Step::Read(2100));
}

#[test]
fn the_trunk_never_writes_where_a_leg_does() {
    let mut progress = at(0, Some(5000));
    assert_eq!(progress.wall(), None);
    assert!(progress.begin_leg(&(1000..2000)));
    progress.claim(500);
    assert!(!progress.begin_leg(&(400..600)), "it is being written");
    progress.pass(500);
    assert_eq!(progress.wall(), Some(1000));
    progress.hold(1000..1400);
    progress.pass(1000);
    assert_eq!((progress.written_ahead(), progress.is_awaiting_leg()), (Some(1000..1400), true));
    progress.pass(1400);
    assert_eq!((progress.written_ahead(), progress.is_awaiting_leg()), (None, true));
    // The leg breaks: the trunk takes over.
    progress.end_leg(1000);
    assert!(!progress.is_awaiting_leg() && progress.wall().is_none());
    // A short stretch is passed over, a long one is not fetched again.
    progress.hold(2000..2100);
    assert_eq!(progress.wall(), None);
    progress.hold(2100..2200);
    assert_eq!(progress.wall(), Some(2000));
    progress.pass(2050);
    assert_eq!(progress.written_ahead(), Some(2050..2200));
}

#[test]
fn what_is_far_ahead_of_a_long_leg_is_fetched_by_another() {
    let mut progress = at(100, Some(50_000));
    assert!(progress.begin_leg(&(10_000..50_000)));
    // It has come to 10,100, and writes up to 10,200.
    assert_eq!(progress.claim_leg(10_000, 10_100), Some(50_000));
    progress.hold(10_000..10_100);
    assert_eq!(progress.claim_leg(10_000, 10_200), Some(50_000));
    assert_eq!(progress.step(10_400, Some(10_500), Seat::Beside), Step::Wait);
    assert!(!progress.begin_leg(&(10_400..10_500)), "it comes there soon");
    assert!(!progress.begin_leg(&(9_000..10_001)) && !progress.begin_leg(&(10_000..10_001)));

    assert_eq!(progress.step(40_000, Some(40_500), Seat::Beside), Step::Fetch(40_000..40_500));
    assert!(progress.begin_leg(&(40_000..40_500)));
    // The first ends there, wherever it would write to.
    assert_eq!(progress.claim_leg(10_000, 60_000), Some(40_000));
    assert_eq!(progress.claim_leg(40_000, 60_000), Some(40_500));
    assert_eq!(progress.step(39_999, Some(40_000), Seat::Beside), Step::Wait, "all of that is being written");
    progress.hold(10_100..40_000);
    progress.hold(40_000..40_500);
    progress.end_leg(10_000);
    progress.end_leg(40_000);
    // Who wanted more has the rest fetched when he gets there.
    assert_eq!(progress.step(10_000, None, Seat::Beside), Step::Read(40_500));
    assert_eq!(progress.step(40_500, None, Seat::Beside), Step::Fetch(40_500..50_000));
}

#[test]
fn the_trunk_waits_for_each_part_of_a_leg_that_was_cut() {
    let mut progress = at(100, Some(5000));
    assert!(progress.begin_leg(&(1000..5000)) && progress.begin_leg(&(3000..3100)));
    progress.pass(1000);
    assert!(progress.awaits_leg(1000) && !progress.awaits_leg(3000));
    progress.hold(1000..3000);
    progress.end_leg(1000);
    progress.pass(3000);
    assert!(progress.awaits_leg(3000) && progress.is_awaiting_leg());
    progress.end_leg(3000);
    assert_eq!((progress.is_awaiting_leg(), progress.wall()), (false, None));
}
