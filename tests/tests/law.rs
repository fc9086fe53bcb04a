//! The law of the house: the sum of the deltas equals recomputation from scratch, after every
//! epoch, for any circuit, any cut into epochs, any number of workers, on both back ends.
//!
//! `ARQON_CASES` and `ARQON_SEED` choose how many cases and from which seed; `cargo xtask torture
//! B01` sets them for the long run. A failure prints the seed and the circuit.

use std::collections::BTreeMap;
use std::sync::mpsc;

use arqon_compiler::{Options, compile};
use arqon_engine::{
    BackendChoice, Changes, CounterKind, Counts, Dataflow, EngineOptions, EpochInput, EpochOutput,
    Feedback, NodeCounts, TopicInput,
};
use arqon_plan::{DataflowPlan, Frame, Operator};
use arqon_tests::generator;
use arqon_tests::oracle::{Answer, Inputs, evaluate};
use arqon_tests::random::Random;
use arqon_tests::updates::{Message, add_control, epochs, recut};
use arqon_types::{Epoch, Value};

const CASES: u64 = 500;
/// Of circuits with windows, beside those among the others.
const TIMED_CASES: u64 = 150;

#[expect(clippy::disallowed_methods, reason = "the long run chooses its seed from outside")]
fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
fn the_sum_of_the_deltas_is_the_recomputation() {
    let first = setting("ARQON_SEED", 1);
    let cases = setting("ARQON_CASES", CASES);
    for seed in first..first + cases {
        case(seed);
    }
}

/// As the first law, over circuits that all have a window or a `within`.
#[test]
fn late_rows_are_late_however_epochs_are_cut() {
    let first = setting("ARQON_SEED", 1);
    let cases = setting("ARQON_CASES", TIMED_CASES);
    let is_timed = |seed: &u64| {
        let text = generator::circuit(&mut Random::new(*seed));
        text.contains("- window:") || text.contains("- within:")
    };
    let timed = (first..).filter(is_timed).take(usize::try_from(cases).expect("few cases"));
    timed.for_each(case);
}

#[test]
fn random_circuits_compile() {
    let first = setting("ARQON_SEED", 1);
    for seed in first..first + setting("ARQON_CASES", CASES) {
        planned(seed, &generator::circuit(&mut Random::new(seed)));
    }
}

fn planned(seed: u64, text: &str) -> DataflowPlan {
    let options = Options { allow_unbounded: true, ..Options::default() };
    let compiled = compile(text, "law.yaml", &options);
    let faults: Vec<String> = compiled
        .diagnostics
        .iter()
        .filter(|diagnostic| diagnostic.is_error())
        .map(|diagnostic| format!("{}: {}", diagnostic.code, diagnostic.message))
        .collect();
    assert!(faults.is_empty(), "seed {seed}: {faults:#?}\n{text}");
    compiled.dataflow.expect("a circuit without faults has a plan")
}

fn case(seed: u64) {
    let mut random = Random::new(seed);
    let text = generator::circuit(&mut random);
    let plan = planned(seed, &text);
    let mut first_cut = epochs(&mut random);
    let control = plan.topics.iter().find(|topic| topic.name.as_str() == generator::CONTROL);
    if let Some(control) = control {
        add_control(&mut random, control.discipline, &mut first_cut);
    }
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
        let counted: Vec<EpochOutput> = outputs.iter().map(|(_, output)| output.clone()).collect();
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
fn check_counts(seed: u64, text: &str, plan: &DataflowPlan, outputs: &[EpochOutput]) {
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

/// Where an epoch comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    Messages(usize),
    End,
    /// Only what goes back to control topics.
    Feedback,
}

/// Epochs that may follow of themselves; some circuits would never settle.
const FEEDBACKS_MAX: usize = 6;

/// What each epoch came to. After the messages, and again after the end of time, what goes back
/// goes back until nothing does.
fn run(
    plan: &DataflowPlan,
    epochs: &[Vec<Message>],
    backend: BackendChoice,
    n_workers: usize,
) -> Vec<(Origin, EpochOutput)> {
    let (sender, receiver) = mpsc::channel();
    let options = EngineOptions { n_workers, backend };
    let dataflow = Dataflow::start(plan.clone(), options, move |output| {
        let _ = sender.send(output);
    })
    .expect("the engine starts");
    let mut epoch = Epoch(0);
    let mut origins = Vec::new();
    let mut outputs: Vec<EpochOutput> = Vec::new();
    let mut settle = |epoch: &mut Epoch, origins: &mut Vec<Origin>| {
        for _ in 0..FEEDBACKS_MAX {
            outputs.extend(receiver.iter().take(origins.len() - outputs.len()));
            let last = outputs.last().expect("every epoch comes out");
            if last.feedback != Feedback::Pending {
                break;
            }
            *epoch = epoch.next();
            dataflow.feed_back(*epoch).expect("the engine takes what goes back");
            origins.push(Origin::Feedback);
        }
    };
    for (at, messages) in epochs.iter().enumerate() {
        epoch = epoch.next();
        origins.push(Origin::Messages(at));
        let topics = messages
            .iter()
            .map(|(topic, change)| TopicInput {
                topic: topic.clone(),
                changes: Changes::Rows(vec![change.clone()]),
            })
            .collect();
        let time = time_of(at);
        dataflow.feed(EpochInput { epoch, time, topics }).expect("the engine takes input");
    }
    settle(&mut epoch, &mut origins);
    epoch = epoch.next();
    origins.push(Origin::End);
    dataflow.end_time(epoch).expect("the engine takes the end");
    settle(&mut epoch, &mut origins);
    dataflow.finish().expect("the engine ends well");
    outputs.extend(receiver.iter());
    assert_eq!(origins.len(), outputs.len(), "every epoch comes out once");
    origins.into_iter().zip(outputs).collect()
}

/// Any time will do, as long as the recomputation takes the same: here it repeats and goes back.
fn time_of(at: usize) -> i64 {
    i64::try_from(at * 7 % 5).expect("few epochs") * 1_000_000_000
}

/// Adds the deltas of one epoch, asserting that they are canonical.
fn fold(sums: &mut Answer, output: &EpochOutput, seed: u64) {
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
fn conserved(output: &EpochOutput, seed: u64, text: &str) {
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
                assert!(counts.input.changes <= n_out, "seed {seed}: {address}\n{text}");
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
