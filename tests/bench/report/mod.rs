//! What was measured, as tables; what the issue asked for; and the page that holds both.

mod document;
mod machine;
mod table;
mod targets;
mod text;
mod verdict;

pub(crate) use document::document;
pub(crate) use machine::Machine;
pub(crate) use table::{Column, DISTURBED, Relation, Sample, Table};
pub(crate) use text::number;

/// The tables of a run, as far as their groups were run.
#[derive(Default)]
pub(crate) struct Report {
    pub(crate) warm: Option<Table>,
    pub(crate) manifests: Option<Table>,
    pub(crate) small: Option<Table>,
    pub(crate) cold: Option<Table>,
    pub(crate) herd: Option<Table>,
    pub(crate) slow: Option<Table>,
    pub(crate) idle: Option<Table>,
    pub(crate) many: Option<Table>,
}

impl Report {
    /// Those there are, in their order.
    pub(crate) fn tables(&self) -> impl Iterator<Item = &Table> {
        let all =
            [&self.warm, &self.manifests, &self.small, &self.cold, &self.herd, &self.slow, &self.idle, &self.many];
        all.into_iter().flatten()
    }
}
