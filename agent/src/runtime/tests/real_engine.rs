//! The same against a dockerd of this machine: `cargo test -p larder-agent real_engine -- --ignored`, as root, with
//! `dockerd` in the path. It has folders of its own and touches nothing else.

use std::{
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::Context as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixStream,
    time::{sleep, timeout},
};

use super::world::{OURS, put};
use crate::runtime::{
    apply::{Applied, ApplyError, Wanted, apply as apply_all},
    confirm::Unconfirmed,
    daemon_json::Refusal,
    ending::FileLeft,
    engine::{Dialect, Engine, EngineFacts, MirrorFlag, Way},
    mirror_url::MirrorUrl,
    operation::Setup,
    plan::PlanRefusal,
    reload::Reloader,
    restore::{Restored, restore},
    target::ConfigDir,
    writer,
};

async fn apply(setup: &Setup, engine: &RealEngine) -> Result<Applied, ApplyError> {
    apply_all(setup, engine, &Wanted::default()).await?.remove(0).applied
}

struct RealEngine {
    daemon: Child,
    folder: tempfile::TempDir,
}

impl RealEngine {
    async fn start(text: &str, more: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("etc")).unwrap();
        put(&at("etc/daemon.json"), text);
        let daemon = Command::new("dockerd")
            .arg("--config-file")
            .arg(at("etc/daemon.json"))
            .args(
                ["--data-root", "--exec-root", "--pidfile"]
                    .iter()
                    .zip(["data", "exec", "pid"])
                    .flat_map(|(flag, name)| [PathBuf::from(flag), at(name)]),
            )
            .arg(format!("--host=unix://{}", at("sock").display()))
            .args(["--bridge=none", "--iptables=false", "--storage-driver=vfs"])
            .args(more)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let engine = Self { daemon, folder };
        let up = async {
            while engine.get("/info").await.is_err() {
                sleep(Duration::from_millis(100)).await;
            }
        };
        timeout(Duration::from_secs(60), up).await.expect("dockerd starts");
        engine
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("etc/daemon.json")
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.file()).unwrap()
    }

    fn setup(&self) -> Setup {
        let config = ConfigDir::on_host(self.folder.path().join("etc"));
        Setup { config, state: self.folder.path().join("state"), mirror: MirrorUrl::parse(OURS).unwrap(), adopt: false }
    }

    fn reloader(&self) -> Reloader {
        Reloader::new(self.folder.path().join("sock")).with_pid_file(self.folder.path().join("pid"))
    }

    async fn get(&self, path: &str) -> anyhow::Result<serde_json::Value> {
        let mut stream = UnixStream::connect(self.folder.path().join("sock")).await?;
        stream.write_all(format!("GET {path} HTTP/1.0\r\nHost: docker\r\n\r\n").as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        let (_, body) = answer.split_once("\r\n\r\n").context("no body")?;
        Ok(serde_json::from_str(body)?)
    }
}

impl Drop for RealEngine {
    fn drop(&mut self) {
        let number = rustix::process::Pid::from_child(&self.daemon);
        let _ = rustix::process::kill_process(number, rustix::process::Signal::TERM);
        let _ = self.daemon.wait();
    }
}

impl Engine for RealEngine {
    async fn facts(&self) -> anyhow::Result<EngineFacts> {
        let version = self.get("/version").await?;
        let dockerd = self.reloader().find().await?;
        Ok(EngineFacts {
            dialect: Dialect::of_version(version["Version"].as_str().unwrap_or_default()),
            mirror_flag: dockerd.mirror_flag(),
            config_file: dockerd.config_file(),
            ..EngineFacts::lenient()
        })
    }

    async fn mirrors(&self) -> anyhow::Result<Vec<String>> {
        let info = self.get("/info").await?;
        Ok(serde_json::from_value::<Option<Vec<String>>>(info["RegistryConfig"]["Mirrors"].clone())?
            .unwrap_or_default())
    }

    async fn reload(&self) -> anyhow::Result<()> {
        Ok(self.reloader().find().await?.hang_up()?)
    }

    async fn canary(&self, _: &Way) -> anyhow::Result<()> {
        Ok(())
    }
}

const PLAIN: &str = "{\n\t\"debug\": true,\n\t\"labels\": [\"a=caf\\u00e9\"]\n}\n";

#[tokio::test]
#[ignore = "starts a real dockerd"]
async fn it_is_pointed_at_us_and_given_back() {
    for (text, mirrors) in [
        (PLAIN, vec![]),
        ("{\"registry-mirrors\": [\"https://a.example\"]}", vec!["https://a.example/".to_owned()]),
        ("{\"registry-mirrors\":null}", vec![]),
        ("{ }", vec![]),
    ] {
        let engine = RealEngine::start(text, &[]).await;
        assert!(engine.reloader().find().await.unwrap().to_string().ends_with("found by its socket)"));
        assert_eq!(engine.mirrors().await.unwrap(), mirrors, "{text}");
        assert_eq!(apply(&engine.setup(), &engine).await.unwrap(), Applied::Configured);
        assert_eq!(engine.mirrors().await.unwrap(), [&[OURS.to_owned()], mirrors.as_slice()].concat());
        assert_eq!(apply(&engine.setup(), &engine).await.unwrap(), Applied::AlreadyLive);

        let Restored::Withdrawn(files) = restore(&engine.setup(), &engine).await.unwrap() else { panic!("{text}") };
        let withdrawn = &files[0];
        assert_eq!(withdrawn.file, FileLeft::AsBefore);
        assert_eq!(engine.text(), text);
        assert_eq!(engine.mirrors().await.unwrap(), mirrors, "{text}");
    }
}

#[tokio::test]
#[ignore = "starts a real dockerd"]
async fn its_flag_is_seen_and_respected() {
    let engine = RealEngine::start(PLAIN, &["--registry-mirror", "https://a.example"]).await;
    assert_eq!(engine.facts().await.unwrap().mirror_flag, MirrorFlag::Present);
    let refusal = apply(&engine.setup(), &engine).await.unwrap_err();
    assert!(
        matches!(refusal, ApplyError::Refused(PlanRefusal::File(writer::Refusal::DaemonJson(Refusal::FlagConflict)))),
        "{refusal}"
    );
    assert_eq!(engine.text(), PLAIN);
}

#[tokio::test]
#[ignore = "starts a real dockerd"]
async fn a_file_that_it_refuses_is_put_back() {
    let engine = RealEngine::start(PLAIN, &[]).await;
    let unknown = "{\"no-such-option\": 1}";
    put(&engine.file(), unknown);
    let error = apply(&engine.setup(), &engine).await.unwrap_err();
    assert!(matches!(error, ApplyError::Undone { why: Unconfirmed::NotFollowed { .. }, .. }), "{error}");
    assert_eq!(engine.text(), unknown);
    assert_eq!(engine.mirrors().await.unwrap(), Vec::<String>::new());
}
