//! Sets a value at a place in the tree, making what is missing on the way.

use super::resolve::Step;
use crate::config::error::Complaint;
use crate::config::node::{At, Content, Entry, Node};
use crate::config::schema::{Kind, ROOT};

/// Puts `value` where `steps` lead.
pub(super) fn set(root: &mut Node, steps: &[Step], value: Node, at: &At) -> Result<(), Complaint> {
    let mut node = root;
    for step in steps {
        node = match step {
            Step::Key(key) => node.slot(key, at),
            Step::Item(index) => element(node, *index, at)?,
        };
    }
    *node = value;
    Ok(())
}

/// `storage: filesystem` is short for `storage: {filesystem: {}}`; written out, so that a variable may add to it.
pub(super) fn expand_choices(root: &mut Node) {
    let Content::Map(entries) = &mut root.content else { return };
    for entry in entries {
        let choice = ROOT.iter().any(|key| key.name == entry.key && matches!(key.kind, Kind::Choice(_)));
        if let (true, Content::Scalar { text, .. }) = (choice, &entry.value.content) {
            let at = entry.value.at.clone();
            let chosen =
                Entry { key: text.clone(), at: at.clone(), value: Node { at: at.clone(), content: Content::Null } };
            entry.value = Node { at, content: Content::Map(vec![chosen]) };
        }
    }
}

/// An element that is there, or the one after the last. As in Go, no list has holes.
fn element<'n>(node: &'n mut Node, index: usize, at: &At) -> Result<&'n mut Node, Complaint> {
    if !matches!(node.content, Content::List(_)) {
        *node = Node { at: at.clone(), content: Content::List(Vec::new()) };
    }
    let Content::List(items) = &mut node.content else { unreachable!("made a list just above") };
    if index == items.len() {
        items.push(Node { at: at.clone(), content: Content::Null });
    }
    let length = items.len();
    items.get_mut(index).ok_or_else(|| {
        let what = format!("this sets element {index} of a list that has {length}");
        Complaint::new(at.clone(), what).help("elements are counted from 0, and a new one takes the next number")
    })
}
