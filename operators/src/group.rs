//! The state of one group: all its aggregates together, and their values.
//!
//! A [`GroupPlan`] is made once per `group` step. It says which expressions the engine evaluates
//! for every row ([`GroupPlan::inputs`]), folds filters into them (a row that a filter refuses
//! counts as `none`, and its argument is not evaluated), and lets aggregates over one input share
//! what is remembered: `sum(x)` and `avg(x)` one sum, `min(x)` and `list(x)` one multiset.

mod tally;

use arqon_types::{Column, PackedRow, Type, Value};

use crate::accumulate::{Cells, Inputs, Slot, SlotKind, join, powers_of_ten};
use crate::aggregate::{Aggregate, AggregateFunction};
use crate::conversion::coerced;
use crate::ends::Ends;
use crate::eval_error::{EvalCode, EvalError, Failure};
use crate::exact::Exact;
use crate::expr::{Expr, ExprKind, Place};
use crate::glance::Glance;
use crate::ints::Key;
use crate::multiset::{Multiset, from_int_key, last_of_packed};

pub use self::tally::TallyRows;

/// Items that `list` and `top` yield at most; more is an error of the group.
pub const LIST_ITEMS_MAX: usize = 1_000_000;

/// The aggregates of a `group` step, ready to run.
#[derive(Debug, Clone)]
pub struct GroupPlan {
    inputs: Vec<Expr>,
    slots: Vec<SlotPlan>,
    outputs: Vec<OutputPlan>,
}

#[derive(Debug, Clone, PartialEq)]
struct SlotPlan {
    kind: SlotKind,
    /// Places among the inputs, with their types; the value stands last, after its order.
    inputs: Vec<(usize, Type)>,
    /// The types alone.
    types: Vec<Type>,
}

#[derive(Debug, Clone)]
struct OutputPlan {
    function: AggregateFunction,
    /// None for `count()`, which counts the group's rows.
    slot: Option<usize>,
    ty: Type,
    place: Place,
    /// `q` of `quantile`.
    quantile: f64,
    /// `n` of `top`.
    n_items: usize,
}

/// What one group remembers.
#[derive(Debug, Clone)]
pub struct GroupState {
    n_rows: i64,
    slots: Box<[Slot]>,
}

impl GroupPlan {
    /// A plan for these aggregates.
    pub fn new(aggregates: &[Aggregate]) -> Self {
        let mut plan = Self { inputs: Vec::new(), slots: Vec::new(), outputs: Vec::new() };
        for aggregate in aggregates {
            let output = plan.output(aggregate);
            plan.outputs.push(output);
        }
        plan
    }

    /// What is evaluated for each row of the step's input, in this order, before
    /// [`GroupState::update`]. A row for which one of them fails is an error row and reaches no
    /// group.
    pub fn inputs(&self) -> &[Expr] {
        &self.inputs
    }

    /// The state of a group without rows.
    pub fn new_state(&self) -> GroupState {
        let slot = |slot: &SlotPlan| Slot::new(&slot.kind, &slot.types);
        GroupState { n_rows: 0, slots: self.slots.iter().map(slot).collect() }
    }

    fn output(&mut self, aggregate: &Aggregate) -> OutputPlan {
        use AggregateFunction as A;
        let constant = |idx: usize| match aggregate.args.get(idx).map(|arg| &arg.kind) {
            Some(ExprKind::Literal(value)) => Some(value.clone()),
            _ => None,
        };
        let (kind, exprs) = match aggregate.function {
            A::Count => match (aggregate.args.first(), &aggregate.filter) {
                (None, None) => (None, Vec::new()),
                (None, Some(filter)) => (Some(SlotKind::Truth), vec![filter.clone()]),
                (Some(x), _) => (Some(SlotKind::Present), vec![x.clone()]),
            },
            A::Sum | A::Average => {
                let kind = match aggregate.args[0].ty.required() {
                    Type::Float64 => SlotKind::Floats,
                    Type::Decimal(_) => SlotKind::Decimals,
                    _ => SlotKind::Ints,
                };
                (Some(kind), vec![aggregate.args[0].clone()])
            }
            A::Any | A::All => (Some(SlotKind::Truth), vec![aggregate.args[0].clone()]),
            A::StandardDeviation | A::Variance => {
                (Some(SlotKind::Moments), vec![aggregate.args[0].clone()])
            }
            A::Min | A::Max => (Some(SlotKind::Ends), vec![aggregate.args[0].clone()]),
            A::DistinctCount | A::List | A::Quantile | A::Top => {
                (Some(SlotKind::Values), vec![aggregate.args[0].clone()])
            }
            A::First | A::Last => {
                let (x, by) = (&aggregate.args[0], &aggregate.args[1]);
                (Some(SlotKind::Ends), vec![by.clone(), x.clone()])
            }
        };
        let folds = !(aggregate.function == A::Count && aggregate.args.is_empty());
        let inputs = exprs
            .into_iter()
            .map(|expr| match &aggregate.filter {
                Some(filter) if folds => filtered(expr, filter),
                _ => expr,
            })
            .map(|expr| (self.input(&expr), expr.ty))
            .collect::<Vec<_>>();
        OutputPlan {
            function: aggregate.function,
            slot: kind.map(|kind| {
                let types = inputs.iter().map(|(_, ty)| ty.clone()).collect();
                self.slot(SlotPlan { kind, inputs, types })
            }),
            ty: aggregate.ty.clone(),
            place: aggregate.place,
            quantile: match constant(1) {
                Some(Value::Float(q)) => q.get(),
                _ => 0.0,
            },
            n_items: match constant(1) {
                Some(Value::Int(n)) => usize::try_from(n).unwrap_or(usize::MAX),
                _ => 0,
            },
        }
    }

    /// The place of an input, shared with equal ones.
    fn input(&mut self, expr: &Expr) -> usize {
        self.inputs.iter().position(|known| same(known, expr)).unwrap_or_else(|| {
            self.inputs.push(expr.clone());
            self.inputs.len() - 1
        })
    }

    /// The place of what is remembered of these inputs, shared with an aggregate that remembers as
    /// much: all values have ends.
    fn slot(&mut self, slot: SlotPlan) -> usize {
        let serves = |known: &SlotPlan| {
            let is_same = known.kind == slot.kind;
            let has_values =
                |slot: &SlotPlan| matches!(slot.kind, SlotKind::Values | SlotKind::Ends);
            known.inputs == slot.inputs && (is_same || (has_values(known) && has_values(&slot)))
        };
        let Some(idx) = self.slots.iter().position(serves) else {
            self.slots.push(slot);
            return self.slots.len() - 1;
        };
        if slot.kind == SlotKind::Values {
            self.slots[idx].kind = SlotKind::Values;
        }
        idx
    }
}

/// Whether two expressions compute the same and report the same place; places of mere columns do
/// not matter, since they cannot fail.
fn same(a: &Expr, b: &Expr) -> bool {
    match (&a.kind, &b.kind) {
        (ExprKind::Column(a), ExprKind::Column(b)) => a == b,
        _ => a == b,
    }
}

/// `if filter then expr else none`
fn filtered(expr: Expr, filter: &Expr) -> Expr {
    let ty = expr.ty.clone().optional();
    let place = expr.place;
    let none = Expr { kind: ExprKind::Literal(Value::None), ty: ty.clone(), place };
    let kind = ExprKind::If {
        condition: Box::new(filter.clone()),
        then: Box::new(coerced(expr, &ty)),
        otherwise: Box::new(none),
    };
    Expr { kind, ty, place }
}

impl GroupState {
    /// Takes in row `row_idx` of `columns` (one for each of the plan's inputs) `diff` times.
    #[inline]
    pub fn update(&mut self, plan: &GroupPlan, columns: &[&Column], row_idx: usize, diff: i64) {
        self.take_in(plan, &Cells { columns, row_idx }, diff);
    }

    /// Reads what [`GroupState::update`] of a row and [`GroupState::finish`] will, one step
    /// further than the last glance, and changes nothing.
    pub fn look_ahead(&self, glance: Glance) {
        self.slots.iter().for_each(|slot| slot.look_ahead(glance));
    }

    /// What the state takes of the memory beside its own size, in bytes; of values that are texts
    /// it knows how many they are, and not how long.
    pub fn heap_bytes(&self) -> usize {
        let slots = self.slots.len() * size_of::<Slot>();
        slots + self.slots.iter().map(Slot::heap_bytes).sum::<usize>()
    }

    /// As [`GroupState::update`] for a row of plain values.
    pub fn update_values(&mut self, plan: &GroupPlan, values: &[Value], diff: i64) {
        self.take_in(plan, &values, diff);
    }

    #[inline]
    fn take_in(&mut self, plan: &GroupPlan, row: &impl Inputs, diff: i64) {
        self.n_rows += diff;
        for (slot, slot_plan) in self.slots.iter_mut().zip(&plan.slots) {
            slot.update(row, &slot_plan.inputs, diff);
        }
    }

    /// Adds what another state of the same plan has seen.
    pub fn merge(&mut self, other: &Self) {
        self.n_rows += other.n_rows;
        for (slot, more) in self.slots.iter_mut().zip(&other.slots) {
            slot.merge(more);
        }
    }

    /// Rows in the group, with their multiplicities.
    pub fn n_rows(&self) -> i64 {
        self.n_rows
    }

    /// Whether the group has no row, so that it does not exist (but for the empty group).
    pub fn is_empty(&self) -> bool {
        self.n_rows == 0
    }

    /// The values of all aggregates, in the plan's order.
    ///
    /// Cost: `quantile` walks the distinct values, `list` copies all; the others take constant or
    /// logarithmic time.
    ///
    /// # Errors
    /// [`EvalError`] of the first aggregate that has no value of its type; the group's row is an
    /// error row then, until the group changes.
    pub fn finish(&self, plan: &GroupPlan) -> Result<Vec<Value>, EvalError> {
        plan.outputs
            .iter()
            .map(|output| self.value(plan, output).map_err(|failure| failure.at(output.place)))
            .collect()
    }

    fn value(&self, plan: &GroupPlan, output: &OutputPlan) -> Result<Value, Failure> {
        use AggregateFunction as A;
        let Some(slot_idx) = output.slot else { return Ok(Value::Int(self.n_rows)) };
        let input_types = &plan.slots[slot_idx].types;
        let of = input_types.last().expect("a slot reads something").required();
        match &self.slots[slot_idx] {
            Slot::Present(n) => Ok(Value::Int(*n)),
            Slot::Truth { n_true, n } => match output.function {
                A::Count => Ok(Value::Int(*n_true)),
                _ if *n == 0 && output.ty.is_option() => Ok(Value::None),
                A::Any => Ok(Value::Bool(*n_true > 0)),
                _ => Ok(Value::Bool(n_true == n)),
            },
            Slot::Ints { low, high, n } => int_value(output, join(*low, *high), *n),
            Slot::Decimals(sum) if output.function == A::Sum => {
                match (sum.units(), sum.n == 0 && output.ty.is_option()) {
                    (_, true) => Ok(Value::None),
                    (Some(units), _) => Ok(Value::Decimal(units)),
                    (None, _) => Err(Failure::overflow("`sum`", of)),
                }
            }
            Slot::Decimals(sum) => average(output, sum.n, of, sum.units(), || sum.exact()),
            Slot::Floats(sum) if output.function == A::Sum => {
                let absent = sum.n == 0 && output.ty.is_option();
                Ok(if absent { Value::None } else { Value::float(sum.to_float()) })
            }
            Slot::Floats(sum) => match sum.special() {
                Some(special) if sum.n != 0 => Ok(Value::float(special)),
                _ => average(output, sum.n, of, None, || sum.exact()),
            },
            Slot::Moments(moments) => {
                let scale = if let Type::Decimal(scale) = of { *scale } else { 0 };
                Ok(match moments.variance(scale) {
                    None => Value::None,
                    Some(variance) if output.function == A::Variance => Value::float(variance),
                    Some(variance) => Value::float(variance.sqrt()),
                })
            }
            Slot::Ints64(values) => ordered_value(output, values, |key| from_int_key(*key, of)),
            Slot::Packed(values) => {
                let value = |key: &PackedRow| last_of_packed(key, input_types);
                ordered_value(output, values, value)
            }
            Slot::EndsInts64(ends) => end_value(output, ends, |key| from_int_key(*key, of)),
            Slot::EndsPacked(ends) => {
                end_value(output, ends, |key| last_of_packed(key, input_types))
            }
        }
    }
}

/// No value where the type has one: the rows of the group have been taken away below zero.
fn no_value(output: &OutputPlan) -> Result<Value, Failure> {
    if output.ty.is_option() {
        Ok(Value::None)
    } else {
        Err(Failure::argument("the group has no value to aggregate"))
    }
}

fn int_value(output: &OutputPlan, sum: i128, n: i64) -> Result<Value, Failure> {
    if output.function == AggregateFunction::Average {
        return average(output, n, &Type::Int64, Some(sum), || Exact::from_int(sum));
    }
    if n == 0 && output.ty.is_option() {
        return Ok(Value::None);
    }
    let ty = output.ty.required();
    let sum = i64::try_from(sum).map_err(|_| Failure::overflow("`sum`", ty))?;
    Ok(if *ty == Type::Duration { Value::Duration(sum) } else { Value::Int(sum) })
}

/// The exact sum over the number of values, rounded once. `small` is the sum as an integer, if it
/// is one: where both sides are exact floats, one division does.
fn average(
    output: &OutputPlan,
    n: i64,
    of: &Type,
    small: Option<i128>,
    sum: impl FnOnce() -> Exact,
) -> Result<Value, Failure> {
    const EXACT: u128 = 1 << 53;
    if n <= 0 {
        return no_value(output);
    }
    let n = n.unsigned_abs();
    let scale = if let Type::Decimal(scale) = of { u32::from(*scale) } else { 0 };
    let divisor = 10_u128.checked_pow(scale).and_then(|unit| unit.checked_mul(u128::from(n)));
    if let (Some(sum), Some(divisor)) = (small, divisor)
        && sum.unsigned_abs() < EXACT
        && divisor < EXACT
    {
        #[expect(clippy::cast_precision_loss, reason = "both are below 2^53")]
        return Ok(Value::float(sum as f64 / divisor as f64));
    }
    let divisors: Vec<u64> = std::iter::once(n).chain(powers_of_ten(scale)).collect();
    Ok(Value::float(sum().divided_to_float(&divisors)))
}

fn end_value<K: Key>(
    output: &OutputPlan,
    ends: &Ends<K>,
    value: impl Fn(&K) -> Value,
) -> Result<Value, Failure> {
    use AggregateFunction as A;
    let end = match output.function {
        A::Max | A::Last => ends.greatest(),
        _ => ends.least(),
    };
    end.map_or_else(|| no_value(output), |key| Ok(value(&key)))
}

fn ordered_value<K: Ord>(
    output: &OutputPlan,
    values: &Multiset<K>,
    value: impl Fn(&K) -> Value,
) -> Result<Value, Failure> {
    use AggregateFunction as A;
    let mut ascending = values.ascending();
    let found = match output.function {
        A::DistinctCount => {
            let n = i64::try_from(values.n_distinct()).expect("memory is below 2^63 values");
            return Ok(Value::Int(n));
        }
        A::List => return items(output, ascending, LIST_ITEMS_MAX, value),
        A::Top => {
            let n = output.n_items.min(LIST_ITEMS_MAX + 1);
            return items(output, ascending.rev(), n, value);
        }
        A::Quantile => quantile(values, output.quantile),
        A::Max | A::Last => ascending.next_back().map(|(key, _)| key),
        _ => ascending.next().map(|(key, _)| key),
    };
    match found {
        Some(key) => Ok(value(key)),
        None => no_value(output),
    }
}

/// The values in order, each as often as it is there: all for `list`, `n` for `top`.
fn items<'a, K: 'a>(
    output: &OutputPlan,
    in_order: impl Iterator<Item = (&'a K, i64)>,
    n: usize,
    value: impl Fn(&K) -> Value,
) -> Result<Value, Failure> {
    let mut items = Vec::new();
    let is_list = output.function == AggregateFunction::List;
    for (key, count) in in_order {
        if items.len() >= n && !is_list {
            break;
        }
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let count = if is_list { count } else { count.min(n - items.len()) };
        if count > LIST_ITEMS_MAX - items.len() {
            let name = if is_list { "list" } else { "top" };
            return Err(Failure::new(
                EvalCode::Overflow,
                format!("`{name}` has more than {LIST_ITEMS_MAX} items"),
            ));
        }
        items.extend(std::iter::repeat_n(value(key), count));
    }
    Ok(Value::List(items.into()))
}

/// The least value that at least a share `q` of all values do not exceed.
fn quantile<K: Ord>(values: &Multiset<K>, q: f64) -> Option<&K> {
    let n: i128 = values.ascending().map(|(_, count)| i128::from(count)).sum();
    #[expect(clippy::cast_precision_loss, reason = "a rank among 2^53 values is close enough")]
    let rank = (q * n as f64).ceil();
    let mut seen: i128 = 0;
    for (key, count) in values.ascending() {
        seen += i128::from(count);
        #[expect(clippy::cast_precision_loss, reason = "as above")]
        if seen as f64 >= rank {
            return Some(key);
        }
    }
    None
}

#[cfg(test)]
mod tests;
