//! What the folder shows, keeps and lets go.

mod contention;
mod failures;

use std::time::Duration;

use super::*;
use crate::{faults::Op, pieces};

const SMALL: Geometry = Geometry { chunk: 64, tail: 64, piece: 128, ahead: 512, beside: 2 };

fn open(folder: &tempfile::TempDir, bytes: Option<u64>) -> Disk {
    Disk::open_with(folder.path(), Capacity { bytes, free_floor: 0 }, SMALL).unwrap()
}

fn content(seed: u8, length: usize) -> Vec<u8> {
    (0..length).map(|i| (i as u8).wrapping_mul(31).wrapping_add(seed)).collect()
}

fn put(disk: &Disk, content: &[u8]) -> io::Result<Digest> {
    let digest = Digest::sha256(content);
    let begun = disk.begin(&digest, Some(content.len() as u64), None)?;
    begun.partial.file().write_at(content, 0)?;
    disk.commit(begun.partial, &digest, None)?;
    Ok(digest)
}

fn own(disk: &Disk, content: &[u8]) -> Digest {
    let digest = Digest::sha256(content);
    durable::replace(&disk.layout().blob(&digest), content, durable::Sync::No).unwrap();
    digest
}

fn survey(disk: &Disk) {
    disk.survey(&mut || true).unwrap();
}

#[test]
fn belongs_to_one_process() {
    let folder = tempfile::tempdir().unwrap();
    let disk = open(&folder, None);
    let again = Disk::open(folder.path(), Capacity::default());
    assert!(matches!(again, Err(DiskError::InUse(_))));
    disk.probe(0).unwrap();
}

#[test]
fn an_empty_file_is_no_blob_unless_it_should_be_empty() {
    let folder = tempfile::tempdir().unwrap();
    let disk = open(&folder, None);
    let empty = put(&disk, b"").unwrap();
    assert_eq!(disk.blob(&empty).unwrap().unwrap().size, 0);
    let lost = Digest::sha256(b"lost");
    durable::replace(&disk.layout().blob(&lost), b"", durable::Sync::No).unwrap();
    assert!(disk.blob(&lost).unwrap().is_none());
    survey(&disk);
    assert!(disk.size(&lost).is_none());
}

#[test]
fn expires_what_larder_fetched_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let disk = open(&folder, None);
    let mirrored = put(&disk, b"mirrored").unwrap();
    let owned = own(&disk, b"owned");
    let reader = disk.blob(&mirrored).unwrap().unwrap();
    survey(&disk);
    assert_eq!(disk.expire(SystemTime::now() - Duration::from_secs(60)).unwrap(), 0);
    assert_eq!(disk.expire(SystemTime::now() + Duration::from_secs(60)).unwrap(), 1);
    assert!(disk.blob(&mirrored).unwrap().is_none());
    assert_eq!(disk.blob(&owned).unwrap().unwrap().size, 5);
    // Who was reading reads on.
    assert_eq!(reader.file.len().unwrap(), 8);
}

#[test]
fn keeps_its_bound_and_lets_go_of_nothing_owned_or_read() {
    let folder = tempfile::tempdir().unwrap();
    let disk = open(&folder, Some(1000));
    let owned = own(&disk, &content(0, 5000));
    let [a, b, c] = [1, 2, 3].map(|seed| put(&disk, &content(seed, 300)).unwrap());
    let reader = disk.blob(&a).unwrap().unwrap();
    survey(&disk);
    // Room for one more is made, but not of the blob that is read.
    let d = put(&disk, &content(4, 300)).unwrap();
    let here = |digest: &Digest| disk.layout().blob(digest).exists();
    assert!(here(&a) && here(&d) && here(&owned) && (here(&b) != here(&c)));
    let Usage { mirrored, owned: bytes, downloading, .. } = disk.usage();
    assert_eq!((mirrored, bytes, downloading), (900, 5000, 0));
    // More than there can ever be room for: nothing goes for it.
    let error = put(&disk, &content(5, 1001)).unwrap_err();
    assert!(is_refusal(&error) && error.kind() == io::ErrorKind::StorageFull, "{error}");
    assert_eq!(disk.usage().mirrored, 900);
    drop(reader);
    put(&disk, &content(6, 900)).unwrap();
    assert!(disk.usage().mirrored <= 1000 && here(&owned));
}

#[test]
fn keeps_room_free_for_others() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Disk::open_with(folder.path(), Capacity { bytes: None, free_floor: u64::MAX / 2 }, SMALL).unwrap();
    let error = put(&disk, b"one byte is too much").unwrap_err();
    assert!(!is_refusal(&error) && error.kind() == io::ErrorKind::StorageFull, "{error}");
    assert_eq!(fs::read_dir(disk.layout().partials()).unwrap().count(), 0);
}

#[test]
fn a_download_in_progress_counts() {
    let folder = tempfile::tempdir().unwrap();
    let disk = open(&folder, Some(1000));
    let first = disk.begin(&Digest::sha256(b"1"), Some(600), None).unwrap();
    assert!(is_refusal(&disk.begin(&Digest::sha256(b"2"), Some(600), None).unwrap_err()));
    drop(first);
    let mut growing = disk.begin(&Digest::sha256(b"3"), None, None).unwrap();
    disk.extend(&mut growing.partial, 700).unwrap();
    assert_eq!(disk.usage().downloading, 700);
    assert!(disk.extend(&mut growing.partial, 400).is_err());
    drop(growing);
    assert_eq!(disk.usage().downloading, 0);
}

#[test]
fn what_is_left_of_a_download_is_gone_on_with_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (kept, swept) = (Digest::sha256(&content(1, 300)), Digest::sha256(&content(2, 300)));
    {
        let disk = open(&folder, Some(1000));
        for digest in [&kept, &swept] {
            let begun = disk.begin(digest, Some(300), None).unwrap();
            begun.partial.file().write_at(&content(1, 200), 0).unwrap();
            if *digest == kept {
                begun.partial.note(0, blake3::hash(&content(1, 128)).as_bytes());
            }
            // As a kill leaves it.
            begun.partial.leave();
        }
    }
    let disk = open(&folder, Some(1000));
    assert!(disk.left(&swept).is_none() && !disk.layout().partial(&swept).exists());
    let left = disk.left(&kept).unwrap();
    assert_eq!((left.total, left.hashes.len(), disk.usage().downloading), (300, 1, 300));
    let begun = disk.begin(&kept, Some(300), Some(left)).unwrap();
    assert!(begun.left.is_some());
    assert_eq!(disk.usage().downloading, 300, "its room is counted once");
    disk.leave(&kept, begun.partial);
    // It goes first when room is needed.
    put(&disk, &content(3, 900)).unwrap();
    assert!(disk.left(&kept).is_none());
}

#[test]
fn of_another_length_nothing_is_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    let disk = open(&folder, None);
    let digest = Digest::sha256(b"x");
    let begun = disk.begin(&digest, Some(300), None).unwrap();
    begun.partial.note(0, &[1; 32]);
    disk.leave(&digest, begun.partial);
    let left = disk.left(&digest);
    assert!(left.is_some());
    let begun = disk.begin(&digest, Some(400), left).unwrap();
    assert!(begun.left.is_none());
    assert_eq!(begun.partial.file().len().unwrap(), 400);
}

#[test]
fn remembers_what_it_has_and_whose_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let (mirrored, owned);
    {
        let disk = open(&folder, Some(1000));
        mirrored = put(&disk, &content(1, 300)).unwrap();
        owned = own(&disk, &content(2, 300));
        survey(&disk);
    }
    let usage = |disk: &Disk| (disk.usage().blobs, disk.usage().mirrored, disk.usage().owned);
    let disk = open(&folder, Some(1000));
    assert_eq!(usage(&disk), (2, 300, 300));
    assert_eq!(disk.size(&mirrored), Some(300));
    let layout = disk.layout().clone();
    drop(disk);

    // The index is lost: what is on the disk says it again.
    fs::remove_file(layout.index()).unwrap();
    let disk = open(&folder, Some(1000));
    assert_eq!(usage(&disk), (0, 0, 0));
    // Even before that is found out, it is served.
    assert_eq!(disk.blob(&owned).unwrap().unwrap().size, 300);
    survey(&disk);
    assert_eq!(usage(&disk), (2, 300, 300));
    fs::remove_file(layout.blob(&mirrored)).unwrap();
    survey(&disk);
    assert_eq!(usage(&disk), (1, 0, 300));
}

#[test]
fn writes_down_what_is_used_without_growing_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let disk = open(&folder, None);
    let digests: Vec<Digest> = (0..10).map(|seed| put(&disk, &content(seed, 100)).unwrap()).collect();
    for round in 0..500 {
        for digest in &digests {
            disk.books().use_blob(digest, round);
        }
        disk.flush().unwrap();
    }
    assert!(fs::metadata(disk.layout().index()).unwrap().len() < 200_000);
}

#[test]
fn a_damaged_blob_is_gone_unless_it_is_owned() {
    let folder = tempfile::tempdir().unwrap();
    let disk = open(&folder, None);
    let (mirrored, owned) = (put(&disk, &content(1, 300)).unwrap(), own(&disk, &content(2, 300)));
    for digest in [&mirrored, &owned] {
        let stored = disk.blob(digest).unwrap().unwrap();
        disk.damaged(digest, &stored.proof);
        assert!(disk.blob(digest).unwrap().is_none() && disk.size(digest).is_none());
    }
    assert!(!disk.layout().blob(&mirrored).exists() && disk.layout().blob(&owned).exists());
    // Fetched again, it is right again.
    put(&disk, &content(2, 300)).unwrap();
    assert_eq!(disk.size(&owned), Some(300));
}

#[test]
fn what_cannot_be_written_leaves_nothing_behind() {
    for op in [Op::Create, Op::Write, Op::Sync, Op::Rename] {
        let folder = tempfile::tempdir().unwrap();
        let mut disk = open(&folder, Some(1000));
        let faults = Arc::new(crate::faults::Faults::default());
        disk.faults = Some(Arc::clone(&faults));
        faults.plan(op, 0, 1, 5);
        let digest = Digest::sha256(&content(1, 300));
        put(&disk, &content(1, 300)).unwrap_err();
        assert!(disk.blob(&digest).unwrap().is_none(), "{op:?}");
        assert_eq!(fs::read_dir(disk.layout().partials()).unwrap().count(), 0, "{op:?}");
        assert_eq!((disk.usage().mirrored, disk.usage().downloading), (0, 0), "{op:?}");
        put(&disk, &content(1, 300)).unwrap();
    }
}

#[test]
fn pieces_are_kept_beside() {
    let folder = tempfile::tempdir().unwrap();
    let disk = open(&folder, None);
    let digest = Digest::sha256(b"x");
    let list = pieces::List { total: 300, piece: 128, hashes: vec![[1; 32], [2; 32], [3; 32]] };
    disk.keep_pieces(&digest, &list);
    assert_eq!(disk.pieces(&digest), Some(list));
    durable::replace(&disk.layout().pieces(&digest), b"rubbish", durable::Sync::No).unwrap();
    assert_eq!(disk.pieces(&digest), None);
}
