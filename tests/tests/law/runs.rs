//! Random circuits with their messages, and what the engine makes of them.

use std::ops::Range;
use std::sync::mpsc;

use arqon_compiler::{Options, compile};
use arqon_engine::{
    BackendChoice, Changes, Dataflow, EngineOptions, EpochInput, Feedback, Keep, Pace, RowOutput,
    TopicInput,
};
use arqon_plan::DataflowPlan;
use arqon_tests::corpus::errors;
use arqon_tests::generator;
use arqon_tests::random::Random;
use arqon_tests::setting::setting;
use arqon_tests::updates::{self, Message, add_control};
use arqon_types::{Change, ColumnBatch, Epoch};

/// The seeds that are asked for, else the first so many.
pub(crate) fn seeds(n_cases: u64) -> Range<u64> {
    let first = setting("ARQON_SEED", 1);
    first..first + setting("ARQON_CASES", n_cases)
}

/// A circuit, and what is said to it.
pub(crate) struct Case {
    pub(crate) text: String,
    pub(crate) plan: DataflowPlan,
    pub(crate) epochs: Vec<Vec<Message>>,
}

impl Case {
    pub(crate) fn random(random: &mut Random, seed: u64) -> Self {
        let text = generator::circuit(random);
        let plan = planned(seed, &text);
        let mut epochs = updates::epochs(random);
        let control = plan.topics.iter().find(|topic| topic.name.as_str() == generator::CONTROL);
        if let Some(control) = control {
            add_control(random, control.discipline, &mut epochs);
        }
        Self { text, plan, epochs }
    }
}

/// Takes one of the changes that were sent, all of them diffs, back.
pub(crate) fn take_back(random: &mut Random, held: &mut Vec<Message>) -> Message {
    let (topic, change) = held.swap_remove(random.below(held.len()));
    let Change::Diff { row, diff } = change else { panic!("only diffs were sent") };
    (topic, Change::Diff { row, diff: -diff })
}

pub(crate) fn planned(seed: u64, text: &str) -> DataflowPlan {
    let options = Options { allow_unbounded: true, ..Options::default() };
    let compiled = compile(text, "law.yaml", &options);
    let faults = errors(&compiled);
    assert!(faults.is_empty(), "seed {seed}: {faults:#?}\n{text}");
    compiled.dataflow.expect("a circuit without faults has a plan")
}

/// Where an epoch comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    Messages(usize),
    End,
    /// Only what goes back to control topics.
    Feedback,
}

/// Epochs that may follow of themselves; some circuits would never settle.
const FEEDBACKS_MAX: usize = 6;

/// What each epoch came to. After the messages, and again after the end of time, what goes back
/// goes back until nothing does.
pub(crate) fn run(
    plan: &DataflowPlan,
    epochs: &[Vec<Message>],
    backend: BackendChoice,
    n_workers: usize,
) -> Vec<(Origin, RowOutput)> {
    let (sender, receiver) = mpsc::channel();
    // What is kept of topics changes no answer.
    let keep = if n_workers == 2 { Keep::Read } else { Keep::Rows };
    let options = EngineOptions { n_workers, backend, keep, pace: Pace::default() };
    let dataflow = Dataflow::start(plan.clone(), options, move |output| {
        let _ = sender.send(output.into_rows());
    })
    .expect("the engine starts");
    let mut epoch = Epoch(0);
    let mut origins = Vec::new();
    let mut outputs: Vec<RowOutput> = Vec::new();
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
        let topics = inputs(plan, messages, n_workers);
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

/// The messages as they are fed: one by one, or with two workers as a file would bring them, as
/// columns wherever rows of one topic come in a row.
fn inputs(plan: &DataflowPlan, messages: &[Message], n_workers: usize) -> Vec<TopicInput> {
    let mut inputs: Vec<TopicInput> = Vec::new();
    for (topic, change) in messages {
        let row = match change {
            Change::Insert(row) | Change::Upsert(row) if n_workers == 2 => row,
            Change::Insert(_) | Change::Upsert(_) | Change::Delete(_) | Change::Diff { .. } => {
                let changes = Changes::Rows(vec![change.clone()]);
                inputs.push(TopicInput { topic: topic.clone(), changes });
                continue;
            }
        };
        if let Some(TopicInput { topic: last, changes: Changes::Columns(batch) }) =
            inputs.last_mut()
            && last == topic
        {
            batch.push(row, 1);
            continue;
        }
        let known = plan.topics.iter().find(|known| known.name == *topic);
        let types = known.expect("messages are of the plan's topics").schema.types();
        let mut batch = ColumnBatch::empty(&types);
        batch.push(row, 1);
        inputs.push(TopicInput { topic: topic.clone(), changes: Changes::Columns(batch) });
    }
    inputs
}

/// Any time will do, as long as the recomputation takes the same: here it repeats and goes back.
pub(crate) fn time_of(at: usize) -> i64 {
    i64::try_from(at * 7 % 5).expect("few epochs") * 1_000_000_000
}
