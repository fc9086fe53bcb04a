//! One step as a queue of tasks, each of which is done in bounded parts.
//!
//! Parts are cut between rows and between vectors, and no sum runs across a cut, so the bits do not
//! depend on the cuts.

#![expect(
    clippy::many_single_char_names,
    reason = "arrays and shapes have the letters of the formulas"
)]

use std::collections::{BTreeMap, VecDeque};

use crate::arithmetic::{
    Block, ROUNDOFF, ROUNDOFF_SINGLE, add_columns, column_depth, difference, gamma, norm_above,
    product, widened,
};
use crate::churn::Churn;
use crate::emit::Emit;
use crate::kernel::{Report, Reuse, Step, WORK_GRAIN, WORK_GRAIN_MEMORY};
use crate::linear_transform::LinearTransform;
use crate::linear_transform::delta::{LinearDelta, LinearOutput};
use crate::linear_transform::outputs::{flush_columns, flush_product, single};
use crate::linear_transform::pending::PENDING_MAX;
use crate::linear_transform::vectors::{Added, Outputs, RAISE};
use crate::mode::Mode;

/// A step under way.
#[derive(Debug, Clone)]
pub(crate) struct Running {
    pub(crate) step: Step<LinearDelta>,
    churn: Churn,
    tasks: VecDeque<Task>,
    /// Vectors that changed, by place; the matrix changes all.
    touched: Vec<bool>,
    is_matrix_touched: bool,
    /// Norms of the changes of rows of the matrix, and the largest.
    rows_moved: BTreeMap<usize, f64>,
    row_moved: f64,
    /// Norm of the largest row of what rounding took of the matrix after a change of low rank.
    row_rounded: f64,
    work: u64,
    n_emitted: usize,
    reuse: Option<Reuse>,
}

/// What is left to do: from this row, vector or part of the change on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Task {
    /// Lets waiting coordinates reach the outputs.
    Flush(usize),
    /// Lets them reach the vectors only; the outputs will be computed anew.
    FlushInputs(usize),
    SetRows(usize),
    RowOutputs(usize),
    LowRankRows(usize),
    LowRankOutputs(usize),
    Remove(usize),
    SetVectors(usize),
    Coordinates(usize),
    Entries(usize),
    Reduce(usize),
    /// First row of the panel, and the vector.
    Apply(usize, usize),
    Emit(usize),
}

/// Vectors that are multiplied together.
const BLOCK_VECTORS: usize = 256;

/// Vectors from which a product of matrices is worth its copies.
const PRODUCT_MIN: usize = 8;

/// Rows of the matrix that stay in the cache while vectors pass.
const PANEL_ROWS: usize = 64;

impl Running {
    pub(crate) fn new(kernel: &LinearTransform, step: Step<LinearDelta>, churn: Churn) -> Self {
        let delta = &step.delta;
        let is_itmd = step.mode == Mode::Itmd;
        let when = |is_there: bool, task| is_there.then_some(task);
        let has_rows = !delta.rows.is_empty();
        let has_low_rank = !delta.low_rank_left.is_empty();
        let has_coordinates = !delta.coordinates.is_empty();
        let only_coordinates = delta.keys.is_empty()
            && delta.removed.is_empty()
            && delta.entries.is_empty()
            && !has_rows
            && !has_low_rank;
        let stays = is_itmd && only_coordinates && step.emit == Emit::Pull;
        let n_waiting = kernel.pending.coordinates.len() + delta.coordinates.len();
        let flush = if step.mode == Mode::Pass { Task::FlushInputs(0) } else { Task::Flush(0) };
        let flush_new = if is_itmd { Task::Flush(0) } else { Task::FlushInputs(0) };
        let tasks = [
            when(!stays && !kernel.pending.is_empty(), flush),
            when(has_rows, Task::SetRows(0)),
            when(has_rows, Task::RowOutputs(0)),
            when(has_low_rank, Task::LowRankRows(0)),
            when(has_low_rank, Task::LowRankOutputs(0)),
            when(!delta.removed.is_empty(), Task::Remove(0)),
            when(!delta.keys.is_empty(), Task::SetVectors(0)),
            when(has_coordinates, Task::Coordinates(0)),
            when(has_coordinates && (!stays || PENDING_MAX <= n_waiting), flush_new),
            when(!delta.entries.is_empty(), Task::Entries(0)),
            when(step.mode == Mode::Rr, Task::Reduce(0)),
            when(step.mode == Mode::Pass, Task::Apply(0, 0)),
            when(step.emit != Emit::Pull, Task::Emit(0)),
        ];
        Self {
            tasks: tasks.into_iter().flatten().collect(),
            touched: vec![false; kernel.vectors.len()],
            is_matrix_touched: has_rows || has_low_rank,
            rows_moved: BTreeMap::new(),
            row_moved: 0.0,
            row_rounded: 0.0,
            work: 0,
            n_emitted: 0,
            reuse: None,
            churn,
            step,
        }
    }

    fn touch(&mut self, place: usize) {
        if self.touched.len() <= place {
            self.touched.resize(place + 1, false);
        }
        self.touched[place] = true;
    }

    fn is_touched(&self, place: usize) -> bool {
        self.touched.get(place).copied().unwrap_or(false)
    }

    /// Goes on for about this many units; the report if that was the end.
    pub(crate) fn go_on(
        &mut self,
        kernel: &mut LinearTransform,
        work: u64,
        output: &mut LinearOutput,
    ) -> Option<Report> {
        let mut left = work;
        while let Some(task) = self.tasks.pop_front() {
            let (done, next) = self.part(kernel, task, left, output);
            self.work += done;
            if let Some(next) = next {
                self.tasks.push_front(next);
            }
            left = left.saturating_sub(done.max(1));
            if left == 0 {
                break;
            }
        }
        self.tasks.is_empty().then(|| self.report(kernel))
    }

    fn report(&self, kernel: &mut LinearTransform) -> Report {
        let states = &kernel.vectors.states;
        let error_max = match self.step.emit {
            Emit::Changed | Emit::Pull => kernel.error_max(),
            Emit::All | Emit::Eps(_) => {
                states.iter().fold(0.0, |most: f64, state| most.max(state.said_now()))
            }
        };
        if self.step.mode == Mode::Rr {
            kernel.reduced_error = kernel.vectors.error_max();
        }
        Report {
            mode: self.step.mode,
            churn: self.churn,
            error_max,
            n_emitted: self.n_emitted,
            work: self.work,
            reuse: self.reuse,
            is_refreshed: self.step.mode == Mode::Pass,
        }
    }

    /// Does a part of the task: its work, and what is left of it.
    fn part(
        &mut self,
        kernel: &mut LinearTransform,
        task: Task,
        left: u64,
        output: &mut LinearOutput,
    ) -> (u64, Option<Task>) {
        match task {
            Task::Flush(at) => flush(kernel, at, left),
            Task::FlushInputs(at) => flush_inputs(kernel, at),
            Task::SetRows(at) => self.set_rows(kernel, at),
            Task::RowOutputs(at) => self.row_outputs(kernel, at, left),
            Task::LowRankRows(at) => self.low_rank_rows(kernel, at),
            Task::LowRankOutputs(at) => self.low_rank_outputs(kernel, at),
            Task::Remove(at) => self.remove(kernel, at),
            Task::SetVectors(at) => self.set_vectors(kernel, at),
            Task::Coordinates(at) => self.coordinates(kernel, at),
            Task::Entries(at) => self.entries(kernel, at),
            Task::Reduce(at) => self.reduce(kernel, at),
            Task::Apply(row, at) => apply(kernel, row, at, left),
            Task::Emit(at) => self.emit(kernel, at, output),
        }
    }

    fn set_rows(&mut self, kernel: &mut LinearTransform, at: usize) -> (u64, Option<Task>) {
        let delta = &self.step.delta;
        let n = kernel.spec.n_columns;
        let (row, weights) = (delta.rows[at], &delta.weights[at * n..][..n]);
        let old = kernel.matrix.row(row);
        let difference: Vec<f32> = weights.iter().zip(&old).map(|(new, old)| new - old).collect();
        // Subtracting in `f32` rounds once.
        let moved = norm_above(&difference) * (1.0 + 2.0 * ROUNDOFF_SINGLE) + 1e-37;
        // A row that stands several times in the change moves several times.
        let moved_in_all = self.rows_moved.entry(row).or_default();
        *moved_in_all = (*moved_in_all + moved) * RAISE;
        self.row_moved = self.row_moved.max(*moved_in_all);
        kernel.matrix.set_row(row, weights);
        let rank = kernel.basis.rank();
        if 0 < rank {
            let norm = norm_above(weights) * (1.0 + 1e-6);
            let error = gamma(kernel.matrix.apply_depth(), ROUNDOFF) * norm;
            for k in 0..rank {
                let q = kernel.basis.direction(k);
                let mut image = [0.0];
                crate::arithmetic::dots(q, weights, &mut image);
                kernel.basis.set_image_entry(k, row, image[0], error);
            }
        }
        let work = kernel.matrix.row_work() + (rank * n) as u64;
        (work, (at + 1 < delta.rows.len()).then_some(Task::SetRows(at + 1)))
    }

    /// Outputs of changed rows are computed anew, vector by vector.
    fn row_outputs(
        &self,
        kernel: &mut LinearTransform,
        at: usize,
        left: u64,
    ) -> (u64, Option<Task>) {
        let l = kernel.vectors.len();
        let rows = &self.step.delta.rows;
        let each = (rows.len() * kernel.spec.n_columns) as u64;
        let n_now = (left.min(WORK_GRAIN_MEMORY) / each.max(1)).max(1);
        let end = l.min(at + usize::try_from(n_now).unwrap_or(l));
        for place in at..end {
            if self.step.mode != Mode::Pass {
                for row in rows {
                    let mut y = [0.0];
                    let x = kernel.vectors.vector(place);
                    kernel.matrix.apply(*row..*row + 1, x, &mut y);
                    kernel.vectors.put_output(place, *row, &y);
                }
                let old = kernel.vectors.states[place].error;
                kernel.applied(place);
                let state = &mut kernel.vectors.states[place];
                state.error = state.error.max(old);
            }
            let state = &mut kernel.vectors.states[place];
            state.moved += self.row_moved * state.norm() * RAISE;
        }
        ((end - at) as u64 * each, (end < l).then_some(Task::RowOutputs(end)))
    }

    /// `W + U V^T`, entry by entry in `f64`, rounded to `f32`.
    fn low_rank_rows(&mut self, kernel: &mut LinearTransform, row: usize) -> (u64, Option<Task>) {
        let delta = &self.step.delta;
        let (m, n) = (kernel.spec.n_rows, kernel.spec.n_columns);
        let rank = delta.low_rank(&kernel.spec);
        let mut sums = widened(&kernel.matrix.row(row));
        for k in 0..rank {
            let u = f64::from(delta.low_rank_left[k * m + row]);
            for (sum, v) in sums.iter_mut().zip(&delta.low_rank_right[k * n..][..n]) {
                *sum += u * f64::from(*v);
            }
        }
        let weights: Vec<f32> = sums.iter().copied().map(single).collect();
        let lost = weights.iter().zip(&sums).map(|(w, sum)| (f64::from(*w) - sum).powi(2));
        self.row_rounded = self.row_rounded.max(lost.sum::<f64>().sqrt() * RAISE);
        kernel.matrix.set_row(row, &weights);
        if row + 1 == m {
            kernel.basis.clear();
        }
        ((rank * n) as u64 + kernel.matrix.row_work(), {
            (row + 1 < m).then_some(Task::LowRankRows(row + 1))
        })
    }

    fn low_rank_outputs(&self, kernel: &mut LinearTransform, at: usize) -> (u64, Option<Task>) {
        let l = kernel.vectors.len();
        if l == 0 {
            return (0, None);
        }
        let delta = &self.step.delta;
        let (m, n) = (kernel.spec.n_rows, kernel.spec.n_columns);
        let rank = delta.low_rank(&kernel.spec);
        let x = kernel.vectors.vector(at);
        let norm = kernel.vectors.states[at].norm();
        let mut t = vec![0.0; rank];
        crate::arithmetic::dots(&delta.low_rank_right, x, &mut t);
        let (mut reach, mut lost, mut moved) = (0.0, 0.0, 0.0);
        for (k, t) in t.iter().enumerate() {
            let u = delta.low_rank_left[k * m..][..m].iter().fold(0.0_f32, |a, u| a.max(u.abs()));
            let v = norm_above(&delta.low_rank_right[k * n..][..n]);
            reach += f64::from(u) * t.abs();
            lost += f64::from(u) * v * norm;
            moved += f64::from(u) * v * norm;
        }
        // The new entries of the matrix were rounded; and so were the sums that they came of.
        let size = kernel.matrix.row_norm_max() * norm;
        let rounded = self.row_rounded * norm + gamma(rank + 2, ROUNDOFF) * 2.0 * (size + lost);
        let dot = gamma(crate::arithmetic::dot_depth(n), ROUNDOFF) * lost;
        if self.step.mode != Mode::Pass {
            let terms: Vec<(usize, f64)> = t.into_iter().enumerate().collect();
            let place = at * m..(at + 1) * m;
            match &mut kernel.vectors.y {
                Outputs::Single(y) => {
                    let terms: Vec<(usize, f32)> =
                        terms.iter().map(|(k, t)| (*k, single(*t))).collect();
                    add_columns(&mut y[place], &delta.low_rank_left, &terms);
                }
                Outputs::Double(y) => {
                    add_columns(&mut y[place], &delta.low_rank_left, &terms);
                }
            }
            let added = Added {
                n_columns: rank,
                sum: reach,
                square: f64::INFINITY,
                depth: column_depth(rank) + 1,
                row_norm: 1.0,
            };
            let output_max = kernel.vectors.output_max(at);
            kernel.vectors.added(at, &added, output_max);
            kernel.vectors.states[at].error += (rounded + dot) * RAISE;
        }
        let state = &mut kernel.vectors.states[at];
        state.moved = (state.moved + moved + rounded) * RAISE;
        let work = (rank * (m + n)) as u64;
        (work, (at + 1 < l).then_some(Task::LowRankOutputs(at + 1)))
    }

    fn remove(&self, kernel: &mut LinearTransform, at: usize) -> (u64, Option<Task>) {
        kernel.vectors.remove(self.step.delta.removed[at]);
        let work = (kernel.spec.n_rows + kernel.spec.n_columns) as u64;
        (work, (at + 1 < self.step.delta.removed.len()).then_some(Task::Remove(at + 1)))
    }

    /// A vector comes or changes as a whole: the columns of its changed entries, or all.
    fn set_vectors(&mut self, kernel: &mut LinearTransform, at: usize) -> (u64, Option<Task>) {
        let (n, n_keys) = (kernel.spec.n_columns, self.step.delta.keys.len());
        let place = kernel.vectors.place(self.step.delta.keys[at]);
        self.touch(place);
        let vector = &self.step.delta.vectors[at * n..][..n];
        let old = kernel.vectors.vector(place);
        let is_itmd = self.step.mode == Mode::Itmd;
        let n_changed = difference(vector, old).n_changed;
        let mut terms: Vec<(usize, f64)> = Vec::new();
        // Adding a column to an output moves about twice what multiplying it does.
        if is_itmd && 2 * n_changed < n {
            let changed = vector.iter().zip(old).enumerate();
            let changed = changed.filter(|(_, (new, old))| new.to_bits() != old.to_bits());
            let change = |(new, old): (&f32, &f32)| f64::from(*new) - f64::from(*old);
            terms.extend(changed.map(|(column, pair)| (column, change(pair))));
        }
        let moved = kernel.vectors.set_vector(place, vector);
        let next = (at + 1 < n_keys).then_some(Task::SetVectors(at + 1));
        let work = n as u64;
        if is_itmd && 2 * n_changed < n {
            return (work + kernel.add_terms(place, &terms), next);
        }
        let state = &mut kernel.vectors.states[place];
        state.moved = (state.moved + moved * kernel.matrix.row_norm_max()) * RAISE;
        if is_itmd {
            return (work + kernel.apply_whole(place), next);
        }
        (work, next)
    }

    fn coordinates(&mut self, kernel: &mut LinearTransform, at: usize) -> (u64, Option<Task>) {
        let l = kernel.vectors.len();
        if l == 0 {
            return (0, None);
        }
        if at == 0 {
            self.touched = vec![true; l];
        }
        let delta = &self.step.delta;
        let values = &delta.coordinate_values[at * l..][..l];
        // Values stand by ascending key, what waits by place.
        let mut by_place = vec![0.0; l];
        for (place, value) in kernel.vectors.places.values().zip(values) {
            by_place[*place] = *value;
        }
        kernel.pending.set(delta.coordinates[at], &mut kernel.vectors, &by_place);
        let next = at + 1 < delta.coordinates.len();
        (4 * l as u64, next.then_some(Task::Coordinates(at + 1)))
    }

    /// The entries of one vector that stand together in the change.
    fn entries(&mut self, kernel: &mut LinearTransform, at: usize) -> (u64, Option<Task>) {
        let entries = &self.step.delta.entries[at..];
        let key = entries[0].key;
        let run = entries.iter().take_while(|entry| entry.key == key).count();
        let place = kernel.vectors.places[&key];
        let n = kernel.spec.n_columns;
        let mut terms = Vec::with_capacity(run);
        for entry in &entries[..run] {
            let old = &mut kernel.vectors.x[place * n + entry.at];
            kernel.vectors.states[place].replace(*old, entry.value);
            terms.push((entry.at, f64::from(entry.value) - f64::from(*old)));
            *old = entry.value;
        }
        let end = at + run;
        let next = (end < self.step.delta.entries.len()).then_some(Task::Entries(end));
        self.touch(place);
        if self.step.mode == Mode::Itmd {
            return (kernel.add_terms(place, &terms), next);
        }
        let reach = kernel.added(&terms, 0).reach();
        let state = &mut kernel.vectors.states[place];
        state.moved = (state.moved + reach * RAISE) * RAISE;
        (run as u64, next)
    }

    /// The next vector that was touched, in the basis; or its residual passed.
    fn reduce(&mut self, kernel: &mut LinearTransform, from: usize) -> (u64, Option<Task>) {
        let l = kernel.vectors.len();
        let Some(at) = (from..l).find(|place| self.is_touched(*place)) else {
            return (1, None);
        };
        let (found, work) = kernel.reduce(at, self.step.error_max);
        if self.reuse != Some(Reuse::Miss) {
            self.reuse = Some(found);
        }
        (work, (at + 1 < l).then_some(Task::Reduce(at + 1)))
    }

    fn emit(
        &mut self,
        kernel: &mut LinearTransform,
        at: usize,
        output: &mut LinearOutput,
    ) -> (u64, Option<Task>) {
        let l = kernel.vectors.len();
        if l == 0 {
            return (0, None);
        }
        let state = kernel.vectors.states[at];
        let is_due = match self.step.emit {
            Emit::Changed => self.is_matrix_touched || self.is_touched(at),
            Emit::Pull => false,
            Emit::Eps(eps) => eps < state.moved,
            // `pass` computes anew what did not move, too.
            Emit::All => {
                self.step.mode == Mode::Pass
                    || self.is_matrix_touched
                    || self.is_touched(at)
                    || 0.0 < state.moved
            }
        };
        if is_due {
            output.keys.push(kernel.vectors.keys[at]);
            kernel.vectors.append_output(at, &mut output.values);
            let state = &mut kernel.vectors.states[at];
            (state.said_error, state.moved) = (state.error, 0.0);
            self.n_emitted += 1;
        }
        let work = if is_due { kernel.spec.n_rows as u64 } else { 1 };
        (work, (at + 1 < l).then_some(Task::Emit(at + 1)))
    }
}

/// What waits reaches vectors and outputs, from this place on.
fn flush(kernel: &mut LinearTransform, at: usize, left: u64) -> (u64, Option<Task>) {
    let (l, m) = (kernel.vectors.len(), kernel.spec.n_rows);
    let c = kernel.pending.coordinates.len();
    let each = (2 * c * m).max(1) as u64;
    let n_now = usize::try_from(left.max(WORK_GRAIN) / each).unwrap_or(l).clamp(2, l.max(2));
    // A last block of a single vector would be a product of another kind, with other bits.
    let end = if l <= at + n_now + 1 { l } else { at + n_now };
    let is_product = PRODUCT_MIN <= c
        && PRODUCT_MIN <= l
        && kernel.matrix.dense().is_some()
        && matches!(kernel.vectors.y, Outputs::Single(_));
    let added =
        if is_product { flush_product(kernel, at..end) } else { flush_columns(kernel, at..end) };
    for (place, (added, largest)) in (at..end).zip(added) {
        kernel.vectors.added(place, &added, largest);
    }
    if end == l {
        kernel.pending.clear();
    }
    ((end - at) as u64 * each, (end < l).then_some(Task::Flush(end)))
}

/// Lets all that waits reach the outputs; its work.
pub(crate) fn flush_all(kernel: &mut LinearTransform) -> u64 {
    let (mut at, mut work) = (0, 0);
    loop {
        let (done, next) = flush(kernel, at, u64::MAX);
        work += done;
        match next {
            Some(Task::Flush(next)) => at = next,
            _ => return work,
        }
    }
}

fn flush_inputs(kernel: &mut LinearTransform, at: usize) -> (u64, Option<Task>) {
    let l = kernel.vectors.len();
    if at < l {
        let terms = kernel.pending.terms(at, l);
        let reach = kernel.added(&terms, 0).reach();
        let state = &mut kernel.vectors.states[at];
        state.moved = (state.moved + reach * RAISE) * RAISE;
    }
    if at + 1 < l {
        return (kernel.pending.coordinates.len() as u64, Some(Task::FlushInputs(at + 1)));
    }
    kernel.pending.clear();
    (1, None)
}

/// All outputs anew: a panel of rows of the matrix for one vector after another, or for a block of
/// them at once.
fn apply(kernel: &mut LinearTransform, row: usize, at: usize, left: u64) -> (u64, Option<Task>) {
    let (l, m) = (kernel.vectors.len(), kernel.spec.n_rows);
    if l == 0 {
        return (0, None);
    }
    let is_single = matches!(kernel.vectors.y, Outputs::Single(_));
    let is_product = is_single && PRODUCT_MIN <= l && kernel.matrix.dense().is_some();
    if is_product {
        return multiply(kernel, row, at, left);
    }
    let share = (2 * kernel.matrix.n_entries() / m).max(1) as u64;
    let most = usize::try_from(left.max(WORK_GRAIN_MEMORY) / share).unwrap_or(m).max(1);
    // One vector after another passes a panel that stays in the cache.
    let panel = if l == 1 { most } else { PANEL_ROWS.min(most) };
    let end = m.min(row + panel);
    let x = kernel.vectors.vector(at);
    let mut y = vec![0.0; end - row];
    if l == 1 {
        kernel.matrix.apply_long(row..end, x, &mut y);
    } else {
        kernel.matrix.apply(row..end, x, &mut y);
    }
    kernel.vectors.put_output(at, row, &y);
    if end == m {
        kernel.applied(at);
    }
    let next = if at + 1 < l {
        Some(Task::Apply(row, at + 1))
    } else {
        (end < m).then_some(Task::Apply(end, 0))
    };
    (share * (end - row) as u64, next)
}

fn multiply(kernel: &mut LinearTransform, row: usize, at: usize, left: u64) -> (u64, Option<Task>) {
    let (l, m, n) = (kernel.vectors.len(), kernel.spec.n_rows, kernel.spec.n_columns);
    // All vectors at once when there is work enough for it: blocks cost copies.
    let whole = (2 * m * n * l) as u64;
    let n_vectors = if row == 0 && at == 0 && whole <= left { l } else { BLOCK_VECTORS };
    // A last block of a single vector would be a product of another kind, with other bits.
    let end_at = if l <= at + n_vectors + 1 { l } else { at + n_vectors };
    let each = (2 * n * (end_at - at)) as u64;
    let n_rows = usize::try_from(left.max(WORK_GRAIN) / each).unwrap_or(m).max(1);
    let end_row = if m <= row + n_rows + 1 { m } else { row + n_rows.max(2) };
    let Outputs::Single(y) = &mut kernel.vectors.y else {
        return (0, None);
    };
    let Some(w) = kernel.matrix.dense() else {
        return (0, None);
    };
    let mut block = Block {
        x: &kernel.vectors.x,
        w,
        out: y,
        n,
        left: (at, end_at - at),
        right: (row, end_row - row),
    };
    product(&mut block);
    let work = each * (end_row - row) as u64;
    if end_row < m {
        return (work, Some(Task::Apply(end_row, at)));
    }
    (at..end_at).for_each(|place| kernel.vectors.multiplied(place, &kernel.matrix));
    (work, (end_at < l).then_some(Task::Apply(0, end_at)))
}
