//! Whether rows come in the order of their keys.

use std::cmp::Ordering;

use arqon_types::{Column, ColumnBatch, PackedRow, Type};

/// How many of the first rows of a batch have keys each of which is greater than the one before;
/// the key is of these columns.
pub(crate) fn n_ascending(batch: &ColumnBatch, (key, types): (&[usize], &[Type])) -> usize {
    let mut range = Range { end: batch.len(), ties: None };
    for at in key {
        if let Column::Int(values) = &batch.columns[*at] {
            range.narrow(|row_idx| values[row_idx - 1].cmp(&values[row_idx]));
        } else {
            let (column, ty) = (&batch.columns[*at], &types[*at]);
            range.narrow(|row_idx| order(column, row_idx - 1, ty));
        }
    }
    match range.ties {
        // Without a key all rows have the same one.
        None => range.end.min(1),
        Some(ties) => ties.first().map_or(range.end, |tie| range.end.min(*tie)),
    }
}

/// Rows that are in order, as far as they were looked at.
struct Range {
    end: usize,
    /// Those whose key is the one before; all but the first where nothing was looked at.
    ties: Option<Vec<usize>>,
}

impl Range {
    /// Looks at a further column, of which `order` tells how the row before stands to a row.
    fn narrow(&mut self, order: impl Fn(usize) -> Ordering) {
        let mut end = self.end;
        let mut is_tie = |row_idx: usize| {
            let order = if row_idx < end { order(row_idx) } else { Ordering::Less };
            if order.is_gt() {
                end = row_idx;
            }
            order.is_eq()
        };
        match &mut self.ties {
            Some(ties) => ties.retain(|row_idx| is_tie(*row_idx)),
            None => self.ties = Some((1..self.end).filter(|row_idx| is_tie(*row_idx)).collect()),
        }
        self.end = end;
    }
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
