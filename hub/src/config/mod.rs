//! The hub's configuration: distribution's `version: 0.1` file, `REGISTRY_*` variables over it, our defaults below.
//!
//! From text to types in steps that each do one thing: [`source`] reads the file, [`yaml`] makes a tree of it, [`mod@env`]
//! lays the variables over, [`check`] compares with the table in [`schema`], [`rules`] judges keys together and
//! [`build`] makes a [`Config`]. [`report`] says what came of it. What is wrong is collected on the way and told all
//! at once, each with its place; see [`error`].

mod address;
mod build;
mod check;
mod duration;
mod env;
mod error;
mod excerpt;
mod model;
mod nearest;
mod node;
mod redact;
mod report;
mod rules;
mod schema;
mod source;
#[cfg(test)]
mod tests;
mod upstream;
mod wrap;
mod yaml;

use std::path::{Path, PathBuf};

pub(crate) use self::address::ListenAddress;
use self::error::{Complaint, Notice};
pub(crate) use self::error::{ConfigError, Warning};
pub(crate) use self::model::{
    ClientAuth, Config, Formatter, Health, HttpCheck, Level, Log, Login, Pace, Storage, Tls, Upstream,
};
use self::node::{At, Node};
pub(crate) use self::report::{Setting, check_report};
use self::source::Source;

/// A configuration that can be used.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// What the hub is told.
    pub(crate) config: Config,
    /// What a person should look at, in the order of the file.
    pub(crate) warnings: Vec<Warning>,
    /// Every setting in effect and where it comes from; free of secrets.
    pub(crate) settings: Vec<Setting>,
    /// The file, if there was one.
    pub(crate) file: Option<PathBuf>,
}

/// Reads `file` and lays the `REGISTRY_*` variables among `env` over it.
///
/// Without a file the hub caches Docker Hub in `/var/lib/larder` for this machine only, as far as variables say
/// nothing else. The file is read and nothing else is touched: neither paths nor names in it are looked up. Collect
/// `env` with `vars_os`, leaving out what is not Unicode: `std::env::vars` panics on it.
///
/// # Errors
/// The file cannot be read, or something in it or in the variables is wrong: a [`ConfigError`] with all of it.
pub(crate) fn load(
    file: Option<&Path>,
    env: impl IntoIterator<Item = (String, String)>,
) -> Result<Loaded, ConfigError> {
    let source = file.map_or_else(|| Ok(Source::none()), Source::read)?;
    assemble(&source, env)
}

fn assemble(source: &Source, env: impl IntoIterator<Item = (String, String)>) -> Result<Loaded, ConfigError> {
    let (mut root, mut complaints) = parse(source).map_err(|complaint| ConfigError::new(source, vec![complaint]))?;
    let overlay = env::overlay(&mut root, env);
    complaints.extend(overlay.complaints);
    rules::defaults(&mut root, source.path().is_none());
    let mut checked = check::check(&root);
    complaints.append(&mut checked.complaints);
    if source.path().is_some() {
        complaints.extend(rules::version(&root));
    }
    let judged = rules::judge(&checked.root);
    complaints.extend(judged.complaints);
    let config = match upstream::find(&checked.root) {
        Ok(Some(upstream)) if complaints.is_empty() => build::config(&checked.root, upstream),
        Ok(Some(_)) => Err(Vec::new()),
        Ok(None) => Err(vec![upstream::missing()]),
        Err(more) => Err(more),
    };
    let config = config.map_err(|more| ConfigError::new(source, complaints.into_iter().chain(more).collect()))?;
    let mut notices: Vec<Notice> = overlay.notices;
    notices.extend(checked.notices);
    notices.extend(judged.notices);
    Ok(Loaded {
        config,
        warnings: warnings(source, notices),
        settings: report::settings(source, &checked.root),
        file: source.path().map(Path::to_owned),
    })
}

fn parse(source: &Source) -> Result<(Node, Vec<Complaint>), Complaint> {
    if source.path().is_none() {
        return Ok((Node::empty(At::Default), Vec::new()));
    }
    let parsed = yaml::parse(source.text(), &At::File)?;
    let root = parsed.root.filter(|root| !matches!(root.content, node::Content::Null));
    let root = root.ok_or_else(|| Complaint::whole("the file is empty").help("it begins with `version: 0.1`"))?;
    Ok((root, parsed.complaints))
}

fn warnings(source: &Source, mut notices: Vec<Notice>) -> Vec<Warning> {
    notices.sort_by_key(|notice| match notice.at {
        At::File(span) => (0, span.line, span.column),
        At::Env(_) | At::Default => (1, 0, 0),
    });
    notices.into_iter().map(|notice| Warning::new(source, notice)).collect()
}
