//! A file, or standard input, read as the messages of one topic.

use std::fmt;

use arqon_proto::BodyCodec;

use crate::batch::InputBatch;
use crate::csv_input::CsvInput;
use crate::fault::ReadError;
use crate::location::{Format, Location};
use crate::ndjson_input::NdjsonInput;
use crate::options::InputOptions;
use crate::parquet_chunks::Chunks;
use crate::parquet_input::ParquetInput;
use crate::stream::{self, BytesRead};

/// An open input.
pub struct InputFile {
    name: String,
    reader: Reader,
    bytes_read: BytesRead,
}

enum Reader {
    Csv(Box<CsvInput>),
    Ndjson(Box<NdjsonInput>),
    Parquet(Box<ParquetInput>),
    /// Nothing to read, not even a header.
    Empty,
}

impl InputFile {
    /// Opens `location` for a topic whose bodies `codec` reads.
    ///
    /// # Errors
    /// [`ReadError`] if it cannot be opened, or its header or schema does not fit the topic's.
    pub fn open(
        location: &Location,
        codec: &BodyCodec,
        options: InputOptions,
    ) -> Result<Self, ReadError> {
        let name = location.path.as_ref().map_or("<stdin>".to_owned(), |_| location.to_string());
        if location.format == Format::Parquet {
            return Self::parquet(name, Chunks::open(location)?, codec, options);
        }
        let (bytes, bytes_read) = stream::open(location)?;
        Self::read(name, bytes, bytes_read, location.format, codec, options)
    }

    /// Reads `bytes` as if they stood in a file of that name, whose ending says the format.
    ///
    /// # Errors
    /// [`ReadError`] if a header or schema does not fit the topic's.
    pub fn embedded(
        location: &Location,
        bytes: &'static [u8],
        codec: &BodyCodec,
        options: InputOptions,
    ) -> Result<Self, ReadError> {
        let name = location.to_string();
        if location.format == Format::Parquet {
            return Self::parquet(name, Chunks::of(bytes), codec, options);
        }
        let (bytes, bytes_read) = stream::open_bytes(bytes, location)?;
        Self::read(name, bytes, bytes_read, location.format, codec, options)
    }

    fn parquet(
        name: String,
        chunks: Chunks,
        codec: &BodyCodec,
        options: InputOptions,
    ) -> Result<Self, ReadError> {
        let input = ParquetInput::open(&name, chunks, codec.rows().schema(), options)?;
        let bytes_read = input.bytes_read();
        Ok(Self { name, reader: Reader::Parquet(Box::new(input)), bytes_read })
    }

    fn read(
        name: String,
        bytes: Box<dyn std::io::Read + Send>,
        bytes_read: BytesRead,
        format: Format,
        codec: &BodyCodec,
        options: InputOptions,
    ) -> Result<Self, ReadError> {
        let drains = bytes_read.total().is_none();
        let reader = match format {
            Format::Csv => match CsvInput::open(&name, bytes, codec.rows().schema(), options)? {
                Some(input) => Reader::Csv(Box::new(input)),
                None => Reader::Empty,
            },
            Format::Ndjson => {
                Reader::Ndjson(Box::new(NdjsonInput::new(&name, bytes, codec.clone(), drains)))
            }
            Format::Parquet => panic!("Parquet is no stream"),
        };
        Ok(Self { name, reader, bytes_read })
    }

    /// Says that the values of other fields than these are never looked at: where a format has its
    /// columns apart, they are not read, and stand as defaults in the batches.
    pub fn read_only(&mut self, fields: &[usize]) {
        match &mut self.reader {
            Reader::Parquet(input) => input.read_only(fields),
            // Every cell and member is passed, and so it is checked as well.
            Reader::Csv(_) | Reader::Ndjson(_) | Reader::Empty => {}
        }
    }

    /// Lets so many threads read ahead of who asks, where a file can be read in pieces; what comes
    /// is the same. They start with the first batch, and have read no more than a few pieces of
    /// the file that nobody has asked for.
    pub fn read_ahead(&mut self, n_threads: usize) {
        // Of a pipe nothing is asked for before it is wanted.
        let is_file = self.bytes_read.total().is_some();
        match &mut self.reader {
            Reader::Csv(input) if is_file => input.read_ahead(n_threads),
            Reader::Parquet(input) => input.read_ahead(n_threads),
            Reader::Csv(_) | Reader::Ndjson(_) | Reader::Empty => {}
        }
    }

    /// The file as messages name it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How far the file has been read.
    pub fn bytes_read(&self) -> BytesRead {
        self.bytes_read.clone()
    }

    /// Reads at most `n_records_max` records, good and bad together; `None` at the end.
    ///
    /// NDJSON from a pipe ends a batch where nothing more is there at the moment.
    ///
    /// # Errors
    /// [`ReadError::Read`] if the file breaks off, [`ReadError::Broken`] if it is damaged; batches
    /// before it stand.
    pub fn next_batch(&mut self, n_records_max: usize) -> Result<Option<InputBatch>, ReadError> {
        match &mut self.reader {
            Reader::Csv(input) => input.next_batch(n_records_max),
            Reader::Ndjson(input) => input.next_batch(n_records_max),
            Reader::Parquet(input) => input.next_batch(n_records_max),
            Reader::Empty => Ok(None),
        }
    }
}

impl fmt::Debug for InputFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InputFile").field("name", &self.name).finish_non_exhaustive()
    }
}
