//! How an example ended, and what to show of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use arqon_types::{Row, Schema, TopicName};

/// Changes of a topic in one step: each row with its signed multiplicity.
pub(super) type Changes = BTreeMap<Row, i64>;

/// One example of one circuit.
#[derive(Debug, Clone)]
pub(super) struct Outcome {
    /// The circuit file.
    pub(super) file: String,
    /// What the example shows, in its author's words.
    pub(super) name: String,
    /// How long it took on all worker counts together.
    pub(super) took: Duration,
    /// Why it failed; empty if it passed.
    pub(super) faults: Vec<Fault>,
}

impl Outcome {
    /// Whether all was as expected.
    pub(super) fn passed(&self) -> bool {
        self.faults.is_empty()
    }
}

/// What was not as expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    /// `file:line:column` of the step.
    pub(super) place: String,
    /// One line.
    pub(super) message: String,
    /// More lines, if there is more to see.
    pub(super) detail: String,
}

/// The rows in which two sets of changes differ, among those that they share.
pub(super) fn difference(
    topic: &TopicName,
    schema: &Schema,
    expected: &Changes,
    found: &Changes,
) -> String {
    let mut rows: Vec<&Row> = expected.keys().chain(found.keys()).collect();
    rows.sort();
    rows.dedup();
    let mut text = format!("{topic}\n");
    for row in rows {
        let line = format!("{}", RowText(row, schema));
        let mut write = |word: &str, diff: i64| {
            writeln!(text, "  {word:<8}  {diff:+}  {line}")
                .expect("writing to a string cannot fail");
        };
        match (expected.get(row).copied(), found.get(row).copied()) {
            (Some(wanted), Some(got)) if wanted == got => write("", wanted),
            (wanted, got) => {
                for (word, diff) in [("expected", wanted), ("got", got)] {
                    if let Some(diff) = diff {
                        write(word, diff);
                    }
                }
            }
        }
    }
    text
}

/// A row as it stands in a circuit's examples.
struct RowText<'r>(&'r Row, &'r Schema);

impl std::fmt::Display for RowText<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("{ ")?;
        for (at, (value, field)) in self.0.iter().zip(&self.1.fields).enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(f, "{comma}{}: {}", field.name, value.display(&field.ty))?;
        }
        f.write_str(" }")
    }
}

#[cfg(test)]
mod tests {
    use arqon_types::{Field, Type, Value};

    use super::*;

    #[test]
    fn differences_are_shown_row_by_row() {
        let schema = Schema::new(
            "Revenue",
            vec![Field::new("region", Type::String), Field::new("revenue", Type::Decimal(2))],
        );
        let row =
            |region: &str, units| Row::from(vec![Value::string(region), Value::Decimal(units)]);
        let expected = Changes::from([(row("EU", 4200), -1), (row("EU", 1200), 1)]);
        let found = Changes::from([(row("EU", 4200), -1), (row("EU", 1300), 1)]);
        let topic = TopicName::parse("shop.revenue").unwrap();
        assert_eq!(
            difference(&topic, &schema, &expected, &found),
            "shop.revenue\n\
             \x20 expected  +1  { region: EU, revenue: 12.00 }\n\
             \x20 got       +1  { region: EU, revenue: 13.00 }\n\
             \x20           -1  { region: EU, revenue: 42.00 }\n"
        );
    }
}
