//! Files that are no text, or not there.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use crate::config::load;

fn report_of(bytes: &[u8]) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.yml");
    File::create(&path).unwrap().write_all(bytes).unwrap();
    load(Some(&path), []).map(|_| ()).map_err(|error| error.to_string())
}

#[test]
fn a_file_is_utf_8_with_or_without_a_mark() {
    let text = "version: 0.1\r\nproxy:\r\n  remoteurl: https://a\r\n";
    report_of(text.as_bytes()).unwrap();
    report_of(format!("\u{feff}{text}").as_bytes()).unwrap();
    let utf_16: Vec<u8> = "\u{feff}version: 0.1".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let report = report_of(&utf_16).unwrap_err();
    assert!(report.contains("the file is UTF-16") && report.contains("save it as UTF-8"), "{report}");
    let report = report_of(b"version: 0.1\nlog: {fields: {a: \xe9}}\n").unwrap_err();
    assert!(report.contains("not UTF-8: line 2"), "{report}");
    let report = report_of(b"version: 0.1\0\n").unwrap_err();
    assert!(report.contains(":1:13: this is not valid YAML"), "{report}");
}

#[test]
fn a_file_too_large_is_no_configuration() {
    let report = report_of("#".repeat((1 << 20) + 1).as_bytes()).unwrap_err();
    assert!(report.contains("larger than 1 MiB"), "{report}");
}

#[test]
fn a_file_that_cannot_be_read_is_told_with_advice() {
    let missing = load(Some(Path::new("/nowhere/config.yml")), []).map(|_| ()).unwrap_err().to_string();
    assert!(missing.starts_with("/nowhere/config.yml cannot be used: one problem\n\n"), "{missing}");
    assert!(missing.contains("check that the file is mounted"), "{missing}");
    let folder = tempfile::tempdir().unwrap();
    let report = load(Some(folder.path()), []).map(|_| ()).unwrap_err().to_string();
    assert!(report.contains("Docker makes a folder where a mounted file is missing"), "{report}");
}
