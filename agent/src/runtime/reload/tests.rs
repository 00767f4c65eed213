//! Finding and signalling real processes. They bear dockerd's name because a program's name is that of the link it was
//! started by. Real engines may run beside these tests: none is looked for by name, and none is signalled.

use std::{
    io::{Read as _, Write as _},
    os::unix::{fs::symlink, net::UnixListener, process::ExitStatusExt as _},
    process::{Child, Command, Stdio},
};

use super::*;
use crate::runtime::tests::stranger;

const INSIDE: &str = "LARDER_TEST_SOCKET";
const SIGHUP: i32 = 1;

struct Running {
    child: Child,
    folder: tempfile::TempDir,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A shell by the name of `name`, with these arguments, that waits for its standard input to end.
fn shell(name: &str, arguments: &[&str]) -> Running {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join(name);
    symlink("/bin/sh", &program).unwrap();
    let mut child = Command::new(&program)
        .args(["-c", "echo; read line", name])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // Its first output: it has begun, and bears its name.
    child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
    Running { child, folder }
}

impl Running {
    fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }

    /// Looks with a pid file of its own, and a `/proc` in which this is the only process.
    async fn find(&self) -> Result<Dockerd, FindError> {
        let folder = self.folder.path();
        let pid_file = folder.join("docker.pid");
        std::fs::File::create(&pid_file).unwrap().write_all(format!("{}\n", self.pid()).as_bytes()).unwrap();
        let proc = folder.join("proc");
        std::fs::create_dir(&proc).unwrap();
        symlink(format!("/proc/{}", self.pid()), proc.join(self.pid().to_string())).unwrap();
        Reloader { proc, ..Reloader::new(folder.join("no-socket")).with_pid_file(pid_file) }.find().await
    }

    fn signal(&mut self) -> Option<i32> {
        self.child.wait().unwrap().signal()
    }
}

#[tokio::test]
async fn the_process_of_the_pid_file_is_hung_up_on() {
    let mut running = shell("dockerd", &["--registry-mirror", "https://a", "--config-file=/srv/d.json"]);
    let dockerd = running.find().await.unwrap();
    assert_eq!((dockerd.process.pid, dockerd.found_by), (running.pid(), FoundBy::PidFile));
    assert_eq!(dockerd.mirror_flag(), MirrorFlag::Present);
    assert_eq!(dockerd.config_file(), Some("/srv/d.json".into()));
    dockerd.hang_up().unwrap();
    assert_eq!(running.signal(), Some(SIGHUP));
    assert!(matches!(dockerd.hang_up(), Err(SignalError::Gone(_))));
}

#[tokio::test]
async fn a_process_of_another_name_is_not() {
    let running = shell("dockerd-proxy", &[]);
    assert_eq!(running.find().await.unwrap_err(), FindError::NotVisible);
}

#[tokio::test]
async fn a_number_that_was_given_away_is_not_signalled() {
    let mut running = shell("dockerd", &[]);
    let mut dockerd = running.find().await.unwrap();
    dockerd.process.started -= 1;
    assert!(matches!(dockerd.hang_up(), Err(SignalError::Gone(_))));
    dockerd.process.started += 1;
    dockerd.process.comm = "dockerd2".into();
    assert!(matches!(dockerd.hang_up(), Err(SignalError::Gone(_))));
    drop(running.child.stdin.take());
    assert_eq!(running.signal(), None, "it ended by itself");
}

#[tokio::test]
async fn the_listener_is_found_by_its_socket() {
    let folder = tempfile::tempdir().unwrap();
    let (program, socket) = (folder.path().join("dockerd"), folder.path().join("docker.sock"));
    symlink(std::env::current_exe().unwrap(), &program).unwrap();
    let test = format!("{}::inside_a_listener", module_path!().split_once("::").unwrap().1);
    let mut child = Command::new(&program)
        .args([&test, "--exact", "--ignored", "--nocapture"])
        .env(INSIDE, &socket)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stderr.as_mut().unwrap().read_exact(&mut [0]).unwrap();
    let mut running = Running { child, folder };

    let dockerd = Reloader::new(&socket).with_pid_file("/dev/null").find().await.unwrap();
    assert_eq!((dockerd.process.pid, dockerd.found_by), (running.pid(), FoundBy::Socket));
    assert_eq!(dockerd.flags, Some(Flags::default()));
    dockerd.hang_up().unwrap();
    assert_eq!(running.signal(), Some(SIGHUP));
}

#[test]
#[ignore = "runs as a process of its own, for another test"]
fn inside_a_listener() {
    let Some(socket) = std::env::var_os(INSIDE) else { return };
    let _listener = UnixListener::bind(socket).unwrap();
    std::io::stderr().write_all(b"\n").unwrap();
    let _ = std::io::stdin().read(&mut [0]);
}

#[tokio::test]
async fn a_listener_of_another_name_is_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("docker.sock");
    let _listener = UnixListener::bind(&socket).unwrap();
    assert_eq!(listener(&socket).await, Some(i32::try_from(std::process::id()).unwrap()));
    let reloader = Reloader { proc: folder.path().to_owned(), ..Reloader::new(&socket).with_pid_file("/dev/null") };
    assert_eq!(reloader.find().await.unwrap_err(), FindError::NotVisible);
}

#[tokio::test]
async fn without_permission_the_error_says_what_is_missing() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let mut running = shell("dockerd", &[]);
    let found = running.find().await.unwrap();
    let test = format!("{}::inside_another_user", module_path!().split_once("::").unwrap().1);
    stranger::runs(&test, INSIDE, found.process.pid.to_string());
    drop(running.child.stdin.take());
    assert_eq!(running.signal(), None);
}

#[test]
#[ignore = "runs as another user, for another test"]
fn inside_another_user() {
    let Some(pid) = std::env::var(INSIDE).ok().and_then(|pid| pid.parse().ok()) else { return };
    let process = Process::read(Path::new(PROC), pid).unwrap().unwrap();
    let dockerd = Dockerd { process, proc: PROC.into(), found_by: FoundBy::Name, flags: None };
    assert_eq!(dockerd.mirror_flag(), MirrorFlag::Unknown);
    let error = dockerd.hang_up().unwrap_err();
    assert!(error.to_string().starts_with("no permission to send SIGHUP to dockerd"), "{error}");
}
