//! How a run ends: by itself or by Ctrl-C, which takes the ground away under it; and that nothing is left of it.

use std::{
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use anyhow::{Context as _, Result};
use larder_tests::rig::{Footprint, Rig};
use tokio::{
    runtime::Builder,
    signal::unix::{SignalKind, signal},
};

/// Knows what to end.
#[derive(Clone, Default)]
pub(crate) struct Interrupt {
    rigs: Arc<Mutex<Vec<Entry>>>,
    came: Arc<AtomicBool>,
}

/// A rig, and what to look for once it is gone.
type Entry = (Weak<Rig>, Footprint);

impl Interrupt {
    /// From now on neither Ctrl-C nor SIGTERM ends the process by itself.
    ///
    /// # Errors
    /// When signals cannot be listened for.
    pub(crate) fn watch() -> Result<Self> {
        let interrupt = Self::default();
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (mut by_key, mut by_kill) = {
            let _inside = runtime.enter();
            let listen = |kind| signal(kind).context("listening for signals");
            (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?)
        };
        let watching = interrupt.clone();
        let wait = async move {
            tokio::select! {
                _ = by_key.recv() => {}
                _ = by_kill.recv() => {}
            }
        };
        let relay = move || {
            runtime.block_on(wait);
            watching.end();
        };
        thread::Builder::new().name("signals".to_owned()).spawn(relay)?;
        Ok(interrupt)
    }

    /// Ends this one, too, if it comes.
    ///
    /// # Errors
    /// When the rig is being dropped already.
    pub(crate) fn ends(&self, rig: &Arc<Rig>) -> Result<()> {
        let entry = (Arc::downgrade(rig), rig.footprint()?);
        self.rigs.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
        Ok(())
    }

    /// Looks whether anything of the rigs is still on the machine, once they have been dropped.
    ///
    /// # Errors
    /// With a list of what is left.
    pub(crate) fn nothing_is_left(&self) -> Result<()> {
        let rigs = self.rigs.lock().unwrap_or_else(PoisonError::into_inner);
        rigs.iter().try_for_each(|(_, footprint)| footprint.assert_gone())
    }

    /// Whether it came.
    pub(crate) fn came(&self) -> bool {
        self.came.load(Ordering::Relaxed)
    }

    fn end(&self) {
        self.came.store(true, Ordering::Relaxed);
        let rigs = self.rigs.lock().unwrap_or_else(PoisonError::into_inner);
        rigs.iter().filter_map(|(rig, _)| rig.upgrade()).for_each(|rig| rig.end());
    }
}
