use larder_oci::Digest;

use super::*;
use crate::{disk::Disk, flight::Hangar, room::Capacity};

/// A flight of a blob of `size` bytes, the leg of `range`, and the file.
fn leg(folder: &std::path::Path, size: u64, range: Range<u64>) -> (Arc<Flight>, Leg, std::path::PathBuf) {
    let hangar = Hangar::plain(Disk::open(folder, Capacity::default()).unwrap(), None);
    let ask = crate::flight::Ask { digest: &Digest::sha256(b"x"), size: Some(size), awaited: false, afresh: false };
    let (flight, path) = (Flight::new(ask, Arc::new([]), None, hangar), folder.join("partial"));
    let file = Arc::new(ContentFile::open_or_create(&path).unwrap());
    assert!(flight.state().progress.begin_leg(&range));
    let leg = Leg { flight: Arc::clone(&flight), try_number: 0, range, file, journal: None };
    (flight, leg, path)
}

/// What is left of a download is taken up by the next one, in the same file: nothing may come to it late.
#[tokio::test]
async fn writes_nothing_once_it_is_grounded_or_its_try_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let (flight, leg, path) = leg(folder.path(), 100, 10..20);
    let write = |at| {
        let work = leg.write(vec![Bytes::from_static(b"12345")], at, PieceHasher::new(10, Some(100), 50));
        move || work().unwrap().map(|written| written.end)
    };
    let (first, second, third) = (write(10), write(15), write(15));
    assert_eq!(first(), Some(15));
    flight.ground_legs();
    assert_eq!(second(), None);
    flight.let_legs_write(1);
    assert_eq!(third(), None);
    assert_eq!(std::fs::metadata(path).unwrap().len(), 15);
}

/// What it has in hand beyond is another's to write.
#[tokio::test]
async fn stops_where_another_leg_begins() {
    const MIB: u64 = 1 << 20;
    let folder = tempfile::tempdir().unwrap();
    let (flight, leg, path) = leg(folder.path(), 100 * MIB, 10 * MIB..100 * MIB);
    assert!(flight.state().progress.begin_leg(&(50 * MIB..51 * MIB)));
    let chunks = || vec![Bytes::from_static(b"12"), Bytes::from_static(b"3456"), Bytes::from_static(b"78")];
    let write = |at| leg.write(chunks(), at, PieceHasher::new(10 * MIB, Some(100 * MIB), MIB))().unwrap().unwrap();
    let written = write(50 * MIB - 8);
    assert!(written.end == 50 * MIB && written.is_over);
    let (before, written) = (write(50 * MIB - 9), write(50 * MIB - 3));
    assert!(!before.is_over && written.is_over && written.end == 50 * MIB);
    assert_eq!(std::fs::metadata(path).unwrap().len(), 50 * MIB);
    flight.change(|state| state.progress.end_leg(10 * MIB));
    assert!(leg.write(chunks(), 20 * MIB, PieceHasher::new(10 * MIB, None, MIB))().unwrap().is_none());
}
