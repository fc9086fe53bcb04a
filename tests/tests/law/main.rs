//! The law of the house: the sum of the deltas equals recomputation from scratch, after every
//! epoch, for any circuit, any cut into epochs, any number of workers, on both back ends.
//!
//! `ARQON_CASES` and `ARQON_SEED` choose how many cases and from which seed; `cargo xtask torture
//! B01` sets them for the long run. A failure prints the seed and the circuit.
//!
//! Beside it stand the laws of the compiler's passes, which change no answer, and those that need no
//! recomputation: the same bytes from any number of workers,
//! retractions of unknown rows that change nothing, cycles that are named.

mod runs;
mod passes;
mod together;
mod walks;
mod values;
mod sessions;
mod extremes;
mod workers;
mod unknown;
mod cycles;

use std::collections::BTreeMap;

use arqon_engine::{BackendChoice, CounterKind, Counts, Feedback, NodeCounts, RowOutput};
use arqon_plan::{DataflowPlan, Frame, Operator};
use arqon_tests::generator;
use arqon_tests::oracle::{Answer, Inputs, evaluate};
use arqon_tests::random::Random;
use arqon_tests::updates::{Message, recut, with_odd_floats};
use arqon_types::{Change, Value};

use runs::{Case, Origin, planned, run, seeds, time_of};

const CASES: u64 = 500;
/// Of circuits with windows, beside those among the others.
const TIMED_CASES: u64 = 150;
/// With odd floats, beside those without.
const ODD_CASES: u64 = 150;

#[test]
fn the_sum_of_the_deltas_is_the_recomputation() {
    seeds(CASES).for_each(|seed| case(seed, |_, epochs| epochs));
}

/// As the first law, while floats are as odd as floats can be.
#[test]
fn odd_floats_are_values_like_others() {
    seeds(ODD_CASES).for_each(|seed| case(seed, with_odd_floats));
}

/// As the first law, over circuits that all have a window or a `within`.
#[test]
fn late_rows_are_late_however_epochs_are_cut() {
    let wanted = seeds(TIMED_CASES);
    let n_wanted = usize::try_from(wanted.end - wanted.start).expect("few cases");
    let is_timed = |seed: &u64| {
        let text = generator::circuit(&mut Random::new(*seed));
        text.contains("- window:") || text.contains("- within:")
    };
    let timed = (wanted.start..).filter(is_timed).take(n_wanted);
    timed.for_each(|seed| case(seed, |_, epochs| epochs));
}

/// As the first law, over circuits of which a topic lets go of rows by a rule of its own.
#[test]
fn topics_retain_what_a_replay_of_their_log_does() {
    let wanted = seeds(TIMED_CASES);
    let n_wanted = usize::try_from(wanted.end - wanted.start).expect("few cases");
    let lets_go = |seed: &u64| {
        let text = generator::circuit(&mut Random::new(*seed));
        planned(*seed, &text).retentions().next().is_some()
    };
    let retaining = (wanted.start..).filter(lets_go).take(n_wanted);
    retaining.for_each(|seed| case(seed, |_, epochs| epochs));
}

/// What goes back while event time ends is late, and lets nothing go that the end has kept.
#[test]
fn what_goes_back_at_the_end_of_time_moves_no_mark() {
    let text = "arqon: 1\ncircuit: law.endless\nschemas:\n  Tick: { id: int64, at: timestamp }\n\
                topics:\n  back: { schema: Tick, carries: delta, time: at, late: 3s, retain: 6s, \
                control: true, shared: true, edge: both }\nflow:\n  next:\n    from: back\n    \
                do:\n      - select:\n          id: id + 1\n          at: at + 2s\n    to: back\n";
    let plan = planned(0, text);
    let row = vec![Value::Int(0), Value::Timestamp(0)].into();
    let first = (plan.topics[0].name.clone(), Change::Diff { row, diff: 1 });
    for backend in [BackendChoice::Hash, BackendChoice::Arrangements] {
        check(0, text, &plan, &[vec![first.clone()]], backend, 1);
    }
}

#[test]
fn random_circuits_compile() {
    for seed in seeds(CASES) {
        planned(seed, &generator::circuit(&mut Random::new(seed)));
    }
}

type Epochs = Vec<Vec<Message>>;

fn case(seed: u64, altered: impl Fn(&mut Random, Epochs) -> Epochs) {
    let mut random = Random::new(seed);
    let Case { text, plan, epochs } = Case::random(&mut random, seed);
    let first_cut = altered(&mut random, epochs);
    let second_cut = recut(&mut random, &first_cut);
    let n_workers = *random.pick(&[1, 1, 2, 4]);
    let (one, other) = if random.chance(50) {
        (BackendChoice::Hash, BackendChoice::Arrangements)
    } else {
        (BackendChoice::Arrangements, BackendChoice::Hash)
    };
    check(seed, &text, &plan, &first_cut, one, 1);
    check(seed, &text, &plan, &second_cut, other, n_workers);
}

fn check(
    seed: u64,
    text: &str,
    plan: &DataflowPlan,
    epochs: &[Vec<Message>],
    backend: BackendChoice,
    n_workers: usize,
) {
    let mut inputs = Inputs::default();
    let mut sums = Answer::default();
    let outputs = run(plan, epochs, backend, n_workers);
    if backend == BackendChoice::Hash {
        let counted: Vec<RowOutput> = outputs.iter().map(|(_, output)| output.clone()).collect();
        check_counts(seed, text, plan, &counted);
    }
    let mut back: Vec<Message> = Vec::new();
    for (origin, output) in outputs {
        let messages = match origin {
            Origin::Messages(at) => {
                inputs.set_time(time_of(at));
                epochs[at].as_slice()
            }
            // After the last epoch of messages, event time comes to its end.
            Origin::End => {
                inputs.end_time();
                &[]
            }
            Origin::Feedback => &[],
        };
        for (topic, change) in back.iter().chain(messages) {
            inputs.apply(plan, topic, change);
        }
        back = inputs.write_back(plan);
        let is_settled = output.feedback == Feedback::Settled;
        assert_eq!(back.is_empty(), is_settled, "seed {seed}, epoch {}\n{text}", output.epoch);
        fold(&mut sums, &output, seed);
        conserved(&output, seed, text);
        let mut expected = evaluate(plan, &inputs);
        expected.topics.retain(|_, rows| !rows.is_empty());
        assert!(
            sums == expected,
            "seed {seed}, {backend:?}, {n_workers} workers, epoch {}\n{text}\n\
             deltas sum to {sums:#?}\nfrom scratch {expected:#?}",
            output.epoch
        );
    }
}

/// Rows that came are on time, late or faulty; and of windows that have all closed nothing is held.
fn check_counts(seed: u64, text: &str, plan: &DataflowPlan, outputs: &[RowOutput]) {
    let n_fed = plan.topics.iter().filter(|topic| plan.is_fed(&topic.name)).count();
    let mut counter = n_fed;
    for (idx, step) in plan.steps.iter().enumerate() {
        let all = || outputs.iter().map(|output| output.stats.nodes[counter].counts);
        let net = |count: fn(&Counts) -> i64| -> i64 { all().map(|it| count(&it)).sum() };
        let is_released = plan.releases.iter().any(|release| release.step.index() == idx);
        let is_closing = match &step.operator {
            Operator::Final(_) => true,
            Operator::Session(session) => !session.topics.is_empty(),
            _ => is_released,
        };
        if is_closing {
            assert_eq!(net(|it| it.held), 0, "seed {seed}: {} holds nothing\n{text}", step.address);
        }
        if let Operator::Final(_) | Operator::Within(_) | Operator::Session(_) = &step.operator {
            let held = net(|it| it.input.net - it.released);
            assert_eq!(held, net(|it| it.held), "seed {seed}: {}\n{text}", step.address);
        }
        if let Operator::Retain(_) = &step.operator {
            let held = net(|it| it.input.net - it.late.net - it.released);
            assert_eq!(held, net(|it| it.held), "seed {seed}: {}\n{text}", step.address);
            assert_eq!(held, net(|it| it.output.net), "seed {seed}: {}\n{text}", step.address);
        }
        if let Operator::Window(window) = &step.operator
            && !matches!(window.frame, Frame::Aligned { size, every } if every < size)
        {
            let out = net(|it| it.output.net + it.late.net + it.errors.net);
            assert_eq!(net(|it| it.input.net), out, "seed {seed}: {}\n{text}", step.address);
        }
        counter += match &step.operator {
            Operator::Source(_) | Operator::Log(_) => 0,
            Operator::Map(map) => map.stages.len(),
            _ => 1,
        };
    }
}

/// Adds the deltas of one epoch, asserting that they are canonical.
fn fold(sums: &mut Answer, output: &RowOutput, seed: u64) {
    for batch in &output.deltas {
        let mut canonical = batch.updates.clone();
        arqon_types::consolidate(&mut canonical);
        assert_eq!(canonical, batch.updates, "seed {seed}: {} is consolidated", batch.topic);
        if batch.topic.as_str().ends_with(".errors") {
            for update in &batch.updates {
                let text = |at: usize| match &update.row[at] {
                    Value::String(text) => text.to_string(),
                    other => panic!("{other:?} in an error row"),
                };
                bump(&mut sums.errors, (text(0), text(2)), update.diff);
            }
            continue;
        }
        let rows = sums.topics.entry(batch.topic.to_string()).or_default();
        for update in &batch.updates {
            assert_eq!(update.epoch, output.epoch, "seed {seed}");
            bump(rows, update.row.clone(), update.diff);
        }
        if rows.is_empty() {
            sums.topics.remove(batch.topic.as_str());
        }
    }
}

/// Steps without state lose no row, in whatever round it comes; some put out several for one.
fn conserved(output: &RowOutput, seed: u64, text: &str) {
    for NodeCounts { address, kind, counts, .. } in &output.stats.nodes {
        let refused = counts.filtered.changes + counts.errors.changes + counts.late.changes;
        let n_out = counts.output.changes + refused;
        match kind {
            CounterKind::Stateless => {
                let net = counts.output.net + counts.filtered.net + counts.errors.net;
                let input = (counts.input.changes, counts.input.net);
                assert_eq!(input, (n_out, net), "seed {seed}: {address}\n{text}");
            }
            CounterKind::Multiplying => {
                let input = counts.input.changes;
                assert!(refused <= input && input <= n_out, "seed {seed}: {address}\n{text}");
            }
            CounterKind::Source | CounterKind::Stateful => {}
        }
    }
}

fn bump<K: Ord>(counts: &mut BTreeMap<K, i64>, key: K, diff: i64) {
    let count = counts.entry(key).or_insert(0);
    *count += diff;
    if *count == 0 {
        counts.retain(|_, count| *count != 0);
    }
}
