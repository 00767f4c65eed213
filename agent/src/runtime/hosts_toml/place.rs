//! In which folder of `certs.d` the engine looks for a registry's configuration, and where ours goes.
//!
//! It takes the first of these that exists, and that one alone (`hostPaths` in containerd's
//! `core/remotes/docker/config/config_unix.go`): with a port, `<host>_<port>_`; `<host>` or `<host>:<port>`; `_default`.

use larder_oci::Registry;

/// The folder for every registry that has none. Never written: it is asked for registries that the hub does not serve.
pub(crate) const DEFAULT: &str = "_default";

/// Where our file goes, and what it takes the place of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// The folder in `certs.d` that our file goes into.
    pub(crate) folder: String,
    /// Whether that folder is there.
    pub(crate) exists: bool,
    /// The folder that the engine would use if we had made none; `_default` or a folder of the registry's own.
    pub(crate) ruling: Option<String>,
}

/// The names that the engine tries for `registry`, in its order.
pub(crate) fn candidates(registry: &Registry) -> Vec<String> {
    let host = registry.as_str();
    let with_port = match host.rfind(':') {
        Some(at) if at > 0 => Some(format!("{}_{}_", &host[..at], &host[at + 1..])),
        _ => None,
    };
    with_port.into_iter().chain([host.to_owned(), DEFAULT.to_owned()]).collect()
}

/// Finds the place for `registry`. `exists` says which of the [`candidates`] are there; `ours` is the one of them that is
/// there only because we made it for our file (and holds nothing else).
pub(crate) fn place(registry: &Registry, exists: impl Fn(&str) -> bool, ours: Option<&str>) -> Place {
    let there: Vec<String> = candidates(registry).into_iter().filter(|name| exists(name)).collect();
    let ruling = there.iter().find(|name| ours != Some(name)).cloned();
    match there.into_iter().find(|name| name != DEFAULT) {
        Some(folder) => Place { folder, exists: true, ruling },
        None => Place { folder: registry.as_str().to_owned(), exists: false, ruling },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_tried_in_the_engines_order() {
        for (registry, names) in [
            ("docker.io", vec!["docker.io", "_default"]),
            ("msr.example.com:5000", vec!["msr.example.com_5000_", "msr.example.com:5000", "_default"]),
            ("[::1]:5000", vec!["[::1]_5000_", "[::1]:5000", "_default"]),
            ("[::1]", vec!["[:_1]_", "[::1]", "_default"]),
        ] {
            assert_eq!(candidates(&registry.parse().unwrap()), names, "{registry}");
        }
    }

    #[test]
    fn our_file_goes_where_the_engine_looks_and_never_into_default() {
        let registry: Registry = "msr.example.com:5000".parse().unwrap();
        let (underscored, plain) = ("msr.example.com_5000_", "msr.example.com:5000");
        for (there, ours, folder, exists, ruling) in [
            (vec![], None, plain, false, None),
            (vec![DEFAULT], None, plain, false, Some(DEFAULT)),
            (vec![plain, DEFAULT], None, plain, true, Some(plain)),
            (vec![underscored, plain], None, underscored, true, Some(underscored)),
            (vec![plain, DEFAULT], Some(plain), plain, true, Some(DEFAULT)),
            (vec![plain], Some(plain), plain, true, None),
            (vec![underscored, plain], Some(plain), underscored, true, Some(underscored)),
        ] {
            let place = place(&registry, |name| there.contains(&name), ours);
            let ruling = ruling.map(str::to_owned);
            assert_eq!(place, Place { folder: folder.to_owned(), exists, ruling }, "{there:?} {ours:?}");
        }
    }
}
