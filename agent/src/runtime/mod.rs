//! The Docker engine's own configuration: how a node is pointed at its agent, and how that is taken back.
//!
//! For every engine that is one key of `daemon.json` and a SIGHUP; for those with the containerd image store, from 28 on,
//! also a `hosts.toml` for each registry. The engine is never restarted.
//!
//! | what | decides (pure) | does |
//! |---|---|---|
//! | which files | [`capability`] | |
//! | the edit of a file | [`daemon_json`], [`hosts_toml`], [`writer`], [`mirror_url`] | [`origin`] |
//! | where a file is, and its replacement | `target::resolve`, `target::mount` | [`target`], [`disk`] |
//! | what to do, and what to leave behind | [`plan`], [`ending`] | [`apply`], [`restore`], [`withdraw`] |
//! | surviving a crash, and a second process | | [`journal`], [`lock`], [`operation`] |
//! | the engine: what it uses, telling it | `reload::choose`, `reload::flags` | [`engine`], [`confirm`], [`reload`] |

pub(crate) mod apply;
pub(crate) mod capability;
pub(crate) mod confirm;
pub(crate) mod daemon_json;
mod disk;
pub(crate) mod edit;
pub(crate) mod ending;
pub(crate) mod engine;
pub(crate) mod hosts_toml;
pub(crate) mod journal;
pub(crate) mod lock;
pub(crate) mod mirror_url;
pub(crate) mod operation;
mod origin;
pub(crate) mod plan;
pub(crate) mod reload;
pub(crate) mod restore;
pub(crate) mod target;
pub(crate) mod withdraw;
pub(crate) mod writer;

#[cfg(test)]
mod tests;
