//! Ours first in files of others.

use super::*;

/// What is put in front of the hosts of others.
const TABLE: &str = "# larder-agent: this node's mirror, asked before all others. `larder-agent restore` takes this table \
     out again.\n[host.\"http://127.0.0.1:797\"]\ncapabilities = [\"pull\", \"resolve\"]\ndial_timeout = \"2s\"\n\n";

#[test]
fn ours_goes_in_front_of_the_hosts_that_are_there() {
    // `<ours>` stands for the table above.
    for (what, before, after) in [
        ("a mirror", "[host.\"https://m\"]\n", "<ours>[host.\"https://m\"]\n"),
        (
            "root, comments, order, layout, unknown keys",
            "# by hand\nserver = \"https://msr.example.com:5000\" # origin\nproxy='http://p'\n\n\n  # first\n  [ host . 'https://b' ] # x\n\tca = [ \"b.crt\" , ]\n\n[host.\"https://a\"]\n",
            "# by hand\nserver = \"https://msr.example.com:5000\" # origin\nproxy='http://p'\n\n\n<ours>  # first\n  [ host . 'https://b' ] # x\n\tca = [ \"b.crt\" , ]\n\n[host.\"https://a\"]\n",
        ),
        (
            "no line break at the end",
            "[host.\"https://m\"]\nskip_verify = true",
            "<ours>[host.\"https://m\"]\nskip_verify = true",
        ),
        (
            "a table between root and hosts",
            "[header]\nx = \"y\"\n[host.\"https://m\"]\n",
            "[header]\nx = \"y\"\n<ours>[host.\"https://m\"]\n",
        ),
        (
            "[host] with a header of its own",
            "[host]\n\n[host.\"https://m\"]\n",
            "[host]\n\n<ours>[host.\"https://m\"]\n",
        ),
        (
            "a host only by a table below it",
            "[host.\"https://m\".header]\nx = [\"y\"]\n",
            "<ours>[host.\"https://m\".header]\nx = [\"y\"]\n",
        ),
        (
            "lines of a long string that look like other things",
            "note = \"\"\"\n[host.\"https://no\"]\n# larder-agent: no\n\"\"\"\n[host.\"https://m\"]\n",
            "note = \"\"\"\n[host.\"https://no\"]\n# larder-agent: no\n\"\"\"\n<ours>[host.\"https://m\"]\n",
        ),
    ] {
        let expected = after.replace("<ours>", TABLE);
        let result = put(Some(before), &plain(MSR), Foreign::Keep).unwrap().unwrap();
        assert_eq!(result, expected, "{what}");
        assert_eq!(take(&result), Some(Some(before.to_owned())), "{what}: and back");
    }
}

#[test]
fn line_breaks_are_those_of_the_file() {
    let before = "server = \"x\"\r\n\r\n[host.\"https://m\"]\r\n";
    let result = put(Some(before), &plain(MSR), Foreign::Keep).unwrap().unwrap();
    assert_eq!(result, format!("server = \"x\"\r\n\r\n{}[host.\"https://m\"]\r\n", TABLE.replace('\n', "\r\n")));
    assert_eq!(take(&result), Some(Some(before.to_owned())));
}

#[test]
fn ours_is_known_in_any_spelling_and_put_right() {
    let theirs = "[host.\"https://m\"]\nca = \"m.crt\"\n";
    let right = format!("{TABLE}{theirs}");
    for (what, before) in [
        ("second", format!("{theirs}\n[host.\"http://127.0.0.1:797\"]\ncapabilities = [\"pull\", \"resolve\"]\n")),
        ("as containerd completes it", format!("[host.\"HTTP://127.0.0.1:797/\"]\n\n{theirs}").replace("HTTP", "http")),
        ("with its path", format!("[host.\"http://127.0.0.1:797/v2\"]\ncapabilities = [\"push\"]\n\n{theirs}")),
        ("without capabilities, which means push too", format!("[host.\"http://127.0.0.1:797\"]\n\n{theirs}")),
        ("at an earlier port", format!("[host.\"http://127.0.0.1:5797\"]\ncapabilities = [\"pull\"]\n\n{theirs}")),
        (
            "with a table below it, elsewhere",
            format!("[host.'http://127.0.0.1:797']\n\n{theirs}\n[host.'http://127.0.0.1:797'.header]\nx = \"y\"\n"),
        ),
        (
            "twice",
            format!(
                "[host.\"http://127.0.0.1:5797\"]\n\n{theirs}\n[host.\"http://127.0.0.1:797/\"]\nskip_verify = true\n"
            ),
        ),
    ] {
        assert_eq!(put(Some(&before), &plain(MSR), Foreign::Keep).unwrap(), Some(right.clone()), "{what}");
        assert_eq!(take(&before), Some(Some(theirs.to_owned())), "{what}: taken out");
    }
}

#[test]
fn a_file_that_says_what_is_desired_is_left_alone() {
    for before in [
        "[host.\"http://127.0.0.1:797\"]\ncapabilities = [\"Pull\", \"resolve\"]\n[host.\"https://m\"]\n",
        "[host.'http://127.0.0.1:797/']\ncapabilities = ['pull', 'resolve']\ndial_timeout = '500ms'\n[host.'https://m']",
        "skip_verify = true\n[host.\"http://127.0.0.1:797\"]\ncapabilities = [\"pull\", \"resolve\"]\n",
    ] {
        assert_eq!(put(Some(before), &plain(MSR), Foreign::Keep).unwrap(), None, "{before}");
    }
}

#[test]
fn hosts_of_others_go_if_that_is_asked_for() {
    let before = "server = \"https://msr.example.com:5000\"\n\n# theirs\n[host.\"https://a\"]\nx = 1\n[host.\"https://a\".header]\ny = \"z\"\n\n[header]\nq = \"r\"\n\n[host.\"http://127.0.0.1:797\"]\n";
    let after = put(Some(before), &plain(MSR), Foreign::TakeOut).unwrap().unwrap();
    let rest = "server = \"https://msr.example.com:5000\"\n\n# theirs\n\n[header]\nq = \"r\"\n";
    assert!(after.starts_with(rest), "{after}");
    let listed = read(&after).unwrap().listed;
    assert_eq!(listed.iter().map(|host| host.address.as_str()).collect::<Vec<_>>(), [OURS]);
    assert_eq!(take(&after), Some(Some(rest.to_owned())));
}

#[test]
fn a_table_of_a_host_that_is_listed_twice_is_listed_once_when_what_stood_between_goes() {
    let before = "[host.a]\n[host.\"http://127.0.0.1:797\"]\n[host.a.header]\nx = \"y\"\n";
    let listed = read(before).unwrap().listed;
    assert_eq!(listed.iter().map(|host| host.address.as_str()).collect::<Vec<_>>(), ["a", OURS, "a"]);
    let after = put(Some(before), &plain(MSR), Foreign::Keep).unwrap().unwrap();
    assert_eq!(after, format!("{TABLE}[host.a]\n[host.a.header]\nx = \"y\"\n"));
}
