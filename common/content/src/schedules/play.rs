//! Plays a schedule and judges what came of it.

use std::{fs, ops::Range, path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use larder_oci::Digest;
use tokio::time::{sleep, timeout};

use super::{
    script::{Before, ReaderScript, SMALL, Schedule, SourceScript},
    source::Scripted,
};
use crate::{
    blob::BlobBody,
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
const FOR_EVER: Duration = Duration::from_secs(100 * 24 * 3600);

/// What a reader asked for in the end (all of it if `None`), and what it got.
#[derive(Debug)]
struct Read {
    part: Option<Range<u64>>,
    got: Got,
}

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
    for (reader, read) in schedule.readers.iter().zip(&all_got) {
        judge(schedule, read, &content).map_err(|what| format!("{what}: {reader:?}"))?;
    }
    if schedule.faults.is_empty() && schedule.before == Before::Nothing {
        judge_fetches(schedule, &sources)?;
    }

    // Whatever happened, an honest source mends it.
    faults.heal();
    let honest = SourceScript { knows_ranges: true, says_total: true, chunk: 100, answers: vec![], for_ever: false };
    let honest = Scripted::new(99, &content, &honest);
    // What is still under way may wait for its sources for long, and may have met the disk before it was healed: then
    // it gives the right bytes and keeps nothing.
    let mut last = Got::Nothing;
    for _ in 0..200 {
        let reader = ReaderScript { joins: Duration::ZERO, range: None, pace: Duration::ZERO, leaves: None };
        last = read(cache.clone(), digest, size, vec![Arc::clone(&honest)], reader, schedule.length).await.got;
        if matches!(&last, Got::All(bytes) if *bytes == content) {
            settle(&cache).await?;
            if cache.size(&digest).is_some() {
                return judge_disk(folder.path(), &digest, &content);
            }
        }
        sleep(Duration::from_secs(30)).await;
    }
    Err(format!("an honest source does not mend it: {last:?}"))
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
fn wanted(reader: &ReaderScript, length: u64) -> Option<Range<u64>> {
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
) -> Read {
    sleep(reader.joins).await;
    let sources = sources.into_iter().map(|source| source as Arc<dyn Source>).collect();
    let Ok(blob) = cache.open(&digest, size, sources).await else { return Read { part: None, got: Got::Nothing } };
    let known = blob.size();
    // As the server does: where the length is not known, all of it.
    let part = wanted(&reader, length).filter(|_| known == Some(length));
    let body = match &part {
        Some(range) => blob.read_range(range.clone()),
        None => blob.read(),
    };
    Read { part, got: take(body, &reader, known.is_none_or(|known| known == length)).await }
}

async fn take(mut body: BlobBody, reader: &ReaderScript, is_length_right: bool) -> Got {
    let mut got = Vec::new();
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
    if is_length_right { Got::All(got) } else { Got::Broken(got) }
}

fn judge(schedule: &Schedule, read: &Read, content: &Bytes) -> Result<(), String> {
    let Read { part, got } = read;
    let place = |offset: u64| usize::try_from(offset).unwrap();
    let expected = part.as_ref().map_or(&content[..], |part| &content[place(part.start)..place(part.end)]);
    let lies = schedule.sources.iter().any(SourceScript::lies);
    // What lay on the disk without pieces is as good as what a source gives: the digest tells at its end.
    let rotten = matches!(schedule.before, Before::Blob { pieces: false, flipped: Some(_) });
    // Of a part nobody can tell before all of the blob is verified; the last one is not whole before, but for who reads
    // nothing but some of the last bytes (`Seat::Footer`). Past a disk that fails, nobody tells who began far ahead.
    let footer = schedule.length.saturating_sub(SMALL.tail)..;
    let of_the_end = part.as_ref().is_none_or(|part| part.end == schedule.length && !footer.contains(&part.start));
    let told = of_the_end && (part.is_none() || schedule.faults.is_empty());
    match got {
        Got::All(bytes) if expected == bytes || bytes.len() == expected.len() && !told && (lies || rotten) => Ok(()),
        Got::All(bytes) => Err(format!("a whole of {} wrong bytes of {}", bytes.len(), expected.len())),
        Got::Broken(_) if schedule.cuts_nobody => Err("cut for nothing".to_owned()),
        Got::Part(bytes) | Got::Broken(bytes) if expected.starts_with(bytes) || lies || rotten => Ok(()),
        Got::Part(bytes) | Got::Broken(bytes) => {
            let at = bytes.iter().zip(expected).position(|(a, b)| a != b);
            Err(format!("wrong bytes from honest sources, from {at:?} on"))
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

/// Waits until no download is under way.
async fn settle(cache: &PullThrough) -> Result<(), String> {
    for _ in 0..10_000 {
        if cache.downloads() == 0 {
            return Ok(());
        }
        sleep(Duration::from_secs(30)).await;
    }
    Err("a download never ends".into())
}

fn judge_disk(folder: &Path, digest: &Digest, content: &Bytes) -> Result<(), String> {
    match fs::read(Layout::new(folder).blob(digest)) {
        Ok(bytes) if bytes == *content => Ok(()),
        Ok(_) => Err("wrong bytes under the digest".into()),
        Err(error) => Err(format!("it was not kept: {error}")),
    }
}
