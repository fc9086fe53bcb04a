//! Attention computed in full in `f32` on both cores: features and sums of blocks that stay in the
//! cache, the fastest full recomputation that was found. It has no bound of its error.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;

use crate::random::Random;

const N: usize = 16_384;
const HEADS: usize = 8;
const D: usize = 64;
const M: usize = 256;
const BLOCK: usize = 512;

/// Inputs and outputs, each head for itself.
#[derive(Debug)]
pub struct Attention {
    heads: Vec<Head>,
}

#[derive(Debug)]
struct Head {
    q: Vec<f32>,
    k: Vec<f32>,
    v: Vec<f32>,
    w: Vec<f32>,
    o: Vec<f32>,
}

impl Attention {
    /// Of inputs `[16384, 512]`.
    pub fn new(q: &[f32], k: &[f32], v: &[f32]) -> Self {
        let part = |x: &[f32], head: usize, scale: f32| -> Vec<f32> {
            let rows = x.chunks_exact(HEADS * D);
            rows.flat_map(|row| row[head * D..(head + 1) * D].iter().map(move |x| x * scale))
                .collect()
        };
        // The fourth root of 1/64.
        let scale = 0.353_553_4;
        let head = |at: usize| {
            let mut random = Random(at as u64);
            Head {
                q: part(q, at, scale),
                k: part(k, at, scale),
                v: part(v, at, 1.0),
                w: (0..D * M).map(|_| random.normal32()).collect(),
                o: vec![0.0; N * D],
            }
        };
        Self { heads: (0..HEADS).map(head).collect() }
    }

    /// All outputs; the first of them.
    pub fn run(&mut self) -> f32 {
        self.heads.par_iter_mut().for_each(Head::run);
        self.heads[0].o[0]
    }
}

impl Head {
    fn run(&mut self) {
        let (mut features, mut s, mut z) = (vec![0.0; BLOCK * M], vec![0.0; M * D], vec![0.0; M]);
        for (k, v) in self.k.chunks_exact(BLOCK * D).zip(self.v.chunks_exact(BLOCK * D)) {
            featurize(k, &self.w, &mut features);
            product(&mut s, (M, D), Accum::Add, rows(&features, M).transpose(), rows(v, D));
            for row in features.chunks_exact(M) {
                for (z, x) in z.iter_mut().zip(row) {
                    *z += x;
                }
            }
        }
        for (q, o) in self.q.chunks_exact(BLOCK * D).zip(self.o.chunks_exact_mut(BLOCK * D)) {
            featurize(q, &self.w, &mut features);
            product(o, (BLOCK, D), Accum::Replace, rows(&features, M), rows(&s, D));
            for (row, o) in features.chunks_exact(M).zip(o.chunks_exact_mut(D)) {
                let total: f32 = row.iter().zip(&z).map(|(x, z)| x * z).sum();
                for o in o {
                    *o /= total;
                }
            }
        }
    }
}

fn rows(data: &[f32], width: usize) -> MatRef<'_, f32> {
    MatRef::from_row_major_slice(data, data.len() / width, width)
}

fn product(
    out: &mut [f32],
    (n_rows, width): (usize, usize),
    accum: Accum,
    a: MatRef<'_, f32>,
    b: MatRef<'_, f32>,
) {
    let out = MatMut::from_row_major_slice_mut(out, n_rows, width);
    matmul(out, accum, a, b, 1.0, Par::Seq);
}

/// `exp(w x - |x|^2 / 2)`.
fn featurize(x: &[f32], w: &[f32], features: &mut [f32]) {
    product(features, (BLOCK, M), Accum::Replace, rows(x, D), rows(w, M));
    pulp::Arch::new().dispatch(
        #[inline(always)]
        || {
            for (row, x) in features.chunks_exact_mut(M).zip(x.chunks_exact(D)) {
                let size = 0.5 * x.iter().map(|x| x * x).sum::<f32>();
                for x in row {
                    *x = exp(*x - size);
                }
            }
        },
    );
}

#[inline(always)]
#[expect(clippy::inline_always, reason = "it has to be compiled with its caller's vectors")]
fn exp(x: f32) -> f32 {
    let shifted = x.clamp(-87.0, 88.0).mul_add(std::f32::consts::LOG2_E, 12_582_912.0);
    let rest = x.clamp(-87.0, 88.0).mul_add(std::f32::consts::LOG2_E, 12_582_912.0 - shifted);
    let series = [
        1.54e-4_f32,
        1.333_355_8e-3,
        9.618_129e-3,
        5.550_411e-2,
        0.240_226_5,
        std::f32::consts::LN_2,
    ];
    let power = series.iter().fold(0.0_f32, |sum, term| sum.mul_add(rest, *term));
    power.mul_add(rest, 1.0) * f32::from_bits((shifted.to_bits() << 23).wrapping_add(127 << 23))
}
