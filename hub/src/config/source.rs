//! The configuration file as text: read once, with a limit, and refused in clear words if it is no text.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::error::ConfigError;
use super::node::At;

/// Far more than any configuration; keeps a wrong path from filling the memory.
const MAX_BYTES: usize = 1 << 20;

/// A file's text and name, or the absence of a file.
pub(super) struct Source {
    path: Option<PathBuf>,
    text: String,
}

// === impl Source ===

impl Source {
    /// No file: defaults and environment only.
    pub(super) fn none() -> Self {
        Self { path: None, text: String::new() }
    }

    /// A file that exists only in a test.
    #[cfg(test)]
    pub(super) fn of(name: &str, text: &str) -> Self {
        Self { path: Some(PathBuf::from(name)), text: text.to_owned() }
    }

    /// Reads a file of at most 1 MiB of UTF-8.
    pub(super) fn read(path: &Path) -> Result<Self, ConfigError> {
        let place = path.display().to_string();
        let bytes = read_capped(path).map_err(|error| {
            let help = match error.kind() {
                io::ErrorKind::NotFound => "check the path; in a container, check that the file is mounted",
                io::ErrorKind::PermissionDenied => "the user that Larder runs as must be able to read it",
                io::ErrorKind::IsADirectory => {
                    "name the file inside; Docker makes a folder where a mounted file is missing"
                }
                _ => "",
            };
            ConfigError::unreadable(&place, format!("the file cannot be read: {error}"), help)
        })?;
        if bytes.len() > MAX_BYTES {
            let what = "the file is larger than 1 MiB: this is no configuration".to_owned();
            return Err(ConfigError::unreadable(&place, what, ""));
        }
        let text = decode(bytes).map_err(|what| ConfigError::unreadable(&place, what, "save it as UTF-8"))?;
        Ok(Self { path: Some(path.to_owned()), text })
    }

    /// The path as it was given.
    pub(super) fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// The text, without a byte order mark.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// What the configuration is called as a whole.
    pub(super) fn title(&self) -> String {
        self.path.as_ref().map_or_else(|| "the configuration".to_owned(), |path| path.display().to_string())
    }

    /// A place to jump to: `deploy/config.yml:12:3`, or the name of a variable.
    pub(super) fn place(&self, at: &At) -> String {
        match at {
            At::File(span) => format!("{}:{}:{}", self.title(), span.line, span.column),
            At::Env(name) => name.to_string(),
            At::Default => "default".to_owned(),
        }
    }

    /// A place to read: `config.yml:12`, or the name of a variable.
    pub(super) fn line(&self, at: &At) -> String {
        match at {
            At::File(span) => {
                let name = self.path.as_deref().and_then(Path::file_name).unwrap_or_default();
                format!("{}:{}", name.to_string_lossy(), span.line)
            }
            _ => self.place(at),
        }
    }
}

fn read_capped(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn decode(bytes: Vec<u8>) -> Result<String, String> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err("the file is UTF-16".to_owned());
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = good.iter().filter(|byte| **byte == b'\n').count() + 1;
        format!("the file is not UTF-8: line {line} holds a byte that belongs to another encoding")
    })?;
    // Editors on Windows write one; it says nothing, and distribution's parser skips it too.
    Ok(text.strip_prefix('\u{feff}').map_or_else(|| text.clone(), str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_utf_8() {
        assert_eq!(decode(b"\xef\xbb\xbfversion: 0.1".to_vec()).as_deref(), Ok("version: 0.1"));
        assert_eq!(decode(b"\xff\xfev\0e\0".to_vec()).unwrap_err(), "the file is UTF-16");
        assert!(decode(b"a: 1\nb: \xe9\n".to_vec()).unwrap_err().contains("line 2"));
    }
}
