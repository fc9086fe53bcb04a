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
