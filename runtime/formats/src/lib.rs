//! Rows from and to files: CSV and NDJSON, plain or packed, and Parquet; `-` for the standard
//! streams.
//!
//! Reading: [`InputFile::open`] and then [`InputFile::next_batch`] until it says `None`. A batch
//! is columns where all its rows are plain, so that a large file goes to the engine without a
//! row being built; a bad line becomes a [`LineFault`] and loses only itself. Threads may read
//! ahead ([`InputFile::read_ahead`]); what comes is the same.
//! Writing: [`OutputFile`] takes delta batches, or the final rows of a snapshot.
//!
//! **Invariant:** no content of a file panics; only opening, reading and writing touch the
//! system, and a record longer than [`RECORD_BYTES_MAX`] is refused before it is held whole; of
//! Parquet, which is packed in pages, before it is copied.

mod location;
mod options;
mod fault;
mod stream;
mod batch;
mod records;
mod cell;
mod ahead;
mod csv_record;
mod csv_pieces;
mod csv_input;
mod ndjson_input;
mod guard;
mod parquet_type;
mod parquet_schema;
mod parquet_leaf;
mod parquet_rows;
mod parquet_chunks;
mod parquet_groups;
mod parquet_pieces;
mod parquet_input;
mod input;
mod snapshot;
mod parquet_output;
mod output;

pub use batch::{InputBatch, InputRows};
pub use fault::{LineFault, ReadError, WriteError};
pub use guard::is_guarded;
pub use input::InputFile;
pub use location::{Compression, Format, Location, LocationError};
pub use options::InputOptions;
pub use output::{OutputFile, OutputKind};
pub use snapshot::Snapshot;
pub use stream::{BytesRead, RECORD_BYTES_MAX};
