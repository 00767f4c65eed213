//! Disks that are too small, and disks that fail.
//!
//! A [`SmallDisk`] is a real ext4 of so many MiB. A [`FaultyDisk`] is a plain folder seen through a file system of ours,
//! which fails as it is told while programs use it. Hub and agent keep their content on either by
//! [`on_disk`](super::larder::HubBuilder::on_disk).
//!
//! ```no_run
//! use larder_tests::rig::{disks::{Fault, When}, story};
//!
//! story(|rig| {
//!     let disk = rig.faulty_disk("disk").start()?;
//!     let hub = rig.hub("hub").remote("http://127.0.0.1:1").on_disk(disk.mount())?.start()?;
//!     disk.fault(When::growing().after_bytes(16 << 20), Fault::NO_SPACE)?;
//!     // …
//!     disk.heal()
//! })
//! # .unwrap();
//! ```

mod control;
mod daemons;
mod fault;
mod faulty;
pub mod fuse;
mod mount;
mod small;
pub mod store;

pub use fault::{Call, Fault, When};
pub use faulty::{FaultyDisk, FaultyDiskBuilder};
pub use mount::Mount;
pub use small::SmallDisk;
