//! What is said, by which way, and what is refused.

use std::io::Write as _;

use clap::Parser;

use super::*;

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    options: Options,
}

fn options(arguments: &[&str]) -> Options {
    Command::parse_from([&["x"], arguments].concat()).options
}

fn read(text: &str) -> anyhow::Result<Options> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    Options::read(file.path())
}

#[test]
fn an_option_wins_over_the_file_and_the_file_over_the_default() {
    let file = read("hub: http://127.0.0.1:5002\ncache-dir: /srv/cache\nengine: none\ndrain: 5\n").unwrap();
    let settings = Settings::new(options(&["--hub", "https://hub:5000", "--listen", "127.0.0.1:1"]).or(file)).unwrap();
    assert_eq!(settings.hub.as_str(), "https://hub:5000/");
    assert_eq!((settings.listen.port(), settings.cache_dir.to_str().unwrap()), (1, "/srv/cache"));
    assert!(settings.engine.is_none());
    assert_eq!((settings.drain.as_secs(), settings.metrics.unwrap().port()), (5, 798));
    let settings = Settings::new(read("").unwrap()).unwrap();
    assert_eq!(settings.disk, Said { cache_size: None, free_floor: None });
    assert_eq!(settings.engine.unwrap().socket.to_str().unwrap(), "/var/run/docker.sock");
}

#[test]
fn the_disk_is_shared_as_was_said() {
    for (size, floor, cache_size, free_floor) in [
        ("50GiB", "5%", Share::Bytes(50 << 30), Share::Percent(5)),
        ("80%", "0", Share::Percent(80), Share::Bytes(0)),
        ("1048576", "1GB", Share::Bytes(1 << 20), Share::Bytes(1_000_000_000)),
    ] {
        let expected = Said { cache_size: Some(cache_size), free_floor: Some(free_floor) };
        let said = options(&["--cache-size", size, "--free-floor", floor]);
        assert_eq!(Settings::new(said).unwrap().disk, expected);
        let file = read(&format!("cache-size: {size}\nfree-floor: {floor}\n")).unwrap();
        assert_eq!(Settings::new(file).unwrap().disk, expected);
    }
}

#[test]
fn says_what_is_wrong() {
    for (arguments, needle) in [
        (["--hub", "http://10.0.0.1:5000"], "--insecure-hub"),
        (["--hub", "ftp://hub"], "ftp is not http"),
        (["--hub", "https://u:p@hub"], "only scheme, host and port"),
        (["--hub", "hub:5000"], "hub"),
        (["--listen", "0.0.0.0:797"], "loopback"),
        (["--listen", "797"], "listen: \"797\""),
        (["--metrics", "nowhere"], "metrics: \"nowhere\""),
        (["--docker-host", "tcp://1.2.3.4:2375"], "not a Unix socket"),
        (["--cache-size", "50G"], "cache-size: \"50G\": write 50GiB"),
        (["--cache-size", "0%"], "cache-size: a cache of no size"),
        (["--free-floor", "100%"], "free-floor: if all of the disk"),
        (["--free-floor", "101%"], "free-floor: \"101%\": a disk has no more"),
    ] {
        let error = Settings::new(options(&arguments)).unwrap_err().to_string();
        assert!(error.contains(needle), "{error}");
    }
    for (text, needle) in [
        ("hubb: http://x\n", "hubb"),
        ("engine: podman\n", "podman"),
        ("- a\n", "configuration"),
        ("drain: soon\n", "drain"),
    ] {
        let error = read(text).unwrap_err().to_string();
        assert!(error.contains(needle), "{error}");
    }
    assert!(Settings::new(options(&["--hub", "http://10.0.0.1:5000", "--insecure-hub"])).is_ok());
}
