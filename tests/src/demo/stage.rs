//! The rig that the story stands on, where Ctrl-C finds it at any moment.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use anyhow::{Result, bail};

use crate::rig::{Footprint, Rig};

#[derive(Default)]
pub(super) struct Stage(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    is_over: bool,
    rig: Option<Arc<Rig>>,
    footprints: Vec<Footprint>,
}

impl Stage {
    /// A fresh rig, once the one before is gone.
    ///
    /// # Errors
    /// When the machine refuses, or it is all over.
    pub(super) fn raise(&self) -> Result<Arc<Rig>> {
        let before = self.inner().rig.take();
        drop(before);
        let rig = Arc::new(Rig::new()?);
        let footprint = rig.footprint()?;
        let mut inner = self.inner();
        if inner.is_over {
            drop(inner);
            drop(rig);
            bail!("interrupted");
        }
        inner.footprints.push(footprint);
        inner.rig = Some(Arc::clone(&rig));
        Ok(rig)
    }

    /// Ends the rig under the feet of whoever uses it, and lets no other be raised.
    pub(super) fn end(&self) {
        let rig = {
            let mut inner = self.inner();
            inner.is_over = true;
            inner.rig.clone()
        };
        if let Some(rig) = rig {
            rig.end();
        }
    }

    /// Takes the rig away for good, and looks around.
    ///
    /// # Errors
    /// When anything is left, with a list.
    pub(super) fn clear(&self) -> Result<()> {
        let (rig, footprints) = {
            let mut inner = self.inner();
            (inner.rig.take(), std::mem::take(&mut inner.footprints))
        };
        if let Some(rig) = rig {
            // Not left to the drop: somebody else may hold it still.
            rig.end();
        }
        footprints.iter().try_for_each(Footprint::assert_gone)
    }

    /// Where the logs are while there is a rig.
    pub(super) fn logs(&self) -> Option<PathBuf> {
        self.inner().rig.as_ref().map(|rig| rig.logs())
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
