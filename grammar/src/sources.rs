//! Several texts as one: a circuit's own, then those of the files that it imports.
//!
//! All of them share one space of byte offsets, the circuit's own text first. So whatever carries
//! a span need not say which file it is of, and a circuit without imports looks as if there were
//! no others.

use std::cell::OnceCell;

use crate::span::LineIndex;
use crate::span::Position;
use crate::span::Span;

/// The texts of one circuit.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// All texts, each followed by a line break that belongs to none of them.
    text: String,
    /// At least the circuit itself, in order of their places.
    files: Vec<SourceFile>,
}

/// One of the files.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SourceFile {
    /// What people call it: a path as the user gave it, or one beside it.
    pub name: String,
    /// Its place among all texts.
    pub span: Span,
}

impl Sources {
    /// A circuit's own text; `name` is how the user called the file.
    pub fn new(name: &str, text: &str) -> Self {
        let mut sources = Self::default();
        sources.add(name, text);
        sources
    }

    /// Adds a file behind those that are there.
    pub(crate) fn add(&mut self, name: &str, text: &str) -> Span {
        let offset = |at: usize| u32::try_from(at).expect("imports end far below 4 GiB");
        let start = offset(self.text.len());
        self.text.push_str(text);
        let span = Span::new(start, offset(self.text.len()));
        self.text.push('\n');
        self.files.push(SourceFile { name: name.to_owned(), span });
        span
    }

    /// All texts one after another, as spans count them.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// All files, the circuit itself first.
    pub fn files(&self) -> &[SourceFile] {
        &self.files
    }

    /// The circuit itself.
    pub fn main(&self) -> &SourceFile {
        &self.files[0]
    }

    /// The text of the circuit itself.
    pub fn main_text(&self) -> &str {
        self.main().span.slice(&self.text)
    }

    /// Whether a place is in the circuit itself.
    pub fn is_main(&self, span: Span) -> bool {
        span.start <= self.main().span.end
    }

    /// The file in which a place is.
    pub fn file(&self, span: Span) -> &SourceFile {
        &self.files[self.index_of(span)]
    }

    fn index_of(&self, span: Span) -> usize {
        self.files.partition_point(|file| file.span.start <= span.start).saturating_sub(1)
    }

    /// The text of a file.
    pub fn text_of(&self, file: &SourceFile) -> &str {
        file.span.slice(&self.text)
    }

    /// Lines and columns of places.
    pub fn lines(&self) -> Lines<'_> {
        Lines { sources: self, indexes: vec![OnceCell::new(); self.files.len()] }
    }
}

/// Where the lines of the files begin; each file is read when the first place in it is asked for.
#[derive(Debug)]
pub struct Lines<'s> {
    sources: &'s Sources,
    indexes: Vec<OnceCell<LineIndex>>,
}

impl<'s> Lines<'s> {
    /// The file of a place, and the positions of both ends in it.
    pub fn range(&self, span: Span) -> (&'s str, Position, Position) {
        let idx = self.sources.index_of(span);
        let file = &self.sources.files[idx];
        let text = self.sources.text_of(file);
        let index = self.indexes[idx].get_or_init(|| LineIndex::new(text));
        let at = |offset: u32| index.position(text, offset.saturating_sub(file.span.start));
        (&file.name, at(span.start), at(span.end))
    }

    /// The file and the position where a place begins.
    pub fn start(&self, span: Span) -> (&'s str, Position) {
        let (file, start, _) = self.range(Span::empty(span.start));
        (file, start)
    }

    /// `file:line:column`.
    pub fn place(&self, span: Span) -> String {
        let (file, start) = self.start(span);
        format!("{file}:{}:{}", start.line, start.column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_in_their_own_file() {
        let mut sources = Sources::new("a.yaml", "one\ntwo");
        let second = sources.add("b.yaml", "\u{feff}drei\nvier\n");
        let lines = sources.lines();
        assert_eq!(lines.place(Span::empty(5)), "a.yaml:2:2");
        assert_eq!(lines.place(Span::empty(7)), "a.yaml:2:4");
        assert_eq!(lines.place(Span::empty(second.start + 3)), "b.yaml:1:1");
        assert_eq!(lines.place(Span::empty(second.start + 9)), "b.yaml:2:2");
        assert!(sources.is_main(Span::empty(7)) && !sources.is_main(second));
        assert_eq!(sources.main_text(), "one\ntwo");
    }
}
