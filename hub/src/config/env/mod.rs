//! Environment variables laid over the file, by distribution's rules.
//!
//! `REGISTRY_` and the path of a key in capitals, `_` between levels, the index of a list as a number. Variables apply
//! in the order of their names, so that `REGISTRY_STORAGE=filesystem` comes before its children; each value is YAML.
//! A name that fits no key only warns: Kubernetes gives every pod variables named after services, and a service may
//! well be called "registry".

mod apply;
mod kubernetes;
mod resolve;

use std::sync::Arc;

use super::error::{Complaint, Notice};
use super::nearest::nearest;
use super::node::{At, Content, Node};
use super::{schema, yaml};

const PREFIX: &str = "REGISTRY_";

/// What came of the variables.
#[derive(Default)]
pub(super) struct Overlay {
    pub(super) complaints: Vec<Complaint>,
    pub(super) notices: Vec<Notice>,
}

/// Lays the variables among `env` that are ours over `root`.
pub(super) fn overlay(root: &mut Node, env: impl IntoIterator<Item = (String, String)>) -> Overlay {
    let mut ours: Vec<(String, String)> = env.into_iter().filter(|(name, _)| name.starts_with(PREFIX)).collect();
    ours.sort();
    let mut outcome = Overlay::default();
    let mut links: Vec<String> = Vec::new();
    apply::expand_choices(root);
    for (name, value) in ours {
        let path = &name[PREFIX.len()..];
        match resolve::resolve(path, root) {
            Some(steps) => {
                let at = At::Env(Arc::from(name.as_str()));
                match read(&value, &at, &mut outcome.complaints).and_then(|node| apply::set(root, &steps, node, &at)) {
                    Ok(()) => apply::expand_choices(root),
                    Err(complaint) => outcome.complaints.push(complaint),
                }
            }
            None if kubernetes::is_service_link(path) => links.push(name),
            None => outcome.notices.push(unknown(&name)),
        }
    }
    outcome.notices.extend(kubernetes::notice(&links));
    outcome
}

/// A value as YAML, every part of it coming from the variable.
fn read(value: &str, at: &At, complaints: &mut Vec<Complaint>) -> Result<Node, Complaint> {
    let mut parsed = yaml::parse(value, &|_| at.clone()).map_err(|complaint| {
        complaint.help("the value is read as YAML: inside the variable, put it in single quotes ('…')")
    })?;
    complaints.append(&mut parsed.complaints);
    Ok(parsed.root.unwrap_or(Node { at: at.clone(), content: Content::Null }))
}

fn unknown(name: &str) -> Notice {
    let known = schema::all();
    // The version alone is a key without a variable.
    let variables = known.iter().map(|known| known.variable.as_str()).filter(|variable| *variable != name);
    let meant = nearest(name, variables);
    let message = match meant {
        Some(meant) => format!("no key has this name, so it does nothing; did you mean {meant}?"),
        None => "no key has this name, so it does nothing".to_owned(),
    };
    Notice { at: At::Env(Arc::from(name)), message }
}
