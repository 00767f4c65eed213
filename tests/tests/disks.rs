//! Disks that are full, fail or rot under hub and agent: every pull gets its bytes, and nothing wrong ever lies under a
//! digest. First the disks themselves, tested on plain files.

#![allow(clippy::disallowed_methods, reason = "the files of a rig need not outlive a crash")]

#[path = "disks/clients.rs"]
mod clients;
#[path = "disks/descriptors.rs"]
mod descriptors;
#[path = "disks/failing.rs"]
mod failing;
#[path = "disks/faulty.rs"]
mod faulty;
#[path = "disks/full.rs"]
mod full;
#[path = "disks/leftovers.rs"]
mod leftovers;
#[path = "disks/rotten.rs"]
mod rotten;
#[path = "disks/scene.rs"]
mod scene;
#[path = "disks/small.rs"]
mod small;
#[path = "disks/stalls.rs"]
mod stalls;
#[path = "disks/unreadable.rs"]
mod unreadable;
