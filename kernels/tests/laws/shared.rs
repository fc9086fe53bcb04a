//! Transforms so large that their rows are shared out among threads.

use std::task::Poll;

use arqon_kernels::{
    Emit, Kernel, Layout, LinearDelta, LinearOutput, LinearSpec, LinearTransform, MODES, Precision,
    Step,
};

use crate::random::Random;

const SIDE: usize = 400;
const N_VECTORS: i64 = 30;

/// All outputs of a few steps in each mode, and the state after them.
fn walk(precision: Precision) -> (Vec<LinearOutput>, Vec<u8>) {
    let mut random = Random(11);
    let spec =
        LinearSpec { n_rows: SIDE, n_columns: SIDE, layout: Layout::Dense, precision, rank: 4 };
    let mut kernel = LinearTransform::compile(&spec).unwrap();
    let mut delta = LinearDelta { rows: (0..SIDE).collect(), ..LinearDelta::default() };
    delta.weights = (0..SIDE * SIDE).map(|_| random.normal32()).collect();
    delta.keys = (0..N_VECTORS).collect();
    delta.vectors = (0..30 * SIDE).map(|_| random.normal32()).collect();
    let mut outputs = Vec::new();
    for mode in MODES {
        for _ in 0..3 {
            let next = LinearDelta {
                keys: vec![3, 7, 8],
                vectors: (0..3 * SIDE).map(|_| random.normal32()).collect(),
                coordinates: vec![5, 6],
                coordinate_values: (0..60).map(|_| random.normal32()).collect(),
                ..LinearDelta::default()
            };
            let delta = std::mem::replace(&mut delta, next);
            let mut output = LinearOutput::default();
            let delta = kernel.measure(delta).unwrap();
            kernel.begin(Step { delta, mode, emit: Emit::All, error_max: 0.1 });
            while kernel.advance(u64::MAX, &mut output) == Poll::Pending {}
            outputs.push(output);
        }
    }
    let mut state = Vec::new();
    kernel.save(&mut state).unwrap();
    (outputs, state)
}

#[test]
fn rows_shared_out_among_threads_have_the_same_bits() {
    for precision in [Precision::Single, Precision::Double] {
        let alone = walk(precision);
        for n_threads in [2, 3] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
            assert!(
                pool.install(|| walk(precision)) == alone,
                "{precision:?}, {n_threads} threads"
            );
        }
    }
}
