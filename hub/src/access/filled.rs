//! Whether a folder was ever filled with a login for the upstream: then it may hold private images, whatever the
//! configuration says today. The mark goes with the folder, and only with it.

use std::{io, path::Path};

use larder_content::durable::{self, Sync};

/// Notes that the folder `root` is filled with a login from now on, if it is; gives whether it ever was.
pub(crate) fn note(root: &Path, has_login: bool) -> io::Result<bool> {
    let mark = root.join("larder/filled-with-login");
    if mark.try_exists()? {
        return Ok(true);
    }
    if has_login {
        durable::replace(&mark, b"", Sync::Yes)?;
    }
    Ok(has_login)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_stays() {
        let folder = tempfile::tempdir().unwrap();
        for (has_login, was_filled) in [(false, false), (true, true), (false, true)] {
            assert_eq!(note(folder.path(), has_login).unwrap(), was_filled);
        }
    }
}
