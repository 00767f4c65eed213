//! The same `hosts.toml` for another folder.

use super::{
    Refusal,
    document::{Document, quoted, strings},
    fields::Client,
    hosts::{Host, Hosts},
};

/// A `hosts.toml` whose relative paths are right from the folder beside its own. Nothing else changes.
pub(super) fn relocated(text: &str, prefix: &str) -> Result<String, Refusal> {
    let document = Document::parse(text)?;
    let before = Hosts::read(&document)?;
    let tables = document.root().get("host").and_then(toml_edit::Item::as_table);
    let tables = tables.into_iter().flat_map(toml_edit::Table::iter).filter_map(|(_, host)| host.as_table());
    let mut paths: Vec<_> = [document.root()]
        .into_iter()
        .chain(tables)
        .flat_map(|table| [table.get("ca"), table.get("client")])
        .filter_map(|item| item?.as_value())
        .flat_map(strings)
        .filter(|(_, path)| !path.starts_with('/'))
        .collect();
    paths.sort_by_key(|(span, _)| span.start);
    let mut moved = text.to_owned();
    for (span, path) in paths.into_iter().rev() {
        moved.replace_range(span, &quoted(&format!("{prefix}{path}")));
    }

    let after = Hosts::read(&Document::parse(&moved)?)?;
    let expected = Hosts {
        listed: before.listed.into_iter().map(|host| moved_host(host, prefix)).collect(),
        root: moved_host(before.root, prefix),
    };
    if after == expected { Ok(moved) } else { Err(Refusal::Internal("a path was not taken over")) }
}

fn moved_host(mut host: Host, prefix: &str) -> Host {
    let moved = |path: &mut String| {
        if !path.starts_with('/') {
            path.insert_str(0, prefix);
        }
    };
    host.fields.ca.iter_mut().flatten().for_each(moved);
    for client in &mut host.fields.client {
        match client {
            Client::Both(file) => moved(file),
            Client::Pair(certificate, key) => [certificate, key].into_iter().for_each(moved),
        }
    }
    host
}
