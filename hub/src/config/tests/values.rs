//! What the hub is told by a file.

use std::path::Path;
use std::time::Duration;

use larder_content::{Bounds, Share};
use secrecy::ExposeSecret;

use super::{MINIMAL, load, warnings, with};
use crate::config::{ClientAuth, Formatter, Level, Login};

#[test]
fn everything_that_works_arrives() {
    let loaded = load(
        "\
version: 0.1
log:
  level: WARN
  formatter: json
  accesslog: {disabled: true}
  fields: {service: registry, tries: 3, tags: [a, b]}
storage:
  filesystem: {rootdirectory: /srv/registry}
  delete: {enabled: yes}
http:
  addr: '[::1]:443'
  net: tcp
  draintimeout: 1m
  headers:
    X-Content-Type-Options: [nosniff]
  debug:
    addr: 127.0.0.1:9000
    prometheus: {enabled: on, path: /prom}
  tls:
    certificate: /tls/cert.pem
    key: /tls/key.pem
    clientcas: [/tls/ca.pem]
    clientauth: verify-client-cert-if-given
    minimumtls: tls1.3
health:
  storagedriver: {enabled: true, interval: 0, threshold: 0}
  file:
    - {file: /tmp/down, interval: 5s}
  http:
    - uri: https://a.example.com/ok?x=y
      headers: {Authorization: [Basic abc]}
      statuscode: 204
      timeout: 2s
  tcp:
    - {addr: 'db.example.com:5432', threshold: 5}
proxy:
  remoteurl: https://registry.example.com/mirror
  ttl: 168h
  cachewritetimeout: 90s
larder:
  cachesize: 50GiB
  freefloor: 5%
  tagfreshness: 0
  stalelimit: 24h
  ca: [/larder/ca.pem]
  realms: [Auth.example.com, 'login.example.com:8443']
",
        &[],
    )
    .unwrap();
    let config = &loaded.config;
    assert_eq!((config.log.level, config.log.formatter), (Level::Warn, Formatter::Json));
    assert!(!config.log.access_log);
    assert_eq!(config.log.fields["tries"], "3");
    assert_eq!(config.log.fields["tags"], "[a, b]");
    assert_eq!(config.storage.root, Path::new("/srv/registry"));
    let bounds = Bounds { size: Some(Share::Bytes(50 << 30)), free_floor: Share::Percent(5) };
    assert_eq!(config.storage.bounds, bounds);
    assert_eq!(config.http.addr.to_string(), "[::1]:443");
    assert_eq!(config.http.drain_timeout, Duration::from_secs(60));
    assert_eq!(config.http.metrics_path.as_deref(), Some("/prom"));
    let tls = config.http.tls.as_ref().unwrap();
    assert!(tls.only_tls13);
    assert_eq!(tls.clients.as_ref().unwrap().auth, ClientAuth::VerifyIfGiven);
    let storage = config.health.storage.unwrap();
    assert_eq!((storage.interval, storage.threshold), (Duration::from_secs(10), 1));
    assert_eq!(config.health.files[0].interval, Duration::from_secs(5));
    let http = &config.health.http[0];
    assert_eq!((http.status.as_u16(), http.timeout, http.pace.threshold), (204, Duration::from_secs(2), 1));
    assert!(http.headers["authorization"].is_sensitive());
    let tcp = &config.health.tcp[0];
    assert_eq!((tcp.timeout, tcp.pace.threshold), (Duration::from_secs(5), 5));
    let upstream = &config.upstream;
    assert_eq!(upstream.url.as_str(), "https://registry.example.com/mirror");
    assert_eq!(upstream.ttl, Some(Duration::from_secs(168 * 3600)));
    assert_eq!(upstream.cache_write_timeout, Some(Duration::from_secs(90)));
    assert_eq!(upstream.ca_files, [Path::new("/larder/ca.pem")]);
    assert_eq!(upstream.realms, ["auth.example.com", "login.example.com:8443"]);
    assert_eq!(config.freshness.tag, Duration::ZERO);
    assert_eq!(warnings(&loaded), Vec::<String>::new());
}

#[test]
fn a_login_is_a_password_or_a_helper() {
    let loaded = with("  username: me\n  password: \"pa: ss\"\n").unwrap();
    let Some(Login::Password { username, password }) = &loaded.config.upstream.login else { panic!("a password") };
    assert_eq!((username.as_str(), password.expose_secret()), ("me", "pa: ss"));
    for (lifetime, expected) in
        [("", None), (", lifetime: 1h", Some(Duration::from_secs(3600))), (", lifetime: 0", Some(Duration::ZERO))]
    {
        let loaded = with(&format!("  username: me\n  password: pw\n  exec: {{command: helper{lifetime}}}\n")).unwrap();
        let Some(Login::Helper { command, lifetime }) = &loaded.config.upstream.login else { panic!("a helper") };
        assert_eq!((command.as_str(), *lifetime), ("helper", expected));
        assert!(warnings(&loaded)[0].contains("are not used, because `proxy.exec` is set"));
    }
}

#[test]
fn content_expires_only_if_it_may_be_removed() {
    let delete = "storage: {delete: {enabled: true}}\n";
    for (more, ttl, warned) in [
        (String::new(), None, false),
        (delete.to_owned(), None, false),
        (format!("  ttl: 24h\n{delete}"), Some(Duration::from_secs(86_400)), false),
        (format!("  ttl: 0\n{delete}"), None, false),
        ("  ttl: 0s\n".to_owned(), None, false),
        ("  ttl: 24h\n".to_owned(), None, true),
    ] {
        let loaded = with(&more).unwrap();
        assert_eq!(loaded.config.upstream.ttl, ttl, "{more}");
        assert_eq!(loaded.warnings.iter().any(|warning| warning.message.contains("nothing expires")), warned, "{more}");
    }
}

#[test]
fn dtr_2_2_named_its_upstream_in_another_form() {
    for (upstreams, url) in [
        ("[{originhost: 'https://dtr', upstreamhosts: ['https://cache']}]", "https://cache/"),
        ("[{originhost: 'https://dtr'}]", "https://dtr/"),
        ("['https://dtr']", "https://dtr/"),
    ] {
        let text = format!(
            "version: 0.1\nmiddleware: {{registry: [{{name: downstream, options: {{upstreams: {upstreams}}}}}]}}\n"
        );
        assert_eq!(load(&text, &[]).unwrap().config.upstream.url.as_str(), url);
    }
}

#[test]
fn middleware_that_is_switched_off_is_as_if_it_were_not_there() {
    let loaded = with(
        "middleware: {registry: [{name: downstream, disabled: true}], repository: [{name: opa, disabled: true, options: {a: b}}]}\n",
    );
    assert_eq!(loaded.unwrap().config.upstream.url.as_str(), "https://registry.example.com/");
}

#[test]
fn yaml_may_be_written_in_all_its_ways() {
    let loaded = load(
        "\
# A comment
version: '0.1'
log:
  fields: {<<: {a: '1', b: '1'}, b: \"2\"}
http:
  headers:
    X-Long:
      - >-
        one
        two
  <<: [{draintimeout: &time 7s}, {draintimeout: 8s, addr: ':1'}]
health: {storagedriver: {enabled: Yes, interval: *time}}
proxy:
  remoteurl: |-
    https://registry.example.com
...
",
        &[],
    )
    .unwrap();
    let config = &loaded.config;
    assert_eq!((config.log.fields["a"].as_str(), config.log.fields["b"].as_str()), ("1", "2"));
    assert_eq!((config.http.drain_timeout, config.http.addr.to_string().as_str()), (Duration::from_secs(7), ":1"));
    assert_eq!(config.health.storage.unwrap().interval, Duration::from_secs(7));
    assert_eq!(config.http.headers["x-long"], "one two");
    assert_eq!(config.upstream.url.as_str(), "https://registry.example.com/");
}

#[test]
fn keys_without_effect_warn_once_and_say_what_that_means() {
    let loaded = with(
        "\
loglevel: debug
redis: {addr: 'a:1', readtimeout: -1, pool: {maxidle: 1}}
http:
  prefix: /x/
  http2: {disabled: false}
  tls: {certificate: /a, key: /b, ciphersuites: [A], minimumtls: tls1.0, letsencrypt: {email: a}}
storage:
  redirect: {disable: true}
  cache: {blobdescriptor: redis}
  maintenance: {readonly: {enabled: true}, uploadpurging: {enabled: true}}
notifications: {endpoints: [{name: a, url: b}]}
middleware: {storage: [{name: cloudfront, options: {baseurl: a}}]}
",
    )
    .unwrap();
    assert_eq!(loaded.config.log.level, Level::Debug);
    let first_words: Vec<String> =
        warnings(&loaded).iter().map(|warning| warning.split(" is ").next().unwrap().to_owned()).collect();
    assert_eq!(
        first_words,
        [
            "config.yml:4: `loglevel`",
            "config.yml:5: `redis`",
            "config.yml:7: `http.prefix`",
            "config.yml:9: `http.tls.ciphersuites`",
            "config.yml:9: `http.tls.minimumtls`",
            "config.yml:9: `http.tls.letsencrypt`",
            "config.yml:12: `storage.cache.blobdescriptor`",
            "config.yml:13: `storage.maintenance.uploadpurging`",
            "config.yml:14: `notifications`",
            "config.yml:15: `middleware.storage[0]`",
        ]
    );
}

#[test]
fn a_bare_number_that_is_too_small_to_be_meant_warns() {
    let loaded = with("  cachewritetimeout: 300\nhttp: {draintimeout: 30000000000}\n").unwrap();
    assert_eq!(
        warnings(&loaded),
        ["config.yml:4: `proxy.cachewritetimeout` is 300 without a unit, which is 300ns; write 300s, 300m or 300h"]
    );
    assert_eq!(loaded.config.http.drain_timeout, Duration::from_secs(30));
    assert!(with("http: {draintimeout: 0}\n").unwrap().warnings.is_empty());
}

#[test]
fn storage_is_kept_where_distribution_would_look_for_it() {
    for (more, root) in [
        ("", "/var/lib/larder"),
        ("storage: {delete: {enabled: true}}\n", "/var/lib/larder"),
        ("storage: filesystem\n", "/var/lib/registry"),
        ("storage: {filesystem: }\n", "/var/lib/registry"),
        ("storage: {filesystem: {rootdirectory: ''}}\n", "/var/lib/registry"),
    ] {
        assert_eq!(load(&format!("{MINIMAL}{more}"), &[]).unwrap().config.storage.root, Path::new(root), "{more}");
    }
}
