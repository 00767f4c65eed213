//! A tap passes everything on, and sees what the server does not log.

use anyhow::Result;
use larder_tests::rig::{images, story};

#[test]
fn a_tap_sees_the_range_and_changes_nothing() -> Result<()> {
    story(|rig| {
        let registry = rig.registry("upstream").tls().named("registry.example").start()?;
        let image = images::busybox("library/tiny", "1").build()?;
        registry.load(&image)?;
        let tap = rig.tap(registry.url())?;
        let engine = rig.engine("node").mirror(tap.url()).start()?;
        engine.pull("tiny:1")?;
        let layer = &image.layers()[0];
        assert_eq!(tap.log().gets_of_blob(layer.digest()), 1, "{}", tap.log().summary());

        tap.reset_log();
        let http = rig.http()?;
        let url = format!("{}/v2/library/tiny/blobs/{}", tap.url(), layer.digest());
        let whole = http.get(&url).send()?.expect(200)?;
        assert_eq!(whole.digest(), layer.digest());
        let part = http.get(&url).header("range", "bytes=100-199").send()?.expect(206)?;
        assert_eq!(part.body, whole.body.slice(100..200));
        let seen: Vec<_> = tap.log().iter().map(|e| (e.status, e.bytes, e.range.clone())).collect();
        assert_eq!(seen, [(200, layer.size(), None), (206, 100, Some("bytes=100-199".to_owned()))]);

        tap.cut();
        assert!(http.get(&url).send().is_err());
        tap.mend()?;
        http.get(&url).send()?.expect(200)?;
        registry.stop()?;
        assert_eq!(http.get(&url).send()?.status, 502);
        Ok(())
    })
}
