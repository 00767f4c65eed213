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
    /// What legs are fetching. No two of them the same byte.
    legs: Vec<Leg>,
    /// Whether all is there and is what the digest names.
    verified: bool,
    geometry: Geometry,
}

/// What is fetched beside the trunk.
#[derive(Debug, Clone)]
struct Leg {
    /// The part that is written included. Its start is its name: no other has the same.
    range: Range<u64>,
    /// What it is writing at the moment reaches to here.
    claimed: u64,
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
        let by_trunk = !self.is_far(offset, self.passed.max(self.claimed));
        let by_leg = self.legs.iter().any(|leg| leg.range.contains(&offset) && !self.is_far(offset, leg.claimed));
        match end {
            _ if by_trunk || by_leg => Step::Wait,
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

    /// Whether what comes as far as `reached` is worth no waiting for, for who wants the byte at `offset`.
    fn is_far(&self, offset: u64, reached: u64) -> bool {
        offset > reached.saturating_add(self.geometry.ahead)
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
        let legs = self.legs.iter().map(|leg| leg.range.start);
        held.chain(legs).filter(|start| *start >= offset).min()
    }

    // --- the trunk's side

    /// Where the trunk must stop writing: at a leg that is under way, at a stretch that is long enough to be worth not
    /// fetching again, or at one that the digest must speak of. (Another short one is passed over: a new request costs
    /// more.)
    pub(super) fn wall(&self) -> Option<u64> {
        let legs = self.legs.iter().map(|leg| leg.range.start);
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
        self.legs.iter().any(|leg| leg.range.contains(&self.passed))
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

    /// Starts a leg. `false` if what it would fetch is (by now) somebody else's to write. What is far ahead of where
    /// another leg is may be its: that one ends where it begins.
    pub(super) fn begin_leg(&mut self, range: &Range<u64>) -> bool {
        let leaves_it = |leg: &Leg| match leg.range.contains(&range.start) {
            true => self.is_far(range.start, leg.claimed),
            false => leg.range.end <= range.start || range.end <= leg.range.start,
        };
        let free = range.start >= self.claimed.max(self.passed)
            && self.legs.len() < self.geometry.beside
            && !self.held.overlaps(range)
            && self.legs.iter().all(leaves_it);
        if free {
            if let Some(cut) = self.legs.iter_mut().find(|leg| leg.range.contains(&range.start)) {
                cut.range.end = range.start;
            }
            self.legs.push(Leg { range: range.clone(), claimed: range.start });
        }
        free
    }

    /// The leg that began at `start` is about to write up to `end`, and no other leg may begin before that. Gives where it
    /// ends, and must stop; `None` if there is no such leg.
    pub(super) fn claim_leg(&mut self, start: u64, end: u64) -> Option<u64> {
        let leg = self.legs.iter_mut().find(|leg| leg.range.start == start)?;
        leg.claimed = end.min(leg.range.end);
        Some(leg.range.end)
    }

    /// Whether the trunk can do nothing but wait for the leg that began at `start`.
    pub(super) fn awaits_leg(&self, start: u64) -> bool {
        self.legs.iter().any(|leg| leg.range.start == start && leg.range.contains(&self.passed))
    }

    /// A leg has written `range`.
    pub(super) fn hold(&mut self, range: Range<u64>) {
        if range.start < range.end {
            self.held.insert(range);
        }
    }

    /// The leg that began at `start` writes no more.
    pub(super) fn end_leg(&mut self, start: u64) {
        self.legs.retain(|leg| leg.range.start != start);
    }
}

#[cfg(test)]
mod tests;
