//! What happens in a schedule, and how one is made up.

use std::time::Duration;

use proptest::{collection::vec, option, prelude::*, sample::select};

use crate::{faults::Op, geometry::Geometry};

/// Everything is small, so that a blob of kilobytes has many pieces.
pub(super) const SMALL: Geometry = Geometry { chunk: 64, tail: 100, piece: 256, ahead: 512, beside: 2 };
pub(super) const MOST: u64 = 6000;

/// What may go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Disturbance {
    None,
    /// The only source breaks now and then, and is away for some seconds.
    Away,
    Breaks,
    Lies,
    Disk,
    All,
}

#[derive(Debug, Clone)]
pub(super) struct Schedule {
    pub(super) length: u64,
    /// Whether a manifest said the length.
    pub(super) size_is_known: bool,
    /// What was on the disk before.
    pub(super) before: Before,
    pub(super) quarantine: bool,
    /// Whether nothing happens that may cut a reader.
    pub(super) cuts_nobody: bool,
    pub(super) sources: Vec<SourceScript>,
    pub(super) readers: Vec<ReaderScript>,
    pub(super) faults: Vec<FaultScript>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Before {
    Nothing,
    /// The blob, with its pieces (or without), right but for a flipped bit.
    Blob {
        pieces: bool,
        flipped: Option<u64>,
    },
    /// What a download left that got this far, and a flipped bit in it.
    Partial {
        written: u64,
        flipped: Option<u64>,
    },
}

#[derive(Debug, Clone)]
pub(super) struct SourceScript {
    pub(super) knows_ranges: bool,
    pub(super) says_total: bool,
    pub(super) chunk: usize,
    /// One for each time that it is asked.
    pub(super) answers: Vec<AnswerScript>,
    /// Whether the last of them is for all times; otherwise it is well-behaved from then on.
    pub(super) for_ever: bool,
}

#[derive(Debug, Clone)]
pub(super) enum AnswerScript {
    Refuses(crate::source::Fault),
    NeverAnswers,
    Gives { delay: Duration, pace: Duration, total_off_by: u64, wrong_byte: Option<u64>, ends: Ends },
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Ends {
    Well,
    /// By an error, or quietly, after so many bytes.
    Broken {
        after: u64,
        quietly: bool,
    },
    /// Never: it falls silent.
    Stalled {
        after: u64,
    },
    /// It gives more than it should.
    TooLong,
}

#[derive(Debug, Clone)]
pub(super) struct ReaderScript {
    pub(super) joins: Duration,
    /// Start and end in thousandths of the length; all of it if `None`.
    pub(super) range: Option<(u64, u64)>,
    pub(super) pace: Duration,
    /// Leaves when it has so many bytes.
    pub(super) leaves: Option<u64>,
}

#[derive(Debug, Clone)]
pub(super) struct FaultScript {
    pub(super) op: Op,
    pub(super) after: u32,
    pub(super) times: u32,
    pub(super) errno: i32,
}

impl SourceScript {
    /// Whether it may give bytes that are not the blob's.
    pub(super) fn lies(&self) -> bool {
        self.answers.iter().any(|answer| matches!(answer, AnswerScript::Gives { wrong_byte: Some(_), .. }))
    }
}

fn time(most: u64) -> impl Strategy<Value = Duration> {
    prop_oneof![3 => Just(Duration::ZERO), 2 => (0..most).prop_map(Duration::from_millis)]
}

fn answer(disturbance: Disturbance) -> BoxedStrategy<AnswerScript> {
    use crate::source::Fault;
    let breaks = matches!(disturbance, Disturbance::Breaks | Disturbance::All);
    let lies = matches!(disturbance, Disturbance::Lies | Disturbance::All);
    let ends = {
        let broken = (0..MOST, any::<bool>()).prop_map(|(after, quietly)| Ends::Broken { after, quietly });
        let stalled = (0..MOST).prop_map(|after| Ends::Stalled { after });
        let well = Just(Ends::Well).boxed();
        match (breaks, lies) {
            (true, true) => prop_oneof![2 => well, 3 => broken, 1 => stalled, 1 => Just(Ends::TooLong)].boxed(),
            (true, false) => prop_oneof![1 => well, 3 => broken, 1 => stalled].boxed(),
            (false, true) => prop_oneof![5 => well, 1 => Just(Ends::TooLong)].boxed(),
            (false, false) => well,
        }
    };
    let wrong = if lies { option::weighted(0.6, 0..MOST).boxed() } else { Just(None).boxed() };
    let off = if lies { prop_oneof![6 => Just(0_u64), 1 => 1_u64..5].boxed() } else { Just(0).boxed() };
    let pace = if breaks {
        // Slow enough for a blob that must be skipped to take longer than silence may.
        prop_oneof![9 => time(50), 1 => (1_000_u64..5_000).prop_map(Duration::from_millis)].boxed()
    } else {
        time(50).boxed()
    };
    let gives = (time(2000), pace, off, wrong, ends).prop_map(|(delay, pace, total_off_by, wrong_byte, ends)| {
        AnswerScript::Gives { delay, pace, total_off_by, wrong_byte, ends }
    });
    if !breaks {
        return gives.boxed();
    }
    let faults = select(vec![
        Fault::NotFound,
        Fault::Denied,
        Fault::Limited(Some(Duration::from_secs(1))),
        Fault::Limited(None),
        Fault::Unreachable,
        Fault::TimedOut,
        Fault::Failing,
        Fault::Invalid,
        Fault::Skipped,
    ]);
    prop_oneof![6 => gives, 1 => faults.prop_map(AnswerScript::Refuses), 1 => Just(AnswerScript::NeverAnswers)].boxed()
}

/// It gives a part, and is not to be had for a while.
fn away() -> impl Strategy<Value = Vec<AnswerScript>> {
    use crate::source::Fault;
    let part = (time(2000), time(50), 0..MOST, any::<bool>()).prop_map(|(delay, pace, after, quietly)| {
        AnswerScript::Gives { delay, pace, total_off_by: 0, wrong_byte: None, ends: Ends::Broken { after, quietly } }
    });
    // Now and then it is asked all the same.
    let asked = any::<bool>().prop_map(|asked| {
        let faults = asked.then_some(Fault::Unreachable).into_iter().chain([Fault::Skipped]);
        faults.map(AnswerScript::Refuses).collect::<Vec<_>>()
    });
    let away = vec(asked, 0..9).prop_map(|faults| faults.concat());
    vec((part, away), 1..3).prop_map(|stretches| {
        let all = |(part, away): (AnswerScript, Vec<AnswerScript>)| std::iter::once(part).chain(away);
        stretches.into_iter().flat_map(all).collect()
    })
}

fn source(disturbance: Disturbance) -> impl Strategy<Value = SourceScript> {
    let answers = match disturbance {
        Disturbance::None | Disturbance::Disk => vec(answer(disturbance), 1..2).boxed(),
        Disturbance::Away => away().boxed(),
        _ => vec(answer(disturbance), 1..6).boxed(),
    };
    let knows_ranges = prop_oneof![4 => Just(true), 1 => Just(false)];
    // Who breaks quietly must have said where the end is.
    let says_total = match disturbance {
        Disturbance::Away => Just(true).boxed(),
        _ => prop_oneof![4 => Just(true), 1 => Just(false)].boxed(),
    };
    let for_ever = match disturbance {
        Disturbance::Away => Just(false).boxed(),
        _ => prop_oneof![3 => Just(false), 1 => Just(true)].boxed(),
    };
    (knows_ranges, says_total, 1_usize..700, answers, for_ever).prop_map(
        |(knows_ranges, says_total, chunk, answers, for_ever)| SourceScript {
            knows_ranges,
            says_total,
            chunk,
            answers,
            for_ever,
        },
    )
}

fn reader() -> impl Strategy<Value = ReaderScript> {
    // Many a part is of the blob's end.
    let part = prop_oneof![2 => (0_u64..1000, 1_u64..=1000), 1 => (500_u64..1000).prop_map(|start| (start, 1000))];
    let range = option::weighted(0.3, part);
    (time(3000), range, time(40), option::weighted(0.2, 0..MOST)).prop_map(|(joins, range, pace, leaves)| {
        ReaderScript { joins, range: range.map(|(start, length)| (start, (start + length).min(1000))), pace, leaves }
    })
}

fn fault() -> impl Strategy<Value = FaultScript> {
    // ENOSPC, EIO, EROFS, EDQUOT.
    let errno = select(vec![28, 5, 30, 122]);
    let op = select(vec![Op::Create, Op::Write, Op::Write, Op::Write, Op::Sync, Op::Rename, Op::Read]);
    let times = prop_oneof![Just(1_u32), Just(u32::MAX)];
    (op, 0_u32..20, times, errno).prop_map(|(op, after, times, errno)| FaultScript { op, after, times, errno })
}

fn before(disturbance: Disturbance) -> BoxedStrategy<Before> {
    if matches!(disturbance, Disturbance::None | Disturbance::Away) {
        return Just(Before::Nothing).boxed();
    }
    let flipped = || option::weighted(0.5, 0..MOST);
    let blob = (any::<bool>(), flipped()).prop_map(|(pieces, flipped)| Before::Blob { pieces, flipped });
    let partial = (0..MOST, flipped()).prop_map(|(written, flipped)| Before::Partial { written, flipped });
    prop_oneof![6 => Just(Before::Nothing), 1 => blob, 1 => partial].boxed()
}

pub(super) fn schedule(disturbance: Disturbance) -> impl Strategy<Value = Schedule> {
    let length = prop_oneof![1 => 0_u64..200, 6 => 200..MOST];
    let sources =
        vec(source(disturbance), 1..=if matches!(disturbance, Disturbance::None | Disturbance::Away) { 1 } else { 3 });
    let faults = match disturbance {
        Disturbance::Disk | Disturbance::All => vec(fault(), 1..3).boxed(),
        _ => Just(vec![]).boxed(),
    };
    let known = prop_oneof![3 => Just(true), 1 => Just(false)];
    (length, known, before(disturbance), any::<bool>(), sources, vec(reader(), 1..8), faults).prop_map(
        move |(length, size_is_known, before, quarantine, sources, readers, faults)| Schedule {
            length,
            size_is_known,
            before,
            quarantine,
            cuts_nobody: matches!(disturbance, Disturbance::None | Disturbance::Away),
            sources,
            readers,
            faults,
        },
    )
}
