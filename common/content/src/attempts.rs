//! What to do when a source fails: whom to ask next, when, and when to give up. Pure.
//!
//! Before anybody has had a byte, giving up early is best: an engine that is told "not here" goes on to the origin
//! within a second. Once bytes have left, the engine waits for the rest, and going on is best.

use std::time::Duration;

use crate::source::Fault;

/// How often each source may answer, and then break before it makes progress: it is there, and does not have what it says.
/// Sources that do not answer are given up by time, however often they were asked: a registry restarts within [`NO_BYTES`].
const BROKEN: u32 = 5;
/// The longest that a download may get no bytes.
const NO_BYTES: Duration = Duration::from_secs(60);
/// The wait before the second round; each later one waits twice as long as the one before, up to [`LONGEST`].
const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(3);
/// A source that says that it is asked too often is worth waiting for this long.
const WORTH_WAITING: Duration = Duration::from_secs(5);

/// What has been tried in one download.
#[derive(Debug)]
pub(crate) struct Attempts {
    /// Of each source, whether it is not asked again.
    excluded: Vec<bool>,
    /// The source to ask now.
    current: usize,
    /// Of each source, how often it failed before bytes came.
    tried: Vec<u32>,
    /// Failures since the last progress.
    failures: u32,
    /// How many of them came after an answer.
    broken: u32,
    /// Whether the source that is asked has answered.
    answered: bool,
    /// Whether somebody waits for the rest.
    flowing: bool,
}

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// Ask this source, after this time (a random part of it, so that not all ask at once; but what a source asked for is
    /// waited for in full).
    Ask(usize, Duration),
    /// It is no use.
    GiveUp,
}

impl Attempts {
    /// A download that may ask any of `sources` sources, in this order. `flowing` is whether somebody waits for its
    /// rest already.
    pub(crate) fn new(sources: usize, flowing: bool) -> Self {
        let (excluded, tried) = (vec![false; sources], vec![0; sources]);
        Self { excluded, current: 0, tried, failures: 0, broken: 0, answered: false, flowing }
    }

    /// Whom to ask first.
    pub(crate) fn first(&self) -> Option<usize> {
        (!self.excluded.is_empty()).then_some(self.current)
    }

    /// The source that was asked has what is wanted, as it says.
    pub(crate) fn answered(&mut self) {
        self.answered = true;
    }

    /// So many bytes came that somebody has some: he waits for the rest now.
    pub(crate) fn flows(&mut self) {
        self.flowing = true;
    }

    /// So many bytes came that the source must be said to work.
    pub(crate) fn progressed(&mut self) {
        (self.failures, self.broken) = (0, 0);
    }

    /// The source that was asked failed; `idle` is the time since the last bytes.
    pub(crate) fn failed(&mut self, fault: Fault, idle: Duration) -> Next {
        let wait = match fault {
            // Who is known to be away (a hub that restarts) may be back soon.
            Fault::Skipped if self.flowing => Duration::ZERO,
            Fault::Unreachable | Fault::TimedOut | Fault::Failing => Duration::ZERO,
            Fault::Limited(after) if self.flowing && after.is_none_or(|after| after <= WORTH_WAITING) => {
                after.unwrap_or(LONGEST)
            }
            Fault::NotFound | Fault::Denied | Fault::Limited(_) | Fault::Invalid | Fault::Corrupt | Fault::Skipped => {
                self.excluded[self.current] = true;
                Duration::ZERO
            }
        };
        self.failures += 1;
        self.broken += u32::from(std::mem::take(&mut self.answered));
        self.tried[self.current] += 1;
        let left = self.excluded.iter().filter(|excluded| !**excluded).count();
        let Ok(left) = u32::try_from(left) else { return Next::GiveUp };
        if left == 0 || idle >= NO_BYTES || self.broken >= BROKEN.saturating_mul(left) {
            return Next::GiveUp;
        }
        // A connection that breaks at once is tried once more: it may have been an idle one that was just being closed.
        let again = left == 1 && fault == Fault::Unreachable;
        let may_ask =
            |source: &usize| !self.excluded[*source] && (self.flowing || self.tried[*source] <= u32::from(again));
        let count = self.excluded.len();
        let Some(next) = (1..=count).map(|step| (self.current + step) % count).find(may_ask) else {
            return Next::GiveUp;
        };
        self.current = next;
        let rounds = self.failures / left;
        let pause = if rounds == 0 || !self.flowing { Duration::ZERO } else { back_off(rounds) };
        Next::Ask(next, pause.max(wait))
    }
}

fn back_off(round: u32) -> Duration {
    SHORTEST.saturating_mul(1 << (round - 1).min(16)).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::ZERO;

    #[test]
    fn before_the_first_byte_each_source_is_asked_once() {
        let mut attempts = Attempts::new(3, false);
        assert_eq!(attempts.first(), Some(0));
        assert_eq!(attempts.failed(Fault::TimedOut, NOW), Next::Ask(1, Duration::ZERO));
        assert_eq!(attempts.failed(Fault::NotFound, NOW), Next::Ask(2, Duration::ZERO));
        assert_eq!(attempts.failed(Fault::Failing, NOW), Next::GiveUp);
        assert_eq!(Attempts::new(0, true).first(), None);
    }

    #[test]
    fn a_single_source_whose_connection_breaks_is_asked_twice() {
        let mut attempts = Attempts::new(1, false);
        assert_eq!(attempts.failed(Fault::Unreachable, NOW), Next::Ask(0, Duration::ZERO));
        assert_eq!(attempts.failed(Fault::Unreachable, NOW), Next::GiveUp);
        for fault in [Fault::TimedOut, Fault::NotFound, Fault::Denied, Fault::Limited(None), Fault::Skipped] {
            assert_eq!(Attempts::new(1, false).failed(fault, NOW), Next::GiveUp, "{fault:?}");
        }
    }

    #[test]
    fn once_bytes_flow_it_goes_on_with_growing_pauses() {
        let mut attempts = Attempts::new(2, false);
        attempts.flows();
        let mut pauses = Vec::new();
        for _ in 0..20 {
            let Next::Ask(_, pause) = attempts.failed(Fault::Unreachable, NOW) else { panic!("gave up") };
            pauses.push(pause.as_millis());
        }
        assert_eq!(pauses[..11], [0, 100, 100, 200, 200, 400, 400, 800, 800, 1600, 1600]);
        assert_eq!(pauses[11..], [3000; 9]);
        // Progress starts it all over, and an answer shuts its source out for good.
        attempts.progressed();
        assert_eq!(attempts.failed(Fault::Corrupt, NOW), Next::Ask(1, Duration::from_millis(100)));
        assert_eq!(attempts.failed(Fault::Unreachable, NOW), Next::Ask(1, Duration::from_millis(200)));
        assert_eq!(attempts.failed(Fault::Unreachable, NO_BYTES), Next::GiveUp);
    }

    /// How long a download with one source goes on that fails in each of these ways in turn, if all pauses are as short as
    /// they may be; and how often it asks.
    fn patience(faults: &[Fault]) -> (Duration, u32) {
        let (mut attempts, mut waited, mut asked) = (Attempts::new(1, true), Duration::ZERO, 0);
        for fault in faults.iter().cycle() {
            let Next::Ask(0, pause) = attempts.failed(*fault, waited) else { break };
            assert!(pause >= SHORTEST && pause <= LONGEST);
            waited += pause / 2;
            asked += 1;
        }
        (waited, asked)
    }

    #[test]
    fn who_gives_nothing_is_waited_for_by_time() {
        use Fault::{Failing, Skipped, TimedOut, Unreachable};
        // Now and then a request goes through to a hub that is still away.
        for faults in [
            &[Unreachable][..],
            &[Failing],
            &[TimedOut],
            &[Skipped],
            &[Unreachable, Skipped, Skipped],
            &[Fault::Limited(None)],
        ] {
            let (waited, asked) = patience(faults);
            assert!(waited >= NO_BYTES && asked < 60, "{faults:?}: {waited:?}, {asked}");
        }
        // Another one is asked at once.
        let mut attempts = Attempts::new(2, true);
        assert_eq!(attempts.failed(Skipped, NOW), Next::Ask(1, Duration::ZERO));
        assert_eq!(attempts.failed(Fault::NotFound, NOW), Next::Ask(0, 2 * SHORTEST));
        assert_eq!(attempts.failed(Skipped, NOW), Next::Ask(0, 4 * SHORTEST));
    }

    #[test]
    fn who_gives_a_few_bytes_each_time_is_given_up_by_times() {
        for sources in [1, 3] {
            let (mut attempts, mut asked) = (Attempts::new(sources, true), 1);
            loop {
                attempts.answered();
                let Next::Ask(..) = attempts.failed(Fault::Unreachable, NOW) else { break };
                asked += 1;
            }
            assert_eq!(asked, BROKEN * u32::try_from(sources).unwrap());
        }
        // That it was away in between is not held against it.
        let mut attempts = Attempts::new(1, true);
        for _ in 0..3 * BROKEN {
            assert_ne!(attempts.failed(Fault::Unreachable, NOW), Next::GiveUp);
        }
        attempts.answered();
        assert_ne!(attempts.failed(Fault::Unreachable, NOW), Next::GiveUp);
    }

    #[test]
    fn a_limit_is_waited_for_if_it_is_short() {
        for (after, flowing, next) in [
            (Some(2), true, Next::Ask(0, Duration::from_secs(2))),
            (None, true, Next::Ask(0, LONGEST)),
            (Some(60), true, Next::GiveUp),
            (Some(2), false, Next::GiveUp),
        ] {
            let fault = Fault::Limited(after.map(Duration::from_secs));
            assert_eq!(Attempts::new(1, flowing).failed(fault, NOW), next, "{after:?} {flowing}");
        }
    }
}
