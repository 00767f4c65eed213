//! What to do when a source fails: whom to ask next, when, and when to give up. Pure.
//!
//! Before anybody has had a byte, giving up early is best: an engine that is told "not here" goes on to the origin
//! within a second. Once bytes have left, the engine waits for the rest, and going on is best.

use std::time::Duration;

use crate::source::Fault;

/// Rounds over all sources without progress after which a download is given up: with their pauses about 20 s, in which a
/// registry restarts.
const ROUNDS: u32 = 12;
/// The longest that a download may make no progress.
const NO_PROGRESS: Duration = Duration::from_secs(60);
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
    /// How often since then a source was known to be away, and not asked.
    skips: u32,
    /// Whether bytes have come.
    flowing: bool,
}

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// Ask this source, after this time (a random part of it, so that not all ask at once).
    Ask(usize, Duration),
    /// It is no use.
    GiveUp,
}

impl Attempts {
    /// A download that may ask any of `sources` sources, in this order. `flowing` is whether somebody waits for its
    /// rest already.
    pub(crate) fn new(sources: usize, flowing: bool) -> Self {
        Self { excluded: vec![false; sources], current: 0, tried: vec![0; sources], failures: 0, skips: 0, flowing }
    }

    /// Whom to ask first.
    pub(crate) fn first(&self) -> Option<usize> {
        (!self.excluded.is_empty()).then_some(self.current)
    }

    /// Bytes came: somebody waits for the rest now.
    pub(crate) fn flows(&mut self) {
        self.flowing = true;
    }

    /// So many bytes came that the source must be said to work.
    pub(crate) fn progressed(&mut self) {
        self.flowing = true;
        (self.failures, self.skips) = (0, 0);
    }

    /// The source that was asked failed; `idle` is the time since the last progress.
    pub(crate) fn failed(&mut self, fault: Fault, idle: Duration) -> Next {
        // Who is known to be away (a hub that restarts) may be back soon: that is waited for, and ends by time alone.
        let is_away = fault == Fault::Skipped && self.flowing;
        let wait = match fault {
            Fault::Skipped if is_away => Duration::ZERO,
            Fault::Unreachable | Fault::TimedOut | Fault::Failing => Duration::ZERO,
            Fault::Limited(after) if self.flowing && after.is_none_or(|after| after <= WORTH_WAITING) => {
                after.unwrap_or(LONGEST)
            }
            Fault::NotFound | Fault::Denied | Fault::Limited(_) | Fault::Invalid | Fault::Corrupt | Fault::Skipped => {
                self.excluded[self.current] = true;
                Duration::ZERO
            }
        };
        if is_away {
            (self.failures, self.skips) = (0, self.skips + 1);
        } else {
            self.failures += 1;
        }
        self.tried[self.current] += 1;
        let left = self.excluded.iter().filter(|excluded| !**excluded).count();
        let Ok(left) = u32::try_from(left) else { return Next::GiveUp };
        if left == 0 || idle >= NO_PROGRESS || self.failures >= ROUNDS.saturating_mul(left) {
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
        let rounds = if is_away { self.skips } else { self.failures } / left;
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
    fn once_bytes_flow_it_goes_on_with_growing_pauses_and_an_end() {
        let mut attempts = Attempts::new(2, false);
        attempts.progressed();
        let mut pauses = Vec::new();
        while let Next::Ask(_, pause) = attempts.failed(Fault::Unreachable, NOW) {
            pauses.push(pause.as_millis());
        }
        assert_eq!(pauses[..11], [0, 100, 100, 200, 200, 400, 400, 800, 800, 1600, 1600]);
        assert_eq!(pauses[11..], [3000; 12]);
        // Progress starts it all over, and an answer shuts its source out for good.
        attempts.progressed();
        assert_eq!(attempts.failed(Fault::Corrupt, NOW), Next::Ask(0, Duration::from_millis(100)));
        assert_eq!(attempts.failed(Fault::Unreachable, NOW), Next::Ask(0, Duration::from_millis(200)));
        assert_eq!(attempts.failed(Fault::Unreachable, NO_PROGRESS), Next::GiveUp);
    }

    #[test]
    fn who_is_away_for_a_while_is_waited_for() {
        let mut attempts = Attempts::new(1, true);
        let mut waited = Duration::ZERO;
        let mut next = attempts.failed(Fault::Unreachable, waited);
        for ask in 0.. {
            let Next::Ask(0, pause) = next else { break };
            assert!(pause >= SHORTEST && pause <= LONGEST);
            waited += pause;
            // Now and then a request goes through to a hub that is still away.
            next = attempts.failed(if ask % 3 == 2 { Fault::Unreachable } else { Fault::Skipped }, waited);
        }
        assert!(waited >= NO_PROGRESS, "gave up after {waited:?}");

        // Another one is asked at once.
        let mut attempts = Attempts::new(2, true);
        assert_eq!(attempts.failed(Fault::Skipped, NOW), Next::Ask(1, Duration::ZERO));
        assert_eq!(attempts.failed(Fault::NotFound, NOW), Next::Ask(0, SHORTEST));
        assert_eq!(attempts.failed(Fault::Skipped, NOW), Next::Ask(0, 2 * SHORTEST));
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
