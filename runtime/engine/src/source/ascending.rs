//! Whether rows come in the order of their keys.

use std::cmp::Ordering;

use arqon_types::{Column, ColumnBatch, PackedRow, Type};

/// How many of the first rows of a batch have keys each of which is greater than the one before;
/// the key is of these columns.
pub(crate) fn n_ascending(batch: &ColumnBatch, (key, types): (&[usize], &[Type])) -> usize {
    let mut end = batch.len();
    // Rows whose key is the one before, as far as it was looked at.
    let mut ties: Vec<usize> = (1..end).collect();
    for at in key {
        let (column, ty) = (&batch.columns[*at], &types[*at]);
        ties.retain(|row_idx| {
            if end <= *row_idx {
                return false;
            }
            match order(column, row_idx - 1, ty) {
                Ordering::Less => false,
                Ordering::Equal => true,
                Ordering::Greater => {
                    end = *row_idx;
                    false
                }
            }
        });
    }
    ties.first().map_or(end, |tie| end.min(*tie))
}

/// The order of the value of a row and the one after, which is that of their packed bytes.
fn order(column: &Column, row_idx: usize, ty: &Type) -> Ordering {
    let next = row_idx + 1;
    match column {
        Column::Int(values) => values[row_idx].cmp(&values[next]),
        Column::Decimal(values) => values[row_idx].cmp(&values[next]),
        Column::Bool(values) => values[row_idx].cmp(&values[next]),
        Column::Uuid(values) => values[row_idx].cmp(&values[next]),
        Column::String(texts) => texts.bytes(row_idx).cmp(texts.bytes(next)),
        Column::Bytes(values) => values.get(row_idx).cmp(values.get(next)),
        Column::Float(_)
        | Column::Tensor(_)
        | Column::Option { .. }
        | Column::List { .. }
        | Column::Struct { .. } => {
            let packed = |row_idx| {
                let mut packed = PackedRow::new();
                packed.push_cell(column, row_idx, ty);
                packed
            };
            packed(row_idx).cmp(&packed(next))
        }
    }
}
