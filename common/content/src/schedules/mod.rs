//! Generated schedules: readers that join, leave, dawdle and ask for parts, of sources that break, stall and lie, over a
//! disk that fails. Whatever happens, a reader gets exactly the right bytes or a clean error, never a wrong whole and
//! never a hang.
//!
//! The clock is paused, so hours pass in no time. The seed is fixed; `LARDER_SCHEDULES` runs another number of them, and
//! `LARDER_SEED` others.

mod play;
mod script;
mod source;

use proptest::{
    prelude::*,
    test_runner::{RngSeed, TestRunner},
};

use play::play;
use script::{Disturbance, schedule};

/// A few at a time in each test, so that the tests share the cores.
const CASES: u32 = 700;

fn run(disturbance: Disturbance) {
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let config = ProptestConfig {
        cases: number("LARDER_SCHEDULES").map_or(CASES, |cases| u32::try_from(cases).unwrap()),
        rng_seed: RngSeed::Fixed(number("LARDER_SEED").unwrap_or(7)),
        failure_persistence: None,
        max_shrink_time: 20_000,
        ..ProptestConfig::default()
    };
    let outcome =
        TestRunner::new(config).run(&schedule(disturbance), |schedule| play(&schedule).map_err(TestCaseError::fail));
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

#[test]
fn nothing_goes_wrong() {
    run(Disturbance::None);
}

#[test]
fn sources_break_and_stall() {
    run(Disturbance::Breaks);
}

#[test]
fn a_source_is_away_for_a_while() {
    run(Disturbance::Away);
}

#[test]
fn sources_lie() {
    run(Disturbance::Lies);
}

#[test]
fn the_disk_fails() {
    run(Disturbance::Disk);
}

#[test]
fn everything_at_once() {
    run(Disturbance::All);
}
