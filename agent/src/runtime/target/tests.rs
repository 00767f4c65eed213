//! The file shell on real folders. What needs a mount or another user runs this test binary again, inside one.

use std::{
    fs::{Permissions, create_dir, read, read_dir, set_permissions},
    os::unix::{
        fs::{chown, symlink},
        net::UnixListener,
    },
    process::Command,
};

use super::*;
use crate::runtime::{
    disk::{RealDisk, staged_prefix},
    tests::stranger,
};

const NAME: &str = "daemon.json";
const BEFORE: &[u8] = b"{}";
const AFTER: &[u8] = b"{\"debug\":true}";

fn put(path: &Path, bytes: &[u8]) {
    std::io::Write::write_all(&mut File::create(path).unwrap(), bytes).unwrap();
}

/// A folder for the test, and the configuration folder in it.
fn folder() -> (tempfile::TempDir, PathBuf) {
    let outer = tempfile::tempdir().unwrap();
    let docker = outer.path().join("docker");
    create_dir(&docker).unwrap();
    (outer, docker)
}

fn replace(config: &ConfigDir, bytes: Option<&[u8]>) -> Result<(), ReplaceError> {
    let target = config.locate(Path::new(NAME))?;
    target.replace(&RealDisk, &target.read()?, bytes)
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_file_is_replaced_with_its_mode_and_owner() {
    let (_outer, docker) = folder();
    let file = docker.join(NAME);
    put(&file, BEFORE);
    set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
    // Only root can give files away; others test the mode alone.
    let owner = if chown(&file, Some(1234), Some(2345)).is_ok() {
        (1234, 2345)
    } else {
        (file.metadata().unwrap().uid(), file.metadata().unwrap().gid())
    };

    replace(&ConfigDir::on_host(&docker), Some(AFTER)).unwrap();

    let after = file.metadata().unwrap();
    assert_eq!(read(&file).unwrap(), AFTER);
    assert_eq!((after.mode() & 0o7777, after.uid(), after.gid()), (0o640, owner.0, owner.1));
    assert_eq!(names(&docker), [NAME], "no temporary file stays");
}

#[test]
fn a_missing_file_is_created_for_all_to_read() {
    let (_outer, docker) = folder();
    replace(&ConfigDir::on_host(&docker), Some(AFTER)).unwrap();
    assert_eq!(docker.join(NAME).metadata().unwrap().mode() & 0o7777, 0o644);
}

#[test]
fn a_missing_folder_is_created_on_the_host_and_goes_again() {
    let (outer, _) = folder();
    let docker = outer.path().join("new");
    let config = ConfigDir::on_host(&docker);
    let target = config.locate(Path::new(NAME)).unwrap();
    assert_eq!(target.new_folders, [docker.as_path()]);
    replace(&config, Some(AFTER)).unwrap();
    assert_eq!(docker.metadata().unwrap().mode() & 0o7777, 0o755);

    config.remove_empty(&RealDisk, std::slice::from_ref(&docker)).unwrap();
    assert!(docker.exists(), "not empty: it stays");
    replace(&config, None).unwrap();
    config.remove_empty(&RealDisk, std::slice::from_ref(&docker)).unwrap();
    assert!(!docker.exists());
    config.remove_empty(&RealDisk, std::slice::from_ref(&docker)).unwrap();
}

#[test]
fn a_missing_mount_and_a_missing_parent_are_told_apart() {
    let (outer, _) = folder();
    let mounted = ConfigDir::mounted(outer.path().join("host/etc/docker"), "/etc/docker");
    assert!(matches!(mounted.locate(Path::new(NAME)), Err(TargetError::NotMounted { .. })));
    let nested = ConfigDir::on_host(outer.path().join("a/b"));
    assert!(matches!(nested.locate(Path::new(NAME)), Err(TargetError::NoFolder(folder)) if folder.ends_with("a")));
}

#[test]
fn links_are_followed_and_stay_links() {
    let (outer, docker) = folder();
    put(&outer.path().join("real.json"), BEFORE);
    symlink("hop", docker.join(NAME)).unwrap();
    symlink(outer.path().join("real.json"), docker.join("hop")).unwrap();

    replace(&ConfigDir::on_host(&docker), Some(AFTER)).unwrap();

    assert!(docker.join(NAME).is_symlink() && docker.join("hop").is_symlink());
    assert_eq!(read(outer.path().join("real.json")).unwrap(), AFTER);
    assert_eq!(names(outer.path()), ["docker", "real.json"]);
}

#[test]
fn a_link_to_a_missing_file_creates_that_file() {
    let (_outer, docker) = folder();
    symlink("real.json", docker.join(NAME)).unwrap();
    replace(&ConfigDir::on_host(&docker), Some(AFTER)).unwrap();
    assert!(docker.join(NAME).is_symlink());
    assert_eq!(read(docker.join("real.json")).unwrap(), AFTER);
}

#[test]
fn through_a_mount_absolute_links_are_the_hosts() {
    let (_outer, docker) = folder();
    put(&docker.join("real.json"), BEFORE);
    symlink("/etc/docker/real.json", docker.join(NAME)).unwrap();
    let config = ConfigDir::mounted(&docker, "/etc/docker");
    assert_eq!(config.locate(Path::new(NAME)).unwrap().host, Path::new("/etc/docker/real.json"));
    replace(&config, Some(AFTER)).unwrap();
    assert_eq!(read(docker.join("real.json")).unwrap(), AFTER);
}

#[test]
fn a_link_out_of_the_mount_is_refused_with_advice() {
    let (_outer, docker) = folder();
    symlink("../elsewhere/daemon.json", docker.join(NAME)).unwrap();
    let refusal = ConfigDir::mounted(&docker, "/etc/docker").locate(Path::new(NAME)).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "/etc/docker/daemon.json is a link to /etc/elsewhere/daemon.json, outside the mounted folder: put the file \
         itself into /etc/docker, or run the agent on the host"
    );
}

#[test]
fn what_is_no_regular_file_is_refused() {
    let (_outer, docker) = folder();
    let config = ConfigDir::on_host(&docker);
    let file = docker.join(NAME);
    symlink(NAME, &file).unwrap();
    assert!(matches!(config.locate(Path::new(NAME)), Err(TargetError::Loop(_))));
    std::fs::remove_file(&file).unwrap();
    create_dir(&file).unwrap();
    assert!(matches!(config.locate(Path::new(NAME)), Err(TargetError::NotAFile { .. })));
    std::fs::remove_dir(&file).unwrap();
    let _socket = UnixListener::bind(&file).unwrap();
    assert!(matches!(config.locate(Path::new(NAME)), Err(TargetError::NotAFile { .. })));
}

#[test]
fn an_edit_of_somebody_else_is_not_overwritten() {
    let (_outer, docker) = folder();
    let (config, file) = (ConfigDir::on_host(&docker), docker.join(NAME));
    let target = config.locate(Path::new(NAME)).unwrap();

    let missing = target.read().unwrap();
    put(&file, b"{\"theirs\":1}");
    assert!(matches!(target.replace(&RealDisk, &missing, Some(AFTER)), Err(ReplaceError::Changed)));

    let theirs = target.read().unwrap();
    put(&file, b"{\"theirs\":2}");
    assert!(matches!(target.replace(&RealDisk, &theirs, Some(AFTER)), Err(ReplaceError::Changed)));
    assert!(matches!(target.replace(&RealDisk, &theirs, None), Err(ReplaceError::Changed)));
    assert_eq!(read(&file).unwrap(), b"{\"theirs\":2}");

    let theirs = target.read().unwrap();
    set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    assert!(matches!(target.replace(&RealDisk, &theirs, Some(AFTER)), Err(ReplaceError::Changed)), "the mode counts");
    std::fs::remove_file(&file).unwrap();
    assert!(matches!(target.replace(&RealDisk, &theirs, Some(AFTER)), Err(ReplaceError::Changed)));
    assert_eq!(names(&docker), Vec::<String>::new(), "neither file nor leftover");
}

#[test]
fn leftovers_are_swept_and_nothing_else() {
    let (_outer, docker) = folder();
    let file = docker.join(NAME);
    for name in [NAME, ".daemon.json.larder-aBc123", ".daemon.json.swp", "daemon.json.larder-x", "key.json"] {
        put(&docker.join(name), BEFORE);
    }
    create_dir(docker.join(".daemon.json.larder-folder")).unwrap();
    assert_eq!(staged_prefix(&file), ".daemon.json.larder-");
    ConfigDir::on_host(&docker).locate(Path::new(NAME)).unwrap().sweep();
    assert_eq!(
        names(&docker),
        [".daemon.json.larder-folder", ".daemon.json.swp", NAME, "daemon.json.larder-x", "key.json"]
    );
}

#[test]
fn only_the_beginning_of_a_huge_file_is_read() {
    let (_outer, docker) = folder();
    File::create(docker.join(NAME)).unwrap().set_len(1 << 40).unwrap();
    let snapshot = ConfigDir::on_host(&docker).locate(Path::new(NAME)).unwrap().read().unwrap();
    assert_eq!(snapshot.bytes.unwrap().len(), MAX_BYTES + 1);
}

// --- under another user, and under mounts of one's own

const INSIDE: &str = "LARDER_TEST_FOLDER";

/// This binary again, with nothing but the test `inside` in it.
fn again(inside: &str) -> Vec<std::ffi::OsString> {
    vec![std::env::current_exe().unwrap().into(), path_of(inside).into(), "--exact".into(), "--ignored".into()]
}

fn path_of(inside: &str) -> String {
    let path = module_path!().split_once("::").unwrap().1;
    format!("{path}::{inside}")
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn in_mounts(script: &str, folder: &Path, inside: &str) {
    let output = Command::new("unshare")
        .args(["--mount", "sh", "-ec", script])
        .args(again(inside))
        .env(INSIDE, folder)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}{}", String::from_utf8_lossy(&output.stderr));
}

/// What a replacement in there fails with; `None` if this is not "in there".
fn failure_inside() -> Option<String> {
    let folder = PathBuf::from(std::env::var_os(INSIDE)?);
    let error = replace(&ConfigDir::on_host(&folder), Some(AFTER)).unwrap_err();
    assert_eq!(read(folder.join(NAME)).unwrap(), BEFORE);
    assert_eq!(names(&folder), [NAME]);
    Some(error.to_string())
}

#[test]
fn a_read_only_folder_has_its_own_error() {
    let (_outer, docker) = folder();
    put(&docker.join(NAME), BEFORE);
    if is_root() {
        let script = format!(
            "mount --bind \"${INSIDE}\" \"${INSIDE}\"; mount -o remount,bind,ro \"${INSIDE}\"; exec \"$0\" \"$@\""
        );
        in_mounts(&script, &docker, "inside_a_read_only_mount");
    }
}

#[test]
#[ignore = "runs inside a mount that another test makes"]
fn inside_a_read_only_mount() {
    let Some(error) = failure_inside() else { return };
    assert!(error.ends_with("is on a read-only file system: mount its folder writable (without :ro)"), "{error}");
}

#[test]
fn a_file_that_is_mounted_by_itself_has_its_own_error() {
    let (_outer, docker) = folder();
    put(&docker.join(NAME), BEFORE);
    if is_root() {
        let file = format!("\"${INSIDE}\"/daemon.json");
        in_mounts(&format!("mount --bind {file} {file}; exec \"$0\" \"$@\""), &docker, "inside_a_mount_of_the_file");
    }
}

#[test]
#[ignore = "runs inside a mount that another test makes"]
fn inside_a_mount_of_the_file() {
    let Some(error) = failure_inside() else { return };
    assert!(error.contains("is mounted by itself, so it cannot be replaced: mount its folder, "), "{error}");
}

#[test]
fn a_folder_of_somebody_else_has_its_own_error() {
    let (outer, docker) = folder();
    put(&docker.join(NAME), BEFORE);
    if is_root() {
        for open in [outer.path(), &docker] {
            set_permissions(open, Permissions::from_mode(0o755)).unwrap();
        }
        stranger::runs(&path_of("inside_a_folder_of_somebody_else"), INSIDE, &docker);
    }
}

#[test]
#[ignore = "runs as another user, for another test"]
fn inside_a_folder_of_somebody_else() {
    let Some(error) = failure_inside() else { return };
    assert!(error.starts_with("no permission to write beside "), "{error}");
    assert!(error.ends_with("run the agent as root, or as the owner of that folder"), "{error}");
}
