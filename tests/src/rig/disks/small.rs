//! A real file system that is full soon: ext4 in a file, by way of a loop device.

use std::{
    fs::{self, File},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, Result};
use rustix::fs::{FallocateFlags, fallocate, statvfs};

use super::mount::{self, Mount};
use crate::rig::{Rig, process::Launch};

/// Mounts and stays. The loop device lets go of its file when the mount does.
const MOUNT: &str = r#"mount -o loop "$0" "$1" && echo mounted && exec sleep infinity"#;

/// An ext4 of its own.
pub struct SmallDisk {
    mount: Mount,
}

impl Rig {
    /// Makes a disk called `name` of so many MiB, some of which ext4 takes for itself.
    ///
    /// # Errors
    /// Without e2fsprogs, or without loop devices.
    pub fn small_disk(&self, name: &str, mebibytes: u64) -> Result<SmallDisk> {
        let ground = self.ground();
        let folder = mount::folder(&ground, name)?;
        let image = folder.join("image");
        File::create(&image)?.set_len(mebibytes << 20)?;
        let made = self.command("mkfs", "mkfs.ext4").args(["-q", "-m", "0"]).arg(&image);
        made.finish(Duration::from_secs(20))?.success().context("making an ext4 (e2fsprogs)")?;
        let holder = Launch::new(Arc::clone(&ground), &format!("disk-{name}"), "sh");
        let holder = holder.args(["-c", MOUNT]).arg(&image).arg(mount::at(&folder));
        let mount = Mount::hold(ground, folder, holder, |holder| holder.log().contains("mounted"))?;
        Ok(SmallDisk { mount })
    }
}

impl SmallDisk {
    /// Where it is mounted.
    pub fn mount(&self) -> &Mount {
        &self.mount
    }

    /// How many bytes are free.
    ///
    /// # Errors
    /// When its holder has ended.
    pub fn free(&self) -> Result<u64> {
        let room = statvfs(self.mount.seen()).context("asking a small disk for its room")?;
        Ok(room.f_bavail * room.f_frsize)
    }

    /// Takes room with a file that is nobody's, so that about `left` bytes stay free.
    ///
    /// # Errors
    /// When that much is not free.
    pub fn fill(&self, left: u64) -> Result<()> {
        let taken = self.free()?.checked_sub(left).context("there is less free already")?;
        let ballast = File::create(self.ballast())?;
        fallocate(&ballast, FallocateFlags::empty(), 0, taken).context("filling a small disk")
    }

    /// Removes that file.
    ///
    /// # Errors
    /// When there is none.
    pub fn make_room(&self) -> Result<()> {
        fs::remove_file(self.ballast()).context("there is no ballast")
    }

    fn ballast(&self) -> PathBuf {
        self.mount.seen().join("ballast")
    }
}
