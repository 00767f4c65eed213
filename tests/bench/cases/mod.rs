//! The cases, group by group. Within a group the servers take turns, in another order each round, so that none has the
//! quiet moments for itself.

pub(crate) mod cold;
pub(crate) mod herd;
pub(crate) mod many;
mod quiet;
pub(crate) mod requests;
mod slow;
pub(crate) mod warm;

use anyhow::Result;

use crate::{
    cli::say,
    interrupt::Interrupt,
    plan::{Group, Plan},
    report::Report,
    servers::{Kind, Server},
    stage::{Site, Stage},
};

/// Runs what is planned, and says every figure as it is taken.
pub(crate) fn run(plan: &Plan, stage: &Stage, interrupt: &Interrupt) -> Result<Report> {
    let mut report = Report::default();
    let shown = |table: crate::report::Table| {
        say(&format!("\n## {}\n\n{}", table.title, table.markdown()));
        Some(table)
    };
    let mut idle = many::idle_table();
    if plan.has(Group::Warm) {
        report.warm = shown(warm::run(plan, stage, &mut idle)?);
    }
    if plan.has(Group::Manifests) {
        report.manifests = shown(requests::manifests(plan, stage)?);
    }
    if plan.has(Group::Small) {
        report.small = shown(requests::small(plan, stage)?);
    }
    if [Group::Cold, Group::Herd, Group::Slow].into_iter().any(|group| plan.has(group)) {
        let site = Site::open(stage, interrupt)?;
        if plan.has(Group::Cold) {
            report.cold = shown(cold::run(plan, stage, &site)?);
        }
        if plan.has(Group::Herd) {
            report.herd = shown(herd::run(plan, stage, &site)?);
        }
        if plan.has(Group::Slow) {
            report.slow = shown(slow::run(plan, stage, &site)?);
        }
    }
    if plan.has(Group::Idle) {
        many::idle(plan, stage, &mut idle)?;
    }
    if plan.has(Group::Idle) || plan.has(Group::Warm) {
        report.idle = shown(idle);
    }
    if plan.has(Group::Many) {
        report.many = shown(many::run(plan, stage)?);
    }
    Ok(report)
}

/// Servers that all have the same upstream, which is one of them, and the agent that hub.
struct Lineup(Vec<Server>);

impl Lineup {
    fn start(stage: &Stage) -> Result<Self> {
        let registry = Server::start(stage, Kind::Registry, "")?;
        let hub = Server::start(stage, Kind::Hub, registry.url())?;
        let agent = Server::start(stage, Kind::Agent, hub.url())?;
        let proxy = Server::start(stage, Kind::Proxy, registry.url())?;
        let [nginx, again] = [Kind::Nginx, Kind::NginxAgain].map(|kind| Server::start(stage, kind, ""));
        // In the order of the rows.
        Ok(Self(vec![nginx?, again?, hub, agent, proxy, registry]))
    }

    /// All, beginning with another one each round.
    fn in_turn(&self, round: usize) -> impl Iterator<Item = &Server> {
        let count = self.0.len();
        (0..count).map(move |index| &self.0[(index + round) % count])
    }
}

impl Drop for Lineup {
    fn drop(&mut self) {
        // The agent before its hub, all before the upstream.
        let order = [Kind::Agent, Kind::Hub, Kind::Proxy, Kind::Nginx, Kind::NginxAgain, Kind::Registry];
        for kind in order {
            self.0.retain(|server| server.kind != kind);
        }
    }
}
