//! `arqon test`: the examples that circuits hold, run through the engine that serves them.
//!
//! Every example runs on one worker and on two: an answer that depends on their number is a
//! fault of ours, and shows here. With `--laws` what holds for every circuit is tried as well.

mod outcome;
mod difference;
mod near;
mod play;
mod laws;
mod junit;

use std::collections::BTreeMap;
use std::time::Duration;

use arqon_compiler::{ANSWERS, FAILURES, TestExample, TestInput, TestOutput, TestPlan, Unanswered};
use arqon_engine::{BackendChoice, Changes, CounterKind, EngineOptions, RowOutput, TopicInput};
use arqon_operators::Place;
use arqon_plan::DataflowPlan;
use arqon_types::{Row, Schema, TopicName, Type, Value};
use serde_json::json;

use self::difference::difference;
use self::laws::{Cases, laws, named};
use self::near::leave_far;
use self::outcome::{Fault, Outcome};
use self::play::{TEST_TIME, changes_of, play_at};
use crate::arguments::{GlobalArguments, TestArguments};
use crate::circuit::{Circuit, compile_source, options};
use crate::console::{Console, Style};
use crate::exit::{Exit, Failure};
use crate::report::{Tally, count, print_for_people};
use crate::run::now;
use crate::source::{Source, find};

/// Worker counts on which every example runs.
const WORKERS: [usize; 2] = [1, 2];

/// Runs the examples of every circuit at or under the paths.
///
/// # Errors
/// A [`Failure`] if a path cannot be read or the report cannot be written.
pub(crate) fn test(
    arguments: &TestArguments,
    global: &GlobalArguments,
    console: Console,
) -> Result<Exit, Failure> {
    let options = options(global, &arguments.compiler);
    let cases = Cases { seed: arguments.seed, count: arguments.cases };
    let mut outcomes = Vec::new();
    let mut refused = Vec::new();
    let mut findings = Vec::new();
    let mut exit = Exit::Success;
    for path in &arguments.paths {
        for file in find(path)? {
            let circuit = compile_source(&Source::read(&file)?, &options)?;
            print_for_people(console, std::slice::from_ref(&circuit.findings));
            match circuit.testable() {
                Ok((plan, unanswered)) => {
                    let name = circuit.findings.file();
                    for test in &circuit.compiled.tests {
                        let bed = Bed { plan: &plan, unanswered, file: name };
                        let outcome = run_test(bed, test, cases)?;
                        print_outcome(console, &outcome)?;
                        outcomes.push(outcome);
                    }
                    if arguments.laws && circuit.compiled.rehearsal.is_some() {
                        let why = "inputs are generated, and nothing answers its operators";
                        console.note(&format!("note: no laws are tried of {name}: {why}\n"));
                    } else if arguments.laws {
                        for outcome in
                            laws(&plan, (name, circuit.compiled.tests.as_slice()), cases)?
                        {
                            print_outcome(console, &outcome)?;
                            outcomes.push(outcome);
                        }
                    }
                }
                // Without examples nothing was asked of the engine.
                Err(failure) if is_checked_only(&circuit) => {
                    if arguments.laws {
                        console.note(&format!("note: no laws are tried: {}\n", failure.message));
                    }
                }
                Err(failure) => {
                    console.report(&failure);
                    exit = exit.and(failure.exit);
                    refused.push(refusal(&circuit, &failure));
                }
            }
            findings.push(circuit.findings);
        }
    }
    if let Some(path) = &arguments.junit {
        let all: Vec<Outcome> = outcomes.iter().chain(&refused).cloned().collect();
        std::fs::write(path, junit::document(&all))
            .map_err(|error| Failure::unwritable(path.display(), error))?;
    }
    let n_failed = outcomes.iter().filter(|outcome| !outcome.passed()).count();
    print_total(console, &outcomes, n_failed)?;
    let failed = if n_failed == 0 { Exit::Success } else { Exit::Errors };
    Ok(exit.and(failed).and(Tally::of(&findings).exit()))
}

/// A circuit whose examples could not run, as build servers see it: a case that failed, so that
/// a report without cases is no success.
fn refusal(circuit: &Circuit, failure: &Failure) -> Outcome {
    let file = circuit.findings.file();
    let lines = circuit.findings.sources.lines();
    let errors = circuit.findings.diagnostics.iter().filter(|found| found.is_error());
    let mut faults: Vec<Fault> = errors
        .map(|found| Fault {
            place: lines.place(found.primary.span),
            message: format!("{}: {}", found.code.id(), found.message),
            detail: String::new(),
        })
        .collect();
    if faults.is_empty() {
        let message = failure.message.clone();
        faults.push(Fault { place: file.to_owned(), message, detail: String::new() });
    }
    let name = "the circuit can run".to_owned();
    Outcome { file: file.to_owned(), name, took: Duration::ZERO, faults }
}

/// A circuit without errors and without examples, whose operators do not run here.
fn is_checked_only(circuit: &Circuit) -> bool {
    !circuit.findings.has_errors() && circuit.compiled.tests.is_empty()
}

/// What tests of a circuit run on.
#[derive(Clone, Copy)]
struct Bed<'a> {
    plan: &'a DataflowPlan,
    unanswered: &'a [Unanswered],
    file: &'a str,
}

fn run_test(bed: Bed<'_>, test: &TestPlan, cases: Cases) -> Result<Outcome, Failure> {
    let Bed { plan, unanswered: _, file } = bed;
    let started = now();
    let mut faults = Vec::new();
    for n_workers in WORKERS {
        let outputs = run_examples(plan, test, n_workers)?;
        for (example, output) in test.examples.iter().zip(&outputs) {
            unanswered(bed, example, output, &mut faults);
            compare(plan, example, output, &format!("{file}:"), n_workers, &mut faults);
        }
        if !faults.is_empty() {
            // On more workers the same faults would only be said again.
            break;
        }
    }
    faults.extend(named(plan, &test.laws, file, cases)?);
    Ok(Outcome { file: file.to_owned(), name: test.name.clone(), took: started.elapsed(), faults })
}

/// What each example came to, an epoch each.
fn run_examples(
    plan: &DataflowPlan,
    test: &TestPlan,
    n_workers: usize,
) -> Result<Vec<RowOutput>, Failure> {
    let input = |input: &TestInput| TopicInput {
        topic: input.topic.clone(),
        changes: Changes::Rows(input.changes.clone()),
    };
    let mut time = TEST_TIME;
    let epochs = test.examples.iter().map(|example| {
        time = example.time.unwrap_or(time);
        (time, example.send.iter().map(input).collect())
    });
    play_at(
        plan,
        EngineOptions { n_workers, backend: BackendChoice::Auto, ..EngineOptions::default() },
        epochs.collect(),
    )
}

/// Questions that no mock answered.
fn unanswered(bed: Bed<'_>, example: &TestExample, output: &RowOutput, faults: &mut Vec<Fault>) {
    let Place { line, column } = example.place;
    for asked in bed.unanswered {
        let found = changes_of(&output.deltas, &asked.topic);
        let what = asked.schema.fields.first().map_or("row", |field| &field.name);
        for row in found.iter().filter(|(_, diff)| 0 < **diff).map(|(row, _)| row) {
            faults.push(Fault {
                place: format!("{}:{line}:{column}", bed.file),
                message: format!("no mock answers a {what} of `{}`", asked.address),
                detail: question(row, &asked.schema),
            });
        }
    }
}

/// The fields of what was asked, as a test writes them.
fn question(row: &Row, schema: &Schema) -> String {
    let (Some(field), Some(value)) = (schema.fields.first(), row.0.first()) else {
        return String::new();
    };
    let (Type::Struct(fields), Value::Struct(values)) = (&field.ty, value) else {
        return String::new();
    };
    let parts = fields.iter().zip(values.iter()).filter(|(_, value)| **value != Value::None);
    let parts: Vec<String> = parts
        .map(|(field, value)| format!("{}: {}", field.name, value.display(&field.ty)))
        .collect();
    format!("{}: {{ {} }}", field.name, parts.join(", "))
}

fn compare(
    plan: &DataflowPlan,
    example: &TestExample,
    output: &RowOutput,
    file: &str,
    n_workers: usize,
    faults: &mut Vec<Fault>,
) {
    let place = |place: Place| format!("{file}{}:{}", place.line, place.column);
    let on = if n_workers == 1 { String::new() } else { format!(" on {n_workers} workers") };
    for expected in &example.expect {
        let mut found = compared(changes_of(&output.deltas, &expected.topic), &expected.columns);
        let mut wanted = sum(expected);
        leave_far(&mut wanted, &mut found, example.within);
        if wanted != found {
            faults.push(Fault {
                place: place(expected.place),
                message: format!("topic `{}` changes otherwise{on}", expected.topic),
                detail: difference(&expected.topic, &expected.schema, &wanted, &found),
            });
        }
    }
    let is_expected =
        |topic: &TopicName| example.expect.iter().any(|expected| expected.topic == *topic);
    for delta in &output.deltas {
        let is_errors = delta.topic.as_str().ends_with(".errors")
            && !delta.topic.as_str().starts_with(FAILURES)
            && plan.topics.iter().all(|topic| topic.name != delta.topic);
        if is_errors && !is_expected(&delta.topic) {
            let found = changes_of(&output.deltas, &delta.topic);
            let schema = arqon_types::error_schema();
            faults.push(Fault {
                place: place(example.place),
                message: format!("rows went to `{}`{on}", delta.topic),
                detail: difference(&delta.topic, &schema, &BTreeMap::new(), &found),
            });
        }
    }
    let n_updates = updates(output);
    if let Some(bound) = example.updates
        && !bound.holds(n_updates)
    {
        faults.push(Fault {
            place: place(example.place),
            message: format!(
                "the step costs {n_updates} updates{on}, which its bound does not allow"
            ),
            detail: String::new(),
        });
    }
}

/// What `cost: { updates }` bounds: the changes that topics and steps with state give on.
///
/// Steps without state only hand on what came; how many of them a circuit has after the
/// compiler's passes is no matter of the circuit's author.
fn updates(output: &RowOutput) -> u64 {
    let counted = output.stats.nodes.iter().filter(|node| match node.kind {
        // Answers of mocks are the test's own.
        CounterKind::Source | CounterKind::Stateful => !node.node.starts_with(ANSWERS),
        CounterKind::Stateless | CounterKind::Multiplying => false,
    });
    counted.map(|node| node.counts.output.changes).sum()
}

/// The changes of these columns.
fn compared(found: difference::Changes, columns: &[usize]) -> difference::Changes {
    let mut changes = difference::Changes::new();
    for (row, diff) in found {
        let row: Row = columns.iter().map(|at| row[*at].clone()).collect();
        *changes.entry(row).or_insert(0) += diff;
    }
    changes.retain(|_, diff| *diff != 0);
    changes
}

fn sum(expected: &TestOutput) -> difference::Changes {
    let mut changes = difference::Changes::new();
    for (row, diff) in &expected.updates {
        *changes.entry(row.clone()).or_insert(0) += diff;
    }
    changes.retain(|_, diff| *diff != 0);
    changes
}

fn print_outcome(console: Console, outcome: &Outcome) -> Result<(), Failure> {
    if !console.is_human() {
        return Ok(());
    }
    let word = if outcome.passed() {
        console.paint_out(Style::Green, "ok")
    } else {
        console.paint_out(Style::Red, "FAILED")
    };
    // A name is free text: what steers a terminal is shown, and not obeyed.
    let name: String = outcome
        .name
        .chars()
        .flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] })
        .collect();
    let mut text = format!("{}  {name} ... {word}\n", outcome.file);
    for fault in &outcome.faults {
        text.extend(["    ", &fault.place, ": ", &fault.message, "\n"]);
        for line in fault.detail.lines() {
            text.extend(["      ", line, "\n"]);
        }
    }
    console.out(&text)
}

fn print_total(console: Console, outcomes: &[Outcome], n_failed: usize) -> Result<(), Failure> {
    if console.is_human() {
        let n_passed = outcomes.len() - n_failed;
        let text =
            format!("{}: {n_passed} passed, {n_failed} failed", count(outcomes.len(), "test"));
        let style = if n_failed == 0 { Style::Green } else { Style::Red };
        return console.out(&format!("{}\n", console.paint_out(style, &text)));
    }
    let tests: Vec<_> = outcomes
        .iter()
        .map(|outcome| {
            let faults: Vec<_> = outcome
                .faults
                .iter()
                .map(|fault| {
                    json!({
                        "place": fault.place, "message": fault.message, "detail": fault.detail,
                    })
                })
                .collect();
            json!({
                "file": outcome.file, "name": outcome.name, "passed": outcome.passed(),
                "seconds": outcome.took.as_secs_f64(), "faults": faults,
            })
        })
        .collect();
    let document =
        json!({ "tests": tests, "passed": outcomes.len() - n_failed, "failed": n_failed });
    console.document(&document)
}
