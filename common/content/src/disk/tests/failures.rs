//! What goes wrong with one blob is nothing to the others, and what is said of the disk is true.

use super::*;

const MIB: u64 = 1 << 20;

/// A folder in its place; as well a bad sector, or `chattr +i`.
#[test]
fn one_blob_that_cannot_be_removed_keeps_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let disk = open(&folder, None);
    let digests: Vec<Digest> = (0..40).map(|seed| put(&disk, &content(seed, 300)).unwrap()).collect();
    let stuck = disk.layout().blob(&digests[20]);
    fs::remove_file(&stuck).unwrap();
    fs::create_dir_all(stuck.join("x")).unwrap();
    assert!(disk.expire(SystemTime::now() + Duration::from_secs(60)).is_err());
    let left: Vec<&Digest> = digests.iter().filter(|digest| disk.size(digest).is_some()).collect();
    assert_eq!(left, [&digests[20]]);
}

#[test]
fn a_record_that_rots_costs_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let index = {
        let disk = open(&folder, None);
        for seed in 0..100 {
            put(&disk, &content(seed, 300)).unwrap();
        }
        disk.layout().index()
    };
    let mut bytes = fs::read(&index).unwrap();
    bytes[20] ^= 1;
    durable::replace(&index, &bytes, durable::Sync::No).unwrap();
    assert_eq!(open(&folder, None).usage().blobs, 99);
}

/// Its file is removed by hand, or before a restart.
#[test]
fn no_list_stays_of_a_blob_that_is_gone() {
    for restart in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let mut disk = open(&folder, None);
        let digest = put(&disk, &content(1, 300)).unwrap();
        let list = List { total: 300, piece: 128, hashes: vec![[1; 32], [2; 32], [3; 32]] };
        disk.keep_pieces(&digest, &list);
        fs::remove_file(disk.layout().blob(&digest)).unwrap();
        if restart {
            drop(disk);
            fs::remove_file(folder.path().join("larder/index")).unwrap();
            disk = open(&folder, None);
        }
        survey(&disk);
        assert!(disk.size(&digest).is_none() && !disk.layout().pieces(&digest).exists());
    }
}

/// All that may go is being read.
#[test]
fn a_disk_that_others_fill_is_not_called_a_bound() {
    let folder = tempfile::tempdir_in("/dev/shm").unwrap();
    let digest = put(&open(&folder, None), &content(1, 16 << 20)).unwrap();
    let free = crate::bounds::FileSystem::of(folder.path()).unwrap().free;
    // There is no bound, and half of what is wanted.
    let capacity = Capacity { bytes: None, free_floor: free - 8 * MIB };
    let disk = Disk::open_with(folder.path(), capacity, SMALL).unwrap();
    let reader = disk.blob(&digest).unwrap().unwrap();
    let error = disk.begin(&Digest::sha256(b"x"), Some(16 * MIB), None).unwrap_err();
    drop(reader);
    assert!(!is_refusal(&error), "{error}");
}

/// What a source says of a length is not what the disk must have room for to be well.
#[test]
fn a_length_from_beyond_all_disks_makes_none_bad_for_good() {
    let folder = tempfile::tempdir().unwrap();
    let free_floor = crate::bounds::FileSystem::of(folder.path()).unwrap().free - 256 * MIB;
    let disk = Disk::open(folder.path(), Capacity { bytes: None, free_floor }).unwrap();
    let error = disk.begin(&Digest::sha256(b"x"), Some(1 << 60), None).unwrap_err();
    assert!(!is_refusal(&error) && wanted(&error) > 0);
    disk.probe(wanted(&error)).unwrap();
}

/// Index and list of pieces say another length.
#[test]
fn a_blob_that_was_cut_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let disk = open(&folder, None);
    let digest = put(&disk, &content(1, 300)).unwrap();
    let path = disk.layout().blob(&digest);
    fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(200).unwrap();
    assert!(disk.blob(&digest).unwrap().is_none() && disk.size(&digest).is_none());
    assert_eq!((path.exists(), disk.counters().damaged.get()), (false, 1));
    // What somebody else put there may have been replaced by its owner: it is looked at.
    let owned = own(&disk, &content(2, 300));
    survey(&disk);
    fs::OpenOptions::new().write(true).open(disk.layout().blob(&owned)).unwrap().set_len(200).unwrap();
    assert_eq!(disk.blob(&owned).unwrap().map(|stored| stored.proof.is_whole()), Some(false));
}
