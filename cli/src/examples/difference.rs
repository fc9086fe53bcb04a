//! Rows that differ, side by side: what was expected over what was found, the fields that differ
//! marked beneath.
//!
//! Rows are paired by how many fields they share; what has no counterpart is missing or extra.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use arqon_types::{Field, Row, Schema, TopicName, Type, Value};

use crate::console::columns;

/// Rows of a topic with their signed multiplicities.
pub(super) type Changes = BTreeMap<Row, i64>;

/// Lines that are written out; the others are counted.
const SHOWN_MAX: usize = 20;

/// Rows a side beyond which no counterpart is looked for: pairing is quadratic.
const PAIRED_MAX: usize = 200;

/// The rows in which two sets of changes differ, among those that they share.
pub(super) fn difference(
    topic: &TopicName,
    schema: &Schema,
    expected: &Changes,
    found: &Changes,
) -> String {
    let same = |(row, diff): &(&Row, &i64)| found.get(*row) == Some(*diff);
    let shared: Vec<Line<'_>> =
        expected.iter().filter(same).map(|(row, diff)| Line::Shared(row, *diff)).collect();
    let mut lines = differing(expected, found);
    let n_context = SHOWN_MAX.saturating_sub(lines.len());
    let n_left_out = lines.len().saturating_sub(SHOWN_MAX) + shared.len().saturating_sub(n_context);
    lines.truncate(SHOWN_MAX);
    lines.extend(shared.into_iter().take(n_context));
    lines.sort_by_key(Line::order);
    let mut text = format!("{topic}\n");
    for line in &lines {
        line.write(schema, &mut text);
    }
    if n_left_out > 0 {
        writeln!(text, "  … and {n_left_out} more").expect("writing to a string cannot fail");
    }
    text
}

/// A line of the difference, or two that belong together.
enum Line<'r> {
    Shared(&'r Row, i64),
    Missing(&'r Row, i64),
    Extra(&'r Row, i64),
    Pair { expected: (&'r Row, i64), found: (&'r Row, i64) },
}

impl<'r> Line<'r> {
    fn order(&self) -> (&'r Row, i64) {
        match self {
            Line::Shared(row, diff) | Line::Missing(row, diff) | Line::Extra(row, diff) => {
                (row, *diff)
            }
            Line::Pair { expected, .. } => *expected,
        }
    }

    fn write(&self, schema: &Schema, text: &mut String) {
        let mut one = |word: &str, row: &Row, diff: i64| {
            writeln!(text, "  {word:<8}  {diff:+}  {}", row_text(row, schema))
                .expect("writing to a string cannot fail");
        };
        match *self {
            Line::Shared(row, diff) => one("", row, diff),
            Line::Missing(row, diff) => one("missing", row, diff),
            Line::Extra(row, diff) => one("extra", row, diff),
            Line::Pair { expected, found } => text.push_str(&pair(schema, expected, found)),
        }
    }
}

fn differing<'r>(expected: &'r Changes, found: &'r Changes) -> Vec<Line<'r>> {
    let only = |these: &'r Changes, those: &Changes| -> Vec<(&'r Row, i64)> {
        let differs = |(row, diff): &(&Row, &i64)| those.get(*row) != Some(*diff);
        these.iter().filter(differs).map(|(row, diff)| (row, *diff)).collect()
    };
    let (mut wanted, mut got) = (only(expected, found), only(found, expected));
    let mut lines = Vec::new();
    if wanted.len() <= PAIRED_MAX && got.len() <= PAIRED_MAX {
        while let Some((at, to)) = closest(&wanted, &got) {
            lines.push(Line::Pair { expected: wanted.remove(at), found: got.remove(to) });
        }
    }
    lines.extend(wanted.into_iter().map(|(row, diff)| Line::Missing(row, diff)));
    lines.extend(got.into_iter().map(|(row, diff)| Line::Extra(row, diff)));
    lines
}

/// The two rows that share the most fields; those of one sign first. None if nothing is alike.
fn closest(wanted: &[(&Row, i64)], got: &[(&Row, i64)]) -> Option<(usize, usize)> {
    let pairs = (0..wanted.len()).flat_map(|at| (0..got.len()).map(move |to| (at, to)));
    let likeness = |&(at, to): &(usize, usize)| {
        let ((left, left_diff), (right, right_diff)) = (wanted[at], got[to]);
        let n_equal = left.iter().zip(right.iter()).filter(|(left, right)| left == right).count();
        let alike = n_equal > 0 || left.len() == 1;
        // Of pairs that are equally alike the first one is taken: `max_by_key` takes the last.
        let first = std::cmp::Reverse((at, to));
        alike.then_some((left_diff.signum() == right_diff.signum(), n_equal, first))
    };
    pairs.filter(|pair| likeness(pair).is_some()).max_by_key(likeness)
}

fn pair(schema: &Schema, expected: (&Row, i64), found: (&Row, i64)) -> String {
    let diffs = [expected.1, found.1].map(|diff| format!("{diff:+}"));
    let width = diffs.iter().map(String::len).max().unwrap_or(0);
    let mut lines = [
        format!("  expected  {:<width$}  {{ ", diffs[0]),
        format!("  found     {:<width$}  {{ ", diffs[1]),
        format!("            {:<width$}    ", if diffs[0] == diffs[1] { "" } else { "^^" }),
    ];
    let cells = cells(schema, expected.0, found.0);
    for (at, cell) in cells.iter().enumerate() {
        let comma = if at + 1 == cells.len() { "" } else { ", " };
        let width = cell.width();
        for (line, value) in lines.iter_mut().zip(&cell.values) {
            let padding = " ".repeat(width - columns(value));
            line.extend([&cell.name, value, comma, &padding]);
        }
        let mark = if cell.differs() { "^" } else { " " };
        let indent = " ".repeat(cell.name.chars().count());
        lines[2].extend([indent, mark.repeat(width), " ".repeat(comma.len())]);
    }
    format!("{} }}\n{} }}\n{}\n", lines[0], lines[1], lines[2].trim_end())
}

/// A field of two rows, or what stands for fields that are left out.
struct Cell {
    /// With its colon.
    name: String,
    values: [String; 2],
}

impl Cell {
    fn differs(&self) -> bool {
        self.values[0] != self.values[1]
    }

    fn width(&self) -> usize {
        self.values.iter().map(|value| columns(value)).max().unwrap_or(0)
    }
}

/// The fields of two rows; of rows too wide for a screen the first one and those that differ.
fn cells(schema: &Schema, expected: &Row, found: &Row) -> Vec<Cell> {
    let cell = |(at, field): (usize, &Field)| Cell {
        name: format!("{}: ", field.name),
        values: [expected, found].map(|row| value_text(&row[at], &field.ty)),
    };
    let all: Vec<Cell> = schema.fields.iter().enumerate().map(cell).collect();
    let width: usize = all.iter().map(|it| it.name.chars().count() + it.width() + 2).sum();
    if width <= ROW_CHARACTERS_MAX {
        return all;
    }
    let mut shown: Vec<Cell> = Vec::new();
    let mut is_left_out = false;
    for (at, cell) in all.into_iter().enumerate() {
        if at == 0 || cell.differs() {
            shown.push(cell);
            is_left_out = false;
        } else if !is_left_out {
            shown.push(Cell { name: String::new(), values: ["…", "…"].map(str::to_owned) });
            is_left_out = true;
        }
    }
    shown
}

/// Wider rows are shown by the fields that differ.
const ROW_CHARACTERS_MAX: usize = 100;

/// A row as it stands in a circuit's examples.
pub(super) fn row_text(row: &Row, schema: &Schema) -> String {
    let fields = row.iter().zip(&schema.fields);
    let fields: Vec<String> = fields
        .map(|(value, field)| format!("{}: {}", field.name, value_text(value, &field.ty)))
        .collect();
    format!("{{ {} }}", fields.join(", "))
}

/// A value as it stands in a circuit's examples: texts that would be read otherwise are quoted.
fn value_text(value: &Value, ty: &Type) -> String {
    let text = value.display(ty);
    let Value::String(_) = value else { return text };
    let plain = |character: char| character.is_alphanumeric() || " _.#/@%-".contains(character);
    let is_plain = text.starts_with(char::is_alphabetic)
        && !text.ends_with(' ')
        && text.chars().all(plain)
        && !text.contains(" #")
        && text != "none";
    if is_plain { text } else { format!("{text:?}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(expected: &[(&str, i128, i64)], found: &[(&str, i128, i64)]) -> String {
        let schema = Schema::new(
            "Revenue",
            vec![Field::new("region", Type::String), Field::new("revenue", Type::Decimal(2))],
        );
        let changes = |rows: &[(&str, i128, i64)]| -> Changes {
            rows.iter()
                .map(|(region, units, diff)| {
                    (vec![Value::string(region), Value::Decimal(*units)].into(), *diff)
                })
                .collect()
        };
        let topic = TopicName::parse("shop.revenue").unwrap();
        difference(&topic, &schema, &changes(expected), &changes(found))
    }

    #[test]
    fn the_field_that_differs_is_marked() {
        assert_eq!(
            shown(&[("EU", 4200, -1), ("EU", 900, 1)], &[("EU", 4200, -1), ("EU", 1300, 1)]),
            "shop.revenue\n\
             \x20 expected  +1  { region: EU, revenue: 9.00  }\n\
             \x20 found     +1  { region: EU, revenue: 13.00 }\n\
             \x20                                      ^^^^^\n\
             \x20           -1  { region: EU, revenue: 42.00 }\n"
        );
    }

    #[test]
    fn columns_are_those_of_a_terminal() {
        assert_eq!(
            shown(&[("日本", 100, 1)], &[("ab", 100, 1)]),
            "shop.revenue\n\
             \x20 expected  +1  { region: 日本, revenue: 1.00 }\n\
             \x20 found     +1  { region: ab,   revenue: 1.00 }\n\
             \x20                         ^^^^\n"
        );
    }

    #[test]
    fn of_wide_rows_the_fields_that_differ_are_shown() {
        let names = ["id", "street", "city", "amount", "note"];
        let fields = names.map(|name| Field::new(name, Type::String)).to_vec();
        let schema = Schema::new("Wide", fields);
        let changes = |amount: &str| -> Changes {
            let long = "a long text of many words that goes on and on";
            let values = ["k1", long, long, amount, "none"].map(Value::string).to_vec();
            std::iter::once((values.into(), 1)).collect()
        };
        let topic = TopicName::parse("wide").unwrap();
        assert_eq!(
            difference(&topic, &schema, &changes("small"), &changes("very large")),
            "wide\n\
             \x20 expected  +1  { id: k1, …, amount: small,      … }\n\
             \x20 found     +1  { id: k1, …, amount: very large, … }\n\
             \x20                                    ^^^^^^^^^^\n"
        );
    }

    #[test]
    fn rows_without_a_counterpart_are_missing_or_extra() {
        assert_eq!(
            shown(&[("", 100, 1)], &[("none", 200, 1), ("US", 300, 1)]),
            "shop.revenue\n\
             \x20 missing   +1  { region: \"\", revenue: 1.00 }\n\
             \x20 extra     +1  { region: US, revenue: 3.00 }\n\
             \x20 extra     +1  { region: \"none\", revenue: 2.00 }\n"
        );
    }

    #[test]
    fn multiplicities_are_marked_and_long_lists_cut() {
        assert_eq!(
            shown(&[("EU", 100, 1)], &[("EU", 100, 2)]),
            "shop.revenue\n\
             \x20 expected  +1  { region: EU, revenue: 1.00 }\n\
             \x20 found     +2  { region: EU, revenue: 1.00 }\n\
             \x20           ^^\n"
        );
        let many: Vec<(String, i128, i64)> =
            (0..30).map(|at| (format!("R{at:02}"), at, 1)).collect();
        let many: Vec<(&str, i128, i64)> =
            many.iter().map(|(region, units, diff)| (region.as_str(), *units, *diff)).collect();
        let text = shown(&many, &[]);
        assert_eq!(text.lines().count(), 22);
        assert!(text.ends_with("  … and 10 more\n"));
    }
}
