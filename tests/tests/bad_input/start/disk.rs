//! Folders that hold what they should not: a daemon says which file is in its way, or serves all the same.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use larder_tests::rig::{
    binaries,
    images::{self, Image},
    registry::Registry,
};
use serde_json::json;

use super::Bad;
use crate::{report::Report, world::log_is_clean};

/// Where Larder keeps names.
macro_rules! repositories {
    () => {
        "larder/registries/docker.io/repositories/"
    };
}

/// Where a registry that had the folder before kept them.
macro_rules! before {
    () => {
        "docker/registry/v2/repositories/"
    };
}

/// Something in the way: a file where a folder should be, noise in a file, a folder where a file should be.
#[derive(Clone, Copy)]
enum Thing {
    File,
    Folder,
}

/// Where, below the hub's folder.
const REFUSED: &[(&str, &str, Thing)] = &[
    ("folder: its lock is a folder", "larder/lock", Thing::Folder),
    ("folder: partials is a file", "larder/partials", Thing::File),
];

const SERVED: &[(&str, &str, Thing)] = &[
    ("folder: its index is noise", "larder/index", Thing::File),
    ("folder: its index is a folder", "larder/index", Thing::Folder),
    ("folder: a download that never ended", "larder/partials/sha256-00.0", Thing::File),
    ("folder: docker is a file", "docker", Thing::File),
    ("folder: blobs is a file", "docker/registry/v2/blobs", Thing::File),
    ("folder: registries is a file", "larder/registries", Thing::File),
    ("folder: a repository is a file", concat!(repositories!(), "library"), Thing::File),
    ("folder: a tag is noise", concat!(repositories!(), "library/tiny/_manifests/tags/1/current/link"), Thing::File),
    (
        "folder: a tag is a folder",
        concat!(repositories!(), "library/tiny/_manifests/tags/1/current/link"),
        Thing::Folder,
    ),
    (
        "folder: a tag of before is noise",
        concat!(before!(), "library/tiny/_manifests/tags/1/current/link"),
        Thing::File,
    ),
    ("folder: a repository of before is a file", concat!(before!(), "library/tiny"), Thing::File),
    ("folder: whose it was is noise", "larder/adopted", Thing::File),
    ("folder: whose it was is a folder", "larder/adopted", Thing::Folder),
];

pub(super) fn in_the_way(bad: &Bad<'_>, report: &mut Report) -> Result<()> {
    let image = images::busybox("library/tiny", "1").build()?;
    let upstream = bad.rig.registry("upstream").start()?;
    upstream.load(&image)?;
    let hub = binaries::find("larder-hub")?;
    for (n, (what, path, thing)) in REFUSED.iter().enumerate() {
        let folder = bad.folder.join(format!("refused-{n}"));
        thing.put(&folder.join(path))?;
        let launch = bad.rig.command("bad-hub", &hub).arg("serve").env("REGISTRY_PROXY_REMOTEURL", upstream.url());
        let launch = launch.env("REGISTRY_HTTP_ADDR", bad.rig.address().to_string());
        let launch = launch.env("REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY", &folder);
        bad.refused(report, "hub", what, launch, &[&folder.join(path).to_string_lossy()])?;
    }
    for (n, (what, path, thing)) in SERVED.iter().enumerate() {
        let (start, folder) = (Instant::now(), bad.folder.join(format!("served-{n}")));
        thing.put(&folder.join(path))?;
        let outcome = serves(bad, &format!("odd-{n}"), &folder, &upstream, &image);
        let got = if outcome.is_ok() { "serves" } else { "" };
        report.row(*what, "hub", got, start.elapsed(), outcome.err().map(|error| format!("{error:#}")));
    }
    Ok(())
}

/// The cache is no reason to fail a pull.
fn serves(bad: &Bad<'_>, name: &str, folder: &Path, upstream: &Registry, image: &Image) -> Result<()> {
    let hub = bad.rig.hub(name).remote(upstream.url());
    let hub = hub.adjust(|config| {
        config["storage"]["filesystem"]["rootdirectory"] = json!(folder);
        config["larder"]["registry"] = json!("docker.io");
    });
    let hub = hub.start()?;
    for _ in 0..2 {
        let manifest = hub.get("/v2/library/tiny/manifests/1").send()?.expect(200)?;
        ensure!(manifest.digest() == image.digest(), "another manifest");
        for layer in image.layers() {
            let blob = hub.get(&format!("/v2/library/tiny/blobs/{}", layer.digest())).send()?.expect(200)?;
            ensure!(blob.digest() == layer.digest(), "another layer");
        }
    }
    let ended = hub.stop(Duration::from_secs(20))?;
    ensure!(ended.code() == Some(0), "it ended with {ended}");
    ensure!(log_is_clean(&hub.logs()).next().is_none(), "it logged {:?}", log_is_clean(&hub.logs()).next());
    Ok(())
}

impl Thing {
    fn put(self, path: &Path) -> Result<()> {
        fs::create_dir_all(path.parent().unwrap_or(path))?;
        match self {
            Self::File => fs::write(path, [0xa5; 3000])?,
            Self::Folder => fs::create_dir(path)?,
        }
        Ok(())
    }
}
