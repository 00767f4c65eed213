//! How far a download is, and what a reader of it may do now. Pure.
//!
//! The **trunk** of a download goes from the first byte to the last: what it has passed is written and hashed. Ranges
//! that were wanted far ahead of it are fetched beside it, each by a **leg**; the trunk hashes them when it gets there.

use std::ops::Range;

use rangemap::RangeSet;

use crate::geometry::Geometry;

/// How far a download is.
#[derive(Debug, Clone)]
pub(super) struct Progress {
    /// Length of the blob, where it is known.
    pub(super) total: Option<u64>,
    /// Everything before this offset is written and hashed.
    passed: u64,
    /// What is being written at the moment reaches to here.
    claimed: u64,
    /// What legs have written ahead of the trunk.
    held: RangeSet<u64>,
    /// What was read of that by who waits for the digest to speak of it: it must not be written over.
    given: RangeSet<u64>,
    /// The ranges that legs are fetching, the part that they have written included.
    legs: Vec<Range<u64>>,
    /// Whether all is there and is what the digest names.
    verified: bool,
    geometry: Geometry,
}

/// How a reader stands to the trunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seat {
    /// It reads what the trunk has passed, nothing else, and has the blob's last bytes only when all are verified.
    Trunk,
    /// It reads a part far from the trunk, as it comes, and does not wait for the digest. But if its part reaches to the
    /// blob's end, then the blob's last bytes come only when all are verified, as on the trunk: else it would have a
    /// part that looks complete, of a blob that proves wrong later.
    Beside,
    /// It reads nothing but some of the blob's last bytes, as they come: lazy readers look there for a table of contents,
    /// and nobody takes that for the blob.
    Footer,
}

/// What a reader may do now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// Read up to this offset.
    Read(u64),
    /// Wait until there is more.
    Wait,
    /// Have this range fetched beside the trunk.
    Fetch(Range<u64>),
    /// There is no room for another leg: fetch it for itself.
    Alone,
    /// It has all it wanted.
    Done,
}

impl Progress {
    pub(super) fn new(total: Option<u64>, geometry: Geometry) -> Self {
        Self {
            total,
            passed: 0,
            claimed: 0,
            held: RangeSet::new(),
            given: RangeSet::new(),
            legs: Vec::new(),
            verified: false,
            geometry,
        }
    }

    /// Everything before this is written and hashed.
    pub(super) fn passed(&self) -> u64 {
        self.passed
    }

    pub(super) fn is_complete(&self) -> bool {
        self.total == Some(self.passed)
    }

    pub(super) fn is_verified(&self) -> bool {
        self.verified
    }

    /// Everything was hashed, and is what the digest names.
    pub(super) fn verify(&mut self) {
        self.total = Some(self.passed);
        self.verified = true;
    }

    /// How a reader that begins at `offset` stands.
    pub(super) fn seat(&self, offset: u64) -> Seat {
        if offset <= self.passed.saturating_add(self.geometry.ahead) {
            Seat::Trunk
        } else if self.total.is_some_and(|total| offset >= total.saturating_sub(self.geometry.tail)) {
            Seat::Footer
        } else {
            Seat::Beside
        }
    }

    /// Whether bytes of a reader from the start may leave, or nothing is held back.
    pub(super) fn has_opened(&self) -> bool {
        self.verified || self.readable(0, Seat::Trunk, true) > 0
    }

    /// What a reader at `offset` that wants the bytes up to `end` (the blob's end where `None`) may do now.
    pub(super) fn step(&self, offset: u64, end: Option<u64>, seat: Seat) -> Step {
        let to_the_end = seat != Seat::Footer && self.reaches_the_end(end);
        let end = match (end, self.total) {
            (Some(end), Some(total)) => Some(end.min(total)),
            (end, total) => end.or(total),
        };
        if end.is_some_and(|end| offset >= end) {
            return Step::Done;
        }
        let readable = self.readable(offset, seat, to_the_end);
        if readable > offset {
            return Step::Read(end.map_or(readable, |end| end.min(readable)));
        }
        if seat == Seat::Trunk {
            return Step::Wait;
        }
        let comes = |from: u64| offset <= from.saturating_add(self.geometry.ahead);
        let by_leg = self.legs.iter().any(|leg| leg.contains(&offset) && comes(self.written_from(leg.start)));
        match end {
            _ if comes(self.passed.max(self.claimed)) || by_leg => Step::Wait,
            // Without an end there is no range to ask for.
            None => Step::Wait,
            // Who has all but the tail waits for the trunk in any case; and who will have to, for a leg that is free.
            Some(end) if to_the_end && offset >= end.saturating_sub(self.geometry.tail) => Step::Wait,
            Some(_) if self.legs.len() >= self.geometry.beside => {
                if to_the_end {
                    Step::Wait
                } else {
                    Step::Alone
                }
            }
            Some(end) => Step::Fetch(offset..self.next_occupied(offset).map_or(end, |next| next.min(end))),
        }
    }

    /// The end of what has been written without a gap from `offset` on.
    fn written_from(&self, offset: u64) -> u64 {
        let from = offset.max(if offset < self.passed { self.passed } else { 0 });
        self.held.get(&from).map_or(from, |run| run.end)
    }

    /// Whether who reads up to `end` reads all that is left of the blob.
    fn reaches_the_end(&self, end: Option<u64>) -> bool {
        end.is_none_or(|end| self.total.is_none_or(|total| end >= total))
    }

    fn readable(&self, offset: u64, seat: Seat, to_the_end: bool) -> u64 {
        if self.verified {
            return self.passed;
        }
        let before_the_tail = |end: u64| end.min(self.total.unwrap_or(end).saturating_sub(self.geometry.tail));
        match seat {
            Seat::Beside | Seat::Footer if !to_the_end => self.written_from(offset),
            Seat::Beside if offset >= self.claimed => before_the_tail(self.written_from(offset)),
            // Bytes of a leg may yet be written over: only what is hashed is what the digest will speak of.
            Seat::Beside | Seat::Footer | Seat::Trunk => before_the_tail(self.passed),
        }
    }

    /// A reader is given `range`, and wants the bytes up to `end`.
    pub(super) fn give(&mut self, range: Range<u64>, end: Option<u64>, seat: Seat) {
        let ahead = range.start.max(self.passed)..range.end;
        if seat == Seat::Beside && self.reaches_the_end(end) && !self.verified && !ahead.is_empty() {
            self.given.insert(ahead);
        }
    }

    /// Where the first range at or after `offset` begins that is written or being fetched by a leg.
    fn next_occupied(&self, offset: u64) -> Option<u64> {
        let held = self.held.iter().map(|run| run.start);
        let legs = self.legs.iter().map(|leg| leg.start);
        held.chain(legs).filter(|start| *start >= offset).min()
    }

    // --- the trunk's side

    /// Where the trunk must stop writing: at a leg that is under way, at a stretch that is long enough to be worth not
    /// fetching again, or at one that the digest must speak of. (Another short one is passed over: a new request costs
    /// more.)
    pub(super) fn wall(&self) -> Option<u64> {
        let legs = self.legs.iter().map(|leg| leg.start);
        let long = |run: &&Range<u64>| run.end - run.start.max(self.passed) >= self.geometry.ahead;
        let kept = self.held.iter().filter(|run| long(run) || self.given.overlaps(run));
        legs.chain(kept.map(|run| run.start)).filter(|start| *start >= self.passed).min()
    }

    /// The stretch right after the trunk that need not be fetched, as far as it is written.
    pub(super) fn written_ahead(&self) -> Option<Range<u64>> {
        let end = self.written_from(self.passed);
        (end > self.passed).then_some(self.passed..end)
    }

    /// Whether a leg is fetching what comes right after the trunk.
    pub(super) fn is_awaiting_leg(&self) -> bool {
        self.legs.iter().any(|leg| leg.contains(&self.passed))
    }

    /// The trunk is about to write up to `end`: no leg may begin before that.
    pub(super) fn claim(&mut self, end: u64) {
        self.claimed = end;
    }

    /// The trunk has written and hashed up to `end`.
    pub(super) fn pass(&mut self, end: u64) {
        if end > self.passed {
            self.held.remove(self.passed..end);
            self.given.remove(self.passed..end);
            self.passed = end;
        }
    }

    // --- the legs' side

    /// Starts a leg. `false` if what it would fetch is (by now) somebody else's to write.
    pub(super) fn begin_leg(&mut self, range: &Range<u64>) -> bool {
        let free = range.start >= self.claimed.max(self.passed)
            && self.legs.len() < self.geometry.beside
            && !self.held.overlaps(range)
            && !self.legs.iter().any(|leg| leg.start < range.end && range.start < leg.end);
        if free {
            self.legs.push(range.clone());
        }
        free
    }

    /// A leg has written `range`.
    pub(super) fn hold(&mut self, range: Range<u64>) {
        if range.start < range.end {
            self.held.insert(range);
        }
    }

    /// The leg that began at `start` writes no more.
    pub(super) fn end_leg(&mut self, start: u64) {
        self.legs.retain(|leg| leg.start != start);
    }
}

#[cfg(test)]
mod tests {
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
        assert!(progress.begin_leg(&(1000..2000)) && !progress.begin_leg(&(1500..2500)));
        // Waits for the leg near its front; further on, it is worth another.
        assert_eq!(progress.step(1200, Some(2000), Seat::Beside), Step::Wait);
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
}
