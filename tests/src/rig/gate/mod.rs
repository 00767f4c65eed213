//! What crosses between a rig's network and the machine's: a [`WayOut`] to registries of the world, and a door through
//! which a person looks in.
//!
//! Nothing of a rig runs in the machine's own network, not even to reach Docker Hub. An engine there would take the
//! machine's own `docker0` away (`--bridge=none` does that: moby/moby#26989) and switch `net.ipv4.ip_forward` on. So
//! only bytes cross, carried by this process, which may have a socket on either side: a thread has a network, not a
//! process.

mod connect;
mod door;
mod relay;
mod way_out;

use std::{
    fs::File,
    sync::{Arc, mpsc},
};

use anyhow::{Context as _, Result};
use tokio::runtime::{Builder, Handle, Runtime};

use super::{Rig, ground::Ground, net};

pub use way_out::WayOut;

/// Carries bytes between a rig's network and the machine's, for as long as it lives.
pub struct Gate {
    ground: Arc<Ground>,
    outside: Option<Runtime>,
}

impl Rig {
    /// Opens a gate to the machine's network. Nothing crosses it that is not asked for.
    ///
    /// # Errors
    /// When the kernel refuses the threads it needs.
    pub fn gate(&self) -> Result<Gate> {
        let machine = File::open("/proc/self/ns/net").context("finding the machine's network")?;
        let outside = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("rig-gate")
            // A thread is born into the network of whoever starts it.
            .on_thread_start(move || net::enter(&machine).expect("the process itself is in that network"))
            .enable_all()
            .build()?;
        Ok(Gate { ground: self.ground(), outside: Some(outside) })
    }
}

impl Gate {
    fn outside(&self) -> Handle {
        self.outside.as_ref().expect("only taken away on drop").handle().clone()
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        if let Some(outside) = self.outside.take() {
            outside.shutdown_background();
        }
    }
}

/// Runs `work` on the threads behind `handle`, so that its sockets are in their network, and waits for it.
fn wait_for<T: Send + 'static>(handle: &Handle, work: impl Future<Output = T> + Send + 'static) -> Result<T> {
    let (tell, told) = mpsc::channel();
    // Nobody listens any more only if this very call was unwound.
    handle.spawn(async move { drop(tell.send(work.await)) });
    told.recv().context("the gate is closed")
}
