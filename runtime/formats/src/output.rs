//! A topic written to a file: its deltas line by line, or its rows at the end.

use std::fmt;
use std::fs::File;
use std::io::{self, BufWriter, Write};

use arqon_proto::RowCodec;
use arqon_types::{DeltaBatch, Row, Schema};
use flate2::write::GzEncoder;

use crate::cell::write_cell;
use crate::fault::WriteError;
use crate::location::{Compression, Format, Location};
use crate::parquet_output::write_parquet;
use crate::snapshot::Snapshot;

/// What is written of a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputKind {
    /// Every change as it happens; NDJSON only.
    Deltas,
    /// The rows at the end.
    Snapshot,
}

/// An open output.
pub struct OutputFile {
    name: String,
    sink: Sink,
    format: Format,
    codec: RowCodec,
    /// Holds the rows for the end, if a snapshot is wanted.
    snapshot: Option<Snapshot>,
    text: Vec<u8>,
}

enum Sink {
    Plain(Box<dyn Write + Send>),
    Gzip(Box<GzEncoder<Box<dyn Write + Send>>>),
    Zstd(Box<zstd::Encoder<'static, Box<dyn Write + Send>>>),
}

impl OutputFile {
    /// Creates or empties the file at `location`, for rows of `schema`.
    ///
    /// # Errors
    /// [`WriteError`] if it cannot be created.
    ///
    /// # Panics
    /// If deltas are wanted as CSV or Parquet: the caller has refused that.
    pub fn create(
        location: &Location,
        schema: &Schema,
        kind: OutputKind,
    ) -> Result<Self, WriteError> {
        assert!(
            kind == OutputKind::Snapshot || location.format == Format::Ndjson,
            "deltas are NDJSON"
        );
        let name = location.to_string();
        let raw: Box<dyn Write + Send> = match &location.path {
            None => Box::new(BufWriter::new(io::stdout())),
            Some(path) => Box::new(BufWriter::with_capacity(
                256 << 10,
                File::create(path).map_err(|source| WriteError { file: name.clone(), source })?,
            )),
        };
        let sink = match location.compression {
            Compression::None => Sink::Plain(raw),
            Compression::Gzip => {
                Sink::Gzip(Box::new(GzEncoder::new(raw, flate2::Compression::default())))
            }
            Compression::Zstd => Sink::Zstd(Box::new(
                zstd::Encoder::new(raw, zstd::DEFAULT_COMPRESSION_LEVEL)
                    .map_err(|source| WriteError { file: name.clone(), source })?,
            )),
        };
        let snapshot = match kind {
            OutputKind::Deltas => None,
            OutputKind::Snapshot => Some(Snapshot::new(schema.types())),
        };
        let codec = RowCodec::new(schema.clone());
        Ok(Self { name, sink, format: location.format, codec, snapshot, text: Vec::new() })
    }

    /// Takes the changes of one or more epochs: writes them, or adds them to the snapshot.
    ///
    /// # Errors
    /// [`WriteError`], for instance if the disk is full.
    pub fn write(&mut self, delta: &DeltaBatch) -> Result<(), WriteError> {
        if let Some(snapshot) = &mut self.snapshot {
            snapshot.apply(delta);
            return Ok(());
        }
        for update in &delta.updates {
            self.text.clear();
            write!(self.text, "{{\"$epoch\":{},\"$diff\":{},\"$row\":", update.epoch, update.diff)
                .expect("writing to memory cannot fail");
            self.codec.encode(&update.row, &mut self.text);
            self.text.extend_from_slice(b"}\n");
            self.sink.write_all(&self.text).map_err(|source| self.fault(source))?;
        }
        Ok(())
    }

    /// Hands what was written to the system, so that others can read it now.
    ///
    /// # Errors
    /// [`WriteError`] if the system refuses it.
    pub fn flush(&mut self) -> Result<(), WriteError> {
        self.sink.flush().map_err(|source| self.fault(source))
    }

    /// Writes the snapshot, if one is wanted, and closes the file.
    ///
    /// Returns how many rows could not be shown because they were retracted more often than
    /// inserted, which only an unverified input can bring about.
    ///
    /// # Errors
    /// [`WriteError`] if the system refuses it.
    pub fn finish(mut self) -> Result<usize, WriteError> {
        let mut n_negative = 0;
        if let Some(snapshot) = self.snapshot.take() {
            n_negative = snapshot.n_negative();
            self.write_rows(&snapshot).map_err(|source| self.fault(source))?;
        }
        let name = self.name;
        let closed = match self.sink {
            Sink::Plain(mut writer) => writer.flush(),
            Sink::Gzip(encoder) => encoder.finish().and_then(|mut writer| writer.flush()),
            Sink::Zstd(encoder) => encoder.finish().and_then(|mut writer| writer.flush()),
        };
        closed.map_err(|source| WriteError { file: name, source })?;
        Ok(n_negative)
    }

    fn write_rows(&mut self, snapshot: &Snapshot) -> io::Result<()> {
        match self.format {
            Format::Csv => self.write_csv(snapshot),
            Format::Parquet => write_parquet(snapshot, self.codec.schema(), &mut self.sink),
            Format::Ndjson => {
                for (row, count) in snapshot.rows() {
                    self.text.clear();
                    self.codec.encode(&row, &mut self.text);
                    self.text.push(b'\n');
                    for _ in 0..count {
                        self.sink.write_all(&self.text)?;
                    }
                }
                Ok(())
            }
        }
    }

    fn write_csv(&mut self, snapshot: &Snapshot) -> io::Result<()> {
        let fields = &self.codec.schema().fields;
        let mut writer = csv::Writer::from_writer(&mut self.sink);
        writer.write_record(fields.iter().map(|field| &*field.name))?;
        let mut record = csv::ByteRecord::new();
        for (row, count) in snapshot.rows() {
            fill_record(&row, fields, &mut record, &mut self.text);
            for _ in 0..count {
                writer.write_byte_record(&record)?;
            }
        }
        writer.flush()
    }

    fn fault(&self, source: io::Error) -> WriteError {
        WriteError { file: self.name.clone(), source }
    }
}

fn fill_record(
    row: &Row,
    fields: &[arqon_types::Field],
    record: &mut csv::ByteRecord,
    text: &mut Vec<u8>,
) {
    record.clear();
    for (value, field) in row.iter().zip(fields) {
        write_cell(value, &field.ty, text);
        record.push_field(text);
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(writer) => writer.write(bytes),
            Self::Gzip(encoder) => encoder.write(bytes),
            Self::Zstd(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(writer) => writer.flush(),
            Self::Gzip(encoder) => encoder.flush(),
            Self::Zstd(encoder) => encoder.flush(),
        }
    }
}

impl fmt::Debug for OutputFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutputFile").field("name", &self.name).finish_non_exhaustive()
    }
}
