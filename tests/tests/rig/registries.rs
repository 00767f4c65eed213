//! Registries of all kinds answer, refuse and log as they should.

use std::time::Duration;

use anyhow::{Context as _, Result};
use larder_tests::rig::{
    images::{self, Format},
    registry::{Credentials, Registry, Rules},
    story,
};

fn manifest(image: &images::Image) -> String {
    format!("/v2/{}/manifests/{}", image.repository(), image.tag())
}

/// A push over HTTP and a look into the storage must come to the same.
fn holds(registry: &Registry, image: &images::Image) -> Result<()> {
    let who = registry.credentials();
    let get = |path: &str| registry.get_as(who, image.repository(), path)?.send()?.expect(200);
    let accept = image.documents().map(|d| d.media_type()).collect::<Vec<_>>().join(", ");
    let request = registry.get_as(who, image.repository(), &manifest(image))?;
    let tag = request.header("accept", &accept).send()?.expect(200)?;
    assert_eq!(tag.digest(), image.digest());
    assert_eq!(tag.header("docker-content-digest"), Some(image.digest()));
    for blob in image.blobs() {
        let reply = get(&format!("/v2/{}/blobs/{}", image.repository(), blob.digest()))?;
        assert_eq!(reply.digest(), blob.digest());
        assert_eq!(reply.body.len() as u64, blob.size());
    }
    Ok(())
}

#[test]
fn an_open_registry_takes_images_by_push_and_by_storage_and_logs_who_asked() -> Result<()> {
    story(|rig| {
        let registry = rig.registry("open").start()?;
        let pushed = images::busybox("library/tiny", "1").build()?;
        let loaded = images::busybox("team/oci", "1").format(Format::Oci).build()?;
        registry.push(&pushed)?;
        registry.load(&loaded)?;
        holds(&registry, &pushed)?;
        holds(&registry, &loaded)?;

        registry.reset_log()?;
        let layer = pushed.layers()[0].digest();
        let path = format!("/v2/library/tiny/blobs/{layer}");
        let part = registry.get(&path).header("range", "bytes=10-19").header("user-agent", "rig \"1\"").send()?;
        assert_eq!((part.status, part.body.len()), (206, 10));
        let log = registry.log()?;
        assert_eq!(log.len(), 1, "{}", log.summary());
        assert_eq!(log.gets_of_blob(layer), 1);
        assert_eq!((log[0].status, log[0].bytes, log[0].user_agent.as_str()), (206, 10, "rig \"1\""));
        registry.reset_log()?;
        assert!(registry.log()?.is_empty());
        Ok(())
    })
}

#[test]
fn a_locked_registry_lets_its_user_in_and_nobody_else() -> Result<()> {
    story(|rig| {
        for registry in [
            rig.registry("basic").htpasswd("ann", "secret").start()?,
            rig.registry("basic-tls").htpasswd("ann", "secret").tls().named("registry.example").start()?,
        ] {
            let image = images::busybox("team/app", "1").build()?;
            registry.push(&image)?;
            holds(&registry, &image)?;
            assert_eq!(registry.get("/v2/").send()?.status, 401);
            let wrong = registry.get("/v2/").basic("ann", "guess").send()?;
            assert_eq!(wrong.status, 401);
        }
        Ok(())
    })
}

#[test]
fn a_token_registry_goes_by_its_rules() -> Result<()> {
    story(|rig| {
        let rules = Rules::new().public("open/*").user("root", "all", "*").user("ann", "secret", "team/app");
        let registry = rig.registry("msr").tokens(rules).start()?;
        let tokens = registry.token_server().context("it wants tokens")?;
        let (public, private) = (images::busybox("open/app", "1").build()?, images::busybox("team/app", "1").build()?);
        registry.push(&public)?;
        registry.push(&private)?;
        holds(&registry, &private)?;

        tokens.reset_requests();
        let status = |who: Option<&Credentials>, image: &images::Image| -> Result<u16> {
            Ok(registry.get_as(who, image.repository(), &manifest(image))?.send()?.status)
        };
        let ann = Credentials { user: "ann".to_owned(), password: "secret".to_owned() };
        assert_eq!(registry.get(&manifest(&public)).send()?.status, 401, "no token at all");
        assert_eq!(status(None, &public)?, 200);
        assert_eq!(status(None, &private)?, 401);
        assert_eq!(status(Some(&ann), &private)?, 200);
        let guess = Credentials { password: "guess".to_owned(), ..ann };
        assert!(status(Some(&guess), &private).is_err());
        let seen: Vec<_> = tokens.requests().into_iter().map(|r| (r.user, r.status)).collect();
        let ann = || Some("ann".to_owned());
        assert_eq!(seen, [(None, 200), (None, 200), (ann(), 200), (ann(), 401)]);

        tokens.set_rules(Rules::new());
        assert_eq!(status(None, &public)?, 401);
        tokens.stop();
        assert!(status(None, &public).is_err());
        tokens.restart()?;
        assert_eq!(status(None, &public)?, 401);
        Ok(())
    })
}

#[test]
fn a_registry_goes_away_hangs_and_comes_back_with_its_content() -> Result<()> {
    story(|rig| {
        let registry = rig.registry("upstream").start()?;
        let image = images::busybox("library/tiny", "1").build()?;
        registry.load(&image)?;
        let ask = || registry.get("/v2/").limit(Duration::from_millis(300)).send();
        registry.stop()?;
        assert!(ask().is_err_and(|e| format!("{e:#}").contains("refused")));
        registry.start()?;
        holds(&registry, &image)?;
        registry.pause()?;
        assert!(ask().is_err_and(|e| format!("{e:#}").contains("timed out")));
        registry.resume();
        holds(&registry, &image)
    })
}
