//! What `larder-hub config check` says of a configuration that can be used.

mod setting;
mod table;

pub(crate) use self::setting::Setting;
pub(super) use self::setting::{settings, shown};
use super::Loaded;
use super::model::{Config, Login};

/// The verdict and the warnings; with `explain` also every setting in effect.
pub(crate) fn check_report(loaded: &Loaded, explain: bool) -> String {
    let mut report = verdict(loaded);
    match loaded.warnings.as_slice() {
        [] => {}
        warnings => {
            report.push_str(match warnings {
                [_] => "\n\nOne thing to look at:\n",
                _ => "\n\nThings to look at:\n",
            });
            for warning in warnings {
                report.push_str(&table::bullet(&warning.place, &warning.message));
            }
        }
    }
    if explain {
        report.push_str(if loaded.warnings.is_empty() { "\n\n" } else { "\n" });
        report.push_str(&table::table(&loaded.settings));
    }
    let end = report.trim_end().len();
    report.truncate(end);
    report.push('\n');
    report
}

fn verdict(loaded: &Loaded) -> String {
    let Config { http, storage, upstream, .. } = &loaded.config;
    let title = match &loaded.file {
        Some(file) => format!("{} is good", file.display()),
        None => "The configuration is good".to_owned(),
    };
    let login = match &upstream.login {
        None => "anonymously",
        Some(Login::Password { .. }) => "with a password",
        Some(Login::Helper { .. }) => "with a credential helper",
    };
    let scheme = match &http.tls {
        None => "HTTP",
        Some(tls) if tls.clients.is_some() => "HTTPS with client certificates",
        Some(_) => "HTTPS",
    };
    format!(
        "{title}.\n\n  caches     {}, {login}\n  keeps      {}\n  listens    {} ({scheme})\n  health     {}",
        setting::url(&upstream.url),
        storage.root.display(),
        http.addr,
        http.debug_addr.as_ref().map_or_else(|| "nowhere".to_owned(), ToString::to_string),
    )
}
