//! Tables for people: a header over a line, and no blanks at the end of a line.

use comfy_table::{LineStyle, Table, TableStyle};

/// A table without rows.
pub(crate) fn headed<'h>(header: impl IntoIterator<Item = &'h str>) -> Table {
    let mut table = Table::new();
    let rule = LineStyle::none().fill('─').junction('─');
    let header: Vec<&str> = header.into_iter().collect();
    table.load_style(TableStyle::new().header_separator(rule)).set_header(header);
    table
}

/// Its lines.
pub(crate) fn lines(table: &Table) -> String {
    let text = table.to_string();
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    lines.join("\n")
}
