//! The faulty upstream is a healthy registry until it is told otherwise, and then fails in exactly the way it is told.

use std::time::{Duration, Instant};

use anyhow::Result;
use larder_tests::rig::{
    Rig,
    access::Kind,
    faults::{Ending, Fault, FaultyUpstream, TOKEN, When},
    http::Reply,
    images::{self, Image, sha256},
    story,
};

/// For what never comes.
const SHORT: Duration = Duration::from_millis(400);
/// For what does.
const LONG: Duration = Duration::from_secs(20);

struct Scene<'a> {
    rig: &'a Rig,
    upstream: FaultyUpstream,
    image: Image,
}

impl<'a> Scene<'a> {
    fn set(rig: &'a Rig) -> Result<Self> {
        let image = images::busybox("library/tiny", "1").build()?;
        let upstream = rig.faulty_upstream("upstream").image(&image).start()?;
        Ok(Self { rig, upstream, image })
    }

    fn get(&self, path: &str, limit: Duration) -> Result<Reply> {
        self.rig.http()?.get(format!("{}{path}", self.upstream.url())).limit(limit).send()
    }

    fn blob(&self) -> Result<Reply> {
        self.get(&self.blob_path(), LONG)
    }

    fn blob_path(&self) -> String {
        format!("/v2/library/tiny/blobs/{}", self.image.layers()[0].digest())
    }

    fn manifest(&self) -> Result<Reply> {
        self.get("/v2/library/tiny/manifests/1", LONG)
    }

    /// What comes of a blob under this fault.
    fn blob_under(&self, fault: Fault) -> Result<Reply> {
        self.upstream.heal();
        let limit = if matches!(fault, Fault::Hang | Fault::HangAfter(_) | Fault::Drip(_)) { SHORT } else { LONG };
        self.upstream.fault(Kind::Blob, fault);
        self.get(&self.blob_path(), limit)
    }
}

#[test]
fn without_a_fault_it_is_a_registry_that_an_engine_pulls_from() -> Result<()> {
    story(|rig| {
        let scene = Scene::set(rig)?;
        let engine = rig.engine("node").mirror(scene.upstream.url()).start()?;
        engine.pull("tiny:1")?;
        assert_eq!(engine.run("tiny:1", &["echo", "hi"])?, "hi\n");
        let log = scene.upstream.log();
        assert_eq!((log.of(Kind::Ping), log.heads_of_manifest("1")), (1, 1), "{}", log.summary());
        assert_eq!(log.gets_of_blob(scene.image.layers()[0].digest()), 1);
        assert!(log.iter().all(|e| e.user_agent.starts_with("docker/") && e.header("authorization").is_none()));

        let range =
            rig.http()?.get(format!("{}{}", scene.upstream.url(), scene.blob_path())).header("range", "bytes=5-");
        let part = range.send()?.expect(206)?;
        let size = scene.image.layers()[0].size();
        assert_eq!(part.header("content-range"), Some(format!("bytes 5-{}/{size}", size - 1).as_str()));
        assert_eq!(scene.upstream.log().last().and_then(|e| e.range.clone()).as_deref(), Some("bytes=5-"));
        assert_eq!(scene.get("/v2/library/tiny/manifests/2", LONG)?.status, 404);
        Ok(())
    })
}

#[test]
fn connections_are_refused_dropped_and_left_hanging() -> Result<()> {
    story(|rig| {
        let scene = Scene::set(rig)?;
        scene.upstream.refuse();
        let says = |outcome: Result<Reply>, what: &str| match outcome {
            Ok(reply) => panic!("an answer: {reply:?}"),
            Err(e) => assert!(format!("{e:#}").contains(what), "{e:#}"),
        };
        says(scene.blob(), "refused");
        scene.upstream.listen()?;
        scene.blob()?.expect(200)?;

        says(scene.blob_under(Fault::Drop(Ending::Fin)), "connection closed");
        says(scene.blob_under(Fault::Drop(Ending::Rst)), "reset");
        let start = Instant::now();
        says(scene.blob_under(Fault::Hang), "timed out");
        assert!(start.elapsed() >= SHORT);
        scene.manifest()?.expect(200)?;
        assert_eq!(scene.upstream.log().iter().filter(|e| e.status == 0).count(), 3);
        Ok(())
    })
}

#[test]
fn bodies_break_off_lie_and_crawl() -> Result<()> {
    story(|rig| {
        let scene = Scene::set(rig)?;
        let whole = scene.blob()?.expect(200)?;
        let broken = |fault: Fault, bytes: usize, why: &str| -> Result<()> {
            let reply = scene.blob_under(fault.clone())?;
            assert_eq!((reply.status, reply.body.len()), (200, bytes), "{fault:?}");
            let broken = reply.broken.unwrap_or_default();
            assert!(broken.contains(why), "{fault:?}: {broken}");
            Ok(())
        };
        broken(Fault::CutAfter(1000, Ending::Fin), 1000, "end of file")?;
        broken(Fault::HangAfter(1000), 1000, "timed out")?;
        broken(Fault::LengthOff(7), whole.body.len(), "end of file")?;
        // The reset may overtake what was sent before it.
        let reset = scene.blob_under(Fault::CutAfter(1000, Ending::Rst))?;
        assert!(reset.body.len() <= 1000 && reset.broken.is_some_and(|why| why.contains("reset")));

        let short = scene.blob_under(Fault::LengthOff(-7))?.expect(200)?;
        assert_eq!(short.body.len(), whole.body.len() - 7);
        let flipped = scene.blob_under(Fault::FlipBit)?.expect(200)?;
        assert_eq!(flipped.body.len(), whole.body.len());
        assert_ne!(flipped.digest(), whole.digest());
        let slow = scene.blob_under(Fault::Drip(20_000))?;
        assert!(slow.broken.is_some() && (1000..20_000).contains(&slow.body.len()), "{}", slow.body.len());
        Ok(())
    })
}

#[test]
fn answers_are_wrong_in_the_way_asked_for() -> Result<()> {
    story(|rig| {
        let scene = Scene::set(rig)?;
        let upstream = &scene.upstream;
        let denied = scene.blob_under(Fault::Status(403))?;
        assert_eq!((denied.status, denied.text().contains("DENIED")), (403, true));
        let challenge = scene.blob_under(Fault::Status(401))?;
        assert_eq!((challenge.status, challenge.header("www-authenticate")), (401, None));
        let portal = scene.blob_under(Fault::Html(200))?;
        assert_eq!((portal.status, portal.header("content-type")), (200, Some("text/html")));
        let limited = scene.blob_under(Fault::RateLimited(30))?;
        assert_eq!((limited.status, limited.header("retry-after")), (429, Some("30")));
        let packed = scene.blob_under(Fault::Gzip)?;
        assert_eq!((packed.status, packed.header("content-encoding")), (200, Some("gzip")));

        upstream.heal();
        upstream.fault(When::from(Kind::Manifest).times(1), Fault::Padded(10 << 20));
        let large = scene.manifest()?.expect(200)?;
        assert!(large.body.len() > 10 << 20);
        assert_eq!(large.header("docker-content-digest"), Some(sha256(&large.body).as_str()));
        assert_eq!(scene.manifest()?.digest(), scene.image.digest(), "once was enough");
        upstream.fault(Kind::Manifest, Fault::MediaType("application/x-unheard-of".to_owned()));
        assert_eq!(scene.manifest()?.header("content-type"), Some("application/x-unheard-of"));
        upstream.fault(Kind::Manifest, Fault::NoDigest);
        assert_eq!(scene.manifest()?.header("docker-content-digest"), None);
        Ok(())
    })
}

#[test]
fn a_redirect_shows_what_the_other_host_gets_to_see() -> Result<()> {
    story(|rig| {
        let image = images::busybox("library/tiny", "1").build()?;
        let storage = rig.faulty_upstream("storage").tls().named("storage.example").image(&image).start()?;
        let upstream = rig.faulty_upstream("upstream").image(&image).bearer().start()?;
        upstream.fault(Kind::Blob, Fault::Redirect(storage.url().to_owned()));
        let http = rig.http()?;
        let blob = format!("{}/v2/library/tiny/blobs/{}", upstream.url(), image.config_digest());
        let refused = http.get(&blob).send()?;
        assert_eq!(refused.status, 307, "the fault comes before the lock");
        upstream.heal();
        let challenge = http.get(&blob).send()?.expect(401)?;
        assert!(challenge.header("www-authenticate").is_some_and(|c| c.contains("/token")));
        assert!(http.get(format!("{}/token", upstream.url())).send()?.text().contains(TOKEN));
        http.get(&blob).bearer(TOKEN).send()?.expect(200)?;

        let target = refused.header("location").unwrap_or_default();
        // A careless client carries its credentials along.
        http.get(target).bearer("secret").send()?.expect(200)?;
        assert_eq!(storage.log()[0].header("authorization"), Some("Bearer secret"));
        Ok(())
    })
}

#[test]
fn it_can_stand_where_engines_look_for_docker_hub() -> Result<()> {
    story(|rig| {
        let image = images::busybox("library/tiny", "1").build()?;
        let engine = rig.engine("node").start()?;
        let alone = engine.try_docker(LONG, &["pull", "tiny:1"])?;
        assert!(alone.stderr.contains("connection refused") && alone.elapsed < Duration::from_secs(5), "{alone:?}");
        let hub = rig.faulty_upstream("hub").as_docker_hub().bearer().image(&image).start()?;
        hub.fault(When::from(Kind::Blob).of(image.config_digest()).times(1), Fault::Drop(Ending::Rst));
        engine.pull("tiny:1")?;
        let log = hub.log();
        assert_eq!(log.gets_of_blob(image.config_digest()), 2, "{}", log.summary());
        assert!(log.of(Kind::Token) >= 1 && log.gets_of_blobs() == 5);
        Ok(())
    })
}
