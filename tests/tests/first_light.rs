//! First light: a real Docker engine, configured by our agent, pulls real images through agent and hub from a real
//! registry that asks for tokens, as Docker Hub does; and goes on when either is gone.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "the files of a rig need not outlive a crash; the times of pulls are worth a line"
)]

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use larder_tests::rig::{
    Rig,
    access::{AccessLog, Kind},
    engine::Engine,
    faults::{Fault, When},
    images::{self, Format, Image},
    larder::Daemon,
    registry::{Registry, Rules},
    story, until,
};

/// What a person has in `daemon.json` before Larder comes.
const DAEMON_JSON: &str = "{\n\t\"debug\": false,\n\t\"labels\": [\"tier=web\"]\n}\n";

/// How long a pull may take that is not served by agent or hub, beside what the origin itself takes.
const FALL_THROUGH: Duration = Duration::from_secs(3);

/// Docker Hub with its token server, and a hub in front of it.
fn hub_and_upstream(rig: &Rig) -> Result<(Registry, Daemon)> {
    let upstream = rig.docker_hub().tokens(Rules::new().public("library/*").user("root", "all", "*")).start()?;
    let hub = rig.hub("hub").remote("https://registry-1.docker.io").trust(upstream.ca_file().context("it has TLS")?);
    Ok((upstream, hub.start()?))
}

/// A node with an engine, and its agent.
fn node(rig: &Rig, name: &str, hub: &Daemon) -> Result<(Engine, Daemon)> {
    let engine = rig.engine(name).start()?;
    fs::write(engine.config_folder().join("daemon.json"), DAEMON_JSON)?;
    let agent = rig.agent(&format!("{name}-agent"), &hub.url()).on(&engine).start()?;
    ensure!(engine.mirrors()? == [format!("{}/", agent.url())], "not configured: {:?}", engine.mirrors()?);
    Ok((engine, agent))
}

/// Bytes of blobs and manifests that a daemon received from its upstream so far.
fn received(daemon: &Daemon) -> Result<f64> {
    Ok(daemon.metrics()?.sum("registry_proxy_pulled_bytes_total"))
}

/// Every content of the image came to the registry exactly once, and by our hub.
fn fetched_once(log: &AccessLog, image: &Image) -> Result<()> {
    for layer in image.layers() {
        ensure!(log.gets_of_blob(layer.digest()) == 1, "{}: {}", layer.digest(), log.summary());
    }
    ensure!(log.gets_of_blob(image.config_digest()) == 1, "config: {}", log.summary());
    ensure!(log.gets_of_manifest(image.digest()) == 1, "index: {}", log.summary());
    ensure!(log.gets_of_manifest(image.manifest_digest()) == 1, "manifest: {}", log.summary());
    ensure!(log.iter().all(|entry| entry.user_agent.starts_with("larder/")), "{}", log.summary());
    Ok(())
}

#[test]
fn an_image_crosses_the_wide_network_once() -> Result<()> {
    story(|rig| {
        let (upstream, hub) = hub_and_upstream(rig)?;
        let docker = images::busybox("library/app", "1").build()?;
        let oci = images::busybox("library/oci", "1").format(Format::Oci).build()?;
        let big = images::big("library/big", "1", 200).build()?;
        for image in [&docker, &oci, &big] {
            upstream.push(image)?;
        }
        upstream.reset_log()?;
        let (engine, agent) = node(rig, "one", &hub)?;

        for image in [&docker, &oci, &big] {
            let pull = engine.pull(&image.hub_name())?;
            println!("cold pull of {}: {:.1} s", image.repository(), pull.elapsed.as_secs_f64());
            assert_eq!(engine.run(&image.hub_name(), &["echo", "hello"])?, "hello\n");
        }
        // The images share their base, so the log is looked at as a whole.
        for image in [&docker, &oci, &big] {
            fetched_once(&upstream.log()?, image)?;
        }
        let log = upstream.log()?;
        let heads = log.iter().filter(|entry| entry.method == "HEAD" && entry.status == 200).count();
        assert_eq!(heads, 3, "one HEAD a tag: {}", log.summary());

        // Again: from the node's disk, with nobody asked.
        let (from_hub, from_upstream) = (received(&agent)?, received(&hub)?);
        upstream.reset_log()?;
        let hub_requests = hub.metrics()?.sum("registry_http_requests_total");
        for image in [&docker, &oci, &big] {
            engine.rmi(&image.hub_name())?;
        }
        for image in [&docker, &oci, &big] {
            let digest = format!("{}@{}", image.repository(), image.digest());
            let pull = engine.pull(&digest)?;
            println!("second pull of {}: {:.1} s", image.repository(), pull.elapsed.as_secs_f64());
        }
        engine.pull(&docker.hub_name())?;
        assert_eq!(received(&agent)? - from_hub, 0.0, "bytes from the hub");
        assert_eq!(received(&hub)? - from_upstream, 0.0, "bytes from the upstream");
        assert_eq!(upstream.log()?.len(), 0, "{}", upstream.log()?.summary());
        assert_eq!(hub.metrics()?.sum("registry_http_requests_total"), hub_requests, "the tag was still fresh");

        // Another node: from the hub's disk.
        let (other, other_agent) = node(rig, "two", &hub)?;
        other.pull(&docker.hub_name())?;
        other.pull(&format!("{}@{}", big.repository(), big.digest()))?;
        assert_eq!(other.run(&docker.hub_name(), &["echo", "hello"])?, "hello\n");
        assert_eq!(received(&hub)? - from_upstream, 0.0, "bytes from the upstream");
        assert_eq!(upstream.log()?.len(), 0, "{}", upstream.log()?.summary());
        assert!(received(&other_agent)? > 200e6);
        Ok(())
    })
}

#[test]
fn a_head_of_a_blob_downloads_it_in_neither_tier() -> Result<()> {
    story(|rig| {
        let upstream = rig.registry("upstream").start()?;
        let image = images::many_layers("library/many", "1", 1).build()?;
        upstream.load(&image)?;
        let line = rig.line(upstream.address())?;
        let hub = rig.hub("hub").remote(&line.url());
        let hub = hub.adjust(|config| config["larder"]["registry"] = serde_json::json!("docker.io")).start()?;
        let agent = rig.agent("agent", &hub.url()).arg("--engine").arg("none").start()?;
        let alive = || Ok((agent.metrics()?.sum("larder_hub_alive") == 1.0).then_some(()));
        until("the agent to hear of its hub", Duration::from_secs(30), alive)?;
        // A download that somebody began would still be under way.
        line.limit(10_000);
        let layer = &image.layers()[0];
        let path = format!("/v2/{}/blobs/{}", image.repository(), layer.digest());
        let head = rig.http()?.head(format!("{}{path}", agent.url())).send()?.expect(200)?;
        assert_eq!(head.header("content-length"), Some(layer.bytes()?.len().to_string().as_str()));
        for daemon in [&agent, &hub] {
            assert_eq!(daemon.metrics()?.sum("larder_downloads"), 0.0);
        }
        Ok(())
    })
}

#[test]
fn pulls_go_on_without_the_hub_without_the_agent_and_after_a_restore() -> Result<()> {
    story(|rig| {
        let (upstream, hub) = hub_and_upstream(rig)?;
        let cached = images::busybox("library/cached", "1").build()?;
        let (other, third) = (images::many_layers("library/other", "1", 20), images::busybox("library/third", "1"));
        let (other, third) = (other.build()?, third.build()?);
        for image in [&cached, &other, &third] {
            upstream.push(image)?;
        }
        let (engine, agent) = node(rig, "node", &hub)?;
        engine.pull(&cached.hub_name())?;
        engine.rmi(&cached.hub_name())?;
        upstream.reset_log()?;

        // The hub dies. What is on the node is pulled from it; the rest from the origin, soon.
        hub.kill()?;
        let by_digest = format!("{}@{}", cached.repository(), cached.digest());
        engine.pull(&by_digest)?;
        assert_eq!(upstream.log()?.len(), 0, "{}", upstream.log()?.summary());
        for (image, reference) in [(&other, other.hub_name()), (&third, format!("third@{}", third.digest()))] {
            let took = engine.pull(&reference)?.elapsed;
            let plain = origin_time(rig, image, &upstream)?;
            let (took_s, plain_s) = (took.as_secs_f64(), plain.as_secs_f64());
            println!("{reference} without the hub: {took_s:.2} s, straight from the origin {plain_s:.2} s");
            ensure!(took < FALL_THROUGH + plain, "{reference} took {took:?}");
        }
        assert_eq!(agent.metrics()?.sum("larder_hub_alive"), 0.0);

        // It comes back, and nobody has to be told.
        hub.start()?;
        until("the agent sees the hub", Duration::from_secs(10), || {
            Ok((agent.metrics()?.sum("larder_hub_alive") == 1.0).then_some(()))
        })?;
        engine.rmi(&third.hub_name()).ok();
        engine.wipe()?;
        upstream.reset_log()?;
        engine.pull(&third.hub_name())?;
        ensure!(upstream.log()?.iter().all(|entry| entry.user_agent.starts_with("larder/")), "through the hub again");

        // The agent stops. Its configuration stays, and the engine goes to the origin at once.
        let running = agent.stop(Duration::from_secs(40))?;
        ensure!(running.success(), "the agent ended with {running}");
        engine.wipe()?;
        upstream.reset_log()?;
        let took = engine.pull(&third.hub_name())?.elapsed;
        println!("without the agent: {:.2} s", took.as_secs_f64());
        ensure!(took < FALL_THROUGH, "took {took:?}");
        ensure!(upstream.log()?.iter().any(|entry| entry.user_agent.starts_with("docker/")));

        // And restore leaves no trace, with the agent down.
        ensure!(engine.mirrors()?.len() == 1, "an agent that stops leaves its configuration");
        let said = restore(rig, &engine, "node-agent")?;
        println!("{said}");
        assert_eq!(engine.daemon_json().as_deref(), Some(DAEMON_JSON));
        assert_eq!(engine.mirrors()?, Vec::<String>::new());
        Ok(())
    })
}

#[test]
fn restore_beside_a_running_agent_leaves_the_engine_alone() -> Result<()> {
    story(|rig| {
        let (upstream, hub) = hub_and_upstream(rig)?;
        upstream.push(&images::busybox("library/app", "1").build()?)?;
        let (engine, agent) = node(rig, "node", &hub)?;
        let configured = engine.daemon_json().context("there is one")?;
        ensure!(configured.contains(&agent.url()), "{configured}");
        restore(rig, &engine, "node-agent")?;
        assert_eq!(engine.daemon_json().as_deref(), Some(DAEMON_JSON));
        assert_eq!(engine.mirrors()?, Vec::<String>::new());
        engine.pull("app:1")?;

        // A restart is a new beginning.
        agent.stop(Duration::from_secs(40))?;
        agent.start()?;
        assert_eq!(engine.daemon_json(), Some(configured));
        engine.wipe()?;
        upstream.reset_log()?;
        engine.pull("app:1")?;
        ensure!(upstream.log()?.iter().all(|entry| entry.user_agent.starts_with("larder/")));
        Ok(())
    })
}

#[test]
fn a_private_registry_behind_a_token_server_and_a_private_ca() -> Result<()> {
    story(|rig| {
        let rules = Rules::new().user("puller", "s3cret-pw", "team/*").user("root", "all", "*");
        let msr = rig.registry("msr").tokens(rules).start()?;
        let image = images::busybox("team/app", "1").build()?;
        msr.load(&image)?;
        let hub = rig.hub("hub").remote(msr.url()).trust(msr.ca_file().context("it has TLS")?);
        let hub = hub.adjust(|config| {
            config["proxy"]["username"] = "puller".into();
            config["proxy"]["password"] = "s3cret-pw".into();
        });
        let hub = hub.start()?;
        let manifest = hub.get("/v2/team/app/manifests/1").send()?.expect(200)?;
        assert_eq!(manifest.header("docker-content-digest"), Some(image.digest()));
        for layer in image.layers() {
            let reply = hub.get(&format!("/v2/team/app/blobs/{}", layer.digest())).send()?.expect(200)?;
            assert_eq!(images::sha256(&reply.body), layer.digest());
        }
        hub.get("/v2/other/app/manifests/1").send()?.expect(403)?;
        ensure!(!hub.logs().contains("s3cret-pw"), "a secret in the log");
        Ok(())
    })
}

#[test]
fn who_stops_lets_running_downloads_finish() -> Result<()> {
    story(|rig| {
        // Two images, so that neither daemon has yet what it is asked for.
        let (first, second) =
            (images::big("library/one", "1", 1).build()?, images::big("library/two", "1", 2).build()?);
        let upstream = rig.faulty_upstream("upstream").as_docker_hub().image(&first).image(&second).start()?;
        let hub = rig.hub("hub").remote("https://registry-1.docker.io").trust(&rig.ca().file()).start()?;
        let agent = rig.agent("agent", &hub.url()).arg("--engine").arg("none").start()?;
        upstream.fault(When::from(Kind::Blob), Fault::Drip(1_000_000));
        for (daemon, image) in [(&agent, &first), (&hub, &second)] {
            let repository = image.repository();
            let manifest = format!("/v2/{repository}/manifests/{}", image.manifest_digest());
            daemon.get(&manifest).send()?.expect(200)?;
            let layer = image.layers().iter().max_by_key(|layer| layer.size()).context("it has layers")?;
            let (download, start) = (daemon.get(&format!("/v2/{repository}/blobs/{}", layer.digest())), Instant::now());
            let reply = thread::scope(|scope| -> Result<_> {
                let download = scope.spawn(|| download.send());
                until("the download runs", Duration::from_secs(10), || {
                    Ok((received(&hub)? > 0.0 && upstream.log().gets_of_blob(layer.digest()) == 1).then_some(()))
                })?;
                let status = daemon.stop(Duration::from_secs(20))?;
                ensure!(status.success(), "{} ended with {status}", daemon.name());
                download.join().map_err(|_| anyhow::anyhow!("the download panicked"))?
            })?;
            ensure!(reply.broken.is_none(), "{} cut it: {:?}", daemon.name(), reply.broken);
            assert_eq!(images::sha256(&reply.body), layer.digest());
            println!("{} drained in {:.1} s", daemon.name(), start.elapsed().as_secs_f64());
            ensure!(start.elapsed() > Duration::from_millis(900), "it was not running when it was told to stop");
            ensure!(daemon.get("/v2/").send().is_err(), "{} takes new requests", daemon.name());
        }
        Ok(())
    })
}

/// How long this image takes straight from the origin, on an engine that knows no mirror.
fn origin_time(rig: &Rig, image: &Image, upstream: &Registry) -> Result<Duration> {
    let engine = rig.engine(&format!("plain-{}", image.repository().replace('/', "-"))).start()?;
    ensure!(upstream.url().starts_with("https://"));
    Ok(engine.pull(&image.hub_name())?.elapsed)
}

/// `larder-agent restore`, as a person runs it on the node.
fn restore(rig: &Rig, engine: &Engine, agent: &str) -> Result<String> {
    let folder = rig.root().join(agent);
    let binary = larder_tests::rig::binaries::find("larder-agent")?;
    let done = engine
        .command("restore", &binary)
        .args(["restore", "--docker-host", "unix:///run/docker.sock", "--docker-config-dir", "/etc/docker"])
        .args([
            format!("--listen={}", mirror_of(engine)?),
            format!("--admin-socket={}", folder.join("admin.sock").display()),
            format!("--state-dir={}", folder.join("state").display()),
        ])
        .finish(Duration::from_secs(60))?
        .success()?;
    Ok(done.stdout.trim().to_owned())
}

/// The one mirror that the engine has, as an address.
fn mirror_of(engine: &Engine) -> Result<String> {
    let mirrors = engine.mirrors()?;
    let mirror = mirrors.first().context("the engine has no mirror")?;
    Ok(mirror.trim_start_matches("http://").trim_end_matches('/').to_owned())
}
