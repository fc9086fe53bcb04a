//! Products and sums of blocks of rows of `f32`, in an order that is the same on every machine.
//!
//! A block has [`ROWS`] queries, and each of its features stands side by side for all of them. So a
//! product with the features of a token is a sum of vectors: no lane looks at another, and vectors
//! of any width give the same bits. A block is read once for several tokens.

#![expect(clippy::inline_always, reason = "loops are compiled with their caller's vectors")]

use pulp::Simd;

/// Queries of a block.
pub(super) const ROWS: usize = 32;

/// Terms come in groups of this.
pub(super) const GROUP: usize = 4;

/// Products that are summed before they are added to what was summed.
const DEPTH: usize = 16;

/// Roundings that a product passes through at most in a sum of `n`.
pub(super) fn depth(n: usize) -> usize {
    n.min(DEPTH) + n.div_ceil(DEPTH)
}

/// Terms `[n, m]` in groups, `[n / GROUP, m, GROUP]`: `n` is rounded up, by terms of zeros.
pub(super) fn grouped(terms: &[f32], m: usize) -> Vec<f32> {
    let n = terms.len() / m;
    let mut groups = vec![0.0; n.next_multiple_of(GROUP) * m];
    for (at, term) in terms.chunks_exact(m).enumerate() {
        let group = &mut groups[at / GROUP * GROUP * m..];
        for (t, x) in term.iter().enumerate() {
            group[t * GROUP + at % GROUP] = *x;
        }
    }
    groups
}

/// What the rows of a block see of each term: products of their features, `[m, ROWS]`, with those
/// of terms in groups. `seen`: `[n, ROWS]`. Cost: O(n m) for each row.
#[inline(always)]
pub(super) fn see<S: Simd>(simd: S, features: &[f32], groups: &[f32], seen: &mut [f32]) {
    let m = features.len() / ROWS;
    let mut seen = seen.chunks_exact_mut(GROUP * ROWS);
    let mut pairs = groups.chunks_exact(2 * GROUP * m);
    for pair in &mut pairs {
        let (Some(first), Some(second)) = (seen.next(), seen.next()) else { return };
        let (of_first, of_second) = pair.split_at(GROUP * m);
        see_groups(simd, features, [of_first, of_second], &mut [first, second]);
    }
    if let (false, Some(seen)) = (pairs.remainder().is_empty(), seen.next()) {
        see_groups(simd, features, [pairs.remainder()], &mut [seen]);
    }
}

/// Sums of some groups of terms, two vectors of rows at a time, so that all are in registers.
#[inline(always)]
fn see_groups<S: Simd, const N: usize>(
    simd: S,
    features: &[f32],
    groups: [&[f32]; N],
    seen: &mut [&mut [f32]; N],
) {
    let n_vectors = ROWS / S::F32_LANES;
    let features = S::as_simd_f32s(features).0;
    let m = features.len() / n_vectors;
    for first in (0..n_vectors).step_by(2) {
        for start in (0..m).step_by(DEPTH) {
            let end = m.min(start + DEPTH);
            let mut sums = [[[simd.splat_f32s(0.0); 2]; GROUP]; N];
            let parts = features[start * n_vectors..end * n_vectors].chunks_exact(n_vectors);
            for (t, row) in (start..end).zip(parts) {
                let row = [row[first], row[first + 1]];
                for (group, sums) in groups.iter().zip(&mut sums) {
                    let group = &group[t * GROUP..(t + 1) * GROUP];
                    for (x, sums) in group.iter().zip(sums) {
                        let x = simd.splat_f32s(*x);
                        sums[0] = simd.mul_add_f32s(row[0], x, sums[0]);
                        sums[1] = simd.mul_add_f32s(row[1], x, sums[1]);
                    }
                }
            }
            for at in 0..N {
                let seen = S::as_mut_simd_f32s(&mut *seen[at]).0;
                for (term, sums) in sums[at].iter().enumerate() {
                    for (half, sum) in sums.iter().enumerate() {
                        let to = &mut seen[term * n_vectors + first + half];
                        *to = if start == 0 { *sum } else { simd.add_f32s(*to, *sum) };
                    }
                }
            }
        }
    }
}

/// What terms bring to the outputs of a block, `by`, `[ROWS, e]`: the sum of their `values`,
/// `[n, e]`, times the shares that rows have of them, `[n, ROWS]`. Each term passes through at most
/// [`depth`] of `n` roundings. Cost: O(n e) for each row.
#[inline(always)]
pub(super) fn gather<S: Simd>(
    simd: S,
    (values, e): (&[f32], usize),
    shares: &[f32],
    by: &mut [f32],
) {
    by.fill(0.0);
    let n_vectors = e / S::F32_LANES;
    for (values, shares) in values.chunks(DEPTH * e).zip(shares.chunks(DEPTH * ROWS)) {
        for (four, by) in by.chunks_exact_mut(GROUP * e).enumerate() {
            let shares = &shares[four * GROUP..];
            let mut at = 0;
            while at + 4 <= n_vectors {
                gather_columns::<S, 4>(simd, (values, e, at), shares, by);
                at += 4;
            }
            while at < n_vectors {
                gather_columns::<S, 1>(simd, (values, e, at), shares, by);
                at += 1;
            }
            for (row, by) in by.chunks_exact_mut(e).enumerate() {
                for (column, by) in by.iter_mut().enumerate().skip(n_vectors * S::F32_LANES) {
                    let mut sum = 0.0;
                    for (value, shares) in values.chunks_exact(e).zip(shares.chunks(ROWS)) {
                        sum = value[column].mul_add(shares[row], sum);
                    }
                    *by += sum;
                }
            }
        }
    }
}

/// Some vectors of four rows.
#[inline(always)]
fn gather_columns<S: Simd, const N: usize>(
    simd: S,
    (values, e, at): (&[f32], usize, usize),
    shares: &[f32],
    by: &mut [f32],
) {
    let mut sums = [[simd.splat_f32s(0.0); N]; GROUP];
    for (value, shares) in values.chunks_exact(e).zip(shares.chunks(ROWS)) {
        let value = &S::as_simd_f32s(value).0[at..at + N];
        for (share, sums) in shares[..GROUP].iter().zip(&mut sums) {
            let share = simd.splat_f32s(*share);
            for (x, sum) in value.iter().zip(sums) {
                *sum = simd.mul_add_f32s(*x, share, *sum);
            }
        }
    }
    for (by, sums) in by.chunks_exact_mut(e).zip(&sums) {
        for (by, sum) in S::as_mut_simd_f32s(by).0[at..at + N].iter_mut().zip(sums) {
            *by = simd.add_f32s(*by, *sum);
        }
    }
}

/// What became of an output: its largest magnitude before and after, and by how much an entry moved
/// at most.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Sizes {
    pub(super) before: f32,
    pub(super) after: f32,
    pub(super) by: f32,
}

/// `o += scale by - total o` of one row.
#[inline(always)]
pub(super) fn shift<S: Simd>(
    simd: S,
    row: &mut [f32],
    by: &[f32],
    [scale, total]: [f32; 2],
) -> Sizes {
    let zero = simd.splat_f32s(0.0);
    let (mut before, mut after, mut moved) = (zero, zero, zero);
    let (scales, minus) = (simd.splat_f32s(scale), simd.splat_f32s(-total));
    let ((row, row_rest), (by, by_rest)) = (S::as_mut_simd_f32s(row), S::as_simd_f32s(by));
    for (output, by) in row.iter_mut().zip(by) {
        let old = *output;
        let by = simd.mul_f32s(*by, scales);
        let new = simd.add_f32s(old, simd.mul_add_f32s(minus, old, by));
        *output = new;
        before = simd.max_f32s(before, simd.abs_f32s(old));
        after = simd.max_f32s(after, simd.abs_f32s(new));
        moved = simd.max_f32s(moved, simd.abs_f32s(simd.sub_f32s(new, old)));
    }
    let mut sizes =
        Sizes { before: largest::<S>(before), after: largest::<S>(after), by: largest::<S>(moved) };
    for (output, by) in row_rest.iter_mut().zip(by_rest) {
        let old = *output;
        *output = old + (-total).mul_add(old, by * scale);
        sizes.before = larger(sizes.before, old);
        sizes.after = larger(sizes.after, *output);
        sizes.by = larger(sizes.by, *output - old);
    }
    sizes
}

/// The largest lane: of magnitudes, so 0 is the least.
#[inline(always)]
fn largest<S: Simd>(vector: S::f32s) -> f32 {
    let mut lanes = [0.0_f32; 16];
    if let [first, ..] = S::as_mut_simd_f32s(&mut lanes).0 {
        *first = vector;
    }
    let mut eight = [0.0_f32; 8];
    for at in 0..8 {
        eight[at] = if lanes[at] > lanes[at + 8] { lanes[at] } else { lanes[at + 8] };
    }
    let mut four = [0.0_f32; 4];
    for at in 0..4 {
        four[at] = if eight[at] > eight[at + 4] { eight[at] } else { eight[at + 4] };
    }
    larger(larger(larger(four[0], four[1]), four[2]), four[3])
}

#[inline(always)]
fn larger(most: f32, number: f32) -> f32 {
    if number.abs() > most { number.abs() } else { most }
}

#[cfg(test)]
mod tests {
    use pulp::{Arch, Scalar, WithSimd};

    use super::*;

    struct Both<'a>(&'a [f32], &'a [f32], &'a [f32], &'a [f32]);

    impl WithSimd for Both<'_> {
        type Output = (Vec<f32>, Vec<f32>, Vec<Sizes>);

        fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
            let Self(features, groups, values, outputs) = self;
            let m = features.len() / ROWS;
            let mut seen = vec![f32::NAN; groups.len() / m * ROWS];
            see(simd, features, groups, &mut seen);
            let e = outputs.len() / ROWS;
            let (mut moved, mut by) = (outputs.to_vec(), vec![f32::NAN; outputs.len()]);
            gather(simd, (values, e), &seen, &mut by);
            let rows = moved.chunks_exact_mut(e).zip(by.chunks_exact(e));
            let sizes = rows.map(|(row, by)| shift(simd, row, by, [0.5, 0.3])).collect();
            (seen, moved, sizes)
        }
    }

    #[test]
    fn vectors_of_any_width_give_the_same_bits() {
        let number =
            |at: usize| f32::from(u16::try_from(at * at * 31 % 977).unwrap()) / 300.0 - 1.5;
        for (m, e) in [(1, 1), (7, 16), (16, 17), (48, 64), (64, 65), (65, 100), (144, 144)] {
            for n in [0, 1, 3, 4, 6, 9, 12, 70] {
                let features: Vec<f32> = (0..m * ROWS).map(number).collect();
                let terms: Vec<f32> = (5..5 + m * n).map(number).collect();
                let mut values: Vec<f32> = (9..9 + n * e).map(number).collect();
                values.resize(n.next_multiple_of(GROUP) * e, 0.0);
                let outputs: Vec<f32> = (3..3 + ROWS * e).map(number).collect();
                let groups = grouped(&terms, m);
                let both = || Both(&features, &groups, &values, &outputs);
                let (wide, narrow) = (Arch::new().dispatch(both()), Scalar.vectorize(both()));
                assert_eq!(wide, narrow, "{n} terms of {m} features and {e} columns");
                for (at, found) in wide.0.iter().take(n * ROWS).enumerate() {
                    let (term, row) = (at / ROWS, at % ROWS);
                    let products = (0..m).map(|t| {
                        f64::from(features[t * ROWS + row]) * f64::from(terms[term * m + t])
                    });
                    let wanted: f64 = products.sum();
                    assert!((f64::from(*found) - wanted).abs() < 1e-4, "{found} and not {wanted}");
                }
                for (at, found) in wide.1.iter().enumerate() {
                    let (row, column) = (at / e, at % e);
                    let terms = (0..n).map(|term| {
                        f64::from(wide.0[term * ROWS + row]) * f64::from(values[term * e + column])
                    });
                    let (by, size) =
                        terms.fold((0.0, 1.0), |sums, x| (sums.0 + x, sums.1 + x.abs()));
                    let wanted = f64::from(outputs[at]) * (1.0 - f64::from(0.3_f32)) + 0.5 * by;
                    let off = (f64::from(*found) - wanted).abs();
                    assert!(off < 1e-6 * size, "{found} and not {wanted}");
                }
                for (sizes, (before, after)) in
                    wide.2.iter().zip(outputs.chunks_exact(e).zip(wide.1.chunks_exact(e)))
                {
                    let most = |row: &[f32]| row.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
                    assert_eq!((sizes.before, sizes.after), (most(before), most(after)));
                    assert_eq!(sizes.by == 0.0, before == after);
                }
            }
        }
    }
}
