//! Records of CSV: where one ends, and its cells, as RFC 4180 has them.
//!
//! Commas part cells and LF ends a record, save in quotes; a quote opens where a cell begins and
//! nowhere else, and stands twice for itself within. What comes behind a closing quote belongs to
//! the cell.

use memchr::memchr;

/// How far a record goes that has quotes, and may have many lines.
#[derive(Debug, Default)]
pub(crate) struct Quotes {
    is_within: bool,
}

impl Quotes {
    /// Whether the record ends with this line of it, which has its LF. From quote to quote: only
    /// there can be an open one or none.
    pub(crate) fn end_with(&mut self, line: &[u8]) -> bool {
        let mut at = 0;
        while let Some(ahead) = memchr(b'"', &line[at..]) {
            let quote = at + ahead;
            at = quote + 1;
            if !self.is_within {
                self.is_within = quote == 0 || line[quote - 1] == b',';
            } else if line.get(at) == Some(&b'"') {
                at += 1;
            } else {
                self.is_within = false;
            }
        }
        !self.is_within
    }
}

/// The cells of a record.
#[derive(Debug, Default)]
pub(crate) struct Cells {
    cells: Vec<Cell>,
    /// What cells are that do not stand in the record as they are.
    text: Vec<u8>,
}

/// Where a cell begins and ends.
#[derive(Debug, Clone, Copy)]
struct Cell {
    start: usize,
    end: usize,
    /// In the text beside the record, not in the record itself.
    is_apart: bool,
}

impl Cells {
    /// Those of a record without its line end.
    pub(crate) fn split(&mut self, record: &[u8]) {
        self.cells.clear();
        self.text.clear();
        let mut start = 0;
        loop {
            let (cell, end) = if record.get(start) == Some(&b'"') {
                self.quoted(record, start)
            } else {
                let end = comma(record, start);
                (Cell { start, end, is_apart: false }, end)
            };
            self.cells.push(cell);
            if end == record.len() {
                return;
            }
            start = end + 1;
        }
    }

    /// A cell that begins with a quote, and where the comma behind it stands.
    fn quoted(&mut self, record: &[u8], start: usize) -> (Cell, usize) {
        let start = start + 1;
        let Some(n_bytes) = memchr(b'"', &record[start..]) else {
            // Nobody closes it: the rest is the cell.
            return (Cell { start, end: record.len(), is_apart: false }, record.len());
        };
        let end = start + n_bytes;
        match record.get(end + 1) {
            None | Some(b',') => (Cell { start, end, is_apart: false }, end + 1),
            Some(_) => self.apart(record, start),
        }
    }

    /// The same where letters follow a quote. The cell begins behind its first quote.
    fn apart(&mut self, record: &[u8], start: usize) -> (Cell, usize) {
        let text_start = self.text.len();
        let mut at = start;
        let end = loop {
            let Some(n_bytes) = memchr(b'"', &record[at..]) else {
                self.text.extend_from_slice(&record[at..]);
                break record.len();
            };
            let quote = at + n_bytes;
            self.text.extend_from_slice(&record[at..quote]);
            at = quote + 1;
            if record.get(at) == Some(&b'"') {
                self.text.push(b'"');
                at += 1;
            } else {
                let end = comma(record, at);
                self.text.extend_from_slice(&record[at..end]);
                break end;
            }
        };
        (Cell { start: text_start, end: self.text.len(), is_apart: true }, end)
    }

    /// How many.
    pub(crate) fn len(&self) -> usize {
        self.cells.len()
    }

    /// A cell of the record that was split.
    pub(crate) fn get<'c>(&'c self, record: &'c [u8], cell_idx: usize) -> &'c [u8] {
        let Cell { start, end, is_apart } = self.cells[cell_idx];
        if is_apart { &self.text[start..end] } else { &record[start..end] }
    }

    /// All of them.
    pub(crate) fn iter<'c>(&'c self, record: &'c [u8]) -> impl Iterator<Item = &'c [u8]> {
        (0..self.len()).map(|cell_idx| self.get(record, cell_idx))
    }
}

/// Where the next comma stands, or the record ends. Cells are short.
fn comma(record: &[u8], start: usize) -> usize {
    let n_bytes = record[start..].iter().position(|byte| *byte == b',');
    n_bytes.map_or(record.len(), |n_bytes| start + n_bytes)
}
