//! One step: tokens first, then the rows that are put out.

use std::task::Poll;

use rayon::prelude::*;

use super::delta::{AttentionDelta, AttentionRows, Outcome};
use super::head::{Head, Part};
use super::table::Row;
use super::{RowBlock, TransformerAttn, is_off};
use crate::churn::Churn;
use crate::emit::Emit;
use crate::kernel::{Kernel, Report, Step};
use crate::mode::Mode;

/// A step that is under way.
#[derive(Debug, Clone)]
pub(super) struct Running {
    mode: Mode,
    emit: Emit,
    churn: Churn,
    stage: Stage,
    /// Tokens or rows of the stage that are done.
    n_done: usize,
    events: Events,
    /// Slots of the tokens of a pass.
    slots: Vec<usize>,
    /// Slots of the queries whose rows are computed.
    rows: Vec<usize>,
    work: u64,
    n_emitted: usize,
    /// What the step may be off by.
    error_allowed: f64,
    /// What it is off by so far.
    error_max: f64,
    is_refreshed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// What goes and what comes is added to the sums.
    Events,
    /// The sums are computed anew.
    Tokens,
    Rows,
}

/// Tokens that go and come, each with its sign.
#[derive(Debug, Clone, Default)]
struct Events {
    signs: Vec<f64>,
    k: Vec<f32>,
    v: Vec<f32>,
}

/// What was last said of each query, by its slot.
#[derive(Debug, Clone, Default)]
pub(super) struct Said {
    /// `[n_slots, n_value]`.
    pub(super) values: Vec<f32>,
    /// Whether anything was said; what a query that went was answered is not.
    pub(super) outcomes: Vec<Option<Outcome>>,
}

impl Said {
    pub(super) fn bytes(&self) -> usize {
        self.values.len() * size_of::<f32>() + self.outcomes.len()
    }

    fn grow(&mut self, n_slots: usize, n_value: usize) {
        self.values.resize(n_slots * n_value, 0.0);
        self.outcomes.resize(n_slots, None);
    }
}

impl Events {
    fn push(&mut self, token: &Row<'_>, sign: f64) {
        self.signs.push(sign);
        self.k.extend(token.vectors[0]);
        self.v.extend(token.vectors[1]);
    }

    fn row(&self, at: usize) -> (Row<'_>, f64) {
        let n = self.signs.len();
        let (d, e) = (self.k.len() / n, self.v.len() / n);
        let vectors = [&self.k[at * d..(at + 1) * d], &self.v[at * e..(at + 1) * e]];
        (Row { vectors, place: 0 }, self.signs[at])
    }
}

impl TransformerAttn {
    /// Takes the change into the tables and plans the step.
    pub(super) fn start(&mut self, step: &Step<AttentionDelta>) {
        assert!(self.running.is_none(), "a step is under way");
        let churn = match self.measure(&step.delta) {
            Ok(churn) => churn,
            Err(fault) => panic!("the change does not fit: {fault}"),
        };
        let events = self.take_tokens(&step.delta, step.mode);
        let changed = self.take_queries(&step.delta);
        let rows = self.rows_of(step.emit, changed);
        let is_out = self.heads.iter().any(|head| head.better_reference().is_some());
        let is_itmd = step.mode == Mode::Itmd && !is_out && 0 < self.tokens.len();
        let mut running = Running {
            mode: if is_itmd { Mode::Itmd } else { Mode::Pass },
            emit: step.emit,
            churn,
            stage: Stage::Events,
            n_done: 0,
            events,
            slots: Vec::new(),
            rows,
            work: 0,
            n_emitted: 0,
            error_allowed: step.error_max,
            error_max: 0.0,
            is_refreshed: is_out,
        };
        if !is_itmd {
            self.start_over(&mut running);
        }
        self.running = Some(Box::new(running));
    }

    /// The slots of the queries whose rows are computed under this policy.
    fn rows_of(&mut self, emit: Emit, changed: Vec<usize>) -> Vec<usize> {
        match emit {
            Emit::Changed | Emit::Pull => {
                self.said = None;
                if emit == Emit::Pull { Vec::new() } else { changed }
            }
            Emit::Eps(_) | Emit::All => {
                let said = self.said.get_or_insert_default();
                said.grow(self.queries.n_slots(), self.spec.n_value);
                // A slot's answer is that of the query that has it now.
                for (outcome, is_live) in said.outcomes.iter_mut().zip(&self.queries.is_live) {
                    *outcome = outcome.filter(|_| *is_live);
                }
                for slot in &changed {
                    said.outcomes[*slot] = None;
                }
                self.queries.live().collect()
            }
        }
    }

    /// The sums are computed anew from here on.
    fn start_over(&mut self, running: &mut Running) {
        each_head(&mut self.heads, |_, head| head.clear());
        self.value_max = 0.0;
        self.n_events = 0;
        for slot in self.tokens.live() {
            self.value_max = size(self.value_max, self.tokens.row(slot).vectors[1]);
        }
        running.slots = self.tokens.live().collect();
        (running.stage, running.n_done) = (Stage::Tokens, 0);
    }

    fn take_tokens(&mut self, delta: &AttentionDelta, mode: Mode) -> Events {
        let mut events = Events::default();
        for (key, row) in delta.tokens(&self.spec).changes(&self.tokens) {
            if let Some(old) = self.tokens.get(key) {
                for (at, head) in self.heads.iter_mut().enumerate() {
                    head.discount(Part { head: at }, &old);
                }
                if mode == Mode::Itmd {
                    events.push(&old, -1.0);
                }
            }
            let Some(new) = row else {
                self.tokens.remove(key);
                continue;
            };
            for (at, head) in self.heads.iter_mut().enumerate() {
                head.count(Part { head: at }, &new);
            }
            if mode == Mode::Itmd {
                events.push(&new, 1.0);
            }
            self.value_max = size(self.value_max, new.vectors[1]);
            self.tokens.set(key, new);
        }
        events
    }

    /// Gives the slots of queries that came or changed, in order.
    fn take_queries(&mut self, delta: &AttentionDelta) -> Vec<usize> {
        let changes = delta.queries(&self.spec).changes(&self.queries);
        // What goes goes first, so that its slots are taken again.
        for (key, _) in changes.iter().filter(|(_, row)| row.is_none()) {
            self.queries.remove(*key);
        }
        let came = changes.into_iter().filter_map(|(key, row)| Some((key, row?)));
        let mut slots: Vec<usize> = came.map(|(key, row)| self.queries.set(key, row)).collect();
        slots.sort_unstable();
        slots
    }

    /// Goes on with the step until it ends or this much work is done.
    pub(super) fn go_on(&mut self, work: u64, output: &mut AttentionRows) -> Poll<Report> {
        let Some(mut running) = self.running.take() else { panic!("no step is under way") };
        let end = running.work.saturating_add(work.max(1));
        while running.work < end {
            match running.stage {
                Stage::Events => self.advance_events(&mut running),
                Stage::Tokens => self.advance_tokens(&mut running),
                Stage::Rows => self.advance_rows(&mut running, output),
            }
            if running.stage == Stage::Rows && running.n_done == running.rows.len() {
                return Poll::Ready(self.finish(&running));
            }
        }
        self.running = Some(running);
        Poll::Pending
    }

    fn advance_events(&mut self, running: &mut Running) {
        let until = (running.n_done + self.block()).min(running.events.signs.len());
        let range = running.n_done..until;
        running.work += 1 + range.len() as u64 * self.row_work();
        if !range.is_empty() {
            let events = &running.events;
            each_head(&mut self.heads, |part, head| {
                head.absorb(part, range.clone().map(|at| events.row(at)));
            });
        }
        running.n_done = until;
        if until < running.events.signs.len() {
            return;
        }
        self.n_events += running.events.signs.len() as u64;
        // Once for as many events as pay for it.
        let pays = (self.tokens.len() as u64) < 8 * self.n_events;
        let is_off =
            |head: &Head| head.has_drifted() || pays && head.is_above(running.error_allowed);
        if self.heads.iter().any(is_off) {
            running.is_refreshed = true;
            self.start_over(running);
        } else {
            (running.stage, running.n_done) = (Stage::Rows, 0);
        }
    }

    fn advance_tokens(&mut self, running: &mut Running) {
        let until = (running.n_done + self.block()).min(running.slots.len());
        let slots = &running.slots[running.n_done..until];
        running.work += 1 + slots.len() as u64 * self.row_work();
        if !slots.is_empty() {
            let tokens = &self.tokens;
            each_head(&mut self.heads, |part, head| {
                head.absorb(part, slots.iter().map(|slot| (tokens.row(*slot), 1.0)));
            });
        }
        running.n_done = until;
        if until == running.slots.len() {
            each_head(&mut self.heads, |_, head| head.fresh_level = head.level());
            (running.stage, running.n_done) = (Stage::Rows, 0);
        }
    }

    fn advance_rows(&mut self, running: &mut Running, output: &mut AttentionRows) {
        let until = (running.n_done + self.block()).min(running.rows.len());
        let slots = running.rows[running.n_done..until].to_vec();
        running.work += 1 + slots.len() as u64 * self.row_work();
        let block = self.answer(&slots);
        for (at, slot) in slots.into_iter().enumerate() {
            let bound = self.say(running, slot, (&block, at), output);
            running.error_max = running.error_max.max(bound);
        }
        running.n_done = until;
    }

    /// Puts the row out if the policy wants it; the error of what stands as said.
    fn say(
        &mut self,
        running: &mut Running,
        slot: usize,
        (block, at): (&RowBlock, usize),
        output: &mut AttentionRows,
    ) -> f64 {
        let (row, outcome, bound) = (block.row(at), block.outcomes[at], block.bounds[at]);
        let n_value = self.spec.n_value;
        if let Some(said) = &mut self.said {
            let values = &mut said.values[slot * n_value..(slot + 1) * n_value];
            let off = is_off(row, values);
            let is_kept = match running.emit {
                Emit::Eps(eps) => off <= eps,
                Emit::All => off == 0.0,
                Emit::Changed | Emit::Pull => false,
            };
            if is_kept && said.outcomes[slot] == Some(outcome) {
                return bound + off;
            }
            said.outcomes[slot] = Some(outcome);
            values.copy_from_slice(row);
        }
        output.keys.push(self.queries.keys[slot]);
        output.outcomes.push(outcome);
        output.values.extend_from_slice(row);
        running.n_emitted += 1;
        bound
    }

    fn finish(&mut self, running: &Running) -> Report {
        if self.tokens.len() == 0 {
            each_head(&mut self.heads, |_, head| head.clear());
        }
        let error_max = match running.emit {
            Emit::Pull => {
                let nothing = Churn { n_changed: 0, n_total: 0, delta_max: 0.0 };
                self.error_ahead(&nothing)
            }
            Emit::Changed | Emit::All | Emit::Eps(_) => running.error_max,
        };
        self.error_max = error_max;
        Report {
            mode: running.mode,
            churn: running.churn,
            error_max,
            n_emitted: running.n_emitted,
            work: running.work,
            reuse: None,
            is_refreshed: running.is_refreshed,
        }
    }
}

fn size(most: f64, numbers: &[f32]) -> f64 {
    numbers.iter().fold(most, |most, number| most.max(f64::from(number.abs())))
}

/// Two heads do not look at each other, so the bits do not depend on how many work at a time.
pub(super) fn each_head(heads: &mut [Head], run: impl Fn(Part, &mut Head) + Sync) {
    let run = |(at, head): (usize, &mut Head)| run(Part { head: at }, head);
    if 1 < heads.len() {
        heads.par_iter_mut().enumerate().for_each(run);
    } else {
        heads.iter_mut().enumerate().for_each(run);
    }
}
