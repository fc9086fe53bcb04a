//! Parquet in pieces: rows of one row group that stand side by side, each piece decoded by itself.

use std::sync::Arc;

use parquet::errors::Result;

use crate::fault::ReadError;
use crate::parquet_groups::{Group, Groups};
use crate::records::Records;

/// Bytes that a piece may come to, about, unless it has no more rows than are decoded at a time.
const PIECE_BYTES_MAX: u64 = 16 << 20;

/// How far a file is cut.
pub(crate) struct Cutter {
    groups: Arc<Groups>,
    /// The row group whose turn it is, and its rows that are cut off.
    group: usize,
    n_cut: usize,
    /// Rows of the file that are.
    n_rows: u64,
    is_broken: bool,
}

/// Rows of one row group.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Piece {
    group: usize,
    start: usize,
    n_rows: usize,
    /// Rows of the file before it.
    n_before: u64,
}

/// What decodes pieces, and goes on from one to a later one of the same row group.
pub(crate) struct Decoder {
    groups: Arc<Groups>,
    /// The row group that was read last, where it has more rows.
    group: Option<Group>,
}

/// What a piece comes to: its rows, and why there are no more where the file is broken.
pub(crate) struct Decoded {
    pub(crate) parts: Vec<Records>,
    pub(crate) broken: Option<ReadError>,
}

impl Cutter {
    /// At the begin of the file.
    pub(crate) fn new(groups: Arc<Groups>) -> Self {
        Self { groups, group: 0, n_cut: 0, n_rows: 0, is_broken: false }
    }

    /// At most so many rows; none at the end. After an error nothing more is cut.
    pub(crate) fn cut(
        &mut self,
        n_rows_max: usize,
    ) -> Option<std::result::Result<Piece, ReadError>> {
        self.cut_by(|_, _| n_rows_max)
    }

    /// As many rows as a thread decodes by itself, the last piece of a row group being about as
    /// large as the others; all but that a multiple of `n_each`.
    pub(crate) fn cut_large(
        &mut self,
        n_each: usize,
    ) -> Option<std::result::Result<Piece, ReadError>> {
        self.cut_by(|row_bytes, n_rows| {
            let n_fit = usize::try_from(PIECE_BYTES_MAX / row_bytes).unwrap_or(usize::MAX);
            let n_pieces = n_rows.div_ceil(n_fit.max(n_each));
            n_rows.div_ceil(n_pieces).div_ceil(n_each).saturating_mul(n_each)
        })
    }

    /// At most as many rows as `size` says, which is told the bytes of a row and how many the group
    /// has.
    fn cut_by(
        &mut self,
        size: impl Fn(u64, usize) -> usize,
    ) -> Option<std::result::Result<Piece, ReadError>> {
        while !self.is_broken && self.group < self.groups.len() {
            let n_rows = match self.groups.group_rows(self.group) {
                Ok(n_rows) => n_rows,
                Err(error) => {
                    self.is_broken = true;
                    return Some(Err(self.groups.broken(error, self.n_rows)));
                }
            };
            if self.n_cut < n_rows {
                let size = size(self.groups.row_bytes(self.group), n_rows).max(1);
                let (start, n_before) = (self.n_cut, self.n_rows);
                let n_rows = size.min(n_rows - start);
                self.n_cut += n_rows;
                self.n_rows += n_rows as u64;
                return Some(Ok(Piece { group: self.group, start, n_rows, n_before }));
            }
            (self.group, self.n_cut) = (self.group + 1, 0);
        }
        None
    }
}

impl Decoder {
    /// With no row group open.
    pub(crate) fn new(groups: Arc<Groups>) -> Self {
        Self { groups, group: None }
    }

    /// The rows of a piece, `n_each` at a time, as far as they can be read.
    pub(crate) fn decode(
        &mut self,
        piece: std::result::Result<Piece, ReadError>,
        n_each: usize,
    ) -> Decoded {
        let mut decoded = Decoded { parts: Vec::new(), broken: None };
        let mut n_done = 0;
        match piece {
            Err(broken) => decoded.broken = Some(broken),
            Ok(piece) => {
                let n_each = n_each.max(1);
                if let Err(error) = self.read(piece, n_each, |records| {
                    n_done += records.len() as u64;
                    decoded.parts.push(records);
                }) {
                    decoded.broken = Some(self.groups.broken(error, piece.n_before + n_done));
                }
            }
        }
        decoded
    }

    fn read(&mut self, piece: Piece, n_each: usize, mut take: impl FnMut(Records)) -> Result<()> {
        let kept = self.group.take();
        let kept = kept.filter(|it| it.place == piece.group && it.n_passed <= piece.start);
        let mut group = kept.map_or_else(|| self.groups.group(piece.group), Ok)?;
        group.skip_to(piece.start)?;
        let mut n_done = 0;
        while n_done < piece.n_rows {
            let n_rows = n_each.min(piece.n_rows - n_done);
            take(self.groups.read(&mut group, n_rows, piece.n_before + n_done as u64)?);
            n_done += n_rows;
        }
        if group.n_passed < self.groups.group_rows(piece.group)? {
            self.group = Some(group);
        }
        Ok(())
    }
}

impl Clone for Decoder {
    /// Another, with no row group open.
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.groups))
    }
}
