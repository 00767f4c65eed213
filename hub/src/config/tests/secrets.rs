//! Nothing that is shown holds a secret, whatever is wrong around it.

use super::{MINIMAL, load};
use crate::config::check_report;

const SECRET: &str = "hunter2";

/// Everything that anyone could print.
fn shown(text: &str, env: &[(&str, &str)]) -> String {
    match load(text, env) {
        Ok(loaded) => format!("{}\n{loaded:?}\n{loaded:#?}", check_report(&loaded, true)),
        Err(error) => format!("{error}\n{error:?}"),
    }
}

#[test]
fn secrets_stay_hidden_when_all_is_well() {
    let text = "\
version: 0.1
log:
  hooks: [{type: mail, options: {smtp: {password: hunter2}}}]
http:
  secret: hunter2
notifications:
  endpoints: [{name: a, url: 'https://me:hunter2@a', headers: {Authorization: [Bearer hunter2]}}]
redis: {password: hunter2, sentinelpassword: hunter2, addr: 'redis://:hunter2@a:1'}
reporting: {bugsnag: {apikey: hunter2}, newrelic: {licensekey: hunter2}}
health:
  http: [{uri: 'https://a', headers: {Authorization: [Basic hunter2]}}]
proxy: {remoteurl: https://a, username: me, password: hunter2}
";
    let shown = shown(text, &[]);
    assert!(shown.contains("<redacted>"), "{shown}");
    assert!(!shown.contains(SECRET), "{shown}");
}

#[test]
fn secrets_stay_hidden_when_something_is_wrong() {
    for more in [
        "  password: [hunter2]\n",
        "  password: {hunter2: hunter2}\n",
        "  passwort: hunter2\n",
        "  pass: {word: hunter2}\n",
        "  password:hunter2\n",
        "  password:hunter2\n  ttl: 1h\n",
        "  password=hunter2: x\n",
        "  password: \"hunter2\n",
        "  password: hun: hunter2\n",
        "  password: 'hunter2'hunter2\n",
        "  password: @hunter2\n",
        "  password: *hunter2\n",
        "  password: &hunter2\n",
        "  password: !hunter2\n",
        "  password: %hunter2\n",
        "  password: |\n  hunter2\n",
        "  password: hunter2\n  password: hunter2\n",
        "  password: hunter2\n",
        "  username: me\n  password: hunter2\nhttp: {addr: ':1'}\n",
        "  exec: hunter2\n",
        "storage: {s3: {secretkey: hunter2, accesskey: hunter2, buckt: hunter2}}\n",
        "storage: {s3: {accesskey: hunter2, secretkey: hunter2}, filesystem: {}}\n",
        "storage: {azure: {accountkey: hunter2, credentials: {secret: hunter2}}}\n",
        "storage: {gcs: {credentials: {private_key: hunter2}}}\n",
        "http: {secret: hunter2, adr: 1}\n",
        "http: {secret: hunter2, addr: 1}\n",
        "http: {addr: 1, secret: hunter2}\n",
        "http: {secret: hunter2, addr: [\n",
        "health: {http: [{uri: 'https://me:hunter2@a'}]}\n",
        "health: {http: [{uri: 'me:hunter2@a'}]}\n",
        "health: {http: [{uri: 'https://a', headers: {A: hunter2}}]}\n",
        "health: {http: [{uri: 'https://a', headers: {A: [\"hunter2\\n\"]}}]}\n",
        "larder: {realms: ['me:hunter2@a']}\n",
        "- hunter2\n",
        "hunter2\n",
    ] {
        let shown = shown(&format!("{MINIMAL}{more}"), &[]);
        assert!(!shown.contains(SECRET), "{more}\n{shown}");
    }
    let shown = shown("version: 0.1\nproxy:\n  remoteurl: https://me:hunter2@registry.example.com\n", &[]);
    assert!(!shown.contains(SECRET), "{shown}");
}

#[test]
fn secrets_in_variables_stay_hidden() {
    for (name, value) in [
        ("REGISTRY_PROXY_PASSWORD", "hunter2"),
        ("REGISTRY_PROXY_PASSWORD", "[hunter2"),
        ("REGISTRY_PROXY_PASSWORD", "[hunter2]"),
        ("REGISTRY_PROXY_PASWORD", "hunter2"),
        ("REGISTRY_PROXY_REMOTEURL", "https://me:hunter2@a"),
        ("REGISTRY_PROXY", "{password: hunter2, ttl: 7d}"),
        ("REGISTRY_HTTP_SECRET", "hunter2"),
        ("REGISTRY_STORAGE_S3_SECRETKEY", "hunter2"),
    ] {
        let shown = shown(MINIMAL, &[(name, value)]);
        assert!(!shown.contains(SECRET), "{name}={value}\n{shown}");
    }
}
