//! Places in a source text: byte ranges, and the lines and columns people read.

use std::fmt;

/// A half-open byte range of one source text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span {
    /// First byte of the range.
    pub start: u32,
    /// The byte after the last one.
    pub end: u32,
}

/// A value together with the place where it was written.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Spanned<T> {
    /// What was written.
    pub node: T,
    /// Where it was written.
    pub span: Span,
}

/// A place as people count it: line and column from 1, columns in characters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Position {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

/// Where the lines of one text begin, so that a byte offset becomes a position.
#[derive(Clone, Debug)]
pub struct LineIndex {
    starts: Vec<u32>,
    /// Places within long lines, each with the characters of the line before it: whoever asks for
    /// a thousand columns of one line of megabytes does not read it a thousand times.
    marks: Vec<(u32, u32)>,
}

/// Distance of the marks in a line. Up to that many bytes are counted for one column.
const MARK_BYTES: usize = 4096;

impl Span {
    /// The range from `start` up to, and without, `end`.
    pub const fn new(start: u32, end: u32) -> Self {
        Self { start, end }
    }

    /// The empty range at one offset.
    pub const fn empty(at: u32) -> Self {
        Self { start: at, end: at }
    }

    /// The smallest range that holds both.
    #[must_use]
    pub fn to(self, other: Self) -> Self {
        Self { start: self.start.min(other.start), end: self.end.max(other.end) }
    }

    /// Number of bytes.
    pub fn len(self) -> u32 {
        self.end.saturating_sub(self.start)
    }

    /// Whether the range holds no byte.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The text in this range; empty when the range does not fit the text.
    pub fn slice(self, text: &str) -> &str {
        text.get(self.start as usize..self.end as usize).unwrap_or("")
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}..{}", self.start, self.end)
    }
}

impl<T> Spanned<T> {
    /// A value with its place.
    pub const fn new(node: T, span: Span) -> Self {
        Self { node, span }
    }

    /// Another value at the same place.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Spanned<U> {
        Spanned { node: change(self.node), span: self.span }
    }
}

impl Spanned<String> {
    /// The name or text itself.
    pub fn as_str(&self) -> &str {
        &self.node
    }
}

impl LineIndex {
    /// Reads where the lines of `text` begin. Cost: one pass over the bytes.
    pub fn new(text: &str) -> Self {
        let (mut starts, mut marks) = (vec![0], Vec::new());
        let mut start = 0;
        for line in text.as_bytes().split_inclusive(|byte| *byte == b'\n') {
            let mut n_chars = 0;
            for (idx, piece) in line.chunks_exact(MARK_BYTES).enumerate() {
                n_chars += count_chars(piece);
                marks.push((offset(start + (idx + 1) * MARK_BYTES), offset(n_chars)));
            }
            start += line.len();
            if line.ends_with(b"\n") {
                starts.push(offset(start));
            }
        }
        Self { starts, marks }
    }

    /// Line and column of a byte offset of `text`, the text this index was built from.
    ///
    /// An offset past the end counts as the end; a byte order mark takes no column.
    pub fn position(&self, text: &str, offset: u32) -> Position {
        let line = self.starts.partition_point(|start| *start <= offset).max(1);
        let start = self.starts[line - 1];
        let end = (offset as usize).min(text.len());
        let n_marks = self.marks.partition_point(|(at, _)| *at as usize <= end);
        let mark = self.marks[..n_marks].last().filter(|(at, _)| start < *at);
        let (counted, n_counted) = mark.copied().unwrap_or((start, 0));
        let before = text.as_bytes().get(counted as usize..end).unwrap_or_default();
        let mut n_chars = n_counted as usize + count_chars(before);
        if line == 1 && text.starts_with('\u{feff}') && 0 < n_chars {
            n_chars -= 1;
        }
        Position {
            line: u32::try_from(line).unwrap_or(u32::MAX),
            column: u32::try_from(n_chars + 1).unwrap_or(u32::MAX),
        }
    }

    /// The positions of both ends of a span.
    pub fn range(&self, text: &str, span: Span) -> (Position, Position) {
        (self.position(text, span.start), self.position(text, span.end))
    }
}

/// Bytes that begin a character: all but the continuation bytes of UTF-8.
fn count_chars(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte & 0xC0 != 0x80).count()
}

/// Texts are far below 4 GiB.
fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters() {
        let text = "a: µ\nbb: \"é\" x\n";
        let index = LineIndex::new(text);
        let at = |needle: &str| {
            let offset = u32::try_from(text.find(needle).unwrap()).unwrap();
            let Position { line, column } = index.position(text, offset);
            (line, column)
        };
        assert_eq!(at("µ"), (1, 4));
        assert_eq!(at("bb"), (2, 1));
        assert_eq!(at("x"), (2, 9));
        assert_eq!(index.position(text, 99_999), Position { line: 3, column: 1 });
    }

    #[test]
    fn columns_of_long_lines_count_characters_too() {
        let long = "aµ\u{1F600}".repeat(3 * MARK_BYTES);
        let just = "x".repeat(MARK_BYTES - 1);
        let text = format!("short\n{long}\n{just}\nbb: x{just}x");
        let index = LineIndex::new(&text);
        let (mut line, mut column) = (1, 1);
        for (at, c) in text.char_indices() {
            let found = index.position(&text, u32::try_from(at).unwrap());
            assert_eq!((found.line, found.column), (line, column), "at {at}");
            (line, column) = if c == '\n' { (line + 1, 1) } else { (line, column + 1) };
        }
    }

    #[test]
    fn a_byte_order_mark_takes_no_column() {
        let text = "\u{feff}a: b\n";
        assert_eq!(LineIndex::new(text).position(text, 3), Position { line: 1, column: 1 });
    }
}
