//! What the state of steps takes of the memory, as it is counted.
//!
//! Rows are counted as they come and go, with what they take in place and elsewhere, and as much
//! again for each as tables and trees take on the average. A step that holds less than its rows
//! counts what it holds. The sum is near what the process takes, and costs nothing to know.

use std::hash::{BuildHasher, Hash};

use hashbrown::HashMap;

use crate::packed::Packed;

/// What a table or a tree takes for a row beside its key and value: multiplicity, and room for
/// growth.
const ROW_BYTES: usize = 32;

/// What a row takes that an operator holds.
pub(crate) fn row_bytes<K: Packed, V: Packed>(key: &K, value: &V) -> i64 {
    let in_place = size_of::<K>() + size_of::<V>() + ROW_BYTES;
    signed(in_place + key.heap_bytes() + value.heap_bytes())
}

/// What the rows of changes come to.
pub(crate) fn grown<K: Packed, V: Packed>(deltas: &[((K, V), i64)]) -> i64 {
    deltas.iter().map(|((key, value), diff)| row_bytes(key, value).saturating_mul(*diff)).sum()
}

/// What a table takes, without what its keys and values have elsewhere.
pub(crate) fn table_bytes<K: Eq + Hash, V, S: BuildHasher>(table: &HashMap<K, V, S>) -> i64 {
    signed(table.allocation_size())
}

/// Bytes as a signed number.
pub(crate) fn signed(n_bytes: usize) -> i64 {
    i64::try_from(n_bytes).expect("memory is below 2^63 bytes")
}

/// The rows of a hash operator, and what they take.
#[derive(Debug, Default)]
pub(crate) struct Held {
    n_rows: i64,
    n_bytes: i64,
}

impl Held {
    /// Takes in an epoch: `net` rows of `n_bytes` came, and the operator holds `grown` rows more.
    /// Returns by how much what they take has grown. Rows that came and are not held, or were and
    /// are not any more, had the mean size.
    pub(crate) fn change(&mut self, net: i64, n_bytes: i64, grown: i64) -> i64 {
        let before = self.n_bytes;
        let n_gone = net - grown;
        self.n_rows += grown;
        self.n_bytes += n_bytes;
        if self.n_rows <= 0 {
            self.n_bytes = 0;
        } else if n_gone > 0 {
            let share = i128::from(self.n_bytes) * i128::from(self.n_rows)
                / i128::from(self.n_rows.saturating_add(n_gone));
            self.n_bytes = i64::try_from(share).expect("a part of a 64 bit number");
        }
        self.n_bytes - before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_go_take_their_share_along() {
        let mut held = Held::default();
        assert_eq!(held.change(10, 1000, 10), 1000);
        // Four are released.
        assert_eq!(held.change(0, 0, -4), -400);
        // Two come, one of them too late.
        assert_eq!(held.change(2, 200, 1), 100);
        assert_eq!(held.change(-7, -700, -7), -700);
    }
}
