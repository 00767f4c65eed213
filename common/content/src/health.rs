//! Whether the disk works, as far as its use has shown.

use std::{
    io,
    sync::{Mutex, PoisonError},
};

/// What the last write said. Reading a blob says nothing of whether the next can be written.
#[derive(Debug, Default)]
pub(crate) struct Health(Mutex<Option<String>>);

impl Health {
    /// A write failed.
    pub(crate) fn failed(&self, error: &io::Error) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
    }

    /// A write worked; whether it is the first after a failure.
    pub(crate) fn works(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take().is_some()
    }

    /// Why the disk cannot be used.
    pub(crate) fn failure(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
