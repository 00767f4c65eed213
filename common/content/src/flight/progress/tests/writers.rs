//! Whatever trunk, legs and readers do, and in whatever order: no byte has two writers, none that was given is written
//! over, and nobody is given one that is not there.

use proptest::{collection::vec, prelude::*};

use super::*;

const TOTAL: u64 = 4000;

#[derive(Debug, Clone)]
enum Deed {
    /// The trunk hashes what legs have written, or begins to write so much.
    TrunkStarts(u64),
    TrunkEnds,
    /// A leg begins to write so much.
    LegStarts(usize, u64),
    LegEnds(usize),
    /// Its source breaks.
    LegBreaks(usize),
    /// Somebody wants so much from there on (all the rest, if `None`).
    Reads(u64, Option<u64>),
}

/// A leg's task.
struct Fetching {
    start: u64,
    at: u64,
    writes: Option<Range<u64>>,
    until: u64,
}

struct World {
    progress: Progress,
    trunk: Option<Range<u64>>,
    legs: Vec<Fetching>,
    written: RangeSet<u64>,
    given: RangeSet<u64>,
}

impl World {
    fn act(&mut self, deed: &Deed) {
        match *deed {
            Deed::TrunkStarts(length) => self.trunk_starts(length),
            Deed::TrunkEnds => {
                if let Some(range) = self.trunk.take() {
                    self.written.insert(range.clone());
                    self.progress.pass(range.end);
                }
            }
            Deed::LegStarts(number, length) => self.leg_starts(number, length),
            Deed::LegEnds(number) => self.leg_ends(number),
            Deed::LegBreaks(number) => {
                if let Some(place) = self.place(number).filter(|place| self.legs[*place].writes.is_none()) {
                    self.progress.end_leg(self.legs.remove(place).start);
                }
            }
            Deed::Reads(offset, length) => self.reads(offset, length.map(|length| offset + length)),
        }
        assert!(self.legs.len() <= SMALL.beside);
        let writes: Vec<_> = self.legs.iter().filter_map(|leg| leg.writes.clone()).chain(self.trunk.clone()).collect();
        for (place, range) in writes.iter().enumerate() {
            assert!(
                !writes[..place].iter().any(|other| other.start < range.end && range.start < other.end),
                "{writes:?}"
            );
            assert!(!self.given.overlaps(range), "{range:?} was given");
        }
    }

    fn place(&self, number: usize) -> Option<usize> {
        number.checked_rem(self.legs.len())
    }

    fn trunk_starts(&mut self, length: u64) {
        let progress = &mut self.progress;
        if self.trunk.is_some() || progress.is_complete() {
            return;
        }
        if let Some(ahead) = progress.written_ahead() {
            assert!(self.written.gaps(&ahead).next().is_none());
            self.given.remove(ahead.clone());
            progress.pass(ahead.end);
        } else if !progress.is_awaiting_leg() {
            let end = (progress.passed() + length).min(progress.wall().unwrap_or(TOTAL)).min(TOTAL);
            progress.claim(end);
            self.trunk = (progress.passed() < end).then(|| progress.passed()..end);
        }
    }

    fn leg_starts(&mut self, number: usize, length: u64) {
        let Some(place) = self.place(number).filter(|place| self.legs[*place].writes.is_none()) else { return };
        let leg = &mut self.legs[place];
        leg.until = self.progress.claim_leg(leg.start, leg.at + length).unwrap();
        assert!(leg.at < leg.until, "it had to end before");
        leg.writes = Some(leg.at..leg.until.min(leg.at + length));
    }

    fn leg_ends(&mut self, number: usize) {
        let Some(place) = self.place(number) else { return };
        let leg = &mut self.legs[place];
        let Some(range) = leg.writes.take() else { return };
        leg.at = range.end;
        self.written.insert(range.clone());
        self.progress.hold(range);
        if leg.at >= leg.until {
            self.progress.end_leg(self.legs.remove(place).start);
        }
    }

    fn reads(&mut self, offset: u64, end: Option<u64>) {
        let (seat, passed) = (self.progress.seat(offset), self.progress.passed());
        match self.progress.step(offset, end, seat) {
            Step::Read(up_to) => {
                assert!(self.written.gaps(&(offset..up_to)).next().is_none(), "{offset} to {up_to} is not there");
                let to_the_end = end.is_none_or(|end| end >= TOTAL);
                if to_the_end && seat != Seat::Footer {
                    assert!(up_to <= TOTAL - SMALL.tail || self.progress.is_verified());
                }
                self.progress.give(offset..up_to, end, seat);
                if to_the_end && seat == Seat::Beside && offset.max(passed) < up_to {
                    self.given.insert(offset.max(passed)..up_to);
                }
            }
            Step::Fetch(range) => {
                assert!(self.progress.begin_leg(&range), "who is told so may: {range:?}");
                self.legs.push(Fetching { start: range.start, at: range.start, writes: None, until: range.end });
            }
            Step::Wait | Step::Alone | Step::Done => {}
        }
    }
}

fn deed() -> impl Strategy<Value = Deed> {
    // A batch may be longer than `ahead`.
    let length = || prop_oneof![4 => 1_u64..50, 1 => 1_u64..1000];
    prop_oneof![
        2 => length().prop_map(Deed::TrunkStarts),
        2 => Just(Deed::TrunkEnds),
        4 => (any::<usize>(), length()).prop_map(|(leg, length)| Deed::LegStarts(leg, length)),
        4 => any::<usize>().prop_map(Deed::LegEnds),
        1 => any::<usize>().prop_map(Deed::LegBreaks),
        4 => (0..TOTAL, proptest::option::of(1..TOTAL)).prop_map(|(offset, length)| Deed::Reads(offset, length)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(500) })]

    #[test]
    fn never_meet(deeds in vec(deed(), 1..150)) {
        let mut world = World {
            progress: at(0, Some(TOTAL)),
            trunk: None,
            legs: Vec::new(),
            written: RangeSet::new(),
            given: RangeSet::new(),
        };
        for deed in &deeds {
            world.act(deed);
        }
        // Left alone, the trunk comes to the end.
        for _ in 0..TOTAL {
            (0..SMALL.beside).for_each(|_| world.act(&Deed::LegEnds(0)));
            (0..SMALL.beside).for_each(|_| world.act(&Deed::LegBreaks(0)));
            world.act(&Deed::TrunkEnds);
            world.act(&Deed::TrunkStarts(400));
        }
        prop_assert!(world.progress.is_complete());
        world.progress.verify();
        prop_assert_eq!(world.progress.step(0, None, Seat::Trunk), Step::Read(TOTAL));
    }
}
