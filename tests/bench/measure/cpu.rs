//! CPU time: of the server, of this program, and of whoever else was busy.

use std::{fs, time::Instant};

use super::process::{self, Stat, Trees};

/// Kernel threads have this one as their parent, or are it.
const KERNEL: i32 = 2;

/// What has been spent up to a moment, in clock ticks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cpu {
    moment: Instant,
    server: u64,
    /// This program and all it has started, the servers among them.
    ours: u64,
    /// This program alone.
    client: u64,
    kernel: u64,
    machine: u64,
}

/// What was spent between two moments, in seconds of CPU.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Spent {
    pub(crate) wall: f64,
    /// By the server's processes.
    pub(crate) server: f64,
    /// By this program.
    pub(crate) client: f64,
    /// By whoever has nothing to do with us: neither ours nor the kernel's own threads.
    pub(crate) others: f64,
}

impl Cpu {
    /// Looks at `server` and at everything else.
    pub(crate) fn now(server: &Trees) -> Self {
        // In this order, so that the time of looking itself counts as ours rather than as others'.
        let machine = fs::read_to_string("/proc/stat").ok().and_then(|text| busy(&text)).unwrap_or_default();
        let all = process::all();
        let me = std::process::id().cast_signed();
        let sum = |stats: &[Stat]| stats.iter().map(|stat| stat.own + stat.of_children).sum();
        // A server that a person started is no child of ours.
        let roots: Vec<i32> = server.roots().iter().copied().chain([me]).collect();
        Self {
            moment: Instant::now(),
            server: sum(&process::with_descendants(&all, server.roots())),
            ours: sum(&process::with_descendants(&all, &roots)),
            client: all.iter().find(|stat| stat.pid == me).map_or(0, |stat| stat.own),
            kernel: all.iter().filter(|s| s.parent == KERNEL || s.pid == KERNEL).map(|s| s.own).sum(),
            machine,
        }
    }

    /// What was spent since `earlier`.
    pub(crate) fn since(&self, earlier: &Self) -> Spent {
        let others = (self.machine - earlier.machine)
            .saturating_sub(self.ours.saturating_sub(earlier.ours))
            .saturating_sub(self.kernel.saturating_sub(earlier.kernel));
        Spent {
            wall: (self.moment - earlier.moment).as_secs_f64(),
            server: seconds(self.server.saturating_sub(earlier.server)),
            client: seconds(self.client.saturating_sub(earlier.client)),
            others: seconds(others),
        }
    }
}

impl Spent {
    /// How many cores others kept busy.
    pub(crate) fn others_busy(&self) -> f64 {
        self.others / self.wall
    }
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^53 ticks")]
fn seconds(ticks: u64) -> f64 {
    ticks as f64 / rustix::param::clock_ticks_per_second() as f64
}

/// The ticks in which the machine was not idle, by the first line of `/proc/stat` (proc(5)): user, nice, system, irq,
/// softirq and steal; guest time is in user's already.
fn busy(text: &str) -> Option<u64> {
    let fields: Vec<u64> = text.lines().next()?.split_whitespace().skip(1).filter_map(|f| f.parse().ok()).collect();
    [0, 1, 2, 5, 6, 7].iter().map(|&index| fields.get(index)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn busy_is_all_but_idle_and_waiting() {
        assert_eq!(busy("cpu  1 2 4 1000 2000 8 16 32 64 128\ncpu0 1\n"), Some(63));
        assert_eq!(busy("intr 1"), None);
    }

    #[test]
    fn others_are_what_is_neither_ours_nor_the_kernels() {
        let moment = Instant::now();
        let then = Cpu { moment, server: 0, ours: 0, client: 0, kernel: 0, machine: 0 };
        let now = Cpu { moment, server: 100, ours: 150, client: 50, kernel: 20, machine: 200 };
        let spent = now.since(&then);
        let tick = 1.0 / rustix::param::clock_ticks_per_second() as f64;
        assert_eq!((spent.server, spent.client, spent.others), (100.0 * tick, 50.0 * tick, 30.0 * tick));
        // Ticks of the machine are samples: they may fall short of what the processes add up to.
        assert_eq!(Cpu { machine: 100, ..now }.since(&then).others, 0.0);
    }
}
