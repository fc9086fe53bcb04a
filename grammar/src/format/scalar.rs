//! Scalars: on one line, over several lines, and as blocks of text.

use granit_parser::ScalarStyle;

use super::layout::Line;
use super::spacing::spaced;
use crate::yaml::Scalar;

/// A scalar as the file has it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Written<'a> {
    /// Its notation, quotes included; of a block of text its content.
    pub(super) text: &'a str,
    /// What it says.
    pub(super) scalar: &'a Scalar<'a>,
    /// Whether it is read as an expression.
    pub(super) is_expression: bool,
}

/// How the content of a block of text is indented.
#[derive(Clone, Copy, Debug)]
pub(super) struct BlockIndent {
    /// The column of the entry in the file, from 0.
    pub(super) before: usize,
    /// The column of the entry in the new text.
    pub(super) after: usize,
}

impl Written<'_> {
    /// On one line; none if it stands over several. With `folds`, lines that YAML joins by blanks
    /// are joined.
    pub(super) fn inline(self, folds: bool) -> Option<String> {
        let has_breaks = self.text.contains('\n');
        match self.scalar.style {
            ScalarStyle::Plain if has_breaks => {
                let is_joined = folds && !self.scalar.text.contains('\n');
                is_joined.then(|| self.respaced(&self.scalar.text))
            }
            // A question mark with a blank behind it would begin a key.
            ScalarStyle::Plain if self.text.trim() == "?" => Some("\"?\"".to_owned()),
            ScalarStyle::Plain => Some(self.respaced(self.text)),
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted if has_breaks => None,
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => Some(self.requoted()),
            _ => None,
        }
    }

    fn respaced(self, text: &str) -> String {
        if self.is_expression { spaced(text) } else { text.trim().to_owned() }
    }

    /// In its quotes; what holds an escape stays as it is.
    fn requoted(self) -> String {
        let quote = if self.scalar.style == ScalarStyle::SingleQuoted { "'" } else { "\"" };
        let inner = self.text.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
        match inner {
            Some(inner) if self.is_expression && *inner == *self.scalar.text => {
                format!("{quote}{}{quote}", spaced(inner))
            }
            _ => self.text.to_owned(),
        }
    }

    /// Over several lines: the first one, and the others at `indent`.
    pub(super) fn lines(self, indent: usize) -> (String, Vec<Line>) {
        let is_plain = self.scalar.style == ScalarStyle::Plain;
        let text = if is_plain { self.respaced(self.text) } else { self.text.replace('\r', "") };
        let mut lines = text.split('\n');
        let first = lines.next().unwrap_or("");
        let rest = lines.map(|line| {
            let line = if is_plain { line.trim() } else { line.trim_start() };
            Line::new(indent, line)
        });
        (first.trim_end_matches('\r').to_owned(), rest.collect())
    }
}

/// The content of a block of text behind its `header`, such as `|-`, indented anew.
pub(super) fn block_lines(header: &str, content: &str, indent: BlockIndent) -> Vec<Line> {
    let explicit = header.chars().find_map(|c| c.to_digit(10)).map(|digit| digit as usize);
    let mut lines: Vec<&str> = content
        .split_inclusive('\n')
        // Blanks without a line break are the indentation of what follows.
        .filter(|line| line.ends_with('\n') || !line.trim().is_empty())
        .map(|line| line.trim_end_matches(['\n', '\r']))
        .collect();
    if !header.contains('+') {
        while lines.last().is_some_and(|line| line.trim().is_empty()) {
            lines.pop();
        }
    }
    let blanks = |line: &str| line.len() - line.trim_start_matches(' ').len();
    let first = lines.iter().find(|line| !line.trim().is_empty());
    let before = explicit
        .map_or_else(|| first.map_or(0, |line| blanks(line)), |digit| indent.before + digit);
    let after = indent.after + explicit.unwrap_or(2);
    lines
        .iter()
        .map(|line| Line::new(after, line.get(before.min(blanks(line))..).unwrap_or("")))
        .collect()
}
