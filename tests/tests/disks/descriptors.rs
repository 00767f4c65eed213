//! More clients than there are descriptors for: those that ask get their bytes, and nobody takes the disk for a bad one.

use std::{io::Write as _, net::TcpStream, time::Duration};

use anyhow::{Result, ensure};
use larder_tests::rig::{readers::Reader, story, until_true};

use super::scene::image;

/// Open files that the hub may have, and how many connections it takes by that: a third of what is left of them after 64.
const DESCRIPTORS: u32 = 256;
const CONNECTIONS: usize = 64;
/// A connection that asks for nothing is closed after 15 s; long before that, nobody new is taken.
const WAITED: Duration = Duration::from_secs(5);

#[test]
fn who_finds_no_room_waits_and_gets_the_blob() -> Result<()> {
    story(|rig| {
        let (upstream, image) = (rig.registry("upstream").start()?, image("library/app", 8 << 20)?);
        upstream.load(&image)?;
        let hub = rig.hub("hub").upstream(&upstream).descriptors(DESCRIPTORS).start()?;
        let layer = &image.layers()[0];
        let reader = Reader::new(&format!("{}/v2/library/app/blobs/{}", hub.url(), layer.digest()), &layer.bytes()?);
        for received in rig.read_all(vec![reader.clone()])? {
            ensure!(received.is_right(), "{received:?}");
        }
        let fetched = || Ok::<_, anyhow::Error>(hub.metrics()?.sum("registry_proxy_pulled_bytes_total"));
        let before = fetched()?;

        let address = hub.address();
        let idle = rig.inside(move || -> Result<Vec<TcpStream>> {
            let keep = |_| -> Result<TcpStream> {
                let mut stream = TcpStream::connect(address)?;
                stream.write_all(b"GET /v2/ HTTP/1.1\r\nHost: hub\r\n\r\n")?;
                Ok(stream)
            };
            (0..CONNECTIONS + 16).map(keep).collect()
        })??;
        until_true("the hub to be full", WAITED, || hub.logs().contains("others wait until a connection ends"))?;
        let received = rig.read_all(vec![reader; 40])?;
        ensure!(received.iter().all(|one| one.is_right()), "{received:?}");
        ensure!(received.iter().any(|one| one.took > WAITED), "nobody had to wait: {received:?}");
        drop(idle);

        ensure!(fetched()? == before, "what is cached was fetched again");
        ensure!(hub.is_ready() && hub.metrics()?.sum("larder_disk_failing") == 0.0, "the disk counts as bad");
        ensure!(!hub.logs().contains("Too many open files"), "{}", hub.logs());
        Ok(())
    })
}
