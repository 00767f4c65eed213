//! `larder-bench run`: everybody side by side.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use clap::{Args, builder::FalseyValueParser};

use super::{complain, say};
use crate::{
    cases,
    interrupt::Interrupt,
    plan::{Group, Plan},
    report::{Machine, document},
    stage::{self, Stage},
};

#[derive(Args)]
pub(super) struct Run {
    /// How often everything is measured [default: 3; quick: 1].
    #[arg(long, env = "ROUNDS")]
    rounds: Option<usize>,
    /// Some groups: warm, manifests, small, cold, herd, slow, idle, many.
    #[arg(long, env = "ONLY", default_value = "")]
    only: String,
    /// Small and short, to try it.
    #[arg(long, env = "QUICK", value_parser = FalseyValueParser::new())]
    quick: bool,
    /// Also a folder with so many blobs.
    #[arg(long, env = "BLOBS")]
    blobs: Option<usize>,
    /// How many seconds each sample may wait for others to leave the machine alone.
    #[arg(long, env = "PATIENCE", default_value_t = 0)]
    patience: u64,
    /// The page that a whole run writes.
    #[arg(long, default_value = "docs/benchmarks.md")]
    out: PathBuf,
    /// The page that any other run writes.
    #[arg(long, default_value = "target/benchmarks.md")]
    part: PathBuf,
}

impl Run {
    pub(super) fn run(&self) -> Result<()> {
        let plan = self.plan()?;
        ensure!(stage::lacks().is_empty(), "this needs {}", stage::lacks().join(", "));
        let interrupt = Interrupt::watch()?;
        let measured = Self::measure(&plan, &interrupt);
        let left = interrupt.nothing_is_left();
        if interrupt.came() {
            left?;
            bail!("interrupted; nothing is left of it");
        }
        let page = measured?;
        left?;
        let out = if plan.is_whole() { &self.out } else { &self.part };
        std::fs::write(out, page).with_context(|| format!("writing {}", out.display()))?;
        say(&format!("\nwritten: {}", out.display()));
        Ok(())
    }

    fn plan(&self) -> Result<Plan> {
        let mut plan = Plan::new(Group::parse_list(&self.only)?, self.quick);
        plan.rounds = self.rounds.unwrap_or(plan.rounds).max(1);
        plan.patience = Duration::from_secs(self.patience);
        plan.many.extend(self.blobs);
        Ok(plan)
    }

    fn measure(plan: &Plan, interrupt: &Interrupt) -> Result<String> {
        say("making what is served");
        let stage = Stage::set(plan, interrupt)?;
        let machine = Machine::this(&stage.rig)?;
        let report = cases::run(plan, &stage, interrupt).inspect_err(|_| {
            if !interrupt.came() {
                complain(&stage.rig.log_tails(15));
            }
        })?;
        Ok(document(&report, plan, &machine))
    }
}
