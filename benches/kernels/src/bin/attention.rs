//! Attention over 16,384 tokens and as many queries in 8 heads of 64 entries and 256 features: what
//! following a change takes, beside the best full recomputation. `--python PATH` also runs
//! `NumPy`'s.

use std::process::Command;
use std::task::Poll;

use arqon_kernel_benches::{CacheState, Evict, Line, Random, median, seconds, speedups};
use arqon_kernels::{
    AttentionDelta, AttentionRows, AttentionSpec, Causality, Emit, FeatureMap, Kernel, Mode,
    Report, Reuse, Step, TransformerAttn, shared,
};

const N: usize = 16_384;
const SPEC: AttentionSpec = AttentionSpec {
    n_heads: 8,
    n_key: 512,
    n_value: 512,
    n_features: 256,
    feature_map: FeatureMap::FavorPlus,
    causality: Causality::Plain,
    seed: 1,
};

const WHOLE: (Mode, Emit) = (Mode::Pass, Emit::All);

const CHURNS: [f64; 5] = [1e-4, 1e-3, 1e-2, 1e-1, 1.0];

/// What queries and keys are like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Data {
    /// Normal numbers, each apart from all others.
    Apart,
    /// Near one of 16 points, and half as long.
    Near,
}

fn main() {
    shared(measure);
}

fn measure() {
    let numpy = python();
    for (name, time) in &numpy {
        print(name, *time);
    }
    let only = std::env::args().skip_while(|argument| argument != "--only").nth(1);
    let is_wanted = |part: &str| only.as_ref().is_none_or(|only| only == part);
    let mut lines = Vec::new();
    if is_wanted("itmd") {
        lines.extend(incremental(&numpy));
    }
    if is_wanted("long") {
        long(&numpy);
    }
    if is_wanted("whole") {
        whole();
    }
    if is_wanted("rr") {
        lines.extend(reduced());
    }
    if only.is_none() {
        speedups("attention.svg", "Attention: 16,384 tokens, 8 heads", lines);
    }
}

/// A kernel that has passed once, and put out all rows.
fn compiled(data: Data, output: &mut AttentionRows) -> TransformerAttn {
    let mut kernel = TransformerAttn::compile(&SPEC).expect("the spec is in range");
    let all: Vec<usize> = (0..N).collect();
    let delta = change(&mut Random(7), &all, data);
    follow(&mut kernel, delta, (Mode::Pass, Emit::All), output);
    kernel
}

/// The exact delta, by policy and churn. Gives lines of a picture.
fn incremental(numpy: &[(&'static str, f64)]) -> Vec<(&'static str, Vec<(f64, f64)>)> {
    let mut output = AttentionRows::default();
    // What is held for one policy is not what another one holds: each side is a kernel of its own.
    let mut kernel = compiled(Data::Apart, &mut output);
    let mut whole = kernel.clone();
    let mut lines = Vec::new();
    for (emit, what) in [(Emit::All, "all rows put out"), (Emit::Changed, "changed rows put out")] {
        let mut points = Vec::new();
        for p in CHURNS {
            let sides = [&mut kernel, &mut whole];
            let (ours, pass, report) = sweep(sides, (p, emit, Mode::Itmd), &mut output);
            let best = fullest(pass, numpy);
            let target = match emit {
                Emit::All if p < 2e-4 => Some(25.0),
                Emit::Changed if 5e-4 < p && p < 2e-3 => Some(250.0),
                _ => None,
            };
            let name = format!("{what}, p = {p:e}, bound {:.1e}", report.error_max);
            print("our pass, in turn with the next", pass);
            Line { name, seconds: ours, best, target, cache: CacheState::Cold }.print();
            points.push((p, best.1 / ours));
        }
        lines.push((what, points));
    }
    // A pass over what changed altogether, which the controller takes at p = 1.
    let sides = [&mut kernel, &mut whole];
    let (ours, pass, report) = sweep(sides, (1.0, Emit::All, Mode::Pass), &mut output);
    let name = format!("a pass of all, all changed, bound {:.1e}", report.error_max);
    let best = fullest(pass, numpy);
    Line { name, seconds: ours, best, target: Some(1.0 / 1.1), cache: CacheState::Cold }.print();
    lines
}

/// So many steps that rows whose bounds have grown are answered anew: the mean of a step.
fn long(numpy: &[(&'static str, f64)]) {
    let mut output = AttentionRows::default();
    let mut kernel = compiled(Data::Apart, &mut output);
    let (mut random, evict) = (Random(13), Evict::default());
    for p in [1e-4, 1e-3] {
        let mut times = Vec::new();
        for _ in 0..160 {
            let slots = choose(&mut random, p);
            let delta = change(&mut random, &slots, Data::Apart);
            evict.caches();
            times.push(step(&mut kernel, delta, (Mode::Itmd, Emit::All), &mut output).0);
        }
        let (mean, most) = (mean(&times), times.iter().copied().fold(0.0, f64::max));
        let name = format!("all rows, p = {p:e}, mean of 160 (most {:.0} ms)", most * 1e3);
        let best = fullest(f64::INFINITY, numpy);
        Line { name, seconds: mean, best, target: None, cache: CacheState::Cold }.print();
    }
}

/// Where the time of a pass goes of which all queries and tokens changed: medians.
fn whole() {
    let mut output = AttentionRows::default();
    let mut kernel = compiled(Data::Apart, &mut output);
    let (mut random, all) = (Random(19), (0..N).collect::<Vec<usize>>());
    let mut times = [const { Vec::new() }; 4];
    for _ in 0..6 {
        let delta = change(&mut random, &all, Data::Apart);
        times[0].push(step(&mut kernel, AttentionDelta::default(), WHOLE, &mut output).0);
        output.keys.clear();
        output.outcomes.clear();
        output.values.clear();
        let mut measured = None;
        times[1].push(seconds(|| measured = kernel.measure(delta).ok()));
        let (mode, emit) = WHOLE;
        let delta = measured.expect("the change fits");
        times[2].push(seconds(|| kernel.begin(Step { delta, mode, emit, error_max: 1e-4 })));
        let mut advance = || kernel.advance(u64::MAX, &mut output);
        times[3].push(seconds(|| while advance() == Poll::Pending {}));
    }
    let names = ["a pass, nothing changed", "all changed: measure", "  begin", "  advance"];
    for (name, times) in names.into_iter().zip(times) {
        print(name, median(times));
    }
}

/// `rr`, where queries lie near 16 points and 0.01 may be off of values of about 1, beside the
/// exact delta and a pass, each of them the mean of some steps.
fn reduced() -> Vec<(&'static str, Vec<(f64, f64)>)> {
    let mut output = AttentionRows::default();
    let mut kernel = compiled(Data::Near, &mut output);
    let (mut exact, mut whole) = (kernel.clone(), kernel.clone());
    let mut points = Vec::new();
    for p in [1e-4, 1e-3, 1e-2, 1e-1] {
        let mut random = Random(17);
        let mut times = [const { Vec::new() }; 3];
        let (mut n_hits, mut bound) = (0, 0.0_f64);
        for _ in 0..12 {
            let slots = choose(&mut random, p);
            let delta = change(&mut random, &slots, Data::Near);
            let sides =
                [(&mut kernel, Mode::Rr), (&mut exact, Mode::Itmd), (&mut whole, Mode::Pass)];
            for ((kernel, mode), times) in sides.into_iter().zip(&mut times) {
                let (time, report) = step(kernel, delta.clone(), (mode, Emit::All), &mut output);
                times.push(time);
                if mode == Mode::Rr {
                    n_hits += u32::from(report.reuse == Some(Reuse::Hit));
                    bound = bound.max(report.error_max);
                }
            }
        }
        let [ours, itmd, pass] = times.map(|times| mean(&times));
        print("  itmd, in turn with the next", itmd);
        let name = format!("rr, p = {p:e}, {n_hits} hits of 12, bound {bound:.1e}");
        let best = if itmd < pass { ("itmd", itmd) } else { ("our pass", pass) };
        Line { name, seconds: ours, best, target: None, cache: CacheState::Cold }.print();
        points.push((p, pass / ours));
    }
    vec![("all rows, rr, queries near 16 points", points)]
}

#[expect(clippy::cast_precision_loss, reason = "a small count")]
fn mean(times: &[f64]) -> f64 {
    times.iter().sum::<f64>() / times.len() as f64
}

fn fullest(pass: f64, numpy: &[(&'static str, f64)]) -> (&'static str, f64) {
    let ours = [("our pass", pass)];
    let all = ours.iter().chain(numpy);
    all.min_by(|a, b| a.1.total_cmp(&b.1)).copied().unwrap_or(ours[0])
}

/// Seconds of a step and of a pass over all rows, in turn.
fn sweep(
    [kernel, whole]: [&mut TransformerAttn; 2],
    (p, emit, mode): (f64, Emit, Mode),
    output: &mut AttentionRows,
) -> (f64, f64, Report) {
    let mut random = Random(11);
    let (mut ours, mut passes) = (Vec::new(), Vec::new());
    let mut last = None;
    for round in 0..6 {
        let slots = choose(&mut random, p);
        let delta = change(&mut random, &slots, Data::Apart);
        let pass = step(whole, AttentionDelta::default(), (Mode::Pass, Emit::All), output).0;
        let (time, report) = step(kernel, delta, (mode, emit), output);
        if 0 < round {
            passes.push(pass);
            ours.push(time);
        }
        last = Some(report);
    }
    (median(ours), median(passes), last.expect("there were rounds"))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
#[expect(clippy::cast_precision_loss, reason = "a small count")]
fn choose(random: &mut Random, p: f64) -> Vec<usize> {
    let n = ((N as f64 * p).round() as usize).max(1);
    let mut slots: Vec<usize> = (0..N).collect();
    for at in 0..n {
        let other = at + random.below(N - at);
        slots.swap(at, other);
    }
    slots.truncate(n);
    slots.sort_unstable();
    slots
}

/// New queries and tokens under these keys.
fn change(random: &mut Random, keys: &[usize], data: Data) -> AttentionDelta {
    let mut delta = AttentionDelta::default();
    let keys: Vec<i64> = keys.iter().filter_map(|key| i64::try_from(*key).ok()).collect();
    let mut vectors = |data: Data| -> Vec<f32> {
        if data == Data::Apart {
            return (0..keys.len() * 512).map(|_| random.normal32()).collect();
        }
        let near = |random: &mut Random| {
            let mut center = Random(1000 + random.below(16) as u64);
            (0..512).map(|_| 0.5 * center.normal32() + 0.05 * random.normal32()).collect::<Vec<_>>()
        };
        keys.iter().flat_map(|_| near(random)).collect()
    };
    delta.queries.q = vectors(data);
    delta.tokens.k = vectors(data);
    delta.tokens.v = vectors(Data::Apart);
    (delta.queries.keys, delta.tokens.keys) = (keys.clone(), keys);
    delta
}

fn step(
    kernel: &mut TransformerAttn,
    delta: AttentionDelta,
    (mode, emit): (Mode, Emit),
    output: &mut AttentionRows,
) -> (f64, Report) {
    output.keys.clear();
    output.outcomes.clear();
    output.values.clear();
    let mut report = None;
    let time = seconds(|| report = Some(follow(kernel, delta, (mode, emit), output)));
    (time, report.expect("it was followed"))
}

fn follow(
    kernel: &mut TransformerAttn,
    delta: AttentionDelta,
    (mode, emit): (Mode, Emit),
    output: &mut AttentionRows,
) -> Report {
    let error_max = if mode == Mode::Rr { 1e-2 } else { 1e-4 };
    let delta = kernel.measure(delta).expect("the change fits");
    kernel.begin(Step { delta, mode, emit, error_max });
    loop {
        if let Poll::Ready(report) = kernel.advance(u64::MAX, output) {
            return report;
        }
    }
}

/// What `NumPy` takes, if there is one.
fn python() -> Vec<(&'static str, f64)> {
    let mut arguments = std::env::args().skip_while(|argument| argument != "--python").skip(1);
    let Some(python) = arguments.next() else { return Vec::new() };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/attention.py");
    let Ok(output) = Command::new(python).arg(script).output() else { return Vec::new() };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let time = |name: &str| {
        text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<f64>().ok())
    };
    [("NumPy f32, whole", "numpy_whole"), ("NumPy f32, in blocks", "numpy_blocks")]
        .into_iter()
        .filter_map(|(name, key)| Some((name, time(key)?)))
        .collect()
}

#[expect(clippy::print_stdout, reason = "the figures are what the programs are for")]
fn print(name: &str, time: f64) {
    println!("{name:<44} {:>11.2} us  full", time * 1e6);
}
