//! Files of the kinds that users bring with them.

use std::time::Duration;

use super::{load, warnings};
use crate::config::check_report;

const MSR_CACHE: &str = "\
version: 0.1
log:
  level: info
storage:
  delete:
    enabled: true
  filesystem:
    rootdirectory: /var/lib/registry
http:
  addr: 0.0.0.0:443
  secret: CHANGE-ME
  host: https://cache.example.com
  tls:
    certificate: /run/secrets/cache.cert.pem
    key: /run/secrets/cache.key.pem
middleware:
  registry:
    - name: downstream
      options:
        blobttl: 24h
        upstreams:
          - https://msr.example.com:443
        cas:
          - /run/secrets/dtr.cert.pem
";

const REGISTRY_MIRROR: &str = "\
version: 0.1
log:
  fields:
    service: registry
storage:
  cache:
    blobdescriptor: inmemory
  filesystem:
    rootdirectory: /var/lib/registry
  delete:
    enabled: true
http:
  addr: :5000
  headers:
    X-Content-Type-Options: [nosniff]
health:
  storagedriver:
    enabled: true
    interval: 10s
    threshold: 3
proxy:
  remoteurl: https://registry-1.docker.io
";

const REGISTRY_S3_REDIS: &str = "\
version: 0.1
log:
  level: debug
  formatter: text
  fields:
    service: registry
    environment: staging
loglevel: debug
storage:
  s3:
    accesskey: CHANGE-ME
    secretkey: CHANGE-ME
    region: us-east-1
    regionendpoint: http://store:9000
    bucket: docker
    encrypt: false
    secure: false
    v4auth: true
    chunksize: 5242880
    rootdirectory: /
  cache:
    blobdescriptor: redis
  delete:
    enabled: true
  maintenance:
    uploadpurging:
      enabled: true
      age: 168h
      interval: 24h
      dryrun: false
    readonly:
      enabled: false
http:
  addr: :5000
  headers:
    X-Content-Type-Options: [nosniff]
  debug:
    addr: localhost:5001
redis:
  addr: redis:6379
  db: 0
  dialtimeout: 10ms
  readtimeout: 10ms
  writetimeout: 10ms
  pool:
    maxidle: 16
    maxactive: 64
    idletimeout: 300s
";

#[test]
fn an_msr_content_cache_loads_as_it_is() {
    let loaded = load(MSR_CACHE, &[]).unwrap();
    let config = &loaded.config;
    assert_eq!(config.upstream.url.as_str(), "https://msr.example.com/");
    assert_eq!(config.upstream.ca_files, [std::path::Path::new("/run/secrets/dtr.cert.pem")]);
    assert_eq!(config.upstream.ttl, Some(Duration::from_secs(86_400)));
    assert!(config.upstream.login.is_none());
    assert_eq!(config.http.addr.to_string(), "0.0.0.0:443");
    let tls = config.http.tls.as_ref().unwrap();
    assert_eq!(tls.certificate, std::path::Path::new("/run/secrets/cache.cert.pem"));
    assert!(tls.clients.is_none() && !tls.only_tls13);
    assert_eq!(config.http.debug_addr.as_ref().unwrap().to_string(), "127.0.0.1:5001");
    assert_eq!(
        warnings(&loaded),
        [
            "config.yml:11: `http.secret` is known, but has no effect in this version: it signs uploads, and a cache \
             takes none; it may stay in the file",
            "config.yml:12: `http.host` is known, but has no effect in this version: a cache hands out no absolute \
             URLs, so nothing is missing",
        ]
    );
}

#[test]
fn a_registry_mirror_loads_as_it_is() {
    let loaded = load(REGISTRY_MIRROR, &[]).unwrap();
    let config = &loaded.config;
    assert_eq!(config.upstream.url.as_str(), "https://registry-1.docker.io/");
    assert_eq!(config.upstream.ttl, None);
    assert_eq!(config.storage.root, std::path::Path::new("/var/lib/registry"));
    assert_eq!(config.http.addr.to_string(), ":5000");
    assert_eq!(config.http.headers["x-content-type-options"], "nosniff");
    assert_eq!(config.log.fields["service"], "registry");
    let pace = config.health.storage.unwrap();
    assert_eq!((pace.interval, pace.threshold), (Duration::from_secs(10), 3));
    assert_eq!(warnings(&loaded), Vec::<String>::new());
}

#[test]
fn a_registry_on_s3_is_refused_for_its_driver_and_for_nothing_else() {
    let error = load(REGISTRY_S3_REDIS, &[]).map(|_| ()).unwrap_err();
    assert_eq!(error.count(), 1);
    assert_eq!(
        error.to_string(),
        "\
config.yml cannot be used: one problem

config.yml:10:3: `storage.s3` cannot be used
   10 |   s3: …
      |   ^^
  this storage driver comes in a later version; use storage.filesystem for now"
    );
}

#[test]
fn the_report_of_an_msr_content_cache_fits_a_terminal_and_keeps_the_secret() {
    let loaded = load(MSR_CACHE, &[("REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY", "/srv/cache")]).unwrap();
    let report = check_report(&loaded, true);
    assert!(!report.contains("CHANGE-ME"));
    assert!(report.lines().all(|line| line.chars().count() <= 110));
}
