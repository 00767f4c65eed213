//! `Range` in all its forms, on a blob that is stored (RFC 9110, section 14).

use std::time::Duration;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use larder_tests::rig::{Rig, images::Image};

use crate::{
    report::Report,
    wire::{self, Parsed, To, request},
    world::{TIERS, World},
};

const SOON: Duration = Duration::from_secs(5);

/// What a range stands for.
enum Part {
    All,
    /// From the first byte to the last one, counted from 0.
    Of(usize, usize),
    None,
}

/// Of the configuration, which is in memory, and of a layer of several MiB, which leaves by sendfile.
pub(super) fn all(rig: &Rig, world: &World<'_>, image: &Image, report: &mut Report) -> Result<()> {
    let blobs = image.blobs();
    let config = blobs.iter().find(|blob| blob.digest() == image.config_digest()).context("it has a configuration")?;
    let layer = blobs.iter().max_by_key(|blob| blob.size()).context("it has layers")?;
    for (kind, blob) in [("config", config), ("layer", layer)] {
        let content = blob.bytes()?;
        for (range, part) in ranges(content.len()) {
            for tier in TIERS {
                let headers: Vec<String> = range.iter().map(|value| format!("Range: {value}")).collect();
                let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
                let line = format!("GET /v2/library/tiny/blobs/{}", blob.digest());
                let reply = wire::send(rig, &To::Tcp(world.address(tier)), &request(&line, &headers, b""), SOON)?;
                let wrong = match reply.first() {
                    None => Some("no answer".to_owned()),
                    Some(answer) => judge(&answer, &part, &content),
                };
                let mut what = range.join(" and ");
                what.truncate(40);
                report.row(format!("Range of a {kind}: {what}"), tier, reply.brief(), reply.took, wrong);
            }
        }
    }
    Ok(())
}

fn judge(answer: &Parsed, part: &Part, content: &Bytes) -> Option<String> {
    let length = content.len();
    let (status, range, body) = match part {
        Part::All => (200, None, &content[..]),
        Part::Of(first, last) => (206, Some(format!("bytes {first}-{last}/{length}")), &content[*first..=*last]),
        Part::None => (416, Some(format!("bytes */{length}")), &[][..]),
    };
    let right = answer.status == status
        && answer.header("content-range").map(str::to_owned) == range
        && answer.header("content-encoding").is_none()
        && (status == 416 || answer.body == body)
        && (status != 416 || answer.code().as_deref() == Some("RANGE_INVALID"));
    (!right).then(|| format!("{} with Content-Range {:?}", answer.brief(), answer.header("content-range")))
}

fn ranges(length: usize) -> Vec<(Vec<String>, Part)> {
    let last = length - 1;
    let rows = [
        ("bytes=0-0".to_owned(), Part::Of(0, 0)),
        ("bytes=10-19".to_owned(), Part::Of(10, 19)),
        (format!("bytes={last}-"), Part::Of(last, last)),
        ("bytes=-1".to_owned(), Part::Of(last, last)),
        ("bytes=-99999999".to_owned(), Part::Of(0, last)),
        ("bytes=5-18446744073709551615".to_owned(), Part::Of(5, last)),
        (format!("bytes={length}-"), Part::None),
        ("bytes=-0".to_owned(), Part::None),
        ("bytes=18446744073709551615-".to_owned(), Part::None),
        ("bytes=99999999999999999999999-".to_owned(), Part::All),
        ("bytes=9-5".to_owned(), Part::All),
        ("bytes=0-0,5-6".to_owned(), Part::All),
        (format!("bytes={}", "0-0,".repeat(2000)), Part::All),
        ("bytes=".to_owned(), Part::All),
        ("bytes=-".to_owned(), Part::All),
        ("bytes=a-b".to_owned(), Part::All),
        ("bytes=+1-2".to_owned(), Part::All),
        ("bytes=0x1-0x2".to_owned(), Part::All),
        ("lines=1-2".to_owned(), Part::All),
        ("bytes".to_owned(), Part::All),
    ];
    let one = rows.into_iter().map(|(range, part)| (vec![range], part));
    // Across the borders of what is sent at once.
    let borders = [1 << 20, 4 << 20, 8 << 20].into_iter().filter(|border| border + 70_000 < length);
    let across = borders.map(|border: usize| {
        let (first, last) = (border - 70_000, border + 70_000);
        (vec![format!("bytes={first}-{last}")], Part::Of(first, last))
    });
    one.chain(across).chain([(vec!["bytes=0-0".to_owned(), "bytes=5-6".to_owned()], Part::Of(0, 0))]).collect()
}
