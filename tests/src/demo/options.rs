//! What may be said to the demo: by words, and by the environment for `KEEP=1 make demo`.

/// What `--help` shows.
pub(super) const HELP: &str = "\
Shows what Larder does, in half a minute: a hub, two nodes with a Docker engine and an
agent each, and five pulls. The engines are its own; yours is left alone. Needs root.

  larder-demo            against Docker Hub if it can be reached, else a local registry
  larder-demo --local    against a local registry, without a look at Docker Hub
  larder-demo --keep     leaves it up at the end, for you to try; Ctrl-C ends it

KEEP=1 and UPSTREAM=local in the environment say the same. NO_COLOR is respected.
";

/// How the demo is to be run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Options {
    /// Leave it up at the end.
    pub(super) keep: bool,
    /// Do not even look for Docker Hub.
    pub(super) local: bool,
}

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Demo(Options),
    Help,
    /// A word that means nothing here.
    Unknown(String),
}

pub(super) fn read(words: impl Iterator<Item = String>, env: impl Fn(&str) -> Option<String>) -> Asked {
    let is_set = |name: &str| env(name).is_some_and(|value| !["", "0", "no", "false"].contains(&value.as_str()));
    let mut options = Options { keep: is_set("KEEP"), local: env("UPSTREAM").is_some_and(|value| value == "local") };
    for word in words {
        match word.as_str() {
            "--keep" => options.keep = true,
            "--local" => options.local = true,
            "--help" | "-h" => return Asked::Help,
            _ => return Asked::Unknown(word),
        }
    }
    Asked::Demo(options)
}

#[cfg(test)]
mod tests {
    use super::{Asked, HELP, Options, read};

    fn asked(words: &[&str], env: &[(&str, &str)]) -> Asked {
        let value = |name: &str| env.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
        read(words.iter().map(|&word| word.to_owned()), value)
    }

    #[test]
    fn words_and_environment_say_the_same() {
        let both = Asked::Demo(Options { keep: true, local: true });
        assert_eq!(asked(&["--keep", "--local"], &[]), both);
        assert_eq!(asked(&[], &[("KEEP", "1"), ("UPSTREAM", "local")]), both);
        for none in [&[][..], &[("KEEP", "0")], &[("KEEP", ""), ("UPSTREAM", "")]] {
            assert_eq!(asked(&[], none), Asked::Demo(Options::default()));
        }
        assert_eq!(asked(&["-h"], &[]), Asked::Help);
        assert_eq!(asked(&["--kep"], &[]), Asked::Unknown("--kep".to_owned()));
        assert!(HELP.lines().all(|line| line.len() <= 90), "fits a terminal");
    }
}
