//! Arbitrary files of others: every key, host tables in many spellings, comments, line breaks, traps.

use proptest::{collection::vec, prelude::*, sample::select};

fn pick(lines: &[&'static str]) -> impl Strategy<Value = Option<&'static str>> + use<> {
    proptest::option::of(select(lines.to_vec()))
}

/// Keys of a host or of the root, each at most once, some with comments.
fn fields() -> impl Strategy<Value = Vec<String>> {
    let lines = (
        pick(&["capabilities = [\"pull\"]", "capabilities = ['pull', 'resolve', 'push']", "capabilities = []"]),
        pick(&[
            "ca = \"a.crt\"",
            "ca = ['/etc/b.crt', \"sub/c.crt\"]",
            "ca = [ # which\n  \"a.crt\",\n\n  # and\n  \"b.crt\",\n]",
        ]),
        pick(&["client = \"c.pem\"", "client = [\"c.pem\"]", "client = [[\"c.cert\", '/k/c.key'], \"d.pem\"]"]),
        pick(&["skip_verify = true", "skip_verify=false"]),
        pick(&["header = { \"X-A\" = \"b\", c = [\"d\", \"e\"] }", "header.x = \"y\"", "header = {}"]),
        pick(&["override_path = true"]),
        pick(&["dial_timeout = \"1s\"", "dial_timeout = '1m30s'"]),
        pick(&[
            "proxy = \"http://p\"",
            "note = \"\"\"\n# larder-agent: x\n[host.\"https://trap\"]\n# y\"\"\"",
            "date = 2024-01-01",
        ]),
        pick(&["# a comment", "\t# larder-agent, they say"]),
        select(vec!["", " # why", "\t"]),
    );
    let order = any::<u64>();
    (lines, order).prop_map(|((a, b, c, d, e, f, g, h, i, end), order)| {
        let mut lines: Vec<String> =
            [a, b, c, d, e, f, g, h, i].into_iter().flatten().map(|line| format!("{line}{end}")).collect();
        let turn = order as usize % lines.len().max(1);
        lines.rotate_left(turn);
        lines
    })
}

fn gap() -> impl Strategy<Value = &'static str> {
    select(vec!["", "", "\n", "\n\n", "\n# about what follows\n", "# near\n", "# far\n\n", " \n"])
}

fn table() -> impl Strategy<Value = Vec<String>> {
    let below = proptest::option::of(select(vec!["header2", "x.y"]));
    (
        select(vec!["[host.\"ADDRESS\"]", "[ host . 'ADDRESS' ]", "  [host.\"ADDRESS\"] # their mirror"]),
        fields(),
        below,
        gap(),
    )
        .prop_map(|(header, fields, below, gap)| {
            let below = below.map(|below| format!("{gap}[host.\"ADDRESS\".{below}]\nz = 1"));
            [header.to_owned()].into_iter().chain(fields).chain(below).collect()
        })
}

/// A text that an engine reads, with any of these hosts listed.
pub(super) fn text(addresses: &'static [&'static str]) -> impl Strategy<Value = String> {
    let server = pick(&[
        "server = \"https://msr.example.com:5000\"",
        "server = 'docker.io'",
        "server = \"http://other.example.com/hub\"",
        "server = \"https://other.example.com:80\"",
        "server = \"\"",
    ]);
    let hosts = (Just(addresses.to_vec()).prop_shuffle(), vec((gap(), table()), 0..=addresses.len().min(3)));
    let others = proptest::option::of(select(vec!["[extra]\na = [[1], [2]]", "[[list]]\nb = 1\n[[list]]", "[host]"]));
    let layout = (any::<bool>(), any::<bool>(), gap());
    (server, fields(), hosts, others, layout).prop_map(
        |(server, fields, (addresses, hosts), others, (crlf, end, gap))| {
            let mut lines: Vec<String> = server.into_iter().map(str::to_owned).chain(fields).collect();
            let tables = addresses
                .iter()
                .zip(hosts)
                .map(|(address, (gap, lines))| format!("{gap}{}", lines.join("\n").replace("ADDRESS", address)));
            let tables: Vec<String> = tables.collect();
            let split = tables.len() / 2;
            lines.extend(tables[..split].iter().cloned());
            lines.extend(others.map(str::to_owned));
            lines.extend(tables[split..].iter().cloned());
            let mut text = lines.join("\n") + gap;
            if end && !text.ends_with('\n') {
                text.push('\n');
            }
            if crlf { text.replace('\n', "\r\n") } else { text }
        },
    )
}
