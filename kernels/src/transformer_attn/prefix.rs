//! What causal attention keeps of tokens: sums of each run, and a tree of sums of runs.
//!
//! The tree is Fenwick's: node `i` (from 1) holds the runs from `i - (i & -i)` to `i - 1`. What
//! stands before a run is the sum of at most `log2 n` nodes, and so many hold a token that changes.

use super::features::{Block, Features, LOST, as_float};
use super::order::Origin;
use super::spec::Shape;
use super::sums::{Quotients, Sums};
use crate::product::{Matrix, add_product, product_transposed};
use crate::vector::gamma;

/// Sums over runs of one head.
#[derive(Debug, Clone, Default)]
pub(super) struct Prefix {
    /// Whether attention is causal.
    pub(super) is_kept: bool,
    pub(super) runs: Vec<Sums>,
    pub(super) nodes: Vec<Sums>,
}

impl Prefix {
    /// Of so many runs without tokens.
    pub(super) fn clear(&mut self, shape: Shape, n_runs: usize) {
        self.is_kept = true;
        self.runs = vec![Sums::new(shape); n_runs];
        self.nodes = self.runs.clone();
    }

    /// Runs move to where they belong now; those that were cut have no tokens yet.
    pub(super) fn rearrange(&mut self, shape: Shape, origins: &[Origin]) {
        let mut before: Vec<Option<Sums>> =
            std::mem::take(&mut self.runs).into_iter().map(Some).collect();
        let moved = origins.iter().map(|origin| match origin {
            Origin::Kept(at) => before[*at].take().unwrap_or_else(|| Sums::new(shape)),
            Origin::Cut => Sums::new(shape),
        });
        self.runs = moved.collect();
    }

    /// Computes the tree of the runs anew. Cost: two words for each of all sums.
    pub(super) fn plant(&mut self) {
        self.nodes = self.runs.clone();
        for at in 1..=self.nodes.len() {
            let above = at + (at & at.wrapping_neg());
            if above <= self.nodes.len() {
                let (low, high) = self.nodes.split_at_mut(above - 1);
                high[0].add(&low[at - 1]);
            }
        }
    }

    /// Adds what changed of a run to it, and to all nodes that hold it.
    pub(super) fn add(&mut self, run: usize, change: &Sums) {
        self.runs[run].add(change);
        let mut at = run + 1;
        while at <= self.nodes.len() {
            self.nodes[at - 1].add(change);
            at += at & at.wrapping_neg();
        }
    }

    /// The nodes whose sum is that of all runs before this one.
    fn before(&self, run: usize) -> impl Iterator<Item = &Sums> {
        let mut at = run;
        std::iter::from_fn(move || {
            let node = self.nodes.get(at.checked_sub(1)?)?;
            at -= at & at.wrapping_neg();
            Some(node)
        })
    }

    /// Adds what rows see of all runs before this one.
    pub(super) fn see(&self, run: usize, features: &Features, rows: &Block, out: &mut Quotients) {
        if rows.n_rows == 1 {
            self.before(run).for_each(|node| node.see(features, rows, out));
            return;
        }
        let mut nodes = self.before(run);
        let Some(first) = nodes.next() else { return };
        let mut all = first.clone();
        nodes.for_each(|node| all.add(node));
        all.see(features, rows, out);
    }
}

/// Adds what rows see of single tokens: of each row the first so many of them. `values`:
/// `[n_tokens, e + 1]`, with ones in the last column.
pub(super) fn see_tokens(
    shape: Shape,
    (rows, n_seen): (&Block, &[usize]),
    (keys, values): (&Block, &[f64]),
    out: &mut Quotients,
) {
    let (m, n) = (shape.m, keys.n_rows);
    let mut weights = vec![0.0; rows.n_rows * n];
    let of_rows = Matrix { rows: rows.n_rows, cols: m, data: &rows.features };
    let of_keys = Matrix { rows: n, cols: m, data: &keys.features };
    product_transposed(&mut weights, of_rows, of_keys);
    let sizes: Vec<f64> = (0..n)
        .map(|at| {
            let value = &values[at * shape.width()..at * shape.width() + shape.e];
            value.iter().fold(0.0_f64, |most, v| most.max(v.abs()))
        })
        .collect();
    let totals: Vec<f64> = (0..n)
        .map(|at| {
            let row = &keys.features[at * m..(at + 1) * m];
            row.iter().map(|x| x.abs()).sum::<f64>() + as_float(m) * keys.magnitudes[at]
        })
        .collect();
    for (at, seen) in n_seen.iter().enumerate() {
        let row = &mut weights[at * n..(at + 1) * n];
        row[*seen..].fill(0.0);
        let (mut mass_v, mut mass_1, mut lost_v, mut lost_1) = (0.0, 0.0, 0.0, 0.0);
        let mut error = 0.0_f64;
        for key in 0..*seen {
            let magnitude = rows.magnitudes[at] * keys.magnitudes[key] * as_float(m);
            let mass = row[key].abs().max(magnitude);
            let lost = LOST * (totals[key] + as_float(m)) + as_float(m) * f64::MIN_POSITIVE;
            (mass_v, mass_1) = (mass_v + mass * sizes[key], mass_1 + mass);
            (lost_v, lost_1) = (lost_v + lost * sizes[key], lost_1 + lost);
            error = error.max(keys.errors[key]);
        }
        let factor = error + rows.errors[at] + gamma(m + n + 6);
        let factor = if factor < 0.01 { 1.01 * factor } else { f64::INFINITY };
        out.error_v[at] += factor * mass_v + lost_v;
        out.error_1[at] += factor * mass_1 + lost_1;
        out.mass[at] += mass_1;
    }
    let weights = Matrix { rows: rows.n_rows, cols: n, data: &weights };
    add_product(&mut out.sums, weights, Matrix { rows: n, cols: shape.width(), data: values });
}
