//! Attention over 16,384 tokens and as many queries in 8 heads of 64 entries and 256 features: what
//! following a change takes, beside the best full recomputation. `--python PATH` also runs
//! `NumPy`'s.

use std::task::Poll;

use arqon_bench_report::{Table, mean, median};
use arqon_kernel_benches::{
    CacheState, Evict, Full, Line, Random, Steps, option, peers, roofline, rough, seconds,
    speedups, time,
};
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
    roofline().print();
    let numpy = peers("attention", &[]);
    let only = option("--only");
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
fn incremental(numpy: &[Full]) -> Vec<(&'static str, Vec<(f64, f64)>)> {
    let mut output = AttentionRows::default();
    // What is held for one policy is not what another one holds: each side is a kernel of its own.
    let mut kernel = compiled(Data::Apart, &mut output);
    let mut whole = kernel.clone();
    let mut steps = Steps::begin("attention: 16,384 tokens and queries, 8 heads", Some("bound"));
    steps.fulls(numpy);
    let mut lines = Vec::new();
    for (emit, what) in [(Emit::All, "all rows put out"), (Emit::Changed, "changed rows put out")] {
        let mut points = Vec::new();
        for p in CHURNS {
            let sides = [&mut kernel, &mut whole];
            let (seconds, pass, report) = sweep(sides, (p, emit, Mode::Itmd), &mut output);
            let best = &Full::new("our pass", pass).or_faster(numpy);
            let target = match emit {
                Emit::All if p < 2e-4 => Some(25.0),
                Emit::Changed if 5e-4 < p && p < 2e-3 => Some(250.0),
                _ => None,
            };
            let name = format!("itmd, p = {}, {what}", rough(p));
            let line = Line { name, seconds, best, target, cache: CacheState::Cold };
            steps.line_with(line, format_args!("{:.1e}", report.error_max));
            points.push((p, best.seconds / seconds));
        }
        lines.push((what, points));
    }
    // A pass over what changed altogether, which the controller takes at p = 1.
    let sides = [&mut kernel, &mut whole];
    let (seconds, pass, report) = sweep(sides, (1.0, Emit::All, Mode::Pass), &mut output);
    let best = &Full::new("our pass, nothing changed", pass).or_faster(numpy);
    let name = "pass, p = 1, all rows put out".to_owned();
    let line = Line { name, seconds, best, target: Some(1.0 / 1.1), cache: CacheState::Cold };
    steps.line_with(line, format_args!("{:.1e}", report.error_max));
    steps.end();
    lines
}

/// So many steps that rows whose bounds have grown are answered anew: the mean of a step.
fn long(numpy: &[Full]) {
    let mut output = AttentionRows::default();
    let mut kernel = compiled(Data::Apart, &mut output);
    let pass = step(&mut kernel, AttentionDelta::default(), WHOLE, &mut output).0;
    let best = &Full::new("our pass", pass).or_faster(numpy);
    let (mut random, evict) = (Random(13), Evict::default());
    let mut steps = Steps::begin("attention: 160 steps, all rows put out", Some("longest step"));
    for p in [1e-4, 1e-3] {
        let mut times = Vec::new();
        for _ in 0..160 {
            let slots = choose(&mut random, p);
            let delta = change(&mut random, &slots, Data::Apart);
            evict.caches();
            times.push(step(&mut kernel, delta, (Mode::Itmd, Emit::All), &mut output).0);
        }
        let (name, seconds) = (format!("itmd, p = {p:e}, mean"), mean(&times));
        let line = Line { name, seconds, best, target: None, cache: CacheState::Cold };
        steps.line_with(line, time(times.into_iter().fold(0.0, f64::max)));
    }
    steps.end();
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
    let table = Table::begin("attention: parts of a pass", &["part", "time"]);
    let names = ["a pass, nothing changed", "all changed: measure", "begin", "advance"];
    for (name, times) in names.into_iter().zip(times) {
        table.row(&[&name, &time(median(&times))]);
    }
    table.end();
}

/// `rr`, where queries lie near 16 points and 0.01 may be off of values of about 1, beside the
/// exact delta and a pass, each of them the mean of some steps.
fn reduced() -> Vec<(&'static str, Vec<(f64, f64)>)> {
    let mut output = AttentionRows::default();
    let mut kernel = compiled(Data::Near, &mut output);
    let (mut exact, mut whole) = (kernel.clone(), kernel.clone());
    let mut steps = Steps::begin("attention: rr, queries near 16 points", Some("hits, bound"));
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
        let [seconds, itmd, pass] = times.map(|times| mean(&times));
        let name = format!("rr, p = {p:e}, all rows put out");
        let best = &Full::new("our pass", pass).or_faster(&[Full::new("itmd", itmd)]);
        let line = Line { name, seconds, best, target: None, cache: CacheState::Cold };
        steps.line_with(line, format_args!("{n_hits} of 12, {bound:.1e}"));
        points.push((p, pass / seconds));
    }
    steps.end();
    vec![("all rows, rr, queries near 16 points", points)]
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
    (median(&ours), median(&passes), last.expect("there were rounds"))
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
