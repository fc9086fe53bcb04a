//! Products and sums of rows of `f32` in 16 lanes, in an order that is the same on every machine.
//!
//! Where vectors have 16 lanes the loops are written out in them, several at a time: left to
//! itself, the compiler mixes lanes of arrays. Elsewhere the same sums run over arrays.

#![expect(clippy::inline_always, reason = "loops are compiled with their caller's vectors")]
#![expect(clippy::many_single_char_names, reason = "several sums at a time, one as the other")]

use pulp::Simd;

/// Lanes of one vector.
const WIDTH: usize = 16;

/// The products of a row, `[m]`, with each of the others, `[n, m]`. Each sum passes through at most
/// `m / 16 + m % 16 + 5` roundings.
#[inline(always)]
pub(super) fn dots<S: Simd>(simd: S, row: &[f32], others: &[f32], out: &mut [f32]) {
    let m = row.len();
    let rest = m - m % WIDTH;
    let n = others.len() / m;
    let mut at = 0;
    if S::F32_LANES == WIDTH {
        let whole = S::as_simd_f32s(row).0;
        while at + 4 <= n {
            let (p, rest_of) = others[at * m..].split_at(m);
            let (q, rest_of) = rest_of.split_at(m);
            let (r, rest_of) = rest_of.split_at(m);
            let (p, q) = (S::as_simd_f32s(p).0, S::as_simd_f32s(q).0);
            let (r, s) = (S::as_simd_f32s(r).0, S::as_simd_f32s(&rest_of[..m]).0);
            let zero = simd.splat_f32s(0.0);
            let (mut sum_p, mut sum_q, mut sum_r, mut sum_s) = (zero, zero, zero, zero);
            for ((((row, p), q), r), s) in whole.iter().zip(p).zip(q).zip(r).zip(s) {
                sum_p = simd.mul_add_f32s(*row, *p, sum_p);
                sum_q = simd.mul_add_f32s(*row, *q, sum_q);
                sum_r = simd.mul_add_f32s(*row, *r, sum_r);
                sum_s = simd.mul_add_f32s(*row, *s, sum_s);
            }
            for (k, sum) in [sum_p, sum_q, sum_r, sum_s].into_iter().enumerate() {
                let other = &others[(at + k) * m..(at + k + 1) * m];
                out[at + k] = halved(&array::<S>(sum)) + products(&row[rest..], &other[rest..]);
            }
            at += 4;
        }
    }
    for at in at..n {
        let other = &others[at * m..(at + 1) * m];
        let mut lanes = [0.0_f32; WIDTH];
        if S::F32_LANES == WIDTH {
            let mut sum = simd.splat_f32s(0.0);
            for (a, b) in S::as_simd_f32s(row).0.iter().zip(S::as_simd_f32s(other).0) {
                sum = simd.mul_add_f32s(*a, *b, sum);
            }
            lanes = array::<S>(sum);
        } else {
            for (a, b) in row.as_chunks::<WIDTH>().0.iter().zip(other.as_chunks::<WIDTH>().0) {
                for lane in 0..WIDTH {
                    lanes[lane] = a[lane].mul_add(b[lane], lanes[lane]);
                }
            }
        }
        out[at] = halved(&lanes) + products(&row[rest..], &other[rest..]);
    }
}

/// `o += sum_r share_r v_r - total o`, for `values` `[n, e]`. Gives the largest magnitudes of `o`
/// before and after.
#[inline(always)]
pub(super) fn move_row<S: Simd>(
    simd: S,
    outputs: &mut [f32],
    values: &[f32],
    (shares, total): (&[f32], f32),
) -> [f32; 2] {
    let e = outputs.len();
    let mut most = [[0.0_f32; WIDTH]; 2];
    let mut at = 0;
    if S::F32_LANES == WIDTH {
        let zero = simd.splat_f32s(0.0);
        let (mut most_of, minus) = ([zero; 2], simd.splat_f32s(-total));
        while at + 4 * WIDTH <= e {
            let (mut by_p, mut by_q, mut by_r, mut by_s) = (zero, zero, zero, zero);
            for (row, share) in values.chunks_exact(e).zip(shares) {
                let [p, q, r, s] = S::as_simd_f32s(&row[at..at + 4 * WIDTH]).0 else { continue };
                let share = simd.splat_f32s(*share);
                by_p = simd.mul_add_f32s(share, *p, by_p);
                by_q = simd.mul_add_f32s(share, *q, by_q);
                by_r = simd.mul_add_f32s(share, *r, by_r);
                by_s = simd.mul_add_f32s(share, *s, by_s);
            }
            let block = S::as_mut_simd_f32s(&mut outputs[at..at + 4 * WIDTH]).0;
            for (output, by) in block.iter_mut().zip([by_p, by_q, by_r, by_s]) {
                shift(simd, output, (by, minus), &mut most_of);
            }
            at += 4 * WIDTH;
        }
        while at + WIDTH <= e {
            let mut by = zero;
            for (row, share) in values.chunks_exact(e).zip(shares) {
                let [row] = S::as_simd_f32s(&row[at..at + WIDTH]).0 else { continue };
                by = simd.mul_add_f32s(simd.splat_f32s(*share), *row, by);
            }
            let block = S::as_mut_simd_f32s(&mut outputs[at..at + WIDTH]).0;
            for output in block {
                shift(simd, output, (by, minus), &mut most_of);
            }
            at += WIDTH;
        }
        most = [array::<S>(most_of[0]), array::<S>(most_of[1])];
    }
    let [old, new] = most.map(|lanes| lanes.iter().fold(0.0, |a, b| larger(a, *b)));
    let mut most = [old, new];
    for (column, output) in outputs.iter_mut().enumerate().skip(at) {
        let mut by = 0.0;
        for (row, share) in values.chunks_exact(e).zip(shares) {
            by = share.mul_add(row[column], by);
        }
        most[0] = larger(most[0], *output);
        *output += (-total).mul_add(*output, by);
        most[1] = larger(most[1], *output);
    }
    most
}

/// `o += by - total o`, beside the largest magnitudes before and after. A function, since closures
/// are not compiled for the vectors of their caller.
#[inline(always)]
fn shift<S: Simd>(
    simd: S,
    output: &mut S::f32s,
    (by, minus_total): (S::f32s, S::f32s),
    [old, new]: &mut [S::f32s; 2],
) {
    *old = simd.max_f32s(*old, simd.abs_f32s(*output));
    *output = simd.add_f32s(*output, simd.mul_add_f32s(minus_total, *output, by));
    *new = simd.max_f32s(*new, simd.abs_f32s(*output));
}

/// The sum of products one after another.
#[inline(always)]
fn products(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The sum of the lanes, halves onto halves.
#[inline(always)]
fn halved(lanes: &[f32; WIDTH]) -> f32 {
    let eight: [f32; 8] = std::array::from_fn(|at| lanes[at] + lanes[at + 8]);
    let four: [f32; 4] = std::array::from_fn(|at| eight[at] + eight[at + 4]);
    (four[0] + four[2]) + (four[1] + four[3])
}

#[inline(always)]
fn array<S: Simd>(vector: S::f32s) -> [f32; WIDTH] {
    let mut lanes = [0.0_f32; WIDTH];
    if let [lanes, ..] = S::as_mut_simd_f32s(&mut lanes).0 {
        *lanes = vector;
    }
    lanes
}

#[inline(always)]
fn larger(most: f32, number: f32) -> f32 {
    if number.abs() > most { number.abs() } else { most }
}

#[cfg(test)]
mod tests {
    use pulp::{Arch, Scalar, WithSimd};

    use super::*;

    struct Both<'a>(&'a [f32], &'a [f32], &'a [f32]);

    impl WithSimd for Both<'_> {
        type Output = (Vec<f32>, Vec<f32>, [f32; 2]);

        fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
            let Self(row, others, shares) = self;
            let mut out = vec![0.0; others.len() / row.len()];
            dots(simd, row, others, &mut out);
            let mut moved = row.to_vec();
            let most = move_row(simd, &mut moved, others, (shares, 0.3));
            (out, moved, most)
        }
    }

    #[test]
    fn vectors_of_any_width_give_the_same_bits() {
        let number =
            |at: usize| f32::from(u16::try_from(at * at * 31 % 977).unwrap()) / 300.0 - 1.5;
        for m in [1, 7, 16, 17, 48, 64, 65, 100, 144] {
            for n in [0, 1, 3, 4, 6, 9] {
                let row: Vec<f32> = (0..m).map(number).collect();
                let others: Vec<f32> = (5..5 + m * n).map(number).collect();
                let shares: Vec<f32> = (9..9 + n).map(number).collect();
                let both = || Both(&row, &others, &shares);
                let (wide, narrow) = (Arch::new().dispatch(both()), Scalar.vectorize(both()));
                assert_eq!(wide, narrow, "{n} rows of {m}");
                for (at, found) in wide.0.iter().enumerate() {
                    let other = others[at * m..(at + 1) * m].iter();
                    let wanted: f64 =
                        row.iter().zip(other).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
                    assert!((f64::from(*found) - wanted).abs() < 1e-4, "{found} and not {wanted}");
                }
            }
        }
    }
}
