//! What came over the line, and what may have come. Pure.

use std::fmt;

use anyhow::{Result, ensure};
use larder_tests::rig::images::Image;

const MIB: u64 = 1 << 20;

/// What a download may lose with a kill: the piece of 4 MiB that was not complete, and what was still on its way.
const LOSS: u64 = 5 * MIB;

/// Manifests, heads of answers, an agent's session: of one life.
pub(crate) const TALK: u64 = 256 << 10;

/// One life of a daemon.
pub(crate) struct Life {
    /// Blobs that were missing when it began: no more downloads than that can have been under way.
    pub(crate) flights: u64,
    /// Bytes that came over the line.
    pub(crate) received: u64,
    /// Whether it was killed.
    pub(crate) killed: bool,
}

/// All lives, and those of heirs.
#[derive(Default)]
pub(crate) struct Ledger {
    lives: Vec<Life>,
    heirs: Vec<Life>,
}

impl Ledger {
    pub(crate) fn add(&mut self, life: Life) {
        self.lives.push(life);
    }

    pub(crate) fn add_heir(&mut self, life: Life) {
        self.heirs.push(life);
    }

    /// Downloads that there can have been.
    pub(crate) fn flights(&self) -> u64 {
        self.lives.iter().chain(&self.heirs).map(|life| life.flights).sum()
    }

    /// Kills hit what they were to hit. And nothing came over the line but what was needed, once in each round, and what was lost by a kill.
    pub(crate) fn check(&self, rounds: u32, image: &Image) -> Result<()> {
        let needed = u64::from(rounds) * image.blobs().iter().map(|blob| blob.size()).sum::<u64>();
        let lost = |life: &Life| life.received.min(life.flights * LOSS);
        let lost: u64 = self.lives.iter().filter(|life| life.killed).map(lost).sum();
        let most = needed + lost + self.lives.len() as u64 * TALK;
        let (hits, kills) = (self.hits(), self.lives.iter().filter(|life| life.killed).count());
        ensure!(2 * hits >= kills, "only {hits} of {kills} kills were in the middle of downloads");
        let received = self.received();
        ensure!(
            received <= most,
            "{} MiB came for {} MiB; with what kills may lose, {} MiB may",
            received / MIB,
            needed / MIB,
            most / MIB
        );
        ensure!(received >= needed, "{received} bytes came, and {needed} were needed: not everything came this way");
        Ok(())
    }

    /// Kills after some of the content had come.
    fn hits(&self) -> usize {
        self.lives.iter().filter(|life| life.killed && life.received > MIB).count()
    }

    fn received(&self) -> u64 {
        self.lives.iter().map(|life| life.received).sum()
    }
}

impl fmt::Display for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of them in the middle of downloads; {} MiB received", self.hits(), self.received() / MIB)
    }
}
