//! Places as editors count them: lines from 0, columns in UTF-16 code units.

use arqon_grammar::Span;
use lsp_types::{Position, Range, TextDocumentContentChangeEvent};

/// Where the lines of a text begin.
#[derive(Debug, Clone)]
pub(crate) struct Lines {
    starts: Vec<usize>,
}

impl Lines {
    /// Reads where the lines begin. Cost: one pass.
    pub(crate) fn new(text: &str) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        Self { starts: std::iter::once(0).chain(breaks.map(|(at, _)| at + 1)).collect() }
    }

    /// The place of a byte; past the end counts as the end.
    pub(crate) fn position(&self, text: &str, offset: usize) -> Position {
        let mut offset = offset.min(text.len());
        while !text.is_char_boundary(offset) {
            offset -= 1;
        }
        let line = self.starts.partition_point(|start| *start <= offset).max(1) - 1;
        let before = &text[self.starts[line]..offset];
        let units: usize = before.chars().map(char::len_utf16).sum();
        let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
        Position { line: number(line), character: number(units) }
    }

    /// The places of both ends.
    pub(crate) fn range(&self, text: &str, start: usize, end: usize) -> Range {
        Range { start: self.position(text, start), end: self.position(text, end) }
    }

    /// The byte at a place; a place past the end of its line counts as that end.
    pub(crate) fn offset(&self, text: &str, position: Position) -> usize {
        let Some(start) = self.starts.get(position.line as usize).copied() else {
            return text.len();
        };
        let mut left = position.character as usize;
        let mut at = start;
        for character in text[start..].chars() {
            if left == 0 || character == '\n' || character.len_utf16() > left {
                break;
            }
            left -= character.len_utf16();
            at += character.len_utf8();
        }
        at
    }

    /// The end of the line of a byte, its break left out.
    pub(crate) fn line_end(&self, text: &str, offset: usize) -> usize {
        let line = self.starts.partition_point(|start| *start <= offset);
        let end = self.starts.get(line).map_or(text.len(), |next| next - 1);
        if text[..end].ends_with('\r') { end - 1 } else { end }
    }
}

/// A span in a text as an editor's range.
pub(crate) fn range_of(lines: &Lines, text: &str, span: Span) -> Range {
    lines.range(text, span.start as usize, span.end as usize)
}

/// A text after one change of it.
pub(crate) fn changed(text: &str, change: &TextDocumentContentChangeEvent) -> String {
    let Some(range) = change.range else { return change.text.clone() };
    let lines = Lines::new(text);
    let start = lines.offset(text, range.start);
    let end = lines.offset(text, range.end).max(start);
    format!("{}{}{}", &text[..start], change.text, &text[end..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_utf16_units() {
        let text = "a: \"😀é\" x\nb\r\n";
        let lines = Lines::new(text);
        let x = text.find('x').unwrap();
        let place = lines.position(text, x);
        assert_eq!((place.line, place.character), (0, 9));
        assert_eq!(lines.offset(text, place), x);
        assert_eq!(lines.position(text, 999), Position { line: 2, character: 0 });
        assert_eq!(
            lines.offset(text, Position { line: 0, character: 99 }),
            text.find('\n').unwrap()
        );
        assert_eq!(lines.offset(text, Position { line: 99, character: 0 }), text.len());
        assert_eq!(lines.line_end(text, x + 2), text.find('\r').unwrap());
    }

    #[test]
    fn a_change_replaces_its_range() {
        let change = |range: Option<((u32, u32), (u32, u32))>, text: &str| {
            let place = |(line, character)| Position { line, character };
            TextDocumentContentChangeEvent {
                range: range.map(|(start, end)| Range { start: place(start), end: place(end) }),
                range_length: None,
                text: text.to_owned(),
            }
        };
        assert_eq!(changed("ab\ncd\n", &change(Some(((0, 1), (1, 1))), "X")), "aXd\n");
        assert_eq!(changed("ab", &change(None, "x")), "x");
        assert_eq!(changed("ab", &change(Some(((0, 2), (0, 1))), "x")), "abx", "ends turned round");
    }
}
