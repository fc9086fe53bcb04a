//! Why a text is no row of its schema: where in the row, and what is wrong there.

use std::cell::RefCell;
use std::fmt::Write as _;

use arqon_types::{TimeUnit, TimeUnits};

/// A row that was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{reason}", if field.is_empty() { String::new() } else { format!("field `{field}` ") })]
pub struct RowError {
    /// The path of the field, `address.lines[2]`; empty if the whole row is at fault.
    pub field: String,
    /// What is wrong, as the end of a sentence that begins with the field.
    pub reason: String,
}

impl RowError {
    /// A fault at `field`.
    pub fn new(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { field: field.into(), reason: reason.into() }
    }

    /// The same fault, seen from the row or struct that holds `name`.
    #[must_use]
    pub(crate) fn within(self, name: &str) -> Self {
        let field = match self.field.as_str() {
            "" => name.to_owned(),
            below => format!("{name}.{below}"),
        };
        Self { field, ..self }
    }
}

/// One step from a row towards a value.
#[derive(Debug, Clone)]
pub(crate) enum PathStep<'s> {
    /// Into a field of a row or struct.
    Field(&'s str),
    /// Into an item of a list.
    Item(usize),
    /// Into a value of a map.
    Key(String),
}

/// Where a reader stands, and the fault it met.
///
/// Steps are left only on success, so that after a fault the path still says where it was.
#[derive(Debug)]
pub(crate) struct ReadContext<'s> {
    units: &'s TimeUnits,
    path: RefCell<Vec<PathStep<'s>>>,
    fault: RefCell<Option<RowError>>,
}

impl<'s> ReadContext<'s> {
    /// At a row or value whose timestamps may be integers in these units.
    pub(crate) fn new(units: &'s TimeUnits) -> Self {
        Self { units, path: RefCell::default(), fault: RefCell::default() }
    }

    /// The unit of integers here.
    pub(crate) fn unit(&self) -> Option<TimeUnit> {
        let path = self.path.borrow();
        let within = path.iter().fold(self.units, |units, step| match step {
            PathStep::Field(name) => units.field(name),
            PathStep::Item(_) | PathStep::Key(_) => units,
        });
        within.own()
    }

    pub(crate) fn enter(&self, step: PathStep<'s>) {
        self.path.borrow_mut().push(step);
    }

    pub(crate) fn leave(&self) {
        self.path.borrow_mut().pop();
    }

    /// Notes a fault here and returns the reader's error that carries it out.
    pub(crate) fn fail<E: serde::de::Error>(&self, reason: impl Into<String>) -> E {
        self.note(RowError::new(self.path_text(None), reason))
    }

    /// Notes a fault at `field` below here.
    pub(crate) fn fail_at<E: serde::de::Error>(&self, field: &str, reason: impl Into<String>) -> E {
        self.note(RowError::new(self.path_text(Some(field)), reason))
    }

    fn note<E: serde::de::Error>(&self, fault: RowError) -> E {
        let error = E::custom(&fault.reason);
        self.fault.borrow_mut().get_or_insert(fault);
        error
    }

    /// The fault that was noted, or `error` of the JSON reader at the place reached.
    pub(crate) fn into_error(self, error: &serde_json::Error) -> RowError {
        let field = self.path_text(None);
        self.fault.into_inner().unwrap_or_else(|| RowError { field, reason: reason_of(error) })
    }

    fn path_text(&self, last: Option<&str>) -> String {
        let mut text = String::new();
        let path = self.path.borrow();
        let last = last.map(PathStep::Field);
        for step in path.iter().chain(&last) {
            match step {
                PathStep::Field(name) if text.is_empty() => text.push_str(name),
                PathStep::Field(name) => {
                    text.push('.');
                    text.push_str(name);
                }
                PathStep::Key(key) => {
                    write!(text, "[{key:?}]").expect("writing to a string cannot fail");
                }
                PathStep::Item(item_idx) => {
                    write!(text, "[{item_idx}]").expect("writing to a string cannot fail");
                }
            }
        }
        text
    }
}

/// The JSON reader's message in our words; a row is one line, so only the column is of use.
fn reason_of(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(message, _)| message);
    for kind in ["invalid type: ", "invalid value: "] {
        if let Some((found, wanted)) =
            text.strip_prefix(kind).and_then(|rest| rest.split_once(", expected "))
        {
            return format!("expects {wanted}, found {found}");
        }
    }
    format!("is not JSON: {text} (column {})", error.column())
}
