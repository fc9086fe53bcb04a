//! Values in an order: packed so that their bytes sort as the rows do by some expressions.
//!
//! A value is the packed order, then the row, then the length of the first part. Orders are
//! packed values, none of which is the beginning of another, so that values of one order stand
//! together and a range of orders is a range of values.

use std::borrow::Cow;

use arqon_plan::Order;
use arqon_types::{Column, ColumnBatch, PackedRow, Type};

use crate::evaluate::{Faults, Formula};
use crate::keyed::PackValue;

/// Bytes at the end of an ordered value that say how long its order part is.
const SUFFIX_BYTES: usize = 4;

/// What rows are ordered by.
pub(crate) type OrderBy = Vec<(Formula, Order)>;

/// Packs the order by `by`, descending keys complemented, and then these fields of the row.
pub(crate) fn pack_ordered(by: OrderBy, fields: Vec<usize>, types: Vec<Type>) -> PackValue {
    Box::new(move |batch: &ColumnBatch, faults: &mut Faults| {
        let columns: Vec<Cow<'_, Column>> =
            by.iter().map(|(formula, _)| formula.column(batch, faults)).collect();
        let pack = |row_idx| {
            let mut packed = PackedRow::new();
            for (column, (formula, order)) in columns.iter().zip(&by) {
                let start = packed.len();
                packed.push_cell(column, row_idx, formula.ty());
                match order {
                    Order::Ascending => {}
                    Order::Descending => packed.complement_from(start),
                }
            }
            let n_order = u32::try_from(packed.len()).expect("sort keys are below 4 GiB");
            for (at, ty) in fields.iter().zip(&types) {
                packed.push_cell(&batch.columns[*at], row_idx, ty);
            }
            packed.push_bytes(&n_order.to_be_bytes());
            packed
        };
        (0..batch.len()).map(pack).collect()
    })
}

/// The order and the row of a value.
pub(crate) fn split_order(value: &PackedRow) -> (&[u8], &[u8]) {
    split_order_of(value.as_bytes())
}

/// The same of the value's bytes.
pub(crate) fn split_order_of(value: &[u8]) -> (&[u8], &[u8]) {
    let (bytes, n_order) = split_length(value);
    bytes.split_at(n_order)
}

/// The bytes before a length at the end, and the length.
pub(crate) fn split_length(bytes: &[u8]) -> (&[u8], usize) {
    let (rest, suffix) = bytes.split_at(bytes.len() - SUFFIX_BYTES);
    let n_bytes = u32::from_be_bytes(suffix.try_into().expect("the suffix has four bytes"));
    (rest, n_bytes as usize)
}

/// The least bytes that are greater than all values of this order and of the orders before it.
pub(crate) fn after_order(order: &[u8]) -> Option<PackedRow> {
    let n_kept = order.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut after = PackedRow::new();
    after.push_bytes(&order[..n_kept]);
    after.push_bytes(&[order[n_kept] + 1]);
    Some(after)
}

/// Bytes as a packed row.
pub(crate) fn packed(bytes: &[u8]) -> PackedRow {
    let mut row = PackedRow::new();
    row.push_bytes(bytes);
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_after_an_order_is_greater_than_all_that_begins_with_it() {
        let after = |order: &[u8]| after_order(order).map(|after| after.as_bytes().to_vec());
        assert_eq!(after(&[1, 2]), Some(vec![1, 3]));
        assert_eq!(after(&[1, 0xFF, 0xFF]), Some(vec![2]));
        assert_eq!(after(&[0xFF]), None);
        assert_eq!(after(&[]), None);
    }
}
