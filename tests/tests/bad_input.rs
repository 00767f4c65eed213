//! Bad input, from all sides: an upstream that fails in every way, names that are none, requests and messages that
//! are garbage or giant, and a machine that is not as it should be when a daemon starts. The client gets the protocol's
//! error, the disk stays clean, and nothing panics.

#![allow(clippy::disallowed_methods, reason = "the files of a rig need not outlive a crash")]

#[path = "bad_input/answer.rs"]
mod answer;
#[path = "bad_input/doors/mod.rs"]
mod doors;
#[path = "bad_input/grpc/mod.rs"]
mod grpc;
#[path = "bad_input/names/mod.rs"]
mod names;
#[path = "bad_input/pulls.rs"]
mod pulls;
#[path = "bad_input/report.rs"]
mod report;
#[path = "bad_input/requests/mod.rs"]
mod requests;
#[path = "bad_input/start/mod.rs"]
mod start;
#[path = "bad_input/store.rs"]
mod store;
#[path = "bad_input/upstream/mod.rs"]
mod upstream;
#[path = "bad_input/wire.rs"]
mod wire;
#[path = "bad_input/world.rs"]
mod world;
