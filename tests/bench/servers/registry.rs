//! Debian's `docker-registry`, CNCF distribution 2.8: with the corpus as its store, or as a pull-through cache.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Result;
use larder_tests::rig::{Process, Rig, http::Http, until};
use serde_json::{Value, json};

use super::{Kind, Part, Server};
use crate::stage::Stage;

const READY: Duration = Duration::from_secs(30);

/// What a registry is told.
pub(crate) struct Settings {
    pub(crate) listen: SocketAddr,
    pub(crate) store: PathBuf,
    /// What it is a cache of.
    pub(crate) remote: Option<String>,
    /// Where it counts its requests.
    pub(crate) observed_at: Option<SocketAddr>,
}

pub(super) fn start(stage: &Stage, kind: Kind, remote: Option<&str>) -> Result<Server> {
    let name = stage.name("registry");
    let (listen, folder) = (stage.rig.address(), stage.rig.root().join(&name));
    fs::create_dir(&folder)?;
    let store = if remote.is_some() { folder.join("data") } else { stage.corpus.store() };
    let settings = Settings { listen, store, remote: remote.map(str::to_owned), observed_at: None };
    let process = registry(&stage.rig, &stage.http, &name, &folder, &settings)?;
    Ok(Server::of(kind, format!("http://{listen}"), vec![Part::Process(process)], vec![folder]))
}

/// Starts one in `rig` with its configuration in `folder`.
///
/// # Errors
/// When it does not start.
pub(crate) fn registry(rig: &Rig, http: &Http, name: &str, folder: &Path, settings: &Settings) -> Result<Process> {
    let file = folder.join("config.yml");
    fs::write(&file, serde_json::to_vec_pretty(&configuration(settings))?)?;
    let process = rig.command(name, "docker-registry").arg("serve").arg(file).start()?;
    answers(http, &settings.listen, &process)?;
    Ok(process)
}

/// Waits until the server answers anything at all.
pub(super) fn answers(http: &Http, address: &SocketAddr, process: &Process) -> Result<()> {
    until(&format!("{} to answer", process.name()), READY, || {
        anyhow::ensure!(process.ended().is_none(), "it ended early:\n{}", process.log());
        Ok(http.get(format!("http://{address}/v2/")).send().ok().map(drop))
    })
}

/// As Debian ships it (`/etc/docker/registry/config.yml`), without its access log.
fn configuration(settings: &Settings) -> Value {
    let mut config = json!({
        "version": 0.1,
        "log": { "level": "error", "accesslog": { "disabled": true } },
        "storage": {
            "cache": { "blobdescriptor": "inmemory" },
            "filesystem": { "rootdirectory": settings.store },
            "delete": { "enabled": true },
        },
        "http": { "addr": settings.listen.to_string(), "secret": "of no importance" },
    });
    if let Some(remote) = &settings.remote {
        config["proxy"] = json!({ "remoteurl": remote });
    } else {
        // Two serve the same folder, and nobody pushes.
        config["storage"]["maintenance"] = json!({ "uploadpurging": { "enabled": false } });
    }
    if let Some(address) = settings.observed_at {
        config["http"]["debug"] =
            json!({ "addr": address.to_string(), "prometheus": { "enabled": true, "path": "/metrics" } });
    }
    config
}
