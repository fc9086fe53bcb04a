//! Values along an order: what is said of each copy of a row beside those before and after it.
//!
//! Nothing is kept here. The rows of a key come in their order, and each gets its values; where
//! only some of them are wanted, a [`Standing`] says what the rows before these come to.

use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

use arqon_operators::{Expr, GroupPlan, GroupState};
use arqon_plan::{Order, Over, OverKind};
use arqon_types::{PackedRow, Schema, Type, Value};

use crate::evaluate::{Faults, Formula};
use crate::keyed::PackValue;
use crate::ordered::{pack_ordered, packed, split_length, split_order_of};
use crate::recorder::{Fault, packed_text};

/// What both back ends need to know about an over step.
#[derive(Debug, Clone)]
pub(crate) struct OverShape {
    by: Vec<(Expr, Order)>,
    schema: Arc<Schema>,
    /// What is computed of each row, function by function.
    computed: Vec<Expr>,
    functions: Vec<(Along, Type)>,
    frames: Vec<Frame>,
}

/// How a value along the order comes to be; `of` is a place among the computed values.
#[derive(Debug, Clone, Copy)]
enum Along {
    Lag {
        of: usize,
        n: usize,
    },
    Lead {
        of: usize,
        n: usize,
    },
    First {
        of: usize,
        rows: Option<usize>,
    },
    RowNumber,
    Rank,
    DenseRank,
    /// Place among the frames.
    Aggregate(usize),
}

/// An aggregate of rows beside a row.
#[derive(Debug, Clone)]
struct Frame {
    rows: Rows,
    plan: GroupPlan,
    /// Where its inputs stand among the computed values.
    inputs: Range<usize>,
}

/// Which rows an aggregate is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rows {
    /// All of the group, which has no order.
    All,
    /// Those up to the row.
    SoFar,
    /// So many up to the row.
    Last(usize),
}

/// How far the change of a row reaches, in copies of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reach {
    /// Rows before it that see it; none if all do.
    pub(crate) before: Option<usize>,
    /// Rows behind it that see it; none if all do.
    pub(crate) behind: Option<usize>,
}

/// What is said of one row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Said {
    /// The row with its values.
    Row(PackedRow),
    /// An aggregate has no value there; and the row for people.
    Fault(Fault, String),
}

/// One copy of a row on its way along the order.
#[derive(Debug, Clone)]
pub(crate) struct Copied<'a> {
    order: &'a [u8],
    row: &'a [u8],
    computed: Rc<[Value]>,
}

/// What the rows before a place come to.
#[derive(Debug, Clone)]
pub(crate) struct Standing {
    n_rows: usize,
    /// How many different orders they have.
    n_orders: usize,
    /// How many have the order of the last one.
    n_ties: usize,
    /// Of the frames that are of all rows so far.
    states: Vec<GroupState>,
}

fn count(n: u64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

impl OverShape {
    /// The shape of `over` over rows of `schema`.
    pub(crate) fn new(over: &Over, schema: Arc<Schema>) -> Self {
        let by = over.by.iter().map(|key| (key.expr.clone(), key.order)).collect();
        let mut shape =
            Self { by, schema, computed: Vec::new(), functions: Vec::new(), frames: Vec::new() };
        for function in &over.functions {
            let along = match &function.kind {
                OverKind::Lag { of, n } => Along::Lag { of: shape.place(of), n: count(*n) },
                OverKind::Lead { of, n } => Along::Lead { of: shape.place(of), n: count(*n) },
                OverKind::First { of, rows } => {
                    Along::First { of: shape.place(of), rows: rows.map(count) }
                }
                OverKind::RowNumber => Along::RowNumber,
                OverKind::Rank => Along::Rank,
                OverKind::DenseRank => Along::DenseRank,
                OverKind::Aggregate { aggregate, rows } => {
                    let plan = GroupPlan::new(std::slice::from_ref(aggregate));
                    let first = shape.computed.len();
                    shape.computed.extend(plan.inputs().iter().cloned());
                    let rows = match rows {
                        _ if over.by.is_empty() => Rows::All,
                        None => Rows::SoFar,
                        Some(n) => Rows::Last(count(*n)),
                    };
                    let inputs = first..shape.computed.len();
                    shape.frames.push(Frame { rows, plan, inputs });
                    Along::Aggregate(shape.frames.len() - 1)
                }
            };
            shape.functions.push((along, function.ty.clone()));
        }
        shape
    }

    fn place(&mut self, expr: &Expr) -> usize {
        self.computed.push(expr.clone());
        self.computed.len() - 1
    }

    /// Packs the order, the row, what is computed of it, and the length of that.
    pub(crate) fn pack_value(&self) -> PackValue {
        let by = self.by.iter().map(|(expr, order)| (Formula::new(expr), *order)).collect();
        let types = self.schema.types();
        let ordered = pack_ordered(by, (0..types.len()).collect(), types);
        let formulas = Formula::all(&self.computed);
        Box::new(move |batch, faults: &mut Faults| {
            let mut values = ordered(batch, faults);
            let columns: Vec<_> =
                formulas.iter().map(|formula| formula.column(batch, faults)).collect();
            for (row_idx, value) in values.iter_mut().enumerate() {
                let start = value.len();
                for (column, formula) in columns.iter().zip(&formulas) {
                    value.push_cell(column, row_idx, formula.ty());
                }
                let n_bytes = u32::try_from(value.len() - start).expect("values are below 4 GiB");
                value.push_bytes(&n_bytes.to_be_bytes());
            }
            values
        })
    }

    /// How far the change of a row reaches.
    pub(crate) fn reach(&self) -> Reach {
        let mut reach = Reach { before: Some(0), behind: Some(0) };
        let mut widen = |before: Option<usize>, behind: Option<usize>| {
            reach.before = reach.before.zip(before).map(|(one, other)| one.max(other));
            reach.behind = reach.behind.zip(behind).map(|(one, other)| one.max(other));
        };
        for (along, _) in &self.functions {
            match along {
                Along::Lag { n, .. } => widen(Some(0), Some(*n)),
                Along::Lead { n, .. } => widen(Some(*n), Some(0)),
                Along::First { rows, .. } => widen(Some(0), rows.map(|rows| rows - 1)),
                Along::RowNumber | Along::Rank | Along::DenseRank => widen(Some(0), None),
                Along::Aggregate(frame) => match self.frames[*frame].rows {
                    Rows::All => widen(None, None),
                    Rows::SoFar => widen(Some(0), None),
                    Rows::Last(n) => widen(Some(0), Some(n - 1)),
                },
            }
        }
        reach
    }

    /// How many rows before a row its values look at by themselves, beside the standing.
    pub(crate) fn n_looked_back(&self) -> usize {
        let looked = self.functions.iter().map(|(along, _)| match along {
            Along::Lag { n, .. } => *n,
            Along::First { rows: Some(rows), .. } => rows - 1,
            Along::Rank | Along::DenseRank => 1,
            Along::Aggregate(frame) => match self.frames[*frame].rows {
                Rows::Last(n) => n - 1,
                Rows::All | Rows::SoFar => 0,
            },
            Along::Lead { .. } | Along::First { rows: None, .. } | Along::RowNumber => 0,
        });
        looked.max().unwrap_or(0)
    }

    /// Each copy of each row, with what was computed of it.
    pub(crate) fn copies<'a>(
        &self,
        rows: impl Iterator<Item = (&'a PackedRow, i64)>,
    ) -> Vec<Copied<'a>> {
        let types: Vec<Type> = self.computed.iter().map(|expr| expr.ty.clone()).collect();
        let mut copies = Vec::new();
        for (value, n) in rows.filter(|(_, n)| *n > 0) {
            let (order, row, computed) = split_computed(value);
            let computed: Rc<[Value]> = packed(computed).unpack(&types).iter().cloned().collect();
            let copy = Copied { order, row, computed };
            copies.extend(std::iter::repeat_n(copy, count(n.unsigned_abs())));
        }
        copies
    }

    /// What no rows come to.
    pub(crate) fn no_rows(&self) -> Standing {
        let states = self.so_far().map(|frame| frame.plan.new_state()).collect();
        Standing { n_rows: 0, n_orders: 0, n_ties: 0, states }
    }

    fn so_far(&self) -> impl Iterator<Item = &Frame> {
        self.frames.iter().filter(|frame| frame.rows == Rows::SoFar)
    }

    /// What is said of the copies in `wanted`, and what all up to these come to; those around are
    /// looked at only. `first` is the first row of all.
    pub(crate) fn say(
        &self,
        copies: &[Copied<'_>],
        wanted: Range<usize>,
        first: Option<&Copied<'_>>,
        standing: &mut Standing,
    ) -> BTreeMap<Said, i64> {
        let mut said = BTreeMap::new();
        let mut states = self.frame_states(copies, wanted.start);
        for at in wanted.clone() {
            standing.take_in(self, copies, at);
            for (frame, state) in self.frames.iter().zip(&mut states) {
                if let (Rows::Last(n), Some(state)) = (frame.rows, state) {
                    frame.count(state, &copies[at], 1);
                    if wanted.start < at && n <= at {
                        frame.count(state, &copies[at - n], -1);
                    }
                }
            }
            let row = match self.values(copies, at, first, (standing, &states)) {
                Ok(values) => {
                    let mut row = packed(copies[at].row);
                    for (value, (_, ty)) in values.iter().zip(&self.functions) {
                        row.push_value(value, ty);
                    }
                    Said::Row(row)
                }
                Err(fault) => {
                    Said::Fault(fault, packed_text(&self.schema, &packed(copies[at].row)))
                }
            };
            *said.entry(row).or_insert(0) += 1;
        }
        said
    }

    /// The states of the frames that the standing does not have, before the copy at `start`.
    fn frame_states(&self, copies: &[Copied<'_>], start: usize) -> Vec<Option<GroupState>> {
        let state = |frame: &Frame| {
            let of = match frame.rows {
                Rows::SoFar => return None,
                Rows::All => copies,
                Rows::Last(n) => &copies[(start + 1).saturating_sub(n)..start],
            };
            let mut state = frame.plan.new_state();
            for copy in of {
                frame.count(&mut state, copy, 1);
            }
            Some(state)
        };
        self.frames.iter().map(state).collect()
    }

    fn values(
        &self,
        copies: &[Copied<'_>],
        at: usize,
        first: Option<&Copied<'_>>,
        (standing, states): (&Standing, &[Option<GroupState>]),
    ) -> Result<Vec<Value>, Fault> {
        let number = |n: usize| Value::Int(i64::try_from(n).expect("rows are below 2^63"));
        let of_copy = |copy: Option<&Copied<'_>>, of: usize| {
            copy.map_or(Value::None, |copy| copy.computed[of].clone())
        };
        let mut so_far = standing.states.iter();
        let mut values = Vec::with_capacity(self.functions.len());
        for (along, _) in &self.functions {
            values.push(match *along {
                Along::Lag { of, n } => {
                    of_copy(at.checked_sub(n).and_then(|at| copies.get(at)), of)
                }
                Along::Lead { of, n } => {
                    of_copy(at.checked_add(n).and_then(|at| copies.get(at)), of)
                }
                Along::First { of, rows: None } => of_copy(first, of),
                Along::First { of, rows: Some(rows) } => {
                    of_copy(copies.get((at + 1).saturating_sub(rows)), of)
                }
                Along::RowNumber => number(standing.n_rows),
                Along::Rank => number(standing.n_rows + 1 - standing.n_ties),
                Along::DenseRank => number(standing.n_orders),
                Along::Aggregate(idx) => {
                    let state = states[idx].as_ref().or_else(|| so_far.next());
                    let state = state.expect("each frame has a state");
                    state.finish(&self.frames[idx].plan)?.remove(0)
                }
            });
        }
        Ok(values)
    }
}

impl Frame {
    fn count(&self, state: &mut GroupState, copy: &Copied<'_>, diff: i64) {
        state.update_values(&self.plan, &copy.computed[self.inputs.clone()], diff);
    }
}

impl Standing {
    /// Goes over the copy at `at`.
    fn take_in(&mut self, shape: &OverShape, copies: &[Copied<'_>], at: usize) {
        let copy = &copies[at];
        self.n_rows += 1;
        if at > 0 && copies[at - 1].order == copy.order {
            self.n_ties += 1;
        } else {
            self.n_ties = 1;
            self.n_orders += 1;
        }
        for (frame, state) in shape.so_far().zip(&mut self.states) {
            frame.count(state, copy, 1);
        }
    }

    /// Goes back from the end of all copies, which it stands at, to the one at `start`;
    /// `n_ties` of those before it have the order of the last one before it.
    pub(crate) fn go_back(
        &mut self,
        shape: &OverShape,
        copies: &[Copied<'_>],
        start: usize,
        n_ties: usize,
    ) {
        for at in start..copies.len() {
            let copy = &copies[at];
            self.n_rows -= 1;
            if at == 0 || copies[at - 1].order != copy.order {
                self.n_orders -= 1;
            }
            for (frame, state) in shape.so_far().zip(&mut self.states) {
                frame.count(state, copy, -1);
            }
        }
        self.n_ties = n_ties;
    }
}

impl Copied<'_> {
    /// What the row is ordered by.
    pub(crate) fn order(&self) -> &[u8] {
        self.order
    }
}

/// The order, the row and what was computed of it.
fn split_computed(value: &PackedRow) -> (&[u8], &[u8], &[u8]) {
    let (rest, n_computed) = split_length(value.as_bytes());
    let (ordered, computed) = rest.split_at(rest.len() - n_computed);
    let (order, row) = split_order_of(ordered);
    (order, row, computed)
}
