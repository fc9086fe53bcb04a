//! From a scalar's text back to the file: where each of its bytes was written.

use granit_parser::ScalarStyle;

use super::Scalar;
use crate::span::Span;

/// Maps offsets in a scalar's text to offsets in the file.
#[derive(Debug)]
pub(crate) enum Offsets {
    /// The text stands in the file as it is, from this offset on.
    Shifted(u32),
    /// For each byte of the text, the place where its character was written; and the end.
    Table(Vec<Span>, u32),
}

impl Offsets {
    /// The offsets of a scalar written at `span` of `file`.
    pub(crate) fn new(file: &str, span: Span, scalar: &Scalar<'_>) -> Self {
        let written = span.slice(file);
        let (skip, inner) = match scalar.style {
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => {
                (1, written.get(1..written.len().saturating_sub(1)).unwrap_or(""))
            }
            _ => (0, written),
        };
        if inner == scalar.text {
            return Self::Shifted(span.start + skip);
        }
        let (table, end) = Aligner::new(file, span, scalar.style).align(&scalar.text);
        Self::Table(table, end)
    }

    /// The place in the file of a range of the text.
    pub(crate) fn span(&self, start: usize, end: usize) -> Span {
        match self {
            Self::Shifted(shift) => {
                let offset = |at: usize| shift + u32::try_from(at).unwrap_or(u32::MAX);
                Span::new(offset(start), offset(end))
            }
            Self::Table(table, last) => {
                let at = |at: usize| table.get(at).copied().unwrap_or(Span::empty(*last));
                if end <= start { Span::empty(at(start).start) } else { at(start).to(at(end - 1)) }
            }
        }
    }
}

/// Walks the written form beside the text. A departure is mended at the next equal character.
struct Aligner<'a> {
    file: &'a [u8],
    at: usize,
    end: usize,
    style: ScalarStyle,
    /// Indentation of a block's first line.
    indent: usize,
}

impl<'a> Aligner<'a> {
    fn new(file: &'a str, span: Span, style: ScalarStyle) -> Self {
        let start = span.start as usize;
        let quoted = matches!(style, ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted);
        let line_start = file[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let end = (span.end as usize).min(file.len());
        Self {
            file: file.as_bytes(),
            at: start + usize::from(quoted),
            end: end - usize::from(quoted && start < end),
            style,
            indent: start - line_start,
        }
    }

    fn align(mut self, text: &str) -> (Vec<Span>, u32) {
        let offset = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        let mut table = Vec::with_capacity(text.len());
        for character in text.chars() {
            let (from, to) = self.step(character);
            let span = Span::new(offset(from.min(self.end)), offset(to.min(self.end)));
            table.extend(std::iter::repeat_n(span, character.len_utf8()));
        }
        (table, offset(self.at.min(self.end)))
    }

    /// Where a character of the text was written, up to the byte after it.
    fn step(&mut self, character: char) -> (usize, usize) {
        if self.style == ScalarStyle::DoubleQuoted {
            self.skip_escaped_breaks();
            if self.peek(0) == Some(b'\\') {
                let from = self.at;
                self.at = (self.at + self.escape_len()).min(self.end);
                return (from, self.at);
            }
        }
        if character == ' ' || character == '\n' {
            return self.space(character);
        }
        self.resync(character);
        let from = self.at;
        let doubled = matches!(self.style, ScalarStyle::SingleQuoted) && character == '\'';
        let len = if doubled { 2 } else { character.len_utf8() };
        self.at = (self.at + len).min(self.end.max(from));
        (from, self.at)
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        let at = self.at + ahead;
        (at < self.end).then(|| self.file[at])
    }

    /// A space or line break of the text: itself, or a folded run of white space.
    fn space(&mut self, character: char) -> (usize, usize) {
        let from = self.at;
        let block = matches!(self.style, ScalarStyle::Literal | ScalarStyle::Folded);
        if block {
            if self.peek(0) == Some(b'\r') {
                self.at += 1;
            }
            if self.peek(0) == Some(b'\n') {
                self.at += 1;
                self.skip_indent();
            } else if character == ' ' && self.peek(0) == Some(b' ') {
                self.at += 1;
            }
            return (from, from + 1);
        }
        let run = (self.at..self.end)
            .take_while(|at| matches!(self.file[*at], b' ' | b'\t' | b'\r' | b'\n'))
            .count();
        let has_break = self.file[self.at..self.at + run].contains(&b'\n');
        match (has_break, character) {
            (false, _) => self.at = (self.at + usize::from(0 < run)).min(self.end),
            (true, '\n') => {
                let first = self.file[self.at..self.at + run].iter().position(|b| *b == b'\n');
                self.at += first.unwrap_or_default() + 1;
            }
            (true, _) => self.at += run,
        }
        (from, from + 1)
    }

    fn skip_indent(&mut self) {
        let spaces = (0..self.indent).take_while(|ahead| self.peek(*ahead) == Some(b' ')).count();
        self.at += spaces;
    }

    /// A backslash at a line's end joins it with the next.
    fn skip_escaped_breaks(&mut self) {
        while self.peek(0) == Some(b'\\') && matches!(self.peek(1), Some(b'\r' | b'\n')) {
            self.at += 2;
            while matches!(self.peek(0), Some(b' ' | b'\t' | b'\r' | b'\n')) {
                self.at += 1;
            }
        }
    }

    fn escape_len(&self) -> usize {
        match self.peek(1) {
            Some(b'x') => 4,
            // A surrogate pair is two escapes for one character.
            Some(b'u')
                if matches!(self.peek(2), Some(b'd' | b'D'))
                    && matches!(self.peek(3), Some(b'8'..=b'9' | b'a'..=b'b' | b'A'..=b'B')) =>
            {
                12
            }
            Some(b'u') => 6,
            Some(b'U') => 10,
            _ => 2,
        }
    }

    /// Goes on to the next place where `character` stands, when there is one.
    fn resync(&mut self, character: char) {
        let mut bytes = [0; 4];
        let wanted = character.encode_utf8(&mut bytes).as_bytes();
        let rest = &self.file[self.at.min(self.end)..self.end];
        if rest.starts_with(wanted) {
            return;
        }
        if let Some(ahead) = rest.windows(wanted.len()).position(|window| window == wanted) {
            self.at += ahead;
        }
    }
}
