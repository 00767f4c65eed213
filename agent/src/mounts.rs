//! What is mounted where in the agent's own file tree, as the kernel tells it (`/proc/self/mountinfo`, see proc(5)). Pure,
//! but for reading that file.

use std::path::{Path, PathBuf};

/// A mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mount {
    /// Which folder or file of its file system that is.
    pub(crate) root: PathBuf,
    /// Where it is.
    pub(crate) point: PathBuf,
    /// The type of the file system.
    pub(crate) kind: String,
    /// The options of the file system.
    pub(crate) options: String,
}

/// Our mounts; none where the kernel does not tell.
pub(crate) fn own() -> Vec<Mount> {
    parse(&std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default())
}

/// Reads the kernel's text. Lines that are none are left out.
pub(crate) fn parse(text: &str) -> Vec<Mount> {
    text.lines().filter_map(mount).collect()
}

/// `36 35 98:0 /root /point rw,noatime master:1 - ext3 /dev/root rw,errors=continue`
fn mount(line: &str) -> Option<Mount> {
    let (ours, theirs) = line.split_once(" - ")?;
    let mut ours = ours.split(' ').skip(3);
    let (root, point) = (ours.next()?, ours.next()?);
    let mut theirs = theirs.split(' ');
    let kind = theirs.next()?.to_owned();
    let options = theirs.nth(1).unwrap_or_default().to_owned();
    Some(Mount { root: unescaped(root), point: unescaped(point), kind, options })
}

/// Blanks and backslashes are written in octal: `\040`.
fn unescaped(text: &str) -> PathBuf {
    let mut parts = text.split('\\');
    let mut path = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let byte = part.get(..3).and_then(|octal| u8::from_str_radix(octal, 8).ok());
        match byte {
            Some(byte) => {
                path.push(char::from(byte));
                path.push_str(&part[3..]);
            }
            None => {
                path.push('\\');
                path.push_str(part);
            }
        }
    }
    PathBuf::from(path)
}

/// The files that an engine puts into each of its containers, of whatever network.
const ENGINES_FILES: [&str; 3] = ["/etc/hostname", "/etc/hosts", "/etc/resolv.conf"];

/// The id of the container that we run in, if a Docker engine made it, and a file in it that lies on that engine's data
/// root. The folders of other containers, as they are mounted on the host itself, do not count.
pub(crate) fn container(mounts: &[Mount]) -> Option<(String, PathBuf)> {
    let ours = mounts.iter().filter(|mount| ENGINES_FILES.iter().any(|file| mount.point == Path::new(file)));
    ours.filter_map(|mount| Some((container_of(&mount.root)?, mount.point.clone()))).next()
}

/// `…/containers/<id>/hostname`
fn container_of(root: &Path) -> Option<String> {
    let folder = root.parent()?;
    let id = folder.file_name()?.to_str()?;
    let is_id = id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_id && folder.parent()?.file_name()? == "containers").then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn as_proc_5_has_it() {
        let text = "36 35 98:0 /mnt1 /mnt\\0402 rw,noatime master:1 shared:7 - ext3 /dev/root rw,errors=continue\n\
                    1 2 0:1 / / rw - overlay overlay rw,lowerdir=/l,upperdir=/u\nrubbish\n1 2 - x\n";
        let mount = |root: &str, point: &str, kind: &str, options: &str| Mount {
            root: root.into(),
            point: point.into(),
            kind: kind.into(),
            options: options.into(),
        };
        assert_eq!(
            parse(text),
            [
                mount("/mnt1", "/mnt 2", "ext3", "rw,errors=continue"),
                mount("/", "/", "overlay", "rw,lowerdir=/l,upperdir=/u")
            ]
        );
        assert_eq!(unescaped("/a\\134b\\x"), Path::new("/a\\b\\x"));
        assert!(!own().is_empty());
    }

    #[test]
    fn a_container_is_known_by_the_engines_files() {
        let line = |root: &str, point: &str| format!("1 2 254:0 {root} {point} rw - ext4 /dev/vda rw");
        let in_container = |root: &str, point: &str| container(&parse(&line(root, point)));
        let expected = |point: &str| Some((ID.to_owned(), PathBuf::from(point)));
        // Where the data root is a file system of its own as well.
        for folder in ["/var/lib/docker/containers", "/containers", "/srv/docker/containers"] {
            assert_eq!(in_container(&format!("{folder}/{ID}/hostname"), "/etc/hostname"), expected("/etc/hostname"));
            let resolv = in_container(&format!("{folder}/{ID}/resolv.conf"), "/etc/resolv.conf");
            assert_eq!(resolv, expected("/etc/resolv.conf"));
        }
        for (root, point) in [
            // On the host: another container's folder.
            (format!("/var/lib/docker/containers/{ID}/mounts/shm"), "/var/lib/docker/containers/x/mounts/shm"),
            // Podman's.
            (format!("/run/containers/storage/overlay-containers/{ID}/userdata/hostname"), "/etc/hostname"),
            (format!("/var/lib/docker/containers/{}/hostname", &ID[1..]), "/etc/hostname"),
            ("/".to_owned(), "/etc/hostname"),
        ] {
            assert_eq!(in_container(&root, point), None, "{root}");
        }
    }
}
