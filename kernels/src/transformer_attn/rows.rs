//! The end of a step: rows that are answered or follow, and those of them that are put out.

use super::delta::AttentionRows;
use super::follow::{HeadBlock, follow};
use super::lanes::ROWS;
use super::moved::Terms;
use super::reduce::rank;
use super::spec::{Causality, Shape};
use super::step::{Running, each_head};
use super::{Keep, RowBlock, TransformerAttn};
use crate::churn::Churn;
use crate::emit::Emit;
use crate::kernel::Report;
use crate::outcome::Outcome;
use crate::said::{SaidPart, error_standing};
use crate::threads::share;
use crate::vector::wide;

/// A block of queries that follow, and where they are put out.
struct FollowerBlock<'a> {
    /// Those that there are.
    slots: &'a [usize],
    heads: Vec<HeadBlock<'a>>,
    /// `[ROWS, n_value]`, as they are kept.
    outputs: &'a mut [f32],
    said: SaidPart<'a, f32>,
    /// `[n_slots, n_value]`.
    put_out: &'a mut [f32],
}

/// What becomes of a row that follows.
#[derive(Debug, Clone, Copy)]
enum Verdict {
    /// It is to be answered.
    Due,
    /// What was said of it stands, and is off by at most this.
    Stands(f64),
    /// It is put out, and off by at most this.
    PutOut(f64),
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
        let block = self.answer(&slots, Keep::Yes);
        for (at, slot) in slots.into_iter().enumerate() {
            let bound = self.say(running, slot, (&block, at), output);
            running.error_max = running.error_max.max(bound);
        }
        running.n_done = until;
    }

    /// Rows that follow, in whole blocks; when all have, those that could not are answered.
    fn advance_followers(
        &mut self,
        running: &mut Running,
        (terms, work_end): (Terms, u64),
        output: &mut AttentionRows,
    ) {
        let each = self.follow_work(terms, running.events.signs.len());
        let left = usize::try_from(work_end.saturating_sub(running.work) / each);
        let n_now = left.unwrap_or(FOLLOWERS).clamp(FOLLOWERS_LEAST, FOLLOWERS);
        let rows = &running.rows[running.n_done..];
        let end = rows.first().map_or(0, |slot| slot / ROWS + n_now / ROWS);
        let slots = rows[..rows.partition_point(|slot| slot / ROWS < end)].to_vec();
        running.work += 1 + slots.len() as u64 * each;
        running.n_done += slots.len();
        self.follow(running, &slots, output);
        if running.n_done == running.rows.len() {
            running.follows = None;
            running.n_done = 0;
            running.rows = std::mem::take(&mut running.due);
        }
    }

    /// Work of a row that follows.
    pub(super) fn follow_work(&self, terms: Terms, n_moved: usize) -> u64 {
        let shape = self.spec.head();
        let flops = match terms {
            Terms::Tokens => (2 * n_moved + 4) * (shape.m + shape.e),
            Terms::Sums => (2 * shape.m + 4) * (shape.e + 4),
            Terms::Directions => (2 * rank(shape.m) + 4) * shape.e,
        };
        (self.heads.len() * flops) as u64
    }

    /// Lets these rows follow, and puts them out.
    fn follow(&mut self, running: &mut Running, slots: &[usize], output: &mut AttentionRows) {
        let (n_value, emit, shape) = (self.spec.n_value, running.emit, self.spec.head());
        let error_max = 0.5 * running.error_allowed;
        let start = output.values.len();
        output.values.resize(start + slots.len() * n_value, 0.0);
        let blocks = self.follower_blocks(slots, &mut output.values[start..]);
        let found = share(blocks, |_, block| follow_block(shape, block, (emit, error_max)));
        let (mut from, mut end) = (start, start);
        let verdicts = found.iter().flat_map(|(verdicts, _)| verdicts);
        for (slot, verdict) in slots.iter().zip(verdicts) {
            match verdict {
                Verdict::Due => running.due.push(*slot),
                Verdict::Stands(error) => running.error_max = running.error_max.max(*error),
                Verdict::PutOut(error) => {
                    running.error_max = running.error_max.max(*error);
                    if end < from {
                        output.values.copy_within(from..from + n_value, end);
                    }
                    end += n_value;
                    output.keys.push(self.queries.keys[*slot]);
                    output.outcomes.push(Outcome::Value);
                    running.n_emitted += 1;
                }
            }
            from += n_value;
        }
        output.values.truncate(end);
        if found.iter().any(|(_, is_missed)| *is_missed) {
            running.miss();
        }
    }

    /// What there is of the blocks that these queries are in, and where each is put out.
    fn follower_blocks<'a>(
        &'a mut self,
        slots: &'a [usize],
        mut put_out: &'a mut [f32],
    ) -> Vec<FollowerBlock<'a>> {
        let (n_value, shape) = (self.spec.n_value, self.spec.head());
        let blocks: Vec<&[usize]> = slots.chunk_by(|a, b| a / ROWS == b / ROWS).collect();
        let ranges: Vec<_> =
            blocks.iter().map(|block| block[0]..block[block.len() - 1] + 1).collect();
        let Some(said) = &mut self.said else { panic!("only what is said is followed") };
        let n_apart = if said.values.is_empty() { 0 } else { n_value };
        let Some(first) = slots.first().map(|slot| slot / ROWS) else { return Vec::new() };
        let all = first..slots[slots.len() - 1] / ROWS + 1;
        let heads = self.heads.iter_mut().map(|head| {
            let (Some(followed), Some(moved)) = (&mut head.followed, &head.moved) else {
                panic!("only what is kept follows, and what it follows was noted")
            };
            followed.blocks((shape, moved), all.clone())
        });
        let mut heads: Vec<_> = heads.collect();
        let rows = all.start * ROWS * n_value..all.end * ROWS * n_value;
        let mut outputs = self.outputs[rows].chunks_exact_mut(ROWS * n_value).zip(all);
        let parts = blocks.into_iter().zip(said.cut(&ranges, n_apart));
        let block = |(slots, said): (&'a [usize], SaidPart<'a, f32>)| loop {
            let (outputs, at) = outputs.next()?;
            let heads: Vec<HeadBlock<'a>> = heads.iter_mut().filter_map(Iterator::next).collect();
            // Of a block that is passed over there are no queries.
            if at == slots[0] / ROWS {
                let (mine, rest) = std::mem::take(&mut put_out).split_at_mut(slots.len() * n_value);
                put_out = rest;
                return Some(FollowerBlock { slots, heads, outputs, said, put_out: mine });
            }
        };
        parts.filter_map(block).collect()
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
        let place = slot * n_value..(slot + 1) * n_value;
        let is_same = self.says_outputs(running.emit);
        if let Some(said) = &mut self.said {
            let before =
                if is_same { &self.outputs[place.clone()] } else { &said.values[place.clone()] };
            let off = off(row, before);
            let stands = said.stands(running.emit, slot, (outcome, off));
            if let Some(kept) = self.outputs.get_mut(place) {
                kept.copy_from_slice(row);
            }
            if stands {
                return error_standing(bound, off);
            }
            said.set(slot, outcome, if is_same { &[] } else { row });
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

/// Lets a block of rows follow, and puts them where they are put out; what becomes of each, and
/// whether one could not follow that was known.
fn follow_block(
    shape: Shape,
    block: FollowerBlock<'_>,
    (emit, error_max): (Emit, f64),
) -> (Vec<Verdict>, bool) {
    let FollowerBlock { slots, heads, outputs, mut said, put_out } = block;
    let n_value = put_out.len() / slots.len();
    let mut is_there = [false; ROWS];
    for slot in slots {
        is_there[slot % ROWS] = true;
    }
    let rows = follow(shape, heads, (outputs, &is_there), error_max);
    let mut verdicts = Vec::with_capacity(slots.len());
    for (slot, put_out) in slots.iter().zip(put_out.chunks_exact_mut(n_value)) {
        let lane = slot % ROWS;
        let before = said.row(*slot);
        if rows.is_due[lane] {
            // Outputs that stand for what was said have moved, perhaps to what the answer will be.
            if before.is_empty() {
                said.forget(*slot);
            }
            verdicts.push(Verdict::Due);
            continue;
        }
        let row = &outputs[lane * n_value..(lane + 1) * n_value];
        let off = if before.is_empty() { f64::from(rows.by[lane]) } else { off(row, before) };
        if said.stands(emit, *slot, (Outcome::Value, off)) {
            verdicts.push(Verdict::Stands(error_standing(rows.errors[lane], off)));
            continue;
        }
        let n_apart = before.len();
        said.set(*slot, Outcome::Value, &row[..n_apart]);
        put_out.copy_from_slice(row);
        verdicts.push(Verdict::PutOut(rows.errors[lane]));
    }
    (verdicts, rows.is_missed)
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
const FOLLOWERS: usize = 2048;
const FOLLOWERS_LEAST: usize = 64;
