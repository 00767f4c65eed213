//! Memory of a process by `/proc/PID/status`.

use std::{fs, io::Write as _};

/// In MiB.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Memory {
    pub(super) resident_mib: f64,
    /// Since the start or since [`reset_peak`].
    pub(super) peak_mib: f64,
}

pub(super) fn of(pid: i32) -> Option<Memory> {
    parse(&fs::read_to_string(format!("/proc/{pid}/status")).ok()?)
}

fn parse(status: &str) -> Option<Memory> {
    let mib = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        let kib: f64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
        Some(kib / 1024.0)
    };
    Some(Memory { resident_mib: mib("VmRSS")?, peak_mib: mib("VmHWM")? })
}

/// From now on the peak is that of what follows: proc(5), `clear_refs`, since Linux 4.0.
pub(super) fn reset_peak(pid: i32) {
    // Where that is not allowed the peak is the one since the start: never too small a figure.
    let file = fs::OpenOptions::new().write(true).open(format!("/proc/{pid}/clear_refs"));
    drop(file.and_then(|mut file| file.write_all(b"5")));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_from_status() {
        let text = "Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n";
        assert_eq!(parse(text), Some(Memory { resident_mib: 1.0, peak_mib: 2.0 }));
        // A process that has just ended.
        assert_eq!(parse("Name:\tx\n"), None);
    }

    #[test]
    fn a_peak_can_be_forgotten() {
        let me = std::process::id().cast_signed();
        let block = std::hint::black_box(vec![1_u8; 64 << 20]);
        drop(block);
        let before = of(me).unwrap().peak_mib;
        reset_peak(me);
        assert!(of(me).unwrap().peak_mib < before);
    }
}
