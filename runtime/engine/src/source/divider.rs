//! How the changes of a topic are divided among workers: those of one key always go to the same.
//!
//! The thread that feeds divides, for all workers, and is one. So where it may, it hands a batch
//! on as it is, the next one to the next worker, and cuts a large one into parts that lie side by
//! side.

use arqon_plan::{DataflowPlan, TopicPlan};
use arqon_types::{Change, ColumnBatch, Discipline, PackedRow, TopicName, Type};

use super::ascending::n_ascending;
use super::changes::Changes;
use super::hash_packed;
use super::homes::Homes;
use super::pack::{pack_cells, pack_fields};
use super::part::{Part, Places};

/// Changes up to which one worker has all of a batch that needs no dividing: while it works on
/// them, the others have the batches before and behind.
const WHOLE_ROWS_MAX: usize = 1 << 14;
/// Rows from which on a batch in the order of its keys is worth a range of its own.
const RANGE_ROWS_MIN: usize = 512;

/// How an input topic's changes are divided among the workers.
#[derive(Debug, Clone)]
pub(crate) struct Divider {
    types: Vec<Type>,
    key: Vec<usize>,
    rule: Rule,
    /// Where keys are that came in ascending order.
    homes: Homes,
    /// Whether a step reads the topic's log.
    is_logged: bool,
    n_workers: usize,
    next: usize,
}

/// What goes along with changes, for each of them: nothing where it is not wanted.
#[derive(Debug, Clone, Default)]
struct Tags {
    marks: Vec<i64>,
    places: Vec<i64>,
}

impl Tags {
    /// Adds those of one change.
    fn push(&mut self, all: &Self, idx: usize) {
        self.marks.extend(all.marks.get(idx));
        self.places.extend(all.places.get(idx));
    }

    /// Takes those from a change on, and keeps those before.
    fn split_off(&mut self, idx: usize) -> Self {
        let after = |all: &mut Vec<i64>| {
            if all.is_empty() { Vec::new() } else { all.split_off(idx) }
        };
        Self { marks: after(&mut self.marks), places: after(&mut self.places) }
    }
}

/// What steps want of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// How its collection changes.
    Rows,
    /// That, and its log.
    WithLog,
}

impl Reading {
    /// What the steps of a plan want.
    pub(crate) fn of(plan: &DataflowPlan, topic: &TopicName) -> Self {
        if plan.has_log(topic) { Self::WithLog } else { Self::Rows }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    /// Any worker may have any row.
    Even,
    /// By the key's fields.
    ByKey,
    /// By the whole row.
    ByRow,
}

impl Divider {
    /// For a topic and so many workers.
    pub(crate) fn new(topic: &TopicPlan, reading: Reading, n_workers: usize) -> Self {
        let is_logged = reading == Reading::WithLog;
        let rule = match topic.discipline {
            Discipline::Events => Rule::Even,
            Discipline::Full => Rule::ByKey,
            Discipline::Delta if topic.verified => Rule::ByRow,
            Discipline::Delta => Rule::Even,
        };
        let (types, key) = (topic.schema.types(), topic.key.clone());
        let homes = Homes::default();
        Self { types, key, rule, homes, is_logged, n_workers, next: 0 }
    }

    /// One part per worker, each in log order; the first change stands at `place` in the log, and
    /// each has its mark where rows carry marks.
    pub(crate) fn divide(
        &mut self,
        changes: Changes,
        (place, marks): (i64, Vec<i64>),
    ) -> Vec<Option<Part>> {
        let mut n_before = 0;
        let places = if self.is_logged && self.rule != Rule::Even {
            (place..).take(changes.len()).collect()
        } else {
            Vec::new()
        };
        let divided = self.divided(changes, Tags { marks, places });
        let mut part = |(changes, tags): (Changes, Tags)| {
            // Without places of their own, parts are one after another in the log.
            let part_place = place + n_before;
            n_before += i64::try_from(changes.len()).expect("fewer than 2^63 changes");
            let is_placed = !tags.places.is_empty();
            let places =
                if is_placed { Places::Each(tags.places) } else { Places::From(part_place) };
            Part { changes, places, marks: tags.marks }
        };
        divided.into_iter().map(|changes| changes.map(&mut part)).collect()
    }

    fn divided(&mut self, changes: Changes, tags: Tags) -> Vec<Option<(Changes, Tags)>> {
        if self.n_workers == 1 || matches!(changes, Changes::Errors(_)) {
            return self.whole(changes, tags);
        }
        match changes {
            changes if self.rule == Rule::Even => self.side_by_side(changes, tags),
            Changes::Columns(batch) if self.begins_a_range(&batch) => {
                self.side_by_side(Changes::Columns(batch), tags)
            }
            Changes::Columns(batch) => self.columns_apart(&batch, &tags),
            changes => self.rows_apart(changes, &tags),
        }
    }

    /// All changes for the worker whose turn it is.
    fn whole(&mut self, changes: Changes, tags: Tags) -> Vec<Option<(Changes, Tags)>> {
        let mut parts: Vec<Option<(Changes, Tags)>> = (0..self.n_workers).map(|_| None).collect();
        self.settle(&changes, self.next);
        parts[self.next] = Some((changes, tags));
        self.next = (self.next + 1) % self.n_workers;
        parts
    }

    /// Changes that any worker may have: one after another, those of each worker.
    fn side_by_side(
        &mut self,
        mut changes: Changes,
        mut tags: Tags,
    ) -> Vec<Option<(Changes, Tags)>> {
        if changes.len() <= WHOLE_ROWS_MAX {
            return self.whole(changes, tags);
        }
        let n_changes = changes.len();
        let mut parts = Vec::with_capacity(self.n_workers);
        for worker in (1..self.n_workers).rev() {
            let start = worker * n_changes / self.n_workers;
            parts.push(Some((changes.split_off(start), tags.split_off(start))));
        }
        parts.push(Some((changes, tags)));
        parts.reverse();
        for (worker, (changes, _)) in parts.iter().flatten().enumerate() {
            self.settle(changes, worker);
        }
        parts
    }

    /// Whether the rows of a batch come in the order of their keys, behind all that came before.
    fn begins_a_range(&self, batch: &ColumnBatch) -> bool {
        self.rule == Rule::ByKey
            && batch.len() >= RANGE_ROWS_MIN
            && self.homes.takes(&self.key_in(batch, 0))
            && n_ascending(batch, (&self.key, &self.types)) == batch.len()
    }

    /// Notes that a worker has all these keys, if keys have a home.
    fn settle(&mut self, changes: &Changes, worker: usize) {
        if let (Rule::ByKey, Changes::Columns(batch)) = (self.rule, changes)
            && self.n_workers > 1
            && let Some(last) = batch.len().checked_sub(1)
        {
            let (first, last) = (self.key_in(batch, 0), self.key_in(batch, last));
            self.homes.settle(first, last, worker);
        }
    }

    /// Each row for the worker that has its key.
    fn columns_apart(&mut self, batch: &ColumnBatch, tags: &Tags) -> Vec<Option<(Changes, Tags)>> {
        let mut selections: Vec<Vec<u32>> = vec![Vec::new(); self.n_workers];
        for (idx, at) in (0..batch.len()).zip(0_u32..) {
            let worker = self.worker_of_cell(batch, idx);
            selections[worker].push(at);
        }
        let part = |selection: Vec<u32>| {
            let mut selected = Tags::default();
            for at in &selection {
                selected.push(tags, *at as usize);
            }
            (!selection.is_empty()).then(|| (Changes::Columns(batch.gather(&selection)), selected))
        };
        selections.into_iter().map(part).collect()
    }

    /// Each change for the worker that has its key.
    fn rows_apart(&mut self, changes: Changes, tags: &Tags) -> Vec<Option<(Changes, Tags)>> {
        let Changes::Rows(changes) = changes else { return self.whole(changes, tags.clone()) };
        let mut rows: Vec<(Vec<Change>, Tags)> = vec![Default::default(); self.n_workers];
        for (idx, change) in changes.into_iter().enumerate() {
            let worker = self.worker_of(&change);
            rows[worker].0.push(change);
            rows[worker].1.push(tags, idx);
        }
        let part = |(rows, tags): (Vec<Change>, Tags)| {
            (!rows.is_empty()).then_some((Changes::Rows(rows), tags))
        };
        rows.into_iter().map(part).collect()
    }

    fn worker_of(&mut self, change: &Change) -> usize {
        let packed = match (self.rule, change) {
            (Rule::ByKey, Change::Delete(key)) => {
                let mut packed = PackedRow::new();
                for (value, at) in key.iter().zip(&self.key) {
                    packed.push_value(value, &self.types[*at]);
                }
                packed
            }
            (Rule::ByKey, Change::Insert(row) | Change::Upsert(row) | Change::Diff { row, .. }) => {
                pack_fields(row, &self.key, &self.types)
            }
            (
                Rule::ByRow | Rule::Even,
                Change::Insert(row)
                | Change::Upsert(row)
                | Change::Delete(row)
                | Change::Diff { row, .. },
            ) => PackedRow::pack(row, &self.types),
        };
        self.home(&packed)
    }

    fn worker_of_cell(&mut self, batch: &ColumnBatch, row_idx: usize) -> usize {
        let packed = match self.rule {
            Rule::ByKey => self.key_in(batch, row_idx),
            Rule::ByRow | Rule::Even => {
                pack_cells(batch, row_idx, 0..self.types.len(), &self.types)
            }
        };
        self.home(&packed)
    }

    fn key_in(&self, batch: &ColumnBatch, row_idx: usize) -> PackedRow {
        pack_cells(batch, row_idx, self.key.iter().copied(), &self.types)
    }

    /// The worker that has a key, or a row that is its own key.
    fn home(&mut self, packed: &PackedRow) -> usize {
        let noted = match self.rule {
            Rule::ByKey => self.homes.of(packed),
            Rule::ByRow | Rule::Even => None,
        };
        let by_hash = hash_packed(packed) % self.n_workers as u64;
        noted.unwrap_or_else(|| usize::try_from(by_hash).expect("less than the number of workers"))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use arqon_types::{Column, Row, Value};
    use proptest::prelude::*;

    use super::*;

    fn divider(rule: Rule, n_workers: usize) -> Divider {
        let (types, homes) = (vec![Type::Int64, Type::Int64], Homes::default());
        Divider { types, key: vec![0], rule, homes, is_logged: true, n_workers, next: 0 }
    }

    /// Keys beside their places in the log.
    fn columns(keys: &[i64], place: i64) -> Changes {
        let places = (place..).take(keys.len()).collect();
        let columns = vec![Column::Int(keys.to_vec()), Column::Int(places)];
        Changes::Columns(ColumnBatch { columns, diffs: vec![1; keys.len()] })
    }

    fn upserts(keys: &[i64], place: i64) -> Changes {
        let row =
            |(key, place): (&i64, i64)| -> Row { vec![Value::Int(*key), Value::Int(place)].into() };
        Changes::Rows(keys.iter().zip(place..).map(row).map(Change::Upsert).collect())
    }

    /// The keys of a part with their places, as the rows and as the part have them.
    fn keys_of(part: &Part) -> Vec<(i64, i64, i64)> {
        let ints = |row: &[Value]| match row {
            [Value::Int(key), Value::Int(place)] => (*key, *place),
            other => panic!("{other:?}"),
        };
        let rows: Vec<(i64, i64)> = match &part.changes {
            Changes::Columns(batch) => {
                let types = [Type::Int64, Type::Int64];
                (0..batch.len()).map(|at| ints(&batch.row(at, &types))).collect()
            }
            Changes::Rows(rows) => rows
                .iter()
                .map(|change| match change {
                    Change::Upsert(row) => ints(row),
                    other => panic!("{other:?}"),
                })
                .collect(),
            Changes::Errors(_) => panic!("nothing failed"),
        };
        (0..).zip(rows).map(|(at, (key, place))| (key, place, part.places.at(at))).collect()
    }

    #[test]
    fn batches_in_order_go_to_the_workers_in_turn() {
        let mut divider = divider(Rule::ByKey, 2);
        let n_rows = 1000;
        let homes: Vec<Vec<usize>> = (0..4_i64)
            .map(|batch| {
                let keys: Vec<i64> = (batch * n_rows..(batch + 1) * n_rows).collect();
                let parts = divider.divide(columns(&keys, batch * n_rows), (0, Vec::new()));
                (0..2).filter(|worker| parts[*worker].is_some()).collect()
            })
            .collect();
        assert_eq!(homes, [[0], [1], [0], [1]]);
        let parts = divider.divide(upserts(&[1500], 4 * n_rows), (0, Vec::new()));
        assert!(parts[0].is_none() && parts[1].is_some(), "a key stays with its batch");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_key_is_always_with_one_worker_and_nothing_is_lost(
            feeds in prop::collection::vec(
                // Where keys begin, how far apart they are, how many, in order or not, as columns.
                (0_i64..60_000, 1_i64..4, prop_oneof![1_i64..40, 500_i64..700, Just(40_000_i64)],
                 any::<bool>(), any::<bool>()),
                1..12,
            ),
            n_workers in 1_usize..4,
            is_even in any::<bool>(),
        ) {
            let mut divider = divider(if is_even { Rule::Even } else { Rule::ByKey }, n_workers);
            let mut homes: BTreeMap<i64, usize> = BTreeMap::new();
            let mut place = 0;
            for (start, step, n_keys, is_ascending, are_columns) in feeds {
                let mut keys: Vec<i64> = (0..n_keys).map(|at| start + at * step).collect();
                if !is_ascending {
                    keys.reverse();
                }
                let changes =
                    if are_columns { columns(&keys, place) } else { upserts(&keys, place) };
                let marks = keys.clone();
                let mut found = Vec::new();
                for (worker, part) in
                    divider.divide(changes, (place, marks)).iter().enumerate()
                {
                    let Some(part) = part else { continue };
                    let own = keys_of(part);
                    prop_assert!(own.is_sorted_by_key(|(_, place, _)| *place));
                    for ((key, place, told), mark) in own.into_iter().zip(&part.marks) {
                        prop_assert_eq!(place, told);
                        prop_assert_eq!(key, *mark);
                        if !is_even {
                            prop_assert_eq!(*homes.entry(key).or_insert(worker), worker);
                        }
                        found.push((place, key));
                    }
                }
                found.sort_unstable();
                let wanted: Vec<(i64, i64)> = (place..).zip(keys).collect();
                prop_assert_eq!(found, wanted);
                place += n_keys;
            }
        }
    }
}
