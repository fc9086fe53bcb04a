//! Input topics: what producers said becomes a collection, in log order.
//!
//! A source is no operator of the dataflow: the worker applies an epoch's changes to the topic's
//! state and feeds the rows that result. Changes of one key always reach the same worker, in the
//! order in which they were fed.

use std::hash::{BuildHasher, Hash};

use foldhash::fast::FixedState;
use hashbrown::hash_map::Entry;

use arqon_operators::Place;
use arqon_plan::{ARRIVAL, DataflowPlan, TopicPlan};
use arqon_types::{
    Change, Column, ColumnBatch, Discipline, ErrorRow, Field, PackedRow, Row, TopicName, Type,
    Value,
};

use crate::evaluate::{Faults, Formula};
use crate::forget::{Ages, Forgetting};
use crate::memory::{signed, table_bytes};
use crate::narrow::Keep;
use crate::packed::Packed;
use crate::recorder::{Fault, Meter, packed_text};
use crate::stats::Counts;

/// What happened to an input topic in one epoch.
#[derive(Debug, Clone, PartialEq)]
pub enum Changes {
    /// One by one, in log order.
    Rows(Vec<Change>),
    /// Inserts or upserts, each with diff 1, in log order.
    Columns(ColumnBatch),
    /// What could not be read: goes to the topic's errors.
    Errors(Vec<ErrorRow>),
}

impl Changes {
    /// How many.
    pub fn len(&self) -> usize {
        match self {
            Self::Rows(changes) => changes.len(),
            Self::Columns(batch) => batch.len(),
            Self::Errors(errors) => errors.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The same without columns that are not kept; keys stay as they are.
    pub(crate) fn narrowed(self, kept: &[usize]) -> Self {
        let narrow = |row: &Row| -> Row { kept.iter().map(|at| row[*at].clone()).collect() };
        match self {
            Self::Rows(changes) => Self::Rows(
                changes
                    .into_iter()
                    .map(|change| match change {
                        Change::Insert(row) => Change::Insert(narrow(&row)),
                        Change::Upsert(row) => Change::Upsert(narrow(&row)),
                        Change::Diff { row, diff } => Change::Diff { row: narrow(&row), diff },
                        Change::Delete(key) => Change::Delete(key),
                    })
                    .collect(),
            ),
            Self::Columns(ColumnBatch { columns, diffs }) => {
                // Kept columns are in order, so each is met in turn.
                let mut kept = kept.iter().peekable();
                let columns = (0..).zip(columns).filter(|(at, _)| kept.next_if_eq(&at).is_some());
                Self::Columns(ColumnBatch { columns: columns.map(|it| it.1).collect(), diffs })
            }
            Self::Errors(errors) => Self::Errors(errors),
        }
    }

    /// The same, each row with the time of its epoch as a last field.
    pub(crate) fn arriving(self, time: i64) -> Self {
        let with_time =
            |row: Row| -> Row { row.iter().cloned().chain([Value::Timestamp(time)]).collect() };
        match self {
            Self::Rows(changes) => Self::Rows(
                changes
                    .into_iter()
                    .map(|change| match change {
                        Change::Insert(row) => Change::Insert(with_time(row)),
                        Change::Upsert(row) => Change::Upsert(with_time(row)),
                        Change::Diff { row, diff } => Change::Diff { row: with_time(row), diff },
                        Change::Delete(key) => Change::Delete(key),
                    })
                    .collect(),
            ),
            Self::Columns(mut batch) => {
                batch.columns.push(Column::Int(vec![time; batch.len()]));
                Self::Columns(batch)
            }
            Self::Errors(errors) => Self::Errors(errors),
        }
    }
}

/// A map from packed rows that is never iterated, so that its order cannot leak.
pub(crate) type PackedMap<V, K = PackedRow> = hashbrown::HashMap<K, V, FixedState>;

/// The same number for equal bytes within a process.
pub(crate) fn hash_packed(packed: &impl Hash) -> u64 {
    FixedState::default().hash_one(packed)
}

/// Rows below which a batch is not worth splitting.
const SPLIT_ROWS_MIN: usize = 512;

/// Most copies of one row that a `delta` topic holds; the product of two such numbers is an int64.
const COPIES_MAX: i64 = i32::MAX as i64;

/// A worker's part of what happened to a topic.
#[derive(Debug)]
pub(crate) struct Part {
    /// In log order.
    pub(crate) changes: Changes,
    /// Where they stand in the log.
    pub(crate) places: Places,
    /// The mark of each change; empty where rows carry no marks.
    pub(crate) marks: Vec<i64>,
}

/// Where changes stand in the log.
#[derive(Debug)]
pub(crate) enum Places {
    /// One after another, the first of them here.
    From(i64),
    /// Each here.
    Each(Vec<i64>),
}

impl Places {
    /// The place of a change.
    fn at(&self, idx: usize) -> i64 {
        match self {
            Self::From(first) => first + i64::try_from(idx).expect("fewer than 2^63 changes"),
            Self::Each(places) => places[idx],
        }
    }

    /// Adds the place of one more change, wherever it is.
    fn push(&mut self, place: i64) {
        match self {
            Self::Each(places) => places.push(place),
            Self::From(_) => unreachable!("rows that come one by one each have their place"),
        }
    }
}

/// How the rows of a source are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReadAs {
    /// As the collection changes, and as a log.
    Both,
    /// Only as the collection changes.
    Rows,
    /// Only as a log.
    Log,
}

/// Rows of a source, as they go into the dataflow.
#[derive(Debug)]
pub(crate) struct Fed {
    /// The rows; once they leave the source with their marks as last column, if they carry any.
    pub(crate) rows: ColumnBatch,
    /// The place of each row in the log, unless they are read as rows only.
    pub(crate) places: Places,
    /// How they are read.
    pub(crate) read_as: ReadAs,
    /// The marks, as long as they are beside the rows.
    marks: Vec<i64>,
}

impl Fed {
    fn new(read_as: ReadAs, rows: ColumnBatch, places: Places, marks: Vec<i64>) -> Self {
        Self { rows, places, read_as, marks }
    }

    fn add_marks(&mut self) {
        assert_eq!(self.marks.len(), self.rows.len(), "each row has its mark");
        self.rows.columns.push(Column::Int(std::mem::take(&mut self.marks)));
    }

    /// The rows, each with its place as last field.
    pub(crate) fn placed(&self) -> ColumnBatch {
        let mut rows = self.rows.clone();
        let places = (0..rows.len()).map(|idx| self.places.at(idx));
        rows.columns.push(Column::Int(places.collect()));
        rows
    }
}

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

/// Some fields of a row, packed.
fn pack_fields(row: &Row, fields: &[usize], types: &[Type]) -> PackedRow {
    let mut packed = PackedRow::new();
    for at in fields {
        packed.push_value(&row[*at], &types[*at]);
    }
    packed
}

fn pack_cells(
    batch: &ColumnBatch,
    row_idx: usize,
    fields: impl Iterator<Item = usize>,
    types: &[Type],
) -> PackedRow {
    let mut packed = PackedRow::new();
    for at in fields {
        packed.push_cell(&batch.columns[at], row_idx, &types[at]);
    }
    packed
}

/// Which rows of a batch some reader lets through.
struct Passing(Vec<bool>);

impl Passing {
    /// None if all are.
    fn of(batch: &ColumnBatch, readers: &[Vec<Formula>]) -> Option<Self> {
        if readers.is_empty() {
            return None;
        }
        let mut passing = vec![false; batch.len()];
        for conditions in readers {
            let mut own = vec![0_usize; batch.len()];
            for condition in conditions {
                let mut faults = Faults::new();
                for at in condition.select(batch, &mut faults) {
                    own[at as usize] += 1;
                }
                assert!(faults.is_empty(), "a condition that may fail is asked of no source");
            }
            for (passes, n) in passing.iter_mut().zip(own) {
                *passes |= n == conditions.len();
            }
        }
        Some(Self(passing))
    }

    fn has(&self, row_idx: usize) -> bool {
        self.0[row_idx]
    }

    /// Of the first rows those that pass.
    fn up_to(&self, n_rows: usize) -> Vec<u32> {
        first_rows(n_rows).into_iter().filter(|at| self.0[*at as usize]).collect()
    }
}

fn first_rows(n_rows: usize) -> Vec<u32> {
    (0..u32::try_from(n_rows).expect("a batch has fewer than 2^32 rows")).collect()
}

/// One worker's part of an input topic.
#[derive(Debug)]
pub(crate) struct Source {
    topic: TopicPlan,
    reading: Reading,
    /// What each reader asks of a row; a row that none of them lets through is not held. Empty if
    /// any row is read.
    passing: Vec<Vec<Formula>>,
    /// The fields that the row of a key is packed of: all, or those that the key has not where the
    /// rows are read as the collection changes and by no one else.
    packed: Vec<usize>,
    types: Vec<Type>,
    meter: Meter,
    /// What the present epoch did, until it is written down.
    counts: Counts,
    state: State,
    /// What keys and rows of the state take beside its table.
    heap_bytes: i64,
    /// What the state took when the last epoch ended.
    n_bytes: i64,
    /// When the present rows of keys are let go, where they are then forgotten.
    ages: Option<Ages>,
    forgetting: Forgetting,
}

#[derive(Debug)]
enum State {
    /// Rows pass: `events`, and `delta` with `check: none`.
    Open,
    /// `full`: the present row of each key.
    Keyed(PackedMap<PackedRow>),
    /// `delta`: how often each row is there.
    Held(PackedMap<i64>),
}

/// A row that a topic holds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct HeldRow {
    /// The row.
    pub(crate) row: PackedRow,
    /// How often it is there.
    pub(crate) n: i64,
    /// When it came, where the topic counts from there.
    pub(crate) came: Option<i64>,
}

/// The keys that an epoch touched, in order of their first change, with the rows from before.
#[derive(Default)]
struct Touched {
    place: PackedMap<usize>,
    before: Vec<(PackedRow, Option<PackedRow>)>,
    /// Where rows carry marks: every change with its mark, since what a window makes of a change
    /// hangs on its mark, and nothing is netted before.
    marked: Vec<Marked>,
    /// Where the log is read: every change with its place, one that says the same again too.
    log: Vec<(Marked, i64)>,
    /// Rows of keys that were not there before and came once so far; nothing else was touched.
    new: Vec<ColumnBatch>,
}

/// A row, how it changes, and the mark of the change.
#[derive(Clone)]
struct Marked {
    row: PackedRow,
    diff: i64,
    mark: Option<i64>,
}

/// Where a change of a `full` topic stands: its place in the log, its mark if rows carry marks, and
/// from when on its row's end is counted.
#[derive(Clone, Copy)]
struct Standing {
    place: i64,
    mark: Option<i64>,
    moment: i64,
}

impl Source {
    /// The empty topic.
    pub(crate) fn new(
        topic: TopicPlan,
        (reading, keep, passing): (Reading, Keep, Vec<Vec<Formula>>),
        forgetting: Forgetting,
        meter: Meter,
    ) -> Self {
        let state = match topic.discipline {
            Discipline::Events => State::Open,
            Discipline::Full => State::Keyed(PackedMap::default()),
            Discipline::Delta if topic.verified => State::Held(PackedMap::default()),
            Discipline::Delta => State::Open,
        };
        let mut topic = topic;
        if topic.arrival {
            topic.schema.fields.push(Field::new(ARRIVAL, Type::Timestamp));
        }
        let types = topic.schema.types();
        let (counts, ages) = (Counts::default(), Ages::new(forgetting));
        let is_split = keep == Keep::Read
            && reading == Reading::Rows
            && topic.lateness.is_none()
            && forgetting == Forgetting::Never;
        let in_key = |at: &usize| is_split && topic.key.contains(at);
        let packed = (0..types.len()).filter(|at| !in_key(at)).collect();
        Self {
            topic,
            reading,
            passing,
            packed,
            types,
            meter,
            counts,
            state,
            heap_bytes: 0,
            n_bytes: 0,
            ages,
            forgetting,
        }
    }

    /// The topic.
    pub(crate) fn name(&self) -> &TopicName {
        &self.topic.name
    }

    /// Takes an epoch's changes in log order and gives the rows that change. By the time of epochs,
    /// or by the topic's mark, it is `now`.
    pub(crate) fn apply(&mut self, epoch: u64, parts: Vec<Part>, now: i64) -> Vec<Fed> {
        let mut batches = Vec::new();
        let mut touched = Touched::default();
        // Rows that come one by one share a batch, however many messages brought them.
        let nothing = ColumnBatch::empty(&self.types);
        let mut single = Fed::new(ReadAs::Both, nothing, Places::Each(Vec::new()), Vec::new());
        for Part { changes, places, marks } in parts {
            match changes {
                Changes::Errors(errors) => self.pass_errors(epoch, errors),
                Changes::Columns(batch) => match self.topic.discipline {
                    Discipline::Full => {
                        self.upsert_columns(batch, (&places, &marks), now, &mut touched);
                    }
                    Discipline::Events | Discipline::Delta => {
                        self.insert_columns(&batch);
                        batches.push(Fed::new(ReadAs::Both, batch, places, marks));
                    }
                },
                Changes::Rows(changes) => match self.topic.discipline {
                    Discipline::Full => {
                        self.upsert_rows(epoch, changes, (&places, &marks, now), &mut touched);
                    }
                    Discipline::Events | Discipline::Delta => {
                        self.apply_rows(epoch, changes, (&places, &marks), &mut single);
                    }
                },
            }
        }
        batches.push(single);
        batches.push(self.logged(&touched.log));
        for rows in std::mem::take(&mut touched.new) {
            self.counts.held += signed(rows.len());
            batches.push(Fed::new(ReadAs::Rows, rows, Places::Each(Vec::new()), Vec::new()));
        }
        batches.push(self.settle(touched));
        batches.retain(|batch| !batch.rows.is_empty());
        if self.topic.lateness.is_some() {
            batches.iter_mut().for_each(Fed::add_marks);
        }
        for batch in batches.iter().filter(|batch| batch.read_as != ReadAs::Log) {
            self.counts.output.add_all(&batch.rows.diffs);
        }
        self.forget(now);
        let n_bytes = self.state_bytes();
        self.counts.bytes = n_bytes - std::mem::replace(&mut self.n_bytes, n_bytes);
        let counts = std::mem::take(&mut self.counts);
        self.meter.count(epoch, |sum| sum.merge(&counts));
        batches
    }

    /// The rows that the topic holds; none of a topic that holds none.
    pub(crate) fn held(&self) -> Option<Vec<HeldRow>> {
        let ages = self.ages.as_ref().filter(|_| matches!(self.forgetting, Forgetting::Arrival(_)));
        let came = |key: &PackedRow| ages.and_then(|ages| ages.moment(key));
        match &self.state {
            State::Open => None,
            State::Keyed(rows) => {
                let held = |(key, row): (&PackedRow, &PackedRow)| HeldRow {
                    row: row.clone(),
                    n: 1,
                    came: came(key),
                };
                Some(rows.iter().map(held).collect())
            }
            State::Held(rows) => {
                let held =
                    |(row, n): (&PackedRow, &i64)| HeldRow { row: row.clone(), n: *n, came: None };
                Some(rows.iter().map(held).collect())
            }
        }
    }

    fn state_bytes(&self) -> i64 {
        let table = match &self.state {
            State::Open => 0,
            State::Keyed(rows) => table_bytes(rows),
            State::Held(held) => table_bytes(held),
        };
        table + self.heap_bytes + self.ages.as_ref().map_or(0, Ages::n_bytes)
    }

    /// When rows are forgotten, if they are before they are replaced or deleted.
    pub(crate) fn forgetting(&self) -> Forgetting {
        self.forgetting
    }

    /// Forgets the keys whose row the topic lets go now.
    fn forget(&mut self, now: i64) {
        let (Some(ages), State::Keyed(rows)) = (&mut self.ages, &mut self.state) else { return };
        while let Some(key) = ages.next_over(now) {
            self.heap_bytes -= entry_bytes(&key, rows.remove(&key).as_ref());
            self.counts.held -= 1;
            self.counts.released += 1;
        }
        if rows.len() < rows.capacity() / 8 {
            rows.shrink_to(2 * rows.len());
        }
    }

    fn pass_errors(&self, epoch: u64, errors: Vec<ErrorRow>) {
        let mut recorder = self.meter.recorder.borrow_mut();
        let record = recorder.epoch(epoch);
        let counts = &mut record.counts[self.meter.counter.0];
        for mut error in errors {
            // Whatever the reader called it, it is an error of this topic.
            error.node = self.meter.node.to_string();
            counts.input.add(1);
            counts.errors.add(1);
            record.errors.push((error, 1));
        }
    }

    fn insert_columns(&mut self, batch: &ColumnBatch) {
        self.counts.input.add_all(&batch.diffs);
        self.counts.touched += batch.len() as u64;
        if let State::Held(held) = &mut self.state {
            for row_idx in 0..batch.len() {
                let packed = pack_cells(batch, row_idx, 0..self.types.len(), &self.types);
                let n_bytes = signed(packed.heap_bytes());
                let n_held = held.entry(packed).or_insert_with(|| {
                    self.heap_bytes += n_bytes;
                    0
                });
                *n_held += batch.diffs[row_idx];
            }
            self.counts.held += batch.diffs.iter().sum::<i64>();
        }
    }

    fn upsert_columns(
        &mut self,
        batch: ColumnBatch,
        (places, marks): (&Places, &[i64]),
        now: i64,
        touched: &mut Touched,
    ) {
        let mut n_new = 0;
        let is_plain = marks.is_empty() && self.reading == Reading::Rows && self.ages.is_none();
        let passing = Passing::of(&batch, &self.passing).filter(|_| is_plain);
        if is_plain && touched.before.is_empty() {
            n_new = self.insert_new(&batch, passing.as_ref());
            let new = match &passing {
                Some(passing) => batch.gather(&passing.up_to(n_new)),
                None if n_new == batch.len() => {
                    touched.new.push(batch);
                    return;
                }
                None => batch.gather(&first_rows(n_new)),
            };
            touched.new.push(new);
            if n_new < batch.len() {
                self.touch(touched);
            }
        }
        for row_idx in n_new..batch.len() {
            let key = pack_cells(&batch, row_idx, self.topic.key.iter().copied(), &self.types);
            let passes = passing.as_ref().is_none_or(|passing| passing.has(row_idx));
            if !passes && !self.is_known(&key, touched) {
                self.counts.input.add(1);
                self.counts.filtered.add(1);
                continue;
            }
            let row = passes
                .then(|| pack_cells(&batch, row_idx, self.packed.iter().copied(), &self.types));
            let moment = match self.forgetting {
                Forgetting::Never | Forgetting::Arrival(_) => now,
                Forgetting::Marked { field, .. } => match &batch.columns[field] {
                    Column::Int(times) => times[row_idx],
                    other => panic!("an event time is a timestamp, not {other:?}"),
                },
            };
            let (place, mark) = (places.at(row_idx), marks.get(row_idx).copied());
            self.set(key, row, Standing { place, mark, moment }, touched);
        }
    }

    /// Whether a key has a row, or had one when the epoch began.
    fn is_known(&self, key: &PackedRow, touched: &Touched) -> bool {
        let State::Keyed(rows) = &self.state else { panic!("only a `full` topic has keys") };
        rows.contains_key(key) || touched.place.contains_key(key)
    }

    /// Inserts rows up to the first whose key is there already; says how many rows that are. Those
    /// that nobody lets through are passed over.
    fn insert_new(&mut self, batch: &ColumnBatch, passing: Option<&Passing>) -> usize {
        let State::Keyed(rows) = &mut self.state else { panic!("only a `full` topic has keys") };
        let mut n_new = 0;
        for row_idx in 0..batch.len() {
            let key = pack_cells(batch, row_idx, self.topic.key.iter().copied(), &self.types);
            if passing.is_some_and(|passing| !passing.has(row_idx)) {
                if rows.contains_key(&key) {
                    break;
                }
                self.counts.filtered.add(1);
                n_new += 1;
                continue;
            }
            let Entry::Vacant(place) = rows.entry(key) else { break };
            let row = pack_cells(batch, row_idx, self.packed.iter().copied(), &self.types);
            self.heap_bytes += entry_bytes(place.key(), Some(&row));
            place.insert(row);
            n_new += 1;
        }
        self.counts.input.add_all(&batch.diffs[..n_new]);
        self.counts.touched += n_new as u64;
        n_new
    }

    /// Makes the keys that were new in this epoch touched ones: from now on they may come again.
    fn touch(&self, touched: &mut Touched) {
        for batch in std::mem::take(&mut touched.new) {
            for row_idx in 0..batch.len() {
                let key = pack_cells(&batch, row_idx, self.topic.key.iter().copied(), &self.types);
                touched.place.insert(key.clone(), touched.before.len());
                touched.before.push((key, None));
            }
        }
    }

    fn upsert_rows(
        &mut self,
        epoch: u64,
        changes: Vec<Change>,
        (places, marks, now): (&Places, &[i64], i64),
        touched: &mut Touched,
    ) {
        self.touch(touched);
        for (idx, change) in changes.into_iter().enumerate() {
            let (place, mark) = (places.at(idx), marks.get(idx).copied());
            let mut at = Standing { place, mark, moment: now };
            match change {
                Change::Insert(row) | Change::Upsert(row) => {
                    let key = pack_fields(&row, &self.topic.key, &self.types);
                    if let Forgetting::Marked { field, .. } = self.forgetting {
                        at.moment = match row[field] {
                            Value::Timestamp(time) => time,
                            ref other => panic!("an event time is a timestamp, not {other:?}"),
                        };
                    }
                    let packed = pack_fields(&row, &self.packed, &self.types);
                    self.set(key, Some(packed), at, touched);
                }
                Change::Delete(values) => {
                    let mut key = PackedRow::new();
                    for (value, at) in values.iter().zip(&self.topic.key) {
                        key.push_value(value, &self.types[*at]);
                    }
                    self.set(key, None, at, touched);
                }
                Change::Diff { row, diff } => {
                    let row = PackedRow::pack(&row, &self.types);
                    self.refuse(epoch, "a signed change reached a `full` topic", &row, diff);
                }
            }
        }
    }

    fn set(&mut self, key: PackedRow, row: Option<PackedRow>, at: Standing, touched: &mut Touched) {
        if let Some(ages) = &mut self.ages {
            ages.renew(&key, row.as_ref().map(|_| at.moment));
        }
        if at.mark.is_some() || self.reading == Reading::WithLog {
            return self.replace(&key, row, at, touched);
        }
        let State::Keyed(rows) = &mut self.state else { panic!("only a `full` topic has keys") };
        self.heap_bytes += entry_bytes(&key, row.as_ref());
        let before = match row {
            Some(row) => rows.insert(key.clone(), row),
            None => rows.remove(&key),
        };
        self.heap_bytes -= entry_bytes(&key, before.as_ref());
        let mut is_superseding = true;
        if !touched.place.contains_key(&key) {
            touched.place.insert(key.clone(), touched.before.len());
            touched.before.push((key, before));
            is_superseding = false;
        }
        self.counts.input.add(1);
        self.counts.touched += 1;
        self.counts.ignored += u64::from(is_superseding);
    }

    /// As [`Source::set`], with what changes written down at once.
    fn replace(
        &mut self,
        key: &PackedRow,
        row: Option<PackedRow>,
        Standing { place, mark, .. }: Standing,
        touched: &mut Touched,
    ) {
        let State::Keyed(rows) = &mut self.state else { panic!("only a `full` topic has keys") };
        let before = match row.clone() {
            Some(row) => rows.insert(key.clone(), row),
            None => rows.remove(key),
        };
        self.heap_bytes += entry_bytes(key, row.as_ref()) - entry_bytes(key, before.as_ref());
        self.counts.input.add(1);
        self.counts.touched += 1;
        let is_same = before == row;
        self.counts.ignored += u64::from(is_same);
        self.counts.held += i64::from(row.is_some()) - i64::from(before.is_some());
        let change = |row: Option<PackedRow>, diff| row.map(|row| Marked { row, diff, mark });
        let changes = change(before, -1).into_iter().chain(change(row, 1));
        if self.reading == Reading::WithLog {
            touched.log.extend(changes.clone().map(|change| (change, place)));
        }
        if !is_same {
            touched.marked.extend(changes);
        }
    }

    /// The log of a `full` topic.
    fn logged(&self, log: &[(Marked, i64)]) -> Fed {
        let mut rows = ColumnBatch::empty(&self.types);
        for (Marked { row, diff, .. }, _) in log {
            push_packed(&mut rows, row, &self.types, *diff);
        }
        let marks = log.iter().filter_map(|(change, _)| change.mark).collect();
        let places = Places::Each(log.iter().map(|(_, place)| *place).collect());
        Fed::new(ReadAs::Log, rows, places, marks)
    }

    /// What the touched keys of a `full` topic come to.
    fn settle(&mut self, touched: Touched) -> Fed {
        let mut batch = ColumnBatch::empty(&self.types);
        let mut marks = Vec::new();
        for Marked { row, diff, mark } in &touched.marked {
            push_packed(&mut batch, row, &self.types, *diff);
            marks.extend(*mark);
        }
        let fed = |batch, marks| Fed::new(ReadAs::Rows, batch, Places::Each(Vec::new()), marks);
        let State::Keyed(rows) = &self.state else { return fed(batch, marks) };
        let mut n_ignored = 0;
        let mut n_held = 0;
        for (key, before) in touched.before {
            let now = rows.get(&key);
            if before.as_ref() == now {
                n_ignored += 1;
                continue;
            }
            n_held += i64::from(now.is_some()) - i64::from(before.is_some());
            if let Some(before) = &before {
                self.push_row(&mut batch, (&key, before), -1);
            }
            if let Some(now) = now {
                self.push_row(&mut batch, (&key, now), 1);
            }
        }
        self.counts.ignored += n_ignored;
        self.counts.held += n_held;
        fed(batch, marks)
    }

    /// Appends the row of a key.
    fn push_row(&self, batch: &mut ColumnBatch, (key, row): (&PackedRow, &PackedRow), diff: i64) {
        if self.packed.len() == self.types.len() {
            return push_packed(batch, row, &self.types, diff);
        }
        let (mut key, mut row) = (key.as_bytes(), row.as_bytes());
        for at in &self.topic.key {
            batch.columns[*at].push_packed(&mut key, &self.types[*at]);
        }
        for at in &self.packed {
            batch.columns[*at].push_packed(&mut row, &self.types[*at]);
        }
        batch.diffs.push(diff);
    }

    /// Rows of an `events` or `delta` topic, one by one.
    fn apply_rows(
        &mut self,
        epoch: u64,
        changes: Vec<Change>,
        (places, marks): (&Places, &[i64]),
        fed: &mut Fed,
    ) {
        for (idx, change) in changes.into_iter().enumerate() {
            let (row, diff) = match (change, self.topic.discipline) {
                (Change::Insert(row), _) => (row, 1),
                (Change::Diff { row, diff }, Discipline::Delta) => (row, diff),
                (Change::Upsert(row) | Change::Delete(row) | Change::Diff { row, .. }, _) => {
                    let text = format!("{row:?}");
                    let message =
                        format!("a `{}` topic takes no such change", self.topic.discipline);
                    let fault =
                        Fault { code: "malformed".into(), message, place: Place::default() };
                    self.counts.input.add(1);
                    self.meter.fault(epoch, &fault, text, 1);
                    continue;
                }
            };
            self.counts.input.add(diff);
            self.counts.touched += 1;
            if self.admit(epoch, &row, diff) {
                fed.rows.push(&row, diff);
                fed.places.push(places.at(idx));
                fed.marks.extend(marks.get(idx));
            }
        }
    }

    /// Whether a `delta` topic may change so; if it may not, the error row says why.
    fn admit(&mut self, epoch: u64, row: &Row, diff: i64) -> bool {
        let State::Held(held) = &mut self.state else { return true };
        let packed = PackedRow::pack(row, &self.types);
        let n_held = held.get(&packed).copied().unwrap_or(0);
        let n_then = n_held.saturating_add(diff);
        if !(0..=COPIES_MAX).contains(&n_then) {
            let message =
                format!("{diff} of a row that is there {n_held} times; nothing is changed");
            self.refuse(epoch, &message, &packed, diff);
            return false;
        }
        self.counts.held += diff;
        let bytes = |n: i64| if n == 0 { 0 } else { signed(packed.heap_bytes()) };
        self.heap_bytes += bytes(n_then) - bytes(n_held);
        if n_then == 0 {
            held.remove(&packed);
        } else {
            held.insert(packed, n_then);
        }
        true
    }

    fn refuse(&self, epoch: u64, message: &str, row: &PackedRow, diff: i64) {
        let code = match self.topic.discipline {
            Discipline::Delta => "unknown_row",
            Discipline::Events | Discipline::Full => "malformed",
        };
        let error = ErrorRow {
            node: self.meter.node.to_string(),
            step: self.meter.address.to_string(),
            code: code.to_owned(),
            message: message.to_owned(),
            place: String::new(),
            row: packed_text(&self.topic.schema, row),
        };
        let mut recorder = self.meter.recorder.borrow_mut();
        let record = recorder.epoch(epoch);
        record.counts[self.meter.counter.0].errors.add(diff);
        // The refusal is a fact: it is added, whatever the sign of what was refused.
        record.errors.push((error, 1));
    }
}

/// What a row of a `full` topic takes beside the table, with its key.
fn entry_bytes(key: &PackedRow, row: Option<&PackedRow>) -> i64 {
    row.map_or(0, |row| signed(key.heap_bytes() + row.heap_bytes()))
}

/// Appends a packed row of `types`.
pub(crate) fn push_packed(batch: &mut ColumnBatch, row: &impl Packed, types: &[Type], diff: i64) {
    row.with_bytes(|mut bytes| {
        for (column, ty) in batch.columns.iter_mut().zip(types) {
            column.push_packed(&mut bytes, ty);
        }
    });
    batch.diffs.push(diff);
}
