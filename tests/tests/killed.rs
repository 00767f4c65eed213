//! Hub and agent are killed again and again in the middle of a herd of pulls. Nothing wrong is ever there under a digest,
//! nothing is left lying about, what had arrived is not fetched again, and from every state that a kill leaves the pull
//! completes.
//!
//! `LARDER_KILLS` says how often (50), `LARDER_SEED` which random moments.

#![allow(clippy::print_stdout, reason = "figures are worth a line")]

#[path = "killed/ledger.rs"]
mod ledger;
#[path = "killed/life.rs"]
mod life;
#[path = "killed/random.rs"]
mod random;

use std::{net::SocketAddr, path::PathBuf};

use anyhow::{Context as _, Result, ensure};
use larder_tests::rig::{
    Rig,
    access::Kind,
    images::{Image, ImageSpec, LayerSpec},
    larder::Daemon,
    line::Line,
    registry::Registry,
    story,
};

use ledger::Ledger;
use life::Patient;
use random::Random;

const MIB: u64 = 1 << 20;

#[test]
fn a_hub_that_is_killed_goes_on_with_what_it_has() -> Result<()> {
    story(|rig| {
        let (upstream, image) = upstream(rig)?;
        let total = kill_again_and_again(rig, &image, upstream.address(), |name, line| {
            let name = format!("hub-{name}");
            let hub = hub(rig, &name, &line.url())?;
            Ok((hub, rig.root().join(name).join("data")))
        })?;
        // A download that goes on is a request of its own; nothing else is.
        let log = upstream.log()?;
        let gets = log.iter().filter(|entry| entry.is("GET", Kind::Blob)).count() as u64;
        ensure!(gets <= total.flights(), "{gets} GETs of blobs for {} downloads: {}", total.flights(), log.summary());
        Ok(())
    })
}

#[test]
fn an_agent_that_is_killed_goes_on_with_what_it_has() -> Result<()> {
    story(|rig| {
        let (upstream, image) = upstream(rig)?;
        let hub = hub(rig, "hub", upstream.url())?;
        let manifest = format!("/v2/{}/manifests/{}", image.repository(), image.manifest_digest());
        hub.get(&manifest).send()?.expect(200)?;
        for blob in image.blobs() {
            hub.get(&format!("/v2/{}/blobs/{}", image.repository(), blob.digest())).send()?.expect(200)?;
        }
        upstream.reset_log()?;
        kill_again_and_again(rig, &image, hub.address(), |name, line| {
            let name = format!("agent-{name}");
            let agent = rig.agent(&name, &line.url()).arg("--engine").arg("none").start()?;
            Ok((agent, rig.root().join(name).join("cache")))
        })?;
        let gets = upstream.log()?.gets_of_blobs();
        ensure!(gets == 0, "what the hub has was fetched {gets} times");
        Ok(())
    })
}

/// A hub in front of the registry at this URL.
fn hub(rig: &Rig, name: &str, upstream: &str) -> Result<Daemon> {
    let hub = rig.hub(name).remote(upstream);
    hub.adjust(|config| config["larder"]["registry"] = serde_json::json!("docker.io")).start()
}

/// A real registry, and an image in it.
fn upstream(rig: &Rig) -> Result<(Registry, Image)> {
    let sizes = [8, 16, 24, 40, 64];
    let layers = sizes.iter().map(|size| LayerSpec::random("data", *size, size * MIB));
    let spec = ImageSpec::new("library/app", "1").without_index();
    let image = layers.fold(spec, ImageSpec::layer).build()?;
    let upstream = rig.registry("upstream").start()?;
    upstream.load(&image)?;
    Ok((upstream, image))
}

/// Kills what `start` starts until it was killed often enough. What each kill leaves has an heir, which finishes the pull;
/// and is what the next life begins with. Each time everything is there at last, it begins anew with an empty folder.
/// Gives what came from `source` in all.
fn kill_again_and_again(
    rig: &Rig,
    image: &Image,
    source: SocketAddr,
    start: impl Fn(&str, &Line) -> Result<(Daemon, PathBuf)>,
) -> Result<Ledger> {
    let kills: u32 = environment("LARDER_KILLS")?.unwrap_or(50);
    let mut random = Random::new(environment("LARDER_SEED")?.unwrap_or(1));
    let blobs = image.blobs().into_iter();
    let content: Vec<_> = blobs.map(|blob| Ok((blob.clone(), blob.bytes()?))).collect::<Result<_>>()?;
    let patient = |name: &str, line| -> Result<Patient<'_>> {
        let (daemon, folder) = start(name, line)?;
        let patient = Patient { rig, image, content: &content, line, daemon, folder };
        patient.is_ready()?;
        Ok(patient)
    };
    let (line, line_of_heirs) = (rig.line(source)?, rig.line(source)?);
    let (mut killed, mut rounds, mut ledger) = (0, 0, Ledger::default());
    let heir = patient("heir", &line_of_heirs)?;
    while killed < kills {
        rounds += 1;
        let patient = patient(&rounds.to_string(), &line)?;
        let mut missing = content.len();
        while killed < kills && missing > 0 {
            let life = patient.live_and_die(missing, &mut random);
            ledger.add(life.with_context(|| format!("life {}", killed + 1))?);
            killed += 1;
            let finished = heir.inherits(&patient).with_context(|| format!("the heir of kill {killed}"))?;
            ledger.add_heir(finished);
            missing = patient.rises().with_context(|| format!("after kill {killed}"))?;
        }
        ledger.add(patient.recovers(missing).with_context(|| format!("at the end of round {rounds}"))?);
        patient.bury()?;
    }
    println!("{killed} kills in {rounds} rounds, each finished by an heir: {ledger}");
    ledger.check(rounds, image)?;
    Ok(ledger)
}

fn environment<T: std::str::FromStr>(name: &str) -> Result<Option<T>> {
    let Ok(text) = std::env::var(name) else { return Ok(None) };
    text.parse().map(Some).ok().with_context(|| format!("{name}={text} is no number"))
}
