//! Real engines pull, run, fall back and reload as on real machines.

use std::{thread, time::Duration};

use anyhow::{Context as _, Result};
use larder_tests::rig::{
    images::{self, Format},
    registry::Rules,
    story, until_true,
};
use serde_json::json;

#[test]
fn an_engine_pulls_through_a_mirror_and_runs_what_it_got() -> Result<()> {
    story(|rig| {
        let mirror = rig.registry("mirror").start()?;
        let docker = images::busybox("library/tiny", "1").build()?;
        let oci = images::busybox("library/oci", "1").format(Format::Oci).build()?;
        let bare = images::busybox("library/bare", "1").without_index().build()?;
        let many = images::many_layers("library/many", "1", 20).build()?;
        let engine = rig.engine("node").mirror(mirror.url()).start()?;
        for image in [&docker, &oci, &bare, &many] {
            mirror.load(image)?;
            engine.pull(&image.hub_name())?;
            assert_eq!(engine.run(&image.hub_name(), &["echo", "hi"])?, "hi\n");
        }
        assert_eq!(engine.run("tiny:1", &["cat", "/etc/image"])?, "library/tiny:1\n");
        let id = engine.docker(&["image", "inspect", "--format", "{{.Id}}", "tiny:1"])?.stdout;
        assert_eq!(id.trim(), docker.config_digest());

        let log = mirror.log()?;
        assert_eq!(log.heads_of_manifest("1"), 4, "{}", log.summary());
        assert_eq!(log.gets_of_blob(docker.layers()[0].digest()), 1, "the images share it");
        assert_eq!(log.gets_of_blob(many.layers()[22].digest()), 1);

        // A container that runs, and must not outlive the story.
        engine.docker(&["run", "--detach", "--name", "left", "tiny:1"])?;
        engine.docker(&["exec", "left", "sh", "-c", "ps | grep sleep"])?;
        let states = engine.command("ps", "ps").args(["-e", "-o", "stat="]).finish(Duration::from_secs(5))?.stdout;
        assert!(!states.contains('Z'), "the node collects its orphans: {states}");
        Ok(())
    })
}

#[test]
fn an_engine_falls_through_a_dead_mirror_to_its_docker_hub() -> Result<()> {
    story(|rig| {
        let rules = Rules::new().public("library/*").user("root", "all", "*");
        let hub = rig.docker_hub().tokens(rules).start()?;
        let image = images::busybox("library/tiny", "1").build()?;
        hub.push(&image)?;
        hub.reset_log()?;
        let engine = rig.engine("node").mirror(&format!("http://{}", rig.address())).start()?;
        let took = engine.pull("tiny:1")?.elapsed;
        assert!(took < Duration::from_secs(10), "{took:?}");
        assert_eq!(engine.run("tiny:1", &["echo", "hi"])?, "hi\n");
        for layer in image.layers() {
            assert_eq!(hub.log()?.gets_of_blob(layer.digest()), 1, "{}", hub.log()?.summary());
        }
        Ok(())
    })
}

#[test]
fn an_engine_logs_in_where_tokens_are_wanted() -> Result<()> {
    story(|rig| {
        let rules = Rules::new().public("open/*").user("ann", "secret", "*");
        let msr = rig.registry("msr").tokens(rules).start()?;
        let (open, team) = (images::busybox("open/app", "1").build()?, images::busybox("team/app", "1").build()?);
        msr.load(&open)?;
        msr.load(&team)?;
        let engine = rig.engine("node").start()?;
        let name = |repository: &str| format!("{}/{repository}:1", msr.host());
        engine.pull(&name("open/app"))?;
        let refused = engine.try_docker(Duration::from_secs(30), &["pull", &name("team/app")])?;
        assert!(refused.stderr.contains("denied"), "{refused:?}");
        engine.log_in(msr.host(), msr.credentials().context("it has a user")?)?;
        engine.pull(&name("team/app"))?;
        Ok(())
    })
}

#[test]
fn two_engines_pull_at_once_and_know_nothing_of_each_other() -> Result<()> {
    story(|rig| {
        let hub = rig.docker_hub().start()?;
        hub.load(&images::big("library/big", "1", 200).build()?)?;
        let (a, b) = (rig.engine("a").start()?, rig.engine("b").start()?);
        thread::scope(|scope| {
            let pulls = [&a, &b].map(|engine| scope.spawn(|| engine.pull("big:1")));
            pulls.into_iter().try_for_each(|pull| pull.join().expect("a pull does not panic").map(drop))
        })?;
        b.wipe()?;
        assert_eq!(a.run("big:1", &["sh", "-c", "ls /data"])?, "big\n");
        assert!(b.docker(&["images", "--quiet"])?.stdout.is_empty());
        assert_ne!(a.pid()?, b.pid()?);
        let processes = a.command("ps", "ps").args(["-e", "-o", "comm="]).finish(Duration::from_secs(5))?.stdout;
        assert_eq!(processes.lines().filter(|&p| p == "dockerd").count(), 1, "{processes}");
        Ok(())
    })
}

#[test]
fn an_engine_takes_new_mirrors_by_sighup_and_its_containers_survive_its_crash() -> Result<()> {
    story(|rig| {
        let hub = rig.docker_hub().start()?;
        hub.load(&images::busybox("library/tiny", "1").build()?)?;
        let engine = rig.engine("node").setting("live-restore", json!(true)).start()?;
        assert!(engine.mirrors()?.is_empty());
        engine.write_daemon_json(&json!({ "live-restore": true, "registry-mirrors": ["http://127.0.0.1:9"] }))?;
        engine.reload()?;
        let taken = || engine.mirrors().is_ok_and(|m| m == ["http://127.0.0.1:9/"]);
        until_true("the new mirror", Duration::from_secs(5), taken)?;
        let told = || engine.events().is_ok_and(|all| all.iter().any(|e| e["Action"] == "reload"));
        until_true("the reload event", Duration::from_secs(5), told)?;

        // As an agent in a Swarm service has to do it: by a helper container with the process numbers of its host.
        engine.pull("tiny:1")?;
        engine.write_daemon_json(&json!({ "live-restore": true, "registry-mirrors": [] }))?;
        let helper = ["run", "--rm", "--pid", "host", "--network", "none", "--cap-drop", "ALL", "--cap-add", "KILL"];
        let number = engine.command("pid", "cat").arg("/run/docker.pid").finish(Duration::from_secs(5))?.stdout;
        engine.docker(&[&helper[..], &["--read-only", "tiny:1", "kill", "-HUP", number.trim()]].concat())?;
        until_true("no mirror again", Duration::from_secs(5), || engine.mirrors().is_ok_and(|m| m.is_empty()))?;

        engine.docker(&["run", "--detach", "--name", "lasting", "tiny:1"])?;
        engine.kill()?;
        engine.start()?;
        let state = engine.docker(&["inspect", "--format", "{{.State.Running}}", "lasting"])?.stdout;
        assert_eq!(state.trim(), "true");
        assert!(engine.logs().contains("API listen on"));
        Ok(())
    })
}
