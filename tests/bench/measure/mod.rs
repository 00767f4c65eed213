//! What the machine did meanwhile: CPU time of server, client and others, and memory.

mod cpu;
mod memory;
mod process;

pub(crate) use cpu::{Cpu, Spent};
pub(crate) use process::Trees;
