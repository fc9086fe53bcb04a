//! Kernel regression over 16,384 data points of 8 entries and 256 landmarks, with 1,024 queries:
//! what following a change takes, beside the best full recomputation. `--python PATH` also runs
//! `NumPy`'s.
//!
//! A change replaces points and values of data, and as large a share of the queries. A row that
//! changes may be a landmark, which costs a column of all likenesses, so figures are means.

use std::task::Poll;

use arqon_bench_report::mean;
use arqon_kernel_benches::{CacheState, Full, Line, Random, Steps, peers, seconds, speedups};
use arqon_kernels::{
    DataRows, Emit, Kernel, Mode, Nystrom, NystromDelta, NystromRows, NystromSpec, PointRows,
    Report, Similarity, Step, shared,
};

const N_DATA: usize = 16_384;
const N_QUERIES: usize = 1_024;
const SPEC: NystromSpec = NystromSpec {
    n_entries: 8,
    n_landmarks: 256,
    similarity: Similarity::Gaussian,
    gamma: 0.1,
    lambda: 1e-3,
    seed: 1,
};

/// Data rows that change in a step: from one to all.
const CHANGED: [usize; 6] = [1, 4, 16, 164, 1638, N_DATA];

fn main() {
    shared(measure);
}

fn measure() {
    let peers = peers("nystrom", &[]);
    let mut steps = Steps::begin("nystrom: 16,384 points, 256 landmarks", Some("bound"));
    steps.fulls(&peers);
    let mut lines = Vec::new();
    for (emit, what) in [(Emit::Changed, "changed rows put out"), (Emit::All, "all rows put out")] {
        let points = CHANGED.map(|n_changed| sweep((emit, what), n_changed, &peers, &mut steps));
        lines.push((what, points.to_vec()));
    }
    steps.end();
    speedups("nystrom.svg", "Regression: 16,384 points, 256 landmarks", lines);
}

/// The exact delta and a pass in turn, of the same changes; the share that changes and by how much
/// the delta is faster.
fn sweep(
    (emit, what): (Emit, &str),
    n_changed: usize,
    peers: &[Full],
    steps: &mut Steps,
) -> (f64, f64) {
    let mut kernel = Nystrom::compile(&SPEC).expect("the spec is in range");
    let mut random = Random(7);
    let all = change(&mut random, [N_DATA, N_QUERIES]);
    follow(&mut kernel, all, (Mode::Pass, emit));
    let mut whole = kernel.clone();
    let (mut ours, mut passes, mut bound, mut n_passes) = (vec![], vec![], 0.0_f64, 0);
    for _ in 0..n_steps(n_changed) {
        let n_queries = (n_changed * N_QUERIES / N_DATA).max(1);
        let delta = change(&mut random, [n_changed, n_queries]);
        let (time, _, theirs) = follow(&mut whole, delta.clone(), (Mode::Pass, emit));
        passes.push(time);
        let (time, report, rows) = follow(&mut kernel, delta, (Mode::Itmd, emit));
        ours.push(time);
        bound = bound.max(report.error_max);
        n_passes += u32::from(report.mode == Mode::Pass);
        if emit == Emit::Changed {
            let off = rows.y.iter().zip(&theirs.y).map(|(y, theirs)| (y - theirs).abs());
            assert!(off.fold(0.0, f64::max) <= 2.0 * bound, "both sides say the same");
        }
    }
    let best = &Full::new("our pass", mean(&passes)).or_faster(peers);
    let mode = if n_passes == 0 { Mode::Itmd } else { Mode::Pass };
    let rows = if n_changed == 1 { "data row changes" } else { "data rows change" };
    let name = format!("{mode}, {n_changed} {rows}, {what}");
    // A controller passes what changes altogether, as `itmd` does here.
    let target = (n_changed == N_DATA).then_some(1.0 / 1.1);
    let seconds = mean(&ours);
    let line = Line { name, seconds, best, target, cache: CacheState::Cold };
    steps.line_with(line, format_args!("{bound:.0e}"));
    (share(n_changed), best.seconds / seconds)
}

/// Steps of a mean: few of those that take long.
fn n_steps(n_changed: usize) -> usize {
    if n_changed < 1_000 { 12 } else { 3 }
}

/// What share of all data these are.
#[expect(clippy::cast_precision_loss, reason = "small counts")]
fn share(count: usize) -> f64 {
    count as f64 / N_DATA as f64
}

/// New data rows and queries under so many different keys.
fn change(random: &mut Random, [n_data, n_queries]: [usize; 2]) -> NystromDelta {
    let mut keys = |n: usize, n_all: usize| -> Vec<i64> {
        let places = random.distinct(n_all, n);
        places.into_iter().filter_map(|place| i64::try_from(place).ok()).collect()
    };
    let (data_keys, query_keys) = (keys(n_data, N_DATA), keys(n_queries, N_QUERIES));
    let mut points = |n: usize| -> Vec<f64> {
        (0..n * SPEC.n_entries).map(|_| f64::from(random.normal32())).collect()
    };
    let (x, query_x) = (points(n_data), points(n_queries));
    let value = |point: &[f64]| point.iter().sum::<f64>().sin();
    let y = x.chunks_exact(SPEC.n_entries).map(value).collect();
    NystromDelta {
        data: DataRows { keys: data_keys, x, y },
        queries: PointRows { keys: query_keys, x: query_x },
        ..NystromDelta::default()
    }
}

fn follow(
    kernel: &mut Nystrom,
    delta: NystromDelta,
    (mode, emit): (Mode, Emit),
) -> (f64, Report, NystromRows) {
    let (mut report, mut output) = (None, NystromRows::default());
    let time = seconds(|| {
        let delta = kernel.measure(delta).expect("the change fits");
        kernel.begin(Step { delta, mode, emit, error_max: 1e-3 });
        while report.is_none() {
            if let Poll::Ready(told) = kernel.advance(u64::MAX, &mut output) {
                report = Some(told);
            }
        }
    });
    (time, report.expect("it was followed"), output)
}
