//! Linear transforms of 4,096 x 4,096: what a change costs against the best full recomputation.

use std::hint::black_box;
use std::task::Poll;

use arqon_bench_report::{Aim, Meant, mean, median};
use arqon_kernel_benches::{
    CacheState, Full, Line, Random, Steps, option, peers, roofline, seconds, sides, speedups, time,
};
use arqon_kernels::{
    Controller, Emit, EntryChange, Kernel, Layout, Limits, LinearDelta, LinearOutput, LinearSpec,
    LinearTransform, MODES, Measured, Mode, Precision, Report, Reuse, Step, shared,
};
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};

const N: usize = 4096;

fn main() {
    shared(measure);
}

fn measure() {
    roofline().print();
    let mut random = Random(1);
    let weights: Vec<f32> = (0..N * N).map(|_| random.normal32() / 64.0).collect();
    let only = option("--only");
    let is_wanted = |part: &str| only.as_ref().is_none_or(|only| only == part);
    let (best, single) = vector(&weights, &mut random);
    if is_wanted("rr") {
        reduced(&weights, &best, &mut random);
    }
    if is_wanted("controller") {
        controlled(&weights, best, &mut random);
    }
    if is_wanted("matrix") {
        let many = matrix(&weights, &mut random);
        let lines = vec![
            ("entries of a vector, warm", single),
            ("coordinates of all vectors, at once", many),
        ];
        speedups("linear.svg", "Linear transform, 4,096 x 4,096", lines);
    }
}

fn compiled(weights: &[f32], precision: Precision, rank: usize) -> LinearTransform {
    let spec = LinearSpec { n_rows: N, n_columns: N, layout: Layout::Dense, precision, rank };
    let mut kernel = LinearTransform::compile(&spec).expect("the shape is one");
    let delta =
        LinearDelta { rows: (0..N).collect(), weights: weights.to_vec(), ..LinearDelta::default() };
    follow(&mut kernel, delta, Mode::Pass, Emit::Pull, &mut LinearOutput::default());
    kernel
}

fn follow(
    kernel: &mut LinearTransform,
    delta: LinearDelta,
    mode: Mode,
    emit: Emit,
    output: &mut LinearOutput,
) -> Report {
    follow_within(kernel, delta, mode, emit, output, 1e-2)
}

fn follow_within(
    kernel: &mut LinearTransform,
    delta: LinearDelta,
    mode: Mode,
    emit: Emit,
    output: &mut LinearOutput,
    error_max: f64,
) -> Report {
    let delta = kernel.measure(delta).expect("the change fits");
    take(kernel, Step { delta, mode, emit, error_max }, output)
}

fn take(
    kernel: &mut LinearTransform,
    step: Step<Measured<LinearTransform>>,
    output: &mut LinearOutput,
) -> Report {
    output.keys.clear();
    output.values.clear();
    kernel.begin(step);
    loop {
        if let Poll::Ready(report) = kernel.advance(u64::MAX, output) {
            return report;
        }
    }
}

fn whole(x: &[f32]) -> LinearDelta {
    LinearDelta { keys: vec![0], vectors: x.to_vec(), ..LinearDelta::default() }
}

fn entries(random: &mut Random, count: usize) -> LinearDelta {
    let change = |at, random: &mut Random| EntryChange { key: 0, at, value: random.normal32() };
    let places = random.distinct(N, count);
    let entries = places.into_iter().map(|at| change(at, random)).collect();
    LinearDelta { entries, ..LinearDelta::default() }
}

/// One vector, entries of which change. Gives the best full time, and speed-ups by churn.
fn vector(weights: &[f32], random: &mut Random) -> (Full, Vec<(f64, f64)>) {
    let mut points = Vec::new();
    let mut kernel = compiled(weights, Precision::Double, 0);
    let x: Vec<f32> = (0..N).map(|_| random.normal32()).collect();
    let mut output = LinearOutput::default();
    follow(&mut kernel, whole(&x), Mode::Pass, Emit::Changed, &mut output);
    let mut passed = kernel.clone();
    let mut full = || {
        let delta = entries(random, 4);
        follow(&mut passed, delta, Mode::Pass, Emit::Changed, &mut output);
    };
    let pass = sides(40, CacheState::Warm, &mut [&mut full])[0];
    let peers = peers("linear", &["vector"]);
    let best = Full::new("our pass", pass).or_faster(&peers);
    let mut steps = Steps::begin("linear: y = W x, 4,096 x 4,096", None);
    steps.fulls(&peers);
    let line = |name, seconds, target, cache| Line { name, seconds, best: &best, target, cache };
    steps.line(line("pass".to_owned(), pass, Some(1.0 / 1.1), CacheState::Warm));
    let mut random = Random(7);
    for (count, target) in [(1, None), (4, Some(600.0)), (41, None), (410, None), (4096, None)] {
        for cache in [CacheState::Warm, CacheState::Cold] {
            let rounds = if cache == CacheState::Warm { 400 } else { 40 };
            let deltas: Vec<LinearDelta> =
                (0..=rounds).map(|_| entries(&mut random, count)).collect();
            let mut deltas = deltas.into_iter();
            let mut output = LinearOutput::default();
            let mut step = || {
                if let Some(delta) = deltas.next() {
                    follow(&mut kernel, delta, Mode::Itmd, Emit::Changed, &mut output);
                }
            };
            let time = sides(rounds, cache, &mut [&mut step])[0];
            let name = format!("itmd, {count} of {N} entries, put out");
            let target = if cache == CacheState::Warm { target } else { None };
            steps.line(line(name, time, target, cache));
            if cache == CacheState::Warm {
                points.push((share(count), best.seconds / time));
            }
        }
    }
    steps.end();
    (best, points)
}

/// What share of all entries these are.
#[expect(clippy::cast_precision_loss, reason = "small counts")]
fn share(count: usize) -> f64 {
    count as f64 / N as f64
}

/// `rr`: vectors near a basis, and a stream whose directions turn.
fn reduced(weights: &[f32], best: &Full, random: &mut Random) {
    let mut kernel = compiled(weights, Precision::Double, 64);
    let mut span: Vec<Vec<f32>> =
        (0..48).map(|_| (0..N).map(|_| random.normal32()).collect()).collect();
    let draw = |span: &[Vec<f32>], random: &mut Random| -> LinearDelta {
        let factors: Vec<f32> = span.iter().map(|_| random.normal32() / 8.0).collect();
        let mut x: Vec<f32> = (0..N).map(|_| 1e-4 * random.normal32()).collect();
        for (direction, factor) in span.iter().zip(&factors) {
            x.iter_mut().zip(direction).for_each(|(x, q)| *x += q * factor);
        }
        whole(&x)
    };
    let mut output = LinearOutput::default();
    let allowed = 0.05;
    for _ in 0..160 {
        let delta = draw(&span, random);
        follow_within(&mut kernel, delta, Mode::Rr, Emit::Changed, &mut output, allowed);
    }
    let (mut times, mut hits, mut bound) = (Vec::new(), 0, 0.0_f64);
    let rounds = 100;
    for _ in 0..rounds {
        let delta = draw(&span, random);
        let mut report = None;
        times.push(seconds(|| {
            report = Some(follow_within(
                &mut kernel,
                delta,
                Mode::Rr,
                Emit::Changed,
                &mut output,
                allowed,
            ));
        }));
        if let Some(report) = report {
            hits += u32::from(report.reuse == Some(Reuse::Hit));
            bound = bound.max(report.error_max);
        }
    }
    let probe = kernel.certify(arqon_kernels::Sample { n_rows: 1, seed: 1 });
    let mut steps = Steps::begin("linear: y = W x, rr of rank 64", Some("hits"));
    let line =
        |name, seconds, target| Line { name, seconds, best, target, cache: CacheState::Warm };
    let name = "48 directions that stay".to_owned();
    steps.line_with(line(name, median(&times), Some(25.0)), format!("{hits} of {rounds}"));
    steps.remark(format!(
        "Where directions stay the bound was {bound:.2} at most, 0.05 allowed; of an output that was \
         computed anew it was {:.2}, and the error {:.4}.",
        probe.error_max, probe.error
    ));
    for turn in [1e-5, 1e-4, 1e-3] {
        let (mut times, mut hits) = (Vec::new(), 0);
        let rounds = 300;
        for _ in 0..rounds {
            for direction in &mut span {
                for q in direction.iter_mut() {
                    *q += turn * random.normal32();
                }
            }
            let delta = draw(&span, random);
            times.push(seconds(|| {
                let output = &mut output;
                let mode = Mode::Rr;
                let report =
                    follow_within(&mut kernel, delta, mode, Emit::Changed, output, allowed);
                hits += u32::from(report.reuse == Some(Reuse::Hit));
            }));
        }
        let name = format!("directions turn by {turn:.0e} a step, mean");
        steps.line_with(line(name, mean(&times), None), format!("{hits} of {rounds}"));
    }
    steps.end();
}

/// The controller at p = 1, and over regimes.
fn controlled(weights: &[f32], best: Full, random: &mut Random) {
    let start = {
        let mut kernel = compiled(weights, Precision::Double, 0);
        let x: Vec<f32> = (0..N).map(|_| random.normal32()).collect();
        follow(&mut kernel, whole(&x), Mode::Pass, Emit::Pull, &mut LinearOutput::default());
        kernel
    };
    let limits =
        Limits { modes: vec![Mode::Pass, Mode::Itmd], error_max: 1e-6, seconds_max: f64::INFINITY };
    let mut output = LinearOutput::default();
    let (mut passed, mut led) = (start.clone(), start.clone());
    let mut controller = Controller::new(limits.clone());
    let mut draw = Random(5);
    let mut changes = || whole(&(0..N).map(|_| draw.normal32()).collect::<Vec<f32>>());
    let (mut pass_times, mut led_times) = (Vec::new(), Vec::new());
    for _ in 0..100 {
        let delta = changes();
        let copy = delta.clone();
        pass_times.push(seconds(|| {
            follow(&mut passed, copy, Mode::Pass, Emit::Changed, &mut output);
        }));
        led_times.push(lead(&mut led, &mut controller, delta, &mut output).0);
    }
    let pass = Full::new("our pass, in turn", median(&pass_times));
    let best = best.or_faster(&[pass]);
    let mut steps = Steps::begin("linear: y = W x under the controller", None);
    let name = "p = 1".to_owned();
    let (target, cache) = (Some(1.0 / 1.1), CacheState::Warm);
    steps.line(Line { name, seconds: median(&led_times), best: &best, target, cache });
    let regimes = [4, N, 41, 1200, 1, 2900];
    let mut kernels = [start.clone(), start.clone(), start];
    let mut controller = Controller::new(limits.clone());
    let (mut ours, mut oracle, mut violations, mut fixed) = (0.0, 0.0, 0, [0.0; 2]);
    for step in 0..1200 {
        let count = regimes[step / 100 % regimes.len()];
        let delta = entries(random, count);
        let [led, modes @ ..] = &mut kernels;
        let (time, error) = lead(led, &mut controller, delta.clone(), &mut output);
        ours += time;
        violations += u32::from(limits.error_max < error);
        let mut least = f64::INFINITY;
        for ((kernel, mode), sum) in modes.iter_mut().zip(MODES).zip(&mut fixed) {
            let delta = delta.clone();
            let time = seconds(|| {
                follow(kernel, delta, mode, Emit::Changed, &mut output);
            });
            *sum += time;
            least = least.min(time);
        }
        oracle += least;
    }
    steps.remark(format!(
        "Six regimes, from 1 to all {N} entries, 1,200 steps: {} in all, the best mode of each step {}, \
         pass alone {}, itmd alone {}.",
        time(ours),
        time(oracle),
        time(fixed[0]),
        time(fixed[1])
    ));
    let what = "linear: the controller over six regimes, of the best mode of each step";
    steps.aim(Aim::times(what, Meant::AtMost(1.1), vec![ours / oracle]));
    steps.aim(Aim {
        what: "linear: steps of these whose bound was above what is allowed".to_owned(),
        meant: Meant::AtMost(0.0),
        measured: vec![f64::from(violations)],
        unit: "",
    });
    steps.end();
}

/// A step that the controller chooses the mode of: its seconds, and its bound.
fn lead(
    kernel: &mut LinearTransform,
    controller: &mut Controller,
    delta: LinearDelta,
    output: &mut LinearOutput,
) -> (f64, f64) {
    let (mut error, mut chosen, mut work) = (0.0, Mode::Pass, 0);
    let time = seconds(|| {
        let delta = kernel.measure(delta).expect("the change fits");
        let offers = MODES.map(|mode| kernel.predict(mode, delta.churn(), Emit::Changed));
        chosen = controller.decide(&offers).mode;
        work = offers[chosen.index()].map_or(0, |offer| offer.work);
        let (mode, emit, error_max) = (chosen, Emit::Changed, 1e-2);
        error = take(kernel, Step { delta, mode, emit, error_max }, output).error_max;
    });
    controller.observe(chosen, work, time);
    (time, error)
}

/// As many vectors as they are long: coordinates of all of them change. Gives speed-ups by churn.
fn matrix(weights: &[f32], random: &mut Random) -> Vec<(f64, f64)> {
    let mut points = Vec::new();
    let mut kernel = compiled(weights, Precision::Single, 0);
    let x: Vec<f32> = (0..N * N).map(|_| random.normal32()).collect();
    let mut output = LinearOutput::default();
    let keys: Vec<i64> = (0..).take(N).collect();
    let delta = LinearDelta { keys: keys.clone(), vectors: x.clone(), ..LinearDelta::default() };
    follow(&mut kernel, delta, Mode::Pass, Emit::Pull, &mut output);
    let mut product = vec![0.0_f32; N * N];
    let mut faer = || {
        let out = MatMut::from_row_major_slice_mut(&mut product, N, N);
        let x = MatRef::from_row_major_slice(&x, N, N);
        let w = MatRef::from_row_major_slice(weights, N, N);
        matmul(out, Accum::Replace, x, w.transpose(), 1.0, Par::rayon(0));
    };
    let mut pass = || {
        follow(&mut kernel, LinearDelta::default(), Mode::Pass, Emit::Pull, &mut output);
    };
    let times = sides(3, CacheState::Warm, &mut [&mut faer, &mut pass]);
    let mut peers = peers("linear", &["matrix"]);
    peers.push(Full::new("faer", times[0]));
    let best = Full::new("our pass", times[1]).or_faster(&peers);
    let mut steps = Steps::begin("linear: Y = W X, all 4,096 x 4,096", None);
    steps.fulls(&peers);
    let cache = CacheState::Warm;
    let line = |name: &str, seconds, target| Line {
        name: name.to_owned(),
        seconds,
        best: &best,
        target,
        cache,
    };
    steps.line(line("pass", times[1], Some(1.0 / 1.1)));
    for (count, target) in [(1, None), (4, Some(130.0)), (41, None), (410, None)] {
        // Nothing is off by more than that, so nothing is put out; and nothing waits.
        let emit = Emit::Eps(f64::INFINITY);
        let mut times = Vec::new();
        for _ in 0..if count < 100 { 12 } else { 3 } {
            let delta = coordinates(random, count);
            times.push(seconds(|| {
                follow(&mut kernel, delta, Mode::Itmd, emit, &mut output);
            }));
        }
        let time = median(&times);
        steps.line(line(&format!("itmd, {} of all, at once", coordinates_of(count)), time, target));
        points.push((share(count), best.seconds / time));
    }
    let n_steps = 64;
    let deltas: Vec<LinearDelta> = (0..n_steps).map(|_| coordinates(random, 4)).collect();
    let reads: Vec<Vec<i64>> = (0..n_steps)
        .map(|_| random.distinct(N, N / 100 + 1).iter().map(|at| keys[*at]).collect())
        .collect();
    let mut read_time = 0.0;
    let total = seconds(|| {
        for (delta, keys) in deltas.into_iter().zip(&reads) {
            follow(&mut kernel, delta, Mode::Itmd, Emit::Pull, &mut output);
            read_time += seconds(|| {
                black_box(kernel.read(keys, &mut output));
            });
        }
    });
    let name = "4 coordinates that wait, and 41 rows read";
    steps.line(line(name, total / f64::from(n_steps), Some(400.0)));
    steps.remark(format!("Reading is {:.0} % of the last.", 100.0 * read_time / total));
    steps.end();
    points
}

/// So many coordinates, in words.
fn coordinates_of(count: usize) -> String {
    if count == 1 { "1 coordinate".to_owned() } else { format!("{count} coordinates") }
}

fn coordinates(random: &mut Random, count: usize) -> LinearDelta {
    LinearDelta {
        coordinates: random.distinct(N, count),
        coordinate_values: (0..count * N).map(|_| random.normal32()).collect(),
        ..LinearDelta::default()
    }
}
