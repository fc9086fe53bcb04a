//! The forms in which the rows of a loop's step are at hand.
//!
//! Rows that are numbers stay numbers from step to step, and packed rows stay packed: to make
//! columns of them and numbers again is what most of a round would go to.

use timely::Container;
use timely::container::NoopBuilder;
use timely::dataflow::Stream;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::operator::Operator;

use arqon_types::PackedRow;

use crate::batch::{Batches, Moment, Rounds, WholeRows};
use crate::packed::Packed;

/// The rows of a step, in the forms that something has needed.
#[derive(Clone)]
pub(crate) struct Rows<'inner, T: Rounds> {
    /// As columns.
    pub(crate) columns: Option<Batches<'inner, T>>,
    /// As numbers.
    pub(crate) words: Option<WholeRows<'inner, T, u64>>,
    /// Packed.
    pub(crate) packed: Option<WholeRows<'inner, T>>,
}

impl<'inner, T: Rounds> Rows<'inner, T> {
    /// Columns.
    pub(crate) fn columns(rows: Batches<'inner, T>) -> Self {
        Self { columns: Some(rows), words: None, packed: None }
    }

    /// Packed rows, or numbers.
    pub(crate) fn whole<K: Form>(whole: WholeRows<'inner, T, K>) -> Self {
        let mut rows = Self { columns: None, words: None, packed: None };
        *K::of(&mut rows) = Some(whole);
        rows
    }

    /// Their end, without them.
    pub(crate) fn end(&self) -> Ended<'inner, T> {
        match (&self.columns, &self.words, &self.packed) {
            (Some(rows), _, _) => end(rows.clone()),
            (_, Some(rows), _) => end(rows.clone()),
            (_, _, Some(rows)) => end(rows.clone()),
            (None, None, None) => unreachable!("rows have a form"),
        }
    }
}

/// A form of packed rows.
pub(crate) trait Form: Packed {
    /// The rows in this form.
    fn of<'r, 'inner, T: Rounds>(
        rows: &'r mut Rows<'inner, T>,
    ) -> &'r mut Option<WholeRows<'inner, T, Self>>;
}

impl Form for u64 {
    fn of<'r, 'inner, T: Rounds>(
        rows: &'r mut Rows<'inner, T>,
    ) -> &'r mut Option<WholeRows<'inner, T, Self>> {
        &mut rows.words
    }
}

impl Form for PackedRow {
    fn of<'r, 'inner, T: Rounds>(
        rows: &'r mut Rows<'inner, T>,
    ) -> &'r mut Option<WholeRows<'inner, T, Self>> {
        &mut rows.packed
    }
}

/// The end of a step within a loop; nobody reads what it carries.
pub(crate) type Ended<'scope, T = u64> = Stream<'scope, T, Vec<()>>;

/// The end of a stream, without its rows.
fn end<T: Moment, C: Container>(rows: Stream<'_, T, C>) -> Ended<'_, T> {
    rows.unary::<NoopBuilder<Vec<()>>, _, _, _>(Pipeline, "End", |_, _| {
        |input, _output| input.for_each(|_, _| {})
    })
}
