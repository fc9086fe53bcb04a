//! Loops: a round only adds to what the rounds before have found (E0310).

use std::collections::BTreeSet;

use arqon_grammar::Diagnostic;
use arqon_grammar::code::discipline;
use arqon_plan::{FlowStep, JoinKind, LoopVariable, Merge, Plan, Verb, Vertex};

use super::span;

/// Each step in a loop by which a row may go because another one came, unless the loop says how
/// it ends all the same.
pub(super) fn check(plan: &Plan) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let mut reported = BTreeSet::new();
    // The inner loops have the greater numbers; a step is told of the innermost one.
    for (of, members) in plan.loops().into_iter().rev() {
        let variables: Vec<&LoopVariable> = members
            .iter()
            .filter_map(|id| match plan.vertex(*id) {
                Vertex::Step(FlowStep { verb: Verb::Variable(variable), .. }) => Some(variable),
                Vertex::Step(_) | Vertex::Client(_) | Vertex::Topic(_) | Vertex::Endpoint(_) => {
                    None
                }
            })
            .filter(|variable| variable.of == of)
            .collect();
        if variables.iter().all(|variable| ends_anyway(variable)) {
            continue;
        }
        for id in members {
            let Vertex::Step(step) = plan.vertex(id) else { continue };
            let Some(word) = takes_back(of, &step.verb) else { continue };
            if reported.insert(id) {
                found.push(report(step, word, variables[0]));
            }
        }
    }
    found
}

/// Whether the loop has a result whatever its rounds do: the last round is the result, or each
/// variable of a general loop moves towards a least or greatest value.
fn ends_anyway(variable: &LoopVariable) -> bool {
    let is_directed = match variable.merge {
        Merge::Distinct => false,
        Merge::Best { .. } => variable.name.is_some(),
    };
    variable.exact || is_directed
}

/// What a verb is called that may take rows back when others come.
fn takes_back(of: usize, verb: &Verb) -> Option<&'static str> {
    match verb {
        Verb::Group(_) => Some("group"),
        Verb::Top(_) => Some("top"),
        Verb::Over(_) => Some("over"),
        Verb::Join(join) if join.asof.is_some() => Some("asof"),
        Verb::Join(join) => match join.kind {
            JoinKind::Full => Some("kind: full"),
            JoinKind::Left => Some("kind: left"),
            JoinKind::Anti => Some("kind: anti"),
            JoinKind::Inner | JoinKind::Semi => None,
        },
        Verb::Variable(inner) if inner.of != of => match inner.merge {
            Merge::Distinct => None,
            Merge::Best { .. } => Some("merge"),
        },
        Verb::From
        | Verb::Where(_)
        | Verb::Project(_)
        | Verb::Unnest(_)
        | Verb::Distinct
        | Verb::Variable(_)
        | Verb::Leave { .. }
        | Verb::Route(_)
        | Verb::Arm(_)
        | Verb::Carries(_)
        | Verb::Call(_)
        | Verb::Window(_)
        | Verb::Within(_)
        | Verb::Late(_)
        | Verb::Kernel(_)
        | Verb::Wasm(_)
        | Verb::Unknown => None,
    }
}

fn report(step: &FlowStep, word: &str, variable: &LoopVariable) -> Diagnostic {
    let of = match &variable.name {
        Some(name) => format!("variable `{name}` of a loop"),
        None => "the rows of a loop".to_owned(),
    };
    Diagnostic::new(
        discipline::NOT_MONOTONE,
        span(step.range),
        format!("`{word}` at `{}` stands over {of}", step.address),
    )
    .label("rows that were found may go again here")
    .secondary(span(variable.range), "the loop")
    .help("let a node outside of the loop do it, and `join` that node here")
    .help(
        "or say how many rounds are meant, as in `rounds: 3` with `exact: true`, if the rows \
         after so many rounds are the result",
    )
}
