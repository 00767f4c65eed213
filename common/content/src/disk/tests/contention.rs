//! Writers, readers and victims that meet.

use super::*;

/// Bytes mirrored, owned, downloading.
fn usage(disk: &Disk) -> (u64, u64, u64) {
    let Usage { mirrored, owned, downloading, .. } = disk.usage();
    (mirrored, owned, downloading)
}

#[test]
fn of_two_writers_of_one_blob_the_later_one_keeps_it() {
    let folder = tempfile::tempdir().unwrap();
    let disk = open(&folder, None);
    let content = content(1, 300);
    let digest = Digest::sha256(&content);
    let begin = || disk.begin(&digest, Some(300), None).unwrap().partial;
    let [first, second] = [begin(), begin()];
    first.file().write_at(&content, 0).unwrap();
    assert!(disk.commit(first, &digest, None).unwrap().is_none());
    assert!(disk.blob(&digest).unwrap().is_none(), "what is not written is not shown");
    second.file().write_at(&content, 0).unwrap();
    assert!(disk.commit(second, &digest, None).unwrap().is_some());
    assert_eq!(fs::read(disk.layout().blob(&digest)).unwrap(), content);
    assert_eq!(usage(&disk), (300, 0, 0));
    // A download that is dropped late takes nothing from its successor.
    let [late, next] = [begin(), begin()];
    drop(late);
    assert!(disk.layout().partial(&digest).exists());
    drop(next);
    assert!(!disk.layout().partial(&digest).exists());
}

#[test]
fn many_who_put_the_same_never_show_anything_else() {
    let folder = tempfile::tempdir().unwrap();
    let disk = open(&folder, None);
    for seed in 0..100 {
        let content = content(seed, 3000);
        let digest = Digest::sha256(&content);
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| disk.put(&digest, &content).unwrap());
            }
            for _ in 0..50 {
                let seen = fs::read(disk.layout().blob(&digest)).unwrap_or_else(|_| content.clone());
                assert!(seen == content, "{seed}");
            }
        });
        assert_eq!(disk.size(&digest), Some(3000));
    }
    assert_eq!(usage(&disk), (300_000, 0, 0));
}

#[test]
fn what_is_put_over_what_is_owned_stays_owned() {
    let folder = tempfile::tempdir().unwrap();
    let disk = open(&folder, None);
    let right = content(1, 300);
    let digest = own(&disk, &right);
    survey(&disk);
    disk.put(&digest, &right).unwrap();
    assert_eq!(usage(&disk), (0, 300, 0));
    let stored = disk.blob(&digest).unwrap().unwrap();
    disk.damaged(&digest, &stored.proof);
    put(&disk, &right).unwrap();
    assert_eq!((usage(&disk), disk.size(&digest)), ((0, 300, 0), Some(300)));
    disk.expire(SystemTime::now() + Duration::from_secs(60)).unwrap();
    assert!(disk.layout().blob(&digest).exists());
}

#[test]
fn who_found_a_bad_copy_does_not_take_the_good_one() {
    let folder = tempfile::tempdir().unwrap();
    let disk = open(&folder, None);
    let content = content(1, 300);
    let digest = put(&disk, &content).unwrap();
    let [bad, late] = [(); 2].map(|()| disk.blob(&digest).unwrap().unwrap());
    disk.damaged(&digest, &bad.proof);
    put(&disk, &content).unwrap();
    disk.damaged(&digest, &late.proof);
    assert_eq!(disk.size(&digest), Some(300));
}

#[test]
fn a_victim_that_is_opened_before_its_turn_stays() {
    let folder = tempfile::tempdir().unwrap();
    let disk = open(&folder, Some(3000));
    let digests: Vec<Digest> = (0..10).map(|seed| put(&disk, &content(seed, 300)).unwrap()).collect();
    let is_over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for seed in 10..60 {
                // Room may be held by readers for a moment.
                let _ = put(&disk, &content(seed, 1500));
            }
            is_over.store(true, std::sync::atomic::Ordering::Relaxed);
        });
        while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
            for digest in &digests {
                let Some(stored) = disk.blob(digest).unwrap() else { continue };
                assert_eq!(disk.size(digest), Some(stored.size), "in use, and gone");
            }
        }
    });
}

#[test]
fn a_blob_counts_once_while_it_lands() {
    let folder = tempfile::tempdir().unwrap();
    let disk = open(&folder, Some(100_000));
    for seed in 0..50 {
        let (large, small) = (content(seed, 60_000), content(seed.wrapping_add(100), 40_000));
        let digest = Digest::sha256(&large);
        std::thread::scope(|scope| {
            let landing = scope.spawn(|| put(&disk, &large).unwrap());
            while disk.size(&digest).is_none() {
                std::hint::spin_loop();
            }
            put(&disk, &small).unwrap();
            landing.join().unwrap();
        });
        assert!(disk.size(&digest).is_some(), "both fit");
        disk.expire(SystemTime::now() + Duration::from_secs(60)).unwrap();
    }
}

#[test]
fn what_is_promised_is_not_free() {
    let folder = tempfile::tempdir().unwrap();
    let free = rustix::fs::statvfs(folder.path()).map(|stat| stat.f_bavail * stat.f_frsize).unwrap();
    // Others use this disk as well.
    let (slack, size) = (free / 4, free / 2);
    let disk = Disk::open_with(folder.path(), Capacity { bytes: None, free_floor: slack }, SMALL).unwrap();
    // Nothing says how long they are, so nothing is taken before it is there.
    let [mut one, mut other] = [b"1", b"2"].map(|name| disk.begin(&Digest::sha256(name), None, None).unwrap().partial);
    disk.extend(&mut one, size).unwrap();
    let error = disk.extend(&mut other, size).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    drop(one);
    disk.extend(&mut other, size).unwrap();
}

#[test]
fn going_on_takes_no_room_twice_and_what_is_not_gone_on_with_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let disk = open(&folder, Some(1500));
    let content = content(1, 1000);
    let digest = Digest::sha256(&content);
    let leave = || {
        let partial = disk.begin(&digest, Some(1000), None).unwrap().partial;
        partial.file().write_at(&content[..128], 0).unwrap();
        partial.note(0, blake3::hash(&content[..128]).as_bytes());
        disk.leave(&digest, partial);
        disk.left(&digest)
    };
    let left = leave();
    let begun = disk.begin(&digest, Some(1000), left).unwrap();
    assert!(begun.left.is_some_and(|left| left.hashes.len() == 1));
    assert_eq!(usage(&disk), (0, 0, 1000));
    drop(begun.partial);
    leave();
    assert_eq!(usage(&disk), (0, 0, 1000));
    // Of another length, for which there is no room beside this one.
    let other = disk.begin(&Digest::sha256(b"other"), Some(400), None).unwrap();
    disk.begin(&digest, Some(1400), None).unwrap_err();
    assert_eq!(usage(&disk), (0, 0, 400));
    assert!(!disk.layout().partial(&digest).exists());
    drop(other);
}

#[test]
fn a_file_put_in_the_place_of_a_blob_is_not_believed() {
    let folder = tempfile::tempdir().unwrap();
    let disk = open(&folder, None);
    let content = content(1, 300);
    let digest = put(&disk, &content).unwrap();
    assert!(disk.blob(&digest).unwrap().unwrap().proof.is_whole());
    durable::replace(&disk.layout().blob(&digest), &content, durable::Sync::No).unwrap();
    disk.flush().unwrap();
    let found = disk.blob(&digest).unwrap().unwrap();
    assert!(!found.proof.is_whole());
    // Checked, and what takes its place is not believed either.
    found.proof.proven();
    assert!(disk.blob(&digest).unwrap().unwrap().proof.is_whole());
    drop(found);
    durable::replace(&disk.layout().blob(&digest), &content, durable::Sync::No).unwrap();
    disk.flush().unwrap();
    assert!(!disk.blob(&digest).unwrap().unwrap().proof.is_whole());
}

#[test]
fn who_opens_what_was_just_written_believes_the_writer() {
    let folder = tempfile::tempdir().unwrap();
    let disk = open(&folder, None);
    let content = content(1, 300);
    let digest = Digest::sha256(&content);
    let AtHand::Unopened(known) = disk.at_hand(&digest) else { panic!("it is not there yet") };
    put(&disk, &content).unwrap();
    assert!(disk.open_blob(&digest, known).unwrap().unwrap().proof.is_whole());
    assert_eq!(usage(&disk), (300, 0, 0), "whatever the file system says of its origin");
}

#[test]
fn what_goes_while_it_is_opened_is_in_no_books() {
    let folder = tempfile::tempdir().unwrap();
    let disk = open(&folder, None);
    let content = content(1, 300);
    let digest = put(&disk, &content).unwrap();
    let path = disk.layout().blob(&digest);
    let identity = crate::file::ContentFile::identity_at(&path).unwrap();
    fs::remove_file(&path).unwrap();
    disk.flush().unwrap();
    let facts = Facts { size: 300, fetched: 1, used: 1, rank: 0 };
    assert!(disk.enter(&digest, facts, identity).is_none());
}

#[test]
fn a_victim_that_cannot_be_removed_costs_nobody_the_room_of_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let disk = open(&folder, Some(1000));
    let digests: Vec<Digest> = (0..3).map(|seed| put(&disk, &content(seed, 300)).unwrap()).collect();
    // A folder with something in it is nothing that unlink(2) removes.
    let stuck = disk.layout().blob(&digests[0]);
    fs::remove_file(&stuck).unwrap();
    fs::create_dir_all(stuck.join("x")).unwrap();
    put(&disk, &content(9, 700)).expect("the other two make room for it");
    let sizes: Vec<_> = digests.iter().map(|digest| disk.size(digest)).collect();
    assert_eq!(sizes, [Some(300), None, None]);
}
