//! Rows as they come, packed.

use arqon_types::{ColumnBatch, PackedRow, Row, Type};

/// Some fields of a row, packed.
pub(crate) fn pack_fields(row: &Row, fields: &[usize], types: &[Type]) -> PackedRow {
    let mut packed = PackedRow::new();
    for at in fields {
        packed.push_value(&row[*at], &types[*at]);
    }
    packed
}

/// Some cells of a row of a batch, packed.
pub(crate) fn pack_cells(
    batch: &ColumnBatch,
    row_idx: usize,
    fields: impl Iterator<Item = usize>,
    types: &[Type],
) -> PackedRow {
    let mut packed = PackedRow::new();
    for at in fields {
        packed.push_cell(&batch.columns[at], row_idx, &types[at]);
    }
    packed
}
