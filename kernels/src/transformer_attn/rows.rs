//! The end of a step: rows that are answered or follow, and those of them that are put out.

use std::ops::Range;

use super::delta::AttentionRows;
use super::follow::{Followable, Followed};
use super::head::Head;
use super::moved::Terms;
use super::reduce::rank;
use super::spec::Causality;
use super::step::{Running, each_head};
use super::{RowBlock, TransformerAttn};
use crate::churn::Churn;
use crate::emit::Emit;
use crate::kernel::{Report, Reuse};
use crate::mode::Mode;
use crate::outcome::Outcome;
use crate::said::{SaidPart, error_standing};
use crate::threads::share;
use crate::vector::wide;

/// What is said of a row: whether it is put out, what became of it, and its bound.
#[derive(Debug, Clone, Copy)]
struct Verdict {
    is_put_out: bool,
    outcome: Outcome,
    error: f64,
}

impl TransformerAttn {
    /// Goes on with rows until about this much work is done in all.
    pub(super) fn advance_rows(
        &mut self,
        running: &mut Running,
        work_end: u64,
        output: &mut AttentionRows,
    ) {
        if let Some(terms) = running.follows {
            self.advance_followers(running, (terms, work_end), output);
            return;
        }
        let slots = self.next_rows(&running.rows[running.n_done..]);
        let until = running.n_done + slots.len();
        running.work += 1 + slots.len() as u64 * self.row_work();
        if running.mode == Mode::Rr && !slots.is_empty() {
            running.reuse = Some(Reuse::Miss);
        }
        let block = self.answer(&slots);
        for (at, slot) in slots.into_iter().enumerate() {
            let bound = self.say(running, slot, (&block, at), output);
            running.error_max = running.error_max.max(bound);
        }
        running.n_done = until;
    }

    /// Rows that follow; those that cannot are answered.
    fn advance_followers(
        &mut self,
        running: &mut Running,
        (terms, work_end): (Terms, u64),
        output: &mut AttentionRows,
    ) {
        let each = self.follow_work(terms, running.events.signs.len());
        let left = usize::try_from(work_end.saturating_sub(running.work) / each);
        let n_now = left.unwrap_or(FOLLOWERS).clamp(FOLLOWERS_LEAST, FOLLOWERS);
        let until = (running.n_done + n_now).min(running.rows.len());
        let slots = running.rows[running.n_done..until].to_vec();
        let error_max = 0.5 * running.error_allowed;
        let follow = |_, head: &mut Head| follow_block(head, &slots, error_max);
        let heads: Vec<Vec<Followable>> = share(&mut self.heads, follow);
        let is_due = |at: &usize| heads.iter().any(|found| found[*at] != Followable::Yes);
        let due: Vec<usize> = (0..slots.len()).filter(is_due).map(|at| slots[at]).collect();
        if running.mode == Mode::Rr && heads.iter().flatten().any(|it| *it == Followable::No) {
            running.reuse = Some(Reuse::Miss);
        }
        running.work += 1 + slots.len() as u64 * each + due.len() as u64 * self.row_work();
        let mut lost = Vec::new();
        for some in due.chunks(self.block()) {
            let block = self.answer(some);
            for (at, slot) in some.iter().enumerate() {
                if block.outcomes[at] != Outcome::Value {
                    lost.push((*slot, block.outcomes[at]));
                }
            }
        }
        self.say_followed(running, (&slots, &lost), output);
        running.n_done = until;
    }

    /// Work of a row that follows.
    pub(super) fn follow_work(&self, terms: Terms, n_moved: usize) -> u64 {
        let shape = self.spec.head();
        let flops = match terms {
            Terms::Tokens => (2 * n_moved + 4) * (shape.m + shape.e),
            Terms::Directions => (2 * rank(shape.m) + 4) * shape.e,
        };
        (self.heads.len() * flops) as u64
    }

    /// Says rows of outputs that heads keep. `lost`: the slots that have none.
    fn say_followed(
        &mut self,
        running: &mut Running,
        (slots, lost): (&[usize], &[(usize, Outcome)]),
        output: &mut AttentionRows,
    ) {
        let (n_value, emit) = (self.spec.n_value, running.emit);
        let heads: Vec<&Followed> =
            self.heads.iter().filter_map(|head| head.followed.as_ref()).collect();
        let parts: Vec<&[usize]> = slots.chunks(SAID_AT_ONCE).collect();
        let ranges: Vec<Range<usize>> =
            parts.iter().map(|part| part[0]..part[part.len() - 1] + 1).collect();
        let Some(said) = &mut self.said else { panic!("only what is said is followed") };
        let start = output.values.len();
        output.values.resize(start + slots.len() * n_value, 0.0);
        let rows = output.values[start..].chunks_mut(SAID_AT_ONCE * n_value);
        let work = rows.zip(said.cut(&ranges, n_value)).zip(&parts);
        let say = |_, ((rows, said), slots): ((&mut [f32], SaidPart<'_, f32>), &&[usize])| {
            say_part(&heads, (slots, lost), (rows, said), emit)
        };
        let verdicts: Vec<Vec<Verdict>> = share(work, say);
        let mut end = start;
        for (at, verdict) in verdicts.into_iter().flatten().enumerate() {
            running.error_max = running.error_max.max(verdict.error);
            if !verdict.is_put_out {
                continue;
            }
            let from = start + at * n_value;
            if end < from {
                output.values.copy_within(from..from + n_value, end);
            }
            end += n_value;
            output.keys.push(self.queries.keys[slots[at]]);
            output.outcomes.push(verdict.outcome);
            running.n_emitted += 1;
        }
        output.values.truncate(end);
    }

    /// The rows of the next part, such that it stays within the grain.
    fn next_rows(&self, rows: &[usize]) -> Vec<usize> {
        let n = rows.len().min(self.block());
        if self.spec.causality == Causality::Plain {
            return rows[..n].to_vec();
        }
        let (mut last, mut n_tokens, mut slots) = (usize::MAX, 0, Vec::new());
        for slot in &rows[..n] {
            let (run, _) = self.order.seen(self.queries.places[*slot]);
            if run != last {
                n_tokens += self.order.runs.get(run).map_or(0, Vec::len);
            }
            // A run has at most twice its length.
            if !slots.is_empty() && 3 * self.spec.run() < n_tokens {
                break;
            }
            last = run;
            slots.push(*slot);
        }
        slots
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
            let off = off(row, &said.values[slot * n_value..(slot + 1) * n_value]);
            if said.stands(running.emit, slot, (outcome, off)) {
                return error_standing(bound, off);
            }
            said.set(slot, outcome, row);
        }
        output.keys.push(self.queries.keys[slot]);
        output.outcomes.push(outcome);
        output.values.extend_from_slice(row);
        running.n_emitted += 1;
        bound
    }

    pub(super) fn finish(&mut self, running: &Running) -> Report {
        for head in &mut self.heads {
            head.note(None);
        }
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
            reuse: running.reuse,
            is_refreshed: running.is_refreshed,
        }
    }
}

/// Lets rows follow; tells what becomes of each.
fn follow_block(head: &mut Head, slots: &[usize], error_max: f64) -> Vec<Followable> {
    let shape = head.shape();
    let (Some(followed), Some(moved)) = (&mut head.followed, &head.moved) else {
        return vec![Followable::Unknown; slots.len()];
    };
    followed.follow(shape, moved, slots, error_max)
}

/// Puts these rows together of what heads keep, beside what was said of them.
fn say_part(
    heads: &[&Followed],
    (slots, lost): (&[usize], &[(usize, Outcome)]),
    (rows, mut said): (&mut [f32], SaidPart<'_, f32>),
    emit: Emit,
) -> Vec<Verdict> {
    let n_value = rows.len() / slots.len();
    let e = n_value / heads.len();
    let mut verdicts = Vec::with_capacity(slots.len());
    for (slot, row) in slots.iter().zip(rows.chunks_exact_mut(n_value)) {
        let (mut outcome, mut error) = (Outcome::Value, 0.0_f64);
        match lost.binary_search_by_key(slot, |(slot, _)| *slot) {
            Ok(found) => outcome = lost[found].1,
            Err(_) => {
                for (head, out) in heads.iter().zip(row.chunks_exact_mut(e)) {
                    out.copy_from_slice(&head.outputs[slot * e..(slot + 1) * e]);
                    error = error.max(head.errors[*slot]);
                }
            }
        }
        let off = off(row, said.row(*slot));
        let stands = said.stands(emit, *slot, (outcome, off));
        if stands {
            error = error_standing(error, off);
        } else {
            said.set(*slot, outcome, row);
        }
        verdicts.push(Verdict { is_put_out: !stands, outcome, error });
    }
    verdicts
}

/// By how much two rows differ, in the max norm.
fn off(row: &[f32], said: &[f32]) -> f64 {
    wide(
        #[inline(always)]
        || {
            let mut lanes = [0.0_f64; 8];
            let ((a, a_rest), (b, b_rest)) = (row.as_chunks::<8>(), said.as_chunks::<8>());
            for (a, b) in a.iter().zip(b) {
                for at in 0..8 {
                    let off = (f64::from(a[at]) - f64::from(b[at])).abs();
                    lanes[at] = if lanes[at] < off { off } else { lanes[at] };
                }
            }
            let rest =
                a_rest.iter().zip(b_rest).map(|(a, b)| (f64::from(*a) - f64::from(*b)).abs());
            lanes.into_iter().chain(rest).fold(0.0, f64::max)
        },
    )
}

/// Rows that follow at a time, at most and at least.
const FOLLOWERS: usize = 512;
const FOLLOWERS_LEAST: usize = 64;

/// Rows that are said at a time, each by one thread.
const SAID_AT_ONCE: usize = 64;
