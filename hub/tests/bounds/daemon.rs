//! The hub as a process of its own, on ports of its choice.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::{Duration, Instant},
};

const PATIENCE: Duration = Duration::from_secs(30);

/// A hub that runs. Dropped, it is killed.
pub(crate) struct Hub {
    process: Child,
    log: Receiver<serde_json::Value>,
    address: String,
    observed_at: String,
}

/// A hub that keeps its content in `root`; `larder` is that section of its configuration.
fn command(root: &Path, upstream: &str, larder: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_larder-hub"));
    command.args(["serve", "--log-format", "json"]).env_clear();
    command.env("REGISTRY_HTTP_ADDR", "127.0.0.1:0").env("REGISTRY_HTTP_DEBUG_ADDR", "127.0.0.1:0");
    command.env("REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY", root);
    command.env("REGISTRY_PROXY_REMOTEURL", upstream).env("REGISTRY_LARDER", larder);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

impl Hub {
    /// Starts one, and waits until it serves.
    pub(crate) fn start(root: &Path, upstream: &str, larder: &str) -> Self {
        let mut process = command(root, upstream, larder).spawn().unwrap();
        let lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let (sender, log) = mpsc::channel();
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                // Not for us only: whoever reads the test's output wants it too.
                eprintln!("{line}");
                let _ = sender.send(serde_json::from_str(&line).unwrap_or_default());
            }
        });
        let mut hub = Self { process, log, address: String::new(), observed_at: String::new() };
        hub.observed_at = hub.logged("metrics and health");
        hub.address = hub.logged("serves");
        hub
    }

    /// What one says that cannot start.
    pub(crate) fn fails_to_start(root: &Path, upstream: &str, larder: &str) -> String {
        let output = command(root, upstream, larder).output().unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    }

    /// The address in the next line of the log that says so.
    fn logged(&self, message: &str) -> String {
        loop {
            let line = self.log.recv_timeout(PATIENCE).expect("the hub does not start");
            if line["message"].as_str().is_some_and(|said| said.contains(message)) {
                return line["address"].as_str().unwrap().to_owned();
            }
        }
    }

    /// Asks for a path: the status and the body.
    pub(crate) fn get(&self, path: &str) -> (u16, Vec<u8>) {
        get(&self.address, path)
    }

    /// The same where health and metrics are.
    pub(crate) fn observe(&self, path: &str) -> (u16, Vec<u8>) {
        get(&self.observed_at, path)
    }

    /// A metric by its name and labels.
    pub(crate) fn metric(&self, name: &str) -> Option<u64> {
        let page = String::from_utf8(self.observe("/metrics").1).unwrap();
        page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
    }

    /// Waits for something.
    pub(crate) fn until(&self, what: &str, mut is_so: impl FnMut() -> bool) {
        let start = Instant::now();
        while !is_so() {
            assert!(start.elapsed() < PATIENCE, "in vain: until {what}");
        }
    }

    /// Stops it as an operator does.
    pub(crate) fn stop(mut self) {
        let id = self.process.id().to_string();
        assert!(Command::new("sh").args(["-c", "kill -TERM \"$0\"", &id]).status().unwrap().success());
        assert!(self.process.wait().unwrap().success(), "it did not end well");
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn get(address: &str, path: &str) -> (u16, Vec<u8>) {
    let mut connection = TcpStream::connect(address).unwrap();
    connection.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(connection, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let head = String::from_utf8_lossy(&answer[..end]);
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    assert!(!head.to_ascii_lowercase().contains("chunked"), "{head}");
    (status, answer.split_off(end + 4))
}
