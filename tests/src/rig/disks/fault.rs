//! How a disk can fail, and when it is to do so. Pure: the file system asks before every call, and does as it is told.

use std::time::Duration;

use rustix::io::Errno;
use serde::{Deserialize, Serialize};

/// What a program asks of a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Call {
    /// Opening a file that is there, to read it.
    Open,
    /// Opening a file that is there, to write to it.
    OpenToWrite,
    /// Making a file.
    Create,
    /// Making a folder, a link.
    Folder,
    /// Reading from a file.
    Read,
    /// Writing to a file.
    Write,
    /// Taking room in a file ahead of writing (`fallocate`), or changing its length.
    Reserve,
    /// Forcing a file or folder to the disk.
    Fsync,
    /// Giving a file another name.
    Rename,
    /// Removing a file or folder.
    Remove,
}

/// A way to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fault {
    /// Answers with this error number.
    Error(i32),
    /// Does no more than so many bytes of a read or write.
    Short(u64),
    /// Changes one bit of the byte at this offset of the file, as it is read. What is on the disk stays as it is.
    Flip(u64),
    /// Takes this long first. Other faults come on top, and other slowness too.
    Slow(Duration),
}

impl Fault {
    /// `ENOSPC`: the disk is full.
    pub const NO_SPACE: Self = Self::Error(Errno::NOSPC.raw_os_error());
    /// `EIO`: the disk is broken.
    pub const IO: Self = Self::Error(Errno::IO.raw_os_error());
    /// `EROFS`: the disk may only be read, as after an error where the file system was mounted so.
    pub const READ_ONLY: Self = Self::Error(Errno::ROFS.raw_os_error());
}

/// Which calls a fault is for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct When {
    calls: Vec<Call>,
    path: Option<String>,
    skip: u64,
    skip_bytes: u64,
    times: Option<u64>,
}

impl When {
    /// These calls.
    pub fn calls(calls: &[Call]) -> Self {
        Self { calls: calls.to_vec(), path: None, skip: 0, skip_bytes: 0, times: None }
    }

    /// Whatever takes room: what a full disk refuses.
    pub fn growing() -> Self {
        Self::calls(&[Call::Create, Call::Folder, Call::Write, Call::Reserve])
    }

    /// Whatever changes anything: what a disk that may only be read refuses.
    pub fn changing() -> Self {
        Self::calls(&[
            Call::OpenToWrite,
            Call::Create,
            Call::Folder,
            Call::Write,
            Call::Reserve,
            Call::Fsync,
            Call::Rename,
            Call::Remove,
        ])
    }

    /// Only on paths, from the disk's root on, that have this in them.
    #[must_use]
    pub fn on(mut self, part_of_path: &str) -> Self {
        self.path = Some(part_of_path.to_owned());
        self
    }

    /// Lets so many of them pass first.
    #[must_use]
    pub fn after(mut self, calls: u64) -> Self {
        self.skip = calls;
        self
    }

    /// Lets so many bytes pass first, of all these calls together. A write that goes beyond is done up to there: that is
    /// how a disk gets full.
    #[must_use]
    pub fn after_bytes(mut self, bytes: u64) -> Self {
        self.skip_bytes = bytes;
        self
    }

    /// Only for so many of them.
    #[must_use]
    pub fn times(mut self, calls: u64) -> Self {
        self.times = Some(calls);
        self
    }
}

impl From<Call> for When {
    fn from(call: Call) -> Self {
        Self::calls(&[call])
    }
}

/// What is to become of a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Time to let pass first.
    pub(crate) delay: Duration,
    /// Not to be done, for this reason.
    pub(crate) error: Option<i32>,
    /// Not more bytes than this.
    pub(crate) at_most: Option<u64>,
    /// Offset in the file of a byte to be changed.
    pub(crate) flip: Option<u64>,
}

/// The faults that are set, and what has come of them.
#[derive(Default)]
pub(crate) struct Plan {
    rules: Vec<Rule>,
    spoiled: u64,
}

struct Rule {
    when: When,
    fault: Fault,
    passed: u64,
    passed_bytes: u64,
    hit: u64,
}

impl Plan {
    pub(crate) fn add(&mut self, when: When, fault: Fault) {
        self.rules.push(Rule { when, fault, passed: 0, passed_bytes: 0, hit: 0 });
    }

    pub(crate) fn heal(&mut self) {
        self.rules.clear();
    }

    /// How many calls were spoiled so far. One that only took its time does not count.
    pub(crate) fn spoiled(&self) -> u64 {
        self.spoiled
    }

    /// What becomes of a call of `bytes` bytes (0 where it has none). `paths` are the names it goes by, asked for only
    /// where a fault goes by them. Counts the call. Where several faults fit, the last one set counts.
    pub(crate) fn judge(&mut self, call: Call, bytes: u64, paths: impl Fn() -> Vec<String>) -> Verdict {
        let mut verdict = Verdict::default();
        let mut spoiled = false;
        let mut names = None;
        for rule in self.rules.iter_mut().rev() {
            if !rule.is_for(call, || names.get_or_insert_with(&paths)) {
                continue;
            }
            let Some(turn) = rule.count(call, bytes) else { continue };
            match (rule.fault, turn) {
                (Fault::Slow(time), _) => verdict.delay += time,
                _ if spoiled => continue,
                (_, Turn::UpTo(room)) => verdict.at_most = Some(room),
                (Fault::Error(number), Turn::Now) => verdict.error = Some(number),
                (Fault::Short(most), Turn::Now) => verdict.at_most = Some(most),
                (Fault::Flip(offset), Turn::Now) => verdict.flip = Some(offset),
            }
            spoiled |= !matches!(rule.fault, Fault::Slow(_));
        }
        self.spoiled += u64::from(spoiled);
        verdict
    }
}

/// That it is a rule's turn.
enum Turn {
    Now,
    /// Only beyond so many bytes of the call.
    UpTo(u64),
}

impl Rule {
    fn is_for<'a>(&self, call: Call, names: impl FnOnce() -> &'a mut Vec<String>) -> bool {
        let spent = self.when.times.is_some_and(|times| self.hit >= times);
        let named = |part: &String| names().iter().any(|name| name.contains(part.as_str()));
        !spent && self.when.calls.contains(&call) && self.when.path.as_ref().is_none_or(named)
    }

    fn count(&mut self, call: Call, bytes: u64) -> Option<Turn> {
        if self.passed < self.when.skip {
            self.passed += 1;
            return None;
        }
        let room = self.when.skip_bytes.saturating_sub(self.passed_bytes);
        let passing = bytes.min(room);
        self.passed_bytes += passing;
        match (call, room) {
            (_, 1..) if passing == bytes => None,
            (Call::Write, 1..) => Some(Turn::UpTo(room)),
            _ => {
                self.hit += 1;
                Some(Turn::Now)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nowhere() -> Vec<String> {
        vec![]
    }

    #[test]
    fn calls_pass_until_it_is_their_turn_and_after() {
        let mut plan = Plan::default();
        plan.add(When::from(Call::Fsync).after(1).times(2), Fault::IO);
        let errors = [(); 4].map(|()| plan.judge(Call::Fsync, 0, nowhere).error.is_some());
        assert_eq!(errors, [false, true, true, false]);
        assert_eq!(plan.judge(Call::Write, 10, nowhere), Verdict::default());
        assert_eq!(plan.spoiled(), 2);
    }

    #[test]
    fn a_disk_gets_full_in_the_middle_of_a_write() {
        let mut plan = Plan::default();
        plan.add(When::growing().after_bytes(250), Fault::NO_SPACE);
        let mut write = |bytes| {
            let verdict = plan.judge(Call::Write, bytes, nowhere);
            (verdict.at_most, verdict.error)
        };
        assert_eq!(write(100), (None, None));
        assert_eq!(write(100), (None, None));
        assert_eq!(write(100), (Some(50), None));
        assert_eq!(write(50), (None, Some(28)));
        assert_eq!(plan.judge(Call::Create, 0, nowhere).error, Some(28));
        plan.heal();
        assert_eq!(plan.judge(Call::Write, 100, nowhere), Verdict::default());
    }

    #[test]
    fn before_it_is_full_what_has_no_bytes_passes() {
        let mut plan = Plan::default();
        plan.add(When::growing().after_bytes(1), Fault::NO_SPACE);
        assert_eq!(plan.judge(Call::Create, 0, nowhere), Verdict::default());
    }

    #[test]
    fn faults_go_by_paths_and_slowness_comes_on_top() {
        let mut plan = Plan::default();
        plan.add(When::from(Call::Read), Fault::Slow(Duration::from_millis(3)));
        plan.add(When::from(Call::Read).on("blobs/"), Fault::Flip(7));
        plan.add(When::from(Call::Read), Fault::Slow(Duration::from_millis(4)));
        let at = |path: &str| vec!["other".to_owned(), path.to_owned()];
        let slow = Verdict { delay: Duration::from_millis(7), ..Verdict::default() };
        assert_eq!(plan.judge(Call::Read, 5, || at("partials/x")), slow);
        assert_eq!(plan.judge(Call::Read, 5, || at("v2/blobs/x")), Verdict { flip: Some(7), ..slow });
        plan.add(When::from(Call::Read).on("blobs/"), Fault::Short(2));
        assert_eq!(plan.judge(Call::Read, 5, || at("v2/blobs/x")), Verdict { at_most: Some(2), ..slow });
    }
}
