//! Where it all runs: a network of its own for clients and servers, and one behind a link for the upstream of cold
//! misses.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use anyhow::{Result, ensure};
use larder_tests::rig::{Process, Rig, http::Http, larder::Metrics, link::Link};

use crate::{
    corpus::Corpus,
    interrupt::Interrupt,
    load,
    plan::{Plan, size},
    servers::{Settings, registry},
};

/// What a run cannot do without, as (program, Debian package).
const PROGRAMS: [(&str, &str); 7] = [
    ("docker-registry", "docker-registry"),
    ("nginx", "nginx-light"),
    ("mkfs.ext4", "e2fsprogs"),
    ("ip", "iproute2"),
    ("tc", "iproute2"),
    ("unshare", "util-linux"),
    ("setpriv", "util-linux"),
];

/// What this machine lacks for a run: root, or packages.
pub(crate) fn lacks() -> Vec<&'static str> {
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    let is_there = |program: &str| path.split(':').any(|folder| Path::new(folder).join(program).exists());
    let root = (!rustix::process::geteuid().is_root()).then_some("root");
    let packages = PROGRAMS.iter().filter(|(program, _)| !is_there(program)).map(|(_, package)| *package);
    let mut lacks: Vec<&str> = root.into_iter().chain(packages).collect();
    lacks.dedup();
    lacks
}

/// Whether the disk holds what the servers store, and the tenth that agents keep free.
fn has_room(folder: &Path, plan: &Plan) -> Result<()> {
    let disk = rustix::fs::statvfs(folder)?;
    let (free, all) = (disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize);
    let need = all / 10 + plan.large * 6;
    ensure!(
        free >= need,
        "{} has {} free and this needs {}; set LARDER_RIG_DIR to a folder on a larger disk",
        folder.display(),
        size(free),
        size(need)
    );
    Ok(())
}

/// Clients, servers and what they serve.
pub(crate) struct Stage {
    pub(crate) corpus: Corpus,
    pub(crate) http: Http,
    count: AtomicU32,
    /// Last: it takes everything else with it.
    pub(crate) rig: Arc<Rig>,
}

impl Stage {
    pub(crate) fn set(plan: &Plan, interrupt: &Interrupt) -> Result<Self> {
        let rig = Arc::new(Rig::new()?);
        interrupt.ends(&rig)?;
        has_room(rig.root(), plan)?;
        let corpus = Corpus::make(&rig.root().join("corpus"), plan)?;
        Ok(Self { corpus, http: rig.http()?, count: AtomicU32::new(0), rig })
    }

    /// A name that nobody had.
    pub(crate) fn name(&self, what: &str) -> String {
        format!("{what}-{}", self.count.fetch_add(1, Ordering::Relaxed))
    }

    /// Runs a load in the network.
    pub(crate) fn run<T: Send>(&self, load: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        self.rig.inside(load)?
    }

    /// Downloads it and compares the digest.
    pub(crate) fn check(&self, target: &load::Target, digest: &str) -> Result<()> {
        self.run(|| load::check(target, digest))
    }
}

/// Writes to the disk what is still to be written, so that nobody pays for what was stored before.
pub(crate) fn settle_disk() {
    rustix::fs::sync();
}

/// The upstream of cold misses, behind a link.
pub(crate) struct Site {
    pub(crate) link: Link,
    listen: SocketAddr,
    observed_at: SocketAddr,
    http: Http,
    _upstream: Process,
    _rig: Arc<Rig>,
}

/// The link is idle when nothing has come for so long.
const SILENT: Duration = Duration::from_millis(300);

/// Whoever downloads a blob a second time is done by then.
const LONGEST: Duration = Duration::from_secs(300);

impl Site {
    pub(crate) fn open(stage: &Stage, interrupt: &Interrupt) -> Result<Self> {
        let rig = Arc::new(Rig::new()?);
        interrupt.ends(&rig)?;
        let link = stage.rig.link(&rig)?;
        let (listen, observed_at) = (SocketAddr::new(link.far_address(), 5000), rig.address());
        let settings = Settings { listen, store: stage.corpus.store(), remote: None, observed_at: Some(observed_at) };
        let (http, folder): (_, PathBuf) = (rig.http()?, rig.root().join("upstream"));
        fs::create_dir(&folder)?;
        let upstream = registry(&rig, &http, "upstream", &folder, &settings)?;
        Ok(Self { link, listen, observed_at, http, _upstream: upstream, _rig: rig })
    }

    /// The upstream, as it is reached from the other end of the link.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.listen)
    }

    /// Waits until nobody downloads any more.
    pub(crate) fn settle(&self) -> Result<()> {
        self.link.settle(SILENT, LONGEST)
    }

    /// How many GETs of blobs the upstream has answered so far, by its own count.
    pub(crate) fn gets(&self) -> Result<f64> {
        let text = self.http.get(format!("http://{}/metrics", self.observed_at)).send()?.expect(200)?.text();
        let labels = [("handler", "blob"), ("method", "get")];
        Ok(Metrics::parse(&text)?.get("registry_http_requests_total", &labels).unwrap_or_default())
    }
}
