//! The edit under arbitrary nodes, in the eyes of the engine, and under bytes that are no file at all.

use std::collections::BTreeMap;

use proptest::{collection::vec, option, prelude::*, sample::subsequence};

use super::{
    engine::{Asked, Folders, Node},
    files::text,
    *,
};

const THEIRS: &[&str] =
    &["https://a.example.com", "http://b.example.com:5000", "c.example.com/hub", "https://d.example.com/v2"];
const OURS_TOO: &[&str] =
    &["https://a.example.com", "http://127.0.0.1:797/", "http://127.0.0.1:5797", "http://127.0.0.1:797/v2"];

fn folder() -> impl Strategy<Value = BTreeMap<String, String>> {
    let names = subsequence(vec!["a.crt", "b.crt", "c.cert", "c.key", "d.cert", "e.key"], 0..=6);
    (names, option::of(text(THEIRS))).prop_map(|(names, text)| {
        let certificates = names.into_iter().map(|name| (name.to_owned(), String::new()));
        certificates.chain(text.map(|text| (FILE_NAME.to_owned(), text))).collect()
    })
}

fn node() -> impl Strategy<Value = (String, Node)> {
    let registries =
        ["docker.io", "msr.example.com:5000", "msr.example.com", "localhost:5000", "10.0.0.1:80", "localhost"];
    let mirrors = vec![
        "http://127.0.0.1:797/",
        "https://m.example.com/hub/",
        "http://n.example.com:5000/",
        "HTTPS://o.example.com:80/",
    ];
    let insecure = vec![
        "registry-1.docker.io",
        "msr.example.com:5000",
        "msr.example.com",
        "10.0.0.0/8",
        "m.example.com",
        "o.example.com:80",
        "other.example.com",
        "other.example.com:80",
        "docker.io",
    ];
    (
        proptest::sample::select(registries.to_vec()),
        option::of(folder()),
        option::of(folder()),
        option::of(folder()),
        subsequence(mirrors, 0..=4),
        subsequence(insecure, 0..=9),
    )
        .prop_map(|(registry, own, underscored, default, mirrors, insecure)| {
            let underscore = registry.replace(':', "_") + "_";
            let underscored = underscored.filter(|_| registry.contains(':'));
            let folders = [(registry.to_owned(), own), (underscore, underscored), ("_default".to_owned(), default)];
            let node = Node {
                folders: folders.into_iter().filter_map(|(name, files)| Some((name, files?))).collect(),
                mirrors: mirrors.into_iter().map(str::to_owned).collect(),
                insecure: insecure_registries(&insecure),
            };
            (registry.to_owned(), node)
        })
}

/// What a caller does: find the place, put together the origin, edit.
fn configure(node: &Node, registry: &str, ours_made: Option<&str>) -> (Folders, Edit) {
    let parsed = registry.parse().unwrap();
    let place = place(&parsed, |name| node.folders.contains_key(name), ours_made);
    let files: Vec<OsString> =
        place.ruling.iter().flat_map(|name| node.folders[name].keys()).map(OsString::from).collect();
    let ruling = place.ruling.as_deref().map(|folder| Ruling {
        folder,
        files: &files,
        hosts_toml: node.folders[folder].get(FILE_NAME).map(String::as_bytes),
    });
    let facts = OriginFacts { registry: &parsed, ruling, mirrors: &node.mirrors, insecure: node.insecure.clone() };
    let origin = Origin::of(facts).unwrap();
    let (ours, retired) = (mirror(OURS), [mirror("http://127.0.0.1:5797")]);
    let now = node.folders.get(&place.folder).and_then(|files| files.get(FILE_NAME)).map(String::as_bytes);
    let first = First { ours: &ours, retired: &retired, foreign: Foreign::Keep, origin: &origin };
    let edit = edit(now, Desired::First(first)).unwrap();
    let mut folders = node.folders.clone();
    if let Edit::Write(bytes) = &edit {
        let text = String::from_utf8(bytes.clone()).unwrap();
        folders.entry(place.folder).or_default().insert(FILE_NAME.to_owned(), text);
    }
    (folders, edit)
}

/// Ours, as it is asked.
fn ours_asked() -> Asked {
    Asked {
        scheme: "http".to_owned(),
        host: "127.0.0.1:797".to_owned(),
        path: "/v2".to_owned(),
        capabilities: ["pull", "resolve"].map(str::to_owned).into(),
        dial_timeout: Some("2s".to_owned()),
        ..Asked::default()
    }
}

/// Hosts one after the other without ours; a host that is asked again is left out.
fn others(asked: &[Asked]) -> Vec<Asked> {
    let mut others: Vec<Asked> = Vec::new();
    for host in asked.iter().filter(|host| host.host != "127.0.0.1:797") {
        if !others.contains(host) {
            others.push(host.clone());
        }
    }
    others
}

proptest! {
    #[test]
    fn the_engine_asks_ours_and_then_whom_it_asked_before((registry, node) in node()) {
        let before = others(&node.asked(&registry));
        let (folders, edit) = configure(&node, &registry, None);
        prop_assert!(matches!(edit, Edit::Write(_)));
        let after = Node { folders, ..node.clone() };
        let asked = after.asked(&registry);
        prop_assert_eq!(&asked[0], &ours_asked());
        let mut rest = others(&asked[1..]);
        prop_assert_eq!(asked.iter().filter(|host| host.host == "127.0.0.1:797").count(), 1);
        if rest.len() == before.len() + 1 {
            // An insecure root of somebody else's file is listed as it was asked; the file's own line comes after it,
            // and is not insecure any more.
            let last = rest.pop().unwrap();
            let root = before.last().unwrap();
            prop_assert_eq!((&last.host, last.scheme.as_str(), last.then_http), (&root.host, "https", false));
            prop_assert!(root.then_http || root.scheme == "http");
        }
        prop_assert_eq!(rest, before);

        // A folder that we made is known to be ours by its maker only.
        let made = after.folders.keys().find(|name| !node.folders.contains_key(*name)).cloned();
        let (again, edit) = configure(&after, &registry, made.as_deref());
        prop_assert_eq!(edit, Edit::Unchanged);
        prop_assert_eq!(again, after.folders);
    }

    #[test]
    fn ours_goes_without_a_trace((registry, node) in node()) {
        let (mut folders, _) = configure(&node, &registry, None);
        for (name, files) in &mut folders {
            let before = node.folders.get(name).and_then(|files| files.get(FILE_NAME));
            let Some(now) = files.get(FILE_NAME).filter(|now| Some(*now) != before) else { continue };
            match take(now).expect("ours was put in") {
                Some(text) => {
                    prop_assert_eq!(Some(&text), before);
                    files.insert(FILE_NAME.to_owned(), text);
                }
                None => {
                    prop_assert!(before.is_none_or(String::is_empty));
                    files.remove(FILE_NAME);
                }
            }
        }
        for name in folders.keys() {
            prop_assert!(name != "_default" || folders[name] == node.folders[name], "never written");
        }
    }

    #[test]
    fn what_others_add_meanwhile_stays((registry, node) in node(), place in 0..3_usize) {
        let (mut folders, _) = configure(&node, &registry, None);
        let changed = |name: &str, files: &BTreeMap<String, String>| node.folders.get(name) != Some(files);
        let (name, files) = folders.iter_mut().find(|(name, files)| changed(name, files)).unwrap();
        let (name, text) = (name.clone(), files.get_mut(FILE_NAME).unwrap());
        let addition = "[host.\"https://new.example.com\"]\nskip_verify = true\n";
        let before = ["\n[host.", "\n# larder-agent: this", "\n at the end"][place];
        match text.find(before).filter(|_| !text.contains("\"\"\"")) {
            Some(before) => text.insert_str(before + 1, addition),
            None => {
                text.push('\n');
                text.push_str(addition);
            }
        }
        let with = Node { folders: folders.clone(), ..node.clone() };
        let asked = with.asked(&registry);
        prop_assert!(asked.iter().any(|host| host.host == "new.example.com"));

        let (again, _) = configure(&with, &registry, None);
        let asked_again = Node { folders: again.clone(), ..node.clone() }.asked(&registry);
        prop_assert_eq!(&asked_again[0], &ours_asked());
        prop_assert_eq!(others(&asked_again), others(&asked), "in their order");

        let left = take(&again[&name][FILE_NAME]).unwrap().unwrap();
        prop_assert!(left.replace("\r\n", "\n").contains(addition));
        folders.get_mut(&name).unwrap().insert(FILE_NAME.to_owned(), left);
        let asked = Node { folders, ..node.clone() }.asked(&registry);
        prop_assert!(asked.iter().all(|host| host.host != "127.0.0.1:797"));
        prop_assert!(asked.iter().any(|host| host.host == "new.example.com"));
    }

    #[test]
    fn files_with_ours_in_them_are_put_right(text in text(OURS_TOO), foreign in any::<bool>()) {
        let foreign = if foreign { Foreign::Keep } else { Foreign::TakeOut };
        let after = put(Some(&text), &plain("docker.io"), foreign).unwrap().unwrap_or(text.clone());
        let folder = BTreeMap::from([(FILE_NAME.to_owned(), after)]);
        let node = Node { folders: [("docker.io".to_owned(), folder)].into(), mirrors: vec![], insecure: Default::default() };
        let asked = node.asked("docker.io");
        let theirs = asked.iter().filter(|host| host.host == "a.example.com").count();
        prop_assert_eq!(asked.len(), 2 + theirs);
        prop_assert_eq!(asked[0].host.as_str(), "127.0.0.1:797");
        prop_assert!(!asked[0].capabilities.contains("push") && !asked[0].then_http);
        prop_assert!(foreign == Foreign::Keep || theirs == 0);
    }

    #[test]
    fn bytes_of_any_kind_are_edited_rightly_or_refused(bytes in vec(any::<u8>(), 0..64), token in vec(
        proptest::sample::select(vec!["[", "]", "host", ".", "\"", "'", "=", "\n", "\r\n", "#", "{", "}", "server", "x", " ", "\"\"\"", "http://127.0.0.1:797", "[host.\"http://127.0.0.1:797\"]\n", ","]), 0..24)) {
        let (ours, origin) = (mirror(OURS), plain(MSR));
        let first = Desired::First(First { ours: &ours, retired: &[], foreign: Foreign::Keep, origin: &origin });
        for bytes in [bytes, token.concat().into_bytes()] {
            for desired in [first, Desired::Without(std::slice::from_ref(&ours))] {
                if let Ok(Edit::Write(then)) = edit(Some(&bytes), desired) {
                    prop_assert_eq!(edit(Some(&then), desired), Ok(Edit::Unchanged));
                }
                prop_assert!(!matches!(edit(Some(&bytes), desired), Err(Refusal::Internal(_))));
            }
        }
    }
}
