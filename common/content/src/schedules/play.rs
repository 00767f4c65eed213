//! Plays a schedule and judges what came of it.

use std::{fs, path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use larder_oci::Digest;
use tokio::time::{sleep, timeout};

use super::{
    script::{Before, ReaderScript, SMALL, Schedule, SourceScript},
    source::Scripted,
};
use crate::{
    disk::Disk,
    durable,
    faults::Faults,
    hashing::BlobHasher,
    layout::Layout,
    pieces::Journal,
    pull_through::{Limits, PullThrough},
    room::Capacity,
    source::Source,
};

/// Longer than all deadlines of all attempts of all sources, one after the other.
const FOR_EVER: Duration = Duration::from_secs(24 * 3600);

/// What a reader got.
#[derive(Debug)]
enum Got {
    /// All that it asked for.
    All(Vec<u8>),
    /// What came before it left.
    Part(Vec<u8>),
    /// What came before an error.
    Broken(Vec<u8>),
    /// No body.
    Nothing,
}

pub(super) fn play(schedule: &Schedule) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime
        .unwrap()
        .block_on(async { timeout(FOR_EVER, act(schedule)).await.unwrap_or_else(|_| Err("it hangs".into())) })
}

async fn act(schedule: &Schedule) -> Result<(), String> {
    let content: Bytes = (0..schedule.length).map(|i| (i * i / 7 % 251) as u8).collect();
    let digest = Digest::sha256(&content);
    let folder = memory_folder();
    prepare(folder.path(), &digest, &content, schedule.before);
    let faults = Arc::new(Faults::default());
    for fault in &schedule.faults {
        faults.plan(fault.op, fault.after, fault.times, fault.errno);
    }
    let cache = open(folder.path(), schedule, Some(Arc::clone(&faults)));
    let sources: Vec<Arc<Scripted>> =
        schedule.sources.iter().enumerate().map(|(number, script)| Scripted::new(number, &content, script)).collect();

    let size = schedule.size_is_known.then_some(schedule.length);
    let readers: Vec<_> = schedule
        .readers
        .iter()
        .map(|reader| tokio::spawn(read(cache.clone(), digest, size, sources.clone(), reader.clone(), schedule.length)))
        .collect();
    let mut all_got = Vec::new();
    for reader in readers {
        all_got.push(reader.await.map_err(|error| format!("a reader died: {error}"))?);
    }
    for (reader, got) in schedule.readers.iter().zip(&all_got) {
        judge(schedule, reader, got, &content)?;
    }
    if schedule.faults.is_empty() && schedule.before == Before::Nothing {
        judge_fetches(schedule, &sources)?;
    }

    // Whatever happened, an honest source mends it.
    faults.heal();
    let honest = SourceScript { knows_ranges: true, says_total: true, chunk: 100, answers: vec![], for_ever: false };
    let honest = Scripted::new(99, &content, &honest);
    // What is still under way may wait for its sources for long.
    let mut last = None;
    for _ in 0..200 {
        let reader = ReaderScript { joins: Duration::ZERO, range: None, pace: Duration::ZERO, leaves: None };
        match read(cache.clone(), digest, size, vec![Arc::clone(&honest)], reader, schedule.length).await {
            Got::All(bytes) if bytes == content => {
                last = None;
                break;
            }
            got => last = Some(got),
        }
        sleep(Duration::from_secs(30)).await;
    }
    if let Some(last) = last {
        return Err(format!("an honest source does not mend it: {last:?}"));
    }
    judge_disk(cache, folder.path(), &digest, &content).await
}

/// A folder in memory, where the machine has one: nothing here needs a real disk.
fn memory_folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

fn open(folder: &Path, schedule: &Schedule, faults: Option<Arc<Faults>>) -> PullThrough {
    let mut disk = Disk::open_with(folder, Capacity::default(), SMALL).unwrap();
    disk.faults = faults;
    let quarantine = schedule.quarantine.then_some(Duration::from_secs(600));
    PullThrough::new(disk, Limits { quarantine, ..Limits::default() })
}

fn prepare(folder: &Path, digest: &Digest, content: &Bytes, before: Before) {
    let layout = Layout::new(folder);
    let flip = |bytes: &mut Vec<u8>, at: Option<u64>| {
        if let Some(at) = at.filter(|_| !bytes.is_empty()) {
            let at = usize::try_from(at).unwrap() % bytes.len();
            bytes[at] ^= 1;
        }
    };
    let mut bytes = content.to_vec();
    let write = |path: &Path, bytes: &[u8]| durable::replace(path, bytes, durable::Sync::No).unwrap();
    match before {
        Before::Nothing => {}
        Before::Blob { pieces, flipped } => {
            let mut hasher = BlobHasher::new(digest, Some(content.len() as u64), SMALL.piece);
            hasher.update(content, |_, _| {});
            if let Some(list) = hasher.finish().1.filter(|_| pieces) {
                write(&layout.pieces(digest), &list.encode());
            }
            flip(&mut bytes, flipped);
            write(&layout.blob(digest), &bytes);
            let file = fs::File::open(layout.blob(digest)).unwrap();
            let _ = rustix::fs::fsetxattr(&file, "user.larder.fetched", b"1000", rustix::fs::XattrFlags::empty());
        }
        Before::Partial { written, flipped } => {
            let written = usize::try_from(written).unwrap().min(bytes.len());
            let mut hasher = BlobHasher::new(digest, Some(content.len() as u64), SMALL.piece);
            let mut journal = Journal::head(content.len() as u64, SMALL.piece);
            hasher.update(&content[..written], |number, hash| journal.extend(Journal::entry(number, hash)));
            bytes[written..].fill(0);
            flip(&mut bytes, flipped);
            write(&layout.partial(digest), &bytes);
            write(&layout.partial_pieces(digest), &journal);
        }
    }
}

/// The bytes that a reader asks for.
fn wanted(reader: &ReaderScript, length: u64) -> Option<std::ops::Range<u64>> {
    let (start, end) = reader.range?;
    let (start, end) = (start * length / 1000, end * length / 1000);
    (start < end).then_some(start..end)
}

async fn read(
    cache: PullThrough,
    digest: Digest,
    size: Option<u64>,
    sources: Vec<Arc<Scripted>>,
    reader: ReaderScript,
    length: u64,
) -> Got {
    sleep(reader.joins).await;
    let sources = sources.into_iter().map(|source| source as Arc<dyn Source>).collect();
    let blob = match cache.open(&digest, size, sources).await {
        Ok(blob) => blob,
        Err(_) => return Got::Nothing,
    };
    let mut got = Vec::new();
    let known = blob.size();
    let mut body = match wanted(&reader, length) {
        // As the server does: where the length is not known, all of it.
        Some(range) if known == Some(length) => blob.read_range(range),
        _ => blob.read(),
    };
    while let Some(chunk) = body.next().await {
        match chunk {
            Ok(chunk) => got.extend_from_slice(&chunk),
            Err(_) => return Got::Broken(got),
        }
        if reader.leaves.is_some_and(|leaves| got.len() as u64 >= leaves) {
            return Got::Part(got);
        }
        sleep(reader.pace).await;
    }
    // A client sees that a body ends before the length that was announced.
    if known.is_some_and(|known| known != length) {
        return Got::Broken(got);
    }
    Got::All(got)
}

fn judge(schedule: &Schedule, reader: &ReaderScript, got: &Got, content: &Bytes) -> Result<(), String> {
    let range = wanted(reader, schedule.length);
    let part = |range: &std::ops::Range<u64>| {
        &content[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()]
    };
    // A reader of a part gets all where the length was not known.
    let expected: Vec<&[u8]> = range.iter().map(part).chain([&content[..]]).collect();
    let starts = |bytes: &[u8]| expected.iter().any(|expected| expected.starts_with(bytes));
    let lies = schedule.sources.iter().any(SourceScript::lies);
    // What lay on the disk without pieces is as good as what a source gives: the digest tells at its end.
    let rotten = matches!(schedule.before, Before::Blob { pieces: false, flipped: Some(_) });
    match got {
        Got::All(bytes) if expected.iter().any(|expected| *expected == bytes) => Ok(()),
        // Of a part nobody can tell before all of the blob is verified.
        Got::All(_) if range.is_some() && (lies || rotten) => Ok(()),
        Got::All(bytes) => Err(format!("a whole of {} wrong bytes: {reader:?}", bytes.len())),
        Got::Part(bytes) | Got::Broken(bytes) if starts(bytes) || lies || rotten => Ok(()),
        Got::Part(_) | Got::Broken(_) => {
            let (Got::Part(bytes) | Got::Broken(bytes)) = got else { return Ok(()) };
            let at = bytes.iter().zip(expected[0]).position(|(a, b)| a != b);
            Err(format!("wrong bytes from honest sources, from {at:?} on: {reader:?}"))
        }
        Got::Nothing => Ok(()),
    }
}

/// Without faults there is one fetch, and nobody fails.
fn judge_fetches(schedule: &Schedule, sources: &[Arc<Scripted>]) -> Result<(), String> {
    let calm = schedule.sources.iter().all(|source| {
        source.answers.iter().all(|answer| {
            matches!(
                answer,
                super::script::AnswerScript::Gives {
                    wrong_byte: None,
                    total_off_by: 0,
                    ends: super::script::Ends::Well,
                    ..
                }
            )
        })
    });
    let parts = schedule.readers.iter().any(|reader| reader.range.is_some());
    let fetches: usize = sources.iter().map(|source| source.ranges.lock().unwrap().len()).sum();
    if calm && !parts && fetches != 1 {
        return Err(format!("{fetches} fetches"));
    }
    Ok(())
}

async fn judge_disk(cache: PullThrough, folder: &Path, digest: &Digest, content: &Bytes) -> Result<(), String> {
    let path = Layout::new(folder).blob(digest);
    for _ in 0..100 {
        if cache.idle() {
            break;
        }
        sleep(Duration::from_secs(30)).await;
    }
    if !cache.idle() {
        return Err("a download never ends".into());
    }
    match fs::read(&path) {
        Ok(bytes) if bytes == *content => Ok(()),
        Ok(_) => Err("wrong bytes under the digest".into()),
        Err(error) => Err(format!("it was not kept: {error}")),
    }
}
