//! What travels between operators: columnar batches of one time, and packed keyed rows.
//!
//! Outside of loops a time is an epoch; within, it also counts the rounds.

use std::rc::Rc;

use differential_dataflow::dynamic::feedback_summary;
use differential_dataflow::dynamic::pointstamp::PointStamp;
use differential_dataflow::lattice::Lattice;
use differential_dataflow::{AsCollection, Data};
use timely::Accountable;
use timely::dataflow::Stream;
use timely::order::Product;
use timely::progress::Timestamp;
use timely::progress::timestamp::Refines;

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

/// When rows change within loops: the epoch, and the rounds of the loops around.
pub(crate) trait Rounds: Moment + Refines<u64> {
    /// When what comes in from outside changes.
    fn entered(epoch: u64) -> Self;

    /// One round more of the loop of this level; the outermost is of level 1.
    fn one_more(level: usize) -> Self::Summary;

    /// Which round of the loop of this level it is.
    fn round(&self, level: usize) -> u64;

    /// Rows that leave the loop of this level, and stay in those around.
    fn leave<D: Data>(rows: WholeRows<'_, Self, D>, level: usize) -> WholeRows<'_, Self, D>;
}

/// An epoch, and the rounds of the loops around, the outermost first.
pub(crate) type Nested = Product<u64, PointStamp<u64>>;

impl Moment for Nested {
    fn epoch(&self) -> u64 {
        self.outer
    }
}

impl Rounds for Nested {
    fn entered(epoch: u64) -> Self {
        Self::new(epoch, PointStamp::default())
    }

    fn one_more(level: usize) -> Self::Summary {
        Product::new(Default::default(), feedback_summary::<u64>(level, 1))
    }

    fn round(&self, level: usize) -> u64 {
        self.inner.get(level - 1).copied().unwrap_or_default()
    }

    fn leave<D: Data>(rows: WholeRows<'_, Self, D>, level: usize) -> WholeRows<'_, Self, D> {
        rows.as_collection().leave_dynamic(level).inner
    }
}

/// An epoch, and the rounds of a loop that has no other in it: two plain numbers, which most loops
/// need, and which are a third as large.
pub(crate) type Single = Product<u64, u64>;

impl Moment for Single {
    fn epoch(&self) -> u64 {
        self.outer
    }
}

impl Rounds for Single {
    fn entered(epoch: u64) -> Self {
        Self::new(epoch, 0)
    }

    fn one_more(_level: usize) -> Self::Summary {
        Product::new(Default::default(), 1)
    }

    fn round(&self, _level: usize) -> u64 {
        self.inner
    }

    fn leave<D: Data>(_rows: WholeRows<'_, Self, D>, level: usize) -> WholeRows<'_, Self, D> {
        unreachable!("no loop of level {level} stands in this one")
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

/// A stream of packed rows that stand for themselves: differential's update triples, too.
pub(crate) type WholeRows<'scope, T, K = PackedRow> = Stream<'scope, T, Vec<(K, T, i64)>>;

/// A stream of keyed rows.
pub(crate) type KeyedRows<'scope, T = u64, K = PackedRow, V = PackedRow> =
    Stream<'scope, T, Vec<Keyed<T, K, V>>>;
