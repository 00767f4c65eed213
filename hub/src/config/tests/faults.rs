//! What a person reads about a configuration that cannot be used.

use super::{MINIMAL, fault, load, with};

/// The problems in a report, without the title.
fn problems(report: &str) -> Vec<&str> {
    report.split("\n\n").skip(1).collect()
}

#[test]
fn an_unknown_key_is_shown_with_what_was_meant_and_what_is_allowed() {
    assert_eq!(
        fault("version: 0.1\nproxy:\n  remoturl: https://registry.example.com\n"),
        "\
config.yml cannot be used: one problem

config.yml:3:3: unknown key `remoturl` in `proxy`
    3 |   remoturl: …
      |   ^^^^^^^^ did you mean `remoteurl`?
  allowed here: remoteurl, username, password, exec, ttl, cachewritetimeout"
    );
}

#[test]
fn a_key_in_the_wrong_section_is_told_its_own() {
    let report = with("  redirect: {disable: true}\n").map(|_| ()).unwrap_err().to_string();
    assert!(report.contains("config.yml:4:3: unknown key `redirect` in `proxy`"), "{report}");
    assert!(report.contains("^^^^^^^^ did you mean `storage.redirect`?"), "{report}");
}

#[test]
fn everything_wrong_is_told_at_once_in_the_order_of_the_file() {
    let report = fault(
        "\
version: 0.1
log:
  level: verbose
htpp: {}
proxy:
  remoteurl: registry-1.docker.io
  ttl: 7d
  ttl: 8d
storage:
  s3: {}
  filesystem: {}
",
    );
    let places: Vec<&str> = problems(&report).iter().filter_map(|problem| problem.split(": ").next()).collect();
    assert!(report.starts_with("config.yml cannot be used: 7 problems\n\n"), "{report}");
    assert_eq!(
        places,
        [
            "config.yml:3:10",
            "config.yml:4:1",
            "config.yml:6:14",
            "config.yml:7:8",
            "config.yml:8:3",
            "config.yml:10:3",
            "config.yml:11:3"
        ]
    );
}

/// A text, and what its report holds. There is exactly one problem.
#[test]
fn each_fault_has_its_place_and_its_advice() {
    let proxy = "proxy: {remoteurl: https://a}\n";
    let http = |rest: &str| format!("{MINIMAL}http:\n{rest}");
    let cases: Vec<(String, Vec<&str>)> = vec![
        // The file as a whole
        (String::new(), vec!["config.yml: the file is empty", "begins with `version: 0.1`"]),
        ("# nothing\n".into(), vec!["config.yml: the file is empty"]),
        ("just text".into(), vec!["config.yml:1:1: the file takes a mapping of keys", "this is a single value"]),
        ("- a\n".into(), vec!["this is a list"]),
        (proxy.into(), vec!["config.yml: `version` is missing"]),
        (format!("version: 0.2\n{proxy}"), vec!["config.yml:1:10: the version is not 0.1"]),
        (format!("version: 1\n{proxy}"), vec!["the version is not 0.1"]),
        (format!("version: [0.1]\n{proxy}"), vec!["`version` takes a single value, and this is a list"]),
        ("version: 0.1\n".into(), vec!["it names no registry to cache", "set proxy.remoteurl"]),
        ("version: 0.1\nstorage: filesystem\n".into(), vec!["pull-through cache", "https://registry-1.docker.io"]),
        // Broken YAML
        ("version: 0.1\nproxy:\n\tttl: 1h\n".into(), vec!["config.yml:3:2: this is not valid YAML", "not with tabs"]),
        ("version: \"0.1\n".into(), vec!["config.yml:1:10: this is not valid YAML", "a quote is not closed"]),
        ("version: 0.1\nproxy\n  ttl: 1h\n".into(), vec!["config.yml:3:", "a colon and a blank"]),
        ("version: 0.1\nhttp: {addr: [a}\n".into(), vec!["config.yml:2:", "a bracket is not closed"]),
        ("version: 0.1\nproxy:\n  ttl: 1h\n   x: y\n".into(), vec!["config.yml:4:", "indented too far"]),
        ("version: 0.1\n---\na: b\n".into(), vec!["config.yml:2:1: a second YAML document"]),
        ("version: 0.1\n? [a]\n: b\n".into(), vec!["a key must be plain text"]),
        ("version: 0.1\nlog: *a\n".into(), vec!["config.yml:2:6: this is not valid YAML", "begins with `*` in quotes"]),
        ("version: 0.1\nlog: &a\nhttp: {}\n".into(), vec!["config.yml:2:6: an anchor", "has no value"]),
        (
            "version: 0.1\nlog: &a {fields: *a}\n".into(),
            vec!["config.yml:2:18: this alias is part of what it stands for"],
        ),
        ("version: !x 0.1\n".into(), vec!["config.yml:1:10: a tag"]),
        ("version: 0.1\nlog: {<<: 1}\n".into(), vec!["config.yml:2:7: `<<` merges a mapping"]),
        // Kinds
        (format!("{MINIMAL}http: 5\n"), vec!["config.yml:4:7: `http` takes a section, and this is a single value"]),
        (format!("{MINIMAL}proxy: 5\n"), vec!["config.yml:4:1: the key `proxy` is given twice", "on line 2 already"]),
        (http("  addr: [a]\n"), vec!["config.yml:5:9: `http.addr` takes a single value, and this is a list"]),
        (
            http("  tls: {certificate: /a, key: /b, clientcas: /c}\n"),
            vec!["`http.tls.clientcas` takes a list", "write [value]"],
        ),
        (http("  headers: {X-A: b}\n"), vec!["`http.headers.X-A` takes a list"]),
        (http("  headers: {'X A': [b]}\n"), vec!["`http.headers`: `X…` is not the name of a header"]),
        (http("  headers: {X-A: [\"b\\nc\"]}\n"), vec!["`http.headers.X-A`: a header's value is one line"]),
        ("version: 0.1\nproxy:\n  ttl:1h\n".into(), vec!["`proxy` takes a section", "need a blank behind the colon"]),
        // Values
        (format!("{MINIMAL}log: {{level: vebose}}\n"), vec!["`vebose` is none of error, warn, info, debug"]),
        (format!("{MINIMAL}log: {{level: wran}}\n"), vec!["did you mean warn?"]),
        (format!("{MINIMAL}log: {{formatter: xml}}\n"), vec!["`xml` is none of text, json, logstash"]),
        (http("  addr: 5000\n"), vec!["config.yml:5:9: `http.addr`: `5000` is not an address", "write :5000 for all"]),
        (http("  addr: localhost\n"), vec!["write localhost:5000"]),
        (http("  draintimeout: soon\n"), vec!["`soon` is not a duration", "write it like 10s, 1h30m or 168h"]),
        (http("  draintimeout: \"60\"\n"), vec!["write a unit behind each number, like 60s"]),
        (http("  draintimeout: -5s\n"), vec!["write 0s or more"]),
        (http("  draintimeout: -5\n"), vec!["write 0s or more"]),
        (http("  debug: {prometheus: {enabled: maybe}}\n"), vec!["`maybe` is not a yes or no", "write true or false"]),
        (http("  debug: {prometheus: {path: metrics}}\n"), vec!["`metrics` is not a path", "write it like /metrics"]),
        (format!("{MINIMAL}  ttl: 2w\n"), vec!["config.yml:4:8:", "write 336h"]),
        (
            format!("{MINIMAL}larder: {{realms: ['https://a']}}\n"),
            vec!["`larder.realms[0]`: `https://a` is not a host"],
        ),
        (format!("{MINIMAL}health: {{storagedriver: {{threshold: -1}}}}\n"), vec!["`-1` is less than zero"]),
        (format!("{MINIMAL}health: {{file: [{{interval: 1s}}]}}\n"), vec!["a check in `health.file` has no `file`"]),
        (format!("{MINIMAL}health: {{http: [{{uri: 'http://a', statuscode: 99}}]}}\n"), vec!["is an HTTP status"]),
        (format!("{MINIMAL}health: {{tcp: [{{addr: ':6379'}}]}}\n"), vec!["`:6379` is not host:port"]),
        // How much of the disk
        (
            format!("{MINIMAL}larder: {{cachesize: 1.5TiB}}\n"),
            vec!["config.yml:4:21: `larder.cachesize`: `1.5TiB` is no amount of a disk", "1536GiB for 1.5TiB"],
        ),
        (format!("{MINIMAL}larder: {{cachesize: plenty}}\n"), vec!["write it like 50GiB, 200GB or 10%"]),
        (
            format!("{MINIMAL}larder: {{cachesize: 0}}\n"),
            vec!["config.yml:4:21: ", "keeps nothing", "larder.freefloor"],
        ),
        (format!("{MINIMAL}larder: {{cachesize: 120%}}\n"), vec!["`120%` is no amount of a disk", "no more than 100%"]),
        (format!("{MINIMAL}larder: {{cachesizes: 1GiB}}\n"), vec!["did you mean `cachesize`?"]),
        (format!("{MINIMAL}larder:\n  freefloor: 100%\n"), vec!["config.yml:5:14: ", "nothing is left for the cache"]),
        (format!("{MINIMAL}larder: {{freefloor: [1, 2]}}\n"), vec!["`larder.freefloor` takes a single value"]),
        // Upstreams
        (
            "version: 0.1\nproxy:\n  remoteurl: localhost:5000\n".into(),
            vec!["config.yml:3:14: `proxy.remoteurl`: `localhost:5000` has no scheme", "write https://localhost:5000"],
        ),
        ("version: 0.1\nproxy: {remoteurl: ftp://a}\n".into(), vec!["is neither http nor https"]),
        ("version: 0.1\nproxy: {remoteurl: 'https://a?b'}\n".into(), vec!["has a ?query"]),
        ("version: 0.1\nproxy: {remoteurl: 'https://a#b'}\n".into(), vec!["has a #fragment"]),
        (format!("{MINIMAL}  username: me\n"), vec!["`proxy.username` is set and `proxy.password` is not"]),
        ("version: 0.1\nproxy: {ttl: 1h}\n".into(), vec!["`proxy` has no `remoteurl`"]),
        (
            format!("{MINIMAL}  password: x\n"),
            vec!["config.yml:4:13: `proxy.password` is set and `proxy.username` is not"],
        ),
        (format!("{MINIMAL}  exec: {{lifetime: 1h}}\n"), vec!["`proxy.exec` has no `command`"]),
        (
            downstream("{upstreams: ['https://a', 'https://b']}"),
            vec![
                "config.yml:3:68: a second upstream",
                "the first is on line 3",
                "more than one comes in a later version",
            ],
        ),
        (
            downstream("{upstreams: [{originhost: 'https://a', upstreamhosts: ['https://b', 'https://c']}]}"),
            vec!["a second upstream"],
        ),
        (downstream("{blobttl: 1h}"), vec!["`downstream` names no upstream", "options.upstreams"]),
        (
            downstream("{upstream: ['https://a']}"),
            vec![
                "unknown key `upstream` in `middleware.registry[0].options`",
                "did you mean `upstreams`?",
                "allowed here: upstreams, cas, blobttl",
            ],
        ),
        (
            downstream("{upstreams: [msr.example.com]}"),
            vec!["`middleware.registry[0].options.upstreams[0]`: `msr.example.com` has no scheme"],
        ),
        (
            format!("{}{proxy}", downstream("{upstreams: ['https://b']}")),
            vec!["`proxy` and `downstream` both name an upstream"],
        ),
    ];
    for (text, fragments) in cases {
        let error = load(&text, &[]).map(|_| ()).unwrap_err();
        let report = error.to_string();
        assert_eq!(error.count(), 1, "{text}\n{report}");
        for fragment in fragments {
            assert!(report.contains(fragment), "{text}\n{report}\nlacks: {fragment}");
        }
    }
}

/// What would leave its user less protected than they asked to be is never passed over.
#[test]
fn what_is_unsafe_to_ignore_is_refused() {
    let login = "  username: me\n  password: pw\n";
    for (more, fragments) in [
        (
            "auth:\n  htpasswd: {realm: a, path: /b}\n",
            ["config.yml:5:3: `auth.htpasswd` cannot be used", "let everyone in"],
        ),
        ("auth: token\n", ["config.yml:4:7: `auth.token` cannot be used", "let everyone in"]),
        ("auth: {silly: {realm: a, service: b}}\n", ["`auth.silly` cannot be used", "let everyone in"]),
        ("storage: inmemory\n", ["`storage.inmemory` cannot be used", "use storage.filesystem"]),
        ("storage: {gcs: {bucket: a}}\n", ["`storage.gcs` cannot be used", "comes in a later version"]),
        ("storage: {swift: {authurl: a}}\n", ["`storage.swift` cannot be used", "comes in a later version"]),
        (
            "http:\n  net: unix\n  addr: /run/hub.sock\n",
            ["config.yml:5:8: `http.net` cannot be used", "listens on TCP only"],
        ),
        (
            "middleware: {repository: [{name: opa}]}\n",
            ["names middleware that Larder does not have: `opa`", "disabled: true"],
        ),
        ("middleware: {registry: [{name: downstraem}]}\n", ["`downstraem`", "did you mean `downstream`?"]),
        ("middleware: {storage: [{options: {a: b}}]}\n", ["`middleware.storage[0]` has no name", "by its `name`"]),
        ("http: {tls: {letsencrypt: {cachefile: /a}}}\n", ["fetches no certificates", "plain HTTP"]),
        ("http: {tls: {clientcas: [/a]}}\n", ["there is no HTTPS to ask over", "set http.tls.certificate"]),
        ("http: {tls: {certificate: /a}}\n", ["`http.tls.certificate` has no `key`", "set both"]),
        ("http: {tls: {key: /a}}\n", ["`http.tls.key` has no `certificate`", "set both"]),
        (
            "http: {tls: {certificate: /a, key: /b, clientauth: require-any-client-cert}}\n",
            ["there are no `clientcas`", "distribution would check nobody"],
        ),
        (
            &format!("{login}http: {{addr: ':5000'}}\n"),
            ["config.yml:5:13: with a login upstream", "http.tls.clientcas"],
        ),
        ("  exec: {command: helper}\nhttp: {addr: '0.0.0.0:5000'}\n", ["with a login upstream", "http.addr"]),
        (
            &format!(
                "{login}http: {{addr: ':443', tls: {{certificate: /a, key: /b, clientcas: [/c], \
                 clientauth: verify-client-cert-if-given}}}}\n"
            ),
            ["with a login upstream", "client certificates"],
        ),
    ] {
        let error = with(more).map(|_| ()).unwrap_err();
        let report = error.to_string();
        assert_eq!(error.count(), 1, "{more}\n{report}");
        for fragment in fragments {
            assert!(report.contains(fragment), "{more}\n{report}\nlacks: {fragment}");
        }
    }
}

#[test]
fn a_login_upstream_is_fine_where_nobody_else_can_come() {
    for more in [
        "  username: me\n  password: pw\n",
        "  username: me\n  password: pw\nhttp: {addr: 'localhost:5000'}\n",
        "  exec: {command: helper}\nhttp: {addr: ':443', tls: {certificate: /a, key: /b, clientcas: [/c]}}\n",
    ] {
        with(more).map(|_| ()).unwrap();
    }
}

#[test]
fn a_file_of_another_program_does_not_flood_the_screen() {
    let text: String = (0..2_000).map(|n| format!("thing{n}: 1\n")).collect();
    let error = load(&text, &[]).map(|_| ()).unwrap_err();
    assert_eq!(error.count(), 30);
    assert!(error.to_string().starts_with("config.yml cannot be used: 2001 problems, of which these are the first 30"));
}

#[test]
fn an_alias_that_doubles_itself_is_stopped_before_it_grows() {
    let mut text = format!("{MINIMAL}log:\n  fields:\n    l0: &l0 [x, x, x, x, x, x, x, x]\n");
    for level in 1..30 {
        let items = vec![format!("*l{}", level - 1); 8].join(", ");
        text.push_str(&format!("    l{level}: &l{level} [{items}]\n"));
    }
    assert!(fault(&text).contains("more than 20000 values, once its aliases are expanded"));
    let deep = format!("{MINIMAL}log: {{fields: {{a: {}{}}}}}\n", "[".repeat(99), "]".repeat(99));
    assert!(fault(&deep).contains("more than 64 levels of nesting"));
}

fn downstream(options: &str) -> String {
    format!("version: 0.1\nmiddleware:\n  registry: [{{name: downstream, options: {options}}}]\n")
}
