//! Where things built from this workspace are.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

/// The folder cargo builds into: `CARGO_TARGET_DIR`, or `target` of the workspace this crate was compiled in.
pub(crate) fn target_folder() -> PathBuf {
    if let Some(chosen) = std::env::var_os("CARGO_TARGET_DIR") {
        return chosen.into();
    }
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests).join("target")
}

/// The program `name` (`larder-hub`, `larder-agent`) as it was built last for use: from `LARDER_BIN_DIR` if that is
/// set, otherwise the release build, otherwise the debug build.
///
/// # Errors
/// When it was not built; the message says where it was looked for.
pub fn find(name: &str) -> Result<PathBuf> {
    let target = target_folder();
    let folders = match std::env::var_os("LARDER_BIN_DIR") {
        Some(chosen) => vec![PathBuf::from(chosen)],
        None => ["x86_64-unknown-linux-gnu/release", "release", "debug"].map(|f| target.join(f)).to_vec(),
    };
    match folders.iter().map(|folder| folder.join(name)).find(|path| path.is_file()) {
        // Programs of a rig start in another folder than this one.
        Some(path) => Ok(std::path::absolute(path)?),
        None => bail!(
            "{name} is not built (looked in {}); build it with `cargo build --release --bins`, or set LARDER_BIN_DIR",
            folders.iter().map(|f| f.display().to_string()).collect::<Vec<_>>().join(", "),
        ),
    }
}
