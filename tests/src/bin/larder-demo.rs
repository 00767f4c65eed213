//! Shows what Larder does, on Docker engines of its own: `make demo`. The demo itself is [`larder_tests::demo`].

use std::process::ExitCode;

fn main() -> ExitCode {
    larder_tests::demo::main()
}
