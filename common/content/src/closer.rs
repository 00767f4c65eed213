//! Closes files where waiting harms nobody: the last descriptor of a removed file takes its blocks along, which is slow for a
//! large one, and a disk that hangs may hang in close(2) too. Neither the threads that serve nor the lock that everybody
//! needs wait for it.

use std::{
    fs::File,
    sync::{
        OnceLock,
        mpsc::{Sender, channel},
    },
    thread,
};

/// The one thread that closes; `None` if it could not be started.
static CLOSER: OnceLock<Option<Sender<File>>> = OnceLock::new();

/// Closes `file`, soon.
pub(crate) fn close(file: File) {
    let closer = CLOSER.get_or_init(|| {
        let (sender, files) = channel();
        let started = thread::Builder::new().name("closer".to_owned()).spawn(move || files.iter().for_each(drop));
        started.is_ok().then_some(sender)
    });
    // Without the thread it is closed here.
    if let Some(closer) = closer {
        let _ = closer.send(file);
    }
}
