//! A hub that cannot start.

use anyhow::Result;
use larder_tests::rig::{Launch, binaries};

use super::Bad;
use crate::report::Report;

const S3: &str = "
version: 0.1
storage:
  s3:
    region: us-east-1
    bucket: larder
    accesskey: AKIAIOSFODNN7EXAMPLE
    secretkey: s3cret-of-the-bucket
proxy:
  remoteurl: https://registry-1.docker.io
";

const NO_CERTIFICATE: &str = "
version: 0.1
proxy:
  remoteurl: https://127.0.0.1:9
http:
  addr: 127.0.0.1:0
  tls:
    certificate: /nowhere/x.crt
    key: /nowhere/x.key
";

const OPEN: &str = "
version: 0.1
http:
  addr: 0.0.0.0:5999
proxy:
  remoteurl: https://127.0.0.1:9
  username: ann
  password: s3cret-of-the-hub
";

/// What is wrong with a configuration, and what must be said of it.
const CONFIGURATIONS: &[(&str, &str, &[&str])] = &[
    ("the s3 driver", S3, &["s3", "storage.filesystem"]),
    ("an unknown key", "version: 0.1\nproxi:\n  remoteurl: http://127.0.0.1:9\n", &["proxi", "proxy", "2"]),
    (
        "an unknown key deep inside",
        "version: 0.1\nhttp:\n  addr: :5000\n  tls:\n    certifcate: /x\n",
        &["certifcate", "certificate"],
    ),
    ("no YAML", "version: 0.1\n\tproxy: [}\n", &[]),
    ("a list", "- version\n- 0.1\n", &[]),
    ("no version", "proxy:\n  remoteurl: http://127.0.0.1:9\n", &["version"]),
    ("version 7", "version: 7\n", &["version"]),
    ("an upstream that is no URL", "version: 0.1\nproxy:\n  remoteurl: registry example\n", &["remoteurl"]),
    (
        "a password in the upstream's URL",
        "version: 0.1\nproxy:\n  remoteurl: http://ann:s3cret-of-the-url@127.0.0.1:9\n",
        &["remoteurl"],
    ),
    ("an address that is none", "version: 0.1\nhttp:\n  addr: nowhere at all\n", &["addr"]),
    ("a certificate that is not there", NO_CERTIFICATE, &["/nowhere/x"]),
    (
        "an authority that is not there",
        "version: 0.1\nproxy:\n  remoteurl: https://127.0.0.1:9\nlarder:\n  ca: [/nowhere/ca.crt]\n",
        &["/nowhere/ca.crt"],
    ),
    ("a login, open to all", OPEN, &["127.0.0.1", "clientcas"]),
    ("a billion laughs", LAUGHS, &[]),
];

const LAUGHS: &str = "a: &a [x, x, x, x, x, x, x, x, x, x]
b: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]
c: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b]
d: &d [*c, *c, *c, *c, *c, *c, *c, *c, *c, *c]
e: &e [*d, *d, *d, *d, *d, *d, *d, *d, *d, *d]
f: &f [*e, *e, *e, *e, *e, *e, *e, *e, *e, *e]
g: &g [*f, *f, *f, *f, *f, *f, *f, *f, *f, *f]
h: &h [*g, *g, *g, *g, *g, *g, *g, *g, *g, *g]
version: *h
";

pub(super) fn refuses(bad: &Bad<'_>, report: &mut Report) -> Result<()> {
    let hub = binaries::find("larder-hub")?;
    let launch = |file: &std::path::Path| bad.rig.command("bad-hub", &hub).args(["serve", "--config"]).arg(file);
    let mut configured = |what: &str, text: &[u8], says: &[&str]| {
        let file = bad.folder.join("hub.yml");
        std::fs::write(&file, text)?;
        bad.refused(report, "hub", &format!("configuration: {what}"), launch(&file), says)
    };
    for (what, text, says) in CONFIGURATIONS {
        configured(what, text.as_bytes(), says)?;
    }
    configured("zeros", &[0; 4096], &[])?;
    configured("no UTF-8", b"version: 0.1\nlog: {level: \xff\xfe}\n", &[])?;
    configured("20 MB", &vec![b'#'; 20 << 20], &["larg"])?;
    configured("100,000 brackets", "[".repeat(100_000).as_bytes(), &[])?;
    bad.refused(
        report,
        "hub",
        "configuration: not there",
        launch("/nowhere/config.yml".as_ref()),
        &["/nowhere/config.yml"],
    )?;
    bad.refused(report, "hub", "configuration: a folder", launch(&bad.folder), &["bad"])?;

    let port = bad.rig.port();
    let free = format!("127.0.0.1:{port}");
    let settings = |launch: Launch, folder: &str, address: &str, debug: &str| {
        let launch = launch.env("REGISTRY_PROXY_REMOTEURL", "http://127.0.0.1:9").env("REGISTRY_HTTP_ADDR", address);
        launch.env("REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY", folder).env("REGISTRY_HTTP_DEBUG_ADDR", debug)
    };
    let root = || bad.rig.command("bad-hub", &hub).arg("serve");
    let nobody = || bad.nobody(&hub).arg("serve");
    let (file, taken) = (bad.file.to_string_lossy(), bad.world.hub.address().to_string());
    let below = format!("{file}/data");
    let used = bad.world.folder("hub").to_string_lossy().into_owned();
    let fresh = |n: u32| bad.folder.join(format!("hub-{n}")).to_string_lossy().into_owned();
    let other = format!("127.0.0.1:{}", bad.rig.port());
    let [below, used, taken, free, other] = [&below, &used, &taken, &free, &other].map(String::as_str);
    let file = &*file;
    #[rustfmt::skip]
    let rows: Vec<(&str, Launch, Vec<&str>)> = vec![
        ("folder: is a file", settings(root(), file, free, other), vec![file]),
        ("folder: below a file", settings(root(), below, free, other), vec![below]),
        ("folder: in /proc", settings(root(), "/proc/larder", free, other), vec!["/proc/larder"]),
        ("folder: not ours to write", settings(nobody(), "/var/lib/larder-of-root", free, other), vec!["/var/lib/larder-of-root", "ermission denied"]),
        ("folder: of another process", settings(root(), used, free, other), vec![used, "in use"]),
        ("port: taken", settings(root(), &fresh(1), taken, other), vec![taken, "another process"]),
        ("debug port: taken", settings(root(), &fresh(2), free, taken), vec![taken, "another process"]),
        ("port: below 1024, as nobody", settings(nobody(), &fresh(3), "127.0.0.1:99", other), vec!["127.0.0.1:99", "1024"]),
        ("address: not of this machine", settings(root(), &fresh(4), "192.0.2.1:5000", other), vec!["192.0.2.1:5000"]),
    ];
    for (what, launch, says) in rows {
        bad.refused(report, "hub", what, launch, &says)?;
    }
    Ok(())
}
