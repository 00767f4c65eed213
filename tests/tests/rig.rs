//! The rig, tested on itself: what every other suite takes for granted.

#[path = "rig/engines.rs"]
mod engines;
#[path = "rig/faults.rs"]
mod faults;
#[path = "rig/larder.rs"]
mod larder;
#[path = "rig/leftovers.rs"]
mod leftovers;
#[path = "rig/network.rs"]
mod network;
#[path = "rig/registries.rs"]
mod registries;
#[path = "rig/taps.rs"]
mod taps;
