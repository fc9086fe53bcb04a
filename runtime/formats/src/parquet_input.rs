//! Parquet: row groups straight into columns, as many rows at a time as are asked for.
//!
//! Only the columns that the topic has are read. What a file says of itself is not believed: parts
//! of it beyond its end, levels that lead nowhere and numbers that do not add up end the reading.

use std::fs::File;
use std::io::{self, BufReader, Cursor as Memory, Read, Seek, SeekFrom};

use arqon_types::{Column, ColumnBatch, Schema, Type};
use bytes::Bytes;
use parquet::column::reader::ColumnReader;
use parquet::errors::ParquetError;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::reader::{ChunkReader, FileReader, Length, SerializedFileReader};

use crate::batch::{InputBatch, InputRows};
use crate::fault::{LineFault, ReadError};
use crate::guard::guarded;
use crate::location::Location;
use crate::options::InputOptions;
use crate::parquet_leaf::LeafValues;
use crate::parquet_rows::{Cursor, Damaged, RowFault, field_column};
use crate::parquet_schema::{Layout, layout};
use crate::stream::BytesRead;

pub(crate) struct ParquetInput {
    file: String,
    reader: SerializedFileReader<Chunks>,
    names: Vec<String>,
    types: Vec<Type>,
    layout: Layout,
    /// The row group that is being read.
    group: Option<Group>,
    next_group: usize,
    /// Rows so far, and those that the file says it has.
    n_rows: u64,
    n_rows_total: u64,
    n_bytes: u64,
    bytes_read: BytesRead,
}

/// Rows as columns, with those that are none: the place of a field and what is wrong with it.
struct Rows {
    columns: Vec<Column>,
    faults: Vec<(usize, RowFault)>,
}

/// A row group with a reader for each leaf that is read.
struct Group {
    /// None of fields that nobody reads.
    readers: Vec<Option<ColumnReader>>,
    n_left: usize,
}

/// The bytes of a file, from any place.
pub(crate) struct Chunks {
    source: Source,
    n_bytes: u64,
}

enum Source {
    File(File),
    Memory(&'static [u8]),
}

impl Chunks {
    pub(crate) fn open(location: &Location) -> Result<Self, ReadError> {
        let fault = |source| ReadError::Open { file: location.to_string(), source };
        let Some(path) = &location.path else {
            panic!("a standard stream is NDJSON");
        };
        let file = File::open(path).map_err(fault)?;
        let metadata = file.metadata().map_err(fault)?;
        if metadata.is_dir() {
            return Err(fault(io::ErrorKind::IsADirectory.into()));
        }
        if !metadata.is_file() {
            let text = "Parquet is read from its end, and a pipe has none";
            return Err(fault(io::Error::other(text)));
        }
        Ok(Self { source: Source::File(file), n_bytes: metadata.len() })
    }

    pub(crate) fn of(bytes: &'static [u8]) -> Self {
        Self { source: Source::Memory(bytes), n_bytes: bytes.len() as u64 }
    }
}

impl Length for Chunks {
    fn len(&self) -> u64 {
        self.n_bytes
    }
}

impl ChunkReader for Chunks {
    type T = Box<dyn Read>;

    fn get_read(&self, start: u64) -> parquet::errors::Result<Self::T> {
        if start > self.n_bytes {
            return Err(beyond_the_end());
        }
        Ok(match &self.source {
            Source::File(file) => {
                let mut file = file.try_clone()?;
                file.seek(SeekFrom::Start(start))?;
                Box::new(BufReader::new(file))
            }
            Source::Memory(bytes) => {
                let mut memory = Memory::new(*bytes);
                memory.set_position(start);
                Box::new(memory)
            }
        })
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        // Before there is room for them: a damaged file may ask for any number.
        if start.checked_add(length as u64).is_none_or(|end| end > self.n_bytes) {
            return Err(beyond_the_end());
        }
        let mut bytes = vec![0; length];
        self.get_read(start)?.read_exact(&mut bytes)?;
        Ok(bytes.into())
    }
}

fn beyond_the_end() -> ParquetError {
    ParquetError::EOF("a part of the file is said to be beyond its end".to_owned())
}

impl ParquetInput {
    /// Reads the footer and matches its schema with the topic's.
    pub(crate) fn open(
        file: &str,
        chunks: Chunks,
        schema: &Schema,
        options: InputOptions,
    ) -> Result<Self, ReadError> {
        let n_bytes = chunks.n_bytes;
        let opened = guarded(|| SerializedFileReader::new(chunks));
        let reader = opened.map_err(|error| ReadError::Open {
            file: file.to_owned(),
            source: io::Error::new(io::ErrorKind::InvalidData, error),
        })?;
        let metadata = reader.metadata().file_metadata();
        let layout = layout(metadata.schema_descr(), schema, options)
            .map_err(|reason| ReadError::Schema { file: file.to_owned(), reason })?;
        let n_rows_total = u64::try_from(metadata.num_rows()).unwrap_or(0);
        Ok(Self {
            file: file.to_owned(),
            reader,
            names: schema.fields.iter().map(|field| field.name.to_string()).collect(),
            types: schema.types(),
            layout,
            group: None,
            next_group: 0,
            n_rows: 0,
            n_rows_total,
            n_bytes,
            bytes_read: BytesRead::of(n_bytes),
        })
    }

    /// Of other fields nothing is read.
    pub(crate) fn read_only(&mut self, fields: &[usize]) {
        for (at, node) in self.layout.fields.iter_mut().enumerate() {
            if !fields.contains(&at) {
                *node = None;
            }
        }
    }

    /// Whether a leaf belongs to a field that is read.
    fn is_read(&self, leaf_idx: usize) -> bool {
        let mut nodes = self.layout.fields.iter().flatten();
        nodes.any(|node| node.leaves.contains(&leaf_idx))
    }

    pub(crate) fn bytes_read(&self) -> BytesRead {
        self.bytes_read.clone()
    }

    /// Reads at most `n_rows_max` rows; `None` at the end.
    pub(crate) fn next_batch(
        &mut self,
        n_rows_max: usize,
    ) -> Result<Option<InputBatch>, ReadError> {
        let Some(mut group) = self.open_group()? else {
            self.bytes_read.set(self.n_bytes);
            return Ok(None);
        };
        let n_rows = group.n_left.min(n_rows_max);
        let rows = self.read(&mut group, n_rows)?;
        group.n_left -= n_rows;
        self.group = (group.n_left > 0).then_some(group);
        let batch = self.batch(rows, n_rows);
        self.n_rows += n_rows as u64;
        let share = u128::from(self.n_bytes) * u128::from(self.n_rows);
        let n_bytes = share / u128::from(self.n_rows_total.max(self.n_rows));
        self.bytes_read.set(u64::try_from(n_bytes).unwrap_or(self.n_bytes));
        Ok(Some(batch))
    }

    /// The row group whose turn it is; none at the end.
    fn open_group(&mut self) -> Result<Option<Group>, ReadError> {
        if let Some(group) = self.group.take() {
            return Ok(Some(group));
        }
        while self.next_group < self.reader.num_row_groups() {
            let place = self.next_group;
            self.next_group += 1;
            let fault = |error| self.broken(error);
            let group = guarded(|| self.reader.get_row_group(place)).map_err(fault)?;
            let Ok(n_left) = usize::try_from(group.metadata().num_rows()) else {
                return Err(self.broken(damaged(Damaged)));
            };
            if n_left == 0 {
                continue;
            }
            let chunks = group.metadata().columns();
            if !self.layout.leaves.iter().all(|leaf| self.holds(chunks.get(leaf.column))) {
                return Err(self.broken(beyond_the_end()));
            }
            let leaves = self.layout.leaves.iter().enumerate();
            let open = leaves.map(|(at, leaf)| {
                self.is_read(at)
                    .then(|| guarded(|| group.get_column_reader(leaf.column)))
                    .transpose()
            });
            let readers = open.collect::<Result<_, _>>().map_err(fault)?;
            return Ok(Some(Group { readers, n_left }));
        }
        Ok(None)
    }

    /// Whether a column chunk stands in the file.
    fn holds(&self, chunk: Option<&ColumnChunkMetaData>) -> bool {
        let place = chunk.map(|chunk| {
            let start = chunk.dictionary_page_offset().unwrap_or(chunk.data_page_offset());
            [start, chunk.data_page_offset(), chunk.compressed_size()].map(u64::try_from)
        });
        matches!(
            place,
            Some([Ok(start), Ok(_), Ok(n_bytes)])
                if start.checked_add(n_bytes).is_some_and(|end| end <= self.n_bytes)
        )
    }

    /// The columns of the next rows, and which of them are none.
    fn read(&self, group: &mut Group, n_rows: usize) -> Result<Rows, ReadError> {
        let mut cursors: Vec<Option<Cursor>> = Vec::with_capacity(group.readers.len());
        for (leaf, reader) in self.layout.leaves.iter().zip(&mut group.readers) {
            let Some(reader) = reader else {
                cursors.push(None);
                continue;
            };
            let values = guarded(|| LeafValues::read(leaf, reader, n_rows));
            cursors.push(Some(Cursor::new(values.map_err(|error| self.broken(error))?, leaf.def)));
        }
        let mut columns = Vec::with_capacity(self.types.len());
        let mut faults = Vec::new();
        for (field_idx, (node, ty)) in self.layout.fields.iter().zip(&self.types).enumerate() {
            let Some(node) = node else {
                let mut default = Column::empty(ty);
                default.push_default();
                columns.push(default.gather(&vec![0; n_rows]));
                continue;
            };
            let empty = Column::empty(ty);
            let own = cursors[node.leaves.clone()].iter_mut().filter_map(Option::take).collect();
            let (column, own_faults) = field_column(node, empty, own, n_rows)
                .map_err(|damage| self.broken(damaged(damage)))?;
            columns.push(column);
            faults.extend(own_faults.into_iter().map(|fault| (field_idx, fault)));
        }
        // Of a row with several faults the first is told.
        faults.sort_by_key(|(field_idx, fault)| (fault.row_idx, *field_idx));
        faults.dedup_by_key(|(_, fault)| fault.row_idx);
        Ok(Rows { columns, faults })
    }

    fn batch(&self, Rows { columns, faults }: Rows, n_rows: usize) -> InputBatch {
        let mut batch = ColumnBatch { columns, diffs: vec![1; n_rows] };
        if !faults.is_empty() {
            let mut refused = faults.iter().map(|(_, fault)| fault.row_idx).peekable();
            let kept: Vec<u32> = (0..n_rows)
                .filter(|row_idx| refused.next_if_eq(row_idx).is_none())
                .map(|row_idx| u32::try_from(row_idx).expect("a batch is far below 2^32 rows"))
                .collect();
            batch = batch.gather(&kept);
        }
        let faults = faults.into_iter().map(|(field_idx, fault)| {
            let place = self.n_rows + fault.row_idx as u64 + 1;
            let field = format!("{}{}", self.names[field_idx], fault.below);
            LineFault::new(&self.file, place, field, fault.reason, &[])
        });
        let faults = faults.collect();
        InputBatch { rows: InputRows::Columns(batch), faults }
    }

    fn broken(&self, error: ParquetError) -> ReadError {
        ReadError::Broken {
            file: self.file.clone(),
            n_rows: self.n_rows,
            source: io::Error::other(error),
        }
    }
}

fn damaged(_: Damaged) -> ParquetError {
    ParquetError::General("the levels of a column do not fit its schema".to_owned())
}
