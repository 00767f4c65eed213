//! Everything a whole-system test stands on.
//!
//! A [`Rig`] is one temporary folder and one network namespace. Registries, hub, agents and engines of a rig live in
//! that namespace together, so ports are private to the rig, 127.0.0.2:443 can be Docker Hub, and nothing a test
//! does can reach the machine's own network. A test is a [`story()`]: it gets a rig, tells what happens, and fails when
//! its body fails or when anything of it is left on the machine afterwards.
//!
//! ```no_run
//! use larder_tests::rig::{images, story};
//!
//! story(|rig| {
//!     let image = images::busybox("library/tiny", "1").build()?;
//!     let upstream = rig.registry("upstream").start()?;
//!     upstream.load(&image)?;
//!     let engine = rig.engine("node").mirror(upstream.url()).start()?;
//!     engine.pull("tiny:1")?;
//!     assert_eq!(upstream.log()?.gets_of_blob(image.layers()[0].digest()), 1);
//!     Ok(())
//! })
//! # .unwrap();
//! ```
//!
//! The calls are synchronous: a story is told in order. Where a test needs two things at once it uses
//! [`std::thread::scope`], and where it needs async code it uses [`Rig::block_on`], whose sockets are in the rig.

pub mod access;
pub mod binaries;
pub mod disks;
mod docker_hub;
pub mod engine;
mod facts;
pub mod faults;
mod footprint;
pub mod gate;
mod ground;
pub mod http;
pub mod images;
pub mod larder;
pub mod line;
pub mod link;
mod net;
mod poll;
mod process;
pub mod readers;
pub mod registry;
mod root;
mod serve;
mod story;
mod sweep;
pub mod tap;
pub mod tls;

pub use footprint::Footprint;
pub use ground::Rig;
pub use poll::{until, until_true};
pub use process::{Finished, Launch, Process, Signal};
pub use story::{needs, story};
