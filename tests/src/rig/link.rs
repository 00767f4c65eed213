//! A wire between two rigs, with as much room as a link to a far registry has: a pair of virtual interfaces, shaped by
//! the kernel's token bucket.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};

use super::{Rig, ground::Ground, poll::until, process::Launch};

const NEAR: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
const FAR: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);

/// The interface's name at either end.
const DEVICE: &str = "larder-link";

/// A packet of the kernel's own making (64 KiB, cut later) must fit into the bucket, or it is cut in software.
const BURST: &str = "256kb";

/// Packets wait this long for room; then they are dropped, and TCP slows down.
const QUEUE: &str = "50ms";

/// For `ip` and `tc`, which take milliseconds.
const LIMIT: Duration = Duration::from_secs(10);

/// What idle connections say to each other in a moment is not worth waiting for.
const HUSH: u64 = 16 << 10;

/// The wire; its ends go with the rigs.
pub struct Link {
    near: Arc<Ground>,
    far: Arc<Ground>,
}

impl Rig {
    /// Lays the one wire that this rig may have to `far`.
    ///
    /// # Errors
    /// When there is one already, or the kernel has no virtual interfaces.
    pub fn link(&self, far: &Rig) -> Result<Link> {
        let link = Link { near: self.ground(), far: far.ground() };
        let other = far.netns()?;
        let other = other.to_str().context("a path of /proc is text")?;
        let pair = ["link", "add", DEVICE, "type", "veth", "peer", "name", DEVICE, "netns", other];
        run(&link.near, "ip", &pair)?;
        for (end, address) in [(&link.near, NEAR), (&link.far, FAR)] {
            run(end, "ip", &["address", "add", &format!("{address}/30"), "dev", DEVICE])?;
            run(end, "ip", &["link", "set", DEVICE, "up"])?;
        }
        Ok(link)
    }
}

impl Link {
    /// Where the far end's servers have to listen to be reached from the near end.
    pub fn far_address(&self) -> IpAddr {
        FAR.into()
    }

    /// Lets at most this many bytes a second pass from the far end to the near one, headers of packets included;
    /// `None` lets all pass.
    ///
    /// # Errors
    /// When the kernel has no token bucket.
    pub fn cap(&self, bytes_per_second: Option<u64>) -> Result<()> {
        let rate = bytes_per_second.map(|bytes| format!("{}bit", bytes * 8));
        let shape: &[&str] = match &rate {
            Some(rate) => &["tbf", "rate", rate.as_str(), "burst", BURST, "latency", QUEUE],
            None => &["pfifo"],
        };
        run(&self.far, "tc", &[&["qdisc", "replace", "dev", DEVICE, "root"], shape].concat())
    }

    /// Bytes that have come from the far end so far, headers of packets included.
    ///
    /// # Errors
    /// When the rig is being dropped.
    pub fn received(&self) -> Result<u64> {
        let table = self.near.net()?.inside(|| fs::read_to_string("/proc/thread-self/net/dev"))?;
        received(&table).context("the wire is not in the list of interfaces")
    }

    /// Waits until nothing comes any more for `moment`.
    ///
    /// # Errors
    /// When something still comes after `limit`.
    pub fn settle(&self, moment: Duration, limit: Duration) -> Result<()> {
        let (mut last, mut since) = (self.received()?, Instant::now());
        until("the wire to fall silent", limit, || {
            let now = self.received()?;
            if now - last > HUSH {
                (last, since) = (now, Instant::now());
            }
            Ok((since.elapsed() >= moment).then_some(()))
        })
    }
}

fn run(end: &Arc<Ground>, program: &str, args: &[&str]) -> Result<()> {
    Launch::new(Arc::clone(end), "link", program).args(args).finish(LIMIT)?.success()?;
    Ok(())
}

/// The first number of the wire's line in `/proc/net/dev`.
fn received(table: &str) -> Option<u64> {
    let line = table.lines().find_map(|line| line.trim().strip_prefix(DEVICE)?.strip_prefix(':'))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::received;

    #[test]
    fn the_wires_line_is_found() {
        let table = "Inter-|   Receive\n    lo: 5 1\nlarder-link: 1234 7 0\n";
        assert_eq!(received(table), Some(1234));
        assert_eq!(received("lo: 5 1\n"), None);
    }
}
