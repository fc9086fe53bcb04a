//! How the changes of a topic are divided among workers: those of one key always go to the same.

use arqon_plan::{DataflowPlan, TopicPlan};
use arqon_types::{Change, ColumnBatch, Discipline, PackedRow, TopicName, Type};

use super::changes::Changes;
use super::hash_packed;
use super::pack::{pack_cells, pack_fields};
use super::part::{Part, Places};

/// Rows below which a batch is not worth splitting.
const SPLIT_ROWS_MIN: usize = 512;

/// How an input topic's changes are divided among the workers.
#[derive(Debug, Clone)]
pub(crate) struct Divider {
    types: Vec<Type>,
    key: Vec<usize>,
    rule: Rule,
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
        Self { types, key, rule, is_logged, n_workers, next: 0 }
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
        let part = |(changes, tags): (Changes, Tags)| {
            // Without places of their own, parts are one after another in the log.
            let part_place = place + n_before;
            n_before += i64::try_from(changes.len()).expect("fewer than 2^63 changes");
            let is_placed = !tags.places.is_empty();
            let places =
                if is_placed { Places::Each(tags.places) } else { Places::From(part_place) };
            Part { changes, places, marks: tags.marks }
        };
        let mut part = part;
        divided.into_iter().map(|changes| changes.map(&mut part)).collect()
    }

    fn divided(&mut self, changes: Changes, tags: Tags) -> Vec<Option<(Changes, Tags)>> {
        let mut parts: Vec<Option<(Changes, Tags)>> = (0..self.n_workers).map(|_| None).collect();
        let whole = self.n_workers == 1
            || matches!(changes, Changes::Errors(_))
            || (self.rule == Rule::Even && changes.len() < SPLIT_ROWS_MIN);
        if whole {
            parts[self.next] = Some((changes, tags));
            self.next = (self.next + 1) % self.n_workers;
            return parts;
        }
        match changes {
            Changes::Rows(changes) => {
                let mut rows: Vec<(Vec<Change>, Tags)> = vec![Default::default(); self.n_workers];
                let n_changes = changes.len();
                for (idx, change) in changes.into_iter().enumerate() {
                    let worker = self.worker_of(&change, idx, n_changes);
                    rows[worker].0.push(change);
                    rows[worker].1.push(&tags, idx);
                }
                for (part, (rows, tags)) in parts.iter_mut().zip(rows) {
                    *part = (!rows.is_empty()).then_some((Changes::Rows(rows), tags));
                }
            }
            Changes::Columns(batch) => {
                let mut selections: Vec<Vec<u32>> = vec![Vec::new(); self.n_workers];
                for (idx, at) in (0..batch.len()).zip(0_u32..) {
                    let worker = self.worker_of_cell(&batch, idx);
                    selections[worker].push(at);
                }
                for (part, selection) in parts.iter_mut().zip(selections) {
                    let mut selected = Tags::default();
                    for at in &selection {
                        selected.push(&tags, *at as usize);
                    }
                    *part = (!selection.is_empty())
                        .then(|| (Changes::Columns(batch.gather(&selection)), selected));
                }
            }
            Changes::Errors(_) => {}
        }
        parts
    }

    fn worker_of(&self, change: &Change, idx: usize, n_changes: usize) -> usize {
        let packed = match (self.rule, change) {
            (Rule::Even, _) => return idx * self.n_workers / n_changes,
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
                Rule::ByRow,
                Change::Insert(row)
                | Change::Upsert(row)
                | Change::Delete(row)
                | Change::Diff { row, .. },
            ) => PackedRow::pack(row, &self.types),
        };
        self.worker_of_hash(hash_packed(&packed))
    }

    fn worker_of_cell(&self, batch: &ColumnBatch, row_idx: usize) -> usize {
        let packed = match self.rule {
            Rule::Even => return row_idx * self.n_workers / batch.len(),
            Rule::ByKey => pack_cells(batch, row_idx, self.key.iter().copied(), &self.types),
            Rule::ByRow => pack_cells(batch, row_idx, 0..self.types.len(), &self.types),
        };
        self.worker_of_hash(hash_packed(&packed))
    }

    fn worker_of_hash(&self, hash: u64) -> usize {
        usize::try_from(hash % self.n_workers as u64).expect("less than the number of workers")
    }
}
