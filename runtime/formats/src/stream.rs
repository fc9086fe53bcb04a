//! Byte streams under the readers: files, packed or not, standard input; counted and bounded.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::read::MultiGzDecoder;

use crate::fault::ReadError;
use crate::location::{Compression, Location};

/// Bytes that one record may have; a longer one ends the reading of its file.
pub const RECORD_BYTES_MAX: u64 = 16 << 20;

/// Bytes that are asked for at a time.
pub(crate) const BUFFER_BYTES: usize = 256 << 10;

/// How far a file has been read, for a progress bar on another thread.
#[derive(Debug, Clone, Default)]
pub struct BytesRead {
    read: Arc<AtomicU64>,
    total: Option<u64>,
}

impl BytesRead {
    /// Nothing yet, of so many bytes.
    pub(crate) fn of(total: u64) -> Self {
        Self { read: Arc::default(), total: Some(total) }
    }

    /// Says how many bytes are done with.
    pub(crate) fn set(&self, n_bytes: u64) {
        self.read.store(n_bytes, Ordering::Relaxed);
    }

    /// Bytes taken from the file so far, compressed as they stand there.
    pub fn so_far(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// Bytes of the file, if it is one.
    pub fn total(&self) -> Option<u64> {
        self.total
    }
}

struct Counting<R> {
    inner: R,
    read: Arc<AtomicU64>,
}

impl<R: Read> Read for Counting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n_bytes = self.inner.read(buffer)?;
        self.read.fetch_add(n_bytes as u64, Ordering::Relaxed);
        Ok(n_bytes)
    }
}

/// Opens the bytes of a location, unpacked.
pub(crate) fn open(location: &Location) -> Result<(Box<dyn Read + Send>, BytesRead), ReadError> {
    let fault = |source| ReadError::Open { file: location.to_string(), source };
    let read = Arc::new(AtomicU64::new(0));
    let (raw, total): (Box<dyn Read + Send>, Option<u64>) = match &location.path {
        None => (Box::new(io::stdin()), None),
        Some(path) => {
            let file = File::open(path).map_err(fault)?;
            let metadata = file.metadata().map_err(fault)?;
            if metadata.is_dir() {
                return Err(fault(io::Error::from(io::ErrorKind::IsADirectory)));
            }
            // A pipe has no length.
            (Box::new(file), Some(metadata.len()).filter(|_| metadata.is_file()))
        }
    };
    let bytes = unpack(raw, location.compression, Arc::clone(&read)).map_err(fault)?;
    Ok((bytes, BytesRead { read, total }))
}

/// Bytes that are already in memory, under the same counters.
pub(crate) fn open_bytes(
    bytes: &'static [u8],
    location: &Location,
) -> Result<(Box<dyn Read + Send>, BytesRead), ReadError> {
    let read = Arc::new(AtomicU64::new(0));
    let total = Some(bytes.len() as u64);
    let bytes = unpack(Box::new(bytes), location.compression, Arc::clone(&read))
        .map_err(|source| ReadError::Open { file: location.to_string(), source })?;
    Ok((bytes, BytesRead { read, total }))
}

fn unpack(
    raw: Box<dyn Read + Send>,
    compression: Compression,
    read: Arc<AtomicU64>,
) -> io::Result<Box<dyn Read + Send>> {
    let counted = BufReader::with_capacity(BUFFER_BYTES, Counting { inner: raw, read });
    Ok(match compression {
        Compression::None => Box::new(counted),
        Compression::Gzip => Box::new(MultiGzDecoder::new(counted)),
        Compression::Zstd => Box::new(zstd::Decoder::with_buffer(counted)?),
    })
}

/// How far the current record reaches, shared between a CSV reader and its [`Bounded`] stream.
#[derive(Debug, Clone, Default)]
pub(crate) struct RecordStart(Arc<AtomicU64>);

impl RecordStart {
    /// Says that the next record begins at byte `at`.
    pub(crate) fn set(&self, at: u64) {
        self.0.store(at, Ordering::Relaxed);
    }
}

/// Ends the last line if the file does not, and refuses to read on in an endless record.
pub(crate) struct Bounded<R> {
    inner: R,
    passed: u64,
    start: RecordStart,
    ends_line: bool,
    at_end: bool,
}

impl<R: Read> Bounded<R> {
    pub(crate) fn new(inner: R, start: RecordStart) -> Self {
        Self { inner, passed: 0, start, ends_line: true, at_end: false }
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at_end || buffer.is_empty() {
            return Ok(0);
        }
        if self.passed.saturating_sub(self.start.0.load(Ordering::Relaxed)) > RECORD_BYTES_MAX {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!(
                    "a record of more than {} MiB; is a quote opened and never closed?",
                    RECORD_BYTES_MAX >> 20
                ),
            ));
        }
        let n_bytes = self.inner.read(buffer)?;
        self.passed += n_bytes as u64;
        if let Some(last) = n_bytes.checked_sub(1) {
            self.ends_line = buffer[last] == b'\n';
            return Ok(n_bytes);
        }
        self.at_end = true;
        if self.ends_line {
            return Ok(0);
        }
        buffer[0] = b'\n';
        Ok(1)
    }
}
