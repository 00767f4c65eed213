//! The Docker engine's own configuration: how a node is pointed at its agent, and how that is taken back.
//!
//! For the classic image store that is one key of `daemon.json` and a SIGHUP. The engine is never restarted.
//!
//! | what | decides (pure) | does |
//! |---|---|---|
//! | the edit of the file | [`daemon_json`], [`mirror_url`] | |
//! | where the file is, and its replacement | `target::resolve` | [`target`], [`disk`] |
//! | what to do, and what to leave behind | [`plan`], [`ending`] | [`apply`], [`restore`], [`withdraw`] |
//! | surviving a crash, and a second process | | [`journal`], [`lock`], [`operation`] |
//! | the engine: what it uses, telling it | `reload::choose`, `reload::flags` | [`engine`], [`confirm`], [`reload`] |

pub(crate) mod apply;
pub(crate) mod confirm;
pub(crate) mod daemon_json;
mod disk;
pub(crate) mod ending;
pub(crate) mod engine;
#[expect(unused_imports, reason = "what writes hosts.toml is not built yet")]
#[cfg_attr(not(test), expect(dead_code, reason = "what writes hosts.toml is not built yet"))]
pub(crate) mod hosts_toml;
pub(crate) mod journal;
pub(crate) mod lock;
pub(crate) mod mirror_url;
pub(crate) mod operation;
pub(crate) mod plan;
pub(crate) mod reload;
pub(crate) mod restore;
pub(crate) mod target;
pub(crate) mod withdraw;

#[cfg(test)]
mod tests;
