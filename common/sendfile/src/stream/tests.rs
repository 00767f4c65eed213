//! What reaches the client of a connection that sends from files.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{io::AsyncWriteExt as _, net::TcpListener};

use super::*;

async fn pair() -> (SendfileStream, std::net::TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (SendfileStream::new(listener.accept().await.unwrap().0), client)
}

fn file(content: &[u8]) -> Arc<File> {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(content).unwrap();
    Arc::new(file)
}

#[tokio::test]
async fn stand_ins_among_other_bytes_are_the_files_bytes() {
    let content: Vec<u8> = (0..3_000_000_u32).map(|i| (i % 251) as u8).collect();
    let (mut stream, mut client) = pair().await;
    let reading = std::thread::spawn(move || {
        let mut all = Vec::new();
        client.read_to_end(&mut all).unwrap();
        all
    });
    let (outbox, file) = (stream.outbox(), file(&content));
    let first = outbox.put(Arc::clone(&file) as _, 100, 900_000, |_| ());
    let second = outbox.put(file as _, 2_000_000, 1_000_000, |_| ());
    for bytes in [&b"head"[..], &first, b"between", &second, b"end"] {
        stream.write_all(bytes).await.unwrap();
    }
    drop(stream);
    let expected = [b"head", &content[100..900_100], b"between", &content[2_000_000..], b"end"].concat();
    assert!(reading.join().unwrap() == expected);
}

#[tokio::test]
async fn vectored_writes_stop_where_a_stand_in_begins() {
    let (mut stream, mut client) = pair().await;
    let stand_in = stream.outbox().put(file(b"0123456789") as _, 2, 5, |_| ());
    let slices = [IoSlice::new(b""), IoSlice::new(b"ab"), IoSlice::new(&stand_in), IoSlice::new(b"cd")];
    assert_eq!(stream.write_vectored(&slices).await.unwrap(), 2);
    assert_eq!(stream.write_vectored(&slices[2..]).await.unwrap(), 5);
    assert_eq!(stream.write_vectored(&slices[3..]).await.unwrap(), 2);
    drop(stream);
    let mut all = String::new();
    client.read_to_string(&mut all).unwrap();
    assert_eq!(all, "ab23456cd");
}

#[tokio::test]
async fn a_file_that_became_shorter_is_an_error() {
    let (mut stream, _client) = pair().await;
    let stand_in = stream.outbox().put(file(b"short") as _, 3, 10, |_| ());
    assert_eq!(stream.write(&stand_in).await.unwrap(), 2);
    assert_eq!(stream.write(&stand_in[2..]).await.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
}

/// Drops a file's pages from memory. Gives whether they went: they do not where memory is all there is.
fn forget(file: &File) -> bool {
    file.sync_all().unwrap();
    rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
    !memory::holds(file.as_fd(), 0, 1)
}

/// Who shares the thread does not wait for the disk, even if what was noted was in memory then.
#[tokio::test]
async fn what_is_not_in_memory_is_read_elsewhere_first() {
    let content: Vec<u8> = (0..2_000_000_u32).map(|i| (i % 251) as u8).collect();
    let (mut stream, mut client) = pair().await;
    let reading = std::thread::spawn(move || {
        let mut all = Vec::new();
        client.read_to_end(&mut all).unwrap();
        all
    });
    let file = file(&content);
    let mut stand_in = stream.outbox().put(Arc::clone(&file) as _, 0, content.len(), |_| ());
    while !stand_in.is_empty() {
        if forget(&file) {
            stream.outbox.found(0);
            let mut send = Box::pin(stream.write(&stand_in));
            let first = std::future::poll_fn(|context| Poll::Ready(send.as_mut().poll(context))).await;
            assert!(first.is_pending());
        }
        let sent = stream.write(&stand_in).await.unwrap();
        stand_in = stand_in.slice(sent..);
    }
    drop(stream);
    assert!(reading.join().unwrap() == content);
}

#[tokio::test]
async fn what_was_sent_is_told_and_what_was_cut_off_is_forgotten() {
    let (mut stream, mut client) = pair().await;
    let told = Arc::new(AtomicUsize::new(0));
    let outbox = stream.outbox();
    let put = |offset, length| {
        let told = Arc::clone(&told);
        outbox.put(file(b"0123456789") as _, offset, length, move |sent| {
            told.fetch_add(sent, Ordering::Relaxed);
        })
    };
    let cut = put(0, 9);
    stream.write_all(&cut[..3]).await.unwrap();
    assert_eq!(told.load(Ordering::Relaxed), 3);
    outbox.clear();
    let next = put(5, 2);
    stream.write_all(&next).await.unwrap();
    assert_eq!(told.load(Ordering::Relaxed), 5);
    drop(stream);
    let mut all = String::new();
    client.read_to_string(&mut all).unwrap();
    assert_eq!(all, "01256");
}

/// A page that is missing between others, of what was noted a while ago: nobody but its reader waits for it.
#[tokio::test]
async fn a_hole_in_what_is_in_memory_is_found() {
    const MIB: usize = 1 << 20;
    let file = file(&vec![7; 2 * MIB]);
    if !forget(&file) {
        return;
    }
    // As much as a read in the midst of a file brings, at both ends of each MiB.
    rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::Random).unwrap();
    for at in [0, MIB - 1, MIB, 2 * MIB - 1] {
        rustix::io::pread(&file, &mut [0], at as u64).unwrap();
    }
    assert!(!memory::holds(file.as_fd(), 0, 2 * MIB));
    memory::bring(Arc::clone(&file) as _, 0, 2 * MIB).await.unwrap().unwrap();
    assert!(memory::holds(file.as_fd(), 0, 2 * MIB));
}
