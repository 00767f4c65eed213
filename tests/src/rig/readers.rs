//! Many clients that read the same blob at the same time, each at its own speed, and compare every byte as it comes.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Result, anyhow};
use bytes::Bytes;
use futures_util::future::join_all;

use super::Rig;

/// Longer than the slowest reader takes, and than any daemon should let one wait.
const LIMIT: Duration = Duration::from_secs(90);

/// A client about to read.
#[derive(Clone, Debug)]
pub struct Reader {
    url: String,
    content: Bytes,
    per_second: Option<u64>,
    limit: Duration,
}

/// What came to a reader.
#[derive(Clone, Debug)]
pub struct Received {
    /// The status; 0 if no headers came.
    pub status: u16,
    /// Bytes of body that came.
    pub bytes: u64,
    /// Whether that was the whole content.
    pub whole: bool,
    /// Offset of the first byte that was not the content's.
    pub wrong_at: Option<u64>,
    /// Why it did not come to its end; `None` if it did.
    pub broken: Option<String>,
    /// When the first bytes of the body were there.
    pub first_byte: Option<Duration>,
    /// When it ended.
    pub took: Duration,
}

impl Reader {
    /// Reads what should be this content, as fast as it comes.
    pub fn new(url: &str, content: &Bytes) -> Self {
        Self { url: url.to_owned(), content: content.clone(), per_second: None, limit: LIMIT }
    }

    /// Takes so many bytes per second.
    #[must_use]
    pub fn slowly(mut self, per_second: u64) -> Self {
        self.per_second = Some(per_second);
        self
    }

    /// Has enough after this time; a minute and a half if not said.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    async fn read(self, client: Arc<reqwest::Client>) -> Received {
        let start = Instant::now();
        let mut received = Received {
            status: 0,
            bytes: 0,
            whole: false,
            wrong_at: None,
            broken: None,
            first_byte: None,
            took: Duration::ZERO,
        };
        let reading = self.follow(&client, start, &mut received);
        let outcome = match tokio::time::timeout(self.limit, reading).await {
            Ok(outcome) => outcome,
            Err(_) => Err(anyhow!("it was not over after {:?}", self.limit)),
        };
        received.broken = outcome.err().map(|error| format!("{error:#}"));
        received.whole =
            received.broken.is_none() && received.wrong_at.is_none() && received.bytes == self.content.len() as u64;
        received.took = start.elapsed();
        received
    }

    async fn follow(&self, client: &reqwest::Client, start: Instant, received: &mut Received) -> Result<()> {
        let mut answer = client.get(&self.url).send().await?;
        received.status = answer.status().as_u16();
        while let Some(part) = answer.chunk().await? {
            received.first_byte.get_or_insert_with(|| start.elapsed());
            if received.status == 200 {
                self.compare(&part, received);
            }
            received.bytes += part.len() as u64;
            if let Some(per_second) = self.per_second {
                let due = Duration::from_secs_f64(received.bytes as f64 / per_second as f64);
                tokio::time::sleep(due.saturating_sub(start.elapsed())).await;
            }
        }
        Ok(())
    }

    fn compare(&self, part: &[u8], received: &mut Received) {
        let from = usize::try_from(received.bytes).unwrap_or(usize::MAX).min(self.content.len());
        let wanted = &self.content[from..];
        // The quick look first: bytes one by one are slow where nothing is optimized.
        if !wanted.starts_with(part) {
            let wrong = part.iter().zip(wanted).take_while(|(came, wanted)| came == wanted).count();
            received.wrong_at.get_or_insert(received.bytes + wrong as u64);
        }
    }
}

impl Received {
    /// Whether all of the content came, and nothing else.
    pub fn is_right(&self) -> bool {
        self.status == 200 && self.whole
    }

    /// Whether nothing wrong came: the content, a plain 404, or a beginning of the content that was visibly cut off.
    pub fn is_harmless(&self) -> bool {
        self.is_right() || self.is_not_found() || (self.wrong_at.is_none() && self.broken.is_some())
    }

    /// Whether the answer was 404, from beginning to end: what sends an engine on to the next place.
    pub fn is_not_found(&self) -> bool {
        self.status == 404 && self.broken.is_none()
    }
}

impl Rig {
    /// Lets them all read at the same time, each on a connection of its own, and waits until the last is done.
    ///
    /// # Errors
    /// Never for what a reader gets; only when the rig is being dropped.
    pub fn read_all(&self, readers: Vec<Reader>) -> Result<Vec<Received>> {
        let client = Arc::new(self.http()?.client().clone());
        self.block_on(async move {
            let tasks = readers.into_iter().map(|reader| tokio::spawn(reader.read(Arc::clone(&client))));
            let done = join_all(tasks.collect::<Vec<_>>()).await;
            done.into_iter().map(|received| received.map_err(Into::into)).collect()
        })?
    }
}
