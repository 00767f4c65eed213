//! The file system of a faulty disk: `tests/src/rig/disks/fuse`.

use std::process::ExitCode;

#[expect(clippy::print_stderr, reason = "it goes to the log of the disk")]
fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match larder_tests::rig::disks::fuse::run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("larder-faulty-disk: {error:#}");
            ExitCode::FAILURE
        }
    }
}
