//! A short-lived container of the agent's own image that sees the host's processes, for an agent that runs in a container and
//! does not: it tells how dockerd was started, and sends it SIGHUP (DESIGN §6). Whoever can reach the engine's socket could
//! do as much; it adds no right to those that the agent has.

use std::path::Path;

use anyhow::{Context as _, bail};
use bollard::{
    Docker,
    container::LogOutput,
    errors::Error,
    models::{ContainerCreateBody, ContainerSummary, HostConfig, HostConfigLogConfig},
    query_parameters::{ListContainersOptions, LogsOptions, RemoveContainerOptions, WaitContainerOptions},
};
use futures_util::{StreamExt as _, TryStreamExt as _};

use super::own::Own;

/// What marks a helper, so that one that was left behind is found.
const LABEL: &str = "larder.helper";
/// Where the helper sees the engine's socket: by who listens on it, it knows its dockerd from others.
const SOCKET: &str = "/docker.sock";

/// What a helper is to do; the hidden command `larder-agent dockerd`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Task {
    /// Tell how dockerd was started, as JSON.
    Look,
    /// Send it SIGHUP.
    HangUp,
}

impl Task {
    fn word(self) -> &'static str {
        match self {
            Self::Look => "look",
            Self::HangUp => "hang-up",
        }
    }
}

/// Runs a helper to its end, and gives what it said.
pub(super) async fn run(docker: &Docker, own: &Own, socket: &Path, task: Task) -> anyhow::Result<String> {
    sweep(docker).await;
    let body = body(docker, own, socket, task).await?;
    let created = docker.create_container(None, body).await.context("cannot create a helper container")?;
    let outcome = finish(docker, &created.id).await;
    remove(docker, &created.id).await;
    outcome.with_context(|| format!("the helper container ({})", task.word()))
}

async fn body(docker: &Docker, own: &Own, socket: &Path, task: Task) -> anyhow::Result<ContainerCreateBody> {
    let containers = docker.list_containers(None::<ListContainersOptions>).await.context("cannot list containers")?;
    let Some(ours) = containers.iter().find(|container| own.is(container)) else {
        bail!(
            "no dockerd is visible from this PID namespace, and the engine has no container that is this agent: in a \
             Swarm service set LARDER_TASK_ID={{{{.Task.ID}}}}; otherwise run the agent on the host"
        );
    };
    let program = std::env::current_exe().context("cannot tell where this program is")?;
    let program = program.to_str().context("this program's path is no text")?.to_owned();
    let socket = socket_on_host(ours, socket)?;
    let cmd = ["dockerd", task.word(), "--docker-host", &format!("unix://{SOCKET}")].map(str::to_owned);
    Ok(ContainerCreateBody {
        image: ours.image_id.clone(),
        entrypoint: Some(vec![program]),
        cmd: Some(cmd.to_vec()),
        labels: Some([(LABEL.to_owned(), task.word().to_owned())].into()),
        host_config: Some(HostConfig {
            binds: Some(vec![format!("{socket}:{SOCKET}")]),
            pid_mode: Some("host".to_owned()),
            network_mode: Some("none".to_owned()),
            userns_mode: Some("host".to_owned()),
            cap_drop: Some(vec!["ALL".to_owned()]),
            cap_add: Some(vec!["KILL".to_owned()]),
            readonly_rootfs: Some(true),
            // AppArmor's docker-default forbids signals to what it does not confine.
            security_opt: Some(
                ["apparmor=unconfined", "label=disable", "no-new-privileges"].map(str::to_owned).to_vec(),
            ),
            // Whatever the engine's own is, what it says must be readable.
            log_config: Some(HostConfigLogConfig { typ: Some("json-file".to_owned()), config: None }),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    })
}

/// The engine's socket as the host calls it: what is mounted where we see it.
fn socket_on_host(ours: &ContainerSummary, socket: &Path) -> anyhow::Result<String> {
    let mounts = ours.mounts.iter().flatten();
    let mounted = mounts.filter_map(|mount| {
        let rest = socket.strip_prefix(mount.destination.as_deref()?).ok()?;
        let source = Path::new(mount.source.as_deref()?);
        Some(if rest.as_os_str().is_empty() { source.to_owned() } else { source.join(rest) })
    });
    let longest = mounted.max_by_key(|path| path.components().count());
    let path = longest.with_context(|| format!("{} is not mounted into the agent's container", socket.display()))?;
    Ok(path.to_string_lossy().into_owned())
}

async fn finish(docker: &Docker, id: &str) -> anyhow::Result<String> {
    docker.start_container(id, None).await.context("cannot be started")?;
    let ended = docker.wait_container(id, None::<WaitContainerOptions>).next().await;
    let code = match ended {
        Some(Ok(ended)) => ended.status_code,
        Some(Err(Error::DockerContainerWaitError { code, .. })) => code,
        Some(Err(error)) => return Err(error.into()),
        None => bail!("the engine does not say how it ended"),
    };
    let options = LogsOptions { stdout: true, stderr: true, ..LogsOptions::default() };
    let said: Vec<LogOutput> = docker.logs(id, Some(options)).try_collect().await.context("what it said")?;
    let said: Vec<u8> = said.into_iter().flat_map(LogOutput::into_bytes).collect();
    let said = String::from_utf8_lossy(&said).trim().to_owned();
    if code == 0 { Ok(said) } else { bail!("{}", said.trim_start_matches("larder-agent: ")) }
}

/// Removes helpers that were left behind: by an agent that was killed meanwhile, or an engine that was.
async fn sweep(docker: &Docker) {
    let filters = Some([("label".to_owned(), vec![LABEL.to_owned()])].into());
    let options = ListContainersOptions { all: true, filters, ..ListContainersOptions::default() };
    for left in docker.list_containers(Some(options)).await.into_iter().flatten() {
        if let Some(id) = left.id {
            remove(docker, &id).await;
        }
    }
}

async fn remove(docker: &Docker, id: &str) {
    let options = RemoveContainerOptions { force: true, v: true, ..RemoveContainerOptions::default() };
    if let Err(error) = docker.remove_container(id, Some(options)).await {
        tracing::debug!(id, %error, "a helper container could not be removed; the next one does it");
    }
}

#[cfg(test)]
mod tests {
    use bollard::models::MountPoint;

    use super::*;

    #[test]
    fn the_socket_is_found_by_what_is_mounted() {
        let mount = |source: &str, destination: &str| MountPoint {
            source: Some(source.to_owned()),
            destination: Some(destination.to_owned()),
            ..MountPoint::default()
        };
        let ours = |mounts: Vec<MountPoint>| ContainerSummary { mounts: Some(mounts), ..ContainerSummary::default() };
        let on_host = |mounts, socket: &str| socket_on_host(&ours(mounts), Path::new(socket)).map_err(drop);
        let direct = vec![mount("/etc", "/host/etc"), mount("/run/d.sock", "/var/run/docker.sock")];
        assert_eq!(on_host(direct, "/var/run/docker.sock"), Ok("/run/d.sock".to_owned()));
        let folder = vec![mount("/run", "/host/run")];
        assert_eq!(on_host(folder, "/host/run/docker.sock"), Ok("/run/docker.sock".to_owned()));
        assert_eq!(on_host(vec![mount("/etc", "/host/etc")], "/var/run/docker.sock"), Err(()));
    }
}
