//! Where and with what was measured.

use std::{fs, path::Path, process::Command};

use anyhow::Result;
use larder_tests::rig::{Rig, binaries};

/// What a reader has to know to compare.
#[derive(Clone, Debug, Default)]
pub(crate) struct Machine {
    pub(crate) date: String,
    pub(crate) processor: String,
    pub(crate) memory_gib: f64,
    pub(crate) system: String,
    pub(crate) file_system: String,
    pub(crate) congestion_control: String,
    /// Program and version.
    pub(crate) versions: Vec<(String, String)>,
}

impl Machine {
    /// This one; servers keep their files in `rig`.
    pub(crate) fn this(rig: &Rig) -> Result<Self> {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let model = value(&read("/proc/cpuinfo"), "model name", ':').unwrap_or("unknown processor").to_owned();
        let kernel = rustix::system::uname().release().to_string_lossy().into_owned();
        let distribution =
            value(&read("/etc/os-release"), "PRETTY_NAME", '=').unwrap_or("Linux").trim_matches('"').to_owned();
        let hub = binaries::find("larder-hub")?;
        let own = format!("{}{}", first_line(&hub.to_string_lossy(), "--version"), commit());
        Ok(Self {
            date: first_line("date", "+%Y-%m-%d"),
            processor: format!("{cores} cores, {model}"),
            memory_gib: memory(&read("/proc/meminfo")),
            system: format!("{distribution}, Linux {kernel}"),
            file_system: file_system(&read("/proc/self/mountinfo"), rig.root()).unwrap_or_default(),
            congestion_control: read("/proc/sys/net/ipv4/tcp_congestion_control").trim().to_owned(),
            versions: vec![
                ("larder".to_owned(), own),
                ("docker-registry".to_owned(), first_line("docker-registry", "--version")),
                ("nginx".to_owned(), first_line("nginx", "-v")),
            ],
        })
    }
}

/// The first line that a program says of itself, the name of the program taken away.
fn first_line(program: &str, argument: &str) -> String {
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    let Ok(output) = Command::new(program).arg(argument).env("PATH", path).output() else { return String::new() };
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let line = text.lines().next().unwrap_or_default();
    let version = line.rsplit(['/', ' ']).next().unwrap_or_default();
    version.to_owned()
}

/// Which source the programs are built from, where git knows.
fn commit() -> String {
    let git = |args: &[&str]| {
        let output = Command::new("git").args(args).output().ok().filter(|output| output.status.success())?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    match (git(&["rev-parse", "--short", "HEAD"]), git(&["status", "--porcelain"])) {
        (Some(commit), Some(changes)) if changes.is_empty() => format!(" ({commit})"),
        (Some(commit), _) => format!(" ({commit} and changes)"),
        _ => String::new(),
    }
}

/// What stands behind a name, on the first line that has it.
fn value<'a>(text: &'a str, name: &str, separator: char) -> Option<&'a str> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(separator)?.1.trim())
}

fn memory(meminfo: &str) -> f64 {
    let kib = value(meminfo, "MemTotal", ':').and_then(|text| text.strip_suffix(" kB")?.parse::<f64>().ok());
    kib.unwrap_or_default() / (1024.0 * 1024.0)
}

/// The kind of the file system that `path` is on.
fn file_system(mountinfo: &str, path: &Path) -> Option<String> {
    let mounts = mountinfo.lines().filter_map(|line| {
        let (left, right) = line.split_once(" - ")?;
        Some((Path::new(left.split(' ').nth(4)?), right.split(' ').next()?))
    });
    let around = mounts.filter(|(at, _)| path.starts_with(at));
    // The last of the same place lies on top.
    around.max_by_key(|(at, _)| at.as_os_str().len()).map(|(_, kind)| kind.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_system_is_that_of_the_nearest_mount() {
        let mounts = "1 0 8:1 / / rw - ext4 /dev/a rw\n2 1 0:1 / /tmp rw - tmpfs t rw\n3 1 0:1 / /tm rw - xfs t rw\n";
        assert_eq!(file_system(mounts, Path::new("/tmp/x")).as_deref(), Some("tmpfs"));
        assert_eq!(file_system(mounts, Path::new("/var")).as_deref(), Some("ext4"));
    }

    #[test]
    fn facts_are_read_by_name() {
        assert_eq!(value("a: 1\nmodel name\t: X 2\n", "model name", ':'), Some("X 2"));
        assert!((memory("MemTotal:       2097152 kB\n") - 2.0).abs() < 1e-9);
    }
}
