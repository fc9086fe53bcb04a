//! A CSV file in pieces of some whole records, each of which can be read by itself.

use std::io::{self, BufRead, BufReader, Read};

use crate::csv_record::{Cells, Quotes};
use crate::fault::ReadError;
use crate::stream::{BUFFER_BYTES, RECORD_BYTES_MAX};

/// Bytes from which on a piece takes no more records.
const PIECE_BYTES_MAX: usize = 16 << 20;

/// The bytes of a file, and how far it is cut.
pub(crate) struct Cutter {
    file: String,
    reader: BufReader<Box<dyn Read + Send>>,
    /// Lines that are cut off.
    n_lines: u64,
    /// Lines end in CR LF, so one with nothing but a CR is blank.
    pub(crate) crlf: bool,
    /// Why the file broke off behind the last piece.
    broken: Option<ReadError>,
    /// Bytes of the last piece, which the next one is likely to have too.
    n_bytes: usize,
}

/// Some records.
pub(crate) struct Piece {
    bytes: Vec<u8>,
    records: Vec<Record>,
}

/// Where a record stands in its piece.
#[derive(Debug, Clone, Copy)]
struct Record {
    start: usize,
    /// Without the line end.
    end: usize,
    /// The line where it begins.
    line: u64,
    /// The file ended within a quote, so nobody knows where the record was to end.
    is_open: bool,
}

impl Cutter {
    /// At the begin of the file.
    pub(crate) fn new(file: &str, bytes: Box<dyn Read + Send>) -> Self {
        let reader = BufReader::with_capacity(BUFFER_BYTES, bytes);
        let file = file.to_owned();
        Self { file, reader, n_lines: 0, crlf: false, broken: None, n_bytes: 0 }
    }

    /// At most so many records, fewer where they are long; none at the end. Blank lines are none.
    ///
    /// # Errors
    /// If the file breaks off, or a record does not end; what was before stands.
    pub(crate) fn cut(&mut self, n_records_max: usize) -> Result<Option<Piece>, ReadError> {
        if let Some(broken) = self.broken.take() {
            return Err(broken);
        }
        let room = self.n_bytes + self.n_bytes / 8;
        let records = Vec::with_capacity(n_records_max.min(1 << 14));
        let mut piece = Piece { bytes: Vec::with_capacity(room), records };
        while piece.records.len() < n_records_max && piece.bytes.len() < PIECE_BYTES_MAX {
            match self.record(&mut piece.bytes) {
                Ok(Some(record)) => piece.records.push(record),
                Ok(None) => break,
                // What was read before stands; the next call says why there is no more.
                Err(broken) if !piece.records.is_empty() => {
                    self.broken = Some(broken);
                    break;
                }
                Err(broken) => return Err(broken),
            }
        }
        self.n_bytes = piece.bytes.len();
        Ok((!piece.records.is_empty()).then_some(piece))
    }

    /// Appends the next record that is not blank.
    fn record(&mut self, bytes: &mut Vec<u8>) -> Result<Option<Record>, ReadError> {
        let mut start = bytes.len();
        loop {
            let line = self.n_lines + 1;
            if !self.line(bytes, start)? {
                return Ok(None);
            }
            if line == 1 && bytes[start..].starts_with(b"\xEF\xBB\xBF") {
                start += 3;
            }
            let mut quotes = Quotes::default();
            let mut line_start = start;
            while !quotes.end_with(&bytes[line_start..]) {
                line_start = bytes.len();
                if !self.line(bytes, start)? {
                    // A quote that nobody closed: the rest is the cell, line ends and all.
                    return Ok(Some(Record { start, end: bytes.len(), line, is_open: true }));
                }
            }
            let end = bytes.len() - 1;
            let text = &bytes[start..end];
            if !(text.is_empty() || self.crlf && text == b"\r") {
                return Ok(Some(Record { start, end, line, is_open: false }));
            }
            bytes.truncate(start);
        }
    }

    /// Appends a line, with its end even where the file has none; false at the end of the file. The
    /// record began at `start`.
    fn line(&mut self, bytes: &mut Vec<u8>, start: usize) -> Result<bool, ReadError> {
        let n_before = (bytes.len() - start) as u64;
        let rest = (RECORD_BYTES_MAX + 1).saturating_sub(n_before);
        let n_bytes = self.reader.by_ref().take(rest).read_until(b'\n', bytes);
        let n_bytes = n_bytes.map_err(|source| self.fault(source))?;
        if RECORD_BYTES_MAX < n_before + n_bytes as u64 {
            let reason = format!(
                "a record of more than {} MiB; is a quote opened and never closed?",
                RECORD_BYTES_MAX >> 20
            );
            return Err(self.fault(io::Error::new(io::ErrorKind::InvalidData, reason)));
        }
        if n_bytes == 0 {
            return Ok(false);
        }
        if bytes.last() != Some(&b'\n') {
            bytes.push(b'\n');
        }
        self.n_lines += 1;
        Ok(true)
    }

    fn fault(&self, source: io::Error) -> ReadError {
        ReadError::Read { file: self.file.clone(), line: self.n_lines, source }
    }
}

impl Piece {
    /// How many records.
    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    /// The records in turn, each with the line where it begins, and with its cells split.
    pub(crate) fn each(&self, mut take: impl FnMut(u64, &[u8], &Cells)) {
        let mut cells = Cells::default();
        for Record { start, end, line, .. } in &self.records {
            let text = &self.bytes[*start..*end];
            cells.split(text);
            take(*line, text, &cells);
        }
    }

    /// Whether the last record begins with a quote that nobody has closed, and so has all that was
    /// left of the file in it.
    pub(crate) fn is_open(&self) -> bool {
        self.records.last().is_some_and(|record| record.is_open)
    }
}

#[cfg(test)]
mod tests {
    use csv::{ByteRecord, ReaderBuilder, Terminator};
    use proptest::prelude::*;

    use super::*;

    /// What the crate `csv` makes of a file.
    fn oracle(text: &[u8]) -> Vec<Vec<Vec<u8>>> {
        let mut text = text.to_vec();
        if text.last().is_some_and(|last| *last != b'\n') {
            text.push(b'\n');
        }
        let mut reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .terminator(Terminator::Any(b'\n'))
            .from_reader(text.as_slice());
        let (mut record, mut records) = (ByteRecord::new(), Vec::new());
        while reader.read_byte_record(&mut record).unwrap() {
            records.push(record.iter().map(<[u8]>::to_vec).collect());
        }
        records
    }

    fn cut(text: &[u8], n_records_max: usize) -> Vec<(u64, Vec<Vec<u8>>)> {
        let mut cutter = Cutter::new("a.csv", Box::new(io::Cursor::new(text.to_vec())));
        let mut records = Vec::new();
        while let Some(piece) = cutter.cut(n_records_max).unwrap() {
            assert!((1..=n_records_max).contains(&piece.len()));
            piece.each(|line, text, cells| {
                records.push((line, cells.iter(text).map(<[u8]>::to_vec).collect()));
            });
        }
        records
    }

    #[test]
    fn records_know_the_line_where_they_begin() {
        let text = b"a\n\n\"b\n\nc\",d\ne";
        let lines: Vec<u64> = cut(text, 2).into_iter().map(|(line, _)| line).collect();
        assert_eq!(lines, [1, 3, 6]);
    }

    proptest! {
        #[test]
        fn records_are_those_that_the_crate_reads(
            bytes in prop::collection::vec(
                prop::sample::select(b"ab,,\"\"\n\n\r".to_vec()),
                0..60,
            ),
            n_records_max in 1_usize..5,
        ) {
            let cut = cut(&bytes, n_records_max);
            let records: Vec<_> = cut.into_iter().map(|(_, cells)| cells).collect();
            prop_assert_eq!(records, oracle(&bytes));
        }
    }
}
