//! Lines with their indentation and their comments, put together to a text.

use super::align::width;

/// A line of the new text.
#[derive(Clone, Debug, Default)]
pub(super) struct Line {
    /// Blanks before its text.
    pub(super) indent: usize,
    /// Its text; empty for an empty line within a value.
    pub(super) text: String,
    /// A comment behind it.
    pub(super) comment: Option<Trailing>,
    /// Whether an empty line stands before it.
    pub(super) has_blank: bool,
}

/// A comment behind a line.
#[derive(Clone, Debug)]
pub(super) struct Trailing {
    /// From its `#` on.
    pub(super) text: String,
    /// In which column the file has it.
    pub(super) column: usize,
}

impl Line {
    pub(super) fn new(indent: usize, text: impl Into<String>) -> Self {
        Self { indent, text: text.into(), ..Self::default() }
    }

    fn width(&self) -> usize {
        self.indent + width(&self.text)
    }
}

/// The text of all lines.
pub(super) fn render(lines: &[Line]) -> String {
    let mut out = String::new();
    for (at, line) in lines.iter().enumerate() {
        if line.has_blank && 0 < at {
            out.push('\n');
        }
        if !line.text.is_empty() {
            out.push_str(&" ".repeat(line.indent));
            out.push_str(&line.text);
        }
        if let Some(comment) = &line.comment {
            let blanks = comment_column(lines, at) - line.width();
            out.push_str(&" ".repeat(blanks));
            out.push_str(&comment.text);
        }
        out.push('\n');
    }
    out
}

/// Where the comment of a line begins: below the comments above it that it stood below before,
/// two blanks behind the longest of their lines. An empty line ends what stands together.
fn comment_column(lines: &[Line], at: usize) -> usize {
    let column = |line: &Line| line.comment.as_ref().map(|comment| comment.column);
    let wanted = column(&lines[at]);
    let together = |found: Option<usize>| found.is_none() || found == wanted;
    let mut longest = lines[at].width();
    let mut has_blank = lines[at].has_blank;
    for line in lines[..at].iter().rev() {
        if has_blank || !together(column(line)) {
            break;
        }
        if line.comment.is_some() {
            longest = longest.max(line.width());
        }
        has_blank = line.has_blank;
    }
    for line in &lines[at + 1..] {
        if line.has_blank || !together(column(line)) {
            break;
        }
        if line.comment.is_some() {
            longest = longest.max(line.width());
        }
    }
    longest + COMMENT_BLANKS
}

/// Blanks between a line and its comment.
const COMMENT_BLANKS: usize = 2;
