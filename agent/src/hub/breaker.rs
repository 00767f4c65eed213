//! Whether the hub is asked at all.
//!
//! While the hub is silent, everything that is not on the node is answered 404 at once, so that the engine goes to the
//! origin and a pull of twenty layers does not wait twenty times. Every few seconds one request is let through to find
//! out; what really tells is the session.

use std::time::Duration;

use larder_content::{Fault, SourceError};
use tokio::{sync::watch, time::Instant};

/// How often one request may try a silent hub.
const PROBE_EVERY: Duration = Duration::from_secs(5);
/// How long such a request may take to its headers: the same as a beat of the session.
const PROBE_DEADLINE: Duration = Duration::from_millis(1500);

/// Lets requests to the hub through, or not.
#[derive(Debug)]
pub(crate) struct Breaker {
    state: watch::Sender<State>,
    /// `false` where there is nowhere else to go: then everything is let through.
    breaks: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// The hub lives.
    Closed,
    /// The hub is silent; from this time on one request may try it.
    Open { probe: Instant },
}

/// The permission to ask once.
#[derive(Debug)]
pub(super) enum Pass {
    /// As long as the hub lives.
    Alive(watch::Receiver<State>),
    /// Once, and not for long.
    Probe,
    /// As long as it takes.
    Unconditional,
}

impl Breaker {
    /// A breaker that has not heard of the hub: the first request finds out. One that never breaks is for nodes that
    /// can reach nothing but the hub.
    pub(crate) fn new(breaks: bool) -> Self {
        Self { state: watch::Sender::new(State::Open { probe: Instant::now() }), breaks }
    }

    /// The hub was heard.
    pub(crate) fn heard(&self) {
        if self.state.send_replace(State::Closed) != State::Closed {
            tracing::info!("the hub answers");
        }
    }

    /// The hub missed a deadline, or cannot be reached.
    pub(crate) fn silent(&self, why: &str) {
        let opened = self.state.send_if_modified(|state| {
            let was_closed = *state == State::Closed;
            if was_closed {
                *state = State::Open { probe: Instant::now() + PROBE_EVERY };
            }
            was_closed
        });
        if opened {
            tracing::warn!(why, "the hub is silent: what is not on this node is left to the origin");
        }
    }

    /// Whether the hub lives.
    pub(crate) fn is_closed(&self) -> bool {
        *self.state.borrow() == State::Closed
    }

    /// A permission to ask the hub now; `None` is not now.
    pub(super) fn admit(&self) -> Option<Pass> {
        if !self.breaks {
            return Some(Pass::Unconditional);
        }
        let mut probes = false;
        let is_closed = !self.state.send_if_modified(|state| match state {
            State::Closed => false,
            State::Open { probe } => {
                let now = Instant::now();
                probes = *probe <= now;
                if probes {
                    *probe = now + PROBE_EVERY;
                }
                true
            }
        });
        match (is_closed, probes) {
            (true, _) => Some(Pass::Alive(self.state.subscribe())),
            (false, true) => Some(Pass::Probe),
            (false, false) => None,
        }
    }

    /// What a request that was let through says of the hub.
    pub(crate) fn learn<T>(&self, outcome: &Result<T, SourceError>) {
        match outcome {
            Ok(_) => self.heard(),
            Err(error) => match error.fault {
                Fault::Unreachable => self.silent(&error.detail),
                // A hub that is slow or in trouble with its upstream lives all the same.
                Fault::TimedOut | Fault::Skipped => {}
                _ => self.heard(),
            },
        }
    }
}

impl Pass {
    /// Waits until the permission is withdrawn.
    pub(super) async fn withdrawn(self) {
        match self {
            Self::Alive(mut state) => {
                // The sender lives as long as the agent; without it there is nothing to wait for.
                let _ = state.wait_for(|state| *state != State::Closed).await;
            }
            Self::Probe => tokio::time::sleep(PROBE_DEADLINE).await,
            Self::Unconditional => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_silent_hub_is_tried_once_in_a_while() {
        let breaker = Breaker::new(true);
        // Nothing is known yet: one may find out, the others do not wait for it.
        assert!(matches!(breaker.admit(), Some(Pass::Probe)) && breaker.admit().is_none());
        breaker.heard();
        assert!(matches!(breaker.admit(), Some(Pass::Alive(_))) && breaker.is_closed());

        breaker.silent("test");
        for _ in 0..3 {
            assert!(breaker.admit().is_none());
            advance(PROBE_EVERY).await;
            assert!(matches!(breaker.admit(), Some(Pass::Probe)));
            // Missing more deadlines does not put the next try off.
            breaker.silent("test");
        }
        breaker.heard();
        assert!(matches!(breaker.admit(), Some(Pass::Alive(_))));
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_is_told_when_the_hub_falls_silent() {
        let breaker = Breaker::new(true);
        breaker.heard();
        let mut waiting = Box::pin(breaker.admit().unwrap().withdrawn());
        assert!(waiting.as_mut().now_or_never().is_none());
        breaker.silent("test");
        waiting.await;
        advance(PROBE_EVERY).await;
        let start = Instant::now();
        breaker.admit().unwrap().withdrawn().await;
        assert_eq!(start.elapsed(), PROBE_DEADLINE);
    }

    #[tokio::test(start_paused = true)]
    async fn with_nowhere_else_to_go_everything_is_let_through() {
        let breaker = Breaker::new(false);
        breaker.silent("test");
        assert!(matches!(breaker.admit(), Some(Pass::Unconditional)));
    }

    #[tokio::test(start_paused = true)]
    async fn requests_tell_as_well() {
        let breaker = Breaker::new(true);
        let fails = |fault| Err::<(), _>(SourceError::new("hub", fault, "test"));
        for (outcome, is_closed) in [
            (Ok(()), true),
            (fails(Fault::TimedOut), true),
            (fails(Fault::Unreachable), false),
            (fails(Fault::TimedOut), false),
            (fails(Fault::NotFound), true),
            (fails(Fault::Failing), true),
        ] {
            breaker.learn(&outcome);
            assert_eq!(breaker.is_closed(), is_closed, "{outcome:?}");
        }
    }
}
