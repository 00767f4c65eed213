//! The machine an engine believes to be on: mounts and process numbers of its own.
//!
//! `/run` is fresh, `/etc/hosts` is the rig's, `/etc/docker` is the engine's, and what is written below `/opt` goes to
//! the rig (containerd makes `/opt/containerd` wherever it starts). Everything else is the machine's, so the
//! engine is the one installed here. To run the engine of another Debian, this is the place: a root folder made by
//! mmdebstrap, entered with `pivot_root` (after a plain chroot every layer fails with `remount /: invalid argument`,
//! as `/` is no mount point there) before the mounts below. A network of its own would be one more `unshare` here.

use std::{fs, path::Path, sync::Arc, time::Duration};

use anyhow::{Context as _, Result};

use crate::rig::{
    facts,
    ground::Ground,
    poll::until,
    process::{Launch, Process},
};

/// What the node's first process does: set up, say so, then collect the orphans of its node for ever. `wait` takes any
/// child that ends, adopted ones too; the `sleep` only gives it something to wait for.
const INIT: &str = r#"
set -e
mount -t tmpfs -o mode=755 run /run
mount --bind "$0" /etc/hosts
mount --bind "$1" /etc/docker
if [ -d /opt ]; then mount -t overlay -o lowerdir=/opt,upperdir="$3/files",workdir="$3/work" opt /opt || :; fi
: >"$2"
set +e
while :; do sleep 3600 & wait $!; done
"#;

pub(crate) struct Node {
    ground: Arc<Ground>,
    process: Process,
    init: i32,
}

impl Node {
    /// Makes the node `name`; `etc_docker` is its `/etc/docker`.
    pub(crate) fn start(ground: &Arc<Ground>, name: &str, etc_docker: &Path) -> Result<Self> {
        let ready = etc_docker.with_file_name("node-is-ready");
        let opt = etc_docker.with_file_name("opt");
        fs::create_dir_all(opt.join("files"))
            .and_then(|()| fs::create_dir(opt.join("work")))
            .context("a place for /opt")?;
        let launch = Launch::new(Arc::clone(ground), &format!("{name}-node"), "unshare");
        let launch = launch.args(["--mount", "--propagation", "private", "--pid", "--fork", "--kill-child=KILL"]);
        let launch = launch.args(["--mount-proc", "--", "sh", "-c", INIT]);
        let launch = launch.arg(ground.hosts_file()).arg(etc_docker).arg(&ready).arg(&opt).expendable();
        let process = launch.start()?;
        until(&format!("node {name} to be set up"), Duration::from_secs(10), || {
            process.still_running()?;
            Ok(ready.exists().then_some(()))
        })?;
        let init = facts::children_of(process.pid()).first().copied().context("a node has a first process")?;
        Ok(Self { ground: Arc::clone(ground), process, init })
    }

    /// Its first process, by its number outside.
    pub(crate) fn init(&self) -> i32 {
        self.init
    }

    /// Ends everything on it. `unshare` ends its child with itself, and waits for nobody: so wait for the child.
    pub(crate) fn end(&self) -> Result<()> {
        let init = facts::Identity::of(self.init);
        self.process.kill()?;
        self.ground.forget(&self.process);
        until(
            "a node to end",
            Duration::from_secs(10),
            || Ok((!init.is_some_and(facts::Identity::alive)).then_some(())),
        )
    }
}
