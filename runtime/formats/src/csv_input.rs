//! CSV under a header: records straight into columns, on threads of their own where that is wanted.

use std::io::Read;
use std::sync::Arc;

use memchr::memchr_iter;

use arqon_types::{Column, Schema, TimeUnits, Type};

use crate::ahead::{Ahead, Crew};
use crate::batch::InputBatch;
use crate::cell::push_cell;
use crate::csv_pieces::{Cutter, Piece};
use crate::csv_record::Cells;
use crate::fault::{LineFault, ReadError};
use crate::options::InputOptions;
use crate::records::Records;

/// Records that a thread that reads ahead works on at a time.
const PIECE_RECORDS: usize = 1 << 14;
/// Of each thread, one that it works on, and one that waits.
const PIECES_PER_THREAD: u64 = 2;

/// What is said of a record in which the file ends within quotes.
const OPEN_QUOTE: &str = "a quote is opened and never closed";

/// Where the cells of one column of the file go: a field, or nowhere.
type Target = Option<usize>;

pub(crate) struct CsvInput {
    file: String,
    sheet: Arc<Sheet>,
    source: Source,
    /// What was read and not asked for yet, the last of it first.
    left: Vec<Records>,
}

/// Who reads.
enum Source {
    /// Whoever asks.
    Here(Cutter),
    /// So many threads, once somebody has asked.
    Soon(Cutter, usize),
    Ahead(Ahead<Result<Records, ReadError>>),
    /// All is read.
    Nobody,
}

/// What records are read as.
struct Sheet {
    file: String,
    names: Vec<String>,
    types: Vec<Type>,
    units: Vec<TimeUnits>,
    targets: Vec<Target>,
    /// Fields that no column of the file names; options all of them.
    absent: Vec<usize>,
    /// Lines end in CR LF, so the last cell of each record keeps the CR.
    crlf: bool,
}

impl CsvInput {
    /// Reads the header and matches it with the schema; `None` if the file is empty.
    pub(crate) fn open(
        file: &str,
        bytes: Box<dyn Read + Send>,
        schema: &Schema,
        options: InputOptions,
    ) -> Result<Option<Self>, ReadError> {
        let mut cutter = Cutter::new(file, bytes);
        let Some(header) = cutter.cut(1)? else { return Ok(None) };
        let mut sheet = Err(String::new());
        header.each(|_, text, cells| {
            sheet = Sheet::new(file, cells.iter(text).collect(), schema, options);
        });
        if header.is_open() {
            sheet = Err(format!("{OPEN_QUOTE} in the header"));
        }
        let sheet = sheet.map_err(|reason| ReadError::Header { file: file.to_owned(), reason })?;
        cutter.crlf = sheet.crlf;
        let (file, sheet, source) = (file.to_owned(), Arc::new(sheet), Source::Here(cutter));
        Ok(Some(Self { file, sheet, source, left: Vec::new() }))
    }

    /// Lets so many threads read ahead.
    pub(crate) fn read_ahead(&mut self, n_threads: usize) {
        self.source = match std::mem::replace(&mut self.source, Source::Nobody) {
            Source::Here(cutter) if n_threads > 1 => Source::Soon(cutter, n_threads),
            source => source,
        };
    }

    /// Reads at most `n_records_max` records; `None` at the end.
    pub(crate) fn next_batch(
        &mut self,
        n_records_max: usize,
    ) -> Result<Option<InputBatch>, ReadError> {
        let Some(mut records) = self.next_records(n_records_max)? else { return Ok(None) };
        self.left.extend(records.cut(n_records_max));
        Ok(Some(records.into()))
    }

    fn next_records(&mut self, n_records_max: usize) -> Result<Option<Records>, ReadError> {
        if let Some(left) = self.left.pop() {
            return Ok(Some(left));
        }
        if let Source::Soon(..) = self.source {
            self.begin()?;
        }
        match &mut self.source {
            Source::Here(cutter) => {
                let piece = cutter.cut(n_records_max)?;
                Ok(piece.map(|piece| self.sheet.read(&piece)))
            }
            Source::Ahead(ahead) => {
                let records = ahead.next().transpose()?;
                if records.is_none() {
                    self.source = Source::Nobody;
                }
                Ok(records)
            }
            Source::Soon(..) | Source::Nobody => Ok(None),
        }
    }

    /// Starts the threads.
    fn begin(&mut self) -> Result<(), ReadError> {
        let source = std::mem::replace(&mut self.source, Source::Nobody);
        let Source::Soon(mut cutter, n_threads) = source else { return Ok(()) };
        let sheet = Arc::clone(&self.sheet);
        // After a fault nothing more is cut.
        let mut is_broken = false;
        let cut = move || {
            let piece = if is_broken { None } else { cutter.cut(PIECE_RECORDS).transpose() };
            is_broken = matches!(piece, Some(Err(_)));
            piece
        };
        let work = move |piece: Result<Piece, ReadError>| piece.map(|piece| sheet.read(&piece));
        let crew = Crew { n_threads, pieces_per_thread: PIECES_PER_THREAD };
        let ahead = Ahead::start(crew, cut, work);
        let fault = |source| ReadError::Open { file: self.file.clone(), source };
        self.source = Source::Ahead(ahead.map_err(fault)?);
        Ok(())
    }
}

impl Sheet {
    /// Matches the cells of a header with the schema, or says why they do not fit.
    fn new(
        file: &str,
        header: Vec<&[u8]>,
        schema: &Schema,
        options: InputOptions,
    ) -> Result<Self, String> {
        let mut sheet = Self {
            file: file.to_owned(),
            names: schema.fields.iter().map(|field| field.name.to_string()).collect(),
            types: schema.types(),
            units: schema
                .fields
                .iter()
                .map(|field| schema.units.field(&field.name).clone())
                .collect(),
            targets: Vec::new(),
            absent: Vec::new(),
            crlf: false,
        };
        let n_cells = header.len();
        for (cell_idx, cell) in header.into_iter().enumerate() {
            let cell = match cell.strip_suffix(b"\r") {
                Some(bare) if cell_idx + 1 == n_cells => {
                    sheet.crlf = true;
                    bare
                }
                _ => cell,
            };
            let name = String::from_utf8_lossy(cell);
            let target = schema.position(name.trim());
            match target {
                Some(field_idx) if sheet.targets.contains(&Some(field_idx)) => {
                    return Err(format!("the header names `{}` twice", name.trim()));
                }
                None if !options.ignore_extra => {
                    return Err(format!(
                        "column `{}` is no field of `{}` ({}); --ignore-extra skips such columns",
                        name.trim(),
                        schema.name,
                        sheet.names.join(", ")
                    ));
                }
                Some(_) | None => sheet.targets.push(target),
            }
        }
        for (field_idx, field) in schema.fields.iter().enumerate() {
            if sheet.targets.contains(&Some(field_idx)) {
                continue;
            }
            if !field.ty.is_option() {
                return Err(format!(
                    "the header has no column `{}`, and {} is no option",
                    field.name, field.ty
                ));
            }
            sheet.absent.push(field_idx);
        }
        Ok(sheet)
    }

    /// The records of a piece.
    fn read(&self, piece: &Piece) -> Records {
        let n_records = piece.len();
        let mut columns: Vec<Column> =
            self.types.iter().map(|ty| Column::with_capacity(ty, n_records)).collect();
        let mut faults = Vec::new();
        let mut record_idx = 0;
        piece.each(|line, text, cells| {
            let is_open = record_idx + 1 == n_records && piece.is_open();
            if let Some((field, reason)) = self.push_record(&mut columns, (text, is_open), cells) {
                let text: Vec<&[u8]> = cells.iter(text).collect();
                let text = text.join(&b","[..]);
                let text = text.strip_suffix(b"\r").unwrap_or(&text);
                let fault = LineFault::new(&self.file, line, field, reason, text);
                faults.push((record_idx, fault));
            }
            record_idx += 1;
        });
        // A refused record has left defaults in the columns.
        Records::new(columns, n_records, faults)
    }

    /// Appends one cell to every column, defaults from a fault on, and says what the fault is. A
    /// record may be open: all that was left of the file is in it.
    fn push_record(
        &self,
        columns: &mut [Column],
        (record, is_open): (&[u8], bool),
        cells: &Cells,
    ) -> Option<(String, String)> {
        let n_cells = cells.len();
        let mut fault = None;
        if is_open {
            let n_lines = memchr_iter(b'\n', record).count();
            let lines = if n_lines == 1 { "line" } else { "lines" };
            let rest = format!("so all that is left of the file is in it, {n_lines} {lines}");
            fault = Some((String::new(), format!("{OPEN_QUOTE}, {rest}")));
        } else if n_cells != self.targets.len() {
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
            let mut cell = cells.get(record, cell_idx);
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
}
