//! `REGISTRY_*` variables over a file.

use std::time::Duration;

use larder_content::{Bounds, Share};

use super::{MINIMAL, load, warnings, with, without_file};
use crate::config::Login;

#[test]
fn without_a_file_the_hub_caches_docker_hub_for_this_machine() {
    let loaded = without_file(&[("HOME", "/root"), ("LARDER_X", "y")]).unwrap();
    let config = &loaded.config;
    assert_eq!(config.upstream.url.as_str(), "https://registry-1.docker.io/");
    assert_eq!(config.storage.root, std::path::Path::new("/var/lib/larder"));
    assert_eq!(config.http.addr.to_string(), "127.0.0.1:5000");
    assert_eq!(config.http.debug_addr.as_ref().unwrap().to_string(), "127.0.0.1:5001");
    assert_eq!(config.http.metrics_path.as_deref(), Some("/metrics"));
    assert_eq!(config.http.drain_timeout, Duration::from_secs(30));
    assert_eq!(config.freshness.tag, Duration::from_secs(60));
    assert_eq!(config.freshness.stale_limit, Duration::from_secs(720 * 3600));
    assert_eq!(config.upstream.cache_write_timeout, None);
    assert_eq!(config.storage.bounds, Bounds { size: None, free_floor: Share::Percent(10) });
    assert!(loaded.warnings.is_empty() && loaded.file.is_none());
}

#[test]
fn variables_win_over_the_file_and_over_defaults() {
    let loaded = load(
        "\
version: 0.1
log:
  fields: {service: registry, my_app: a}
storage:
  filesystem: {rootdirectory: /old}
http:
  headers: {X-A: [one]}
  tls: {certificate: /c, key: /k, clientcas: [/ca0, /ca1]}
proxy: {remoteurl: https://old.example.com}
",
        &[
            ("REGISTRY_PROXY_REMOTEURL", "https://new.example.com"),
            ("REGISTRY_PROXY_USERNAME", "me"),
            ("REGISTRY_PROXY_PASSWORD", "0123"),
            ("REGISTRY_PROXY_TTL", "48h"),
            ("REGISTRY_STORAGE_DELETE_ENABLED", "true"),
            ("REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY", "/new"),
            ("REGISTRY_HTTP_ADDR", ":443"),
            ("REGISTRY_HTTP_TLS_CLIENTCAS_1", "/new-ca1"),
            ("REGISTRY_HTTP_TLS_CLIENTCAS_2", "/ca2"),
            ("REGISTRY_HTTP_HEADERS_x-a", "[two, three]"),
            ("REGISTRY_LOG_FIELDS_MY_APP", "b"),
            ("REGISTRY_LOG_FIELDS_NEW", "c"),
            ("REGISTRY_HEALTH_TCPCHECKERS_0_ADDR", "redis:6379"),
            ("REGISTRY_HEALTH_FILECHECKERS_0_FILE", "/down"),
            ("REGISTRY_LARDER_TAGFRESHNESS", "5s"),
            ("REGISTRY_LARDER_CACHESIZE", "80%"),
            ("REGISTRY_LARDER_FREEFLOOR", "1073741824"),
        ],
    )
    .unwrap();
    let config = &loaded.config;
    assert_eq!(config.upstream.url.as_str(), "https://new.example.com/");
    assert!(matches!(&config.upstream.login, Some(Login::Password { username, .. }) if username == "me"));
    assert_eq!(config.upstream.ttl, Some(Duration::from_secs(48 * 3600)));
    assert_eq!(config.storage.root, std::path::Path::new("/new"));
    let cas = &config.http.tls.as_ref().unwrap().clients.as_ref().unwrap().cas;
    assert_eq!(cas.iter().map(|ca| ca.to_string_lossy()).collect::<Vec<_>>(), ["/ca0", "/new-ca1", "/ca2"]);
    assert_eq!(config.http.headers.get_all("x-a").iter().collect::<Vec<_>>(), ["two", "three"]);
    let fields: Vec<_> = config.log.fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(fields, ["my_app=b", "new=c", "service=registry"]);
    assert_eq!(config.health.tcp[0].address, "redis:6379");
    assert_eq!(config.health.files[0].path, std::path::Path::new("/down"));
    assert_eq!(config.freshness.tag, Duration::from_secs(5));
    let bounds = Bounds { size: Some(Share::Percent(80)), free_floor: Share::Bytes(1 << 30) };
    assert_eq!(config.storage.bounds, bounds);
    assert_eq!(warnings(&loaded), Vec::<String>::new());
    let origin = loaded.settings.iter().find(|setting| setting.key == "storage.filesystem.rootdirectory").unwrap();
    assert_eq!(origin.origin, "REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY");
}

#[test]
fn a_driver_can_be_chosen_and_then_told_more() {
    // As in distribution, the choice replaces the whole section.
    let file = format!("{MINIMAL}  ttl: 1h\nstorage: {{s3: {{bucket: a}}, delete: {{enabled: true}}}}\n");
    let loaded = load(&file, &[("REGISTRY_STORAGE", "filesystem")]).unwrap();
    assert_eq!(loaded.config.storage.root, std::path::Path::new("/var/lib/registry"));
    assert_eq!(loaded.config.upstream.ttl, None);
    let more = [("REGISTRY_STORAGE", "filesystem"), ("REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY", "/srv")];
    assert_eq!(load(&file, &more).unwrap().config.storage.root, std::path::Path::new("/srv"));
    let short = format!("{MINIMAL}storage: filesystem\n");
    assert_eq!(load(&short, &more[1..]).unwrap().config.storage.root, std::path::Path::new("/srv"));
}

#[test]
fn an_upstream_can_come_from_variables_alone() {
    let loaded = load("version: 0.1\n", &[("REGISTRY_PROXY_REMOTEURL", "https://a.example.com")]).unwrap();
    assert_eq!(loaded.config.upstream.url.as_str(), "https://a.example.com/");
    let loaded = without_file(&[
        ("REGISTRY_MIDDLEWARE_REGISTRY_0_NAME", "downstream"),
        ("REGISTRY_MIDDLEWARE_REGISTRY_0_OPTIONS_UPSTREAMS_0", "https://msr.example.com"),
        ("REGISTRY_MIDDLEWARE_REGISTRY_0_OPTIONS_CAS", "[/ca.pem]"),
    ])
    .unwrap();
    assert_eq!(loaded.config.upstream.url.as_str(), "https://msr.example.com/");
    assert_eq!(loaded.config.upstream.ca_files, [std::path::Path::new("/ca.pem")]);
}

#[test]
fn nothing_takes_a_value_away() {
    let loaded = load(&format!("{MINIMAL}  ttl: 1h\n"), &[("REGISTRY_PROXY_TTL", "")]).unwrap();
    assert_eq!((loaded.config.upstream.ttl, loaded.warnings.len()), (None, 0));
    let loaded = load(MINIMAL, &[("REGISTRY_HTTP_DEBUG_ADDR", "")]).unwrap();
    assert!(loaded.config.http.debug_addr.is_some());
    let loaded = load(MINIMAL, &[("REGISTRY_HTTP_DEBUG_ADDR", "''")]).unwrap();
    assert!(loaded.config.http.debug_addr.is_none());
}

#[test]
fn a_name_that_fits_no_key_only_warns() {
    let loaded = without_file(&[
        ("REGISTRY_HTTP_ADR", ":5000"),
        ("REGISTRY_VERSION", "2.8.2"),
        ("REGISTRY_SOMETHING_ELSE", "x"),
        ("REGISTRY_PORT", "tcp://10.0.0.1:5000"),
        ("REGISTRY_PORT_5000_TCP_ADDR", "10.0.0.1"),
        ("REGISTRY_PROXY_SERVICE_HOST", "10.0.0.1"),
    ])
    .unwrap();
    assert_eq!(
        warnings(&loaded),
        [
            "REGISTRY_HTTP_ADR: no key has this name, so it does nothing; did you mean REGISTRY_HTTP_ADDR?",
            "REGISTRY_SOMETHING_ELSE: no key has this name, so it does nothing",
            "REGISTRY_VERSION: no key has this name, so it does nothing",
            "REGISTRY_PORT: Kubernetes set this for a service (and 2 more like it); it does nothing here. \
             `enableServiceLinks: false` in the pod keeps such variables out",
        ]
    );
}

#[test]
fn a_fault_in_a_variable_names_the_variable() {
    for (name, value, fragments) in [
        ("REGISTRY_HTTP_ADDR", "5000", ["REGISTRY_HTTP_ADDR: `http.addr`: `5000`", "write :5000 for all"]),
        (
            "REGISTRY_PROXY_PASSWORD",
            "@hunter2",
            ["REGISTRY_PROXY_PASSWORD: this is not valid YAML", "in single quotes"],
        ),
        ("REGISTRY_PROXY_PASSWORD", "a: hunter2", ["`proxy.password` takes a single value", "a section"]),
        ("REGISTRY_PROXY", "hunter2", ["REGISTRY_PROXY: `proxy` takes a section", "a single value"]),
        (
            "REGISTRY_LARDER_REALMS_1",
            "a",
            ["REGISTRY_LARDER_REALMS_1: this sets element 1 of a list that has 0", "from 0"],
        ),
        (
            "REGISTRY_LARDER_CACHESIZE",
            "50G",
            ["REGISTRY_LARDER_CACHESIZE: `larder.cachesize`: `50G`", "write 50GiB (units of 1024) or 50GB"],
        ),
        ("REGISTRY_LARDER_FREEFLOOR", "100%", ["REGISTRY_LARDER_FREEFLOOR: `larder.freefloor`", "10%"]),
        ("REGISTRY_AUTH", "htpasswd", ["REGISTRY_AUTH: `auth.htpasswd` cannot be used", "let everyone in"]),
        (
            "REGISTRY_STORAGE_S3_BUCKET",
            "a",
            ["REGISTRY_STORAGE_S3_BUCKET: `storage.s3` cannot be used", "later version"],
        ),
        ("REGISTRY_HTTP", "{adr: a}", ["REGISTRY_HTTP: unknown key `adr` in `http`", "did you mean `addr`?"]),
    ] {
        let error = load(MINIMAL, &[(name, value)]).map(|_| ()).unwrap_err();
        let report = error.to_string();
        assert_eq!(error.count(), 1, "{report}");
        for fragment in fragments {
            assert!(report.contains(fragment), "{report}\nlacks: {fragment}");
        }
        assert!(!report.contains("hunter2"), "{report}");
    }
    let both = format!("{MINIMAL}storage:\n  filesystem: {{}}\n");
    let report = load(&both, &[("REGISTRY_STORAGE_S3_BUCKET", "a")]).map(|_| ()).unwrap_err().to_string();
    assert!(report.contains("REGISTRY_STORAGE_S3_BUCKET: `storage` holds both `filesystem` and `s3`"), "{report}");
    assert!(report.contains("`filesystem` is on line 5"), "{report}");
}

#[test]
fn a_warning_names_the_variable_too() {
    let loaded = load(MINIMAL, &[("REGISTRY_HTTP_SECRET", "hunter2"), ("REGISTRY_REDIS_ADDRS_0", "a:1")]).unwrap();
    assert!(loaded.warnings.iter().any(|warning| warning.place == "REGISTRY_HTTP_SECRET"));
    assert!(loaded.warnings.iter().any(|warning| warning.place == "REGISTRY_REDIS_ADDRS_0"));
    assert!(with("redis:\n").unwrap().warnings.is_empty());
}
