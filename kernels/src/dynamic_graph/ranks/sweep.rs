//! Sweeps over all vertices, round by round, and over a few of them.

use std::hint::select_unpredictable;

use super::{ROUNDOFF, Ranks, Stage};
use crate::dynamic_graph::dirty::Dirty;
use crate::dynamic_graph::edges::Edges;
use crate::dynamic_graph::meter::{Meter, float};
use crate::dynamic_graph::rounds::slot_work;
use crate::threads::share;

/// What a sweep has come to so far.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Swept {
    /// By how much it moved `z`, in the 1-norm, of each vertex the part that it hands backward.
    pub(super) moved: f64,
    /// What rounding commits, in units of roundoff.
    pub(super) drift: f64,
    /// The sum of the values.
    pub(super) sum: f64,
}

impl Swept {
    fn add(&mut self, other: &Self) {
        self.moved += other.moved;
        self.drift += other.drift;
        self.sum += other.sum;
    }
}

/// What a part of a round has come to: what its vertices hand on from then on, and the work.
#[derive(Debug)]
struct Part {
    shares: Vec<f64>,
    swept: Swept,
    work: u64,
}

impl Ranks {
    /// Sweeps vertices in their order.
    pub(super) fn sweep(&mut self, from: usize, dirty: &mut Dirty, meter: &mut Meter) -> Stage {
        dirty.is_all = true;
        if from == 0 {
            self.swept = Swept::default();
        }
        let mut at = from;
        while at < self.values.len() && !meter.is_out() {
            at = match self.rounds.parts(at).last().copied() {
                Some(end) => {
                    meter.spent += self.sweep_round(at);
                    end as usize
                }
                None => self.sweep_singly(at, meter),
            };
        }
        if at < self.values.len() {
            return Stage::Sweep(at);
        }
        let swept = self.swept;
        self.residual = self.left_by(&swept);
        (self.sum, self.sum_drift) = (swept.sum, ROUNDOFF * float(self.values.len()) * swept.sum);
        // What `refresh` had begun is done.
        (self.refreshed, self.refreshed_to) = (Swept::default(), 0);
        // More sweeps do not help against rounding; the report says what is left.
        let is_rounding = self.spec.damping * swept.moved <= ROUNDOFF * swept.drift;
        if is_rounding { Stage::Rest } else { self.sweep_or_rest() }
    }

    /// Sweeps the round that begins at a slot, of which threads share the parts; gives the work.
    fn sweep_round(&mut self, from: usize) -> u64 {
        let Self { rounds, values, shares, inverses, backward, is_there, starts, .. } = self;
        let (damping, ends) = (self.spec.damping, rounds.parts(from));
        let (mut at, mut rest) = (from, &mut values[from..]);
        let mut parts = Vec::with_capacity(ends.len());
        for end in ends {
            let n_here = *end as usize - at;
            parts.push((at, rest.split_off_mut(..n_here).expect("parts are of slots")));
            at = *end as usize;
        }
        let before = &shares[..];
        let swept = share(parts, |_, (from, values)| {
            let (mut swept, mut work) = (Swept::default(), 0);
            let slots = from..from + values.len();
            let mut after = before[slots.clone()].to_vec();
            let known = inverses[slots.clone()].iter().zip(&backward[slots.clone()]);
            let slots = values.iter_mut().zip(known.zip(&is_there[slots])).zip(&mut after);
            for (at, ((value, ((inverse, backward), is_there)), share)) in (from..).zip(slots) {
                let mut here = 1;
                if *is_there {
                    let (starts, inverse, backward) = (starts.row(at), *inverse, *backward);
                    let vertex = Vertex { starts, value: *value, inverse, backward };
                    *value = renewed((vertex, damping), before, &mut swept);
                    *share = damping * *value * inverse;
                    here = vertex.work();
                }
                work += here;
            }
            Part { shares: after, swept, work }
        });
        let (mut at, mut work) = (from, 0);
        for part in swept {
            shares[at..at + part.shares.len()].copy_from_slice(&part.shares);
            at += part.shares.len();
            work += part.work;
            self.swept.add(&part.swept);
        }
        work
    }

    /// Sweeps vertices one by one, as many as there is work for; gives up to which.
    fn sweep_singly(&mut self, from: usize, meter: &mut Meter) -> usize {
        let (mut at, mut swept) = (from, self.swept);
        let mut spent = *meter;
        let n = self.values.len();
        let shares = self.shares.as_mut_slice();
        let slots = self.values[at..].iter_mut().zip(&self.inverses[at..n]);
        let slots = slots.zip(&self.backward[at..n]).zip(&self.is_there[at..n]);
        for (((value, inverse), backward), is_there) in slots {
            if spent.is_out() {
                break;
            }
            let mut work = 1;
            if *is_there {
                let (starts, inverse, backward) = (self.starts.row(at), *inverse, *backward);
                let vertex = Vertex { starts, value: *value, inverse, backward };
                *value = renewed((vertex, self.spec.damping), shares, &mut swept);
                shares[at] = self.spec.damping * *value * inverse;
                work = vertex.work();
            }
            spent.spent += work;
            at += 1;
        }
        *meter = spent;
        self.swept = swept;
        at
    }

    /// At most the residual that a whole sweep left. What it added up itself is rounded, too.
    fn left_by(&self, swept: &Swept) -> f64 {
        let n_roundoff = 4.0 * ROUNDOFF * float(self.values.len() + 4);
        (self.spec.damping * swept.moved + ROUNDOFF * swept.drift) * (1.0 + n_roundoff)
    }

    /// Computes one value anew; gives the work.
    fn renew(&mut self, at: usize, swept: &mut Swept) -> u64 {
        if !self.is_there[at] {
            return 1;
        }
        let (inverse, backward) = (self.inverses[at], self.backward[at]);
        let (starts, value) = (self.starts.row(at), self.values[at]);
        let vertex = Vertex { starts, value, inverse, backward };
        let (damping, work) = (self.spec.damping, vertex.work());
        self.values[at] = renewed((vertex, damping), &self.shares, swept);
        self.shares[at] = damping * self.values[at] * inverse;
        work
    }

    /// Computes the values of about so many slots anew, round-robin; true when all were.
    pub(in crate::dynamic_graph) fn refresh(
        &mut self,
        n_slots: usize,
        edges: &Edges,
        meter: &mut Meter,
    ) -> bool {
        self.starts.follow(edges, &mut Meter { spent: 0, limit: u64::MAX });
        for _ in 0..n_slots.min(self.values.len()) {
            let at = self.refreshed_to;
            let mut one = Swept::default();
            let before = self.values[at];
            meter.spent += self.renew(at, &mut one);
            self.sum += self.values[at] - before;
            self.sum_drift += 4.0 * ROUNDOFF * self.sum;
            // A value that is computed anew takes its residual off and hands less on.
            self.residual = (self.residual + ROUNDOFF * one.drift) * (1.0 + 2.0 * ROUNDOFF);
            self.refreshed.moved += one.moved;
            self.refreshed.drift += one.drift;
            self.refreshed_to += 1;
            if self.refreshed_to == self.values.len() {
                let left = self.left_by(&self.refreshed);
                self.residual = self.residual.min(left);
                (self.refreshed, self.refreshed_to) = (Swept::default(), 0);
                return true;
            }
        }
        false
    }
}

/// What is held of a vertex, and known of its edges.
#[derive(Debug, Clone, Copy)]
struct Vertex<'a> {
    starts: &'a [u32],
    value: f64,
    inverse: f64,
    backward: u32,
}

impl Vertex<'_> {
    fn work(self) -> u64 {
        slot_work(self.starts.len())
    }
}

/// The value anew, of what others hand on.
#[inline(always)]
#[expect(clippy::inline_always, reason = "in a sweep arrays are looked up once, not for each")]
fn renewed((vertex, damping): (Vertex<'_>, f64), shares: &[f64], swept: &mut Swept) -> f64 {
    let value = 1.0 - damping + handed(shares, vertex.starts);
    let moved = (value - vertex.value).abs();
    swept.sum += value;
    // The sum, the share that it hands on, and the difference that was taken.
    swept.drift += float(vertex.starts.len() + 8) * value;
    swept.moved += moved * (vertex.inverse * f64::from(vertex.backward));
    value
}

/// What the starts of edges hand on.
#[inline(always)]
#[expect(clippy::inline_always, reason = "see above")]
fn handed(shares: &[f64], starts: &[u32]) -> f64 {
    let share = |start: &u32| shares.get(*start as usize).copied().unwrap_or(0.0);
    // Four sums at a time, since an addition waits for the one before. Those that are left over
    // come first, and without a loop, of which it would not be foretold when it ends.
    let mut sums = [0.0; 4];
    let n_over = starts.len() % 4;
    if let Some(last) = starts.len().checked_sub(1) {
        for (at, sum) in sums.iter_mut().enumerate().take(3) {
            *sum = select_unpredictable(at < n_over, share(&starts[at.min(last)]), 0.0);
        }
    }
    let (fours, _) = starts[n_over..].as_chunks::<4>();
    for four in fours {
        for (sum, start) in sums.iter_mut().zip(four) {
            *sum += share(start);
        }
    }
    (sums[0] + sums[1]) + (sums[2] + sums[3])
}
