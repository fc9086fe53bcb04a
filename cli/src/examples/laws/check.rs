//! The laws, each as one comparison of two runs of a circuit over the same messages.

use std::collections::BTreeMap;

use arqon_compiler::Law;
use arqon_engine::{
    BackendChoice, CounterKind, Counts, EngineOptions, Keep, NodeCounts, Pace, RowOutput,
    TopicInput,
};
use arqon_plan::DataflowPlan;
use arqon_types::{Change, Discipline, Float, TopicName};

use super::history::{Epochs, Holdings, Message, cut, fed, inputs};
use super::random::Random;
use crate::examples::difference::{Changes, difference};
use crate::examples::near::leave_far;
use crate::examples::play::{State, add, changes_of, schema_of};
use crate::exit::Failure;

/// What a law's runs had to agree on, and did not.
pub(super) struct Violation {
    /// One line: what disagrees.
    pub(super) what: String,
    /// The epochs that show it.
    pub(super) epochs: Epochs,
    /// The rows that differ, if it is about rows.
    pub(super) rows: String,
}

/// The law in words.
pub(super) fn sentence(law: Law) -> &'static str {
    match law {
        Law::Batch => "incremental equals batch",
        Law::Split => "any split into epochs gives the same state",
        Law::Workers => "workers and back ends agree",
        Law::Delete => "insert then delete leaves nothing",
        Law::Restart => "a restart changes nothing",
        Law::Conservation => "no row is lost",
    }
}

/// Whether the circuit has what the law speaks of.
pub(super) fn applies(law: Law, plan: &DataflowPlan) -> bool {
    let inputs = inputs(plan);
    // Where something goes back, or rows are pushed out by those that the flow writes, the cut into
    // epochs is part of the meaning, and what was said once may go on being said.
    let is_free = !plan.hangs_on_epochs();
    match law {
        Law::Workers | Law::Conservation => !inputs.is_empty(),
        Law::Batch | Law::Split | Law::Restart => !inputs.is_empty() && is_free,
        Law::Delete => is_free && inputs.iter().any(|topic| topic.discipline != Discipline::Events),
    }
}

/// A circuit, and what runs it over epochs.
#[derive(Clone, Copy)]
pub(super) struct Subject<'s> {
    /// The circuit.
    pub(super) plan: &'s DataflowPlan,
    /// The engine; a test puts a broken one here, to see that the laws notice.
    pub(super) engine: Engine,
    /// How far apart floats may be.
    pub(super) within: Float,
}

/// What comes of epochs.
pub(super) type Engine =
    fn(&DataflowPlan, EngineOptions, Vec<Vec<TopicInput>>) -> Result<Vec<RowOutput>, Failure>;

/// One worker on hash operators: what the other runs are compared with.
const PLAIN: EngineOptions = EngineOptions {
    n_workers: 1,
    backend: BackendChoice::Hash,
    keep: Keep::Rows,
    pace: Pace { clock: None, journal: None },
};

/// Holds a law against messages; every choice comes from the seed.
///
/// # Errors
/// A [`Failure`] if the engine stops.
pub(super) fn check(
    subject: Subject<'_>,
    law: Law,
    messages: &[Message],
    seed: u64,
) -> Result<Option<Violation>, Failure> {
    let mut random = Random::new(seed ^ 0x5EED_CAFE);
    match law {
        Law::Batch => {
            let epochs = cut(messages);
            let batch = states(subject, PLAIN, &vec![messages.to_vec()])?;
            let many = states(subject, PLAIN, &epochs)?;
            let (Some(expected), Some(found)) = (batch.last(), many.last()) else {
                return Ok(None);
            };
            let what = "all in one epoch comes to another state than these epochs";
            Ok(disagreement(subject, expected, found, what, &epochs))
        }
        Law::Split => split(subject, messages),
        Law::Workers => workers(subject, messages, &mut random),
        Law::Delete => delete(subject, messages, &mut random),
        Law::Restart => restart(subject, messages, &mut random),
        Law::Conservation => conservation(subject, messages),
    }
}

fn run(
    subject: Subject<'_>,
    options: EngineOptions,
    epochs: &Epochs,
) -> Result<Vec<RowOutput>, Failure> {
    (subject.engine)(subject.plan, options, fed(epochs))
}

/// The state after each epoch.
fn states(
    subject: Subject<'_>,
    options: EngineOptions,
    epochs: &Epochs,
) -> Result<Vec<State>, Failure> {
    let mut state = State::new();
    let outputs = run(subject, options, epochs)?;
    Ok(outputs
        .iter()
        .map(|output| {
            add(&mut state, output);
            state.clone()
        })
        .collect())
}

fn disagreement(
    subject: Subject<'_>,
    expected: &State,
    found: &State,
    what: impl Into<String>,
    epochs: &Epochs,
) -> Option<Violation> {
    let Subject { plan, within, .. } = subject;
    if expected == found {
        return None;
    }
    let mut topics: Vec<&TopicName> = expected.keys().chain(found.keys()).collect();
    topics.sort();
    topics.dedup();
    let nothing = Changes::new();
    let rows = topics
        .into_iter()
        .map(|topic| {
            let of = |state: &State| state.get(topic).unwrap_or(&nothing).clone();
            (topic, of(expected), of(found))
        })
        .filter(|(_, expected, found)| expected != found)
        .filter_map(|(topic, mut expected, mut found)| {
            leave_far(&mut expected, &mut found, within);
            let is_far = !expected.is_empty() || !found.is_empty();
            is_far.then(|| difference(topic, &schema_of(plan, topic), &expected, &found))
        })
        .collect::<Vec<String>>();
    if rows.is_empty() {
        return None;
    }
    let what: String = what.into();
    let what =
        if 0.0 < within.get() { format!("{what}, by more than {}", within.get()) } else { what };
    Some(Violation { what, epochs: epochs.clone(), rows: rows.concat() })
}

fn split(subject: Subject<'_>, messages: &[Message]) -> Result<Option<Violation>, Failure> {
    let single: Epochs = messages.iter().map(|message| vec![message.clone()]).collect();
    let after_each = states(subject, PLAIN, &single)?;
    let epochs = cut(messages);
    let mut n_messages = 0;
    for (at, found) in states(subject, PLAIN, &epochs)?.iter().enumerate() {
        n_messages += epochs[at].len();
        let Some(expected) = n_messages.checked_sub(1).map(|last| &after_each[last]) else {
            continue;
        };
        let what = format!(
            "an epoch for each message comes to another state after {n_messages} messages than \
             epoch {} of these",
            at + 1
        );
        let found = disagreement(subject, expected, found, what, &epochs);
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

fn workers(
    subject: Subject<'_>,
    messages: &[Message],
    random: &mut Random,
) -> Result<Option<Violation>, Failure> {
    let epochs = cut(messages);
    let n_workers = *random.pick(&[1, 2, 4]);
    let backend = *random.pick(&[BackendChoice::Arrangements, BackendChoice::Hash]);
    let one = run(subject, PLAIN, &epochs)?;
    let other =
        run(subject, EngineOptions { n_workers, backend, ..EngineOptions::default() }, &epochs)?;
    Ok(same_deltas(subject, (&one, &other), &epochs, |epoch| {
        format!("epoch {epoch} changes otherwise on {n_workers} workers, back end {backend:?}")
    }))
}

/// Compares runs epoch by epoch.
fn same_deltas(
    subject: Subject<'_>,
    (expected, found): (&[RowOutput], &[RowOutput]),
    epochs: &Epochs,
    what: impl Fn(usize) -> String,
) -> Option<Violation> {
    let changes = |output: &RowOutput| -> State {
        let topics = output.deltas.iter().map(|delta| &delta.topic);
        topics.map(|topic| (topic.clone(), changes_of(&output.deltas, topic))).collect()
    };
    let skipped = epochs.len() - found.len();
    expected[skipped..].iter().zip(found).enumerate().find_map(|(at, (expected, found))| {
        let what = what(skipped + at + 1);
        disagreement(subject, &changes(expected), &changes(found), what, epochs)
    })
}

/// Events come first and stay; tables come and go again. Where windows close it says nothing: a
/// closed window keeps its rows.
fn delete(
    subject: Subject<'_>,
    messages: &[Message],
    random: &mut Random,
) -> Result<Option<Violation>, Failure> {
    if subject.plan.closes_windows() {
        return Ok(None);
    }
    let is_event = |message: &&Message| matches!(message.change, Change::Insert(_));
    let events: Vec<Message> = messages.iter().filter(is_event).cloned().collect();
    let mut holdings = Holdings::new(subject.plan);
    // A retraction of what is not there is an error row for good.
    let tables: Vec<Message> = messages
        .iter()
        .filter(|message| !is_event(message))
        .filter(|message| holdings.take(message))
        .cloned()
        .collect();
    let mut deletions = holdings.deletions();
    random.shuffle(&mut deletions);

    let mut epochs = vec![events];
    let before = run(subject, PLAIN, &epochs)?;
    epochs.extend(cut(&tables));
    epochs.extend(cut(&deletions));
    let after = run(subject, PLAIN, &epochs)?;
    let last = |outputs: &[RowOutput]| {
        let mut state = State::new();
        for output in outputs {
            add(&mut state, output);
        }
        state
    };
    let what = "rows are left after all that was inserted has been deleted";
    let left = disagreement(subject, &last(&before), &last(&after), what, &epochs);
    if left.is_some() {
        return Ok(left);
    }
    let (before, after) = (totals(&before), totals(&after));
    let leak =
        before.iter().zip(&after).find(|(before, after)| before.counts.held != after.counts.held);
    Ok(leak.map(|(before, after)| Violation {
        what: format!(
            "`{}` keeps {} rows of state after all that was inserted has been deleted, instead of \
             {}",
            after.address, after.counts.held, before.counts.held
        ),
        epochs,
        rows: String::new(),
    }))
}

fn restart(
    subject: Subject<'_>,
    messages: &[Message],
    random: &mut Random,
) -> Result<Option<Violation>, Failure> {
    let epochs = cut(messages);
    if epochs.len() < 2 {
        return Ok(None);
    }
    let at = 1 + random.below(epochs.len() - 1);
    let mut again: Epochs = vec![epochs[..at].concat()];
    again.extend_from_slice(&epochs[at..]);
    let whole = run(subject, PLAIN, &epochs)?;
    let resumed = run(subject, PLAIN, &again)?;
    Ok(same_deltas(subject, (&whole, &resumed[1..]), &epochs, |epoch| {
        format!(
            "epoch {epoch} changes otherwise after a restart from the input of epochs 1 to {at}"
        )
    }))
}

fn conservation(subject: Subject<'_>, messages: &[Message]) -> Result<Option<Violation>, Failure> {
    let epochs = cut(messages);
    let outputs = run(subject, PLAIN, &epochs)?;
    let mut holdings = Holdings::new(subject.plan);
    let mut n_sent: BTreeMap<&str, u64> = BTreeMap::new();
    for message in messages {
        holdings.take(message);
        *n_sent.entry(message.topic.as_str()).or_insert(0) += 1;
    }
    let read: Vec<&str> = inputs(subject.plan).iter().map(|topic| topic.name.as_str()).collect();
    let mut lost = None;
    for NodeCounts { address, kind, counts, .. } in &totals(&outputs) {
        let what = match kind {
            CounterKind::Source if read.contains(&&**address) => {
                let sent = n_sent.get(&**address).copied().unwrap_or(0);
                let topic = TopicName::parse(address).expect("topics have well-formed names");
                let n_rows = holdings.n_rows(&topic);
                // Keys that were forgotten are counted by what is left of the others.
                let n_rows =
                    if counts.released == 0 { n_rows } else { counts.held + counts.released };
                (counts.input.changes != sent || counts.output.net != n_rows).then(|| {
                    format!(
                        "topic `{address}` was sent {sent} messages that leave {n_rows} rows; it \
                         counts {} and {}",
                        counts.input.changes, counts.output.net
                    )
                })
            }
            CounterKind::Stateless => {
                let out = counts.output.changes + counts.filtered.changes + counts.errors.changes;
                let net = counts.output.net + counts.filtered.net + counts.errors.net;
                (counts.input.changes != out || counts.input.net != net).then(|| {
                    format!(
                        "`{address}` takes {} changes ({:+}), and {out} ({net:+}) go out, are \
                         filtered or errors",
                        counts.input.changes, counts.input.net
                    )
                })
            }
            CounterKind::Multiplying => {
                let refused = counts.filtered.changes + counts.late.changes + counts.errors.changes;
                let n_kept = counts.input.changes.checked_sub(refused);
                (n_kept.is_none_or(|n| counts.output.changes < n)).then(|| {
                    format!(
                        "`{address}` takes {} changes, and {refused} are filtered, late or errors, \
                         but only {} go on",
                        counts.input.changes, counts.output.changes
                    )
                })
            }
            CounterKind::Source | CounterKind::Stateful => None,
        };
        lost = lost.or(what);
    }
    Ok(lost.map(|what| Violation { what, epochs, rows: String::new() }))
}

/// The counters of all epochs together.
fn totals(outputs: &[RowOutput]) -> Vec<NodeCounts> {
    let mut totals: Vec<NodeCounts> = Vec::new();
    for output in outputs {
        for (at, node) in output.stats.nodes.iter().enumerate() {
            match totals.get_mut(at) {
                Some(total) => merge(&mut total.counts, &node.counts),
                None => totals.push(node.clone()),
            }
        }
    }
    totals
}

fn merge(total: &mut Counts, more: &Counts) {
    for (sum, part) in [
        (&mut total.input, more.input),
        (&mut total.output, more.output),
        (&mut total.filtered, more.filtered),
        (&mut total.errors, more.errors),
        (&mut total.late, more.late),
    ] {
        sum.changes += part.changes;
        sum.net += part.net;
    }
    total.held += more.held;
    total.released += more.released;
}
