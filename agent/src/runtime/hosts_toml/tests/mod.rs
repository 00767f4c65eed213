//! The edit as tables (text before, text after; read them as documentation) and under arbitrary files, against a small
//! engine that reads `certs.d` as dockerd does.

mod engine;
mod files;
mod first;
mod origins;
mod properties;
mod refused;
mod taken_out;

use std::ffi::OsString;

use super::*;

pub(super) const OURS: &str = "http://127.0.0.1:797";
const MSR: &str = "msr.example.com:5000";

fn mirror(address: &str) -> MirrorUrl {
    MirrorUrl::parse(address).unwrap()
}

/// A registry about which nothing is said.
fn plain(registry: &str) -> Origin {
    origin(registry, &[], &[], &[])
}

/// A registry with these files in its folder.
fn origin(registry: &str, files: &[&str], mirrors: &[&str], insecure: &[&str]) -> Origin {
    let files: Vec<OsString> = files.iter().map(OsString::from).collect();
    let ruling = Ruling { folder: registry, files: &files, hosts_toml: None };
    origin_of(registry, Some(ruling), mirrors, insecure).unwrap()
}

fn origin_of(
    registry: &str,
    ruling: Option<Ruling<'_>>,
    mirrors: &[&str],
    insecure: &[&str],
) -> Result<Origin, Refusal> {
    let mirrors: Vec<String> = mirrors.iter().map(|&mirror| mirror.to_owned()).collect();
    let registry = registry.parse().unwrap();
    Origin::of(OriginFacts { registry: &registry, ruling, mirrors: &mirrors, insecure: insecure_registries(insecure) })
}

/// `insecure-registries`, names or networks.
fn insecure_registries(entries: &[&str]) -> InsecureRegistries {
    let (networks, names): (Vec<&str>, Vec<&str>) = entries.iter().partition(|entry| entry.contains('/'));
    InsecureRegistries {
        indexes: names
            .into_iter()
            .map(|name| (name.to_owned(), false))
            .chain([("docker.io".to_owned(), true)])
            .collect(),
        networks: networks.into_iter().chain(["::1/128", "127.0.0.0/8"]).map(str::to_owned).collect(),
        addresses: Default::default(),
    }
}

/// The text after ours was put first; `None` if nothing changes. A second edit must find nothing to do.
fn put(now: Option<&str>, origin: &Origin, foreign: Foreign) -> Result<Option<String>, Refusal> {
    let (ours, retired) = (mirror(OURS), [mirror("http://127.0.0.1:5797")]);
    let desired = Desired::First(First { ours: &ours, retired: &retired, foreign, origin });
    match edit(now.map(str::as_bytes), desired)? {
        Edit::Unchanged => Ok(None),
        Edit::Write(bytes) => {
            let text = String::from_utf8(bytes).unwrap();
            assert_eq!(edit(Some(text.as_bytes()), desired), Ok(Edit::Unchanged), "a second edit of\n{text}");
            Ok(Some(text))
        }
        Edit::Remove => panic!("putting ours first removes nothing"),
    }
}

/// The text after ours were taken out; outer `None` if nothing changes, inner `None` if the file goes.
fn take(now: &str) -> Option<Option<String>> {
    let ours = [mirror(OURS), mirror("http://127.0.0.1:5797")];
    match edit(Some(now.as_bytes()), Desired::Without(&ours)).unwrap() {
        Edit::Unchanged => None,
        Edit::Remove => Some(None),
        Edit::Write(bytes) => {
            assert_eq!(edit(Some(&bytes), Desired::Without(&ours)), Ok(Edit::Unchanged), "a second edit");
            Some(Some(String::from_utf8(bytes).unwrap()))
        }
    }
}
