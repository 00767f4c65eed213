//! The agents of this hub. What is known of them is soft: it is made anew when they connect again.

mod nodes;
mod session;

pub(crate) use nodes::{Nodes, NodesCollector};
pub(crate) use session::Sessions;
