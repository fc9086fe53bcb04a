//! The bytes of a Parquet file, from any place and by several threads at once.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::sync::Arc;

use bytes::Bytes;
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};

use crate::fault::ReadError;
use crate::location::Location;

/// The bytes of a file, from any place.
pub(crate) struct Chunks {
    source: Source,
    n_bytes: u64,
}

#[derive(Clone)]
enum Source {
    File(Arc<File>),
    Memory(&'static [u8]),
}

/// The bytes from a place on. The file's own place, which all who have it open share, is neither
/// asked for nor moved.
struct Tail {
    source: Source,
    place: u64,
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
        Ok(Self { source: Source::File(Arc::new(file)), n_bytes: metadata.len() })
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
        let tail = Tail { source: self.source.clone(), place: start };
        Ok(match self.source {
            Source::File(_) => Box::new(BufReader::new(tail)),
            Source::Memory(_) => Box::new(tail),
        })
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        // Before there is room for them: a damaged file may ask for any number.
        if start.checked_add(length as u64).is_none_or(|end| end > self.n_bytes) {
            return Err(beyond_the_end());
        }
        let mut bytes = vec![0; length];
        Tail { source: self.source.clone(), place: start }.read_exact(&mut bytes)?;
        Ok(bytes.into())
    }
}

impl Read for Tail {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n_bytes = match &self.source {
            Source::File(file) => read_at(file, buffer, self.place)?,
            Source::Memory(bytes) => {
                let start = usize::try_from(self.place).unwrap_or(usize::MAX).min(bytes.len());
                (&bytes[start..]).read(buffer)?
            }
        };
        self.place += n_bytes as u64;
        Ok(n_bytes)
    }
}

/// Reads some bytes from a place of the file.
#[cfg(unix)]
fn read_at(file: &File, buffer: &mut [u8], place: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, place)
}

/// Reads some bytes from a place of the file. It leaves the file's own place behind them, which
/// nobody here goes by.
#[cfg(windows)]
fn read_at(file: &File, buffer: &mut [u8], place: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, place)
}

/// What is said of a file that names parts of itself that it has not.
pub(crate) fn beyond_the_end() -> ParquetError {
    ParquetError::EOF("a part of the file is said to be beyond its end".to_owned())
}
