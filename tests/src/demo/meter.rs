//! How many bytes went where, by what the daemons count. Pure.

use std::ops::{Add, Sub};

use super::upstream::Sent;
use crate::rig::larder::Metrics;

/// Bytes that a daemon received from the one it asks.
pub(super) const RECEIVED: &str = "registry_proxy_pulled_bytes_total";
/// Bytes that it sent to those who ask it.
const PASSED_ON: &str = "registry_proxy_pushed_bytes_total";
/// Bytes of layers that it sent, by where it had them from.
const SERVED: &str = "larder_blob_served_bytes_total";

/// Bytes so far, or the difference between two times: what a pull moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Reading {
    /// From the upstream, to whomever.
    pub(super) upstream: u64,
    /// From the hub, to this node's agent.
    pub(super) hub: u64,
    /// From this node's own disk, to its engine.
    pub(super) disk: u64,
    /// What reached the engine, from wherever.
    pub(super) delivered: u64,
}

impl Reading {
    pub(super) fn new(sent: Sent, agent: &Metrics) -> Self {
        Self {
            upstream: sent.all,
            hub: agent.sum(RECEIVED) as u64,
            disk: agent.get(SERVED, &[("from", "disk")]).unwrap_or_default() as u64,
            delivered: agent.sum(PASSED_ON) as u64 + sent.past_larder,
        }
    }
}

impl Sub for Reading {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            upstream: self.upstream.saturating_sub(before.upstream),
            hub: self.hub.saturating_sub(before.hub),
            disk: self.disk.saturating_sub(before.disk),
            delivered: self.delivered.saturating_sub(before.delivered),
        }
    }
}

impl Add for Reading {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            upstream: self.upstream + other.upstream,
            hub: self.hub + other.hub,
            disk: self.disk + other.disk,
            delivered: self.delivered + other.delivered,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_is_of_both_ends() {
        let metrics = concat!(
            "registry_proxy_pulled_bytes_total{type=\"blob\"} 60\nregistry_proxy_pulled_bytes_total{type=\"manifest\"} 7\n",
            "registry_proxy_pushed_bytes_total{type=\"blob\"} 120\nlarder_blob_served_bytes_total{from=\"disk\"} 50\n",
            "larder_blob_served_bytes_total{from=\"download\"} 70\n",
        );
        let metrics = Metrics::parse(metrics).unwrap();
        let reading = Reading::new(Sent { all: 80, past_larder: 10 }, &metrics);
        assert_eq!(reading, Reading { upstream: 80, hub: 67, disk: 50, delivered: 130 });
        assert_eq!(reading - reading, Reading::default());
        assert_eq!((reading + reading) - reading, reading);
    }
}
