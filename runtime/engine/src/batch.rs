//! What travels between operators: columnar batches of one time, and packed keyed rows.
//!
//! Outside of loops a time is an epoch; within, it also counts the rounds.

use std::rc::Rc;

use differential_dataflow::dynamic::pointstamp::PointStamp;
use differential_dataflow::lattice::Lattice;
use timely::Accountable;
use timely::dataflow::Stream;
use timely::order::Product;
use timely::progress::Timestamp;

use arqon_types::{ColumnBatch, PackedRow};

/// Rows that a stateful operator sends on in one message.
pub(crate) const BATCH_ROWS: usize = 8192;

/// When rows change.
pub(crate) trait Moment: Timestamp + Lattice + Default {
    /// The epoch, whatever the round.
    fn epoch(&self) -> u64;
}

impl Moment for u64 {
    fn epoch(&self) -> u64 {
        *self
    }
}

/// An epoch, and the rounds of the loops around, the outermost first.
pub(crate) type Round = Product<u64, PointStamp<u64>>;

impl Moment for Round {
    fn epoch(&self) -> u64 {
        self.outer
    }
}

/// Rows of one time; several readers of a step share the columns.
#[derive(Debug, Clone, Default)]
pub(crate) struct Batch<T = u64> {
    /// When the rows change.
    pub(crate) time: T,
    /// The rows with their diffs.
    pub(crate) rows: Rc<ColumnBatch>,
}

impl<T> Accountable for Batch<T> {
    fn record_count(&self) -> i64 {
        i64::try_from(self.rows.len()).expect("a batch has fewer than 2^63 rows")
    }
}

/// A stream of batches.
pub(crate) type Batches<'scope, T = u64> = Stream<'scope, T, Batch<T>>;

/// A key, a value, a time and a diff: how rows come to a stateful operator.
///
/// This is differential's update triple, so that both back ends read the same stream.
pub(crate) type Keyed<T = u64, K = PackedRow, V = PackedRow> = ((K, V), T, i64);

/// A stream of keyed rows.
pub(crate) type KeyedRows<'scope, T = u64, K = PackedRow, V = PackedRow> =
    Stream<'scope, T, Vec<Keyed<T, K, V>>>;
