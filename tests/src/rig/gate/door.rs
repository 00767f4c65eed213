//! A way in: a port on the machine's own loopback that leads to a server in the rig, so that `curl` and a browser work
//! without `nsenter`.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, atomic::AtomicU64},
};

use anyhow::{Context as _, Result};
use tokio::{
    net::{TcpListener, TcpStream},
    runtime::Handle,
};

use super::{Gate, relay::relay, wait_for};

impl Gate {
    /// Lets this machine, and no other, reach the server at `inside`. Gives the address to reach it by, good for as
    /// long as the gate lives.
    ///
    /// # Errors
    /// When the machine has no port to spare.
    pub fn door(&self, inside: SocketAddr) -> Result<SocketAddr> {
        let outside = self.outside();
        let listener = wait_for(&outside, TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?.context("opening a door")?;
        let address = listener.local_addr()?;
        outside.spawn(attend(listener, self.ground.net()?.runtime(), inside));
        Ok(address)
    }
}

async fn attend(listener: TcpListener, rig: Handle, inside: SocketAddr) {
    let uncounted = Arc::new(AtomicU64::new(0));
    loop {
        let Ok((near, _)) = listener.accept().await else { continue };
        let (rig, uncounted) = (rig.clone(), Arc::clone(&uncounted));
        tokio::spawn(async move {
            // Made in the rig's network. That nobody is there is seen by whoever knocks.
            if let Ok(Ok(far)) = rig.spawn(TcpStream::connect(inside)).await {
                let _ = relay(near, far, &uncounted).await;
            }
        });
    }
}
