//! Ours taken out of files of others.

use super::*;

#[test]
fn only_ours_goes() {
    for (what, before, after) in [
        ("not there", "server = \"x\"\n", None),
        ("not there, another port", "[host.\"http://127.0.0.1:7970\"]\n", None),
        ("nothing at all", "", None),
        ("blanks and comments", "\n# x\n", None),
        ("by hand, all of the file", "[host.\"http://127.0.0.1:797\"]\n", Some("")),
        (
            "by hand, with a comment of theirs",
            "server = \"x\"\n\n# cache\n[host.\"http://127.0.0.1:797/\"]\nskip_verify = true # why\n",
            Some("server = \"x\"\n\n# cache\n"),
        ),
        (
            "in the middle",
            "[host.a]\n\n[host.\"http://127.0.0.1:797\"]\nx = '''\n# no comment'''\n\n# b\n[host.b]\n",
            Some("[host.a]\n\n# b\n[host.b]\n"),
        ),
        ("last", "[host.a]\n\n[host.\"http://127.0.0.1:797\"]\nx = [\n1,\n] # y", Some("[host.a]\n")),
        ("no empty lines", "[host.a]\n[host.\"http://127.0.0.1:797\"]\n[host.b]\n", Some("[host.a]\n[host.b]\n")),
        (
            "of both ports, tables below them too",
            "[host.'http://127.0.0.1:797'.header]\nx = \"y\"\n[host.\"http://127.0.0.1:5797\"]\n[[host.\"http://127.0.0.1:5797\".z]]\n[host.b]\n",
            Some("[host.b]\n"),
        ),
    ] {
        assert_eq!(take(before), after.map(|after| Some(after.to_owned())), "{what}");
    }
}
