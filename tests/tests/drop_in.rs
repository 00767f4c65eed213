//! Who runs another cache today changes the program and nothing else: the configuration is read as it is, and the folder
//! is warm.

#![allow(clippy::disallowed_methods, reason = "the files of a rig need not outlive a crash")]

use std::{fs, time::Duration};

use anyhow::{Context as _, Result, ensure};
use larder_tests::rig::{
    Rig, binaries,
    images::{self, Image},
    larder::Daemon,
    registry::Rules,
    story,
};

/// A `registry:2` mirror's file, but for its folder, address and upstream.
const REGISTRY_MIRROR: &str = "
version: 0.1
log:
  fields:
    service: registry
storage:
  cache:
    blobdescriptor: inmemory
  filesystem:
    rootdirectory: FOLDER
  delete:
    enabled: true
http:
  addr: ADDRESS
  headers:
    X-Content-Type-Options: [nosniff]
health:
  storagedriver:
    enabled: true
    interval: 10s
    threshold: 3
proxy:
  remoteurl: UPSTREAM
";

/// The file of MSR's content cache, but for its paths, address and upstream.
const MSR_CACHE: &str = "
version: 0.1
log:
  level: info
storage:
  delete:
    enabled: true
  filesystem:
    rootdirectory: FOLDER
http:
  addr: ADDRESS
  secret: CHANGE-ME
  host: https://cache.example.com
  tls:
    certificate: CERTIFICATE
    key: KEY
middleware:
  registry:
    - name: downstream
      options:
        blobttl: 24h
        upstreams:
          - UPSTREAM
        cas:
          - CA
";

/// A private registry's file: an S3-compatible store, Redis.
const S3_REDIS: &str = "
version: 0.1
log: {level: debug, formatter: text, fields: {service: registry, environment: staging}}
loglevel: debug
storage:
  s3:
    accesskey: CHANGE-ME
    secretkey: CHANGE-ME
    region: us-east-1
    regionendpoint: http://minio1:9000
    bucket: docker
    encrypt: false
    secure: false
    v4auth: true
    chunksize: 5242880
    rootdirectory: /
  cache: {blobdescriptor: redis}
  delete: {enabled: true}
  maintenance:
    uploadpurging: {enabled: true, age: 168h, interval: 24h, dryrun: false}
    readonly: {enabled: false}
http:
  addr: :5000
  headers: {X-Content-Type-Options: [nosniff]}
  debug: {addr: localhost:5001}
redis:
  addr: redis:6379
  db: 0
  dialtimeout: 10ms
  readtimeout: 10ms
  writetimeout: 10ms
  pool: {maxidle: 16, maxactive: 64, idletimeout: 300s}
";

/// A hub with this file.
fn hub(rig: &Rig, text: &str) -> Result<Daemon> {
    rig.hub("hub").text(&text.replace("FOLDER", &rig.root().join("folder").to_string_lossy())).start()
}

/// Everything of the image comes through, byte for byte.
fn pulls(hub: &Daemon, url: &str, rig: &Rig, image: &Image) -> Result<()> {
    let http = rig.http()?;
    let repository = image.repository();
    for reference in [image.tag(), image.digest(), image.manifest_digest()] {
        let reply = http.get(format!("{url}/v2/{repository}/manifests/{reference}")).send()?.expect(200)?;
        let digest = reply.header("docker-content-digest").context("it says its digest")?;
        assert_eq!(images::sha256(&reply.body), digest);
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
    }
    for blob in image.blobs() {
        let reply = http.get(format!("{url}/v2/{repository}/blobs/{}", blob.digest())).send()?.expect(200)?;
        assert_eq!(images::sha256(&reply.body), blob.digest());
    }
    ensure!(hub.is_ready());
    Ok(())
}

#[test]
fn a_registry_mirrors_file_starts_a_hub() -> Result<()> {
    story(|rig| {
        let upstream = rig.registry("upstream").start()?;
        let image = images::busybox("library/app", "1").build()?;
        upstream.push(&image)?;
        let hub = hub(rig, &REGISTRY_MIRROR.replace("UPSTREAM", upstream.url()))?;
        pulls(&hub, &hub.url(), rig, &image)
    })
}

#[test]
fn the_file_of_msrs_content_cache_starts_a_hub() -> Result<()> {
    story(|rig| {
        let msr = rig.registry("msr").tokens(Rules::new().public("team/*").user("root", "all", "*")).start()?;
        let image = images::busybox("team/app", "1").build()?;
        msr.load(&image)?;
        let own = rig.ca().certify("cache", &["127.0.0.1"])?;
        let text = MSR_CACHE
            .replace("UPSTREAM", msr.url())
            .replace("CERTIFICATE", &own.cert_file.to_string_lossy())
            .replace("KEY", &own.key_file.to_string_lossy())
            .replace("CA\n", &format!("{}\n", msr.ca_file().context("it has TLS")?.display()));
        let hub = hub(rig, &text)?;
        pulls(&hub, &hub.url().replace("http://", "https://"), rig, &image)
    })
}

#[test]
fn a_file_whose_storage_comes_later_is_refused_for_that_reason_only() -> Result<()> {
    story(|rig| {
        let file = rig.root().join("config.yml");
        fs::write(&file, S3_REDIS)?;
        let program = binaries::find("larder-hub")?;
        let done =
            rig.command("hub", &program).args(["serve", "--config"]).arg(&file).finish(Duration::from_secs(10))?;
        assert_eq!(done.status.code(), Some(1));
        ensure!(done.stderr.contains("one problem") && done.stderr.contains("`storage.s3`"), "{}", done.stderr);
        ensure!(!done.stderr.contains("CHANGE-ME"), "{}", done.stderr);
        Ok(())
    })
}

#[test]
fn an_existing_registrys_folder_is_warm() -> Result<()> {
    story(|rig| {
        let registry = rig.registry("registry").start()?;
        let image = images::busybox("library/app", "1").build()?;
        registry.push(&image)?;
        registry.stop()?;
        let storage = registry.storage();
        // Its content is not ours, so no age removes it.
        let hub = rig.hub("hub").remote(registry.url()).adjust(|config| {
            config["storage"]["filesystem"]["rootdirectory"] = storage.to_string_lossy().into();
            config["storage"]["delete"] = serde_json::json!({ "enabled": true });
            config["proxy"]["ttl"] = "1s".into();
        });
        let hub = hub.start()?;
        // Nobody upstream, and everything there: the tag as well.
        pulls(&hub, &hub.url(), rig, &image)?;
        assert_eq!(hub.metrics()?.sum("larder_blobs_expired_total"), 0.0);
        assert_eq!(hub.stop(Duration::from_secs(10))?.code(), Some(0));
        // And it can be handed back.
        registry.start()?;
        let url = format!("{}/v2/library/app/manifests/1", registry.url());
        let reply = rig.http()?.get(url).header("accept", "*/*").send()?;
        ensure!(reply.status < 500, "{reply:?}");
        Ok(())
    })
}
