//! CSV under a header: records straight into columns.

use std::io::Read;

use arqon_types::{Column, ColumnBatch, Schema, TimeUnits, Type};
use csv::{ByteRecord, ReaderBuilder, Terminator};

use crate::batch::{InputBatch, InputRows};
use crate::cell::push_cell;
use crate::fault::{LineFault, ReadError};
use crate::options::InputOptions;
use crate::stream::{Bounded, RecordStart};

/// Where the cells of one column of the file go: a field, or nowhere.
type Target = Option<usize>;

pub(crate) struct CsvInput {
    file: String,
    reader: csv::Reader<Bounded<Box<dyn Read + Send>>>,
    record: ByteRecord,
    record_start: RecordStart,
    /// Lines end in CR LF, so the last cell of each record keeps the CR.
    crlf: bool,
    names: Vec<String>,
    types: Vec<Type>,
    units: Vec<TimeUnits>,
    targets: Vec<Target>,
    /// Fields that no column of the file names; options all of them.
    absent: Vec<usize>,
    /// Why the file broke off behind the last batch.
    broken: Option<ReadError>,
}

impl CsvInput {
    /// Reads the header and matches it with the schema; `None` if the file is empty.
    pub(crate) fn open(
        file: &str,
        bytes: Box<dyn Read + Send>,
        schema: &Schema,
        options: InputOptions,
    ) -> Result<Option<Self>, ReadError> {
        let record_start = RecordStart::default();
        // Lines are cut at LF alone and a CR before it is taken off here: so the reader has
        // always passed the whole of a record's end, and its line count is exact.
        let reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .terminator(Terminator::Any(b'\n'))
            .from_reader(Bounded::new(bytes, record_start.clone()));
        let mut input = Self {
            file: file.to_owned(),
            reader,
            record: ByteRecord::new(),
            record_start,
            crlf: false,
            names: schema.fields.iter().map(|field| field.name.to_string()).collect(),
            types: schema.types(),
            units: schema
                .fields
                .iter()
                .map(|field| schema.units.field(&field.name).clone())
                .collect(),
            targets: Vec::new(),
            absent: Vec::new(),
            broken: None,
        };
        if !input.read_record()? {
            return Ok(None);
        }
        input.match_header(schema, options)?;
        Ok(Some(input))
    }

    fn match_header(&mut self, schema: &Schema, options: InputOptions) -> Result<(), ReadError> {
        let fault = |reason| ReadError::Header { file: self.file.clone(), reason };
        let header = std::mem::take(&mut self.record);
        let n_cells = header.len();
        for (cell_idx, cell) in header.iter().enumerate() {
            let cell = match cell.strip_suffix(b"\r") {
                Some(bare) if cell_idx + 1 == n_cells => {
                    self.crlf = true;
                    bare
                }
                _ => cell,
            };
            let name = String::from_utf8_lossy(cell);
            let target = schema.position(name.trim());
            match target {
                Some(field_idx) if self.targets.contains(&Some(field_idx)) => {
                    return Err(fault(format!("the header names `{}` twice", name.trim())));
                }
                None if !options.ignore_extra => {
                    return Err(fault(format!(
                        "column `{}` is no field of `{}` ({}); --ignore-extra skips such columns",
                        name.trim(),
                        schema.name,
                        self.names.join(", ")
                    )));
                }
                Some(_) | None => self.targets.push(target),
            }
        }
        for (field_idx, field) in schema.fields.iter().enumerate() {
            if self.targets.contains(&Some(field_idx)) {
                continue;
            }
            if !field.ty.is_option() {
                return Err(fault(format!(
                    "the header has no column `{}`, and {} is no option",
                    field.name, field.ty
                )));
            }
            self.absent.push(field_idx);
        }
        self.record = header;
        Ok(())
    }

    /// Reads at most `n_records_max` records; `None` at the end.
    pub(crate) fn next_batch(
        &mut self,
        n_records_max: usize,
    ) -> Result<Option<InputBatch>, ReadError> {
        if let Some(broken) = self.broken.take() {
            return Err(broken);
        }
        let room = n_records_max.min(1 << 16);
        let mut columns: Vec<Column> =
            self.types.iter().map(|ty| Column::with_capacity(ty, room)).collect();
        let mut refused = Vec::new();
        let mut faults = Vec::new();
        let mut n_records = 0_usize;
        while n_records < n_records_max {
            let line_before = self.reader.position().line();
            match self.read_record() {
                Ok(true) => {}
                Ok(false) => break,
                // What was read before stands; the next call says why there is no more.
                Err(broken) if n_records > 0 => {
                    self.broken = Some(broken);
                    break;
                }
                Err(broken) => return Err(broken),
            }
            if self.is_blank() {
                continue;
            }
            if let Some((field, reason)) = self.push_record(&mut columns) {
                refused.push(n_records);
                let line = self.line_of_record(line_before);
                faults.push(LineFault::new(&self.file, line, field, reason, &self.line_text()));
            }
            n_records += 1;
        }
        if n_records == 0 {
            return Ok(None);
        }
        let mut batch = ColumnBatch { columns, diffs: vec![1; n_records] };
        if !refused.is_empty() {
            // A refused record has left defaults in the columns; they go here, all at once.
            let mut refused = refused.into_iter().peekable();
            let kept: Vec<u32> = (0..n_records)
                .filter(|row_idx| refused.next_if_eq(row_idx).is_none())
                .map(|row_idx| u32::try_from(row_idx).expect("a batch is far below 2^32 rows"))
                .collect();
            batch = batch.gather(&kept);
        }
        Ok(Some(InputBatch { rows: InputRows::Columns(batch), faults }))
    }

    /// Appends one cell to every column, defaults from a fault on, and says what the fault is.
    fn push_record(&self, columns: &mut [Column]) -> Option<(String, String)> {
        let n_cells = self.record.len();
        let mut fault = None;
        if n_cells != self.targets.len() {
            let n_wanted = self.targets.len();
            fault = Some((String::new(), format!("has {n_cells} cells, the header {n_wanted}")));
        }
        for (cell_idx, target) in self.targets.iter().enumerate() {
            let Some(field_idx) = *target else { continue };
            let column = &mut columns[field_idx];
            if fault.is_some() {
                column.push_default();
                continue;
            }
            let mut cell = &self.record[cell_idx];
            if self.crlf && cell_idx + 1 == n_cells {
                cell = cell.strip_suffix(b"\r").unwrap_or(cell);
            }
            let (ty, units) = (&self.types[field_idx], &self.units[field_idx]);
            if let Err(error) = push_cell(column, ty, units, cell) {
                column.push_default();
                let name = &self.names[field_idx];
                let below = &error.field;
                let dot = if below.is_empty() || below.starts_with('[') { "" } else { "." };
                fault = Some((format!("{name}{dot}{below}"), error.reason));
            }
        }
        for field_idx in &self.absent {
            columns[*field_idx].push_default();
        }
        fault
    }

    fn read_record(&mut self) -> Result<bool, ReadError> {
        self.record_start.set(self.reader.position().byte());
        let line = self.reader.position().line().saturating_sub(1);
        self.reader.read_byte_record(&mut self.record).map_err(|error| ReadError::Read {
            file: self.file.clone(),
            line,
            source: error.into(),
        })
    }

    /// A line with nothing but a CR; lines with nothing at all never come out of the reader.
    fn is_blank(&self) -> bool {
        self.crlf && self.record.len() == 1 && &self.record[0] == b"\r"
    }

    /// The reader stands behind the record's line end, so inner line breaks are counted back.
    #[expect(clippy::naive_bytecount, reason = "only records at fault are counted")]
    fn line_of_record(&self, line_before: u64) -> u64 {
        let n_inner = self.record.as_slice().iter().filter(|byte| **byte == b'\n').count();
        let line = self.reader.position().line().saturating_sub(1 + n_inner as u64);
        line.max(line_before)
    }

    fn line_text(&self) -> Vec<u8> {
        let cells: Vec<&[u8]> = self.record.iter().collect();
        let text = cells.join(&b","[..]);
        text.strip_suffix(b"\r").map_or(text.clone(), <[u8]>::to_vec)
    }
}
