//! One step: the data first, then the system, then the rows that are put out.

use std::task::Poll;

use super::delta::{NystromDelta, NystromRows};
use super::double::{Double, TWICE};
use super::spec::as_float;
use super::system::{Rows, norm};
use super::{Nystrom, RowBlock};
use crate::churn::Churn;
use crate::emit::Emit;
use crate::kernel::{DeltaError, Measured, Report, Step};
use crate::keyed::churn;
use crate::mode::Mode;
use crate::said::{Said, error_standing};
use crate::threads::{n_threads, share, share_work};

/// Rows that are computed at a time.
pub(super) const BLOCK: usize = 64;

/// A step that is under way.
#[derive(Debug, Clone)]
pub(super) struct Running {
    mode: Mode,
    emit: Emit,
    churn: Churn,
    stage: Stage,
    /// Rows of the stage that are done.
    n_done: usize,
    /// Likeness and value of data rows that go.
    gone: Vec<(Vec<f64>, f64)>,
    /// Slots of data rows that come, or of all.
    slots: Vec<usize>,
    /// Landmarks that changed.
    columns: Vec<usize>,
    /// Slots of the queries whose rows are computed.
    rows: Vec<usize>,
    work: u64,
    n_emitted: usize,
    error_max: f64,
    is_refreshed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Rows that go leave the system.
    Gone,
    /// Rows that come enter it, or all do.
    Come,
    /// Columns of landmarks that changed.
    Columns,
    /// The system is solved.
    Solve,
    Rows,
}

impl Nystrom {
    /// How much of the input would change.
    pub(super) fn look(&self, delta: &NystromDelta) -> Result<(Churn, ()), DeltaError> {
        let (data, queries) = (delta.data(&self.spec), delta.queries(&self.spec));
        let (churn, _) = churn(&[(data, &self.data), (queries, &self.queries)])?;
        Ok((churn, ()))
    }

    /// Takes the change into the tables and plans the step.
    pub(super) fn start(&mut self, step: Step<Measured<Self>>) {
        assert!(self.running.is_none(), "a step is under way");
        let (delta, churn, ()) = step.delta.known(&self.version, |delta| self.look(delta));
        self.version.end();
        let (gone, came) = self.take_data(&delta);
        let queries = delta.queries(&self.spec);
        let changes = queries.changes(&self.queries);
        let changed = queries.take_into(&mut self.queries, &changes);
        let columns = self.landmarks.choose();
        let n = self.landmarks.len();
        let few = columns.filter(|columns| COLUMNS_SHARE * columns.len() <= n);
        let is_itmd = step.mode == Mode::Itmd && few.is_some();
        let mut running = Running {
            mode: if is_itmd { Mode::Itmd } else { Mode::Pass },
            emit: step.emit,
            churn,
            stage: Stage::Gone,
            n_done: 0,
            gone,
            slots: came,
            columns: few.unwrap_or_default(),
            rows: Said::rows(&mut self.said, (step.emit, changed), (&self.queries, 1)),
            work: 0,
            n_emitted: 0,
            error_max: 0.0,
            is_refreshed: step.mode == Mode::Itmd && !is_itmd,
        };
        self.likeness.resize(self.data.n_slots() * n, 0.0);
        if !is_itmd {
            self.start_over(&mut running);
        }
        self.running = Some(Box::new(running));
    }

    /// The system is computed anew from here on.
    fn start_over(&mut self, running: &mut Running) {
        self.clear();
        running.gone.clear();
        running.columns.clear();
        running.slots = self.data.live().collect();
        (running.stage, running.n_done) = (Stage::Come, 0);
    }

    /// The system without data.
    fn clear(&mut self) {
        let n = self.landmarks.len();
        self.likeness.clear();
        self.likeness.resize(self.data.n_slots() * n, 0.0);
        let points = self.landmarks.all_points();
        let mut likeness = vec![Double::ZERO; n * n];
        let n_entries = self.spec.n_entries;
        let each = points.chunks_exact(n_entries).zip(likeness.chunks_exact_mut(n.max(1)));
        share_work(n * n * (16 * n_entries + 256), each, |_, (point, row)| {
            self.landmarks.likeness_doubly(point, row);
        });
        let rows = self.data.live().map(|slot| self.data.row(slot).vectors);
        self.landmarks.renew(rows.map(|[point, value]| (point, value[0])));
        self.system.start(&likeness, self.spec.lambda, self.landmarks.error());
        self.n_events = 0;
    }

    /// Computes all anew at once.
    pub(super) fn rebuild(&mut self) {
        self.clear();
        let slots: Vec<usize> = self.data.live().collect();
        for slots in slots.chunks(BLOCK) {
            self.absorb(slots);
        }
        self.system.refactor();
        self.system.solve();
        self.fresh_error_a = self.system.error_a();
    }

    /// Gives likeness and value of what went, and the slots of what came.
    fn take_data(&mut self, delta: &NystromDelta) -> (Vec<(Vec<f64>, f64)>, Vec<usize>) {
        let n = self.landmarks.len();
        let side = delta.data(&self.spec);
        let changes = side.changes(&self.data);
        let mut gone = Vec::new();
        for change in &changes {
            let Some(slot) = change.slot else { continue };
            let (point, value) =
                (self.data.row(slot).vectors[0].to_vec(), self.data.row(slot).vectors[1][0]);
            self.landmarks.discount(&point, value);
            gone.push((self.likeness[slot * n..(slot + 1) * n].to_vec(), value));
            self.value_sum -= value.abs();
        }
        for row in changes.iter().filter_map(|change| change.row) {
            let row = side.row(row);
            self.landmarks.count(row.vectors[0], row.vectors[1][0]);
            self.value_sum += row.vectors[1][0].abs();
        }
        let came = side.take_into(&mut self.data, &changes);
        if self.data.len() == 0 {
            self.value_sum = 0.0;
        }
        (gone, came)
    }

    /// Goes on with the step until it ends or this much work is done.
    pub(super) fn go_on(&mut self, work: u64, output: &mut NystromRows) -> Poll<Report> {
        let Some(mut running) = self.running.take() else { panic!("no step is under way") };
        let end = running.work.saturating_add(work.max(1));
        while running.work < end {
            match running.stage {
                Stage::Gone => self.advance_gone(&mut running),
                Stage::Come => self.advance_come(&mut running),
                Stage::Columns => self.advance_columns(&mut running),
                Stage::Solve => self.advance_solve(&mut running),
                Stage::Rows => {
                    let n_blocks = (end - running.work) / (BLOCK as u64 * self.query_work());
                    let n_most = usize::try_from(n_blocks).unwrap_or(usize::MAX);
                    let n_most = n_most.clamp(1, 4 * n_threads());
                    self.advance_rows(n_most, &mut running, output);
                }
            }
            if running.stage == Stage::Rows && running.n_done == running.rows.len() {
                self.version.end();
                return Poll::Ready(self.finish(&running));
            }
        }
        self.running = Some(running);
        Poll::Pending
    }

    fn advance_gone(&mut self, running: &mut Running) {
        let until = (running.n_done + BLOCK).min(running.gone.len());
        let rows = &running.gone[running.n_done..until];
        running.work += 1 + rows.len() as u64 * self.data_work();
        if !rows.is_empty() && 0 < self.system.n {
            let likeness: Vec<f64> = rows.iter().flat_map(|(row, _)| row).copied().collect();
            let values: Vec<f64> = rows.iter().map(|(_, value)| *value).collect();
            self.system.absorb(Rows { likeness: &likeness, values: &values, sign: -1.0 });
        }
        running.n_done = until;
        if until == running.gone.len() {
            (running.stage, running.n_done) = (Stage::Come, 0);
        }
    }

    /// Computes the likeness of these data rows and adds them to the system.
    fn absorb(&mut self, slots: &[usize]) {
        let n = self.landmarks.len();
        let point = |slot: usize| self.data.row(slot).vectors[0];
        let n_operations = slots.len() * n * (4 * self.spec.n_entries + 20);
        let parts = share_work(n_operations, slots.chunks(LIKENESS_BLOCK), |_, slots| {
            let mut rows = vec![0.0; slots.len() * n];
            for (slot, row) in slots.iter().zip(rows.chunks_exact_mut(n.max(1))) {
                self.landmarks.likeness(point(*slot), row);
            }
            rows
        });
        let likeness = parts.concat();
        for (slot, row) in slots.iter().zip(likeness.chunks_exact(n.max(1))) {
            self.likeness[slot * n..(slot + 1) * n].copy_from_slice(row);
        }
        let value = |slot: &usize| self.data.row(*slot).vectors[1][0];
        let values: Vec<f64> = slots.iter().map(value).collect();
        if !slots.is_empty() && 0 < n {
            self.system.absorb(Rows { likeness: &likeness, values: &values, sign: 1.0 });
        }
    }

    fn advance_come(&mut self, running: &mut Running) {
        let until = (running.n_done + BLOCK).min(running.slots.len());
        running.work += 1 + (until - running.n_done) as u64 * self.data_work();
        self.absorb(&running.slots[running.n_done..until]);
        running.n_done = until;
        if until == running.slots.len() {
            (running.stage, running.n_done) = (Stage::Columns, 0);
            if !running.columns.is_empty() {
                self.clear_columns(&running.columns);
            }
        }
    }

    /// Sets the columns of landmarks that changed to what they are without data.
    fn clear_columns(&mut self, columns: &[usize]) {
        let n = self.landmarks.len();
        for column in columns {
            let mut row = vec![Double::ZERO; n];
            self.landmarks.likeness_doubly(&self.landmarks.point(*column), &mut row);
            self.system.start_column(*column, &row);
        }
    }

    /// Adds what data rows say of landmarks that changed.
    fn advance_columns(&mut self, running: &mut Running) {
        if running.columns.is_empty() {
            running.stage = Stage::Solve;
            return;
        }
        if running.n_done == 0 {
            running.slots = self.data.live().collect();
        }
        let (n, columns) = (self.landmarks.len(), &running.columns);
        let until = (running.n_done + COLUMN_BLOCK).min(running.slots.len());
        let slots = &running.slots[running.n_done..until];
        running.work +=
            1 + (slots.len() * columns.len() * (4 * self.spec.n_entries + 4 * n)) as u64;
        let (mut rows, mut values) = (Vec::with_capacity(slots.len() * n), Vec::new());
        let (mut square, mut value_size) = (0.0, 0.0);
        let (mut size_before, mut size_after) = (0.0, 0.0);
        let n_operations = slots.len() * columns.len() * (4 * self.spec.n_entries + 20);
        let parts = share_work(n_operations, slots.chunks(LIKENESS_BLOCK), |_, slots| {
            let mut likeness = vec![0.0; slots.len() * columns.len()];
            for (slot, likeness) in slots.iter().zip(likeness.chunks_exact_mut(columns.len())) {
                let point = self.data.row(*slot).vectors[0];
                self.landmarks.likeness_of(columns, point, likeness);
            }
            likeness
        });
        let likeness = parts.concat();
        for (slot, likeness) in slots.iter().zip(likeness.chunks_exact(columns.len())) {
            let row = &mut self.likeness[slot * n..(slot + 1) * n];
            size_before += norm(row);
            for (column, likeness) in columns.iter().zip(likeness) {
                row[*column] = *likeness;
            }
            let (length, value) = (norm(row), self.data.row(*slot).vectors[1][0]);
            (square, size_after) = (square + length * length, size_after + length);
            value_size += value.abs();
            rows.extend_from_slice(row);
            values.push(value);
        }
        self.system.add_to_rows(columns, Rows { likeness: &rows, values: &values, sign: 1.0 });
        let (n_columns, n_slots) = (as_float(columns.len()), as_float(slots.len()));
        self.system.rounded_a += 2.0 * n_columns * TWICE * (square + n_slots * self.system.trace());
        self.system.rounded_b += n_columns * TWICE * (value_size + n_slots * norm(&self.system.b));
        self.system.live_rows += size_after - size_before;
        running.n_done = until;
        if until == running.slots.len() {
            self.system.mirror(columns);
            (running.stage, running.n_done) = (Stage::Solve, 0);
        }
    }

    fn advance_solve(&mut self, running: &mut Running) {
        let n_events = running.gone.len() + running.slots.len();
        self.n_events += n_events as u64;
        let pays = running.mode == Mode::Itmd && (self.data.len() as u64) < 8 * self.n_events;
        let is_off = self.system.error_a() > 16.0 * self.fresh_error_a
            || self.system.error_b() > 16.0 * self.fresh_error_b();
        if pays && is_off && 0 < self.system.n {
            running.is_refreshed = true;
            running.mode = Mode::Pass;
            self.start_over(running);
            return;
        }
        running.work += 1 + self.factor_work();
        let is_updated = running.mode == Mode::Itmd
            && running.columns.is_empty()
            && n_events * UPDATE_SHARE <= self.system.n.max(2 * UPDATE_SHARE)
            && self.update_factor(running);
        if !is_updated || !self.system.solve() {
            self.system.refactor();
            self.system.solve();
        }
        if running.mode == Mode::Pass {
            self.fresh_error_a = self.system.error_a();
        }
        (running.stage, running.n_done) = (Stage::Rows, 0);
    }

    /// Follows the change in the factor; tells whether it held. What comes goes first, so that the
    /// matrix stays as positive as it can.
    fn update_factor(&mut self, running: &mut Running) -> bool {
        let n = self.system.n;
        if self.system.factor.len() != n * n {
            return false;
        }
        for slot in &running.slots {
            let mut row = self.likeness[slot * n..(slot + 1) * n].to_vec();
            self.system.update(&mut row);
        }
        let mut gone = running.gone.iter_mut();
        gone.all(|(row, _)| self.system.downdate(row).is_ok())
    }

    /// Answers so many queries as there is work for, in blocks that threads share.
    fn advance_rows(&mut self, n_most: usize, running: &mut Running, output: &mut NystromRows) {
        let until = (running.n_done + BLOCK * n_most).min(running.rows.len());
        let slots = running.rows[running.n_done..until].to_vec();
        running.work += slots.len().div_ceil(BLOCK).max(1) as u64;
        running.work += slots.len() as u64 * self.query_work();
        let blocks = share(slots.chunks(BLOCK), |_, slots| self.answer(slots));
        for (slots, block) in slots.chunks(BLOCK).zip(blocks) {
            for (at, slot) in slots.iter().enumerate() {
                let bound = self.say(running, *slot, (&block, at), output);
                running.error_max = running.error_max.max(bound);
            }
        }
        running.n_done = until;
    }

    /// Puts the row out if the policy wants it; the error of what stands as said.
    fn say(
        &mut self,
        running: &mut Running,
        slot: usize,
        (block, at): (&RowBlock, usize),
        output: &mut NystromRows,
    ) -> f64 {
        let (value, outcome, bound) = (block.values[at], block.outcomes[at], block.bounds[at]);
        if let Some(said) = &mut self.said {
            let off = (value - said.values[slot]).abs();
            if said.stands(running.emit, slot, (outcome, off)) {
                return error_standing(bound, off);
            }
            said.set(slot, outcome, &[value]);
        }
        output.keys.push(self.queries.keys[slot]);
        output.outcomes.push(outcome);
        output.y.push(value);
        running.n_emitted += 1;
        bound
    }

    fn finish(&mut self, running: &Running) -> Report {
        if running.emit != Emit::Pull {
            self.error_max = running.error_max;
        }
        Report {
            mode: running.mode,
            churn: running.churn,
            error_max: self.error_max,
            n_emitted: running.n_emitted,
            work: running.work,
            reuse: None,
            is_refreshed: running.is_refreshed,
        }
    }
}

/// Data rows whose likeness one thread computes at a time.
const LIKENESS_BLOCK: usize = 8;

/// Columns are followed while at most one in so many changes.
const COLUMNS_SHARE: usize = 4;

/// Rows of a column that are computed at a time.
const COLUMN_BLOCK: usize = 512;

/// The factor is updated for at most one row in so many landmarks. A factorisation runs at the
/// rate of products of matrices and an update at that of memory, so this is less than the eighth
/// that counting operations would give.
const UPDATE_SHARE: usize = 64;
