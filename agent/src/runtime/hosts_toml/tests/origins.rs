//! What is said again where our file is the first to list hosts.

use super::*;

fn hosts_of(text: &str) -> Vec<String> {
    let hosts = read(text).unwrap();
    let tables = hosts.listed.iter().map(|host| host.lines(true));
    tables.chain([hosts.root.lines(false)]).map(|lines| lines.join("; ")).collect()
}

const TABLE: &str = "[host.\"http://127.0.0.1:797\"]; capabilities = [\"pull\", \"resolve\"]; dial_timeout = \"2s\"";

#[test]
fn a_whole_file_says_who_wrote_it() {
    let text = put(None, &origin(MSR, &["ca.crt"], &[], &[MSR]), Foreign::Keep).unwrap().unwrap();
    let (first, rest) = text.split_once(" (checksum ").unwrap();
    assert_eq!(
        first,
        "# larder-agent: written so that Docker asks this node's mirror for what it pulls from msr.example.com:5000, \
         and then the registry itself. `larder-agent restore` takes this file away."
    );
    assert_eq!(
        rest.split_once(")\n").unwrap().1,
        "# The lines before the first [host] say again what Docker does not read beside this file: certificates\n\
         # as files for this registry, and insecure-registries of daemon.json.\n\
         server = \"http://msr.example.com:5000\"\n\
         ca = [\"ca.crt\"]\n\
         skip_verify = true\n\
         \n\
         [host.\"http://127.0.0.1:797\"]\n\
         capabilities = [\"pull\", \"resolve\"]\n\
         dial_timeout = \"2s\"\n"
    );
    assert_eq!(take(&text), Some(None), "all of it is ours");
    assert_eq!(put(Some(""), &origin(MSR, &["ca.crt"], &[], &[MSR]), Foreign::Keep).unwrap(), Some(text));
}

#[test]
fn a_new_file_keeps_the_registry_reachable() {
    let files = ["b.crt", "client.cert", "client.key", "a.crt", "both.cert", "README", "lone.key", "x.CRT"];
    let certificates = "ca = [\"a.crt\", \"b.crt\"]; client = [\"both.cert\", [\"client.cert\", \"client.key\"]]";
    for (what, origin, mirrors, root) in [
        ("nothing said", plain(MSR), vec![], String::new()),
        ("Docker Hub", plain("docker.io"), vec![], String::new()),
        ("certificates", origin(MSR, &files, &[], &[]), vec![], certificates.to_owned()),
        (
            "certificates, insecure",
            origin(MSR, &files, &[], &[MSR]),
            vec![],
            format!("server = \"http://msr.example.com:5000\"; {certificates}; skip_verify = true"),
        ),
        (
            "insecure without a port: https, then http",
            origin("msr.example.com", &[], &[], &["msr.example.com"]),
            vec![],
            "server = \"http://msr.example.com\"; skip_verify = true".to_owned(),
        ),
        (
            "insecure at port 80: http",
            origin("10.0.0.1:80", &["a.crt"], &[], &["10.0.0.0/8"]),
            vec![],
            "server = \"http://10.0.0.1:80\"".to_owned(),
        ),
        ("insecure, the other port", origin(MSR, &[], &[], &["msr.example.com"]), vec![], String::new()),
        (
            "this machine: containerd's own rule",
            origin("localhost:5000", &["a.crt"], &[], &[]),
            vec![],
            "ca = [\"a.crt\"]".to_owned(),
        ),
        ("this machine by number", plain("127.0.0.1:5000"), vec![], String::new()),
        (
            "Docker Hub is asked at another name",
            origin("docker.io", &[], &[], &["registry-1.docker.io"]),
            vec![],
            "server = \"http://registry-1.docker.io\"; skip_verify = true".to_owned(),
        ),
        (
            "mirrors of Docker Hub, ours left out, each once",
            origin(
                "docker.io",
                &["a.crt"],
                &[
                    "http://127.0.0.1:797/",
                    "https://m/hub/",
                    "HTTP://n:5000/",
                    "https://m/hub/",
                    "https://o:5001/",
                    "https://o:80",
                ],
                &["o:5001", "o:80"],
            ),
            vec![
                "[host.\"https://m/hub\"]; capabilities = [\"pull\", \"resolve\"]; ca = [\"a.crt\"]",
                "[host.\"http://n:5000\"]; capabilities = [\"pull\", \"resolve\"]",
                "[host.\"http://o:5001\"]; capabilities = [\"pull\", \"resolve\"]; ca = [\"a.crt\"]; skip_verify = true",
                "[host.\"http://o:80\"]; capabilities = [\"pull\", \"resolve\"]",
            ],
            "ca = [\"a.crt\"]".to_owned(),
        ),
        ("mirrors are Docker Hub's only", origin(MSR, &[], &["https://m"], &[]), vec![], String::new()),
    ] {
        let text = put(None, &origin, Foreign::Keep).unwrap().unwrap();
        let expected: Vec<String> = [TABLE].into_iter().chain(mirrors).map(str::to_owned).chain([root]).collect();
        assert_eq!(hosts_of(&text), expected, "{what}");
        assert_eq!(take(&text), Some(None), "{what}: and back");
    }
    let adopting = put(None, &origin("docker.io", &[], &["https://m"], &[]), Foreign::TakeOut).unwrap().unwrap();
    assert_eq!(hosts_of(&adopting), [TABLE, ""], "adopted: the mirrors of others go");
}

#[test]
fn a_file_of_others_that_lists_no_host_gets_them_at_its_end() {
    let hub = origin("docker.io", &["unused.crt"], &["https://m"], &["registry-1.docker.io", "proxy.example.com"]);
    for (what, before, expected) in [
        (
            "only comments: Docker overlooks the certificates as before",
            "# nothing\n",
            vec![
                "[host.\"https://m\"]; capabilities = [\"pull\", \"resolve\"]",
                "[host.\"http://registry-1.docker.io\"]; skip_verify = true",
                "",
            ],
        ),
        (
            "a server that is another host, with options",
            "server = \"proxy.example.com/hub\"\ncapabilities = [\"pull\"]\nca = \"p.crt\"\nproxy = 'http://q' # why\n[header]\nAuthorization = \"x\"\n",
            vec![
                "[host.\"https://m\"]; capabilities = [\"pull\", \"resolve\"]; ca = [\"p.crt\"]; \"proxy\" = 'http://q'; header = { \"Authorization\" = [\"x\"] }",
                "[host.\"http://proxy.example.com/hub\"]; capabilities = [\"pull\"]; ca = [\"p.crt\"]; skip_verify = true; \"proxy\" = 'http://q'; header = { \"Authorization\" = [\"x\"] }",
                "server = \"proxy.example.com/hub\"; capabilities = [\"pull\"]; ca = [\"p.crt\"]; \"proxy\" = 'http://q'; header = { \"Authorization\" = [\"x\"] }",
            ],
        ),
        (
            "a secure server",
            "server = \"https://secure.example.com\"",
            vec![
                "[host.\"https://m\"]; capabilities = [\"pull\", \"resolve\"]",
                "server = \"https://secure.example.com\"",
            ],
        ),
        (
            "a plain server",
            "server = \"http://proxy.example.com\"\r\n",
            vec![
                "[host.\"https://m\"]; capabilities = [\"pull\", \"resolve\"]",
                "server = \"http://proxy.example.com\"",
            ],
        ),
    ] {
        let text = put(Some(before), &hub, Foreign::Keep).unwrap().unwrap();
        assert!(text.starts_with(before), "{what}: {text}");
        assert_eq!(text.ends_with('\n'), before.ends_with('\n'), "{what}: the end stays as it is");
        let above = text.lines().zip(text.lines().skip(1)).find(|(_, line)| line.starts_with("# larder-agent: "));
        assert_eq!(above.map(|(above, _)| above), Some(""), "{what}: an empty line between");
        let expected: Vec<&str> = [TABLE].into_iter().chain(expected).collect();
        assert_eq!(hosts_of(&text), expected, "{what}");
        assert_eq!(take(&text), Some(Some(before.to_owned())), "{what}: and back");
    }
}

#[test]
fn what_we_wrote_is_renewed_when_something_else_is_to_be_said() {
    let old = put(None, &origin(MSR, &["a.crt"], &[], &[]), Foreign::Keep).unwrap().unwrap();
    let new = put(Some(&old), &origin(MSR, &["b.crt"], &[], &[MSR]), Foreign::Keep).unwrap().unwrap();
    assert_eq!(Some(new), put(None, &origin(MSR, &["b.crt"], &[], &[MSR]), Foreign::Keep).unwrap());

    let theirs = "# mine\nskip_verify = false\n";
    let old = put(Some(theirs), &origin("docker.io", &[], &["https://m"], &[]), Foreign::Keep).unwrap().unwrap();
    let new = put(Some(&old), &origin("docker.io", &[], &["https://n"], &[]), Foreign::Keep).unwrap().unwrap();
    assert_eq!(
        Some(&new),
        put(Some(theirs), &origin("docker.io", &[], &["https://n"], &[]), Foreign::Keep).unwrap().as_ref()
    );
    assert_eq!(take(&new), Some(Some(theirs.to_owned())));
}

#[test]
fn a_file_that_lists_nothing_but_ours_becomes_ours() {
    for by_hand in ["[host.\"http://127.0.0.1:797\"]\n", "[host.\"http://127.0.0.1:5797\"]\nca = \"x\""] {
        let origin = origin(MSR, &["a.crt"], &[], &[]);
        let text = put(Some(by_hand), &origin, Foreign::Keep).unwrap();
        assert_eq!(text, put(None, &origin, Foreign::Keep).unwrap(), "{by_hand}");
    }
}

#[test]
fn what_somebody_made_of_our_file_is_theirs() {
    let ours = put(None, &origin(MSR, &["a.crt"], &[], &[]), Foreign::Keep).unwrap().unwrap();
    let edited = format!("{ours}\n[host.\"https://theirs\"]\n");
    assert_eq!(put(Some(&edited), &origin(MSR, &["b.crt"], &[], &[]), Foreign::Keep).unwrap(), None);
    let left = take(&edited).unwrap().unwrap();
    assert_eq!(hosts_of(&left), ["[host.\"https://theirs\"]", "ca = [\"a.crt\"]"], "and needs the certificate still");

    let ours = put(None, &plain(MSR), Foreign::Keep).unwrap().unwrap();
    assert_eq!(take(&format!("{ours}# a thought\n")), Some(None), "nothing that an engine reads is left");
}

#[test]
fn the_file_for_all_registries_is_taken_over_where_it_ruled() {
    let default = "# all\nca = [\"a.crt\", '/etc/b.crt']\nclient = [[\"c.cert\", \"sub/c.key\"], \"\"]\n\n[host.\"https://m\"]\nca = \"../m.crt\"\n";
    let ruling = Ruling { folder: "_default", files: &["x.crt".into()], hosts_toml: Some(default.as_bytes()) };
    let text = put(None, &origin_of(MSR, Some(ruling), &[], &[MSR]).unwrap(), Foreign::Keep).unwrap().unwrap();
    assert_eq!(
        hosts_of(&text),
        [
            TABLE,
            "[host.\"https://m\"]; ca = [\"../_default/../m.crt\"]",
            "ca = [\"../_default/a.crt\", \"/etc/b.crt\"]; client = [[\"../_default/c.cert\", \"../_default/sub/c.key\"], \"../_default/\"]",
        ]
    );
    assert!(text.contains("\n# all\nca = [\"../_default/a.crt\", '/etc/b.crt']\n"), "its layout stays: {text}");
    assert_eq!(take(&text), Some(None));

    let certificates = Ruling { folder: "_default", files: &["x.crt".into()], hosts_toml: None };
    let text = put(None, &origin_of(MSR, Some(certificates), &[], &[]).unwrap(), Foreign::Keep).unwrap().unwrap();
    assert_eq!(hosts_of(&text), [TABLE, "ca = [\"../_default/x.crt\"]"]);

    let only_root = Ruling { folder: "_default", files: &[], hosts_toml: Some(b"server = \"https://all\"") };
    let origin = origin_of("docker.io", Some(only_root), &["https://m"], &["all"]).unwrap();
    let text = put(None, &origin, Foreign::Keep).unwrap().unwrap();
    assert_eq!(
        hosts_of(&text),
        [
            TABLE,
            "[host.\"https://m\"]; capabilities = [\"pull\", \"resolve\"]",
            "[host.\"http://all\"]; skip_verify = true",
            "server = \"https://all\"",
        ]
    );
    assert_eq!(take(&text), Some(None));

    let broken = Ruling { folder: "_default", files: &[], hosts_toml: Some(b"server = ") };
    let refusal = origin_of(MSR, Some(broken), &[], &[]).err().unwrap();
    assert!(refusal.to_string().contains("uses _default/hosts.toml for this registry"), "{refusal}");
}

#[test]
fn a_certificate_without_a_name_in_utf8_is_refused() {
    use std::os::unix::ffi::OsStringExt as _;
    let bad = |name: &[u8]| {
        let files = [OsString::from_vec(name.to_vec())];
        origin_of(MSR, Some(Ruling { folder: MSR, files: &files, hosts_toml: None }), &[], &[]).err()
    };
    assert!(bad(b"\xff.crt").unwrap().to_string().contains("rename it"));
    assert_eq!(bad(b"\xff.txt"), None);
}

#[test]
fn the_names_whose_addresses_matter_are_known() {
    let names = |registry: &str, hosts_toml: Option<&str>, mirrors: &[&str]| {
        let mirrors: Vec<String> = mirrors.iter().map(|&mirror| mirror.to_owned()).collect();
        let ruling = Ruling { folder: registry, files: &[], hosts_toml: hosts_toml.map(str::as_bytes) };
        names_to_resolve(&OriginFacts {
            registry: &registry.parse().unwrap(),
            ruling: Some(ruling),
            mirrors: &mirrors,
            insecure: InsecureRegistries::default(),
        })
    };
    assert_eq!(names("10.0.0.1:5000", None, &["https://m"]), [""; 0]);
    assert_eq!(names("docker.io", None, &["https://m:5000/", "http://[::1]:1"]), ["m", "registry-1.docker.io"]);
    assert_eq!(names(MSR, Some("server = 'http://s:1/x'"), &[]), ["msr.example.com", "s"]);
    assert_eq!(names(MSR, Some("not TOML"), &[]), ["msr.example.com"]);
}
