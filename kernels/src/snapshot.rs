//! The state of a kernel as bytes: a header, then named sections with a checksum each.
//!
//! All numbers are little-endian, and floats keep their bits, so that a kernel goes on exactly
//! where it was. A section's length is not believed before its bytes are there: a damaged length
//! costs one read and no memory.

use std::io::{self, Read, Write};

/// What stands at the start of every snapshot; the last byte is the version of the frame.
const MAGIC: [u8; 8] = *b"ARQKRNL\x01";

/// Bytes read at a time, so that memory grows only with what is there.
const CHUNK_BYTES: usize = 1 << 20;

/// A snapshot cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The bytes end early, or cannot be read.
    #[error("the snapshot cannot be read")]
    Io(#[from] io::Error),
    /// It does not begin like one.
    #[error("these bytes are no snapshot of a kernel, or of another version")]
    NotASnapshot,
    /// It is of another kernel, or of another version of it.
    #[error("the snapshot is of `{found}`, and not of `{wanted}`")]
    OtherKernel {
        /// Whose it is.
        found: String,
        /// Whose it should be.
        wanted: &'static str,
    },
    /// A section is not the one that should come, or its bytes were changed.
    #[error("section `{section}` of the snapshot is damaged")]
    Damaged {
        /// The section.
        section: &'static str,
    },
}

/// Writes sections in order.
pub struct SnapshotWriter<'w> {
    out: &'w mut dyn Write,
}

impl std::fmt::Debug for SnapshotWriter<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SnapshotWriter").finish_non_exhaustive()
    }
}

impl<'w> SnapshotWriter<'w> {
    /// Begins a snapshot of the kernel of this name, which holds the version of its sections, as
    /// in `linear_transform.1`.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn new(out: &'w mut dyn Write, kernel: &'static str) -> io::Result<Self> {
        out.write_all(&MAGIC)?;
        let mut writer = Self { out };
        writer.bytes("kernel", kernel.as_bytes())?;
        Ok(writer)
    }

    /// A section of bytes.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn bytes(&mut self, section: &'static str, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(&(bytes.len() as u64).to_le_bytes())?;
        self.out.write_all(bytes)?;
        self.out.write_all(checksum(section, bytes).as_bytes())
    }

    /// A section of numbers.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn numbers<T: Number>(
        &mut self,
        section: &'static str,
        numbers: impl IntoIterator<Item = T>,
    ) -> io::Result<()> {
        let mut bytes = Vec::new();
        numbers.into_iter().for_each(|number| number.put(&mut bytes));
        self.bytes(section, &bytes)
    }

    /// A section of one number.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn number<T: Number>(&mut self, section: &'static str, number: T) -> io::Result<()> {
        self.numbers(section, [number])
    }
}

/// Reads sections in the order in which they were written.
pub struct SnapshotReader<'r> {
    input: &'r mut dyn Read,
}

impl std::fmt::Debug for SnapshotReader<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SnapshotReader").finish_non_exhaustive()
    }
}

impl<'r> SnapshotReader<'r> {
    /// Begins to read a snapshot that should be of this kernel.
    ///
    /// # Errors
    /// [`LoadError`] if it is none, or of another.
    pub fn new(input: &'r mut dyn Read, kernel: &'static str) -> Result<Self, LoadError> {
        let mut magic = [0; MAGIC.len()];
        input.read_exact(&mut magic)?;
        if magic != MAGIC {
            return Err(LoadError::NotASnapshot);
        }
        let mut reader = Self { input };
        let found = reader.bytes("kernel")?;
        if found == kernel.as_bytes() {
            return Ok(reader);
        }
        let found = String::from_utf8_lossy(&found).into_owned();
        Err(LoadError::OtherKernel { found, wanted: kernel })
    }

    /// The next section, which should be this one.
    ///
    /// # Errors
    /// [`LoadError`] if it is another, damaged or cut off.
    pub fn bytes(&mut self, section: &'static str) -> Result<Vec<u8>, LoadError> {
        let mut length = [0; 8];
        self.input.read_exact(&mut length)?;
        let n_bytes = usize::try_from(u64::from_le_bytes(length))
            .map_err(|_| LoadError::Damaged { section })?;
        let mut bytes = Vec::new();
        while bytes.len() < n_bytes {
            let start = bytes.len();
            bytes.resize(start + CHUNK_BYTES.min(n_bytes - start), 0);
            self.input.read_exact(&mut bytes[start..])?;
        }
        let mut sum = [0; blake3::OUT_LEN];
        self.input.read_exact(&mut sum)?;
        if *checksum(section, &bytes).as_bytes() == sum {
            Ok(bytes)
        } else {
            Err(LoadError::Damaged { section })
        }
    }

    /// The next section, as numbers.
    ///
    /// # Errors
    /// As for [`SnapshotReader::bytes`]; also if it is no whole number of them.
    pub fn numbers<T: Number>(&mut self, section: &'static str) -> Result<Vec<T>, LoadError> {
        let bytes = self.bytes(section)?;
        let (words, rest) = (bytes.chunks_exact(T::BYTES), bytes.len() % T::BYTES);
        if rest != 0 {
            return Err(LoadError::Damaged { section });
        }
        Ok(words.map(T::take).collect())
    }

    /// The next section, as this many numbers.
    ///
    /// # Errors
    /// As for [`SnapshotReader::numbers`]; also if they are not as many.
    pub fn array<T: Number>(
        &mut self,
        section: &'static str,
        n_numbers: usize,
    ) -> Result<Vec<T>, LoadError> {
        let numbers = self.numbers(section)?;
        if numbers.len() == n_numbers { Ok(numbers) } else { Err(LoadError::Damaged { section }) }
    }

    /// The next section, as one number.
    ///
    /// # Errors
    /// As for [`SnapshotReader::array`].
    pub fn number<T: Number>(&mut self, section: &'static str) -> Result<T, LoadError> {
        let numbers = self.array(section, 1)?;
        numbers.first().copied().ok_or(LoadError::Damaged { section })
    }
}

/// The checksum covers the name, so that sections cannot trade places.
fn checksum(section: &str, bytes: &[u8]) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(section.as_bytes());
    hasher.update(&[0]);
    hasher.update(bytes);
    hasher.finalize()
}

/// A number of fixed width.
pub trait Number: Copy {
    /// Its width.
    const BYTES: usize;

    /// Appends it.
    fn put(self, bytes: &mut Vec<u8>);

    /// Reads it of as many bytes as it is wide.
    fn take(bytes: &[u8]) -> Self;
}

macro_rules! number {
    ($($ty:ty),*) => {$(
        impl Number for $ty {
            const BYTES: usize = size_of::<$ty>();

            fn put(self, bytes: &mut Vec<u8>) {
                bytes.extend_from_slice(&self.to_le_bytes());
            }

            fn take(bytes: &[u8]) -> Self {
                Self::from_le_bytes(bytes.try_into().expect("the caller cuts by `BYTES`"))
            }
        }
    )*};
}

number!(u8, u32, i32, u64, i64, f32, f64);

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut writer = SnapshotWriter::new(&mut bytes, "sample.1").unwrap();
        writer.numbers("floats", [1.5_f32, -0.0, f32::NAN]).unwrap();
        writer.number("epoch", 7_u64).unwrap();
        bytes
    }

    fn read(bytes: &[u8]) -> Result<(Vec<f32>, u64), LoadError> {
        let mut input = bytes;
        let mut reader = SnapshotReader::new(&mut input, "sample.1")?;
        Ok((reader.numbers("floats")?, reader.number("epoch")?))
    }

    #[test]
    fn what_is_written_is_read_with_its_bits() {
        let (floats, epoch) = read(&sample()).unwrap();
        let bits: Vec<u32> = floats.into_iter().map(f32::to_bits).collect();
        assert_eq!(bits, [1.5_f32.to_bits(), (-0.0_f32).to_bits(), f32::NAN.to_bits()]);
        assert_eq!(epoch, 7);
    }

    #[test]
    fn every_flipped_byte_and_every_cut_is_noticed() {
        let whole = sample();
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x40;
            assert!(read(&damaged).is_err(), "byte {at} was changed");
            assert!(read(&whole[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn another_kernel_is_told_by_name() {
        let bytes = sample();
        let mut input = bytes.as_slice();
        let fault = SnapshotReader::new(&mut input, "other.1").unwrap_err();
        assert_eq!(fault.to_string(), "the snapshot is of `sample.1`, and not of `other.1`");
    }
}
