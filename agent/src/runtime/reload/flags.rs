//! The flags of a running dockerd that bear on `daemon.json`, from its command line. Pure.

use std::path::PathBuf;

/// What the command line says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Flags {
    /// `--registry-mirror` is given.
    pub(super) registry_mirror: bool,
    /// The value of `--config-file`, as given: a relative one is relative to dockerd's folder.
    pub(super) config_file: Option<PathBuf>,
}

impl Flags {
    /// Reads the arguments after the program's name, as pflag does: `--flag=value` or `--flag value`, the last one
    /// counts, nothing after `--`.
    pub(super) fn parse(arguments: impl IntoIterator<Item = String>) -> Self {
        let mut flags = Self::default();
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let (name, value) = match argument.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (argument.as_str(), None),
            };
            match name {
                "--" => break,
                "--registry-mirror" => {
                    flags.registry_mirror = true;
                    value.or_else(|| arguments.next());
                }
                "--config-file" => flags.config_file = value.or_else(|| arguments.next()).map(PathBuf::from),
                _ => {}
            }
        }
        flags
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_of_writing_a_flag_are_read() {
        for (line, mirror, file) in [
            ("-H fd:// --containerd=/run/containerd/containerd.sock", false, None),
            ("--registry-mirror=https://a", true, None),
            ("--registry-mirror https://a -D", true, None),
            ("--registry-mirror=", true, None),
            ("--config-file=/srv/a.json", false, Some("/srv/a.json")),
            ("--config-file /srv/a.json --debug", false, Some("/srv/a.json")),
            ("--config-file /srv/a.json --config-file=b.json", false, Some("b.json")),
            ("--config-file=/srv/a=b.json", false, Some("/srv/a=b.json")),
            ("--config-file", false, None),
            ("--registry-mirror --config-file /srv/a.json", true, None),
            ("--registry-mirrors=x --config-files=y --label --insecure-registry=z", false, None),
            ("-- --registry-mirror=https://a", false, None),
            ("", false, None),
        ] {
            let flags = Flags::parse(line.split_whitespace().map(str::to_owned));
            assert_eq!(flags, Flags { registry_mirror: mirror, config_file: file.map(PathBuf::from) }, "{line}");
        }
    }
}
