//! How an upstream can fail, and when it is to do so. Pure.

use bytes::Bytes;

use crate::rig::access::Kind;

/// How a connection ends before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// As if all had been sent.
    Fin,
    /// As by a crash.
    Rst,
}

/// A way to fail. All but the first five come with correct framing, so that only the named thing is wrong.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Ends the connection without an answer.
    Drop(Ending),
    /// Takes the request and never answers.
    Hang,
    /// Answers well, sends so many bytes of the body, and then nothing more; the connection stays open.
    HangAfter(usize),
    /// Answers well, sends so many bytes of the body, and ends the connection.
    CutAfter(usize, Ending),
    /// Claims a `Content-Length` that is larger (or smaller) than the body by this.
    LengthOff(i64),
    /// Answers with this status and an error body as registries send it. A 401 has no challenge.
    Status(u16),
    /// Answers with this status and a web page: with 200 it is the captive portal of a hotel.
    Html(u16),
    /// Answers 429 and asks to come back after so many seconds.
    RateLimited(u32),
    /// Changes one bit in the middle of the body.
    FlipBit,
    /// Says that the content is of this type.
    MediaType(String),
    /// Sends a manifest that says the same, but is at least so many bytes long. Its digest is another one, which a
    /// request by tag cannot know.
    Padded(usize),
    /// Answers 307 to the same path at this base, such as `http://127.0.0.1:9`.
    Redirect(String),
    /// Sends the body in `Content-Encoding: gzip`, whatever the request accepts.
    Gzip,
    /// Leaves `Docker-Content-Digest` out.
    NoDigest,
    /// Answers ranged requests with everything and 200.
    IgnoreRange,
    /// Sends so many bytes of the body per second.
    Drip(usize),
    /// Sends these bytes as they are, whatever was asked, and ends the connection: for what has no fault of its own.
    Raw(Bytes),
}

/// Which requests a fault is for.
#[derive(Clone, Debug, Default)]
pub struct When {
    kind: Option<Kind>,
    method: Option<String>,
    reference: Option<String>,
    text: Option<String>,
    skip: usize,
    times: Option<usize>,
}

impl When {
    /// Every request.
    pub fn always() -> Self {
        Self::default()
    }

    /// Requests by this method only: `GET`, `HEAD`.
    #[must_use]
    pub fn method(mut self, method: &str) -> Self {
        self.method = Some(method.to_owned());
        self
    }

    /// Requests of this tag or digest only.
    #[must_use]
    pub fn of(mut self, reference: &str) -> Self {
        self.reference = Some(reference.to_owned());
        self
    }

    /// Requests only that have this in their path or query, as it was sent: a repository, the scope of a token.
    #[must_use]
    pub fn saying(mut self, text: &str) -> Self {
        self.text = Some(text.to_owned());
        self
    }

    /// Lets so many of them pass first.
    #[must_use]
    pub fn after(mut self, requests: usize) -> Self {
        self.skip = requests;
        self
    }

    /// Only for so many of them.
    #[must_use]
    pub fn times(mut self, requests: usize) -> Self {
        self.times = Some(requests);
        self
    }

    fn fits(&self, method: &str, target: &str) -> bool {
        let path = target.split('?').next().unwrap_or_default();
        self.text.as_deref().is_none_or(|text| target.contains(text))
            && self.kind.is_none_or(|kind| Kind::of(path) == kind)
            && self.method.as_deref().is_none_or(|m| m == method)
            && self.reference.as_deref().is_none_or(|r| path.rsplit('/').next() == Some(r))
    }
}

impl From<Kind> for When {
    fn from(kind: Kind) -> Self {
        Self { kind: Some(kind), ..Self::default() }
    }
}

/// The faults that are set, and how often their requests have come.
#[derive(Default)]
pub(crate) struct Plan(Vec<(When, Fault, usize)>);

impl Plan {
    pub(crate) fn add(&mut self, when: When, fault: Fault) {
        self.0.push((when, fault, 0));
    }

    /// How to fail the request of this path and query, if at all. Counts it.
    pub(crate) fn next(&mut self, method: &str, target: &str) -> Option<Fault> {
        let (when, fault, seen) = self.0.iter_mut().rev().find(|(when, _, seen)| {
            let spent = when.times.is_some_and(|times| *seen >= when.skip + times);
            when.fits(method, target) && !spent
        })?;
        *seen += 1;
        (*seen > when.skip).then(|| fault.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::{Fault, Kind, Plan, When};

    #[test]
    fn the_last_fault_that_fits_counts_until_it_is_spent() {
        let mut plan = Plan::default();
        plan.add(Kind::Blob.into(), Fault::Hang);
        plan.add(When::from(Kind::Blob).method("GET").after(1).times(2), Fault::Status(500));
        let mut next = |method| plan.next(method, "/v2/a/blobs/sha256:0?ns=x").map(|fault| format!("{fault:?}"));
        assert_eq!(next("HEAD").as_deref(), Some("Hang"));
        assert_eq!(next("GET"), None);
        assert_eq!(next("GET").as_deref(), Some("Status(500)"));
        assert_eq!(next("GET").as_deref(), Some("Status(500)"));
        assert_eq!(next("GET").as_deref(), Some("Hang"));
        assert!(plan.next("GET", "/v2/").is_none());
        plan.add(When::from(Kind::Token).saying("%3Aa%3A"), Fault::Hang);
        assert!(plan.next("GET", "/token?scope=repository%3Aa%3Apull").is_some());
        assert!(plan.next("GET", "/token?scope=repository%3Ab%3Apull").is_none());
    }
}
