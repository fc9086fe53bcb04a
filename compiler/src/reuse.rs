//! Pass `reuse`: rows that several joins look up by the same key are held once.
//!
//! Law: what a join holds of a side is the side's rows by its key, whatever it is joined with; so
//! joins that read one step by the same columns hold the same of it, as long as `none` in a key
//! means the same to them. What each of them makes of it stays its own. Left out are joins that
//! hold otherwise: by time, in loops, and until their windows close, which pass `release` says.
//! And a join whose keys and rows are all numbers holds them as such, in less room than it would
//! have a part in with others whose rows are not: it has them in common with its like alone.
//!
//! The pass changes no step: it says which sides are one arrangement. `prune`, which comes behind
//! it, leaves the readers of one the columns that any of them needs.

use std::collections::{BTreeMap, BTreeSet};

use arqon_operators::Need;
use arqon_plan::{
    Arrangement, DataflowPlan, Join, JoinReader, JoinSide, NoneInKey, Operator, Step, StepId,
};
use arqon_types::{Type, is_word};

use crate::keys::plain_columns;
use crate::needs::{held_needs, needs};

/// What makes two sides of joins hold the same.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Lookup {
    of: StepId,
    key: Vec<usize>,
    /// Whether a key is packed as an option, part by part.
    options: Vec<bool>,
    /// Where a part may be `none`, what becomes of it then.
    none: Option<NoneInKey>,
    /// Of a join whose keys and rows are numbers, the column that is read.
    number: Option<usize>,
}

/// The same plan, whose joins hold together what they hold alike.
pub(crate) fn reuse(mut plan: DataflowPlan) -> DataflowPlan {
    let regions = plan.regions();
    let needs = needs(&plan);
    let mut readers: BTreeMap<Lookup, Vec<JoinReader>> = BTreeMap::new();
    for (at, step) in plan.steps.iter().enumerate() {
        let Operator::Join(join) = &step.operator else { continue };
        if join.asof.is_some() || regions[at].is_some() {
            continue;
        }
        let numbers = numbers(&plan, step, join, &needs[at]);
        for side in JoinSide::BOTH {
            let Some(mut lookup) = lookup(join, side, step.inputs[side.index()]) else { continue };
            lookup.number = numbers.map(|both| both[side.index()]);
            let join = StepId::at(at);
            let readers = readers.entry(lookup).or_default();
            // Of a join of something with itself, one side keeps rows of its own.
            if readers.last().is_none_or(|last| last.join != join) {
                readers.push(JoinReader { join, side });
            }
        }
    }
    let mut arrangements: Vec<Arrangement> = (readers.into_values())
        .filter(|readers| readers.len() > 1)
        .map(|readers| Arrangement { readers })
        .collect();
    arrangements.sort_by_key(|it| it.readers[0]);
    plan.arrangements = arrangements;
    plan
}

/// What a side looks up, if its key is columns.
fn lookup(join: &Join, side: JoinSide, of: StepId) -> Option<Lookup> {
    let key = plain_columns(join.key(side));
    if key.len() < join.key(side).len() {
        return None;
    }
    let options: Vec<bool> = join.key_types().iter().map(Type::is_option).collect();
    let none = options.contains(&true).then(|| join.none_in_key(side));
    Some(Lookup { of, key, options, none, number: None })
}

/// The columns that a join reads, if it holds nothing but numbers: one of each side, by a number.
fn numbers(plan: &DataflowPlan, step: &Step, join: &Join, need: &[Need]) -> Option<[usize; 2]> {
    let is_number = |ty: &Type| is_word(std::slice::from_ref(ty));
    let has_number_keys = is_word(&join.key_types());
    let schemas = [0, 1].map(|side: usize| &plan.steps[step.inputs[side].index()].schema);
    let held = held_needs(join, need, schemas.map(|schema| schema.fields.len()));
    let number = |side: usize| {
        let mut read = (0..held[side].len()).filter(|at| held[side][*at] != Need::Nothing);
        let only = read.next().filter(|at| is_number(&schemas[side].fields[*at].ty))?;
        read.next().is_none().then_some(only)
    };
    (has_number_keys && join.asof.is_none()).then_some([number(0)?, number(1)?])
}

/// Leaves joins that let go of their rows to themselves.
pub(crate) fn without_released(
    mut arrangements: Vec<Arrangement>,
    released: &BTreeSet<StepId>,
) -> Vec<Arrangement> {
    for arrangement in &mut arrangements {
        arrangement.readers.retain(|reader| !released.contains(&reader.join));
    }
    arrangements.retain(|arrangement| arrangement.readers.len() > 1);
    arrangements
}
