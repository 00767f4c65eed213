//! The Docker engine of this node.

pub(crate) mod canary;
pub(crate) mod docker;
mod helper;
pub(crate) mod own;
