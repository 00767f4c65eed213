//! Whether somebody else keeps undoing what we write: then we stop, or both of us would go on for ever. Pure.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    time::Duration,
};

use tokio::time::Instant;

use crate::runtime::writer::Writer;

/// So many changes of one file
const MOST: usize = 3;
/// in this time are a fight.
const WITHIN: Duration = Duration::from_secs(600);

/// What others did to files that we had confirmed.
#[derive(Debug, Default)]
pub(crate) struct Fights {
    confirmed: BTreeSet<Writer>,
    undone: HashMap<Writer, VecDeque<Instant>>,
    lost: BTreeSet<Writer>,
}

impl Fights {
    /// The engine goes by a file of ours; `wrote` is whether it had to be written for that. Whether that was the last time.
    pub(crate) fn confirmed(&mut self, writer: &Writer, wrote: bool, now: Instant) -> bool {
        let was_confirmed = !self.confirmed.insert(writer.clone());
        if !(was_confirmed && wrote) {
            return false;
        }
        let undone = self.undone.entry(writer.clone()).or_default();
        undone.push_back(now);
        while undone.front().is_some_and(|first| now.duration_since(*first) > WITHIN) {
            undone.pop_front();
        }
        let is_lost = undone.len() >= MOST;
        if is_lost {
            self.lost.insert(writer.clone());
        }
        is_lost
    }

    /// Whether the engine was seen to go by a file of ours.
    pub(crate) fn is_confirmed(&self, writer: &Writer) -> bool {
        self.confirmed.contains(writer)
    }

    /// A file is not ours any more, and that by our own doing.
    pub(crate) fn dismissed(&mut self, writer: &Writer) {
        self.confirmed.remove(writer);
    }

    /// The files that are left to others.
    pub(crate) fn lost(&self) -> &BTreeSet<Writer> {
        &self.lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_changes_in_ten_minutes_are_a_fight() {
        let (start, minute) = (Instant::now(), Duration::from_secs(60));
        let at = |minutes: u32| start + minute * minutes;
        let writer = Writer::DaemonJson;
        let mut fights = Fights::default();
        assert!(!fights.confirmed(&writer, true, at(0)), "the first time it is only ours");
        assert!(!fights.confirmed(&writer, true, at(1)) && !fights.confirmed(&writer, false, at(2)));
        assert!(!fights.confirmed(&writer, true, at(3)));
        // The one at 1 is too long ago.
        assert!(!fights.confirmed(&writer, true, at(12)));
        assert!(fights.confirmed(&writer, true, at(13)) && fights.lost().contains(&writer));
    }

    #[test]
    fn what_we_take_out_ourselves_is_no_fight() {
        let mut fights = Fights::default();
        for _ in 0..10 {
            assert!(!fights.confirmed(&Writer::DaemonJson, true, Instant::now()));
            fights.dismissed(&Writer::DaemonJson);
        }
        assert!(fights.lost().is_empty());
    }
}
