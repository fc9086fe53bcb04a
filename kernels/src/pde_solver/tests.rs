//! Grids that are changed at random, held against the schemes in plain loops.

mod oracle;

use super::*;
use oracle::Model;

const EQUATIONS: [Equation; 3] = [Equation::Heat, Equation::Wave, Equation::Burgers];

/// A generator that is good enough, and the same everywhere (Steele, Lea and Flood, 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % n as u64).unwrap()
    }

    /// Of -1 to 1.
    fn value(&mut self) -> f64 {
        f64::from(u32::try_from(self.next() >> 32).unwrap()) / f64::from(1_u32 << 31) - 1.0
    }
}

fn spec(equation: Equation, width: usize, height: usize) -> PdeSpec {
    PdeSpec { equation, width, height, dt: 0.2, dx: 1.0, coefficient: 0.5, n_steps: 1 }
}

fn compile(spec: &PdeSpec) -> PdeSolver {
    PdeSolver::compile(spec).unwrap()
}

fn follow(kernel: &mut PdeSolver, step: Step<PdeDelta>) -> (Report, PdeRows) {
    let Step { delta, mode, emit, error_max } = step;
    let delta = kernel.measure(delta).unwrap();
    let churn = *delta.churn();
    let predicted = kernel.predict(mode, &churn, emit).unwrap();
    kernel.begin(Step { delta, mode, emit, error_max });
    let mut output = PdeRows::default();
    loop {
        if let Poll::Ready(report) = kernel.advance(30_000, &mut output) {
            assert_eq!((report.churn, report.n_emitted), (churn, output.u.len()));
            assert!(report.mode != Mode::Pass || predicted.error_max <= report.error_max * 1.01);
            return (report, output);
        }
    }
}

fn step(delta: &PdeDelta, mode: Mode, emit: Emit, error_max: f64) -> Step<PdeDelta> {
    Step { delta: delta.clone(), mode, emit, error_max }
}

fn bits(kernel: &mut PdeSolver) -> Vec<u64> {
    let mut rows = PdeRows::default();
    let keys = kernel.keys();
    kernel.read(&keys, &mut rows);
    rows.u.into_iter().map(f64::to_bits).collect()
}

/// The largest difference, which is held against the bound.
fn check(kernel: &mut PdeSolver, model: &Model, report: &Report, what: &str) -> f64 {
    let mut rows = PdeRows::default();
    let keys = kernel.keys();
    let bound = kernel.read(&keys, &mut rows);
    assert!(bound <= report.error_max, "{what}");
    let wanted = model.now.iter().flatten();
    let off = rows.u.iter().zip(wanted).map(|(u, wanted)| (u - wanted).abs());
    let error = off.fold(0.0, f64::max);
    // The oracle rounds likewise.
    assert!(error <= 2.0 * bound + 1e-300, "{what}: off by {error:e}, {bound:e} allowed");
    error
}

fn random_delta(random: &mut Random, spec: &PdeSpec) -> PdeDelta {
    let mut delta = PdeDelta::default();
    for _ in 0..random.below(4) {
        let place = |n: usize| i64::try_from(n).unwrap();
        let cell = [place(random.below(spec.width)), place(random.below(spec.height))];
        let scale = [1.0, 1e-3, 1e-280, 0.0][random.below(4)];
        delta.push(cell, scale * random.value());
    }
    delta
}

fn setting(name: &str, default: u64) -> u64 {
    #[expect(clippy::disallowed_methods, reason = "a long run is asked for in the environment")]
    let text = std::env::var(name);
    text.ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// `itmd` that leaves nothing agrees with `pass` in every bit, `itmd` with a budget within it, and
/// all with the oracle within their bounds; subscribers with what is read.
fn walk(equation: Equation, n_steps: u64, seed: u64) {
    let mut random = Random(seed);
    let mut spec = spec(equation, 1 + random.below(150), 1 + random.below(80));
    spec.n_steps = 1 + random.below(2);
    let mut kernels = [0; 3].map(|_| compile(&spec));
    let mut model = Model::new(spec);
    let mut heard = vec![f64::NAN; spec.n_cells()];
    // Some values that are set once, and a long rest in between.
    for at in 0..n_steps {
        let what = format!("{equation:?}, seed {seed}, step {at}");
        let is_set = at % 20 == 0 || seed.is_multiple_of(2);
        let delta = if is_set { random_delta(&mut random, &spec) } else { PdeDelta::default() };
        let emit = [Emit::Changed, Emit::All, Emit::Eps(0.0), Emit::Pull][random.below(4)];
        model.take(&delta);
        let (report, _) = follow(&mut kernels[0], step(&delta, Mode::Pass, Emit::Pull, 0.0));
        check(&mut kernels[0], &model, &report, &what);
        let mode = if random.below(10) == 0 { Mode::Pass } else { Mode::Itmd };
        // Without a bound there is nothing to spend.
        let error_max = [0.0, f64::INFINITY][random.below(2)];
        let (report, rows) = follow(&mut kernels[1], step(&delta, mode, emit, error_max));
        let exact = bits(&mut kernels[0]);
        assert_eq!(bits(&mut kernels[1]), exact, "{what}");
        check(&mut kernels[1], &model, &report, &what);
        for at in 0..rows.u.len() {
            let [x, y] = [rows.x[at], rows.y[at]].map(|at| usize::try_from(at).unwrap());
            heard[y * spec.width + x] = rows.u[at];
        }
        if emit != Emit::Pull {
            let heard: Vec<u64> = heard.iter().map(|u| u.to_bits()).collect();
            assert_eq!(heard, exact, "{what}");
        }
        let (report, _) = follow(&mut kernels[2], step(&delta, Mode::Itmd, Emit::Pull, 1e-3));
        check(&mut kernels[2], &model, &report, &what);
        assert!(equation != Equation::Heat || report.error_max <= 1e-3, "{what}: {report:?}");
    }
}

#[test]
fn modes_agree_in_every_bit_and_with_the_oracle() {
    let (n_steps, seed) = (setting("ARQON_CASES", 10_000), setting("ARQON_SEED", 1));
    for (salt, equation) in (0_u64..).zip(EQUATIONS) {
        for part in 0..20 {
            walk(equation, n_steps / 60, seed * 1_000 + salt * 20 + part);
        }
    }
}

/// Runs of cells that are set at a time, across tiles, backward, downward and twice.
#[test]
fn cells_may_be_set_in_any_order() {
    for equation in EQUATIONS {
        let spec = spec(equation, 150, 70);
        let (mut kernel, mut model) = (compile(&spec), Model::new(spec));
        let mut random = Random(21);
        let rows: Vec<[i64; 2]> = (0..70).flat_map(|y| (3..149).map(move |x| [x, y])).collect();
        let columns = rows.iter().map(|[x, y]| [*y, *x % 70]).collect();
        let backward = rows.iter().rev().copied().collect();
        let twice = [&rows[..400], &rows[100..600]].concat();
        let most_twice = [&rows[..], &rows[2_000..7_000]].concat();
        for cells in [rows, columns, backward, twice, most_twice] {
            let mut delta = PdeDelta::default();
            for cell in &cells {
                delta.push(*cell, random.value());
            }
            model.take(&delta);
            let (report, _) = follow(&mut kernel, step(&delta, Mode::Itmd, Emit::Pull, 0.0));
            check(&mut kernel, &model, &report, "cells in some order");
        }
    }
}

#[test]
fn a_step_of_two_is_two_steps() {
    for equation in EQUATIONS {
        let one = spec(equation, 90, 70);
        let two = PdeSpec { n_steps: 2, ..one };
        let (mut one, mut two) = (compile(&one), compile(&two));
        let mut random = Random(5);
        for _ in 0..30 {
            let delta = random_delta(&mut random, &one.spec);
            follow(&mut one, step(&delta, Mode::Itmd, Emit::Pull, 0.0));
            follow(&mut one, step(&PdeDelta::default(), Mode::Itmd, Emit::Pull, 0.0));
            follow(&mut two, step(&delta, Mode::Itmd, Emit::Pull, 0.0));
            assert_eq!(bits(&mut one), bits(&mut two));
        }
    }
}

#[test]
fn a_shock_moves_at_its_speed() {
    // A jump from 1 to 0 along x moves at 1/2; in 400 steps of 0.4 that is 80 cells.
    let shock = PdeSpec { dt: 0.4, coefficient: 1e-3, ..spec(Equation::Burgers, 300, 96) };
    let mut delta = PdeDelta::default();
    for y in 0..96 {
        (0..100).for_each(|x| delta.push([x, y], 1.0));
    }
    let (mut itmd, mut pass) = (compile(&shock), compile(&shock));
    let mut model = Model::new(shock);
    for at in 0..120 {
        model.take(&delta);
        let (report, _) = follow(&mut itmd, step(&delta, Mode::Itmd, Emit::Pull, 0.0));
        follow(&mut pass, step(&delta, Mode::Pass, Emit::Pull, 0.0));
        assert_eq!(bits(&mut itmd), bits(&mut pass), "step {at}");
        check(&mut itmd, &model, &report, "a shock");
        // Rows 40 and up are not reached by the boundary; what flows in on the left is held.
        let row = &model.now[90];
        assert!(row.iter().all(|u| (-1e-12..=1.0 + 1e-12).contains(u)), "nothing overshoots");
        delta = PdeDelta::default();
        (0..96).for_each(|y| delta.push([0, y], 1.0));
        (0..300).for_each(|x| delta.push([x, 0], if x < 100 { 1.0 } else { 0.0 }));
    }
    let front = model.now[90].iter().position(|u| *u < 0.5).unwrap();
    assert!((120..=128).contains(&front), "the front is at {front}, not 124");
}

#[test]
fn a_grid_at_rest_costs_next_to_nothing() {
    let mut kernel = compile(&spec(Equation::Heat, 640, 640));
    let mut delta = PdeDelta::default();
    delta.push([320, 320], 1.0);
    let (report, _) = follow(&mut kernel, step(&delta, Mode::Itmd, Emit::Pull, 0.0));
    let all = 640 * 640 * CELL_WORK;
    assert!(report.work < all / 20, "{report:?}");
    // What is left for the budget stays left: after a while only tiles near the source move.
    let rest = || step(&PdeDelta::default(), Mode::Itmd, Emit::Pull, 1e-2);
    for _ in 0..300 {
        let (report, _) = follow(&mut kernel, rest());
        assert!(report.error_max <= 1e-2);
    }
    let (report, _) = follow(&mut kernel, rest());
    assert!(report.work < all / 8, "{report:?}");
}

#[test]
fn what_is_saved_goes_on_with_the_same_bits() {
    for equation in EQUATIONS {
        let spec = spec(equation, 130, 70);
        let mut kernel = compile(&spec);
        let mut random = Random(9);
        for at in 0..40 {
            let delta = random_delta(&mut random, &spec);
            let emit = if at % 3 == 0 { Emit::Pull } else { Emit::Eps(1e-4) };
            let next = step(&delta, Mode::Itmd, emit, 1e-3);
            let mut bytes = Vec::new();
            kernel.save(&mut bytes).unwrap();
            let mut loaded = PdeSolver::load(&mut bytes.as_slice()).unwrap();
            let wanted = follow(&mut kernel, next.clone());
            assert_eq!(follow(&mut loaded, next), wanted, "{equation:?} {at}");
            let (mut one, mut other) = (Vec::new(), Vec::new());
            loaded.save(&mut one).unwrap();
            kernel.save(&mut other).unwrap();
            assert!(one == other, "{equation:?} {at}");
        }
        let mut bytes = Vec::new();
        kernel.save(&mut bytes).unwrap();
        for at in (0..bytes.len()).step_by(997) {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            assert!(PdeSolver::load(&mut damaged.as_slice()).is_err(), "byte {at}");
        }
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let fine = spec(Equation::Heat, 8, 4);
    let faults = [
        PdeSpec { width: 0, ..fine },
        PdeSpec { height: 1 << 17, ..fine },
        PdeSpec { width: 1 << 16, height: 1 << 16, ..fine },
        PdeSpec { n_steps: 0, ..fine },
        PdeSpec { dt: f64::NAN, ..fine },
        PdeSpec { dx: 0.0, ..fine },
        PdeSpec { coefficient: f64::INFINITY, ..fine },
        // Beyond what is stable.
        PdeSpec { dt: 0.51, ..fine },
        PdeSpec { equation: Equation::Wave, dt: 1.42, ..fine },
        PdeSpec { equation: Equation::Burgers, dt: 0.49, ..fine },
        PdeSpec { dt: 1e-200, coefficient: 1e-200, ..fine },
    ];
    for spec in faults {
        assert!(PdeSolver::compile(&spec).is_err(), "{spec:?}");
    }
    let mut kernel = compile(&PdeSpec { equation: Equation::Burgers, ..fine });
    let fault = |cell, u| {
        let mut delta = PdeDelta::default();
        delta.push(cell, u);
        kernel.measure(delta).unwrap_err().to_string()
    };
    assert_eq!(fault([8, 0], 1.0), "x 8 is not among 8");
    assert_eq!(fault([0, -1], 1.0), "y -1 is not among 4");
    assert_eq!(fault([0, 0], f64::NAN), "u has an entry that is no finite number");
    assert_eq!(fault([0, 0], f64::NEG_INFINITY), "u has an entry that is no finite number");
    assert_eq!(fault([0, 0], 5.0), "u has an entry that is not small enough for `dt`");
    let short = PdeDelta { x: vec![1], y: vec![], u: vec![0.0] };
    assert_eq!(kernel.measure(short).unwrap_err().to_string(), "y has 0 entries, and not 1");
    let (report, _) = follow(&mut kernel, step(&PdeDelta::default(), Mode::Itmd, Emit::Pull, 0.0));
    assert_eq!(report.churn.n_changed, 0);
}
