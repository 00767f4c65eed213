//! Apply and restore as stories, against an engine made of memory and a disk that can die. No test waits: the clock is
//! paused and moves only when everything sleeps.

mod apply;
mod crash;
mod engine;
mod fuse;
mod hosts;
mod real_engine;
mod restore;
pub(super) mod stranger;
mod world;
