//! What joins hold of their sides: which columns, in which form, and what several hold together.

use std::collections::BTreeMap;

use arqon_plan::{Arrangement, JoinReader, JoinSide, Operator, StepId};
use arqon_types::{Type, is_word};

use crate::narrow::NarrowPlan;

/// What a join on hash operators holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Joined {
    /// The left and the right side.
    pub(crate) sides: [Side; 2],
    /// Whether keys are numbers.
    pub(crate) has_word_keys: bool,
    /// Whether keys and rows are numbers.
    pub(crate) is_words: bool,
}

/// What is held of a side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Side {
    /// The columns of the input that are held, in order.
    pub(crate) columns: Vec<usize>,
    /// Their types.
    pub(crate) types: Vec<Type>,
    /// Of each of them, which one it is of those that this join reads, if it does.
    pub(crate) read_as: Vec<Option<usize>>,
    /// The arrangement of the plan that holds them, if other joins read them as well.
    pub(crate) arrangement: Option<usize>,
}

/// What each join of a plan holds, by step.
pub(crate) fn joined(narrow: &NarrowPlan) -> BTreeMap<StepId, Joined> {
    let plan = &narrow.plan;
    let readers = plan.arrangement_readers();
    let together: Vec<Vec<usize>> =
        plan.arrangements.iter().map(|it| columns_together(narrow, it)).collect();
    let mut all: BTreeMap<StepId, Joined> = BTreeMap::new();
    for (id, read) in &narrow.joins {
        let step = &plan.steps[id.index()];
        let Operator::Join(join) = &step.operator else { continue };
        let side = |side: JoinSide| {
            let at = side.index();
            let arrangement = readers.get(&JoinReader { join: *id, side }).copied();
            let columns = arrangement.map_or_else(|| read[at].clone(), |it| together[it].clone());
            let schema = &plan.steps[step.inputs[at].index()].schema;
            let types = columns.iter().map(|column| schema.fields[*column].ty.clone()).collect();
            let place = |column: &usize| read[at].iter().position(|it| it == column);
            let read_as = columns.iter().map(place).collect();
            Side { columns, types, read_as, arrangement }
        };
        let sides = JoinSide::BOTH.map(side);
        let has_word_keys = join.asof.is_none() && is_word(&join.key_types());
        let is_words = has_word_keys && sides.iter().all(|side| is_word(&side.types));
        all.insert(*id, Joined { sides, has_word_keys, is_words });
    }
    // Who holds rows together has them in one form.
    while let Some(arrangement) = plan.arrangements.iter().find(|it| {
        let is_words = |reader: &JoinReader| all[&reader.join].is_words;
        it.readers.iter().any(is_words) && !it.readers.iter().all(is_words)
    }) {
        for reader in &arrangement.readers {
            if let Some(joined) = all.get_mut(&reader.join) {
                joined.is_words = false;
            }
        }
    }
    all
}

/// The columns that any reader of an arrangement reads.
fn columns_together(narrow: &NarrowPlan, arrangement: &Arrangement) -> Vec<usize> {
    let read = arrangement.readers.iter().flat_map(|it| &narrow.joins[&it.join][it.side.index()]);
    let mut columns: Vec<usize> = read.copied().collect();
    columns.sort_unstable();
    columns.dedup();
    columns
}
