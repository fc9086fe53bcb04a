//! One JSON object a line: plain rows straight into columns, deletes and diffs as changes.

use std::io::{self, BufRead, BufReader, Read};

use arqon_proto::{BodyCodec, RowError};
use arqon_types::{Change, ColumnBatch, Type};

use crate::batch::{InputBatch, InputRows};
use crate::fault::{LineFault, ReadError};
use crate::stream::{BUFFER_BYTES, RECORD_BYTES_MAX};

pub(crate) struct NdjsonInput {
    file: String,
    reader: BufReader<Box<dyn Read + Send>>,
    codec: BodyCodec,
    types: Vec<Type>,
    line: u64,
    text: Vec<u8>,
    /// A pipe: what is there is handed on before more is waited for.
    drains: bool,
    /// Why the file broke off behind the last batch.
    broken: Option<ReadError>,
}

impl NdjsonInput {
    pub(crate) fn new(
        file: &str,
        bytes: Box<dyn Read + Send>,
        codec: BodyCodec,
        drains: bool,
    ) -> Self {
        let types = codec.rows().types().to_vec();
        let reader = BufReader::with_capacity(BUFFER_BYTES, bytes);
        let file = file.to_owned();
        Self { file, reader, codec, types, line: 0, text: Vec::new(), drains, broken: None }
    }

    /// Reads at most `n_records_max` records; `None` at the end.
    pub(crate) fn next_batch(
        &mut self,
        n_records_max: usize,
    ) -> Result<Option<InputBatch>, ReadError> {
        if let Some(broken) = self.broken.take() {
            return Err(broken);
        }
        let mut lines = Lines { batch: ColumnBatch::empty(&self.types), changes: None };
        let mut faults = Vec::new();
        let mut n_records = 0_usize;
        while n_records < n_records_max {
            match self.next_line() {
                Ok(true) => {}
                Ok(false) => break,
                // What was read before stands; the next call says why there is no more.
                Err(broken) if n_records > 0 => {
                    self.broken = Some(broken);
                    break;
                }
                Err(broken) => return Err(broken),
            }
            let text = self.text.trim_ascii();
            if text.is_empty() {
                continue;
            }
            n_records += 1;
            let read = match std::str::from_utf8(text) {
                Ok(json) => lines.push(json, &self.codec, &self.types),
                Err(_) => Err(RowError::new("", "is not UTF-8")),
            };
            if let Err(RowError { field, reason }) = read {
                faults.push(LineFault::new(&self.file, self.line, field, reason, text));
            }
            if self.drains && self.reader.buffer().is_empty() {
                break;
            }
        }
        if n_records == 0 {
            return Ok(None);
        }
        let rows = match lines.changes {
            Some(changes) => InputRows::Changes(changes),
            None => InputRows::Columns(lines.batch),
        };
        Ok(Some(InputBatch { rows, faults }))
    }

    /// Puts the next line into `self.text`, without a byte order mark; false at the end.
    fn next_line(&mut self) -> Result<bool, ReadError> {
        self.text.clear();
        let fault =
            |file: &str, line, source| ReadError::Read { file: file.to_owned(), line, source };
        let n_bytes = (&mut self.reader)
            .take(RECORD_BYTES_MAX + 1)
            .read_until(b'\n', &mut self.text)
            .map_err(|source| fault(&self.file, self.line, source))?;
        if n_bytes == 0 {
            return Ok(false);
        }
        if n_bytes as u64 > RECORD_BYTES_MAX {
            let reason = format!("a line of more than {} MiB", RECORD_BYTES_MAX >> 20);
            let source = io::Error::new(io::ErrorKind::InvalidData, reason);
            return Err(fault(&self.file, self.line, source));
        }
        self.line += 1;
        if self.line == 1 && self.text.starts_with(b"\xEF\xBB\xBF") {
            self.text.drain(..3);
        }
        Ok(true)
    }
}

/// The rows read so far: columns until a line comes that is no plain row, changes from then on.
struct Lines {
    batch: ColumnBatch,
    changes: Option<Vec<Change>>,
}

impl Lines {
    fn push(&mut self, json: &str, codec: &BodyCodec, types: &[Type]) -> Result<(), RowError> {
        if let Some(changes) = &mut self.changes {
            changes.push(codec.decode(json)?);
            return Ok(());
        }
        if let Some(change) = codec.decode_into(json, &mut self.batch)? {
            // What stands before it becomes changes as well, so that the order is kept.
            let before = (0..self.batch.len()).map(|at| codec.change_of(self.batch.row(at, types)));
            self.changes = Some(before.chain([change]).collect());
        }
        Ok(())
    }
}
