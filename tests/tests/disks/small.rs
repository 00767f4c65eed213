//! A small disk is a real file system that is full when it is full, and is gone with its rig.

use std::{fs, os::unix::fs::FileExt as _};

use anyhow::Result;
use larder_tests::rig::story;
use rustix::fs::{FallocateFlags, fallocate};

use super::leftovers::loop_files;

const NO_SPACE: Option<i32> = Some(28);

#[test]
fn it_is_full_when_it_is_full_and_has_room_again() -> Result<()> {
    story(|rig| {
        let disk = rig.small_disk("small", 64)?;
        let folder = disk.mount().seen();
        let all = disk.free()?;
        assert!((40 << 20..64 << 20).contains(&all), "{all} bytes free");
        disk.fill(5 << 20)?;
        let left = disk.free()?;
        assert!(left <= 5 << 20, "{left}");

        let file = fs::File::create(folder.join("blob"))?;
        let reserved = fallocate(&file, FallocateFlags::empty(), 0, 8 << 20);
        assert_eq!(reserved.map_err(|e| Some(e.raw_os_error())), Err(NO_SPACE));
        let mut written = 0;
        let full = loop {
            match file.write_at(&[7; 1 << 16], written) {
                Ok(n) => written += n as u64,
                Err(error) => break error,
            }
        };
        assert_eq!(full.raw_os_error(), NO_SPACE, "after {written} bytes");
        assert!((3 << 20..=5 << 20).contains(&written), "{written}");

        disk.make_room()?;
        file.write_all_at(&[7; 8 << 20], 0)?;
        file.sync_all()?;
        Ok(())
    })
}

#[test]
fn it_is_seen_by_nobody_else_and_lets_go_of_its_device() -> Result<()> {
    let mut image = None;
    story(|rig| {
        let disk = rig.small_disk("small", 32)?;
        let root = rig.root().display().to_string();
        assert!(!fs::read_to_string("/proc/self/mountinfo")?.contains(&root));
        assert_eq!(loop_files(&root).len(), 1, "{:?}", loop_files(&root));
        assert_eq!(fs::read_dir(disk.mount().path())?.count(), 0, "from here there is an empty folder");
        fs::write(disk.mount().seen().join("file"), "x")?;
        image = Some(root);
        Ok(())
    })?;
    let root = image.unwrap_or_default();
    assert_eq!(loop_files(&root), Vec::<String>::new());
    Ok(())
}
