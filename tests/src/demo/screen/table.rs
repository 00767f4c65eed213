//! The pulls side by side.

use comfy_table::{CellAlignment, Table, presets};

use super::{Paint, bytes};
use crate::demo::pulls::Pull;

/// One row a pull: how long it took, and where its bytes came from.
pub(in crate::demo) fn table(pulls: &[Pull], upstream: &str, paint: Paint) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["Pull", "Seconds", upstream, "Larder hub", "Own disk"]);
    for Pull { label, took, moved } in pulls {
        let seconds = format!("{:.1}", took.as_secs_f64());
        table.add_row([label.clone(), seconds, bytes(moved.upstream), bytes(moved.hub), bytes(moved.disk)]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let text = table.to_string();
    let mut lines = text.lines().map(|line| format!("  {}", line.trim_end()));
    let header = lines.next().unwrap_or_default();
    let rule = paint.dim(&format!("   {}", "─".repeat(header.chars().count().saturating_sub(3))));
    let rows = lines.map(|line| line.replace(" 0 B", &paint.dim(" 0 B")) + "\n");
    format!("{}\n{rule}\n{}", paint.bold(&header), rows.collect::<String>())
}
