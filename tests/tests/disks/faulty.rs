//! A faulty disk is a plain folder until it is told otherwise, and then fails in exactly the way it is told.

use std::{
    fs::{self, File, OpenOptions},
    io::{IoSliceMut, Read as _},
    os::unix::fs::{FileExt as _, MetadataExt as _},
    path::Path,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use larder_tests::rig::{
    disks::{Call, Fault, FaultyDisk, When},
    story,
};
use rustix::{
    fs::{FallocateFlags, SeekFrom, fallocate, seek, statvfs},
    io::{Errno, ReadWriteFlags, preadv2},
};

const MIB: usize = 1 << 20;

/// Bytes of which no two places look alike.
fn bytes(length: usize) -> Vec<u8> {
    (0..length.div_ceil(8) as u64).flat_map(|n| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15)).to_le_bytes()).collect()
}

fn number<T>(outcome: std::io::Result<T>) -> Option<i32> {
    outcome.err().and_then(|error| error.raw_os_error())
}

fn read_write(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)
}

#[test]
fn without_a_fault_it_is_a_folder() -> Result<()> {
    story(|rig| {
        for disk in [rig.faulty_disk("direct").start()?, rig.faulty_disk("cached").page_cache().start()?] {
            folder_works(&disk.mount().seen(), disk.content())?;
            assert_eq!(disk.spoiled()?, 0);
        }
        Ok(())
    })
}

fn folder_works(seen: &Path, content: &Path) -> Result<()> {
    fs::create_dir_all(seen.join("a/b"))?;
    let data = bytes(3 * MIB + 17);
    fs::write(seen.join("a/b/file"), &data)?;
    assert_eq!(fs::read(content.join("a/b/file"))?, data);
    assert_eq!(fs::read(seen.join("a/b/file"))?, data);
    fs::rename(seen.join("a/b"), seen.join("c"))?;
    let open = read_write(&seen.join("c/file"))?;
    assert_eq!(open.metadata()?.len(), data.len() as u64);
    fs::hard_link(seen.join("c/file"), seen.join("other"))?;
    assert_eq!(fs::metadata(seen.join("other"))?.nlink(), 2);
    fs::remove_file(seen.join("other"))?;
    std::os::unix::fs::symlink("c/file", seen.join("link"))?;
    assert_eq!(fs::read_link(seen.join("link"))?, Path::new("c/file"));
    assert_eq!(fs::read(seen.join("link"))?, data);

    // Who reads a file reads on when it is removed or replaced.
    fs::write(seen.join("new"), "new")?;
    fs::rename(seen.join("new"), seen.join("c/file"))?;
    let mut part = vec![0; MIB];
    open.read_exact_at(&mut part, 2 * MIB as u64)?;
    assert_eq!(part, data[2 * MIB..3 * MIB]);
    assert_eq!((open.metadata()?.len(), open.metadata()?.nlink()), (data.len() as u64, 0));
    assert_eq!(fs::read_to_string(seen.join("c/file"))?, "new");
    drop(open);

    let sparse = read_write(&seen.join("sparse"))?;
    sparse.set_len(64 * MIB as u64)?;
    sparse.write_all_at(b"x", 32 * MIB as u64)?;
    fallocate(&sparse, FallocateFlags::empty(), 0, 4096)?;
    sparse.sync_all()?;
    assert!(sparse.metadata()?.blocks() * 512 < MIB as u64, "holes stay holes");
    assert_eq!(seek(&sparse, SeekFrom::Data(MIB as u64))?, 32 * MIB as u64);
    sparse.try_lock()?;
    assert!(read_write(&seen.join("sparse"))?.try_lock().is_err(), "a lock is one");
    File::open(seen)?.sync_all()?;
    let room = |path: &Path| statvfs(path).map(|room| (room.f_blocks, room.f_frsize));
    assert_eq!(room(seen)?, room(content)?);

    let mut names: Vec<_> = fs::read_dir(seen)?.map(|entry| entry.map(|e| e.file_name())).collect::<Result<_, _>>()?;
    names.sort();
    assert_eq!(names, ["a", "c", "link", "sparse"]);
    for n in 0..1000 {
        fs::write(seen.join(format!("a/{n}")), "")?;
    }
    assert_eq!(fs::read_dir(seen.join("a"))?.count(), 1000);
    fs::remove_dir_all(seen.join("a"))?;
    assert!(!content.join("a").exists());
    Ok(())
}

#[test]
fn calls_fail_with_the_error_and_at_the_time_that_was_said() -> Result<()> {
    story(|rig| {
        let disk = rig.faulty_disk("disk").start()?;
        let seen = disk.mount().seen();
        let old = read_write(&seen.join("old"))?;
        old.write_all_at(&bytes(MIB), 0)?;
        for (fault, wanted) in [(Fault::NO_SPACE, 28), (Fault::IO, 5), (Fault::READ_ONLY, 30)] {
            disk.fault(When::changing(), fault)?;
            let wanted = Some(wanted);
            assert_eq!(number(old.write_at(b"x", 0)), wanted);
            assert_eq!(number(old.sync_all()), wanted);
            assert_eq!(number(old.set_len(7)), wanted);
            assert_eq!(number(fallocate(&old, FallocateFlags::empty(), 0, 9).map_err(Into::into)), wanted);
            assert_eq!(number(File::create(seen.join("new"))), wanted);
            assert_eq!(number(File::options().write(true).open(seen.join("old"))), wanted);
            assert_eq!(number(fs::create_dir(seen.join("folder"))), wanted);
            assert_eq!(number(fs::rename(seen.join("old"), seen.join("new"))), wanted);
            assert_eq!(number(fs::remove_file(seen.join("old"))), wanted);
            assert_eq!(fs::read(seen.join("old"))?, bytes(MIB), "and reading works");
            disk.heal()?;
            old.write_all_at(&bytes(MIB), 0)?;
        }
        assert_eq!(disk.spoiled()?, 27);

        disk.fault(When::from(Call::Read).on("old").after(1).times(2), Fault::IO)?;
        let read = || number(old.read_at(&mut [0; 10], 0));
        assert_eq!([read(), read(), read(), read()], [None, Some(5), Some(5), None]);
        disk.fault(When::from(Call::Rename).on("final"), Fault::IO)?;
        fs::rename(seen.join("old"), seen.join("older"))?;
        assert_eq!(number(fs::rename(seen.join("older"), seen.join("final"))), Some(5));
        Ok(())
    })
}

#[test]
fn it_gets_full_in_the_middle_of_a_write_and_has_room_again() -> Result<()> {
    story(|rig| {
        for disk in [rig.faulty_disk("direct").start()?, rig.faulty_disk("cached").page_cache().start()?] {
            let file = read_write(&disk.mount().seen().join("file"))?;
            disk.fault(When::growing().after_bytes(1_000_000), Fault::NO_SPACE)?;
            let data = bytes(2 * MIB);
            let mut written = 0;
            let error = loop {
                match file.write_at(&data[written..(written + 300_000).min(data.len())], written as u64) {
                    Ok(n) => written += n,
                    Err(error) => break error,
                }
            };
            assert_eq!((written, error.raw_os_error()), (1_000_000, Some(28)));
            disk.heal()?;
            file.write_all_at(&data[written..], written as u64)?;
            assert_eq!(fs::read(disk.content().join("file"))?, data);

            disk.fault(Call::Write, Fault::Short(1000))?;
            assert_eq!(file.write_at(&data[..5000], 0)?, 1000);
        }
        Ok(())
    })
}

#[test]
fn a_bit_is_flipped_in_what_is_read_and_not_in_what_is_there() -> Result<()> {
    story(|rig| {
        let disk = rig.faulty_disk("disk").start()?;
        let seen = disk.mount().seen();
        let data = bytes(2 * MIB);
        fs::write(seen.join("good"), &data)?;
        fs::write(seen.join("bad"), &data)?;
        let open = File::open(seen.join("bad"))?;
        disk.fault(When::from(Call::Read).on("bad"), Fault::Flip(1_500_000))?;
        let mut spoiled = data.clone();
        spoiled[1_500_000] ^= 1;
        assert!(fs::read(seen.join("bad"))? == spoiled);
        assert!(fs::read(seen.join("good"))? == data);
        let mut part = [0; 100];
        open.read_exact_at(&mut part, 1_499_950)?;
        assert_eq!(part, spoiled[1_499_950..1_500_050], "also for who had it open");
        assert!(fs::read(disk.content().join("bad"))? == data);
        Ok(())
    })
}

#[test]
fn many_read_at_once_also_slowly_and_without_waiting() -> Result<()> {
    story(|rig| {
        for disk in [rig.faulty_disk("direct").start()?, rig.faulty_disk("cached").page_cache().start()?] {
            let data = bytes(16 * MIB);
            let path = disk.mount().seen().join("file");
            fs::write(&path, &data)?;
            disk.fault(Call::Read, Fault::Slow(Duration::from_millis(5)))?;
            let start = Instant::now();
            thread::scope(|scope| {
                let reader = |n: usize| {
                    let (path, data) = (&path, &data);
                    scope.spawn(move || read_in_places(path, data, n))
                };
                let readers: Vec<_> = (0..64).map(reader).collect();
                readers.into_iter().try_for_each(|reader| reader.join().expect("a reader panicked"))
            })?;
            let name = disk.mount().path();
            let took = start.elapsed();
            assert!(took < Duration::from_secs(20), "{} took {took:?}", name.display());
        }
        Ok(())
    })
}

/// Reads as a server does that must not wait: from memory if it is there, else another way.
fn read_in_places(path: &Path, data: &[u8], seed: usize) -> Result<()> {
    let file = File::open(path)?;
    for n in 0..16 {
        let at = (seed * 7919 + n * 104_729) * 4099 % (data.len() - MIB / 4);
        let mut part = vec![0; MIB / 4];
        let got = preadv2(&file, &mut [IoSliceMut::new(&mut part)], at as u64, ReadWriteFlags::NOWAIT);
        let done = match got {
            Ok(n) => n,
            Err(Errno::AGAIN | Errno::OPNOTSUPP) => 0,
            Err(error) => return Err(error).context("reading without waiting"),
        };
        file.read_exact_at(&mut part[done..], (at + done) as u64)?;
        assert!(part == data[at..at + MIB / 4], "wrong bytes at {at}");
    }
    Ok(())
}

#[test]
fn it_says_what_room_there_is_or_what_it_was_told_to_say() -> Result<()> {
    story(|rig| {
        let disk = rig.faulty_disk("disk").start()?;
        let free = || statvfs(disk.mount().seen()).map(|room| room.f_bavail * room.f_frsize);
        let real = free()?;
        disk.pretend_free(123 << 20)?;
        assert_eq!(free()?, 123 << 20);
        disk.heal()?;
        assert!(free()?.abs_diff(real) < 1 << 30);
        Ok(())
    })
}

/// Nobody waits for a file system that has gone, and nothing of it stays.
#[test]
fn who_uses_it_when_it_goes_gets_an_error() -> Result<()> {
    story(|rig| {
        let disk: FaultyDisk = rig.faulty_disk("disk").start()?;
        let seen = disk.mount().seen();
        fs::write(seen.join("file"), bytes(MIB))?;
        let mut open = File::open(seen.join("file"))?;
        disk.fault(Call::Read, Fault::Slow(Duration::from_secs(2)))?;
        thread::scope(|scope| {
            let waiting = scope.spawn(move || number(open.read(&mut [0; 100])));
            thread::sleep(Duration::from_millis(200));
            let start = Instant::now();
            drop(disk);
            let error = waiting.join().expect("the reader panicked");
            assert!(error.is_some(), "an answer from nowhere");
            assert!(start.elapsed() < Duration::from_secs(2), "it waited {:?}", start.elapsed());
        });
        Ok(())
    })
}
