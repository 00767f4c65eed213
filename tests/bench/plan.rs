//! What a run measures, how large, how often.

use std::time::Duration;

use anyhow::{Result, bail};

const MIB: u64 = 1 << 20;

/// A group of cases, by the names that `ONLY` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    /// Large blobs from the disk.
    Warm,
    /// Manifests by tag and digest.
    Manifests,
    /// Blobs of 100 KB.
    Small,
    /// One client, one blob that only the upstream has.
    Cold,
    /// Many clients of such a blob.
    Herd,
    /// Many clients of whom half are slow.
    Slow,
    /// Memory of who does nothing.
    Idle,
    /// Many blobs in the folder: memory, and the time to start.
    Many,
}

impl Group {
    pub(crate) const ALL: [Self; 8] =
        [Self::Warm, Self::Manifests, Self::Small, Self::Cold, Self::Herd, Self::Slow, Self::Idle, Self::Many];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Warm => "warm",
            Self::Manifests => "manifests",
            Self::Small => "small",
            Self::Cold => "cold",
            Self::Herd => "herd",
            Self::Slow => "slow",
            Self::Idle => "idle",
            Self::Many => "many",
        }
    }

    /// Reads `warm,herd`; nothing means all.
    pub(crate) fn parse_list(text: &str) -> Result<Vec<Self>> {
        let words: Vec<&str> = text.split([',', ' ']).filter(|word| !word.is_empty()).collect();
        for word in &words {
            if !Self::ALL.iter().any(|group| group.name() == *word) {
                bail!("there is no group {word}; there are {}", Self::ALL.map(Self::name).join(", "));
            }
        }
        let chosen = |group: &Self| words.is_empty() || words.contains(&group.name());
        Ok(Self::ALL.into_iter().filter(chosen).collect())
    }
}

/// A run.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) groups: Vec<Group>,
    /// Every case is measured so often on every server.
    pub(crate) rounds: usize,
    /// Smaller and shorter, to try the harness; the figures mean little.
    pub(crate) is_quick: bool,
    /// The large blob.
    pub(crate) large: u64,
    /// The blob of herds and of the slowest link.
    pub(crate) medium: u64,
    /// How many manifests, each under a tag.
    pub(crate) manifests: usize,
    /// How long a steady load is measured.
    pub(crate) window: Duration,
    /// How long each sample may wait for others to leave the machine alone.
    pub(crate) patience: Duration,
    /// Folders of so many blobs.
    pub(crate) many: Vec<usize>,
}

impl Plan {
    /// How many small blobs there are, and their size.
    pub(crate) const SMALL: (usize, u64) = (200, 100_000);

    pub(crate) fn new(groups: Vec<Group>, is_quick: bool) -> Self {
        let (large, medium) = if is_quick { (256, 64) } else { (1024, 256) };
        Self {
            groups,
            rounds: if is_quick { 1 } else { 3 },
            is_quick,
            large: large * MIB,
            medium: medium * MIB,
            manifests: if is_quick { 100 } else { 500 },
            window: Duration::from_millis(if is_quick { 700 } else { 2000 }),
            patience: Duration::ZERO,
            many: vec![if is_quick { 10_000 } else { 100_000 }],
        }
    }

    pub(crate) fn has(&self, group: Group) -> bool {
        self.groups.contains(&group)
    }

    /// All of it, at full size.
    pub(crate) fn is_whole(&self) -> bool {
        !self.is_quick && Group::ALL.iter().all(|group| self.has(*group))
    }
}

/// A size as people say it.
pub(crate) fn size(bytes: u64) -> String {
    match bytes {
        bytes if bytes >= 1024 * MIB && bytes % (1024 * MIB) == 0 => format!("{} GiB", bytes / MIB / 1024),
        bytes if bytes >= MIB => format!("{} MiB", bytes / MIB),
        bytes => format!("{} KB", bytes / 1000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_chosen_by_name() {
        assert_eq!(Group::parse_list("herd, warm").unwrap(), [Group::Warm, Group::Herd]);
        assert_eq!(Group::parse_list("").unwrap(), Group::ALL);
        assert!(Group::parse_list("warm,hot").unwrap_err().to_string().contains("no group hot"));
    }

    #[test]
    fn only_a_whole_run_at_full_size_is_whole() {
        assert!(Plan::new(Group::ALL.to_vec(), false).is_whole());
        assert!(!Plan::new(Group::ALL.to_vec(), true).is_whole());
        assert!(!Plan::new(vec![Group::Warm], false).is_whole());
    }

    #[test]
    fn sizes_are_said_shortly() {
        assert_eq!([size(1 << 30), size(256 * MIB), size(100_000)], ["1 GiB", "256 MiB", "100 KB"]);
    }
}
