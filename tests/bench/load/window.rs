//! The time in which a steady load is measured: it begins when the load has run up, and the load goes on past its end.

use std::{
    thread,
    time::{Duration, Instant},
};

/// From when to when is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    start: Instant,
    end: Instant,
}

/// Connections are warm and buffers have grown by then.
const RUN_UP: Duration = Duration::from_millis(300);

impl Window {
    /// The window of this length that begins once a load that starts now has run up.
    pub(crate) fn after_run_up(length: Duration) -> Self {
        let start = Instant::now() + RUN_UP;
        Self { start, end: start + length }
    }

    pub(crate) fn contains(&self, moment: Instant) -> bool {
        self.start <= moment && moment < self.end
    }

    pub(crate) fn is_over(&self, moment: Instant) -> bool {
        moment >= self.end
    }

    /// Looks at `probe` at the start and at the end, and tells how far they were apart.
    #[allow(
        clippy::disallowed_methods,
        reason = "there is no condition to wait for: the time itself is what is measured"
    )]
    pub(crate) fn watch<P>(&self, mut probe: impl FnMut() -> P) -> (P, P, Duration) {
        let mut look = |moment: Instant| {
            thread::sleep(moment.saturating_duration_since(Instant::now()));
            // In this order: a probe counts first, and takes a while to look at all processes.
            (Instant::now(), probe())
        };
        let ((start, first), (end, last)) = (look(self.start), look(self.end));
        (first, last, end - start)
    }
}
