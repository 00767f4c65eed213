//! A real engine pulls while the hub's upstream fails: whatever hub and agent make of it, the engine gets its image,
//! from Docker Hub itself.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use larder_tests::rig::{
    access::Kind,
    faults::{
        Ending::{Fin, Rst},
        Fault, FaultyUpstream, When,
    },
    images::{self, Image},
    story,
};
use serde_json::json;

use crate::{
    report::Report,
    store,
    world::{TIERS, log_is_clean},
};

/// What fails, and where.
struct Pull {
    name: &'static str,
    /// What the fault is for.
    on: On,
    fault: fn() -> Fault,
    /// How long a pull may take, in seconds.
    within: u64,
}

#[derive(Clone, Copy)]
enum On {
    /// The tag, by HEAD and by GET.
    Tag,
    /// The index, by digest.
    Index,
    /// The manifest of this machine's architecture.
    Manifest,
    Config,
    /// A layer of 2 MiB.
    Layer,
}

/// The origin's own time is a second; the rest is how the engine (20.10, classic store) goes about it. It asks a mirror
/// for a tag by HEAD and then by GET, and for a layer that is refused twice as well: a hang costs it twice our 15 s.
/// A layer that broke off it asks for again after 5 s, and after 10 s more, before it takes 404 for an answer.
#[rustfmt::skip]
const PULLS: &[Pull] = &[
    Pull { name: "tag: 500", on: On::Tag, fault: || Fault::Status(500), within: 8 },
    Pull { name: "tag: 429", on: On::Tag, fault: || Fault::RateLimited(60), within: 8 },
    Pull { name: "tag: hangs", on: On::Tag, fault: || Fault::Hang, within: 35 },
    Pull { name: "index: a web page", on: On::Index, fault: || Fault::Html(200), within: 8 },
    Pull { name: "manifest: one bit flipped", on: On::Manifest, fault: || Fault::FlipBit, within: 8 },
    Pull { name: "config: one bit flipped", on: On::Config, fault: || Fault::FlipBit, within: 8 },
    Pull { name: "layer: 503", on: On::Layer, fault: || Fault::Status(503), within: 8 },
    Pull { name: "layer: hangs", on: On::Layer, fault: || Fault::Hang, within: 35 },
    Pull { name: "layer: hangs in the middle", on: On::Layer, fault: || Fault::HangAfter(1 << 20), within: 50 },
    Pull { name: "layer: one bit flipped", on: On::Layer, fault: || Fault::FlipBit, within: 20 },
    Pull { name: "layer: cut in the middle", on: On::Layer, fault: || Fault::CutAfter(1 << 20, Rst), within: 20 },
    Pull { name: "layer: cut soon", on: On::Layer, fault: || Fault::CutAfter(50_000, Fin), within: 30 },
];

#[test]
fn an_engine_pulls_all_the_same() -> Result<()> {
    story(|rig| {
        let images: Vec<Image> = (0..=PULLS.len())
            .map(|n| images::big(&format!("library/pull-{n}"), "1", 2).build())
            .collect::<Result<_>>()?;
        let origin = rig.docker_hub().start()?;
        images.iter().try_for_each(|image| origin.load(image))?;
        let upstream =
            images.iter().fold(rig.faulty_upstream("upstream"), |builder, image| builder.image(image)).start()?;
        let hub = rig.hub("hub").remote(upstream.url());
        let hub = hub.adjust(|config| config["larder"]["registry"] = json!("docker.io")).start()?;
        let engine = rig.engine("node").setting("max-concurrent-downloads", json!(30)).start()?;
        let agent = rig.agent("agent", &hub.url()).on(&engine).start()?;

        for (pull, image) in PULLS.iter().zip(&images) {
            pull.set(&upstream, image)?;
        }
        let took = thread::scope(|scope| {
            let pulls = images.iter().take(PULLS.len()).map(|image| {
                let pull = || {
                    let start = Instant::now();
                    (engine.pull(&image.hub_name()), start.elapsed())
                };
                scope.spawn(pull)
            });
            let pulls: Vec<_> = pulls.collect();
            pulls.into_iter().map(|pull| pull.join().expect("a pull does not panic")).collect::<Vec<_>>()
        });
        let mut report = Report::new("an engine pulls all the same");
        for (pull, (done, took)) in PULLS.iter().zip(took) {
            let (got, wrong) = match done {
                Err(error) => ("failed".to_owned(), Some(format!("{error:#}"))),
                Ok(_) if took > Duration::from_secs(pull.within) => {
                    ("pulled".to_owned(), Some(format!("{:.1} s instead of {} s", took.as_secs_f64(), pull.within)))
                }
                Ok(_) => ("pulled".to_owned(), None),
            };
            report.row(pull.name, "pull", got, took, wrong);
        }

        upstream.refuse();
        let last = images.last().context("there is one more")?;
        let took = engine.pull(&last.hub_name())?.elapsed;
        let wrong = (took > Duration::from_secs(8)).then(|| format!("{:.1} s", took.as_secs_f64()));
        report.row("upstream: refuses", "pull", "pulled", took, wrong);
        let said = engine.run(&last.hub_name(), &["cat", "/etc/image"])?;
        report.holds(said == format!("{}:1\n", last.repository()), format!("the container says {said:?}"));

        for (tier, daemon) in TIERS.into_iter().zip([&hub, &agent]) {
            let folder = rig.root().join(tier).join(if tier == "hub" { "data" } else { "cache" });
            store::no_partials(&folder)?;
            report.wrongs(store::unknown_files(&folder)?.into_iter().map(|file| format!("{tier} has {file}")));
            report.wrongs(log_is_clean(&daemon.logs()).map(|line| format!("{tier} logged: {line}")));
        }
        let silent = agent
            .logs()
            .lines()
            .filter(|line| line.contains("the hub is silent"))
            .map(str::to_owned)
            .collect::<Vec<_>>();
        report.holds(silent.is_empty(), format!("the hub lived, and the agent logged {silent:?}"));
        for (tier, daemon) in TIERS.into_iter().zip([&hub, &agent]).rev() {
            let status = daemon.stop(Duration::from_secs(40))?;
            report.holds(status.code() == Some(0), format!("{tier} ended with {status}"));
        }
        report.finish()
    })
}

impl Pull {
    fn set(&self, upstream: &FaultyUpstream, image: &Image) -> Result<()> {
        let (kind, reference) = match self.on {
            On::Tag => (Kind::Manifest, image.tag()),
            On::Index => (Kind::Manifest, image.digest()),
            On::Manifest => (Kind::Manifest, image.manifest_digest()),
            On::Config => (Kind::Blob, image.config_digest()),
            On::Layer => (Kind::Blob, image.layers().last().context("it has layers")?.digest()),
        };
        let when = When::from(kind).of(reference).saying(&format!("/{}/", image.repository()));
        upstream.fault(when, (self.fault)());
        Ok(())
    }
}
