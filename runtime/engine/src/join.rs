//! Equi-joins: pairs of rows with equal keys, and rows of a side with or without a match.
//!
//! A row matches if the multiplicities of the other side's rows that pair with it sum above 0.
//! Pairs are bilinear: the changes of a key are `dL x R + (L + dL) x dR`.

mod sides;
mod common;
mod store;

use std::collections::BTreeMap;
use std::sync::Arc;

use arqon_plan::{Join, JoinKind, JoinOutput, JoinSide};
use arqon_types::{Column, ColumnBatch, Schema, Type, skip_packed};

use self::sides::{Key, Rows, Sides};
use self::store::{Store, enclose};
use crate::batch::BATCH_ROWS;
use crate::deltas::Delta;
use crate::emitter::Emitter;
use crate::evaluate::{Faults, Formula};
use crate::joined::Side;
use crate::keyed::KeyShape;
use crate::memory::table_bytes;
use crate::open::OpenKeys;
use crate::packed::Packed;
use crate::recorder::{Fault, row_text};
use crate::source::PackedMap;
use crate::stateful::KeyLogic;

pub(crate) use self::common::Reader;

/// The columns that are held of a row, and which of those that a join reads each is.
type HeldColumns = Vec<(Type, Option<usize>)>;

/// What both back ends need to know about a join.
#[derive(Debug, Clone)]
pub(crate) struct JoinShape {
    kind: JoinKind,
    output: JoinOutput,
    residual: Option<Formula>,
    left_types: Vec<Type>,
    right_types: Vec<Type>,
    /// What is held of a side's rows, and which of its columns this join reads, where it does not
    /// read all.
    partly: [Option<HeldColumns>; 2],
    /// Left fields and then right fields, for error rows.
    pair_schema: Schema,
}

/// Rows of the output before they have their final form: left and right fields side by side.
#[derive(Debug)]
pub(crate) struct Pairs {
    rows: ColumnBatch,
    /// Whether the row has its left and its right side; the fields of a missing one are defaults.
    present: [Vec<bool>; 2],
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
            partly: [None, None],
            pair_schema,
        }
    }

    /// The same join over rows of which some columns are for others.
    pub(crate) fn reading(self, sides: &[Side; 2]) -> Self {
        let partly = sides.each_ref().map(|side| {
            let columns = side.types.iter().cloned().zip(side.read_as.iter().copied());
            let is_all = side.read_as.iter().copied().eq((0..side.types.len()).map(Some));
            (!is_all).then(|| columns.collect())
        });
        Self { partly, ..self }
    }

    /// The keys of both sides. Rows with `none` in the key match nothing; they stay where rows
    /// without a match count.
    pub(crate) fn keys(join: &Join) -> (KeyShape, KeyShape) {
        let shape = |side: JoinSide| KeyShape {
            formulas: Formula::all(join.key(side)),
            types: join.key_types(),
            none: join.none_in_key(side),
        };
        (shape(JoinSide::Left), shape(JoinSide::Right))
    }

    /// Which join it is.
    pub(crate) fn kind(&self) -> JoinKind {
        self.kind
    }

    /// Whether some pairs do not count although their keys are equal.
    pub(crate) fn has_residual(&self) -> bool {
        self.residual.is_some()
    }

    /// The same join where all pairs count.
    pub(crate) fn without_residual(&self) -> Self {
        Self { residual: None, ..self.clone() }
    }

    /// No pairs.
    pub(crate) fn no_pairs(&self) -> Pairs {
        let types: Vec<Type> = self.left_types.iter().chain(&self.right_types).cloned().collect();
        Pairs { rows: ColumnBatch::empty(&types), present: [Vec::new(), Vec::new()] }
    }

    /// Appends a row of which one side may be missing; bytes after a side's fields are not read.
    pub(crate) fn push(
        &self,
        pairs: &mut Pairs,
        left: Option<&[u8]>,
        right: Option<&[u8]>,
        diff: i64,
    ) {
        let (left_columns, right_columns) = pairs.rows.columns.split_at_mut(self.left_types.len());
        let sides =
            [(left_columns, &self.left_types, left), (right_columns, &self.right_types, right)];
        let sides = sides.into_iter().zip(&self.partly).zip(&mut pairs.present);
        for (((columns, types, row), partly), present) in sides {
            present.push(row.is_some());
            match (row, partly) {
                (Some(mut bytes), None) => {
                    for (column, ty) in columns.iter_mut().zip(types) {
                        column.push_packed(&mut bytes, ty);
                    }
                }
                (Some(bytes), Some(held)) => push_read(columns, held, bytes),
                (None, _) => columns.iter_mut().for_each(Column::push_default),
            }
        }
        pairs.rows.diffs.push(diff);
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
                present: pairs
                    .present
                    .map(|side| selected.iter().map(|at| side[*at as usize]).collect()),
            },
            Some(_) | None => pairs,
        }
    }

    /// The rows as the step's schema has them.
    pub(crate) fn finish(&self, pairs: Pairs) -> ColumnBatch {
        let Pairs { rows: ColumnBatch { columns: mut left, diffs }, present } = pairs;
        let right = left.split_off(self.left_types.len());
        let [left_present, right_present] = present;
        let [misses_left, misses_right] = self.kind.may_miss();
        let right = match self.output {
            JoinOutput::LeftOnly => Vec::new(),
            JoinOutput::Flat => right,
            JoinOutput::Nested => vec![Column::Struct { len: diffs.len(), fields: right }],
        };
        let wrap = |columns: Vec<Column>, may_miss: bool, present: &[bool]| {
            let wrap = |column: Column| match column {
                plain if !may_miss => plain,
                option @ Column::Option { .. } => option,
                plain => Column::Option { present: present.to_vec(), values: Box::new(plain) },
            };
            columns.into_iter().map(wrap).collect::<Vec<Column>>()
        };
        let mut columns = wrap(left, misses_left, &left_present);
        columns.extend(wrap(right, misses_right, &right_present));
        ColumnBatch { columns, diffs }
    }
}

/// Appends those of a row's columns that are read.
fn push_read(columns: &mut [Column], held: &[(Type, Option<usize>)], mut bytes: &[u8]) {
    for (ty, read_as) in held {
        match read_as {
            Some(at) => columns[*at].push_packed(&mut bytes, ty),
            None => skip_packed(&mut bytes, ty),
        }
    }
}

impl Pairs {
    /// The diffs, in the order in which the pairs were pushed.
    pub(crate) fn diffs(&self) -> &[i64] {
        &self.rows.diffs
    }

    /// How many.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }
}

/// Some fields of a schema.
pub(crate) fn pick(schema: &Schema, fields: &[usize]) -> Schema {
    Schema::new(
        Arc::clone(&schema.name),
        fields.iter().map(|at| schema.fields[*at].clone()).collect(),
    )
}

/// How often a pair is there whose rows are there so often.
///
/// # Panics
/// Beyond 2^63, where no answer would be right: the dataflow stops and says so.
pub(crate) fn product(n: i64, m: i64) -> i64 {
    n.checked_mul(m).unwrap_or_else(|| panic!("{n} times {m} copies of a joined row"))
}

/// For a residual where matches count: how many rows of the other side each row matches.
#[derive(Debug, Default)]
struct Matches<V: Packed> {
    left: BTreeMap<V, i64>,
    right: BTreeMap<V, i64>,
}

/// How a pair changes the matches of its left and of its right row, if it counts.
type Effect<V> = [Option<(V, i64)>; 2];

/// The join as a hash operator.
#[derive(Debug)]
pub(crate) struct JoinLogic<K, V: Packed> {
    sides: Store<K, V>,
    matches: PackedMap<Matches<V>, K>,
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

impl<K: Packed, V: Packed> JoinLogic<K, V> {
    /// The empty join; `open` are the keys that go when their windows close. Such a join reads no
    /// rows that others hold as well.
    pub(crate) fn new(
        shape: JoinShape,
        readers: [Option<Reader<K, V>>; 2],
        open: OpenKeys,
    ) -> Self {
        let pairs = shape.no_pairs();
        Self {
            sides: Store::new(readers),
            matches: PackedMap::default(),
            work: JoinWork { shape, pairs },
            open,
        }
    }
}

/// A row as the one side of a pair that has no other.
type Alone = fn(&[u8]) -> [Option<&[u8]>; 2];

fn left_alone(row: &[u8]) -> [Option<&[u8]>; 2] {
    [Some(row), None]
}

fn right_alone(row: &[u8]) -> [Option<&[u8]>; 2] {
    [None, Some(row)]
}

/// Whether rows without a match come out, and those with one, by themselves.
fn comes_alone(kind: JoinKind, has_match: bool) -> bool {
    match kind {
        JoinKind::Inner => false,
        JoinKind::Left | JoinKind::Anti | JoinKind::Full => !has_match,
        JoinKind::Semi => has_match,
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

    fn push(&mut self, [left, right]: [Option<&[u8]>; 2], diff: i64, out: &mut Emitter) {
        self.shape.push(&mut self.pairs, left, right, diff);
        if self.pairs.len() >= BATCH_ROWS {
            self.flush(out);
        }
    }

    /// Pairs go out as they are, and a row's fate hangs on its key alone.
    fn update_by_key<K: Packed, V: Packed>(
        &mut self,
        sides: &mut Sides<V>,
        [left, right]: [&[Delta<K, V>]; 2],
        out: &mut Emitter,
    ) {
        let kind = self.shape.kind;
        let sum = |deltas: &[Delta<K, V>]| deltas.iter().map(|delta| delta.1).sum::<i64>();
        let had = [sides.left.n() > 0, sides.right.n() > 0];
        let has = [sides.left.n() + sum(left) > 0, sides.right.n() + sum(right) > 0];
        if kind.pairs_up() {
            for ((_, left), diff) in left {
                left.with_bytes(|left| {
                    sides.right.for_each(|right, n| {
                        self.push([Some(left), Some(right)], product(*diff, n), out);
                    });
                });
                out.counts.touched += sides.right.len() as u64;
            }
        }
        let was_and_is = [comes_alone(kind, had[1]), comes_alone(kind, has[1])];
        self.alone(was_and_is, (&mut sides.left, left), left_alone, out);
        if kind.pairs_up() {
            for ((_, right), diff) in right {
                right.with_bytes(|right| {
                    sides.left.for_each(|left, n| {
                        self.push([Some(left), Some(right)], product(n, *diff), out);
                    });
                });
                out.counts.touched += sides.left.len() as u64;
            }
        }
        let was_and_is = if kind == JoinKind::Full { [!had[0], !has[0]] } else { [false, false] };
        self.alone(was_and_is, (&mut sides.right, right), right_alone, out);
    }

    /// Applies the changes of a side, and sends what changes of the rows that come alone.
    fn alone<K: Packed, V: Packed>(
        &mut self,
        [was_in, is_in]: [bool; 2],
        (rows, deltas): (&mut Rows<V>, &[Delta<K, V>]),
        sides: Alone,
        out: &mut Emitter,
    ) {
        if was_in && !is_in {
            out.counts.touched += rows.len() as u64;
            rows.for_each(|row, n| self.push(sides(row), -n, out));
        }
        for ((_, value), diff) in deltas {
            rows.add(value, *diff);
        }
        if is_in && !was_in {
            out.counts.touched += rows.len() as u64;
            rows.for_each(|row, n| self.push(sides(row), n, out));
        } else if is_in {
            for ((_, row), diff) in deltas {
                row.with_bytes(|row| self.push(sides(row), *diff, out));
            }
        }
    }

    /// The residual decides pair by pair, and a row's fate hangs on its own matches.
    fn update_by_pair<K: Packed, V: Packed>(
        &mut self,
        sides: &mut Sides<V>,
        matches: &mut Matches<V>,
        [left, right]: [&[Delta<K, V>]; 2],
        out: &mut Emitter,
    ) {
        let is_full = self.shape.kind == JoinKind::Full;
        let before = [
            multiplicities(&sides.left, left, right),
            if is_full { multiplicities(&sides.right, right, left) } else { BTreeMap::new() },
        ];
        let (candidates, mut effects) = self.candidates(sides, [left, right]);
        out.counts.touched += candidates.len() as u64;
        let selected =
            self.shape.judge(&candidates, |fault, row, diff| out.fault(fault, row, diff));
        let counted =
            [matches_of(&before[0], &matches.left), matches_of(&before[1], &matches.right)];
        for at in selected.iter().flatten() {
            let [of_left, of_right] = std::mem::take(&mut effects[*at as usize]);
            for (effect, matches) in
                [(of_left, &mut matches.left), (of_right.filter(|_| is_full), &mut matches.right)]
            {
                if let Some((row, n)) = effect {
                    *matches.entry(row).or_insert(0) += n;
                }
            }
        }
        if self.shape.kind.pairs_up() {
            out.batch(self.shape.finish(JoinShape::keep(candidates, selected.as_deref())));
        }
        let [before_left, before_right] = before;
        let [counted_left, counted_right] = counted;
        let held = (&sides.left, &mut matches.left);
        self.fates(before_left, &counted_left, held, left_alone, out);
        let held = (&sides.right, &mut matches.right);
        self.fates(before_right, &counted_right, held, right_alone, out);
    }

    /// Applies the changes of both sides; all pairs that may change, and beside each of them how
    /// it changes the matches of its left and of its right row, if it counts.
    fn candidates<K: Packed, V: Packed>(
        &self,
        sides: &mut Sides<V>,
        [left, right]: [&[Delta<K, V>]; 2],
    ) -> (Pairs, Vec<Effect<V>>) {
        let mut candidates = self.shape.no_pairs();
        let mut effects = Vec::new();
        let mut push = |left: &[u8], right: &[u8], diff: i64| {
            self.shape.push(&mut candidates, Some(left), Some(right), diff);
        };
        for ((_, left), diff) in left {
            let is_new = sides.left.multiplicity(left) == 0;
            sides.right.for_each(|right, n| {
                left.with_bytes(|left| push(left, right, product(*diff, n)));
                let of_left = is_new.then(|| (left.clone(), n));
                effects.push([of_left, Some((V::from_bytes(right), *diff))]);
            });
        }
        for ((_, value), diff) in left {
            sides.left.add(value, *diff);
        }
        for ((_, right), diff) in right {
            let is_new = sides.right.multiplicity(right) == 0;
            sides.left.for_each(|left, n| {
                right.with_bytes(|right| push(left, right, product(n, *diff)));
                let of_right = is_new.then(|| (right.clone(), n));
                effects.push([Some((V::from_bytes(left), *diff)), of_right]);
            });
        }
        for ((_, value), diff) in right {
            sides.right.add(value, *diff);
        }
        (candidates, effects)
    }

    /// Sends what changes of the rows of a side that come alone; `before` are the rows that may
    /// change with their multiplicities, `counted` the matches that they had.
    fn fates<V: Packed>(
        &mut self,
        before: BTreeMap<V, i64>,
        counted: &[i64],
        (rows, matches): (&Rows<V>, &mut BTreeMap<V, i64>),
        sides: Alone,
        out: &mut Emitter,
    ) {
        let kind = self.shape.kind;
        for ((row, n_before), n_matches_before) in before.into_iter().zip(counted) {
            let n_now = rows.multiplicity(&row);
            let n_matches = matches.get(&row).copied().unwrap_or(0);
            if n_now == 0 || n_matches == 0 {
                matches.remove(&row);
            }
            let share = |n: i64, n_matches: i64| {
                if comes_alone(kind, n_matches > 0) { n } else { 0 }
            };
            let diff = share(n_now, n_matches) - share(n_before, *n_matches_before);
            if diff != 0 {
                row.with_bytes(|row| self.push(sides(row), diff, out));
            }
        }
    }
}

/// The rows of a side that may change with their multiplicities: all of them where the other side
/// changes.
fn multiplicities<K: Packed, V: Packed>(
    rows: &Rows<V>,
    deltas: &[Delta<K, V>],
    others: &[Delta<K, V>],
) -> BTreeMap<V, i64> {
    let mut all: BTreeMap<V, i64> =
        deltas.iter().map(|((_, row), _)| (row.clone(), rows.multiplicity(row))).collect();
    if !others.is_empty() {
        rows.for_each(|row, n| {
            all.insert(V::from_bytes(row), n);
        });
    }
    all
}

fn matches_of<V: Packed>(rows: &BTreeMap<V, i64>, matches: &BTreeMap<V, i64>) -> Vec<i64> {
    rows.keys().map(|row| matches.get(row).copied().unwrap_or(0)).collect()
}

impl<K: Packed, V: Packed> KeyLogic<2, K, V> for JoinLogic<K, V> {
    fn enclose(&mut self, epoch: &mut dyn FnMut(&mut Self)) {
        enclose(self, |join| &mut join.sides, epoch);
    }

    fn open(&mut self, deltas: [&[Delta<K, V>]; 2], _: Option<i64>) {
        self.sides.begin(deltas);
    }

    fn look_ahead(&self, deltas: &[Delta<K, V>]) {
        for ((key, _), _) in deltas {
            self.sides.look_ahead(key);
        }
    }

    fn update(&mut self, key: &K, deltas: [&[Delta<K, V>]; 2], out: &mut Emitter) {
        let Self { sides, matches, work, open, .. } = self;
        out.counts.held += deltas.iter().flat_map(|side| side.iter()).map(|d| d.1).sum::<i64>();
        let was = if work.shape.has_residual() && work.shape.kind != JoinKind::Inner {
            let mut of_key = matches.remove(key).unwrap_or_default();
            let was = sides.update(key, deltas, |sides| {
                work.update_by_pair(sides, &mut of_key, deltas, out);
            });
            if !of_key.left.is_empty() || !of_key.right.is_empty() {
                matches.insert(key.clone(), of_key);
            }
            was
        } else {
            sides.update(key, deltas, |sides| work.update_by_key(sides, deltas, out))
        };
        if was == Key::New {
            open.add(key);
        }
    }

    fn advance(&mut self, mark: i64, out: &mut Emitter) {
        for key in self.open.close(mark) {
            let key = K::from_row(key);
            self.matches.remove(&key);
            let n = self.sides.remove(&key);
            if n != 0 {
                out.release(n);
            }
        }
    }

    fn state_bytes(&self) -> Option<i64> {
        // Of what rows match, the table alone: most joins have none.
        Some(self.sides.n_bytes() + table_bytes(&self.matches))
    }

    fn close(&mut self, out: &mut Emitter) {
        self.work.flush(out);
    }
}
