//! On a machine that others use: waiting for them, for a while.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::Result;

use crate::{
    measure::{Cpu, Trees},
    plan::Plan,
    report::{DISTURBED, Sample},
};

/// How long is looked whether others are busy.
const LOOK: Duration = Duration::from_millis(250);

/// Takes a sample; if the plan has patience, in a quiet moment, and again if it was disturbed all the same. What counts
/// is only what others did, never the figures.
pub(super) fn undisturbed(plan: &Plan, mut measure: impl FnMut() -> Result<Sample>) -> Result<Sample> {
    let until = Instant::now() + plan.patience;
    loop {
        while Instant::now() < until && others() > DISTURBED {}
        let sample = measure()?;
        if sample.others <= DISTURBED || Instant::now() >= until {
            return Ok(sample);
        }
    }
}

/// How many cores others keep busy.
#[allow(clippy::disallowed_methods, reason = "there is no condition to wait for: the time itself is what is looked at")]
fn others() -> f64 {
    let nobody = Trees::default();
    let before = Cpu::now(&nobody);
    thread::sleep(LOOK);
    Cpu::now(&nobody).since(&before).others_busy()
}
