//! What the books say after what happened.

use super::*;

fn facts(size: u64, fetched: u32) -> Facts {
    Facts { size, fetched, used: 1, rank: 0 }
}

#[test]
fn what_is_owned_or_read_never_goes() {
    let mut books = Books::new();
    let [owned, read, idle] = [b"owned", b"-read", b"-idle"].map(|content| Digest::sha256(content));
    let [owned_proof, _, idle_proof] = [(owned, 10, 0), (read, 20, 5), (idle, 30, 6)]
        .map(|(digest, size, fetched)| Arc::downgrade(&books.add(digest, facts(size, fetched), Proof::whole(1))));
    assert_eq!((books.owned(), books.taken(None).blobs, books.len()), (10, 50, 3));
    let reader = books.use_blob(&read, 2).unwrap();
    assert!(books.victims(31).is_empty(), "nothing goes for nothing");
    assert_eq!(books.victims(25), [idle]);
    books.spared(&idle);
    drop(reader);
    let mut both = books.victims(50);
    both.sort();
    let mut expected = vec![read, idle];
    expected.sort();
    assert_eq!(both, expected);
    for digest in [read, idle] {
        books.spared(&digest);
    }
    assert_eq!(books.fetched_before(6), [read]);
    let [owned_proof, idle_proof] = [owned_proof, idle_proof].map(|proof| proof.upgrade().unwrap());
    assert_eq!(books.damaged(&idle, &owned_proof), None, "of another copy");
    assert_eq!((books.damaged(&owned, &owned_proof), books.damaged(&idle, &idle_proof)), (Some(false), Some(true)));
    assert_eq!((books.size(&owned), books.size(&read)), (None, Some(20)));
}

#[test]
fn are_written_down_and_restored() {
    let mut books = Books::new();
    let [a, b, c] = [b"a", b"b", b"c"].map(|content| Digest::sha256(content));
    for (digest, fetched) in [(a, 5), (b, 0), (c, 7)] {
        books.add(digest, facts(10, fetched), Proof::whole(1));
    }
    assert_eq!(books.changes().len(), 3);
    assert!(books.changes().is_empty());
    books.use_blob(&a, 9);
    books.use_blob(&a, 9);
    books.remove(&c);
    let changes = books.changes();
    assert_eq!(changes.len(), 2);
    assert!(changes.contains(&Record::Gone(c)));
    let again = Books::restore(books.records().into_iter());
    assert_eq!((again.len(), again.owned(), again.taken(None).blobs), (2, 10, 10));
    assert_eq!(again.entry(&a).unwrap().facts.used, 9);
}

#[test]
fn count_what_downloads_take_and_leave() {
    let mut books = Books::new();
    let a = Digest::sha256(b"a");
    books.reserve(100);
    books.take(95);
    books.leave(a, 40);
    assert_eq!(books.taken(Some(7)), Taken { blobs: 0, reserved: 100, left: 40, free: Some(2) });
    books.release(100, 5);
    assert_eq!((books.take_up(&a), books.take_up(&a)), (Some(40), None));
    let (first, was_alone) = books.begin(&a);
    let (second, is_alone) = books.begin(&a);
    assert!(was_alone && !is_alone && !books.is_begun(&a, first) && books.is_begun(&a, second));
    books.end(&a, first);
    assert!(books.is_begun(&a, second));
    books.end(&a, second);
    assert!(books.begin(&a).1);
    assert_eq!(books.taken(None), Taken { blobs: 0, reserved: 0, left: 0, free: None });
}
