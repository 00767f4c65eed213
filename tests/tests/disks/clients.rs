//! Readers find every wrong byte, and a line is as narrow as it was told to be.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use larder_tests::rig::{
    Rig,
    access::Kind,
    faults::{Ending, Fault},
    images::Image,
    readers::{Reader, Received},
    story,
};

use super::scene::image;

const SIZE: u64 = 2_000_000;

fn read(rig: &Rig, url: &str, image: &Image, slowly: u64) -> Result<Received> {
    let layer = &image.layers()[0];
    let reader = Reader::new(&format!("{url}/v2/library/app/blobs/{}", layer.digest()), &layer.bytes()?);
    let reader = if slowly == 0 { reader } else { reader.slowly(slowly) };
    rig.read_all(vec![reader])?.pop().context("there was one reader")
}

#[test]
fn a_reader_tells_right_from_wrong() -> Result<()> {
    story(|rig| {
        let image = image("library/app", SIZE)?;
        let upstream = rig.faulty_upstream("upstream").image(&image).start()?;
        let under = |fault: Fault| {
            upstream.heal();
            upstream.fault(Kind::Blob, fault);
            read(rig, upstream.url(), &image, 0)
        };
        let right = read(rig, upstream.url(), &image, 0)?;
        assert!(right.is_right() && right.is_harmless(), "{right:?}");
        let wrong = under(Fault::FlipBit)?;
        assert!(!wrong.is_right() && !wrong.is_harmless(), "{wrong:?}");
        assert_eq!(wrong.wrong_at, Some(image.layers()[0].size() / 2));
        let cut = under(Fault::CutAfter(100_000, Ending::Fin))?;
        assert!(!cut.is_right() && cut.is_harmless(), "{cut:?}");
        let short = under(Fault::LengthOff(-7))?;
        assert!(!short.is_right() && !short.is_harmless(), "whole, by its length: {short:?}");
        let absent = under(Fault::Status(404))?;
        assert!(absent.is_not_found() && absent.is_harmless(), "{absent:?}");
        let failed = under(Fault::Status(500))?;
        assert!(!failed.is_right() && !failed.is_harmless(), "{failed:?}");

        upstream.heal();
        let slow = read(rig, upstream.url(), &image, 4 * SIZE)?;
        assert!(slow.is_right() && slow.took >= Duration::from_millis(240), "{slow:?}");
        Ok(())
    })
}

#[test]
fn a_line_is_narrow_counts_and_can_be_cut() -> Result<()> {
    story(|rig| {
        let image = image("library/app", SIZE)?;
        let upstream = rig.faulty_upstream("upstream").image(&image).start()?;
        let line = rig.line(upstream.address())?;
        assert!(read(rig, &line.url(), &image, 0)?.is_right());
        let (passed, size) = (line.passed(), image.layers()[0].size());
        assert!((size..size + 1000).contains(&passed), "{passed} of {size}");

        line.limit(2 * SIZE);
        let start = Instant::now();
        assert!(read(rig, &line.url(), &image, 0)?.is_right());
        let took = start.elapsed();
        assert!((Duration::from_millis(450)..Duration::from_secs(3)).contains(&took), "{took:?}");
        line.cut();
        assert_eq!(read(rig, &line.url(), &image, 0)?.status, 0);
        line.mend()?;
        line.limit(0);
        assert!(read(rig, &line.url(), &image, 0)?.is_right());
        Ok(())
    })
}
