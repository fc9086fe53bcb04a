//! Packed rows as a section of a snapshot.

use std::io;

use arqon_kernels::{LoadError, SnapshotReader, SnapshotWriter};
use arqon_types::PackedRow;

/// Writes rows, of whatever lengths.
pub(crate) fn put_rows<'r>(
    out: &mut SnapshotWriter<'_>,
    section: &'static str,
    rows: impl Iterator<Item = &'r [u8]>,
) -> io::Result<()> {
    let mut all = Vec::new();
    for row in rows {
        all.extend_from_slice(&(row.len() as u64).to_le_bytes());
        all.extend_from_slice(row);
    }
    out.bytes(section, &all)
}

/// Reads what [`put_rows`] wrote.
pub(crate) fn take_rows(
    input: &mut SnapshotReader<'_>,
    section: &'static str,
) -> Result<Vec<PackedRow>, LoadError> {
    let bytes = input.bytes(section)?;
    let (mut rest, mut rows) = (bytes.as_slice(), Vec::new());
    while !rest.is_empty() {
        let damaged = LoadError::Damaged { section };
        let Some((length, more)) = rest.split_first_chunk() else { return Err(damaged) };
        let length = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX);
        let Some((row, more)) = more.split_at_checked(length) else { return Err(damaged) };
        let mut packed = PackedRow::new();
        packed.push_bytes(row);
        rows.push(packed);
        rest = more;
    }
    Ok(rows)
}
