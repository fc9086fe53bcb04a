//! What can go wrong with a file: a line that is no row, or the file itself.

use std::fmt;
use std::io;

use arqon_types::{ErrorRow, TopicName};

/// Characters of an offending text that a fault keeps.
const TEXT_CHARS_MAX: usize = 200;

/// A line that is no row; the others are not touched by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineFault {
    /// The file as the user named it.
    pub file: String,
    /// From 1; the line where the record begins, of Parquet the row.
    pub line: u64,
    /// The field's path; empty if the line as a whole is at fault.
    pub field: String,
    /// What is wrong, as the end of a sentence that begins with the field.
    pub reason: String,
    /// The line, shortened.
    pub text: String,
}

impl LineFault {
    pub(crate) fn new(
        file: &str,
        line: u64,
        field: impl Into<String>,
        reason: impl Into<String>,
        text: &[u8],
    ) -> Self {
        Self {
            file: file.to_owned(),
            line,
            field: field.into(),
            reason: reason.into(),
            text: shorten(text),
        }
    }

    /// The fault as a row of the topic's errors.
    pub fn to_error_row(&self, topic: &TopicName) -> ErrorRow {
        let message = if self.field.is_empty() {
            format!("the line {}", self.reason)
        } else {
            format!("field `{}` {}", self.field, self.reason)
        };
        ErrorRow {
            node: topic.to_string(),
            step: topic.to_string(),
            code: "malformed".to_owned(),
            message,
            place: format!("{}:{}", self.file, self.line),
            row: self.text.clone(),
        }
    }
}

impl fmt::Display for LineFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.file, self.line)?;
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        f.write_str(&self.reason)
    }
}

fn shorten(text: &[u8]) -> String {
    // A character has at most four bytes, so no more than this can be kept.
    let head = &text[..text.len().min(4 * TEXT_CHARS_MAX)];
    let head = String::from_utf8_lossy(head);
    match head.char_indices().nth(TEXT_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &head[..end]),
        None if head.len() < text.len() => format!("{head}…"),
        None => head.into_owned(),
    }
}

/// Why a file cannot be read to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// It cannot be opened.
    #[error("cannot read `{file}`")]
    Open {
        /// The file.
        file: String,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// It broke off.
    #[error("`{file}` cannot be read on after line {line}")]
    Read {
        /// The file.
        file: String,
        /// The last line that was read.
        line: u64,
        /// What the system, or what unpacks the file, says.
        #[source]
        source: io::Error,
    },
    /// A Parquet file is damaged.
    #[error("`{file}` cannot be read on after row {n_rows}")]
    Broken {
        /// The file.
        file: String,
        /// How many rows were read.
        n_rows: u64,
        /// What is wrong with it.
        #[source]
        source: io::Error,
    },
    /// The header of a CSV file does not fit the topic's schema.
    #[error("{file}:1: {reason}")]
    Header {
        /// The file.
        file: String,
        /// Which column, and what to do.
        reason: String,
    },
    /// The schema of a Parquet file does not fit the topic's.
    #[error("{file}: {reason}")]
    Schema {
        /// The file.
        file: String,
        /// Which column, and what to do.
        reason: String,
    },
}

/// Why a file cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write `{file}`")]
pub struct WriteError {
    /// The file.
    pub file: String,
    /// What the system says.
    #[source]
    pub source: io::Error,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_shortened_at_a_character() {
        assert_eq!(shorten(b"abc"), "abc");
        let long = "é".repeat(300);
        assert_eq!(shorten(long.as_bytes()), format!("{}…", "é".repeat(200)));
        assert_eq!(shorten(&[0xFF, b'a']), "\u{FFFD}a");
    }

    #[test]
    fn a_fault_is_written_as_place_field_reason() {
        let fault = LineFault::new("a.csv", 7, "age", "expects int64, found \"x\"", b"x,1");
        assert_eq!(fault.to_string(), "a.csv:7: age: expects int64, found \"x\"");
        let row = fault.to_error_row(&TopicName::parse("people").unwrap());
        assert_eq!(row.place, "a.csv:7");
        assert_eq!(row.message, "field `age` expects int64, found \"x\"");
    }
}
