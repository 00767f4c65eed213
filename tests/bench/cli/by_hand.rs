//! `larder-bench blob` and `get`: one figure of any server of plain HTTP.

use std::time::Duration;

use anyhow::Result;
use clap::Args;

use super::say;
use crate::{
    load::{self, Target, quantile},
    measure::{Cpu, Trees},
    units::{gigabytes, milliseconds},
};

#[derive(Args)]
pub(super) struct Blob {
    /// An address of plain HTTP.
    url: String,
    /// How many download at once.
    #[arg(long, default_value_t = 1)]
    clients: usize,
    /// Every client downloads again and again, and this long is measured.
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Every client downloads it so often instead, all starting at once.
    #[arg(long, conflicts_with = "seconds")]
    times: Option<usize>,
    /// The clients read the bytes, as engines do, instead of having them dropped.
    #[arg(long)]
    copy: bool,
    #[command(flatten)]
    server: Server,
}

#[derive(Args)]
pub(super) struct Get {
    /// Addresses of one server, asked for in turn.
    #[arg(required = true)]
    urls: Vec<String>,
    /// How many requests are under way at once.
    #[arg(long, default_value_t = 1)]
    connections: usize,
    /// Threads of the client.
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// How long is measured.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    #[command(flatten)]
    server: Server,
}

#[derive(Args)]
struct Server {
    /// The server's process, for its CPU time and memory; may be said again. Its children count.
    #[arg(long = "pid")]
    pids: Vec<i32>,
    /// Measures so often and shows each.
    #[arg(long, default_value_t = 1)]
    rounds: usize,
}

impl Blob {
    pub(super) fn run(&self) -> Result<()> {
        let target = Target::get(&self.url)?.copying(self.copy);
        let trees = Trees::of(&self.server.pids);
        for _ in 0..self.server.rounds {
            trees.reset_peaks();
            let probe = || Cpu::now(&trees);
            let (downloads, before, after) = match self.times {
                Some(times) => load::download(&target, self.clients, times, probe)?,
                None => load::stream(&target, self.clients, Duration::from_secs_f64(self.seconds), probe)?,
            };
            let (gb, cpu) = (gigabytes(downloads.bytes), after.since(&before));
            let mut line = format!("{:.2} GB/s", gb / downloads.wall.as_secs_f64());
            if !self.server.pids.is_empty() {
                line += &format!(", server {:.3} CPU-s/GB, peak RSS {:.1} MiB", cpu.server / gb, trees.peak_mib());
            }
            line += &format!(", client {:.3} CPU-s/GB, others {:.2} cores", cpu.client / gb, cpu.others_busy());
            let first = quantile(&downloads.first_bytes, 0.5).copied().unwrap_or_default();
            line += &format!("; first byte {:.2} ms", milliseconds(first));
            let slowest = downloads.by_client.first().copied().unwrap_or_default();
            let fastest = downloads.by_client.last().copied().unwrap_or_default();
            match (self.times, quantile(&downloads.whole, 0.5), downloads.whole.last()) {
                (Some(_), Some(median), Some(last)) => {
                    line += &format!(", whole {:.2} s median, {:.2} s last", median.as_secs_f64(), last.as_secs_f64());
                }
                _ => line += &format!(", clients read {:.2} to {:.2} GB", gigabytes(slowest), gigabytes(fastest)),
            }
            say(&line);
        }
        Ok(())
    }
}

impl Get {
    pub(super) fn run(&self) -> Result<()> {
        let targets: Vec<Target> = self.urls.iter().map(|url| Target::get(url)).collect::<Result<_>>()?;
        let trees = Trees::of(&self.server.pids);
        for _ in 0..self.server.rounds {
            trees.reset_peaks();
            let length = Duration::from_secs_f64(self.seconds);
            let probe = || Cpu::now(&trees);
            let (answers, before, after) = load::ask(&targets, self.connections, self.threads, length, probe)?;
            let cpu = after.since(&before);
            #[expect(clippy::cast_precision_loss, reason = "a count of requests")]
            let count = answers.count as f64;
            let (p50, p99) = (answers.latencies.quantile(0.5), answers.latencies.quantile(0.99));
            let mut line = format!("{:.0} requests/s", count / answers.wall.as_secs_f64());
            line += &format!(", p50 {:.2} ms, p99 {:.2} ms", milliseconds(p50), milliseconds(p99));
            if !self.server.pids.is_empty() {
                line += &format!(
                    ", server {:.1} us/request, peak RSS {:.1} MiB",
                    cpu.server / count * 1e6,
                    trees.peak_mib()
                );
            }
            line +=
                &format!(", client {:.1} us/request, others {:.2} cores", cpu.client / count * 1e6, cpu.others_busy());
            say(&line);
        }
        Ok(())
    }
}
