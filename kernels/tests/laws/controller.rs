//! The controller over invented machines, whose costs are known, and over a real kernel.

use std::task::Poll;

use arqon_kernels::{
    Controller, Decision, Emit, Kernel, Limits, LinearOutput, MODES, Mode, Prediction,
    REFRESH_SHARE, Reason, Refresh, SnapshotReader, SnapshotWriter, Step,
};

use crate::harness::{Subject, Trial};
use crate::linear::DenseDouble;
use crate::random::Random;
use crate::walks::setting;

/// What a step of each mode takes on an invented machine, in seconds.
struct Machine {
    pass: f64,
    itmd_fixed: f64,
    itmd_each: f64,
    rr: f64,
    miss_share: f64,
}

const N: f64 = 4096.0;

impl Machine {
    const USUAL: Self =
        Self { pass: 2e-3, itmd_fixed: 1e-6, itmd_each: 0.75e-6, rr: 60e-6, miss_share: 0.02 };

    fn seconds(&self, mode: Mode, changed: f64, random: &mut Random) -> f64 {
        let exact = match mode {
            Mode::Pass => self.pass,
            Mode::Itmd => self.itmd_fixed + self.itmd_each * changed,
            Mode::Rr if random.happens(self.miss_share) => self.rr + self.pass,
            Mode::Rr => self.rr,
        };
        exact * (0.97 + 0.06 * random.unit())
    }

    fn mean(&self, mode: Mode, changed: f64) -> f64 {
        match mode {
            Mode::Pass => self.pass,
            Mode::Itmd => self.itmd_fixed + self.itmd_each * changed,
            Mode::Rr => self.rr + self.miss_share * self.pass,
        }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
fn offers(changed: f64, has_rr: bool) -> [Option<Prediction>; 3] {
    let offer = |work: f64| Some(Prediction { work: work as u64, error_max: 0.0 });
    let rr = if has_rr { offer(4.0 * 64.0 * N) } else { None };
    [offer(2.0 * N * N), offer(2.0 * N * changed), rr]
}

fn limits(modes: &[Mode]) -> Limits {
    Limits { modes: modes.to_vec(), error_max: 1.0, seconds_max: f64::INFINITY }
}

/// Seconds against the best mode of each step, and switches of mode.
fn regret(
    machine: impl Fn(usize) -> Machine,
    churn: impl Fn(usize) -> f64,
    steps: usize,
    has_rr: bool,
    seed: u64,
) -> (f64, usize) {
    let mut random = Random(seed);
    let mut controller = Controller::new(limits(&MODES));
    let (mut ours, mut best, mut switches) = (0.0, 0.0, 0);
    let mut last = Mode::Pass;
    for step in 0..steps {
        let (machine, changed) = (machine(step), (churn(step) * N).ceil());
        let offers = offers(changed, has_rr);
        let decision = controller.decide(&offers);
        let seconds = machine.seconds(decision.mode, changed, &mut random);
        controller.observe(decision.mode, offers[decision.mode.index()].unwrap().work, seconds);
        ours += seconds;
        let modes = if has_rr { &MODES[..] } else { &MODES[..2] };
        best += modes.iter().map(|mode| machine.mean(*mode, changed)).fold(f64::MAX, f64::min);
        switches += usize::from(decision.mode != last);
        last = decision.mode;
    }
    (ours / best, switches)
}

#[test]
fn total_time_is_near_the_best_of_each_step() {
    for seed in 1..=10 {
        for has_rr in [false, true] {
            for churn in [0.0, 1e-4, 1e-3, 1e-2, 0.1, 0.3, 1.0] {
                let (ratio, _) = regret(|_| Machine::USUAL, |_| churn, 20_000, has_rr, seed);
                assert!(ratio <= 1.1, "p {churn}, rr {has_rr}, seed {seed}: {ratio}");
            }
            let regimes = [1e-3, 1.0, 1e-2, 0.3, 1e-4, 0.7];
            let churn = |step: usize| regimes[step / 400 % regimes.len()];
            let (ratio, _) = regret(|_| Machine::USUAL, churn, 12_000, has_rr, seed);
            assert!(ratio <= 1.1, "regimes, rr {has_rr}, seed {seed}: {ratio}");
        }
    }
}

#[test]
fn a_machine_that_changes_is_noticed() {
    for seed in 1..=10 {
        // From the middle on, memory is four times as slow, and itmd is hardly touched by it.
        let machine =
            |step: usize| Machine { pass: if step < 3000 { 2e-3 } else { 8e-3 }, ..Machine::USUAL };
        let (ratio, _) = regret(machine, |_| 0.8, 6000, false, seed);
        assert!(ratio <= 1.1, "seed {seed}: {ratio}");
        // rr stops finding anything.
        let machine = |step: usize| Machine {
            miss_share: if step < 3000 { 0.0 } else { 1.0 },
            ..Machine::USUAL
        };
        let (ratio, _) = regret(machine, |_| 1.0, 6000, true, seed);
        assert!(ratio <= 1.1, "rr that misses, seed {seed}: {ratio}");
    }
}

#[test]
fn churn_that_swings_makes_no_flapping() {
    for seed in 1..=10 {
        // Where both modes cost the same, to the tenth part.
        let equal = (Machine::USUAL.pass - Machine::USUAL.itmd_fixed) / Machine::USUAL.itmd_each;
        let churn = |step: usize| equal / N * if step.is_multiple_of(2) { 0.93 } else { 1.07 };
        let (ratio, switches) = regret(|_| Machine::USUAL, churn, 5000, false, seed);
        assert!(ratio <= 1.1, "seed {seed}: {ratio}");
        assert!(switches <= 100, "seed {seed}: {switches} switches");
        // Where they differ by far, every step takes its own.
        let churn = |step: usize| if step.is_multiple_of(2) { 1e-3 } else { 1.0 };
        let (ratio, _) = regret(|_| Machine::USUAL, churn, 5000, false, seed);
        assert!(ratio <= 1.1, "far apart, seed {seed}: {ratio}");
    }
}

#[test]
fn limits_are_kept_or_it_is_said() {
    let offer = |work, error_max| Some(Prediction { work, error_max });
    let mut controller = Controller::new(Limits {
        modes: vec![Mode::Pass, Mode::Itmd],
        error_max: 1.0,
        seconds_max: 1e-3,
    });
    controller.observe(Mode::Pass, 1 << 20, 1e-2);
    controller.observe(Mode::Itmd, 1 << 10, 1e-5);
    // The cheapest is too far off.
    let decision = controller.decide(&[offer(1 << 20, 0.0), offer(1 << 10, 2.0), offer(1, 0.0)]);
    assert_eq!((decision.mode, decision.is_violated), (Mode::Pass, true));
    // It drifts: first bit by bit, then all of it.
    let decision = controller.decide(&[offer(1 << 20, 0.0), offer(1 << 10, 0.6), None]);
    assert_eq!((decision.mode, decision.refresh), (Mode::Itmd, Refresh::Share));
    controller.observe(Mode::Pass, 1 << 10, 1e-5);
    let decision = controller.decide(&[offer(1 << 10, 0.0), offer(1 << 10, 0.95), None]);
    assert_eq!((decision.mode, decision.reason), (Mode::Pass, Reason::Drifted));
    // Whoever asks from outside wins, and it is said what that breaks.
    controller.ask(Some(Mode::Itmd));
    let decision = controller.decide(&[offer(1 << 10, 0.0), offer(1 << 10, 2.0), None]);
    assert_eq!((decision.mode, decision.reason), (Mode::Itmd, Reason::External));
    assert!(decision.is_violated);
    // Nobody wins a mode that may not be taken.
    controller.ask(Some(Mode::Rr));
    let decision = controller.decide(&[offer(1 << 10, 0.0), offer(1 << 10, 2.0), offer(1, 0.0)]);
    assert_eq!((decision.mode, decision.is_violated), (Mode::Pass, false));
}

fn step(trial: &mut Trial<DenseDouble>, decision: Decision, emit: Emit) -> (f64, LinearOutput) {
    let delta = trial.model.change(&mut trial.random);
    let mut output = LinearOutput::default();
    let delta = trial.kernel.measure(delta).unwrap();
    trial.kernel.begin(Step { delta, mode: decision.mode, emit, error_max: 1e-2 });
    let report = loop {
        if let Poll::Ready(report) = trial.kernel.advance(1 << 16, &mut output) {
            break report;
        }
    };
    if decision.refresh == Refresh::Share {
        trial.kernel.refresh(REFRESH_SHARE);
    }
    (report.error_max, output)
}

#[test]
fn a_thousand_random_switches_lose_no_change() {
    let mut trial = Trial::<DenseDouble>::new(setting("ARQON_SEED", 3));
    let mut mode = Mode::Pass;
    let mut switches = 0;
    while switches < setting("ARQON_CASES", 1000) {
        let next = MODES[trial.random.below(3)];
        switches += u64::from(next != mode);
        mode = next;
        let emit = [Emit::All, Emit::Pull, Emit::Changed][trial.random.below(3)];
        trial.step(mode, emit);
        trial.check("a switch of mode");
    }
}

#[test]
fn decisions_that_are_replayed_give_the_same_bits() {
    for seed in 1..=5 {
        let mut trial = Trial::<DenseDouble>::new(seed);
        let mut controller = Controller::new(Limits {
            modes: MODES.to_vec(),
            error_max: 1e-2,
            seconds_max: f64::INFINITY,
        });
        let mut clock = Random(seed + 77);
        let (mut journal, mut outputs) = (Vec::new(), Vec::new());
        for _ in 0..200 {
            // Looking ahead at the change without taking it.
            let delta = trial.model.clone().change(&mut trial.random.clone());
            let delta = trial.kernel.measure(delta).unwrap();
            let churn = delta.churn();
            let offers = MODES.map(|mode| trial.kernel.predict(mode, churn, Emit::All));
            let decision = controller.decide(&offers);
            let (error, output) = step(&mut trial, decision, Emit::All);
            assert!(decision.is_violated || error <= 1e-2, "seed {seed}: {decision:?} {error:e}");
            let work = offers[decision.mode.index()].unwrap().work;
            controller.observe(decision.mode, work, clock.unit() * 1e-3);
            journal.push(decision);
            outputs.push(output);
        }
        let mut again = Trial::<DenseDouble>::new(seed);
        for (decision, output) in journal.iter().zip(&outputs) {
            assert_eq!(&step(&mut again, *decision, Emit::All).1, output);
        }
        let saved = [&trial, &again].map(|trial| {
            let mut bytes = Vec::new();
            trial.kernel.save(&mut bytes).unwrap();
            bytes
        });
        assert!(saved[0] == saved[1], "seed {seed}: the states differ");
    }
}

#[test]
fn a_controller_that_is_loaded_decides_the_same() {
    let limits = || Limits { modes: MODES.to_vec(), error_max: 1e-2, seconds_max: f64::INFINITY };
    let mut random = Random(setting("ARQON_SEED", 5));
    let offers = |random: &mut Random| {
        [(); 3].map(|()| {
            let work = 1 << random.below(30);
            (random.below(5) != 0).then(|| Prediction { work, error_max: random.unit() * 2e-2 })
        })
    };
    let mut controller = Controller::new(limits());
    for step in 0..2000 {
        if step % 37 == 0 {
            let mut bytes = Vec::new();
            let mut writer = SnapshotWriter::new(&mut bytes, "controller").unwrap();
            controller.save(&mut writer).unwrap();
            let mut input = bytes.as_slice();
            let mut reader = SnapshotReader::new(&mut input, "controller").unwrap();
            let loaded = Controller::load(limits(), &mut reader).unwrap();
            assert_eq!(loaded, controller);
            controller = loaded;
            let cut = random.below(bytes.len());
            let mut input = &bytes[..cut];
            let cut = SnapshotReader::new(&mut input, "controller")
                .and_then(|mut reader| Controller::load(limits(), &mut reader));
            assert!(cut.is_err());
        }
        if random.below(20) == 0 {
            controller.ask((random.below(2) == 0).then(|| MODES[random.below(3)]));
        }
        let offers = offers(&mut random);
        let decision = controller.decide(&offers);
        let Some(offer) = offers[decision.mode.index()] else { continue };
        controller.observe(decision.mode, offer.work, random.unit());
    }
}
