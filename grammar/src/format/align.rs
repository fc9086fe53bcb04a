//! One-line entries below each other: where the file aligns some of them, all of them are.
//!
//! **Invariant:** what is aligned here is aligned the same way a second time: every column stands
//! as far left as the entries allow.

use std::collections::BTreeMap;

use super::LINE_CHARACTERS_MAX;

/// An entry on one line: `key: value`, or `- value`.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// `key:` or `-`.
    pub(super) head: String,
    /// Its value.
    pub(super) value: Inline,
    /// Where the file has its value; none on another line.
    pub(super) stands: Option<Stand>,
}

/// Where something stands in its line of the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stand {
    /// Its column.
    pub(super) column: usize,
    /// How many blanks stand before it.
    pub(super) gap: usize,
}

/// A value on one line.
#[derive(Clone, Debug, Default)]
pub(super) struct Inline {
    /// The whole of it.
    pub(super) text: String,
    /// Of a map in braces, its entries.
    pub(super) cells: Vec<Cell>,
}

/// One entry of a map in braces.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    /// Its key.
    pub(super) key: String,
    /// `key: value`.
    pub(super) text: String,
    /// Where the file has it.
    pub(super) stands: Stand,
}

/// Where the cells of a row begin: for each cell its column, if it is aligned with others.
type Columns = Vec<Option<usize>>;

/// The rows of one run as lines, without their indentation.
pub(super) fn lines(rows: &[Row], indent: usize) -> Vec<String> {
    let plain = || rows.iter().map(|row| join(&row.head, 0, &row.value.text)).collect();
    if rows.len() < 2 {
        return plain();
    }
    // Where cells stand below each other, so do their rows' beginnings.
    let is_table = has_aligned_cells(rows);
    let is_headed = is_table || are_aligned(rows.iter().filter_map(|row| row.stands));
    let head_width = rows
        .iter()
        .filter(|row| is_headed && !row.value.text.is_empty())
        .map(|row| width(&row.head))
        .max()
        .unwrap_or(0);
    let fits =
        |lines: &Vec<String>| lines.iter().all(|line| indent + width(line) <= LINE_CHARACTERS_MAX);
    if is_table {
        let columns = by_key(rows).unwrap_or_else(|| by_place(rows));
        let lines = table(rows, head_width, &columns);
        if fits(&lines) {
            return lines;
        }
    }
    let headed = rows.iter().map(|row| join(&row.head, head_width, &row.value.text)).collect();
    if fits(&headed) { headed } else { plain() }
}

/// Whether blanks put some of these below others; one that has too many by itself is none.
fn are_aligned(stands: impl IntoIterator<Item = Stand>) -> bool {
    let mut columns: BTreeMap<usize, (usize, usize)> = BTreeMap::new();
    for stand in stands {
        let (n_all, gap) = columns.entry(stand.column).or_default();
        *n_all += 1;
        *gap = stand.gap.max(*gap);
    }
    columns.values().any(|(n_all, gap)| 1 < *n_all && 1 < *gap)
}

/// Whether blanks put cells of one key below each other.
fn has_aligned_cells(rows: &[Row]) -> bool {
    let mut by_key: BTreeMap<&str, Vec<Stand>> = BTreeMap::new();
    for cell in rows.iter().flat_map(|row| row.value.cells.iter().skip(1)) {
        by_key.entry(&cell.key).or_default().push(cell.stands);
    }
    by_key.into_values().any(are_aligned)
}

/// The number of characters.
pub(super) fn width(text: &str) -> usize {
    text.chars().count()
}

fn join(head: &str, head_width: usize, value: &str) -> String {
    if value.is_empty() {
        return head.to_owned();
    }
    format!("{head:head_width$} {value}")
}

/// Each key has its column, in the one order that all rows agree on. None if they do not agree,
/// or the file has it otherwise.
fn by_key(rows: &[Row]) -> Option<Vec<Columns>> {
    let mut order: Vec<(&str, usize)> = Vec::new();
    for row in rows {
        let mut at = 0;
        for cell in &row.value.cells {
            match order.iter().position(|(key, _)| *key == cell.key) {
                Some(found) if found < at || order[found].1 != cell.stands.column => return None,
                Some(found) => at = found + 1,
                None => {
                    order.insert(at, (&cell.key, cell.stands.column));
                    at += 1;
                }
            }
        }
    }
    let column = |cell: &Cell| order.iter().position(|(key, _)| *key == cell.key);
    Some(rows.iter().map(|row| row.value.cells.iter().map(column).collect()).collect())
}

/// Cells are aligned as long as all rows have the same key at their place.
fn by_place(rows: &[Row]) -> Vec<Columns> {
    let key = |row: &Row, at: usize| row.value.cells.get(at).map(|cell| cell.key.clone());
    let is_shared = |at: usize| {
        let mut keys = rows.iter().filter_map(|row| key(row, at));
        let first = keys.next();
        keys.all(|other| Some(other) == first)
    };
    let n_cells = rows.iter().map(|row| row.value.cells.len()).max().unwrap_or(0);
    let n_shared = (0..n_cells).take_while(|at| is_shared(*at)).count();
    rows.iter()
        .map(|row| (0..row.value.cells.len()).map(|at| (at < n_shared).then_some(at)).collect())
        .collect()
}

fn table(rows: &[Row], head_width: usize, columns: &[Columns]) -> Vec<String> {
    let mut lines: Vec<String> = rows
        .iter()
        .map(|row| match row.value.cells.as_slice() {
            [] => join(&row.head, head_width, &row.value.text),
            _ => join(&row.head, head_width, "{"),
        })
        .collect();
    let n_columns = columns.iter().flatten().flatten().max().map_or(0, |last| last + 1);
    let mut next: Vec<usize> = rows.iter().map(|_| 0).collect();
    for column in 0..n_columns {
        let in_column = |row: usize, at: usize| columns[row].get(at) == Some(&Some(column));
        let start = (0..rows.len())
            .filter(|row| in_column(*row, next[*row]))
            .map(|row| width(&lines[row]) + 1)
            .max()
            .unwrap_or(0);
        for row in 0..rows.len() {
            if in_column(row, next[row]) {
                let blanks = start - width(&lines[row]);
                lines[row].push_str(&" ".repeat(blanks));
                push_cell(&mut lines[row], &rows[row].value.cells, next[row]);
                next[row] += 1;
            }
        }
    }
    for (row, line) in lines.iter_mut().enumerate() {
        let cells = &rows[row].value.cells;
        for at in next[row]..cells.len() {
            line.push(' ');
            push_cell(line, cells, at);
        }
        if !cells.is_empty() {
            line.push_str(" }");
        }
    }
    lines
}

fn push_cell(line: &mut String, cells: &[Cell], at: usize) {
    line.push_str(&cells[at].text);
    if at + 1 < cells.len() {
        line.push(',');
    }
}
