//! Whether this machine can run the demo, and in two lines what to do if not.

use crate::rig::{binaries, needs};

/// What is missing and how to get it; `None` if all is there.
pub(super) fn lack() -> Option<String> {
    let me = std::env::current_exe().map_or_else(|_| "larder-demo".to_owned(), |path| path.display().to_string());
    if let Some(advice) = advice(&needs(), &me) {
        return Some(advice);
    }
    let missing = ["larder-hub", "larder-agent"].into_iter().find_map(|name| binaries::find(name).err());
    missing.map(|error| format!("larder-demo: {error:#}\nTry: make demo\n"))
}

fn advice(missing: &[String], me: &str) -> Option<String> {
    let is_root = !missing.iter().any(|need| need == "root");
    let packages: Vec<&str> = missing.iter().map(String::as_str).filter(|&need| need != "root").collect();
    let why = "it runs Docker engines of its own, apart from yours";
    let lack = match (is_root, packages.as_slice()) {
        (true, []) => return None,
        (false, []) => format!("larder-demo needs root: {why}."),
        (true, some) => format!("larder-demo needs these packages: {}.", some.join(", ")),
        (false, some) => format!("larder-demo needs root ({why}) and these packages: {}.", some.join(", ")),
    };
    let sudo = if is_root { "" } else { "sudo " };
    let install = if packages.is_empty() { String::new() } else { format!("{sudo}tests/install.sh && ") };
    Some(format!("{lack}\nTry: {install}{sudo}{me}\n"))
}

#[cfg(test)]
mod tests {
    use super::advice;

    #[test]
    fn two_lines_say_what_is_missing_and_how_to_get_it() {
        let said = |missing: &[&str]| advice(&missing.iter().map(|&m| m.to_owned()).collect::<Vec<_>>(), "./demo");
        assert_eq!(said(&[]), None);
        let root = said(&["root"]).unwrap();
        assert!(root.contains("needs root:") && root.ends_with("\nTry: sudo ./demo\n"), "{root}");
        let package = said(&["docker.io"]).unwrap();
        assert!(package.ends_with("packages: docker.io.\nTry: tests/install.sh && ./demo\n"), "{package}");
        let both = said(&["root", "docker.io", "iproute2"]).unwrap();
        assert!(both.contains("root (") && both.contains("docker.io, iproute2."), "{both}");
        assert!(both.ends_with("Try: sudo tests/install.sh && sudo ./demo\n"), "{both}");
        assert!([root, package, both].iter().all(|text| text.lines().count() == 2));
    }
}
