//! One element of a `middleware` list, whose name decides what its options are.

use super::value::{Data, Value};
use super::{Inside, Walk, is_set};
use crate::config::error::Complaint;
use crate::config::nearest::nearest;
use crate::config::node::{Content, Entry, Node};
use crate::config::redact;
use crate::config::schema::{COMMON_MIDDLEWARE, Key, Status};

impl Walk {
    pub(super) fn middleware(&mut self, named: &'static [Key], node: &Node) -> Option<Value> {
        let Content::Map(entries) = &node.content else {
            return self.mismatch(node, "a section with `name` and `options`", Inside::default());
        };
        let (options, common): (Vec<&Entry>, Vec<&Entry>) = entries.iter().partition(|entry| entry.key == "options");
        let common: Vec<Entry> = common.into_iter().cloned().collect();
        let mut values = self.section(COMMON_MIDDLEWARE, &common, Inside::default());
        let disabled = values.iter().any(|(name, value)| name == "disabled" && matches!(value.data, Data::Bool(true)));
        if !disabled
            && let Some(known) = self.known(named, node)
            && let Some(options) = options.first().filter(|options| is_set(&options.value))
        {
            let idle = !matches!(known.status, Status::Works);
            let inside = Inside { idle, secret: known.secret };
            let value = self.at("options", |walk| walk.value(&known.kind, &options.value, inside));
            values.extend(value.map(|value| ("options".to_owned(), value)));
        }
        Some(Value { at: node.at.clone(), data: Data::Map(values) })
    }

    /// The middleware of that name, after what there is to say of it.
    fn known(&mut self, named: &'static [Key], node: &Node) -> Option<&'static Key> {
        let Some(name) = node.get("name") else {
            let complaint = Complaint::new(node.at.clone(), format!("`{}` has no name", self.path)).hidden();
            self.complaints.push(complaint.label("").help("middleware is told apart by its `name`"));
            return None;
        };
        let text = name.text().unwrap_or_default();
        if let Some(known) = named.iter().find(|known| known.name == text) {
            if let Status::NoEffect(note) = known.status {
                self.no_effect(&name.at, note);
            }
            return Some(known);
        }
        let what = format!("`{}` names middleware that Larder does not have: `{}`", self.path, redact::key(text));
        let meant = nearest(text, named.iter().map(|known| known.name));
        let label = meant.map_or_else(String::new, |meant| format!("did you mean `{meant}`?"));
        self.complaints.push(Complaint::new(name.at.clone(), what).label(&label).help(
            "middleware may decide who reads what, so the hub does not run without it; \
             if nothing depends on it, set `disabled: true` beside its name",
        ));
        None
    }
}
