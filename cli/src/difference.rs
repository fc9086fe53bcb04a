//! `arqon diff`: what replacing one circuit by another keeps, builds anew or refuses.

use std::path::Path;

use arqon_plan::{Change, Difference, Effect, Part, Plan, Verdict, difference};
use serde_json::json;

use crate::arguments::{DiffArguments, GlobalArguments};
use crate::circuit::{CompileOptions, compile_source, load_artifact, options, takes_no_overrides};
use crate::compile::plan_of;
use crate::console::{Console, Style};
use crate::exit::{Exit, Failure};
use crate::report::{Findings, print_as_result};
use crate::source::Source;

/// Compares two circuits; ends with 5 if the new one cannot take the old one's place.
///
/// # Errors
/// A [`Failure`] if one of them cannot be read.
pub(crate) fn diff(
    arguments: &DiffArguments,
    global: &GlobalArguments,
    console: Console,
) -> Result<Exit, Failure> {
    if load_artifact(&arguments.old)?.is_some() && load_artifact(&arguments.new)?.is_some() {
        takes_no_overrides(&arguments.new, global)?;
    }
    let options = options(global, &arguments.compiler);
    let (old, new) = match (plan(&arguments.old, &options)?, plan(&arguments.new, &options)?) {
        (Ok(old), Ok(new)) => (old, new),
        (old, new) => {
            let findings: Vec<Findings> = old.err().into_iter().chain(new.err()).collect();
            print_as_result(console, &findings)?;
            return Ok(Exit::Errors);
        }
    };
    let found = difference(&old, &new);
    if console.is_human() {
        console.out(&text(&found, console))?;
    } else {
        let document = json!({
            "compatible": found.is_compatible(),
            "changes": found.changes,
            "effects": found.effects,
        });
        console.document(&document)?;
    }
    Ok(if found.is_compatible() { Exit::Success } else { Exit::Incompatible })
}

/// The plan of a circuit or an artifact, or the errors of a circuit that has some.
fn plan(path: &Path, options: &CompileOptions) -> Result<Result<Plan, Findings>, Failure> {
    if let Some(artifact) = load_artifact(path)? {
        return Ok(Ok(artifact.plan));
    }
    let mut circuit = compile_source(&Source::read(path)?, options)?;
    if !circuit.findings.has_errors() {
        return plan_of(&circuit).cloned().map(Ok);
    }
    circuit.findings.diagnostics.retain(arqon_grammar::Diagnostic::is_error);
    Ok(Err(circuit.findings))
}

fn text(found: &Difference, console: Console) -> String {
    let width = found.changes.iter().map(|change| change.name.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for change in &found.changes {
        text.push_str(&line(change, width, console));
    }
    if found.changes.is_empty() {
        text.push_str("nothing is declared in either\n");
    }
    for effect in &found.effects {
        let what = if effect.ends {
            "subscriptions end with `GONE`, and begin again with the new schema"
        } else if effect.retracts {
            "rows may be retracted, and others inserted"
        } else {
            "what was sent stays, and what is sent changes"
        };
        let Effect { topic, because, .. } = effect;
        text.extend(["\n", topic, ": ", what, ", since ", because]);
    }
    if !found.effects.is_empty() {
        text.push('\n');
    }
    let count = |verdict: Verdict| {
        let n = found.changes.iter().filter(|change| change.verdict == verdict).count();
        (n > 0).then(|| format!("{n} {}", word(verdict)))
    };
    let verdicts = [Verdict::Keep, Verdict::Rebuild, Verdict::Refuse, Verdict::New, Verdict::Drop];
    let counts: Vec<String> = verdicts.into_iter().filter_map(count).collect();
    let style = if found.is_compatible() { Style::Green } else { Style::Red };
    text.extend(["\n", &console.paint_out(style, &counts.join(", ")), "\n"]);
    text
}

/// What stands before the lines under a part.
const MARGIN: &str = "           ";

fn line(change: &Change, width: usize, console: Console) -> String {
    let part = match change.part {
        Part::Topic => "topic",
        Part::Node => "node",
        Part::Operator => "operator",
    };
    let style = match change.verdict {
        Verdict::Keep => Style::Green,
        Verdict::Rebuild | Verdict::New | Verdict::Drop => Style::Yellow,
        Verdict::Refuse => Style::Red,
    };
    let verdict = console.paint_out(style, &format!("{:<7}", word(change.verdict)));
    let mut text = format!("{verdict}  {part:<8}  {:<width$}", change.name);
    text.truncate(text.trim_end().len());
    text.push('\n');
    for reason in &change.reasons {
        text.extend([MARGIN, reason, "\n"]);
    }
    for state in &change.state {
        text.extend([MARGIN, &state.step, " holds ", &state.holds, "\n"]);
    }
    text
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Keep => "keep",
        Verdict::Rebuild => "rebuild",
        Verdict::Refuse => "refuse",
        Verdict::New => "new",
        Verdict::Drop => "drop",
    }
}
