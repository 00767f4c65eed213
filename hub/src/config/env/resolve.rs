//! From the name of a variable to the place it sets. Pure.
//!
//! Splitting at every `_` would be wrong: azure's `max_retries` holds one, and so may the user's own names in a map.
//! So the table is walked, the longest name that fits first, and the next one tried when that leads nowhere.

use crate::config::node::{Content, Node};
use crate::config::schema::{COMMON_MIDDLEWARE, Key, Kind, ROOT};

/// One step into the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Key(String),
    Item(usize),
}

type Steps = Vec<Step>;

/// No key has a name as long as this. The guard is for the stack: a name is walked word by word.
const MAX_NAME: usize = 500;

/// The place that `path`, a variable's name without its prefix, sets; `None` if there is no such key.
///
/// `root` is asked only for the names that are the user's own.
pub(super) fn resolve(path: &str, root: &Node) -> Option<Steps> {
    // The version says how to read the file; and REGISTRY_VERSION is a name that people use for the image's tag.
    if path == "VERSION" || path.len() > MAX_NAME {
        return None;
    }
    in_keys(ROOT, path, Some(root))
}

fn in_keys(keys: &'static [Key], rest: &str, node: Option<&Node>) -> Option<Steps> {
    let mut fits: Vec<(usize, &Key, Option<&str>)> = Vec::new();
    for key in keys {
        let own = key.name.to_uppercase();
        for name in [Some(own.as_str()), key.go_name].into_iter().flatten() {
            match rest.strip_prefix(name) {
                Some("") => fits.push((name.len(), key, None)),
                Some(after) if after.starts_with('_') => fits.push((name.len(), key, Some(&after[1..]))),
                _ => {}
            }
        }
    }
    fits.sort_by_key(|(length, ..)| std::cmp::Reverse(*length));
    fits.into_iter().find_map(|(_, key, after)| {
        let below = in_kind(&key.kind, after, node.and_then(|node| node.get(key.name)))?;
        Some(step(Step::Key(key.name.to_owned()), below))
    })
}

/// `after` is what the name goes on with; `None` if it ends here and sets the whole value.
fn in_kind(kind: &'static Kind, after: Option<&str>, node: Option<&Node>) -> Option<Steps> {
    let Some(rest) = after else { return Some(Vec::new()) };
    match kind {
        Kind::One(_) => None,
        Kind::Section(keys) | Kind::Choice(keys) | Kind::Either(_, keys) => in_keys(keys, rest, node),
        Kind::List(item) => {
            let (index, after) = index(rest)?;
            Some(step(Step::Item(index), in_kind(item, after, element(node, index))?))
        }
        Kind::Map(item) => {
            let (name, after) = own_name(rest, node)?;
            let below = in_kind(item, after, node.and_then(|node| node.get(&name)))?;
            Some(step(Step::Key(name), below))
        }
        Kind::Anything => {
            let (name, after) = own_name(rest, node)?;
            let below = in_kind(&Kind::Anything, after, node.and_then(|node| node.get(&name)))?;
            Some(step(Step::Key(name), below))
        }
        Kind::Middleware(named) => {
            let (index, after) = index(rest)?;
            Some(step(Step::Item(index), in_middleware(named, after, element(node, index))?))
        }
    }
}

fn in_middleware(named: &'static [Key], after: Option<&str>, node: Option<&Node>) -> Option<Steps> {
    let Some(rest) = after else { return Some(Vec::new()) };
    if let Some(steps) = in_keys(COMMON_MIDDLEWARE, rest, node) {
        return Some(steps);
    }
    let after = match rest.strip_prefix("OPTIONS")? {
        "" => None,
        after => Some(after.strip_prefix('_')?),
    };
    let options = node.and_then(|node| node.get("options"));
    // Which middleware it is may be set by another variable, so the options of every one are tried.
    let known = named.iter().find_map(|middleware| in_kind(&middleware.kind, after, options));
    let below = known.or_else(|| in_kind(&Kind::Anything, after, options))?;
    Some(step(Step::Key("options".to_owned()), below))
}

fn step(first: Step, mut below: Steps) -> Steps {
    below.insert(0, first);
    below
}

fn index(rest: &str) -> Option<(usize, Option<&str>)> {
    let (number, after) = match rest.split_once('_') {
        Some((number, after)) => (number, Some(after)),
        None => (rest, None),
    };
    Some((number.parse().ok()?, after))
}

fn element(node: Option<&Node>, index: usize) -> Option<&Node> {
    match &node?.content {
        Content::List(items) => items.get(index),
        _ => None,
    }
}

/// A name of the user's own: the longest one that is there already, or the next word in small letters, as in Go.
fn own_name<'r>(rest: &'r str, node: Option<&Node>) -> Option<(String, Option<&'r str>)> {
    let mut best: Option<(String, Option<&str>)> = None;
    if let Some(Content::Map(entries)) = node.map(|node| &node.content) {
        for entry in entries {
            let Some(head) = rest.get(..entry.key.len()).filter(|head| head.eq_ignore_ascii_case(&entry.key)) else {
                continue;
            };
            let after = match &rest[head.len()..] {
                "" => None,
                after => match after.strip_prefix('_') {
                    Some(after) => Some(after),
                    None => continue,
                },
            };
            if best.as_ref().is_none_or(|(name, _)| name.len() < entry.key.len()) {
                best = Some((entry.key.clone(), after));
            }
        }
    }
    best.or_else(|| {
        let (name, after) = rest.split_once('_').map_or((rest, None), |(name, after)| (name, Some(after)));
        (!name.is_empty()).then(|| (name.to_lowercase(), after))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::node::At;

    fn path(name: &str) -> Option<String> {
        let root = Node::empty(At::Default);
        let steps = resolve(name, &root)?;
        let shown = steps.iter().map(|step| match step {
            Step::Key(key) => format!(".{key}"),
            Step::Item(index) => format!("[{index}]"),
        });
        Some(shown.collect::<String>().trim_start_matches('.').to_owned())
    }

    #[test]
    fn both_spellings_lead_to_the_key() {
        for (name, key) in [
            ("HTTP_ADDR", "http.addr"),
            ("STORAGE", "storage"),
            ("STORAGE_FILESYSTEM_ROOTDIRECTORY", "storage.filesystem.rootdirectory"),
            ("STORAGE_AZURE_MAX_RETRIES", "storage.azure.max_retries"),
            ("HTTP_TLS_LETSENCRYPT_HOSTS_0", "http.tls.letsencrypt.hosts[0]"),
            ("NOTIFICATIONS_EVENTS_INCLUDEREFERENCES", "notifications.events.includereferences"),
            ("NOTIFICATIONS_EVENTCONFIG_INCLUDEREFERENCES", "notifications.events.includereferences"),
            ("HEALTH_FILE_0_FILE", "health.file[0].file"),
            ("HEALTH_FILECHECKERS_0_FILE", "health.file[0].file"),
            ("HEALTH_HTTPCHECKERS_1_STATUSCODE", "health.http[1].statuscode"),
            ("HEALTH_TCPCHECKERS_0", "health.tcp[0]"),
            ("LOG_HOOKS_0_MAILOPTIONS_SMTP_ADDR", "log.hooks[0].options.smtp.addr"),
            ("LOG_HOOKS_0_OPTIONS_TO_2", "log.hooks[0].options.to[2]"),
            ("COMPATIBILITY_SCHEMA1_TRUSTKEY", "compatibility.schema1.signingkeyfile"),
            ("LOG_FIELDS_SERVICE", "log.fields.service"),
            ("HTTP_HEADERS_Access-Control-Allow-Origin", "http.headers.access-control-allow-origin"),
            ("HTTP_HEADERS_X-A_0", "http.headers.x-a[0]"),
            ("MIDDLEWARE_REGISTRY_0_NAME", "middleware.registry[0].name"),
            ("MIDDLEWARE_REGISTRY_0_OPTIONS_UPSTREAMS_0", "middleware.registry[0].options.upstreams[0]"),
            (
                "MIDDLEWARE_REGISTRY_0_OPTIONS_UPSTREAMS_0_ORIGINHOST",
                "middleware.registry[0].options.upstreams[0].originhost",
            ),
            ("MIDDLEWARE_REPOSITORY_0_OPTIONS_A_B", "middleware.repository[0].options.a.b"),
            ("LARDER_TAGFRESHNESS", "larder.tagfreshness"),
        ] {
            assert_eq!(path(name).as_deref(), Some(key), "{name}");
        }
    }

    #[test]
    fn what_fits_no_key_leads_nowhere() {
        for name in
            ["", "VERSION", "HTP_ADDR", "HTTP_ADDR_X", "http_addr", "HTTPADDR", "HEALTH_FILE_X", "HTTP_", "LOG_FIELDS_"]
        {
            assert_eq!(path(name), None, "{name}");
        }
    }

    #[test]
    fn the_users_own_names_may_hold_separators() {
        let mut root = Node::empty(At::Default);
        root.slot("log", &At::Default).slot("fields", &At::Default).slot("my_app_Name", &At::Default);
        let steps = resolve("LOG_FIELDS_MY_APP_NAME", &root).unwrap();
        assert_eq!(steps.last(), Some(&Step::Key("my_app_Name".to_owned())));
    }
}
