//! What ends a story before its end: Ctrl-C, a terminal that is closed, SIGTERM; and a fault of our own.

use std::{
    panic,
    sync::{Mutex, PoisonError, mpsc::Sender},
    thread,
};

use anyhow::{Context as _, Result, anyhow};
use tokio::{
    runtime::Builder,
    signal::unix::{SignalKind, signal},
};

use super::cluster::Cluster;

/// What the main thread waits for.
pub(super) enum Event {
    /// Somebody wants the demo to end.
    Interrupted,
    /// The story came to its end.
    Told(Result<Box<Cluster>>),
}

/// Tells `events` of a panic on any thread but the main one, as of a story that failed. The thread stays where it is:
/// where a panic ends the process (the release profile says so) nobody would clean up.
pub(super) fn catch_panics(events: Sender<Event>) {
    let events = Mutex::new(events);
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if thread::current().name() == Some("main") {
            return usual(info);
        }
        let events = events.lock().unwrap_or_else(PoisonError::into_inner);
        let told = events.send(Event::Told(Err(anyhow!("the demo itself has a fault: {info}"))));
        drop(events);
        // If nobody listens the process is at its end.
        while told.is_ok() {
            thread::park();
        }
    }));
}

/// Tells `events` of every such signal from now on; none of them ends the process by itself any more.
pub(super) fn watch(events: Sender<Event>) -> Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let (mut interrupt, mut terminate, mut hang_up) = {
        let _inside = runtime.enter();
        let listen = |kind| signal(kind).context("listening for signals");
        (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?, listen(SignalKind::hangup())?)
    };
    let relay = async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hang_up.recv() => {}
            }
            if events.send(Event::Interrupted).is_err() {
                return;
            }
        }
    };
    thread::Builder::new().name("signals".to_owned()).spawn(move || runtime.block_on(relay))?;
    Ok(())
}
