//! The pulls of the story: each is made, measured, and held to what it is meant to show.

use std::{
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};

use super::{
    cluster::Cluster,
    meter::Reading,
    node::Node,
    screen::{Done, Screen, Step, bytes},
    upstream::{DockerHubFailed, Upstream},
};

/// For one pull: on a line that needs longer than this, a demo is no fun.
const LIMIT: Duration = Duration::from_secs(75);
/// How often the screen shows how far it is.
const GLANCE: Duration = Duration::from_millis(250);

/// Where the bytes of a pull are meant to come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    /// Through the hub, which has to fetch them.
    Upstream,
    /// The hub's disk.
    Hub,
    /// The node's own disk.
    Disk,
    /// Straight from the upstream, as if Larder were not there.
    PastLarder,
}

/// A pull to come.
pub(super) struct Plan<'a> {
    /// On this node.
    pub(super) node: &'a Node,
    /// What `docker pull` is told.
    pub(super) reference: &'a str,
    /// Its name in the table.
    pub(super) label: String,
    pub(super) from: From,
}

/// A pull that was made.
#[derive(Debug)]
pub(super) struct Pull {
    pub(super) label: String,
    pub(super) took: Duration,
    pub(super) moved: Reading,
}

impl Cluster {
    /// Makes a pull, after `first`, as a step called `what`.
    pub(super) fn pull(
        &self,
        screen: &Screen,
        what: &str,
        plan: Plan<'_>,
        first: impl FnOnce() -> Result<()>,
    ) -> Result<Pull> {
        let log = match plan.from {
            From::Upstream | From::Hub => "hub".to_owned(),
            From::Disk => plan.node.agent.name().to_owned(),
            From::PastLarder => plan.node.name.clone(),
        };
        screen.step(what, &log, |step| {
            first()?;
            let before = self.reading(plan.node)?;
            let done = self.watch(step, &plan, before).and_then(|took| {
                let moved = self.reading(plan.node)? - before;
                held_to(plan.from, moved, self.upstream.noise())?;
                Ok((took, moved))
            });
            let (took, moved) = done.map_err(|error| self.blame(plan.from, error))?;
            let outcome = format!("{} from {}", bytes(source(plan.from, moved)), self.name_of(plan.from));
            let pull = Pull { label: plan.label, took, moved };
            Ok(Done::with(pull).took(took).saying(outcome))
        })
    }

    /// Pulls, and shows meanwhile how much has come.
    fn watch(&self, step: &Step, plan: &Plan<'_>, before: Reading) -> Result<Duration> {
        let (tell, told) = mpsc::channel();
        let start = Instant::now();
        thread::scope(|scope| {
            scope.spawn(|| {
                // Somebody listens until this very message has come.
                let _ = tell.send(plan.node.engine.try_docker(LIMIT, &["pull", plan.reference]));
            });
            loop {
                match told.recv_timeout(GLANCE) {
                    Ok(Err(_)) if start.elapsed() >= LIMIT => {
                        bail!("{} did not come within {} s", plan.reference, LIMIT.as_secs());
                    }
                    Ok(pull) => {
                        let pull = pull?;
                        ensure!(pull.status.success(), "{}", reason(&pull.stderr));
                        return Ok(pull.elapsed);
                    }
                    Err(RecvTimeoutError::Timeout) => {
                        let so_far = self.reading(plan.node).map(|now| (now - before).delivered).unwrap_or_default();
                        step.progress(&if so_far == 0 { String::new() } else { bytes(so_far) });
                    }
                    Err(RecvTimeoutError::Disconnected) => bail!("the pull came to no end"),
                }
            }
        })
    }

    /// An upstream that is not ours may fail; the demo goes on without it then.
    fn blame(&self, from: From, error: anyhow::Error) -> anyhow::Error {
        match (&self.upstream, from) {
            (Upstream::DockerHub { .. }, From::Upstream | From::PastLarder) => error.context(DockerHubFailed),
            _ => error,
        }
    }

    fn name_of(&self, from: From) -> &'static str {
        match from {
            From::Upstream | From::PastLarder => self.upstream.in_words(),
            From::Hub => "the hub",
            From::Disk => "its own disk",
        }
    }

    /// The reference by which the engine of `node` names an image by its digest.
    pub(super) fn by_digest(&self, node: &Node, reference: &str) -> Result<String> {
        let format = "{{index .RepoDigests 0}}";
        let said = node.engine.docker(&["image", "inspect", "--format", format, reference])?.stdout;
        let said = said.trim();
        said.contains("@sha256:").then(|| said.to_owned()).with_context(|| format!("no digest: {said:?}"))
    }
}

fn source(from: From, moved: Reading) -> u64 {
    match from {
        From::Upstream | From::PastLarder => moved.upstream,
        From::Hub => moved.hub,
        From::Disk => moved.disk,
    }
}

/// A demo shows what is so: a pull that came from elsewhere than it should is an error.
fn held_to(from: From, moved: Reading, noise: u64) -> Result<()> {
    let (upstream, hub, disk) = (moved.upstream > noise, moved.hub > 0, moved.disk > 0);
    let is_right = match from {
        From::Upstream => upstream && hub,
        From::Hub => !upstream && hub,
        From::Disk => !upstream && !hub && disk,
        From::PastLarder => upstream && !hub && !disk,
    };
    ensure!(
        is_right,
        "the pull went another way than it should: {} from upstream, {} from the hub, {} from the node's disk",
        bytes(moved.upstream),
        bytes(moved.hub),
        bytes(moved.disk),
    );
    Ok(())
}

/// What `docker` says last, without what it says every time.
fn reason(stderr: &str) -> String {
    let last = stderr.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or("docker pull failed");
    last.trim_start_matches("Error response from daemon: ").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pull_is_held_to_its_way() {
        let moved = |upstream, hub, disk| Reading { upstream, hub, disk, delivered: 0 };
        for (from, right) in [
            (From::Upstream, moved(9, 9, 0)),
            (From::Hub, moved(0, 9, 0)),
            (From::Disk, moved(0, 0, 9)),
            (From::PastLarder, moved(9, 0, 0)),
        ] {
            assert!(held_to(from, right, 0).is_ok(), "{from:?}");
            for other in [From::Upstream, From::Hub, From::Disk, From::PastLarder].into_iter().filter(|&o| o != from) {
                assert!(held_to(other, right, 0).is_err(), "{other:?} {right:?}");
            }
        }
        assert!(held_to(From::Hub, moved(3, 9, 0), 5).is_ok(), "noise is not a pull");
    }

    #[test]
    fn the_reason_is_what_docker_says_last() {
        let limited = "Error response from daemon: toomanyrequests: You have reached your pull rate limit.\n\n";
        assert_eq!(reason(limited), "toomanyrequests: You have reached your pull rate limit.");
        assert_eq!(reason(""), "docker pull failed");
    }
}
