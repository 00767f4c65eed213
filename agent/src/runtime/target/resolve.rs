//! Where `daemon.json` really is: symbolic links followed in the paths of the host, as dockerd follows them. Pure; what
//! is on the disk comes through a function.

use std::{
    collections::VecDeque,
    ffi::OsString,
    io,
    path::{Component, Path, PathBuf},
};

/// As many as Linux follows (`MAXSYMLINKS`).
const MAX_LINKS: usize = 40;

/// What a path is, not following it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node {
    Missing,
    Link(PathBuf),
    Folder,
    File,
    /// A device, socket or pipe.
    Special,
}

/// Where the search ended. Paths are the host's.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// At a file.
    File(PathBuf),
    /// At a free name, in folders of which these are to be created first, the outermost first.
    Free(PathBuf, Vec<PathBuf>),
    /// At this folder, which is not there and not ours to create.
    NoFolder(PathBuf),
}

/// Why the search did not end well.
#[derive(Debug)]
pub(super) enum DeadEnd {
    /// Links lead in a circle.
    Loop,
    /// A link leaves the folder that this process sees.
    Outside(PathBuf),
    /// There is something, and it is no regular file.
    NotAFile(PathBuf, &'static str),
    /// The disk did not answer.
    Io(PathBuf, io::Error),
}

/// Follows `start`, whose last `ours` names may be created, unless a link led there. With `mount`, only paths in that
/// folder can be looked at; the folders above it are taken for plain ones, and it is not ours to create.
pub(super) fn resolve(
    start: &Path,
    ours: usize,
    mount: Option<&Path>,
    mut look: impl FnMut(&Path) -> io::Result<Node>,
) -> Result<Place, DeadEnd> {
    let mut todo: VecDeque<OsString> = parts(start).collect();
    let mut done = PathBuf::from("/");
    let mut links = 0;
    // How many of the names to do are of the path that we were given, and not of a link.
    let mut given = todo.len();
    while let Some(part) = todo.pop_front() {
        let is_given = todo.len() < given;
        given = given.min(todo.len());
        if part == ".." {
            done.pop();
            continue;
        }
        let path = done.join(part);
        let node = match mount {
            Some(mount) if mount != path && mount.starts_with(&path) => Node::Folder,
            Some(mount) if !path.starts_with(mount) => {
                return Err(DeadEnd::Outside(todo.iter().fold(path, |path, part| path.join(part))));
            }
            _ => look(&path).map_err(|error| DeadEnd::Io(path.clone(), error))?,
        };
        match node {
            Node::Folder if todo.is_empty() => return Err(DeadEnd::NotAFile(path, "a folder")),
            Node::Folder => done = path,
            Node::File if todo.is_empty() => return Ok(Place::File(path)),
            Node::File => return Err(DeadEnd::NotAFile(path, "a file where a folder should be")),
            Node::Special => return Err(DeadEnd::NotAFile(path, "a device, socket or pipe")),
            Node::Missing if todo.is_empty() => return Ok(Place::Free(path, Vec::new())),
            Node::Missing if is_given && todo.len() < ours && mount != Some(&path) => {
                let (mut file, mut folders) = (path, Vec::new());
                for part in todo {
                    folders.push(file.clone());
                    file.push(part);
                }
                return Ok(Place::Free(file, folders));
            }
            Node::Missing => return Ok(Place::NoFolder(path)),
            Node::Link(target) => {
                links += 1;
                if links > MAX_LINKS {
                    return Err(DeadEnd::Loop);
                }
                if target.is_absolute() {
                    done = PathBuf::from("/");
                }
                for part in parts(&target).collect::<Vec<_>>().into_iter().rev() {
                    todo.push_front(part);
                }
            }
        }
    }
    Err(DeadEnd::NotAFile(done, "a folder"))
}

fn parts(path: &Path) -> impl Iterator<Item = OsString> {
    path.components().filter_map(|part| match part {
        Component::Normal(part) => Some(part.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "/etc/docker/daemon.json";

    fn ask(mount: Option<&str>, disk: &[(&str, Node)]) -> String {
        ask_for(FILE, 2, mount, disk)
    }

    fn ask_for(file: &str, ours: usize, mount: Option<&str>, disk: &[(&str, Node)]) -> String {
        let look = |path: &Path| -> io::Result<Node> {
            let parent_of_some =
                disk.iter().any(|(name, _)| Path::new(name).starts_with(path) && Path::new(name) != path);
            let known = disk.iter().find(|(name, _)| Path::new(name) == path).map(|(_, node)| node.clone());
            Ok(known.unwrap_or(if parent_of_some { Node::Folder } else { Node::Missing }))
        };
        match resolve(Path::new(file), ours, mount.map(Path::new), look) {
            Ok(Place::File(path)) => format!("file {}", path.display()),
            Ok(Place::Free(path, new)) if new.is_empty() => format!("free {}", path.display()),
            Ok(Place::Free(path, new)) => format!("free {} in new {new:?}", path.display()),
            Ok(Place::NoFolder(path)) => format!("no folder {}", path.display()),
            Err(DeadEnd::Outside(path)) => format!("outside {}", path.display()),
            Err(DeadEnd::NotAFile(path, what)) => format!("{} is {what}", path.display()),
            Err(DeadEnd::Loop) => "loop".to_owned(),
            Err(DeadEnd::Io(_, error)) => error.to_string(),
        }
    }

    fn link(target: &str) -> Node {
        Node::Link(target.into())
    }

    #[test]
    fn on_the_host_every_link_is_followed() {
        for (disk, end) in [
            (vec![(FILE, Node::File)], "file /etc/docker/daemon.json"),
            (vec![("/etc/docker", Node::Folder)], "free /etc/docker/daemon.json"),
            (vec![("/etc", Node::Folder)], r#"free /etc/docker/daemon.json in new ["/etc/docker"]"#),
            (vec![], "no folder /etc"),
            (vec![(FILE, link("real.json")), ("/etc/docker/real.json", Node::File)], "file /etc/docker/real.json"),
            (vec![(FILE, link("real.json"))], "free /etc/docker/real.json"),
            (vec![(FILE, link("../shared/d.json")), ("/etc/shared/d.json", Node::File)], "file /etc/shared/d.json"),
            (vec![(FILE, link("/srv/d.json")), ("/srv/d.json", Node::File)], "file /srv/d.json"),
            (vec![(FILE, link("/srv/x/d.json")), ("/srv", Node::Folder)], "no folder /srv/x"),
            (
                vec![(FILE, link("a")), ("/etc/docker/a", link("b")), ("/etc/docker/b", Node::File)],
                "file /etc/docker/b",
            ),
            (
                vec![("/etc/docker", link("/srv/docker")), ("/srv/docker/daemon.json", Node::File)],
                "file /srv/docker/daemon.json",
            ),
            // `..` after a link to a folder leaves that folder, not the one that holds the link.
            (
                vec![
                    (FILE, link("sub/../d.json")),
                    ("/etc/docker/sub", link("/srv/a")),
                    ("/srv/a", Node::Folder),
                    ("/srv/d.json", Node::File),
                ],
                "file /srv/d.json",
            ),
            (vec![(FILE, link("daemon.json"))], "loop"),
            (vec![(FILE, link("a")), ("/etc/docker/a", link("daemon.json"))], "loop"),
            (vec![(FILE, Node::Folder)], "/etc/docker/daemon.json is a folder"),
            (vec![(FILE, link("/"))], "/ is a folder"),
            (vec![(FILE, Node::Special)], "/etc/docker/daemon.json is a device, socket or pipe"),
            (vec![("/etc/docker", Node::File)], "/etc/docker is a file where a folder should be"),
        ] {
            assert_eq!(ask(None, &disk), end, "{disk:?}");
        }
    }

    #[test]
    fn through_a_mount_only_that_folder_is_seen() {
        let mount = Some("/etc/docker");
        let folder = ("/etc/docker", Node::Folder);
        for (disk, end) in [
            (vec![folder.clone(), (FILE, Node::File)], "file /etc/docker/daemon.json"),
            (
                vec![folder.clone(), (FILE, link("/etc/docker/real.json")), ("/etc/docker/real.json", Node::File)],
                "file /etc/docker/real.json",
            ),
            (
                vec![folder.clone(), (FILE, link("sub/../real.json")), ("/etc/docker/sub", Node::Folder)],
                "free /etc/docker/real.json",
            ),
            (
                vec![folder.clone(), (FILE, link("../docker/real.json")), ("/etc/docker/real.json", Node::File)],
                "file /etc/docker/real.json",
            ),
            (vec![folder.clone(), (FILE, link("../shared/d.json"))], "outside /etc/shared/d.json"),
            (vec![folder.clone(), (FILE, link("/srv/x/d.json"))], "outside /srv/x/d.json"),
            (vec![folder.clone(), (FILE, link("/etc/docker2/d.json"))], "outside /etc/docker2/d.json"),
            (vec![], "no folder /etc/docker"),
        ] {
            assert_eq!(ask(mount, &disk), end, "{disk:?}");
        }
        // A mount of a folder above: the folder itself can be created.
        let above = vec![("/etc", Node::Folder)];
        assert_eq!(ask(Some("/etc"), &above), r#"free /etc/docker/daemon.json in new ["/etc/docker"]"#);
    }

    #[test]
    fn a_deeper_file_brings_its_folders_along_but_not_those_of_a_link() {
        const HOSTS: &str = "/etc/docker/certs.d/a/hosts.toml";
        for (disk, end) in [
            (vec![("/etc/docker/certs.d/a", Node::Folder)], "free /etc/docker/certs.d/a/hosts.toml"),
            (
                vec![("/etc/docker", Node::Folder)],
                r#"free /etc/docker/certs.d/a/hosts.toml in new ["/etc/docker/certs.d", "/etc/docker/certs.d/a"]"#,
            ),
            (
                vec![("/etc/docker", link("/srv/docker")), ("/srv/docker", Node::Folder)],
                r#"free /srv/docker/certs.d/a/hosts.toml in new ["/srv/docker/certs.d", "/srv/docker/certs.d/a"]"#,
            ),
            (vec![("/etc/docker/certs.d", link("/srv/certs")), ("/srv", Node::Folder)], "no folder /srv/certs"),
        ] {
            assert_eq!(ask_for(HOSTS, 4, None, &disk), end, "{disk:?}");
        }
    }
}
