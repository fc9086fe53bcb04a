//! The laws of all kernels, tried on one kernel through its [`Subject`]: a model of the inputs that
//! draws changes and computes the answer the slow obvious way.
//!
//! `try_all(seeds)` tries every law; a failure names law, seed and step.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::task::Poll;

use arqon_kernels::{Emit, Kernel, MODES, Measured, Mode, Report, Sample, Step};

use crate::random::Random;

/// A model of a kernel's inputs.
pub(crate) trait Subject: Clone + Send {
    /// The kernel.
    type Kernel: Kernel<Delta: Clone, Output: Clone + PartialEq + Debug + Send>;
    /// What its output rows are called by.
    type Key: Ord + Clone + Debug;

    /// A shape drawn from the seed, and empty inputs.
    fn new(random: &mut Random) -> Self;

    /// What the kernel of this shape is compiled of.
    fn spec(&self) -> <Self::Kernel as Kernel>::Spec;

    /// Draws a change of the inputs and takes it.
    fn change(&mut self, random: &mut Random) -> <Self::Kernel as Kernel>::Delta;

    /// The change that leads from `before` to these inputs.
    fn since(&self, before: &Self) -> <Self::Kernel as Kernel>::Delta;

    /// All output rows, in `f64` by plain loops.
    fn answer(&self) -> BTreeMap<Self::Key, Vec<f64>>;

    /// The rows that a kernel put out.
    fn rows(output: &<Self::Kernel as Kernel>::Output) -> BTreeMap<Self::Key, Vec<f64>>;

    /// How far `rr` may be off in these trials.
    fn error_max(&self) -> f64 {
        0.05
    }

    /// What the reference itself may be off by, for an answer of this size.
    fn slack(&self, size: f64) -> f64 {
        1e-13 * size
    }

    /// What is not told from no error at all, for answers of this size, when a bound is held
    /// against the error: eight roundings, or four units in the last place.
    fn floor(&self, size: f64) -> f64 {
        4.0 * f64::EPSILON * size
    }

    /// By how much a bound may exceed the largest true error over some ten steps.
    fn looseness(&self) -> f64 {
        LOOSENESS
    }
}

/// A bound is of use when it is at most so many times the error.
const LOOSENESS: f64 = 100.0;

/// Steps of one trial.
const STEPS: usize = 12;

/// Work so small that every step is cut wherever it can be.
const TINY: u64 = 1;

/// Tries every law with this many seeds.
pub(crate) fn try_all<S: Subject>(seeds: u64) {
    for seed in 1..=seeds {
        every_step_is_within_its_bound::<S>(seed);
        two_steps_are_one_of_both::<S>(seed);
        a_change_and_its_reverse_leave_nothing::<S>(seed);
        what_is_saved_goes_on_with_the_same_bits::<S>(seed);
        work_in_grains_gives_the_same_bits::<S>(seed);
        threads_share_the_work_and_give_the_same_bits::<S>(seed);
        what_was_said_is_within_the_bound::<S>(seed);
        modes_take_turns_and_lose_nothing::<S>(seed);
        what_was_measured_elsewhere_is_measured_again::<S>(seed);
    }
}

/// Tries with this many seeds the laws that hold where each step is one in time, too: what was is
/// not kept, so a change cannot be taken back.
pub(crate) fn try_in_time<S: Subject>(seeds: u64) {
    for seed in 1..=seeds {
        every_step_is_within_its_bound::<S>(seed);
        what_is_saved_goes_on_with_the_same_bits::<S>(seed);
        work_in_grains_gives_the_same_bits::<S>(seed);
        threads_share_the_work_and_give_the_same_bits::<S>(seed);
        what_was_said_is_within_the_bound::<S>(seed);
        modes_take_turns_and_lose_nothing::<S>(seed);
        what_was_measured_elsewhere_is_measured_again::<S>(seed);
    }
}

/// The kernel with its inputs, and the model of these inputs.
pub(crate) struct Trial<S: Subject> {
    pub(crate) kernel: S::Kernel,
    pub(crate) model: S,
    pub(crate) random: Random,
}

impl<S: Subject> Trial<S> {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        let model = S::new(&mut random);
        let kernel = S::Kernel::compile(&model.spec()).unwrap();
        Self { kernel, model, random }
    }

    /// Draws a change and follows it in this mode, or `pass` where this one is closed.
    pub(crate) fn step(
        &mut self,
        mode: Mode,
        emit: Emit,
    ) -> (Report, <S::Kernel as Kernel>::Output) {
        let delta = self.model.change(&mut self.random);
        self.follow(delta, mode, emit)
    }

    pub(crate) fn follow(
        &mut self,
        delta: <S::Kernel as Kernel>::Delta,
        mode: Mode,
        emit: Emit,
    ) -> (Report, <S::Kernel as Kernel>::Output) {
        let step = plan::<S>(&self.kernel, delta, mode, emit, self.model.error_max());
        follow::<S>(&mut self.kernel, step, u64::MAX)
    }

    /// All rows as they are now, and their bound.
    pub(crate) fn read(&mut self) -> (BTreeMap<S::Key, Vec<f64>>, f64) {
        read::<S>(&mut self.kernel)
    }

    /// The largest error of all rows, after it was held against the bound.
    pub(crate) fn check(&mut self, law: &str) -> (f64, f64) {
        let (rows, bound) = self.read();
        let answer = self.model.answer();
        assert_eq!(
            rows.keys().collect::<Vec<_>>(),
            answer.keys().collect::<Vec<_>>(),
            "{law}: the keys"
        );
        let (error, size) = difference(&rows, &answer);
        assert!(
            error <= bound + self.model.slack(size),
            "{law}: off by {error:e}, said to be at most {bound:e}"
        );
        (error, bound)
    }
}

fn plan<S: Subject>(
    kernel: &S::Kernel,
    delta: <S::Kernel as Kernel>::Delta,
    mode: Mode,
    emit: Emit,
    error_max: f64,
) -> Step<Measured<S::Kernel>> {
    let delta = kernel.measure(delta).unwrap();
    let mode = kernel.predict(mode, delta.churn(), emit).map_or(Mode::Pass, |_| mode);
    Step { delta, mode, emit, error_max }
}

fn follow<S: Subject>(
    kernel: &mut S::Kernel,
    step: Step<Measured<S::Kernel>>,
    work: u64,
) -> (Report, <S::Kernel as Kernel>::Output) {
    let mut output = <S::Kernel as Kernel>::Output::default();
    kernel.begin(step);
    for _ in 0..10_000_000 {
        if let Poll::Ready(report) = kernel.advance(work, &mut output) {
            return (report, output);
        }
    }
    panic!("a step does not end");
}

fn read<S: Subject>(kernel: &mut S::Kernel) -> (BTreeMap<S::Key, Vec<f64>>, f64) {
    let keys = kernel.keys();
    let mut output = <S::Kernel as Kernel>::Output::default();
    let bound = kernel.read(&keys, &mut output);
    (S::rows(&output), bound)
}

/// The largest difference between rows of equal keys, and the largest entry.
pub(crate) fn difference<K: Ord + Debug>(
    rows: &BTreeMap<K, Vec<f64>>,
    answer: &BTreeMap<K, Vec<f64>>,
) -> (f64, f64) {
    let (mut error, mut size) = (0.0_f64, 0.0_f64);
    for (key, wanted) in answer {
        let row = rows.get(key).unwrap_or_else(|| panic!("no row {key:?}"));
        assert_eq!(row.len(), wanted.len(), "the length of row {key:?}");
        for (found, wanted) in row.iter().zip(wanted) {
            assert!(found.is_finite(), "row {key:?} has {found}");
            error = error.max((found - wanted).abs());
            size = size.max(wanted.abs());
        }
    }
    (error, size)
}

fn saved(kernel: &impl Kernel) -> Vec<u8> {
    let mut bytes = Vec::new();
    kernel.save(&mut bytes).unwrap();
    bytes
}

/// After every step of every mode, what is read is within the bound that is told with it, and the
/// bound is of use. So `itmd` and then a read equals `pass`, within the two bounds.
#[expect(clippy::print_stdout, reason = "how much of use is measured, and told where it is asked")]
fn every_step_is_within_its_bound<S: Subject>(seed: u64) {
    for mode in MODES {
        let mut trial = Trial::<S>::new(seed);
        let (mut error_most, mut bound_most, mut size) = (0.0_f64, 0.0_f64, 0.0_f64);
        for step in 0..STEPS {
            let law = format!("{mode} within its bound, seed {seed}, step {step}");
            let (report, _) = trial.step(mode, Emit::All);
            let (error, bound) = trial.check(&law);
            assert!(bound <= report.error_max, "{law}: read {bound:e} and said {report:?}");
            if mode == Mode::Rr {
                let allowed = trial.model.error_max();
                assert!(report.error_max <= allowed, "{law}: {report:?} over {allowed:e}");
            }
            let probe = trial.kernel.certify(Sample { n_rows: 1000, seed });
            assert!(probe.error <= probe.error_max, "{law}: {probe:?}");
            error_most = error_most.max(error);
            bound_most = bound_most.max(bound);
            let answer = trial.model.answer();
            size = answer.values().flatten().fold(size, |a, b| a.max(b.abs()));
        }
        let least = error_most + trial.model.floor(size);
        if 0.0 < bound_most {
            let name = std::any::type_name::<S>();
            let times = bound_most / least;
            println!(
                "{name}, {mode}, seed {seed}: {times:.1} times {error_most:e}, {size:e} large"
            );
        }
        let useful = trial.model.looseness() * least;
        // What `rr` may be off by was given to it.
        assert!(
            mode == Mode::Rr || bound_most <= useful,
            "{mode}, seed {seed}: the bound {bound_most:e} of an error of {error_most:e}"
        );
    }
}

/// Two steps come to the same as one of both changes.
fn two_steps_are_one_of_both<S: Subject>(seed: u64) {
    for mode in MODES {
        let mut apart = Trial::<S>::new(seed);
        let mut at_once = Trial::<S>::new(seed);
        for step in 0..STEPS / 2 {
            let law = format!("{mode} twice is once, seed {seed}, step {step}");
            apart.step(mode, Emit::All);
            apart.step(mode, Emit::All);
            let delta = apart.model.since(&at_once.model);
            at_once.model = apart.model.clone();
            at_once.follow(delta, mode, Emit::All);
            apart.check(&law);
            at_once.check(&law);
        }
    }
}

/// A change and its reverse leave the output where it was.
fn a_change_and_its_reverse_leave_nothing<S: Subject>(seed: u64) {
    for mode in MODES {
        let mut trial = Trial::<S>::new(seed);
        for step in 0..STEPS / 2 {
            let law = format!("{mode} and back, seed {seed}, step {step}");
            trial.step(mode, Emit::All);
            let (before, bound_before) = trial.read();
            let model = trial.model.clone();
            trial.step(mode, Emit::All);
            let back = model.since(&trial.model);
            trial.model = model;
            trial.follow(back, mode, Emit::All);
            let (_, bound) = trial.check(&law);
            let (rows, _) = trial.read();
            let (difference, size) = difference(&rows, &before);
            let allowed = bound + bound_before + trial.model.slack(size);
            assert!(difference <= allowed, "{law}: {difference:e} and not {allowed:e}");
            trial.step(mode, Emit::All);
        }
    }
}

/// What is loaded goes on with the same bits, and is saved as the same bytes; damage is told.
fn what_is_saved_goes_on_with_the_same_bits<S: Subject>(seed: u64) {
    for mode in MODES {
        let mut trial = Trial::<S>::new(seed);
        (0..3).for_each(|_| drop(trial.step(mode, Emit::Pull)));
        let bytes = saved(&trial.kernel);
        let mut loaded = S::Kernel::load(&mut bytes.as_slice()).unwrap();
        assert_eq!(saved(&loaded), bytes, "{mode}, seed {seed}: saved again");
        for step in 0..STEPS / 2 {
            let law = format!("{mode} after loading, seed {seed}, step {step}");
            let emit = if step % 2 == 0 { Emit::All } else { Emit::Pull };
            let delta = trial.model.change(&mut trial.random);
            let allowed = trial.model.error_max();
            let ours = plan::<S>(&trial.kernel, delta.clone(), mode, emit, allowed);
            let theirs = plan::<S>(&loaded, delta, mode, emit, allowed);
            let ours = follow::<S>(&mut trial.kernel, ours, u64::MAX);
            assert_eq!(ours, follow::<S>(&mut loaded, theirs, u64::MAX), "{law}");
            if step % 3 == 2 {
                assert_eq!(read::<S>(&mut trial.kernel), read::<S>(&mut loaded), "{law}");
            }
            assert!(saved(&trial.kernel) == saved(&loaded), "{law}: the bytes differ");
        }
        let mut random = Random(seed);
        for _ in 0..20 {
            let at = random.below(bytes.len());
            let mut damaged = bytes.clone();
            damaged[at] ^= 1 << random.below(8);
            assert!(S::Kernel::load(&mut damaged.as_slice()).is_err(), "byte {at} was changed");
            assert!(S::Kernel::load(&mut &bytes[..at]).is_err(), "cut at {at}");
        }
    }
}

/// However the work is cut, the output and the state have the same bits.
fn work_in_grains_gives_the_same_bits<S: Subject>(seed: u64) {
    for mode in MODES {
        let mut whole = Trial::<S>::new(seed);
        let mut cut = Trial::<S>::new(seed);
        for step in 0..STEPS / 2 {
            let law = format!("{mode} in grains, seed {seed}, step {step}");
            let emit = [Emit::All, Emit::Pull, Emit::Changed][step % 3];
            let delta = whole.model.change(&mut whole.random);
            let allowed = whole.model.error_max();
            let ours = plan::<S>(&whole.kernel, delta.clone(), mode, emit, allowed);
            let theirs = plan::<S>(&cut.kernel, delta, mode, emit, allowed);
            let ours = follow::<S>(&mut whole.kernel, ours, u64::MAX);
            let theirs = follow::<S>(&mut cut.kernel, theirs, TINY);
            assert_eq!(ours, theirs, "{law}");
            assert!(saved(&whole.kernel) == saved(&cut.kernel), "{law}: the states differ");
        }
    }
}

/// However many threads share the work, the outputs and the states have the same bits.
fn threads_share_the_work_and_give_the_same_bits<S: Subject>(seed: u64) {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
    for mode in MODES {
        let mut alone = Trial::<S>::new(seed);
        let mut shared = Trial::<S>::new(seed);
        for step in 0..STEPS / 2 {
            let law = format!("{mode} on three threads, seed {seed}, step {step}");
            let emit = [Emit::All, Emit::Eps(0.5), Emit::Changed][step % 3];
            let ours = alone.step(mode, emit);
            let theirs = pool.install(|| shared.step(mode, emit));
            assert_eq!(ours, theirs, "{law}");
            assert!(saved(&alone.kernel) == saved(&shared.kernel), "{law}: the states differ");
        }
    }
}

/// Whoever folds what is put out is no further off than the bound says: of all rows under `all`
/// and `eps`, of those that are put out under `changed`; under `pull` nothing is put out.
fn what_was_said_is_within_the_bound<S: Subject>(seed: u64) {
    for mode in MODES {
        for emit in [Emit::All, Emit::Eps(0.5), Emit::Changed, Emit::Pull] {
            let mut trial = Trial::<S>::new(seed);
            let mut said: BTreeMap<S::Key, Vec<f64>> = BTreeMap::new();
            let mut bound_most = 0.0_f64;
            for step in 0..STEPS {
                let law = format!("{mode} under {emit:?}, seed {seed}, step {step}");
                let (report, output) = trial.step(mode, emit);
                let rows = S::rows(&output);
                assert_eq!(rows.len(), report.n_emitted, "{law}: how many were put out");
                let answer = trial.model.answer();
                said.retain(|key, _| answer.contains_key(key));
                said.extend(rows.clone());
                let wanted: BTreeMap<S::Key, Vec<f64>> = match emit {
                    Emit::All | Emit::Eps(_) => answer,
                    Emit::Changed | Emit::Pull => {
                        answer.into_iter().filter(|(key, _)| rows.contains_key(key)).collect()
                    }
                };
                let (error, size) = difference(&said, &wanted);
                let bound = report.error_max + trial.model.slack(size);
                assert!(error <= bound, "{law}: off by {error:e}, said to be {bound:e}");
                assert!(emit != Emit::Pull || rows.is_empty(), "{law}: {rows:?}");
                bound_most = bound_most.max(trial.read().1);
                if let Emit::Eps(eps) = emit {
                    let most = (eps + bound_most) * (1.0 + 1e-6);
                    assert!(report.error_max <= most, "{law}: {report:?} over {most:e}");
                }
            }
        }
    }
}

/// Modes and policies that change at random at every step lose no change.
fn modes_take_turns_and_lose_nothing<S: Subject>(seed: u64) {
    let mut trial = Trial::<S>::new(seed);
    let policies = [Emit::All, Emit::Pull, Emit::Changed, Emit::Eps(0.1)];
    for step in 0..2 * STEPS {
        let mode = MODES[trial.random.below(MODES.len())];
        let emit = policies[trial.random.below(policies.len())];
        trial.step(mode, emit);
        if trial.random.happens(0.3) {
            trial.check(&format!("{mode} in turn under {emit:?}, seed {seed}, step {step}"));
        }
        if trial.random.happens(0.1) {
            trial.kernel.refresh(0.3);
        }
    }
    trial.check(&format!("modes in turn, seed {seed}, at the end"));
}

/// What was found of a change counts for nothing once the kernel has moved on, and in any other
/// kernel: outputs and states are those of a change that was measured just before. A change that
/// was measured and never taken leaves nothing behind.
fn what_was_measured_elsewhere_is_measured_again<S: Subject>(seed: u64) {
    for mode in MODES {
        let mut plain = Trial::<S>::new(seed);
        let mut trial = Trial::<S>::new(seed);
        for step in 0..STEPS {
            let law = format!("{mode} measured elsewhere, seed {seed}, step {step}");
            let emit = [Emit::All, Emit::Pull, Emit::Changed][step % 3];
            let allowed = plain.model.error_max();
            let first = plain.model.change(&mut plain.random);
            let delta = plain.model.change(&mut plain.random);
            let stale = match step % 3 {
                // By a kernel of the same shape that has no inputs, if it fits there.
                0 => S::Kernel::compile(&plain.model.spec()).unwrap().measure(delta.clone()),
                // Before the kernel moves on.
                1 => trial.kernel.measure(delta.clone()),
                _ => trial.kernel.measure(first.clone()),
            };
            for kernel in [&mut trial.kernel, &mut plain.kernel] {
                let there = plan::<S>(kernel, first.clone(), mode, emit, allowed);
                follow::<S>(kernel, there, u64::MAX);
            }
            let ours = plan::<S>(&plain.kernel, delta.clone(), mode, emit, allowed);
            let mut theirs = plan::<S>(&trial.kernel, delta, mode, emit, allowed);
            if let (0 | 1, Ok(stale)) = (step % 3, stale) {
                theirs.delta = stale;
            }
            let ours = follow::<S>(&mut plain.kernel, ours, u64::MAX);
            assert_eq!(ours, follow::<S>(&mut trial.kernel, theirs, u64::MAX), "{law}");
            assert!(saved(&plain.kernel) == saved(&trial.kernel), "{law}: the states differ");
        }
        plain.check("measured elsewhere");
    }
}
