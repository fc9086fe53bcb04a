//! Parquet: as many rows at a time as are asked for, decoded by whoever asks or by threads ahead.

use std::mem;
use std::sync::Arc;

use arqon_types::{Column, Schema};

use crate::ahead::{Ahead, Crew};
use crate::batch::InputBatch;
use crate::fault::ReadError;
use crate::options::InputOptions;
use crate::parquet_chunks::Chunks;
use crate::parquet_groups::Groups;
use crate::parquet_pieces::{Cutter, Decoded, Decoder};
use crate::records::Records;
use crate::stream::BytesRead;

/// Rows that a thread that reads ahead decodes at a time: their columns stay in its cache.
const BATCH_ROWS_MAX: usize = 1 << 14;
/// The one that it works on: pieces are large, and who takes one has enough to do with it.
const PIECES_PER_THREAD: u64 = 1;

pub(crate) struct ParquetInput {
    file: String,
    source: Source,
    /// What was read and not asked for yet, the last of it first.
    left: Vec<Records>,
    /// Why there is nothing behind that.
    broken: Option<ReadError>,
    /// Fields that are not read, with as many defaults as were ever needed.
    unread: Vec<(usize, Column)>,
    /// Rows so far, and those that the file says it has.
    n_rows: u64,
    n_rows_total: u64,
    n_bytes: u64,
    bytes_read: BytesRead,
}

/// Who reads.
enum Source {
    /// Nobody yet; so many threads, once somebody has asked, or whoever asks.
    Soon(Groups, usize),
    Here(Cutter, Decoder),
    Ahead(Ahead<Decoded>),
    /// All is read.
    Nobody,
}

impl ParquetInput {
    /// Reads the footer and matches its schema with the topic's.
    pub(crate) fn open(
        file: &str,
        chunks: Chunks,
        schema: &Schema,
        options: InputOptions,
    ) -> Result<Self, ReadError> {
        let groups = Groups::open(file, chunks, schema, options)?;
        let (n_rows_total, n_bytes) = (groups.n_rows(), groups.n_bytes());
        Ok(Self {
            file: file.to_owned(),
            source: Source::Soon(groups, 1),
            left: Vec::new(),
            unread: Vec::new(),
            broken: None,
            n_rows: 0,
            n_rows_total,
            n_bytes,
            bytes_read: BytesRead::of(n_bytes),
        })
    }

    /// Of other fields nothing is read.
    pub(crate) fn read_only(&mut self, fields: &[usize]) {
        if let Source::Soon(groups, _) = &mut self.source {
            groups.read_only(fields);
        }
    }

    /// Lets so many threads read ahead.
    pub(crate) fn read_ahead(&mut self, n_threads: usize) {
        if let Source::Soon(_, n_wanted) = &mut self.source {
            *n_wanted = n_threads;
        }
    }

    pub(crate) fn bytes_read(&self) -> BytesRead {
        self.bytes_read.clone()
    }

    /// Reads at most `n_rows_max` rows; `None` at the end.
    pub(crate) fn next_batch(
        &mut self,
        n_rows_max: usize,
    ) -> Result<Option<InputBatch>, ReadError> {
        let n_rows_max = n_rows_max.max(1);
        let Some(mut records) = self.next_records(n_rows_max)? else {
            self.bytes_read.set(self.n_bytes);
            return Ok(None);
        };
        self.left.extend(records.cut(n_rows_max));
        self.n_rows += records.len() as u64;
        for (place, defaults) in &mut self.unread {
            records.insert(*place, defaults);
        }
        let share = u128::from(self.n_bytes) * u128::from(self.n_rows);
        let n_bytes = share / u128::from(self.n_rows_total.max(self.n_rows));
        self.bytes_read.set(u64::try_from(n_bytes).unwrap_or(self.n_bytes));
        Ok(Some(records.into()))
    }

    fn next_records(&mut self, n_rows_max: usize) -> Result<Option<Records>, ReadError> {
        loop {
            if let Some(left) = self.left.pop() {
                return Ok(Some(left));
            }
            if let Some(broken) = self.broken.take() {
                self.source = Source::Nobody;
                return Err(broken);
            }
            let decoded = match &mut self.source {
                Source::Soon(..) => {
                    self.begin(n_rows_max)?;
                    continue;
                }
                Source::Here(cutter, decoder) => {
                    cutter.cut(n_rows_max).map(|piece| decoder.decode(piece, n_rows_max))
                }
                Source::Ahead(ahead) => ahead.next(),
                Source::Nobody => None,
            };
            let Some(Decoded { parts, broken }) = decoded else {
                self.source = Source::Nobody;
                return Ok(None);
            };
            self.left.extend(parts.into_iter().rev());
            self.broken = broken;
        }
    }

    /// Starts to read.
    fn begin(&mut self, n_rows_max: usize) -> Result<(), ReadError> {
        let Source::Soon(groups, n_threads) = mem::replace(&mut self.source, Source::Nobody) else {
            return Ok(());
        };
        let unread = groups.unread().into_iter();
        self.unread = unread.map(|(place, ty)| (place, Column::empty(&ty))).collect();
        let groups = Arc::new(groups);
        let (mut cutter, mut decoder) = (Cutter::new(Arc::clone(&groups)), Decoder::new(groups));
        if n_threads < 2 {
            self.source = Source::Here(cutter, decoder);
            return Ok(());
        }
        let n_each = n_rows_max.min(BATCH_ROWS_MAX);
        let cut = move || cutter.cut_large(n_each);
        let crew = Crew { n_threads, pieces_per_thread: PIECES_PER_THREAD };
        let ahead = Ahead::start(crew, cut, move |piece| decoder.decode(piece, n_each));
        let fault = |source| ReadError::Open { file: self.file.clone(), source };
        self.source = Source::Ahead(ahead.map_err(fault)?);
        Ok(())
    }
}
