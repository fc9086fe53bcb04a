//! Where a loop closes: a variable hands out its start and then what the round before has made of
//! it, and what it becomes goes back to it.
//!
//! Every operator that rows pass in a round costs that round: timely has to know of each whether
//! something may still come. So there are two, which also count, move times and end the rounds.

use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::channels::pushers::Output;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::operators::{CapabilitySet, InputCapability};
use timely::progress::operate::FrontierInterest;
use timely::progress::{Antichain, PathSummary};

use arqon_types::PackedRow;

use crate::batch::{Keyed, KeyedRows, Rounds, WholeRows};
use crate::packed::Packed;
use crate::recorder::Meter;
use crate::stats::Counts;
use crate::whole::count_rows;

type Rows<T, K> = Vec<(K, T, i64)>;
type RowsBuilder<T, K> = CapacityContainerBuilder<Rows<T, K>>;
type Overruns<T> = Vec<Keyed<T>>;
type OverrunOutput<'inner, T> = (Output<T, Overruns<T>>, KeyedRows<'inner, T>);
type OverrunsBuilder<T> = CapacityContainerBuilder<Overruns<T>>;

/// When the start of a variable is taken back, since its next round begins anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TakenBack {
    /// By the variable itself, in the second round.
    ByVariable,
    /// By what it becomes.
    ByNext,
}

/// The rounds of a variable.
#[derive(Debug, Clone)]
pub(crate) struct Turns {
    /// How many loops there are around, its own included.
    pub(crate) level: usize,
    /// The last round that rows go back to.
    pub(crate) n_rounds: u64,
    /// What stands beside rows that would go round again after that; none where they just end.
    pub(crate) overrun: Option<PackedRow>,
    /// When its start is.
    pub(crate) taken_back: TakenBack,
}

impl Turns {
    /// A time one round later, unless the rounds are at their end.
    fn later<T: Rounds>(&self, time: &T) -> Option<T> {
        let later = T::one_more(self.level).results_in(time)?;
        (later.round(self.level) <= self.n_rounds).then_some(later)
    }
}

/// What may be sent one round after a message.
fn set_later<T: Rounds>(capability: &InputCapability<T>, turns: &Turns) -> CapabilitySet<T> {
    let times = capability.stamp().iter().filter_map(|time| turns.later(time));
    times.map(|time| capability.delayed(&time, 0)).collect()
}

/// The way back to a variable that has not been told yet what it becomes.
pub(crate) struct WayBack<'inner, T: Rounds, K: Packed> {
    turns: Turns,
    builder: OperatorBuilder<'inner, T>,
    again: Output<T, Rows<T, K>>,
    overruns: Option<OverrunOutput<'inner, T>>,
}

/// A variable, and the way back to it; the meter is the variable's.
pub(crate) fn open<T: Rounds, K: Packed>(
    start: WholeRows<'_, T, K>,
    turns: Turns,
    meter: Meter,
) -> (WholeRows<'_, T, K>, WayBack<'_, T, K>) {
    let scope = start.scope();
    let mut back = OperatorBuilder::new("Next".to_owned(), scope);
    let (again, again_rows) = back.new_output::<Rows<T, K>>();
    let overruns = turns.overrun.as_ref().map(|_| back.new_output::<Overruns<T>>());
    let way_back = WayBack { turns: turns.clone(), builder: back, again, overruns };

    let mut builder = OperatorBuilder::new("Variable".to_owned(), scope);
    let mut start = builder.new_input(start, Pipeline);
    let mut again = builder.new_input(again_rows, Pipeline);
    for idx in 0..2 {
        builder.set_notify_for(idx, FrontierInterest::Never);
    }
    let (output, rows) = builder.new_output::<Rows<T, K>>();
    let mut output = OutputBuilder::<T, RowsBuilder<T, K>>::from(output);
    builder.build(move |capabilities| {
        drop(capabilities);
        let count = move |rows: &[(K, T, i64)]| count_rows(&meter, rows, Counts::pass);
        move |_| {
            let mut output = output.activate();
            start.for_each(|capability, rows| {
                count(rows);
                if turns.taken_back == TakenBack::ByVariable {
                    let minus = rows.iter().filter_map(|(row, time, diff)| {
                        Some((row.clone(), turns.later(time)?, -diff))
                    });
                    let mut minus: Rows<T, K> = minus.collect();
                    count(&minus);
                    let later = set_later(&capability, &turns);
                    output.session(&later).give_container(&mut minus);
                }
                output.session(&capability).give_container(rows);
            });
            again.for_each(|capability, rows| {
                count(rows);
                output.session(&capability).give_container(rows);
            });
        }
    });
    (rows, way_back)
}

impl<'inner, T: Rounds, K: Packed> WayBack<'inner, T, K> {
    /// Rows go back with these changes. Given is what would go back after the last round, if it is
    /// asked for; the meter is of what counts them as they pass.
    pub(crate) fn close(
        self,
        changes: WholeRows<'inner, T, K>,
        meter: Option<Meter>,
    ) -> Option<KeyedRows<'inner, T>> {
        let Self { turns, mut builder, again, overruns } = self;
        let one_more = T::one_more(turns.level);
        let at_once = overruns.as_ref().map(|_| (1, Antichain::from_elem(T::Summary::default())));
        let ways = std::iter::once((0, Antichain::from_elem(one_more))).chain(at_once);
        let ways: Vec<_> = ways.collect();
        let mut input = builder.new_input_connection(changes, Pipeline, ways);
        builder.set_notify_for(0, FrontierInterest::Never);
        let mut again = OutputBuilder::<T, RowsBuilder<T, K>>::from(again);
        let (overruns, overrun_rows) = overruns.unzip();
        let mut overruns = overruns.map(OutputBuilder::<T, OverrunsBuilder<T>>::from);
        builder.build(move |capabilities| {
            drop(capabilities);
            move |_| {
                let mut again = again.activate();
                input.for_each(|capability, rows| {
                    if let Some(meter) = &meter {
                        count_rows(meter, rows, Counts::pass);
                    }
                    if let (Some(overruns), Some(key)) = (&mut overruns, &turns.overrun) {
                        let over =
                            rows.iter().filter(|row| turns.n_rounds <= row.1.round(turns.level));
                        let mut over: Overruns<T> = over
                            .map(|(row, time, diff)| {
                                ((key.clone(), row.to_row()), time.clone(), *diff)
                            })
                            .collect();
                        if !over.is_empty() {
                            let set = capability.retain_stamp(1);
                            overruns.activate().session(&set).give_container(&mut over);
                        }
                    }
                    rows.retain_mut(|(_, time, _)| {
                        let later = turns.later(time);
                        let goes_on = later.is_some();
                        *time = later.unwrap_or_default();
                        goes_on
                    });
                    if !rows.is_empty() {
                        again.session(&set_later(&capability, &turns)).give_container(rows);
                    }
                });
            }
        });
        overrun_rows
    }
}
