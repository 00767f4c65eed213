//! Files that are left alone, because an engine would read them otherwise than they look, or not at all.

use super::*;

#[test]
fn what_docker_does_not_read_is_refused() {
    for (text, message) in [
        ("server = ", "line 1 of hosts.toml is not TOML"),
        ("a = 1\nserver = \"https://s3cret\nb = 2", "line 2 of hosts.toml is not TOML"),
        ("a = 1\na = 2", "line 2 of hosts.toml is not TOML"),
        ("\u{feff}server = \"x\"", "byte-order mark"),
        // --- TOML 1.1
        ("\na = {\nb = 1 }", "line 2 of hosts.toml has an inline table over several lines"),
        ("a = { b = 1, }", "an inline table over several lines or with a comma at its end"),
        ("a = \"\\x41\"", "the escape \\x"),
        ("\"\\x41\" = 1", "the escape \\x"),
        ("a = 10:00", "a time without seconds"),
        // --- hosts in forms that Docker does not ask
        ("host = { \"https://m\" = {} }", "line 1 of hosts.toml gives a host in a form"),
        ("host.\"https://m\".skip_verify = true", "gives a host in a form"),
        ("x = 1\n[host]\n\"https://m\" = { skip_verify = true }", "line 3 of hosts.toml gives a host in a form"),
        ("[host]\n\"https://m\".skip_verify = true", "line 2 of hosts.toml gives a host in a form"),
        ("[[host]]\n", "gives a host in a form"),
        ("[[host.\"https://m\"]]\n", "gives a host in a form"),
        ("a.b = 1\n[a.c]\n", "line 2 of hosts.toml opens a table inside one"),
        // --- keys and values
        ("Server = \"x\"", "the key `server` in other letter case"),
        ("[Host.\"https://m\"]", "the key `host` in other letter case"),
        ("[host.\"https://m\"]\nCA = \"x\"", "line 2 of hosts.toml has the key `ca` in other letter case"),
        ("server = 1", "`server` wants a string"),
        ("server = \"httpbin.example.com\"", "`server` wants an address"),
        ("server = \"https://\"", "`server` wants an address"),
        ("server = \"https://a b\"", "`server` wants an address"),
        ("[host.\"https://m:port\"]", "`host` wants an address"),
        ("capabilities = \"pull\"", "`capabilities` wants a list of"),
        ("capabilities = [\"pull\", \"fly\"]", "`capabilities` wants a list of"),
        ("ca = 1", "`ca` wants the name of a file"),
        ("ca = [[\"a\"]]", "`ca` wants the name of a file"),
        ("client = [[\"a\"]]", "`client` wants the name of a file"),
        ("client = [[\"a\", \"b\", \"c\"]]", "`client` wants the name of a file"),
        ("skip_verify = \"true\"", "`skip_verify` wants true or false"),
        ("[host.m]\noverride_path = 1", "line 2 of hosts.toml: `override_path` wants true or false"),
        ("header = \"x\"", "`header` wants a table"),
        ("[header]\nx = 1", "line 2 of hosts.toml: `header` wants a table"),
        ("dial_timeout = \"2\"", "`dial_timeout` wants a duration"),
        ("dial_timeout = 2", "`dial_timeout` wants a string"),
    ] {
        let refusal = put(Some(text), &plain(MSR), Foreign::Keep).unwrap_err();
        assert!(refusal.to_string().contains(message), "{text}: {refusal}");
        assert!(!refusal.to_string().contains("s3cret"), "{refusal}");
        let ours = [mirror(OURS)];
        assert_eq!(edit(Some(text.as_bytes()), Desired::Without(&ours)), Err(refusal), "{text}");
    }
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    let ours = [mirror(OURS)];
    let deep = format!("a = {}{}", "[".repeat(100_000), "]".repeat(100_000));
    let large = format!("a = \"{}\"", "x".repeat(crate::runtime::hosts_toml::document::MAX_BYTES));
    for (bytes, message) in [
        (&b"a = \"caf\xe9\""[..], "not UTF-8 (byte 8)"),
        (b"\0\0", "not TOML"),
        (deep.as_bytes(), "not TOML"),
        (large.as_bytes(), "larger than 1048576 bytes"),
    ] {
        let refusal = edit(Some(bytes), Desired::Without(&ours)).unwrap_err();
        assert!(refusal.to_string().contains(message), "{refusal}");
    }
}

#[test]
fn what_docker_reads_is_not_refused() {
    for text in [
        "dial_timeout = \"1h2m3.5s\"",
        "dial_timeout = \"-0.5ms\"",
        "dial_timeout = \"0\"",
        "dial_timeout = \"\"",
        "server = \"\"",
        "server = \"msr.example.com:5000/team\"",
        "server = \"https://[fd00::1]:5000\"",
        "server = \"https://user:pw@m/x?y\"",
        "capabilities = []",
        "capabilities = [\"PULL\", \"referrers\"]",
        "client = \"c\"",
        "client = [\"c\", [\"d\", \"\"]]",
        "a.b = 1\na.c = 2\n[d.e]\n[d]\n",
        "a = { b = [\n1,\n], c = '''\n''' }",
        "a = '\\x41' # \\x41",
        "[header]\nx = [\"a\", \"b\"]\n\"y\" = \"c\"",
        "[host]\n[host.m]\nheader.x = \"y\"",
        "a = 10:00:00",
    ] {
        assert!(put(Some(text), &plain(MSR), Foreign::Keep).unwrap().is_some(), "{text}");
    }
}
