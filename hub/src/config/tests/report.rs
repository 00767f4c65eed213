//! `config check`, as a person sees it.

use super::{with, without_file};
use crate::config::check_report;

#[test]
fn a_good_configuration_gets_a_short_verdict() {
    assert_eq!(
        check_report(&without_file(&[]).unwrap(), false),
        "\
The configuration is good.

  caches     https://registry-1.docker.io, anonymously
  keeps      /var/lib/larder
  listens    127.0.0.1:5000 (HTTP)
  health     127.0.0.1:5001
"
    );
}

#[test]
fn warnings_follow_the_verdict() {
    let more = "  username: me\n  password: pw\n  ttl: 1h\nhttp: {debug: {addr: ''}, tls: {certificate: /a, key: /b, clientcas: [/c]}}\n";
    assert_eq!(
        check_report(&with(more).unwrap(), false),
        "\
config.yml is good.

  caches     https://registry.example.com, with a password
  keeps      /var/lib/larder
  listens    127.0.0.1:5000 (HTTPS with client certificates)
  health     nowhere

One thing to look at:
  config.yml:6
    `proxy.ttl` is set, but nothing expires: that takes `storage.delete.enabled: true`
"
    );
}

#[test]
fn explain_lists_every_setting_with_its_origin() {
    let report =
        check_report(&without_file(&[("REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY", "/srv/cache")]).unwrap(), true);
    let table = report.split("\n\n").nth(2).unwrap();
    assert_eq!(
        table,
        "\
KEY                               VALUE                         FROM               MEANING
log.accesslog.disabled            false                         default            no line for each request
log.level                         info                          default            least message logged
log.formatter                     text                          default            form of a log line
storage.filesystem.rootdirectory  /srv/cache                    REGISTRY_STORAGE_  folder for all content
                                                                FILESYSTEM_
                                                                ROOTDIRECTORY
storage.delete.enabled            false                         default            content may be removed
http.addr                         127.0.0.1:5000                default            where the hub is reached
http.net                          tcp                           default            kind of listener
http.draintimeout                 30s                           default            wait for answers at a stop
http.debug.addr                   127.0.0.1:5001                default            health, metrics; \"\" is off
http.debug.prometheus.enabled     true                          default            serve metrics
http.debug.prometheus.path        /metrics                      default            path of the metrics
health.storagedriver.enabled      true                          default            check the storage
health.storagedriver.interval     10s                           default            time between checks
health.storagedriver.threshold    3                             default            failures until unhealthy
proxy.remoteurl                   https://registry-1.docker.io  default            registry to cache
proxy.ttl                         none; room alone decides      default            age limit of content
proxy.cachewritetimeout           none; silence alone ends one  default            limit for a blob's download
larder.registry                   its own host's                default            whose images the upstream
                                                                                   has
larder.cachesize                  all but the free floor        default            most that fetched content
                                                                                   may take
larder.freefloor                  10%                           default            stays free on the disk
larder.tagfreshness               1m                            default            a tag is asked for again
                                                                                   after
larder.stalelimit                 720h                          default            oldest answer if upstream
                                                                                   fails
"
    );
}
