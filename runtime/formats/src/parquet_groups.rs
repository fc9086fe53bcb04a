//! The row groups of a Parquet file: any of them may be opened by any thread, and is decoded
//! straight into columns, some rows at a time.
//!
//! Only the columns that the topic has are read, and of others there is nothing in what comes;
//! [`Groups::unread`] says which those are. What a file says of itself is not believed: parts
//! of it beyond its end, levels that lead nowhere and numbers that do not add up are errors.

use std::io;

use arqon_types::{Column, Schema, Type};
use parquet::column::reader::ColumnReader;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::reader::{FileReader, Length, SerializedFileReader};

use crate::fault::{LineFault, ReadError};
use crate::guard::guarded;
use crate::options::InputOptions;
use crate::parquet_chunks::{Chunks, beyond_the_end};
use crate::parquet_leaf::{LeafValues, skip};
use crate::parquet_rows::{Cursor, Damaged, field_column};
use crate::parquet_schema::{Layout, layout};
use crate::records::Records;

/// A file and what its rows are read as.
pub(crate) struct Groups {
    file: String,
    reader: SerializedFileReader<Chunks>,
    names: Vec<String>,
    types: Vec<Type>,
    layout: Layout,
    n_bytes: u64,
}

/// An open row group with a reader for each leaf that is read.
pub(crate) struct Group {
    /// Which it is.
    pub(crate) place: usize,
    /// Its rows that are passed.
    pub(crate) n_passed: usize,
    /// None of fields that nobody reads.
    readers: Vec<Option<ColumnReader>>,
}

impl Groups {
    /// Reads the footer and matches its schema with the topic's.
    pub(crate) fn open(
        file: &str,
        chunks: Chunks,
        schema: &Schema,
        options: InputOptions,
    ) -> std::result::Result<Self, ReadError> {
        let n_bytes = chunks.len();
        let opened = guarded(|| SerializedFileReader::new(chunks));
        let reader = opened.map_err(|error| ReadError::Open {
            file: file.to_owned(),
            source: io::Error::new(io::ErrorKind::InvalidData, error),
        })?;
        let metadata = reader.metadata().file_metadata();
        let layout = layout(metadata.schema_descr(), schema, options)
            .map_err(|reason| ReadError::Schema { file: file.to_owned(), reason })?;
        Ok(Self {
            file: file.to_owned(),
            reader,
            names: schema.fields.iter().map(|field| field.name.to_string()).collect(),
            types: schema.types(),
            layout,
            n_bytes,
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

    /// Bytes of the file.
    pub(crate) fn n_bytes(&self) -> u64 {
        self.n_bytes
    }

    /// Rows that the file says it has.
    pub(crate) fn n_rows(&self) -> u64 {
        u64::try_from(self.reader.metadata().file_metadata().num_rows()).unwrap_or(0)
    }

    /// How many row groups.
    pub(crate) fn len(&self) -> usize {
        self.reader.num_row_groups()
    }

    /// Rows that a row group says it has.
    pub(crate) fn group_rows(&self, place: usize) -> Result<usize> {
        let n_rows = self.reader.metadata().row_group(place).num_rows();
        usize::try_from(n_rows).map_err(|_| damaged(Damaged))
    }

    /// About how many bytes a row of a group has in the columns that are read, as the file says; at
    /// least one.
    pub(crate) fn row_bytes(&self, place: usize) -> u64 {
        let group = self.reader.metadata().row_group(place);
        let n_rows = u64::try_from(group.num_rows()).unwrap_or(0).max(1);
        let read = self.layout.leaves.iter().enumerate().filter(|(at, _)| self.is_read(*at));
        let n_bytes = read.map(|(_, leaf)| {
            let chunk = group.columns().get(leaf.column);
            let stored = chunk.map_or(0, |chunk| {
                let texts = chunk.unencoded_byte_array_data_bytes();
                texts.unwrap_or(chunk.uncompressed_size())
            });
            let stored = u64::try_from(stored).unwrap_or(0) / n_rows;
            match leaf.ty {
                Type::Bool => 1,
                Type::Decimal(_) | Type::Uuid => 16,
                Type::String | Type::Bytes => stored.saturating_add(4),
                _ => stored.max(8),
            }
        });
        n_bytes.fold(0, u64::saturating_add).max(1)
    }

    /// Fields of the topic of which nothing is read, with their types.
    pub(crate) fn unread(&self) -> Vec<(usize, Type)> {
        let fields = self.layout.fields.iter().zip(&self.types).enumerate();
        let unread = fields.filter(|(_, (node, _))| node.is_none());
        unread.map(|(field_idx, (_, ty))| (field_idx, ty.clone())).collect()
    }

    /// Whether a leaf belongs to a field that is read.
    fn is_read(&self, leaf_idx: usize) -> bool {
        let mut nodes = self.layout.fields.iter().flatten();
        nodes.any(|node| node.leaves.contains(&leaf_idx))
    }

    /// A row group, at its first row.
    pub(crate) fn group(&self, place: usize) -> Result<Group> {
        let group = guarded(|| self.reader.get_row_group(place))?;
        let chunks = group.metadata().columns();
        if !self.layout.leaves.iter().all(|leaf| self.holds(chunks.get(leaf.column))) {
            return Err(beyond_the_end());
        }
        let leaves = self.layout.leaves.iter().enumerate();
        let open = leaves.map(|(at, leaf)| {
            self.is_read(at).then(|| guarded(|| group.get_column_reader(leaf.column))).transpose()
        });
        Ok(Group { place, n_passed: 0, readers: open.collect::<Result<_>>()? })
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

    /// The next rows of a group, `n_before` of the file being before them.
    pub(crate) fn read(&self, group: &mut Group, n_rows: usize, n_before: u64) -> Result<Records> {
        let mut cursors: Vec<Option<Cursor>> = Vec::with_capacity(group.readers.len());
        for (leaf, reader) in self.layout.leaves.iter().zip(&mut group.readers) {
            let Some(reader) = reader else {
                cursors.push(None);
                continue;
            };
            let values = guarded(|| LeafValues::read(leaf, reader, n_rows))?;
            cursors.push(Some(Cursor::new(values, leaf.def)));
        }
        group.n_passed += n_rows;
        let (mut columns, mut faults) = (Vec::new(), Vec::new());
        for (field_idx, (node, ty)) in self.layout.fields.iter().zip(&self.types).enumerate() {
            let Some(node) = node else { continue };
            let empty = Column::empty(ty);
            let own = cursors[node.leaves.clone()].iter_mut().filter_map(Option::take).collect();
            let (column, own_faults) = field_column(node, empty, own, n_rows).map_err(damaged)?;
            columns.push(column);
            faults.extend(own_faults.into_iter().map(|fault| (field_idx, fault)));
        }
        // Of a row with several faults the first is told.
        faults.sort_by_key(|(field_idx, fault)| (fault.row_idx, *field_idx));
        faults.dedup_by_key(|(_, fault)| fault.row_idx);
        let faults = faults.into_iter().map(|(field_idx, fault)| {
            let place = n_before + fault.row_idx as u64 + 1;
            let field = format!("{}{}", self.names[field_idx], fault.below);
            (fault.row_idx, LineFault::new(&self.file, place, field, fault.reason, &[]))
        });
        Ok(Records::new(columns, n_rows, faults.collect()))
    }

    /// Why the file cannot be read on after so many rows.
    pub(crate) fn broken(&self, error: ParquetError, n_rows: u64) -> ReadError {
        ReadError::Broken { file: self.file.clone(), n_rows, source: io::Error::other(error) }
    }
}

impl Group {
    /// Passes rows until so many are.
    pub(crate) fn skip_to(&mut self, n_passed: usize) -> Result<()> {
        let n_rows = n_passed - self.n_passed;
        for reader in self.readers.iter_mut().flatten().filter(|_| n_rows > 0) {
            guarded(|| skip(reader, n_rows))?;
        }
        self.n_passed = n_passed;
        Ok(())
    }
}

fn damaged(_: Damaged) -> ParquetError {
    ParquetError::General("the levels of a column do not fit its schema".to_owned())
}
