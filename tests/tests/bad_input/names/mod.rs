//! Names that are none, digests that cannot be verified, registries that are not configured, and URLs and headers of
//! absurd length: the protocol's error, or at least a refusal, and never a file outside the cache or somebody else's
//! content.

mod targets;

use std::time::Duration;

use anyhow::Result;
use larder_tests::rig::{images, story};

use crate::{
    report::Report,
    store,
    wire::{self, Parsed, Reply, To, request},
    world::{TIERS, World},
};

use targets::{Expected, NO_NAME, headers, targets};

const SOON: Duration = Duration::from_secs(5);

#[test]
fn names_that_are_none() -> Result<()> {
    story(|rig| {
        let image = images::busybox("library/tiny", "1").build()?;
        let upstream = rig.registry("upstream").start()?;
        upstream.load(&image)?;
        let world = World::start(rig, "names", upstream.url(), |hub| hub)?;
        let mut report = Report::new("names that are none");
        for tier in TIERS {
            world.tier(tier).get(&format!("/v2/library/tiny/blobs/{}", image.config_digest())).send()?.expect(200)?;
            world.tier(tier).get("/v2/library/tiny/manifests/1").send()?.expect(200)?;
        }
        for (what, target, expected) in targets(&image) {
            for tier in TIERS {
                let bytes =
                    [b"GET ", target.as_slice(), b" HTTP/1.1\r\nHost: larder\r\nConnection: close\r\n\r\n"].concat();
                let reply = wire::send(rig, &To::Tcp(world.address(tier)), &bytes, SOON)?;
                report.row(what.clone(), tier, reply.brief(), reply.took, judge(tier, &reply, &expected));
            }
        }
        for (what, headers, expected) in headers() {
            let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
            for tier in TIERS {
                let bytes = request("GET /v2/library/tiny/manifests/1", &headers, b"");
                let reply = wire::send(rig, &To::Tcp(world.address(tier)), &bytes, SOON)?;
                report.row(what, tier, reply.brief(), reply.took, judge(tier, &reply, &expected));
            }
        }
        // What the client has already is no way around the question whose it is.
        let blob = format!("/v2/library/tiny/blobs/{}?ns=evil.example", image.config_digest());
        let has = format!("If-None-Match: \"{}\"", image.config_digest());
        let reply =
            wire::send(rig, &To::Tcp(world.address("hub")), &request(&format!("GET {blob}"), &[&has], b""), SOON)?;
        report.row(
            "another registry's blob, If-None-Match",
            "hub",
            reply.brief(),
            reply.took,
            judge("hub", &reply, &NO_NAME),
        );

        for tier in TIERS {
            let own = "larder/registries/docker.io/repositories/library/tiny/";
            let files = store::files(&world.folder(tier))?;
            let stray = files.into_iter().filter(|file| file.contains("/repositories/") && !file.starts_with(own));
            report.wrongs(stray.map(|file| format!("{tier} has {file}")));
        }
        report.wrongs(world.farewell()?);
        report.finish()
    })
}

fn judge(tier: &str, reply: &Reply, expected: &Expected) -> Option<String> {
    let Some(answer) = reply.first() else {
        let silently = matches!(expected, Expected::Refused(_)) && reply.ended;
        return (!silently).then(|| reply.brief());
    };
    let Parsed { status, .. } = answer;
    let code = answer.code().unwrap_or_default();
    let right = match expected {
        Expected::Served => status == 200,
        Expected::Says(all) => all.iter().any(|(s, c)| {
            // The agent asks the hub whether it has a registry, and is told 404.
            let at_agent = tier == "agent" && *s == 404 && status == 404 && !code.is_empty();
            (status == *s && code == *c) || at_agent
        }),
        Expected::Refused(all) => all.contains(&status),
    };
    let html = answer.header("content-type").is_some_and(|kind| kind.contains("html"));
    let encoded = answer.header("content-encoding").is_some();
    (!right || html || encoded).then(|| answer.brief())
}
