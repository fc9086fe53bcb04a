//! Long walks. `ARQON_CASES` and `ARQON_SEED` choose how many steps and from which seed;
//! `cargo xtask torture B06` and `B07` set them.

use arqon_kernels::{
    Emit, EntryChange, Kernel, Layout, LinearDelta, LinearOutput, LinearSpec, LinearTransform,
    Mode, Precision, Report, Reuse, Step,
};

use crate::random::Random;

const M: usize = 48;
const N: usize = 96;

struct Walk {
    kernel: LinearTransform,
    matrix: Vec<f32>,
    x: Vec<f32>,
    random: Random,
}

impl Walk {
    fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        let spec = LinearSpec {
            n_rows: M,
            n_columns: N,
            layout: Layout::Dense,
            precision: Precision::Double,
            rank: 8,
        };
        let matrix: Vec<f32> = (0..M * N).map(|_| random.normal32()).collect();
        let x: Vec<f32> = (0..N).map(|_| random.normal32()).collect();
        let mut walk = Self { kernel: LinearTransform::compile(&spec).unwrap(), matrix, x, random };
        let delta = LinearDelta {
            rows: (0..M).collect(),
            weights: walk.matrix.clone(),
            keys: vec![0],
            vectors: walk.x.clone(),
            ..LinearDelta::default()
        };
        walk.step(delta, Mode::Pass, 0.0);
        walk
    }

    fn step(&mut self, delta: LinearDelta, mode: Mode, error_max: f64) -> Report {
        let mut output = LinearOutput::default();
        let delta = self.kernel.measure(delta).unwrap();
        self.kernel.begin(Step { delta, mode, emit: Emit::Pull, error_max });
        loop {
            if let std::task::Poll::Ready(report) = self.kernel.advance(u64::MAX, &mut output) {
                return report;
            }
        }
    }

    /// The largest error, the bound of it, and the largest output.
    fn error(&mut self) -> (f64, f64, f64) {
        let mut output = LinearOutput::default();
        let bound = self.kernel.read(&vec![0], &mut output);
        let (mut error, mut size) = (0.0_f64, 0.0_f64);
        for (row, y) in self.matrix.chunks(N).zip(&output.values) {
            let products = row.iter().zip(&self.x).map(|(w, x)| f64::from(*w) * f64::from(*x));
            let exact: f64 = products.sum();
            error = error.max((exact - y).abs());
            size = size.max(exact.abs());
        }
        (error, bound, size)
    }
}

#[expect(clippy::disallowed_methods, reason = "how long a test runs is said from outside")]
pub(crate) fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

/// What rounding may take of the reference itself.
fn slack(size: f64) -> f64 {
    1e-13 * size
}

/// Error of `itmd` stays below 1e-9 of the largest output, since the state is computed anew when
/// half of that may have drifted.
#[test]
fn itmd_does_not_drift_away() {
    let (steps, seed) = (setting("ARQON_CASES", 10_000), setting("ARQON_SEED", 1));
    let mut walk = Walk::new(seed);
    let mut refreshes = 0;
    for step in 0..steps {
        // Entries are enormous for a while, and small again: what cancels stays in the sum.
        let scale = if step / 500 % 4 == 3 { 1e4 } else { 1.0 };
        let at = walk.random.below(N);
        walk.x[at] = walk.random.normal32() * scale;
        let change = EntryChange { key: 0, at, value: walk.x[at] };
        let delta = LinearDelta { entries: vec![change], ..LinearDelta::default() };
        let report = walk.step(delta, Mode::Itmd, f64::INFINITY);
        if step % 16 == 0 {
            let (error, bound, size) = walk.error();
            assert!(error <= bound + slack(size), "step {step}: {error:e} over {bound:e}");
            assert!(error <= 1e-9 * size, "step {step}: {error:e} of {size:e}");
            if 0.5e-9 * size < report.error_max {
                walk.kernel.refresh(1.0);
                refreshes += 1;
            }
        }
    }
    assert!(refreshes * 100 <= steps, "{refreshes} refreshes in {steps} steps");
}

/// What `rr` says that it is off by at most, it is: on every step of a stream whose directions
/// turn slowly.
#[test]
fn rr_is_never_further_off_than_it_says() {
    let (steps, seed) = (setting("ARQON_CASES", 10_000), setting("ARQON_SEED", 1));
    let mut walk = Walk::new(seed);
    let mut span: Vec<Vec<f32>> =
        (0..4).map(|_| (0..N).map(|_| walk.random.normal32()).collect()).collect();
    let mut hits = 0;
    for step in 0..steps {
        for direction in &mut span {
            for q in direction.iter_mut() {
                *q += 2e-6 * walk.random.normal32();
            }
        }
        let factors: Vec<f32> = span.iter().map(|_| walk.random.normal32()).collect();
        // What lies outside the span points along a row of the matrix: as far off as it can be.
        let row = walk.random.below(M) * N;
        for at in 0..N {
            let sum: f32 = span.iter().zip(&factors).map(|(q, a)| q[at] * a).sum();
            walk.x[at] = sum + 1e-4 * walk.matrix[row + at];
        }
        let delta =
            LinearDelta { keys: vec![0], vectors: walk.x.clone(), ..LinearDelta::default() };
        // Far above, near, and far below what the basis can do.
        let allowed = [3e-2, 3e-3, 1e-10][usize::try_from(step % 3).unwrap()];
        let report = walk.step(delta, Mode::Rr, allowed);
        hits += u64::from(report.reuse == Some(Reuse::Hit));
        let (error, bound, size) = walk.error();
        assert!(error <= bound + slack(size), "step {step}: {error:e} over {bound:e}");
        assert!(report.error_max <= allowed, "step {step}: {report:?} over {allowed:e}");
    }
    assert!(steps / 20 <= hits, "{hits} hits in {steps} steps: the basis was of no use");
}
