//! Processes by `/proc`, each with all its children.

use std::fs;

use super::memory;

/// A line of `/proc/PID/stat`, as far as it is needed. Times are in clock ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stat {
    pub(super) pid: i32,
    pub(super) parent: i32,
    /// User and system time of its own.
    pub(super) own: u64,
    /// Of its children that have ended and that it has waited for.
    pub(super) of_children: u64,
}

/// Reads such a line. The command's name may hold spaces and brackets: it ends at the last bracket.
pub(super) fn parse(line: &str) -> Option<Stat> {
    let (start, rest) = line.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
    Some(Stat {
        pid: start.split_once(' ')?.0.parse().ok()?,
        parent: fields.get(1)?.parse().ok()?,
        own: number(11)? + number(12)?,
        of_children: number(13)? + number(14)?,
    })
}

/// All processes there are.
pub(super) fn all() -> Vec<Stat> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    numbers.filter_map(|pid| parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)).collect()
}

/// Those of `all` that are `roots` or descend from them.
pub(super) fn with_descendants(all: &[Stat], roots: &[i32]) -> Vec<Stat> {
    let mut found: Vec<Stat> = all.iter().filter(|stat| roots.contains(&stat.pid)).copied().collect();
    let mut next = 0;
    while let Some(parent) = found.get(next).map(|stat| stat.pid) {
        let children = all.iter().filter(|stat| stat.parent == parent && !roots.contains(&stat.pid));
        found.extend(children.copied().collect::<Vec<_>>());
        next += 1;
    }
    found
}

/// The processes of a server: those that were started, and their children.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trees(Vec<i32>);

impl Trees {
    pub(crate) fn of(roots: &[i32]) -> Self {
        Self(roots.to_vec())
    }

    pub(super) fn roots(&self) -> &[i32] {
        &self.0
    }

    /// What they have started themselves.
    pub(crate) fn children(&self) -> Self {
        Self(all().iter().filter(|stat| self.0.contains(&stat.parent)).map(|stat| stat.pid).collect())
    }

    /// These and those.
    pub(crate) fn and(mut self, more: &Self) -> Self {
        self.0.extend(&more.0);
        self
    }

    /// Forgets the peaks of memory so far, where the kernel lets us.
    pub(crate) fn reset_peaks(&self) {
        let all = all();
        self.0.iter().for_each(|&root| pids(&all, root).for_each(memory::reset_peak));
    }

    /// The peak of memory; of several servers, the highest.
    pub(crate) fn peak_mib(&self) -> f64 {
        self.highest(|memory| memory.peak_mib)
    }

    /// The memory that is resident now; of several servers, the highest.
    pub(crate) fn resident_mib(&self) -> f64 {
        self.highest(|memory| memory.resident_mib)
    }

    /// A server is the sum of its processes. What they share is counted in each.
    fn highest(&self, which: impl Fn(memory::Memory) -> f64) -> f64 {
        let all = all();
        let sum = |&root: &i32| pids(&all, root).filter_map(memory::of).map(&which).sum();
        self.0.iter().map(sum).fold(0.0, f64::max)
    }
}

fn pids(all: &[Stat], root: i32) -> impl Iterator<Item = i32> {
    with_descendants(all, &[root]).into_iter().map(|stat| stat.pid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stat_line_is_counted_from_the_last_bracket() {
        let line = "12 (a b) c) S 3 12 12 0 -1 4194560 1 2 3 4 50 60 7 8 20 0 1 0 99 1 2 3";
        assert_eq!(parse(line), Some(Stat { pid: 12, parent: 3, own: 110, of_children: 15 }));
        assert_eq!(parse("12 (short) S 3"), None);
        assert_eq!(parse(""), None);
    }

    #[test]
    fn a_tree_is_a_process_and_all_below_it_once() {
        let stat = |pid, parent| Stat { pid, parent, own: 0, of_children: 0 };
        let all = [stat(1, 0), stat(2, 1), stat(3, 2), stat(4, 3), stat(5, 1), stat(6, 5)];
        let pids = |roots: &[i32]| {
            let mut pids: Vec<i32> = with_descendants(&all, roots).iter().map(|stat| stat.pid).collect();
            pids.sort_unstable();
            pids
        };
        assert_eq!(pids(&[2]), [2, 3, 4]);
        assert_eq!(pids(&[2, 3, 6]), [2, 3, 4, 6]);
        assert_eq!(pids(&[9]), [0; 0]);
    }
}
