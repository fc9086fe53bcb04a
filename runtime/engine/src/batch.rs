//! What travels between operators: columnar batches of one epoch, and packed keyed rows.

use std::rc::Rc;

use timely::Accountable;
use timely::dataflow::Stream;

use arqon_types::{ColumnBatch, PackedRow};

/// Rows that a stateful operator sends on in one message.
pub(crate) const BATCH_ROWS: usize = 8192;

/// Rows of one epoch; several readers of a step share the columns.
#[derive(Debug, Clone, Default)]
pub(crate) struct Batch {
    /// When the rows change.
    pub(crate) epoch: u64,
    /// The rows with their diffs.
    pub(crate) rows: Rc<ColumnBatch>,
}

impl Accountable for Batch {
    fn record_count(&self) -> i64 {
        i64::try_from(self.rows.len()).expect("a batch has fewer than 2^63 rows")
    }
}

/// A stream of batches.
pub(crate) type Batches<'scope> = Stream<'scope, u64, Batch>;

/// A key, a value, an epoch and a diff: how rows come to a stateful operator.
///
/// This is differential's update triple, so that both back ends read the same stream.
pub(crate) type Keyed = ((PackedRow, PackedRow), u64, i64);

/// A stream of keyed rows.
pub(crate) type KeyedRows<'scope> = Stream<'scope, u64, Vec<Keyed>>;
