//! Heat on 2048 by 2048 cells, sustained, against full steps in the same run:
//! `grids [sustained|churn]`, both by default; churns are plotted in `docs/measured`.
//!
//! All sides share their work among as many threads as there are cores, or `RAYON_NUM_THREADS`
//! says, the full step in as many blocks of rows.
//! A square of cells is set anew in every step. Sides run in turn, each on its own grid, so that
//! each finds the caches as the other left them. What ours is held against is the best full step:
//! row by row with the widest vectors, without looking at what moved, or our own `pass`.

use std::ops::Range;
use std::task::Poll;

use arqon_bench_report::median;
use arqon_kernel_benches::{
    CacheState, Full, Line, Steps, peers, rough, seconds, speedups, threads, time, word,
};
use arqon_kernels::{
    Emit, Equation, Kernel, Measured, Mode, PdeDelta, PdeKeys, PdeRows, PdeSolver, PdeSpec, Report,
    Step, shared,
};
use pulp::Arch;

const SIDE: usize = 2048;
const STRIDE: usize = SIDE + 2;
const WEIGHT: f64 = 0.2;

fn main() {
    shared(|| match word(1).as_deref() {
        Some("sustained") => sustained(),
        Some("churn") => churn(),
        Some(other) => panic!("no figures `{other}`"),
        None => {
            sustained();
            churn();
        }
    });
}

fn spec() -> PdeSpec {
    PdeSpec {
        equation: Equation::Heat,
        width: SIDE,
        height: SIDE,
        dt: WEIGHT,
        dx: 1.0,
        coefficient: 1.0,
        n_steps: 1,
    }
}

/// The square in the middle, with values that change with every step.
fn square(side: usize, step: usize) -> PdeDelta {
    let mut delta = PdeDelta::default();
    let start = (SIDE - side) / 2;
    for y in start..start + side {
        for x in start..start + side {
            let hash = (x * 31 + y * 17 + step * 5).wrapping_mul(2_654_435_761) >> 7 & 7;
            let place = |at: usize| i64::try_from(at).expect("2048");
            let bump = f64::from(u32::try_from(hash).expect("below 8"));
            delta.push([place(x), place(y)], 0.5 + 0.01 * bump);
        }
    }
    delta
}

/// A full step, and no more.
struct FullRows {
    now: Vec<f64>,
    next: Vec<f64>,
}

impl FullRows {
    fn new() -> Self {
        Self { now: vec![0.0; STRIDE * STRIDE], next: vec![0.0; STRIDE * STRIDE] }
    }

    fn step(&mut self, delta: &PdeDelta) {
        for at in 0..delta.u.len() {
            let [x, y] = [delta.x[at], delta.y[at]].map(|at| usize::try_from(at).expect("2048"));
            self.now[(y + 1) * STRIDE + x + 1] = delta.u[at];
        }
        let (now, n_threads) = (&self.now, rayon::current_num_threads());
        let part = SIDE.div_ceil(n_threads);
        rayon::scope(|scope| {
            for (at, next) in self.next[STRIDE..].chunks_mut(part * STRIDE).enumerate() {
                scope.spawn(move |_| {
                    let range = 1 + at * part..(1 + (at + 1) * part).min(SIDE + 1);
                    Arch::new().dispatch(
                        #[inline(always)]
                        || rows(now, next, range),
                    );
                });
            }
        });
        std::mem::swap(&mut self.now, &mut self.next);
    }
}

/// Rows of the grid, into a grid that begins with the first of them.
#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled for the widest vectors where it is dispatched")]
fn rows(now: &[f64], next: &mut [f64], range: Range<usize>) {
    for (y, next) in range.zip(next.chunks_exact_mut(STRIDE)) {
        let row = |y: usize| &now[y * STRIDE..][..STRIDE];
        let (north, mid, south) = (&row(y - 1)[1..=SIDE], row(y), &row(y + 1)[1..=SIDE]);
        let out = &mut next[1..=SIDE];
        let (west, east, mid) = (&mid[..SIDE], &mid[2..], &mid[1..=SIDE]);
        for at in 0..SIDE {
            let sum = (west[at] + east[at]) + (north[at] + south[at]);
            out[at] = mid[at] + WEIGHT * (sum - 4.0 * mid[at]);
        }
    }
}

fn follow(kernel: &mut PdeSolver, step: Step<PdeDelta>) -> (Report, usize) {
    let Step { delta, mode, emit, error_max } = step;
    let delta = kernel.measure(delta).expect("the change fits");
    take(kernel, Step { delta, mode, emit, error_max })
}

fn take(kernel: &mut PdeSolver, step: Step<Measured<PdeSolver>>) -> (Report, usize) {
    kernel.begin(step);
    let mut rows = PdeRows::default();
    loop {
        // As the engine does.
        if let Poll::Ready(report) = kernel.advance(1 << 36, &mut rows) {
            return (report, rows.u.len());
        }
    }
}

/// The largest difference.
fn difference(kernel: &mut PdeSolver, full: &FullRows) -> f64 {
    let (mut most, mut rows) = (0.0_f64, PdeRows::default());
    let side = i64::try_from(SIDE).expect("2048");
    for y in 0..side {
        let keys = PdeKeys { x: (0..side).collect(), y: vec![y; SIDE] };
        kernel.read(&keys, &mut rows);
    }
    for (at, u) in rows.u.iter().enumerate() {
        let word = (at / SIDE + 1) * STRIDE + at % SIDE + 1;
        most = most.max((u - full.now[word]).abs());
    }
    most
}

fn sustained() {
    let title = format!("grids: heat, p = 1e-3, sustained, {}", threads());
    let mut steps = Steps::begin(&title, Some("bound"));
    steps.fulls(&peers("grids", &[]));
    for (error_max, emit) in [
        (1e-6, Emit::Pull),
        (1e-9, Emit::Pull),
        (0.0, Emit::Pull),
        (1e-3, Emit::Pull),
        (1e-6, Emit::Eps(1e-3)),
    ] {
        let mut kernel = PdeSolver::compile(&spec()).expect("stable");
        let mut pass = PdeSolver::compile(&spec()).expect("stable");
        let mut full = FullRows::new();
        let (mut ours, mut theirs, mut n_rows, mut bound) = (vec![], vec![], 0, 0.0);
        let mut passes = vec![];
        for step in 1..=1500 {
            let delta = square(64, step);
            theirs.push(seconds(|| full.step(&delta)));
            let is_told =
                [60, 500, 1000, 1500].iter().any(|to| (to - 60..*to).contains(&ours.len()));
            if is_told {
                let all =
                    Step { delta: delta.clone(), mode: Mode::Pass, emit: Emit::Pull, error_max };
                passes.push(seconds(|| {
                    follow(&mut pass, all);
                }));
            }
            let step = Step { delta, mode: Mode::Itmd, emit, error_max };
            ours.push(seconds(|| {
                let (report, n) = follow(&mut kernel, step);
                (n_rows, bound) = (n, report.error_max);
            }));
            if [60, 500, 1000, 1500].contains(&ours.len()) {
                let last = |times: &[f64]| median(&times[times.len() - 60..]);
                let best = &best(last(&theirs), last(&passes));
                let name = format!(
                    "error at most {}, {}, step {}",
                    rough(error_max),
                    put_out(emit),
                    ours.len()
                );
                let is_meant = ours.len() == 1500 && (error_max, emit) == (1e-6, Emit::Pull);
                let target = is_meant.then_some(25.0);
                let line =
                    Line { name, seconds: last(&ours), best, target, cache: CacheState::Cold };
                steps.line_with(line, format_args!("{bound:.1e}"));
            }
        }
        let all = |times: &[f64]| times.iter().sum::<f64>();
        let (difference, ratio) = (difference(&mut kernel, &full), all(&theirs) / all(&ours));
        steps.remark(format!(
            "Error at most {}, {}: all 1,500 steps together {ratio:.1}x of full rows; off \
             the full grid by {difference:.1e}; {n_rows} rows in the last step.",
            rough(error_max),
            put_out(emit)
        ));
        assert!(difference <= 2.0 * bound);
    }
    steps.end();
}

/// Which cells are put out, in words.
fn put_out(emit: Emit) -> String {
    match emit {
        Emit::Eps(eps) => format!("cells put out that moved by {}", rough(eps)),
        _ => "none put out".to_owned(),
    }
}

/// Whichever full step was faster.
fn best(rows: f64, pass: f64) -> Full {
    Full::new("our pass", pass).or_faster(&[Full::new("full rows", rows)])
}

fn churn() {
    let mut curve = Vec::new();
    let title = format!("grids: heat, 60 steps, error at most 1e-6, {}", threads());
    let mut steps = Steps::begin(&title, Some("full rows / our pass"));
    for side in [20, 64, 204, 647, SIDE] {
        let mut kernel = PdeSolver::compile(&spec()).expect("stable");
        let mut pass = PdeSolver::compile(&spec()).expect("stable");
        let mut full = FullRows::new();
        let (mut ours, mut theirs, mut passes) = (vec![], vec![], vec![]);
        let mut chosen = Mode::Pass;
        for step in 1..=if side < 600 { 60 } else { 8 } {
            let delta = square(side, step);
            theirs.push(seconds(|| full.step(&delta)));
            let (emit, error_max) = (Emit::Pull, 1e-6);
            let all = Step { delta: delta.clone(), mode: Mode::Pass, emit, error_max };
            passes.push(seconds(|| {
                follow(&mut pass, all);
            }));
            ours.push(seconds(|| {
                let delta = kernel.measure(delta).expect("the change fits");
                let churn = delta.churn();
                let work = |mode| kernel.predict(mode, churn, emit).expect("both modes").work;
                let is_itmd = work(Mode::Itmd) < work(Mode::Pass);
                chosen = if is_itmd { Mode::Itmd } else { Mode::Pass };
                take(&mut kernel, Step { delta, mode: chosen, emit, error_max });
            }));
        }
        let share = f64::from(u32::try_from(side * side).expect("2^22")) / f64::from(1 << 22);
        let [seconds, rows, pass] = [ours, theirs, passes].map(|times| median(&times));
        let best = &best(rows, pass);
        curve.push((share, best.seconds / seconds));
        let name = format!("{chosen}, p = {}", rough(share));
        let target = (side == SIDE).then_some(1.0 / 1.1);
        let line = Line { name, seconds, best, target, cache: CacheState::Cold };
        steps.line_with(line, format_args!("{} / {}", time(rows), time(pass)));
    }
    steps.end();
    let lines = vec![("heat, error 1e-6, cold", curve)];
    speedups("grids.svg", "Heat on 2,048 x 2,048 cells, 60 steps", lines);
}
