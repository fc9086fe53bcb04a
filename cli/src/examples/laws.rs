//! `arqon test --laws`: what holds for every circuit, tried with generated inputs.
//!
//! A case is a seed: messages for the circuit's inputs, and every choice a law makes. A law that
//! fails is shown with its seed, with as few messages as still show it, and with the rows that
//! differ. Left out on purpose: control inputs, whose epoch cuts are part of the meaning.

mod random;
mod constants;
mod history;
mod generate;
mod check;
mod shrink;

use arqon_compiler::{Law, NamedLaw, TestPlan};
use arqon_plan::DataflowPlan;
use arqon_types::Float;

use self::check::{Subject, Violation, applies, sentence};
use self::constants::Constants;
use self::history::{Epochs, Message, inputs};
use self::random::Random;
use self::shrink::shrink;
use super::difference::row_text;
use super::outcome::{Fault, Outcome};
use super::play::play;
use crate::exit::Failure;
use crate::run::now;

/// Which cases.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cases {
    /// The first seed.
    pub(super) seed: u64,
    /// How many seeds from there on.
    pub(super) count: u64,
}

/// Holds every law that applies against the circuit; an outcome each.
///
/// # Errors
/// A [`Failure`] if the engine stops.
pub(super) fn laws(
    plan: &DataflowPlan,
    (file, tests): (&str, &[TestPlan]),
    cases: Cases,
) -> Result<Vec<Outcome>, Failure> {
    let named: Vec<&NamedLaw> = tests.iter().flat_map(|test| &test.laws).collect();
    // What a test allows of a law holds wherever the law is tried.
    let allowed = |law: Law| named.iter().filter(|it| it.law == law).map(|it| it.within).max();

    let laws = Law::ALL.into_iter().filter(|law| applies(*law, plan));
    laws.map(|law| {
        let started = now();
        let within = allowed(law).unwrap_or(exact());
        let fault = one(plan, (law, within), file, cases)?;
        Ok(Outcome {
            file: file.to_owned(),
            name: format!("law: {}", sentence(law)),
            took: started.elapsed(),
            faults: fault.into_iter().collect(),
        })
    })
    .collect()
}

/// The laws that a test names, each at its place.
///
/// # Errors
/// A [`Failure`] if the engine stops.
pub(super) fn named(
    plan: &DataflowPlan,
    laws: &[NamedLaw],
    file: &str,
    cases: Cases,
) -> Result<Vec<Fault>, Failure> {
    let mut faults = Vec::new();
    for NamedLaw { law, place, within } in laws {
        let fault = one(plan, (*law, *within), file, cases)?;
        let at = format!("{file}:{}:{}", place.line, place.column);
        faults.extend(fault.map(|fault| Fault { place: at, ..fault }));
    }
    Ok(faults)
}

/// Where no test allows more.
fn exact() -> Float {
    Float::new(0.0)
}

fn one(
    plan: &DataflowPlan,
    (law, within): (Law, Float),
    file: &str,
    cases: Cases,
) -> Result<Option<Fault>, Failure> {
    if !applies(law, plan) {
        return Ok(None);
    }
    let subject = Subject { plan, engine: play, within };
    let found = first_fault(subject, law, &Constants::of(plan), cases)?;
    Ok(found.map(|found| found.told(plan, file)))
}

/// A law that does not hold, and for which case.
struct Found {
    seed: u64,
    n_generated: usize,
    violation: Violation,
}

fn first_fault(
    subject: Subject<'_>,
    law: Law,
    constants: &Constants,
    cases: Cases,
) -> Result<Option<Found>, Failure> {
    for at in 0..cases.count {
        let seed = cases.seed.wrapping_add(at);
        let messages = generate::messages(subject.plan, constants, &mut Random::new(seed));
        if let Some(violation) = check::check(subject, law, &messages, seed)? {
            let n_generated = messages.len();
            let violation =
                shrink(messages, violation, |fewer| check::check(subject, law, fewer, seed))?;
            return Ok(Some(Found { seed, n_generated, violation }));
        }
    }
    Ok(None)
}

impl Found {
    fn told(&self, plan: &DataflowPlan, file: &str) -> Fault {
        let Violation { what, epochs, rows } = &self.violation;
        let n_messages: usize = epochs.iter().map(Vec::len).sum();
        let detail = format!(
            "{rows}{n_messages} messages show it, of {} that were generated; as the steps of a \
             test:\n{}again: arqon test {file} --laws --seed {} --cases 1\n",
            self.n_generated,
            steps_text(plan, epochs),
            self.seed
        );
        Fault { place: file.to_owned(), message: format!("seed {}: {what}", self.seed), detail }
    }
}

/// Epochs as they would stand in a circuit's `tests:`.
fn steps_text(plan: &DataflowPlan, epochs: &Epochs) -> String {
    let mut text = String::new();
    for messages in epochs {
        if messages.is_empty() {
            text.push_str("- send: {}\n");
            continue;
        }
        text.push_str("- send:\n");
        for topic in inputs(plan) {
            let mut sent = messages.iter().filter(|message| message.topic == topic.name).peekable();
            if sent.peek().is_some() {
                text.extend(["    ", topic.name.as_str(), ":\n"]);
            }
            for Message { change, .. } in sent {
                text.extend(["      - ", &change_text(topic, change), "\n"]);
            }
        }
    }
    text
}

fn change_text(topic: &arqon_plan::TopicPlan, change: &arqon_types::Change) -> String {
    use arqon_types::{Change, Schema};

    match change {
        Change::Insert(row) | Change::Upsert(row) => row_text(row, &topic.schema),
        Change::Delete(key) => {
            let fields = topic.key.iter().map(|&at| topic.schema.fields[at].clone());
            let schema = Schema::new(topic.schema.name.clone(), fields.collect());
            format!("{{ $delete: {} }}", row_text(key, &schema))
        }
        Change::Diff { row, diff } => format!("[{diff:+}, {}]", row_text(row, &topic.schema)),
    }
}

#[cfg(test)]
mod tests {
    use arqon_compiler::{Options, compile};
    use arqon_engine::{BackendChoice, EngineOptions, RowOutput, TopicInput};
    use arqon_types::{Discipline, Value};

    use super::*;

    const CASES: Cases = Cases { seed: 1, count: 30 };

    fn plan(text: &str) -> DataflowPlan {
        compile(text, "shop.yaml", &Options::default()).dataflow.expect("the circuit compiles")
    }

    fn revenue() -> DataflowPlan {
        plan(include_str!("../../../circuits/ok/shop_revenue.yaml"))
    }

    type Outputs = Result<Vec<RowOutput>, Failure>;

    /// What a law finds when every run goes through `engine`.
    fn found(law: Law, engine: check::Engine) -> Option<Found> {
        found_in(&revenue(), law, engine, exact())
    }

    fn found_in(
        plan: &DataflowPlan,
        law: Law,
        engine: check::Engine,
        within: Float,
    ) -> Option<Found> {
        let subject = Subject { plan, engine, within };
        first_fault(subject, law, &Constants::of(plan), CASES).unwrap()
    }

    /// Loses the last changes of an epoch of several messages.
    fn forgetful(
        plan: &DataflowPlan,
        options: EngineOptions,
        epochs: Vec<Vec<TopicInput>>,
    ) -> Outputs {
        let sizes: Vec<usize> = epochs.iter().map(Vec::len).collect();
        let mut outputs = play(plan, options, epochs)?;
        for (output, size) in outputs.iter_mut().zip(sizes) {
            if size > 1 {
                output.deltas.pop();
            }
        }
        Ok(outputs)
    }

    /// Doubles what the second worker, or the other back end, gives.
    fn partial(
        plan: &DataflowPlan,
        options: EngineOptions,
        epochs: Vec<Vec<TopicInput>>,
    ) -> Outputs {
        let is_other = options.n_workers > 1 || options.backend == BackendChoice::Arrangements;
        let mut outputs = play(plan, options, epochs)?;
        if is_other {
            for update in
                outputs.iter_mut().flat_map(|it| &mut it.deltas).flat_map(|it| &mut it.updates)
            {
                update.diff *= 2;
            }
        }
        Ok(outputs)
    }

    /// Says less when an even number of epochs is to come.
    fn moody(plan: &DataflowPlan, options: EngineOptions, epochs: Vec<Vec<TopicInput>>) -> Outputs {
        let is_even = epochs.len().is_multiple_of(2);
        let mut outputs = play(plan, options, epochs)?;
        if is_even {
            for output in &mut outputs {
                output.deltas.clear();
            }
        }
        Ok(outputs)
    }

    /// Never gives a retraction.
    fn clinging(
        plan: &DataflowPlan,
        options: EngineOptions,
        epochs: Vec<Vec<TopicInput>>,
    ) -> Outputs {
        let mut outputs = play(plan, options, epochs)?;
        for delta in outputs.iter_mut().flat_map(|it| &mut it.deltas) {
            delta.updates.retain(|update| update.diff > 0);
        }
        Ok(outputs)
    }

    /// Gives its state, and keeps rows in it that nothing needs.
    fn hoarding(
        plan: &DataflowPlan,
        options: EngineOptions,
        epochs: Vec<Vec<TopicInput>>,
    ) -> Outputs {
        let mut outputs = play(plan, options, epochs)?;
        for node in outputs.iter_mut().flat_map(|it| &mut it.stats.nodes) {
            node.counts.held = node.counts.held.max(0);
        }
        Ok(outputs)
    }

    /// Rows come out that its counters do not know of.
    fn miscounting(
        plan: &DataflowPlan,
        options: EngineOptions,
        epochs: Vec<Vec<TopicInput>>,
    ) -> Outputs {
        let mut outputs = play(plan, options, epochs)?;
        for node in outputs.iter_mut().flat_map(|it| &mut it.stats.nodes) {
            node.counts.filtered.changes = 0;
        }
        Ok(outputs)
    }

    /// Adds a little to every float where there are several epochs.
    fn inexact(
        plan: &DataflowPlan,
        options: EngineOptions,
        epochs: Vec<Vec<TopicInput>>,
    ) -> Outputs {
        let is_single = epochs.len() < 2;
        let mut outputs = play(plan, options, epochs)?;
        let updates =
            outputs.iter_mut().flat_map(|it| &mut it.deltas).flat_map(|it| &mut it.updates);
        for update in updates.filter(|_| !is_single) {
            let shifted = |value: &Value| match value {
                Value::Float(x) => Value::float(x.get() + 1.0 / 64.0),
                other => other.clone(),
            };
            update.row = update.row.iter().map(shifted).collect();
        }
        Ok(outputs)
    }

    #[test]
    fn floats_may_be_as_far_apart_as_a_test_allows() {
        let text = "arqon: 1\ncircuit: c\nschemas:\n  A: { id: int64, k: int64, x: float64 }\n  \
                    B: { k: int64, x: float64 }\ntopics:\n  a: { schema: A, carries: full, key: \
                    id, edge: in }\n  b: { schema: B, carries: delta, edge: out }\nflow:\n  \
                    n:\n    from: a\n    do:\n      - where: x > -1000000.0 and \
                    x < 1000000.0\n      - group: [k]\n        agg: { x: sum(x) }\n    \
                    to: b\naccess:\n  all: { publish: [a], subscribe: [b] }\n";
        let plan = plan(text);
        let tried = |law, within| found_in(&plan, law, inexact, Float::new(within));
        assert!(tried(Law::Batch, 1.0 / 32.0).is_none(), "near enough");
        let found = tried(Law::Batch, 1.0 / 128.0).expect("too far apart");
        let fault = found.told(&plan, "c.yaml");
        assert!(fault.message.ends_with("by more than 0.0078125"), "{}", fault.message);
        for part in ["  expected  +1  { k: ", "  found     +1  { k: ", "^"] {
            assert!(fault.detail.contains(part), "{part} in\n{}", fault.detail);
        }
        assert!(found_in(&plan, Law::Batch, inexact, exact()).is_some(), "exact");
    }

    #[test]
    fn a_sound_engine_keeps_all_laws() {
        for law in Law::ALL {
            let found = found(law, play);
            assert!(found.is_none(), "{}: {}", sentence(law), found.unwrap().violation.what);
        }
    }

    #[test]
    fn every_law_notices_an_engine_that_breaks_it() {
        let broken: [(Law, check::Engine); 7] = [
            (Law::Batch, forgetful),
            (Law::Split, forgetful),
            (Law::Workers, partial),
            (Law::Delete, clinging),
            (Law::Delete, hoarding),
            (Law::Restart, moody),
            (Law::Conservation, miscounting),
        ];
        for (law, engine) in broken {
            let found = found(law, engine);
            let found = found.unwrap_or_else(|| panic!("{} is not noticed", sentence(law)));
            let n_messages: usize = found.violation.epochs.iter().map(Vec::len).sum();
            assert!(n_messages <= 10, "{}: {n_messages} messages", sentence(law));
        }
    }

    #[test]
    fn a_broken_law_is_told_with_its_seed_and_a_test_that_shows_it() {
        let found = found(Law::Delete, clinging).unwrap();
        let fault = found.told(&revenue(), "shop.yaml");
        assert!(fault.message.starts_with("seed "), "{}", fault.message);
        for part in ["shop.revenue\n  ", "- send:\n    shop.", "--laws --seed ", "$delete"] {
            assert!(fault.detail.contains(part), "{part} in\n{}", fault.detail);
        }
    }

    #[test]
    fn generated_rows_meet() {
        let texts = [
            include_str!("../../../circuits/ok/shop_revenue.yaml"),
            include_str!("../../../circuits/demo/flights.yaml"),
            include_str!("../../../circuits/bench/tpch/q03.yaml"),
            include_str!("../../../circuits/bench/tpch/q12.yaml"),
        ];
        for text in texts {
            let plan = plan(text);
            let constants = Constants::of(&plan);
            let n_answers = (0..40).filter(|&seed| {
                let messages = generate::messages(&plan, &constants, &mut Random::new(seed));
                let outputs = play(&plan, EngineOptions::default(), history::fed(&vec![messages]));
                let outputs = outputs.unwrap();
                let mut deltas = outputs.iter().flat_map(|output| &output.deltas);
                deltas.any(|delta| !delta.topic.as_str().ends_with(".errors"))
            });
            let n_answers = n_answers.count();
            assert!(n_answers >= 5, "{}: {n_answers} of 40 cases have an answer", plan.circuit);
        }
    }

    #[test]
    fn generated_changes_fit_their_topics() {
        let plan = plan(include_str!("../../../circuits/ok/types.yaml"));
        let constants = Constants::of(&plan);
        let topics = inputs(&plan);
        for seed in 0..20 {
            for message in generate::messages(&plan, &constants, &mut Random::new(seed)) {
                let topic = topics.iter().find(|topic| topic.name == message.topic).unwrap();
                let (row, disciplines) = match &message.change {
                    arqon_types::Change::Insert(row) => (row, Discipline::Events),
                    arqon_types::Change::Upsert(row) => (row, Discipline::Full),
                    arqon_types::Change::Delete(_) => continue,
                    arqon_types::Change::Diff { row, .. } => (row, Discipline::Delta),
                };
                assert_eq!(topic.discipline, disciplines);
                let fits = |(value, field): (&Value, &arqon_types::Field)| value.fits(&field.ty);
                assert!(row.iter().zip(&topic.schema.fields).all(fits), "{row:?}");
            }
        }
    }
}
