//! Equi-joins: pairs of rows with equal keys, and left rows with or without a match.
//!
//! A left row matches if the multiplicities of the right rows that pair with it sum above 0.
//! Pairs are bilinear: the changes of a key are `dL x R + (L + dL) x dR`.

use std::collections::BTreeMap;

use arqon_plan::{Join, JoinKind, JoinOutput};
use arqon_types::{Column, ColumnBatch, PackedRow, Schema, Type};

use crate::batch::BATCH_ROWS;
use crate::evaluate::{Faults, Formula};
use crate::keyed::{KeyShape, NoneInKey};
use crate::multiset::Multiset;
use crate::open::OpenKeys;
use crate::recorder::{Fault, row_text};
use crate::source::PackedMap;
use crate::stateful::{Delta, Emitter, KeyLogic};

/// What both back ends need to know about a join.
#[derive(Debug, Clone)]
pub(crate) struct JoinShape {
    kind: JoinKind,
    output: JoinOutput,
    residual: Option<Formula>,
    left_types: Vec<Type>,
    right_types: Vec<Type>,
    /// Left fields and then right fields, for error rows.
    pair_schema: Schema,
}

/// Rows of the output before they have their final form: left and right fields side by side.
#[derive(Debug)]
pub(crate) struct Pairs {
    rows: ColumnBatch,
    /// Whether the row has a right side; its right fields are defaults if not.
    matched: Vec<bool>,
}

impl JoinShape {
    /// The shape of `join` over rows of these schemas.
    pub(crate) fn new(join: &Join, left: &Schema, right: &Schema) -> Self {
        let mut pair_schema = left.clone();
        pair_schema.fields.extend(right.fields.iter().cloned());
        Self {
            kind: join.kind,
            output: join.output,
            residual: join.residual.as_ref().map(Formula::new),
            left_types: left.types(),
            right_types: right.types(),
            pair_schema,
        }
    }

    /// The keys of both sides. Left rows with `none` in the key stay where rows without a match
    /// count; right rows with `none` never come, so that nothing matches them.
    pub(crate) fn keys(join: &Join) -> (KeyShape, KeyShape) {
        let types: Vec<Type> =
            join.left_key
                .iter()
                .zip(&join.right_key)
                .map(|(left, right)| {
                    if right.ty.is_option() { left.ty.clone().optional() } else { left.ty.clone() }
                })
                .collect();
        let none = match join.kind {
            JoinKind::Inner | JoinKind::Semi => NoneInKey::Drop,
            JoinKind::Left | JoinKind::Anti => NoneInKey::Value,
        };
        (
            KeyShape { formulas: Formula::all(&join.left_key), types: types.clone(), none },
            KeyShape { formulas: Formula::all(&join.right_key), types, none: NoneInKey::Drop },
        )
    }

    /// Whether pairs are part of the output.
    pub(crate) fn emits_pairs(&self) -> bool {
        matches!(self.kind, JoinKind::Inner | JoinKind::Left)
    }

    /// Which join it is.
    pub(crate) fn kind(&self) -> JoinKind {
        self.kind
    }

    /// No pairs.
    pub(crate) fn no_pairs(&self) -> Pairs {
        let types: Vec<Type> = self.left_types.iter().chain(&self.right_types).cloned().collect();
        Pairs { rows: ColumnBatch::empty(&types), matched: Vec::new() }
    }

    /// Appends a left row with its right row, or without.
    pub(crate) fn push(
        &self,
        pairs: &mut Pairs,
        left: &PackedRow,
        right: Option<&PackedRow>,
        diff: i64,
    ) {
        let (left_columns, right_columns) = pairs.rows.columns.split_at_mut(self.left_types.len());
        let mut bytes = left.as_bytes();
        for (column, ty) in left_columns.iter_mut().zip(&self.left_types) {
            column.push_packed(&mut bytes, ty);
        }
        match right {
            Some(right) => {
                let mut bytes = right.as_bytes();
                for (column, ty) in right_columns.iter_mut().zip(&self.right_types) {
                    column.push_packed(&mut bytes, ty);
                }
            }
            None => right_columns.iter_mut().for_each(Column::push_default),
        }
        pairs.rows.diffs.push(diff);
        pairs.matched.push(right.is_some());
    }

    /// The pairs that satisfy the residual, or none of this where there is no residual; faults
    /// go to `refuse`.
    pub(crate) fn judge(
        &self,
        pairs: &Pairs,
        mut refuse: impl FnMut(&Fault, String, i64),
    ) -> Option<Vec<u32>> {
        let residual = self.residual.as_ref()?;
        let mut faults = Faults::new();
        let selected = residual.select(&pairs.rows, &mut faults);
        for (at, fault) in &faults {
            let row = row_text(&self.pair_schema, &pairs.rows, *at as usize);
            refuse(fault, row, pairs.rows.diffs[*at as usize]);
        }
        Some(selected)
    }

    /// The pairs that were selected.
    pub(crate) fn keep(pairs: Pairs, selected: Option<&[u32]>) -> Pairs {
        match selected {
            Some(selected) if selected.len() < pairs.len() => Pairs {
                rows: pairs.rows.gather(selected),
                matched: selected.iter().map(|at| pairs.matched[*at as usize]).collect(),
            },
            Some(_) | None => pairs,
        }
    }

    /// The rows as the step's schema has them.
    pub(crate) fn finish(&self, pairs: Pairs) -> ColumnBatch {
        let Pairs { rows: ColumnBatch { mut columns, diffs }, matched } = pairs;
        let right = columns.split_off(self.left_types.len());
        let is_left = self.kind == JoinKind::Left;
        let wrap = |column: Column| match column {
            option @ Column::Option { .. } => option,
            plain => Column::Option { present: matched.clone(), values: Box::new(plain) },
        };
        match self.output {
            JoinOutput::LeftOnly => {}
            JoinOutput::Flat if is_left => columns.extend(right.into_iter().map(wrap)),
            JoinOutput::Flat => columns.extend(right),
            JoinOutput::Nested => {
                let nested = Column::Struct { len: diffs.len(), fields: right };
                columns.push(if is_left { wrap(nested) } else { nested });
            }
        }
        ColumnBatch { columns, diffs }
    }
}

impl Pairs {
    /// The diffs, in the order in which the pairs were pushed.
    pub(crate) fn diffs(&self) -> &[i64] {
        &self.rows.diffs
    }

    /// How many.
    pub(crate) fn len(&self) -> usize {
        self.matched.len()
    }
}

/// Some fields of a schema.
pub(crate) fn pick(schema: &Schema, fields: &[usize]) -> Schema {
    Schema::new(&schema.name, fields.iter().map(|at| schema.fields[*at].clone()).collect())
}

/// Both sides of one key.
#[derive(Debug, Default)]
struct Sides {
    left: Multiset,
    right: Multiset,
    /// The sum of the right multiplicities.
    n_right: i64,
}

/// The join as a hash operator.
#[derive(Debug)]
pub(crate) struct JoinLogic {
    sides: PackedMap<Sides>,
    /// For a residual where matches count: the sum of the matching right rows, per left row.
    matches: PackedMap<BTreeMap<PackedRow, i64>>,
    work: JoinWork,
    open: OpenKeys,
}

/// What a join does with the sides of a key.
#[derive(Debug)]
struct JoinWork {
    shape: JoinShape,
    /// Rows on their way out.
    pairs: Pairs,
}

impl JoinLogic {
    /// The empty join; `open` are the keys that go when their windows close.
    pub(crate) fn new(shape: JoinShape, open: OpenKeys) -> Self {
        let pairs = shape.no_pairs();
        Self {
            sides: PackedMap::default(),
            matches: PackedMap::default(),
            work: JoinWork { shape, pairs },
            open,
        }
    }
}

impl JoinWork {
    /// Sends what has gathered; inner pairs meet the residual here.
    fn flush(&mut self, out: &mut Emitter) {
        let mut pairs = std::mem::replace(&mut self.pairs, self.shape.no_pairs());
        if self.shape.kind == JoinKind::Inner {
            let selected = self.shape.judge(&pairs, |fault, row, diff| out.fault(fault, row, diff));
            pairs = JoinShape::keep(pairs, selected.as_deref());
        }
        out.batch(self.shape.finish(pairs));
    }

    fn push(&mut self, left: &PackedRow, right: Option<&PackedRow>, diff: i64, out: &mut Emitter) {
        self.shape.push(&mut self.pairs, left, right, diff);
        if self.pairs.len() >= BATCH_ROWS {
            self.flush(out);
        }
    }

    /// Pairs go out as they are, and a left row's fate hangs on its key alone.
    fn update_by_key(
        &mut self,
        sides: &mut Sides,
        [left, right]: [&[Delta]; 2],
        out: &mut Emitter,
    ) {
        let had = sides.n_right > 0;
        sides.n_right += right.iter().map(|delta| delta.1).sum::<i64>();
        let has = sides.n_right > 0;
        let kind = self.shape.kind;
        if self.shape.emits_pairs() {
            for ((_, left), diff) in left {
                sides.right.for_each(|right, n| self.push(left, Some(right), diff * n, out));
                out.counts.touched += sides.right.len() as u64;
            }
        }
        // Whether a left row is in the part that hangs on matches, before and now.
        let (was_in, is_in) = match kind {
            JoinKind::Inner => (false, false),
            JoinKind::Left | JoinKind::Anti => (!had, !has),
            JoinKind::Semi => (had, has),
        };
        if was_in && !is_in {
            out.counts.touched += sides.left.len() as u64;
            sides.left.for_each(|left, n| self.push(left, None, -n, out));
        }
        for ((_, value), diff) in left {
            sides.left.add(value, *diff);
        }
        if is_in && !was_in {
            out.counts.touched += sides.left.len() as u64;
            sides.left.for_each(|left, n| self.push(left, None, n, out));
        } else if is_in {
            for ((_, left), diff) in left {
                self.push(left, None, *diff, out);
            }
        }
        if self.shape.emits_pairs() {
            for ((_, right), diff) in right {
                sides.left.for_each(|left, n| self.push(left, Some(right), n * diff, out));
                out.counts.touched += sides.left.len() as u64;
            }
        }
        for ((_, value), diff) in right {
            sides.right.add(value, *diff);
        }
    }

    /// The residual decides pair by pair, and a left row's fate hangs on its own matches.
    fn update_by_pair(
        &mut self,
        sides: &mut Sides,
        matches: &mut BTreeMap<PackedRow, i64>,
        [left, right]: [&[Delta]; 2],
        out: &mut Emitter,
    ) {
        let mut candidates = self.shape.no_pairs();
        // Beside each candidate: the left row whose matches it changes, and by how much.
        let mut effects: Vec<Option<(PackedRow, i64)>> = Vec::new();
        for ((_, left), diff) in left {
            let is_new = sides.left.multiplicity(left) == 0;
            sides.right.for_each(|right, n| {
                self.shape.push(&mut candidates, left, Some(right), diff * n);
                effects.push(is_new.then(|| (left.clone(), n)));
            });
        }
        let before: BTreeMap<PackedRow, i64> = if right.is_empty() {
            left.iter().map(|((_, row), _)| (row.clone(), sides.left.multiplicity(row))).collect()
        } else {
            let mut before = BTreeMap::new();
            sides.left.for_each(|row, n| {
                before.insert(row.clone(), n);
            });
            for ((_, row), _) in left {
                before.entry(row.clone()).or_insert(0);
            }
            before
        };
        for ((_, value), diff) in left {
            sides.left.add(value, *diff);
        }
        for ((_, right), diff) in right {
            sides.left.for_each(|left, n| {
                self.shape.push(&mut candidates, left, Some(right), n * diff);
                effects.push(Some((left.clone(), *diff)));
            });
        }
        for ((_, value), diff) in right {
            sides.right.add(value, *diff);
        }
        out.counts.touched += candidates.len() as u64;
        let selected =
            self.shape.judge(&candidates, |fault, row, diff| out.fault(fault, row, diff));
        let n_matches_before: Vec<i64> =
            before.keys().map(|row| matches.get(row).copied().unwrap_or(0)).collect();
        for at in selected.iter().flatten() {
            if let Some((row, n)) = effects[*at as usize].take() {
                *matches.entry(row).or_insert(0) += n;
            }
        }
        if self.shape.emits_pairs() {
            out.batch(self.shape.finish(JoinShape::keep(candidates, selected.as_deref())));
        }
        for ((row, n_before), n_matches_before) in before.into_iter().zip(n_matches_before) {
            let n_now = sides.left.multiplicity(&row);
            let n_matches = matches.get(&row).copied().unwrap_or(0);
            if n_now == 0 || n_matches == 0 {
                matches.remove(&row);
            }
            let share = |n: i64, n_matches: i64| match self.shape.kind {
                JoinKind::Semi => {
                    if n_matches > 0 {
                        n
                    } else {
                        0
                    }
                }
                JoinKind::Left | JoinKind::Anti => {
                    if n_matches > 0 {
                        0
                    } else {
                        n
                    }
                }
                JoinKind::Inner => 0,
            };
            let diff = share(n_now, n_matches) - share(n_before, n_matches_before);
            if diff != 0 {
                self.push(&row, None, diff, out);
            }
        }
    }
}

impl KeyLogic<2> for JoinLogic {
    fn update(&mut self, key: &PackedRow, deltas: [&[Delta]; 2], out: &mut Emitter) {
        if !self.sides.contains_key(key) {
            self.sides.insert(key.clone(), Sides::default());
            self.open.add(key);
        }
        let sides = self.sides.get_mut(key).expect("it was just made sure of");
        out.counts.held += deltas.iter().flat_map(|side| side.iter()).map(|d| d.1).sum::<i64>();
        if self.work.shape.residual.is_some() && self.work.shape.kind != JoinKind::Inner {
            let mut matches = self.matches.remove(key).unwrap_or_default();
            self.work.update_by_pair(sides, &mut matches, deltas, out);
            if !matches.is_empty() {
                self.matches.insert(key.clone(), matches);
            }
        } else {
            self.work.update_by_key(sides, deltas, out);
        }
        if sides.left.is_empty() && sides.right.is_empty() {
            self.sides.remove(key);
        }
    }

    fn advance(&mut self, mark: i64, out: &mut Emitter) {
        for key in self.open.close(mark) {
            self.matches.remove(&key);
            let Some(sides) = self.sides.remove(&key) else { continue };
            for rows in [&sides.left, &sides.right] {
                rows.for_each(|_, n| out.release(n));
            }
        }
    }

    fn close(&mut self, out: &mut Emitter) {
        self.work.flush(out);
    }
}
