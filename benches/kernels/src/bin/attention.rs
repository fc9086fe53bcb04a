//! Attention over 16,384 tokens and as many queries in 8 heads of 64 entries and 256 features: what
//! following a change takes, beside the best full recomputation. `--python PATH` also runs `NumPy`'s.

use std::process::Command;
use std::task::Poll;

use arqon_kernel_benches::{CacheState, Line, Random, median, seconds};
use arqon_kernels::{
    AttentionDelta, AttentionRows, AttentionSpec, Causality, Emit, FeatureMap, Kernel, Mode,
    Report, Step, TransformerAttn,
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

fn main() {
    let mut random = Random(7);
    let all: Vec<usize> = (0..N).collect();
    let mut kernel = TransformerAttn::compile(&SPEC).expect("the spec is in range");
    let mut output = AttentionRows::default();
    let delta = change(&mut random, &all);
    follow(&mut kernel, delta, (Mode::Pass, Emit::All), &mut output);
    // What is held for one policy is not what another one holds, so each side is a kernel of its own.
    let mut whole = kernel.clone();
    let numpy = python();
    for (name, time) in &numpy {
        print(name, *time);
    }
    for (emit, what) in [(Emit::All, "all rows"), (Emit::Changed, "changed rows")] {
        for p in [1e-4, 1e-3, 1e-2, 1e-1, 1.0] {
            let (itmd, pass, report) = sweep([&mut kernel, &mut whole], (p, emit), &mut output);
            let ours = [("our pass", pass)];
            let fullest = ours.iter().chain(&numpy).min_by(|a, b| a.1.total_cmp(&b.1));
            let best = fullest.copied().unwrap_or(ours[0]);
            let target = match emit {
                Emit::All if p < 2e-4 => Some(25.0),
                Emit::Changed if 5e-4 < p && p < 2e-3 => Some(250.0),
                _ => None,
            };
            let name = format!("{what}, p = {p:e}, bound {:.1e}", report.error_max);
            print("our pass, in turn with the next", pass);
            Line { name, seconds: itmd, best, target, cache: CacheState::Cold }.print();
        }
    }
}

/// Seconds of a step of `itmd` and of a pass over all rows, in turn.
fn sweep(
    [kernel, whole]: [&mut TransformerAttn; 2],
    (p, emit): (f64, Emit),
    output: &mut AttentionRows,
) -> (f64, f64, Report) {
    let mut random = Random(11);
    let (mut ours, mut passes) = (Vec::new(), Vec::new());
    let mut last = None;
    for round in 0..6 {
        let slots = choose(&mut random, p);
        let delta = change(&mut random, &slots);
        let pass = step(whole, AttentionDelta::default(), (Mode::Pass, Emit::All), output).0;
        let (time, report) = step(kernel, delta, (Mode::Itmd, emit), output);
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
fn change(random: &mut Random, keys: &[usize]) -> AttentionDelta {
    let mut delta = AttentionDelta::default();
    let keys: Vec<i64> = keys.iter().filter_map(|key| i64::try_from(*key).ok()).collect();
    let mut vectors = || (0..keys.len() * 512).map(|_| random.normal32()).collect::<Vec<f32>>();
    (delta.queries.q, delta.tokens.k, delta.tokens.v) = (vectors(), vectors(), vectors());
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
    kernel.begin(Step { delta, mode, emit, error_max: 1e-4 });
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
