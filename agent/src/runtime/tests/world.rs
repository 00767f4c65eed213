//! A node for one test: a configuration folder, a state folder and an engine.

use std::{
    fs::{File, create_dir, read_to_string},
    io::Write as _,
    path::{Path, PathBuf},
};

use super::{
    engine::FakeEngine,
    fuse::{Fuse, FusedDisk},
};
use crate::runtime::{
    apply::{Applied, ApplyError, Outcome, Wanted, apply_on, recover_on},
    disk::{Disk, RealDisk},
    mirror_url::MirrorUrl,
    operation::Setup,
    restore::{RestoreError, Restored, restore_on},
    target::ConfigDir,
    withdraw::Withdrawn,
};

/// Our mirror as `/info` shows it.
pub(super) const OURS: &str = "http://127.0.0.1:797/";

pub(super) fn put(path: &Path, text: &str) {
    File::create(path).unwrap().write_all(text.as_bytes()).unwrap();
}

/// What became of the one file that these engines read.
fn only(outcomes: Vec<Outcome>) -> Result<Applied, ApplyError> {
    let [outcome] = outcomes.try_into().expect("one file");
    outcome.applied
}

#[derive(Debug)]
pub(super) struct World {
    _outer: tempfile::TempDir,
    pub(super) docker: PathBuf,
    pub(super) setup: Setup,
    pub(super) wanted: Wanted,
    pub(super) engine: FakeEngine,
}

impl World {
    /// A node whose `daemon.json` is `text`, with an engine that runs with it.
    pub(super) fn with(text: Option<&str>) -> Self {
        let world = Self::without_folder();
        create_dir(&world.docker).unwrap();
        if let Some(text) = text {
            put(&world.file(), text);
        }
        world.engine.restart();
        world
    }

    pub(super) fn without_folder() -> Self {
        let outer = tempfile::tempdir().unwrap();
        let docker = outer.path().join("docker");
        let engine = FakeEngine::new(docker.join("daemon.json"));
        let mirror = MirrorUrl::parse(OURS).unwrap();
        let setup =
            Setup { config: ConfigDir::on_host(&docker), state: outer.path().join("state"), mirror, adopt: false };
        Self { _outer: outer, docker, setup, wanted: Wanted::default(), engine }
    }

    pub(super) fn file(&self) -> PathBuf {
        self.docker.join("daemon.json")
    }

    pub(super) fn journal(&self) -> PathBuf {
        self.setup.state.join("runtime/journal/daemon.json")
    }

    pub(super) fn text(&self) -> Option<String> {
        read_to_string(self.file()).ok()
    }

    pub(super) fn live(&self) -> Vec<String> {
        self.engine.state().live.clone()
    }

    pub(super) fn has_ours(&self) -> bool {
        self.live().iter().any(|live| live == OURS)
    }

    pub(super) async fn apply(&self) -> Result<Applied, ApplyError> {
        self.apply_on(&RealDisk).await
    }

    pub(super) async fn apply_on(&self, disk: &dyn Disk) -> Result<Applied, ApplyError> {
        only(apply_on(&self.setup, &self.engine, disk, &self.wanted).await?)
    }

    pub(super) async fn restore(&self) -> Result<Restored, RestoreError> {
        restore_on(&self.setup, &self.engine, &RealDisk).await
    }

    pub(super) async fn recover(&self) -> Result<Vec<Withdrawn>, ApplyError> {
        recover_on(&self.setup, &self.engine, &RealDisk).await
    }

    // --- with a machine that dies after so many steps; true: it died

    pub(super) async fn dies_in_apply(&self, steps: usize) -> bool {
        let disk = self.fused(steps);
        let applied = apply_on(&self.setup, &self.engine, &disk, &self.wanted).await.and_then(only);
        self.revived(&disk, applied.is_ok())
    }

    pub(super) async fn dies_in_restore(&self, steps: usize) -> bool {
        let disk = self.fused(steps);
        let restored = restore_on(&self.setup, &self.engine, &disk).await;
        self.revived(&disk, restored.is_ok())
    }

    pub(super) async fn dies_in_recover(&self, steps: usize) -> bool {
        let disk = self.fused(steps);
        let recovered = recover_on(&self.setup, &self.engine, &disk).await;
        self.revived(&disk, recovered.is_ok())
    }

    fn fused(&self, steps: usize) -> FusedDisk {
        let fuse = Fuse::of(steps);
        self.engine.state().fuse = fuse.clone();
        FusedDisk(fuse)
    }

    fn revived(&self, disk: &FusedDisk, went_well: bool) -> bool {
        let died = disk.0.is_burnt();
        assert!(went_well || died, "it fails only by dying");
        self.engine.state().fuse = Fuse::endless();
        died
    }

    /// Nothing is left lying about in the folders.
    pub(super) fn assert_tidy(&self) {
        for folder in [self.docker.as_path(), &self.setup.state.join("runtime/journal")] {
            for entry in folder.read_dir().into_iter().flatten() {
                let name = entry.unwrap().file_name().into_string().unwrap();
                assert!(!name.contains(".larder-"), "{name} was left in {}", folder.display());
            }
        }
    }
}
