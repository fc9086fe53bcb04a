//! What a linear transform does with changes that say one thing twice. The laws are in `laws`.

#![expect(clippy::unwrap_used, reason = "a panic fails the test")]

use std::task::Poll;

use arqon_kernels::{
    Emit, Kernel, Layout, LinearDelta, LinearOutput, LinearSpec, LinearTransform, Mode, Precision,
    Report, Step,
};

fn follow(
    kernel: &mut LinearTransform,
    delta: LinearDelta,
    (mode, emit): (Mode, Emit),
) -> (Report, LinearOutput) {
    let mut rows = LinearOutput::default();
    let delta = kernel.measure(delta).unwrap();
    kernel.begin(Step { delta, mode, emit, error_max: f64::INFINITY });
    loop {
        if let Poll::Ready(report) = kernel.advance(u64::MAX, &mut rows) {
            return (report, rows);
        }
    }
}

fn row(weights: &[f32]) -> LinearDelta {
    let rows = vec![0; weights.len()];
    LinearDelta { rows, weights: weights.to_vec(), ..LinearDelta::default() }
}

#[test]
fn a_row_twice_in_a_delta_has_its_last_value_and_moves_by_both() {
    for (layout, precision) in
        [(Layout::Dense, Precision::Double), (Layout::Sparse, Precision::Single)]
    {
        for mode in [Mode::Pass, Mode::Itmd] {
            let spec = LinearSpec { n_rows: 1, n_columns: 1, layout, precision, rank: 0 };
            let mut kernel = LinearTransform::compile(&spec).unwrap();
            let (keys, vectors) = (vec![7], vec![1.0]);
            follow(&mut kernel, LinearDelta { keys, vectors, ..row(&[-0.5]) }, (mode, Emit::All));
            // The way from the old value to the new one is longer than either part of it.
            let (report, said) = follow(&mut kernel, row(&[0.0, 0.5]), (mode, Emit::Eps(2.0)));
            assert!(said.keys.is_empty() && 1.0 <= report.error_max, "{mode:?}: {report:?}");
            let mut now = LinearOutput::default();
            kernel.read(&vec![7], &mut now);
            assert_eq!(now.values, [0.5]);
            let (_, said) = follow(&mut kernel, row(&[0.0, -0.25]), (mode, Emit::Eps(1.5)));
            assert_eq!(said.values, [-0.25], "{mode:?}");
        }
    }
}
